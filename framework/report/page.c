/* page.c - a run as one HTML page: the record and the pictures in the frame of
 * page/frame.html.
 *
 * Scripts and styles may be shown from the page alone, and nothing may be fetched: its
 * Content-Security-Policy says so. */
#include "report/page.h"

#include <string.h>
#include <time.h>

#include "page_files.h"
#include "report/pack.h"

struct page {
    const struct runfile *record;
    json_t *data;
    FILE *to;
};

/* --- text and data --------------------------------------------------------------- */

static void put_html(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '"')
            fputs("&quot;", to);
        else
            putc(*text, to);
    }
}

/* A '<' would let "</script>" or "<!--" end the element that the data are in.  In JSON
 * it stands in texts alone. */
static int put_script_safe(const char *bytes, size_t n, void *arg)
{
    FILE *to = arg;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '<')
            fputs("\\u003c", to);
        else
            putc(bytes[i], to);
    }
    return 0;
}

static const char *text_of(const struct page *p, const char *object, const char *key)
{
    const json_t *in = p->record->root;

    if (object)
        in = json_object_get(in, object);
    return json_string_value(json_object_get(in, key));
}

/* --- parts of the frame ------------------------------------------------------------
 */

static void put_name(struct page *p)
{
    put_html(p->to, text_of(p, "job", "name"));
}

static void put_status(struct page *p)
{
    put_html(p->to, text_of(p, NULL, "status"));
}

static void put_style(struct page *p)
{
    fputs(page_style_css, p->to);
}

static void put_data(struct page *p)
{
    (void)json_dump_callback(p->data, put_script_safe, p->to,
                             JSON_COMPACT | JSON_REAL_PRECISION(9));
}

static void put_script(struct page *p)
{
    fputs(page_values_js, p->to);
    fputs(page_lanes_js, p->to);
    fputs(page_throughput_js, p->to);
    fputs(page_pictures_js, p->to);
    fputs(page_main_js, p->to);
}

static const struct {
    const char *mark;
    void (*put)(struct page *p);
} parts[] = {
    {"@NAME@", put_name}, {"@STATUS@", put_status}, {"@STYLE@", put_style},
    {"@DATA@", put_data}, {"@SCRIPT@", put_script},
};
#define N_PARTS (sizeof(parts) / sizeof(*parts))

static void frame_write(struct page *p)
{
    const char *at = page_frame_html;

    while (*at) {
        size_t part = 0, plain = strcspn(at, "@");
        fwrite(at, 1, plain, p->to);
        at += plain;
        while (part < N_PARTS &&
               strncmp(at, parts[part].mark, strlen(parts[part].mark)) != 0)
            part++;
        if (part < N_PARTS) {
            parts[part].put(p);
            at += strlen(parts[part].mark);
        } else if (*at) {
            putc(*at++, p->to);
        }
    }
}

/* --- data --------------------------------------------------------------------------
 */

/* A table as an object of packed columns; NULL: no memory. */
static json_t *table_pack(const struct runfile_table *table, size_t n_columns,
                          const char *(*name)(size_t column))
{
    json_t *object = json_object();

    json_object_set_new(object, "n", json_integer((json_int_t)table->n));
    for (size_t c = 0; c < n_columns; c++)
        if (json_object_set_new(object, name(c),
                                pack_numbers(table->columns[c], table->n)) != 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static const char *block_name(size_t column)
{
    return runfile_block_name((enum runfile_block)column);
}

static const char *span_name(size_t column)
{
    return runfile_span_name((enum runfile_span)column);
}

static json_t *now(void)
{
    char text[32];
    time_t seconds = time(NULL);
    struct tm tm;

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    return json_string(text);
}

int page_write(const struct runfile *record, const json_t *pictures, FILE *to,
               swim_error_t *err)
{
    struct page p = {.record = record, .to = to};
    json_t *blocks = table_pack(&record->blocks, BLOCK_COLUMNS, block_name);
    json_t *spans = table_pack(&record->spans, SPAN_COLUMNS, span_name);

    /* json_pack() takes blocks and spans, and fails when it is given a NULL. */
    p.data = json_pack("{s:O, s:O, s:o, s:o, s:s, s:o}", "run", record->root,
                       "pictures", pictures, "blocks", blocks, "spans", spans,
                       "made_by", SWIM_VERSION, "made", now());
    if (!p.data)
        return swim_error_set(err, SWIM_ERR_NOMEM, "make the page: no memory");
    frame_write(&p);
    json_decref(p.data);
    return SWIM_OK;
}
