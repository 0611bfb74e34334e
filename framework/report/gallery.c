/* gallery.c - pictures of all outputs of a run. */
#include "report/gallery.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "core/json_text.h"
#include "report/picture.h"
#include "store/source.h"

#define WAIT_MS 5000 /* for a program that changes an output just now */

/* The session begins with the first file that is there. */
struct gallery {
    const char *record_file, *url;
    swim_session_t *session;
};

/* The file itself, or one of its name beside the record, which may have been moved
 * together with it. */
static bool file_find(const char *file, const char *record_file, char *found,
                      size_t size)
{
    const char *slash = strrchr(record_file, '/'), *name = strrchr(file, '/');
    int folder = slash ? (int)(slash - record_file) + 1 : 0;

    snprintf(found, size, "%s", file);
    if (access(found, F_OK) == 0)
        return true;
    snprintf(found, size, "%.*s%s", folder, record_file, name ? name + 1 : file);
    if (access(found, F_OK) == 0)
        return true;
    snprintf(found, size, "%s", file);
    return false;
}

static int look(struct gallery *g, const char *file, const char *dataset,
                json_t **picture, swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = g->url, .job = "report", .rank = -1};
    struct source *source = NULL;
    int rc = SWIM_OK;

    if (!g->session)
        rc = swim_session_open(&opt, &g->session, err);
    const struct store_access access = {.session = g->session, .wait_ms = WAIT_MS};
    if (rc == SWIM_OK)
        rc = source_open(file, &access, NULL, &source, err);
    if (rc == SWIM_OK)
        rc = picture_read(source, dataset, picture, err);
    source_close(source);
    return rc;
}

static json_t *show(struct gallery *g, const json_t *output)
{
    const char *file = json_string_value(json_object_get(output, "file"));
    const char *dataset = json_string_value(json_object_get(output, "dataset"));
    char found[PATH_MAX];
    swim_error_t err = {0};
    json_t *picture = NULL;

    if (file_find(file, g->record_file, found, sizeof(found)))
        (void)look(g, found, dataset, &picture, &err); /* the page says why */
    else
        swim_error_set(&err, SWIM_ERR_ARG, "the file is not there any more");
    return json_pack("{s:o, s:o, s:o}", "file", swim_json_text(found), "why",
                     swim_json_text(picture ? NULL : err.text), "picture",
                     picture ? picture : json_null());
}

json_t *gallery_make(const struct runfile *record, const char *record_file,
                     const char *url)
{
    struct gallery g = {.record_file = record_file, .url = url};
    json_t *list = json_array();
    const json_t *output;
    size_t i;

    store_quiet();
    json_array_foreach(json_object_get(record->root, "outputs"), i, output)
    {
        if (json_array_append_new(list, show(&g, output)) == 0)
            continue;
        json_decref(list);
        list = NULL;
        break;
    }
    swim_session_close(g.session);
    return list;
}
