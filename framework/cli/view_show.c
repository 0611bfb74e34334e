/* view_show.c - what is in a file, as lines of text.
 *
 * Names and attributes were chosen by others: nothing goes out that a terminal could
 * act on. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/view.h"
#include "core/printable.h"
#include "core/text.h"
#include "store/output.h"

#define SHAPE_SIZE 480
#define LABEL_COLUMNS 11
#define NAME_COLUMNS 40

void view_put(const char *text)
{
    size_t size = 4 * strlen(text) + 1;
    char *shown = malloc(size);

    if (shown)
        (void)swim_printable(text, 0, shown, size);
    fputs(shown ? shown : "?", stdout);
    free(shown);
}

void view_put_units(const char *units)
{
    if (!units[0] || strcmp(units, "1") == 0)
        return;
    putchar(' ');
    view_put(units);
}

void view_label(const char *name)
{
    printf("  %-*s ", LABEL_COLUMNS, name);
}

static const char *shape_text(const struct view_set *s, char *buf, size_t size)
{
    if (!s->empty)
        return swim_text_shape(s->shape, s->ndim, buf, size);
    snprintf(buf, size, "empty");
    return buf;
}

/* --- a list ------------------------------------------------------------------------
 */

/* The width that most of the paths need. */
static int path_columns(const struct view_list *list)
{
    size_t widest = 4;

    for (size_t i = 0; i < list->n; i++) {
        size_t length = strlen(list->sets[i].path);
        if (length > widest && length <= NAME_COLUMNS)
            widest = length;
    }
    return (int)widest;
}

static void list_line(const struct view_set *s, int columns)
{
    char shape[SHAPE_SIZE];
    size_t size = 4 * strlen(s->path) + 1;
    char *shown = malloc(size);
    int width = shown ? swim_printable(s->path, 0, shown, size) : 0;

    printf("  %s%*s  %-22s ", shown ? shown : "?",
           width < columns ? columns - width : 0, "",
           shape_text(s, shape, sizeof(shape)));
    view_put(s->type);
    putchar('\n');
    free(shown);
}

/* A history has a line for each command; the others stand below the first one. */
static void value_print(const char *value, int indent)
{
    char *lines = strdup(value), *rest = lines, *line = NULL;

    for (bool first = true; (line = strsep(&rest, "\n")) != NULL; first = false) {
        if (!first && !*line && !rest)
            break;
        if (!first)
            printf("\n%*s", indent, "");
        view_put(line);
    }
    if (!lines)
        putchar('?');
    free(lines);
}

static void attributes_print(const struct view_attributes *attributes)
{
    for (size_t i = 0; i < attributes->n; i++) {
        view_label(i ? "" : "attributes");
        view_put(attributes->list[i].name);
        fputs(" = ", stdout);
        value_print(attributes->list[i].value, LABEL_COLUMNS + 5);
        putchar('\n');
    }
}

static bool list_is_unfinished(const struct view_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->sets[i].path, "/" OUTPUT_PROGRESS) == 0)
            return true;
    return false;
}

static void unfinished_print(bool unfinished)
{
    if (!unfinished)
        return;
    view_label("state");
    puts("unfinished: what its job has not written yet reads as missing; h5swim run "
         "--resume goes on");
}

int view_show_list(const struct source *source, const char *group, swim_error_t *err)
{
    struct view_attributes *attributes = NULL;
    struct view_list *list = NULL;

    int rc = view_list(source, group, &list, err);
    if (rc == SWIM_OK)
        rc = view_attributes(source, group, &attributes, err);
    if (rc == SWIM_OK) {
        printf("%zu dataset%s below ", list->n, list->n == 1 ? "" : "s");
        view_put(group);
        putchar('\n');
        int columns = path_columns(list);
        for (size_t i = 0; i < list->n; i++)
            list_line(&list->sets[i], columns);
        unfinished_print(list_is_unfinished(list));
        attributes_print(attributes);
    }
    view_attributes_free(attributes);
    view_list_free(list);
    return rc;
}

/* --- one dataset -------------------------------------------------------------------
 */

static void shape_print(const struct view_set *s)
{
    char buf[SHAPE_SIZE];
    bool grows = false;

    view_label("shape");
    fputs(shape_text(s, buf, sizeof(buf)), stdout);
    for (uint32_t i = 0; i < s->ndim; i++)
        grows = grows || s->most[i] != s->shape[i];
    for (uint32_t i = 0; grows && i < s->ndim; i++) {
        fputs(i ? " x " : ", may grow to ", stdout);
        if (s->most[i] == UINT64_MAX)
            fputs("any", stdout);
        else
            printf("%" PRIu64, s->most[i]);
    }
    putchar('\n');
}

static void storage_print(const struct view_set *s)
{
    char buf[SHAPE_SIZE];

    view_label("storage");
    fputs(s->storage, stdout);
    if (s->chunked)
        printf(" %s", swim_text_shape(s->chunk, s->ndim, buf, sizeof(buf)));
    printf(", %s", swim_text_bytes(s->bytes, buf, sizeof(buf)));
    if (s->stored > 0)
        printf(", in the file %s", swim_text_bytes(s->stored, buf, sizeof(buf)));
    putchar('\n');
    view_label("filters");
    view_put(s->filters[0] ? s->filters : "none");
    putchar('\n');
}

void view_put_number(long double value, bool whole)
{
    printf(whole ? "%.0Lf" : "%.7Lg", value);
}

static void axis_print(const struct swim_axis *axis, const struct view_axis *ends,
                       uint32_t i)
{
    char number[24];

    snprintf(number, sizeof(number), "axis %" PRIu32, i);
    view_put(axis->name[0] ? axis->name : number);
    printf(", %" PRIu64 " long", axis->length);
    if (ends->has) {
        fputs(": ", stdout);
        view_put_number((long double)ends->first, false);
        if (axis->length > 1) {
            fputs(" to ", stdout);
            view_put_number((long double)ends->last, false);
        }
    }
    view_put_units(axis->units);
    putchar('\n');
}

static void info_print(const struct dataset_info *info, const struct view_axis *axes)
{
    for (uint32_t i = 0; i < info->ndim; i++) {
        view_label(i ? "" : "axes");
        axis_print(&info->axes[i], &axes[i], i);
    }
    if (info->packed) {
        view_label("packed");
        printf("what follows is unpacked: number * %.9g + %.9g\n", info->scale,
               info->offset);
    }
}

int view_show_set(const struct source *source, const struct view_set *s,
                  const struct dataset_info *info, const struct view_axis *axes,
                  swim_error_t *err)
{
    struct view_attributes *attributes = NULL;

    int rc = view_attributes(source, s->path, &attributes, err);
    if (rc != SWIM_OK)
        return rc;
    view_put(s->path);
    putchar('\n');
    view_label("type");
    view_put(s->type);
    putchar('\n');
    shape_print(s);
    storage_print(s);
    unfinished_print(info && dataset_is_unfinished(source, info));
    attributes_print(attributes);
    if (info)
        info_print(info, axes);
    view_attributes_free(attributes);
    return rc;
}

void view_show_first(const struct source *source, const struct view_set *s)
{
    char text[VIEW_TEXT];
    swim_error_t err = {0};

    view_label("first");
    if (view_first_values(source, s, text, &err) != SWIM_OK)
        snprintf(text, sizeof(text), "(%.200s)", err.text);
    view_put(text);
    putchar('\n');
}
