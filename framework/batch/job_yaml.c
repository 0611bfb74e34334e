/* job_yaml.c - from YAML text to a tree of nodes that know their places.
 *
 * The tree is built from libfyaml's events rather than from its documents: events have
 * a mark for lists and mappings too, aliases can be counted as they are copied in (a
 * few lines of nested aliases stand for billions of nodes), and duplicate keys are
 * reported in our own words. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libfyaml.h>

#include "batch/job_private.h"

#define JOB_BYTES_MAX ((size_t)1 << 20)
#define JOB_NODES_MAX 10000
#define JOB_DEPTH_MAX 16

struct anchor {
    char *name;
    const struct job_node *node;
    struct anchor *next;
};

struct yaml_reader {
    const char *file, *set;
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct anchor *anchors;
    size_t n_nodes;
};

int job_fail(swim_error_t *err, const struct job_place *place, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return swim_error_set(err, SWIM_ERR_ARG, "%s: %s", place->text, text);
}

/* A long name loses its beginning: the line and the column must stay. */
static void place_put(const struct yaml_reader *r, int line, int column,
                      struct job_place *place)
{
    size_t length = strlen(r->file);

    if (r->set)
        job_place_set(r->set, place);
    else
        snprintf(place->text, sizeof(place->text), "%s%s:%d:%d",
                 length > JOB_NAME_MOST ? "..." : "",
                 r->file + (length > JOB_NAME_MOST ? length - JOB_NAME_MOST : 0), line,
                 column);
}

struct job_node *job_node_create(enum job_node_kind kind, const char *key,
                                 const struct job_place *place)
{
    struct job_node *node = calloc(1, sizeof(*node));

    if (!node)
        return NULL;
    node->kind = kind;
    node->place = *place;
    node->key_place = *place;
    if (key && !(node->key = strdup(key))) {
        free(node);
        return NULL;
    }
    return node;
}

void job_node_destroy(struct job_node *node)
{
    while (node) {
        struct job_node *next = node->next;
        job_node_destroy(node->first);
        free(node->text);
        free(node->key);
        free(node);
        node = next;
    }
}

void job_node_append(struct job_node *parent, struct job_node *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n++;
}

struct job_node *job_node_child(const struct job_node *map, const char *key)
{
    if (map->kind != JOB_NODE_MAP)
        return NULL;
    for (struct job_node *child = map->first; child; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

const char *job_node_describe(const struct job_node *node, char *buf, size_t size)
{
    switch (node->kind) {
    case JOB_NODE_NULL:
        return "nothing";
    case JOB_NODE_LIST:
        return "a list";
    case JOB_NODE_MAP:
        return "a mapping";
    case JOB_NODE_TEXT:
        break;
    }
    snprintf(buf, size, "\"%.60s%s\"", node->text,
             strlen(node->text) > 60 ? "..." : "");
    return buf;
}

static int node_count(struct yaml_reader *r, const struct job_place *place,
                      swim_error_t *err)
{
    if (++r->n_nodes > JOB_NODES_MAX)
        return job_fail(err, place, "a job may have at most %d values", JOB_NODES_MAX);
    return SWIM_OK;
}

/* Copy an anchored node; its places stay those of the anchor, where the text is. */
static int node_copy(struct yaml_reader *r, const struct job_node *from,
                     struct job_node **out, swim_error_t *err)
{
    struct job_node *node = NULL;
    int rc = node_count(r, &from->place, err);

    *out = NULL;
    if (rc != SWIM_OK)
        return rc;
    node = job_node_create(from->kind, from->key, &from->place);
    if (!node || (from->text && !(node->text = strdup(from->text)))) {
        rc =
            swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory", r->file);
        goto out;
    }
    node->key_place = from->key_place;
    for (const struct job_node *c = from->first; c && rc == SWIM_OK; c = c->next) {
        struct job_node *copy = NULL;
        rc = node_copy(r, c, &copy, err);
        if (rc == SWIM_OK)
            job_node_append(node, copy);
    }
out:
    if (rc != SWIM_OK)
        job_node_destroy(node);
    else
        *out = node;
    return rc;
}

/* The text of a token as a C string; texts with a NUL inside are refused, because
 * everything behind it would be lost without a word. */
static int token_text(struct yaml_reader *r, struct fy_token *token,
                      const struct job_place *place, char **out, swim_error_t *err)
{
    size_t length = 0;
    const char *text = token ? fy_token_get_text(token, &length) : "";

    *out = NULL;
    if (!text)
        length = 0;
    if (length && memchr(text, '\0', length))
        return job_fail(err, place, "a text with a NUL character in it");
    *out = length ? strndup(text, length) : strdup("");
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory",
                              r->file);
    return SWIM_OK;
}

/* The first error that libfyaml noted, for the text that was read. */
static int yaml_fail(const struct yaml_reader *r, swim_error_t *err)
{
    struct job_place place;
    void *iter = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(r->diag, &iter);

    place_put(r, e ? e->line : 1, e ? e->column : 1, &place);
    return job_fail(err, &place, "%s", e && e->msg ? e->msg : "this is not YAML");
}

static int event_read(struct yaml_reader *r, struct fy_event *event, unsigned depth,
                      struct job_node **out, swim_error_t *err);

static void event_place(const struct yaml_reader *r, struct fy_event *event,
                        struct job_place *place)
{
    const struct fy_mark *mark = fy_event_start_mark(event);

    place_put(r, mark ? mark->line + 1 : 1, mark ? mark->column + 1 : 1, place);
}

static int map_add(struct job_node *map, const struct job_node *key,
                   struct job_node *value, swim_error_t *err)
{
    const struct job_node *twin = job_node_child(map, key->text);

    if (twin) {
        job_node_destroy(value);
        return job_fail(err, &key->place, "key \"%.60s\" is here twice; first in %s",
                        key->text, twin->key_place.text);
    }
    free(value->key);
    value->key = strdup(key->text);
    value->key_place = key->place;
    if (!value->key) {
        job_node_destroy(value);
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file: no memory");
    }
    job_node_append(map, value);
    return SWIM_OK;
}

/* The children of a list or mapping, up to its end event. */
static int children_read(struct yaml_reader *r, struct job_node *node, unsigned depth,
                         swim_error_t *err)
{
    struct job_node *key = NULL;
    int rc = SWIM_OK;
    bool more = true;

    while (rc == SWIM_OK && more) {
        struct fy_event *event = fy_parser_parse(r->parser);
        struct job_node *child = NULL;
        if (!event) {
            rc = yaml_fail(r, err);
            break;
        }
        more = event->type != FYET_SEQUENCE_END && event->type != FYET_MAPPING_END;
        if (more)
            rc = event_read(r, event, depth + 1, &child, err);
        fy_parser_event_free(r->parser, event);
        if (!child)
            continue;
        if (node->kind == JOB_NODE_LIST) {
            job_node_append(node, child);
        } else if (key) {
            rc = map_add(node, key, child, err);
            job_node_destroy(key);
            key = NULL;
        } else {
            key = child;
            if (key->kind != JOB_NODE_TEXT)
                rc = job_fail(err, &key->place, "a key must be a text");
        }
    }
    job_node_destroy(key);
    return rc;
}

static int alias_read(struct yaml_reader *r, struct fy_event *event,
                      const struct job_place *place, struct job_node **out,
                      swim_error_t *err)
{
    char *name = NULL;
    int rc = token_text(r, fy_event_get_token(event), place, &name, err);
    const struct anchor *anchor = r->anchors;

    if (rc != SWIM_OK)
        return rc;
    while (anchor && strcmp(anchor->name, name) != 0)
        anchor = anchor->next;
    if (anchor)
        rc = node_copy(r, anchor->node, out, err);
    else
        rc = job_fail(err, place, "alias *%.60s has no anchor before it", name);
    free(name);
    return rc;
}

/* Remember a finished node.  Unfinished ones are not listed, so no cycle can arise. */
static int anchor_note(struct yaml_reader *r, struct fy_token *token,
                       const struct job_node *node, swim_error_t *err)
{
    struct anchor *anchor = calloc(1, sizeof(*anchor));
    int rc = SWIM_OK;

    if (!anchor)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory",
                              r->file);
    rc = token_text(r, token, &node->place, &anchor->name, err);
    if (rc != SWIM_OK) {
        free(anchor);
        return rc;
    }
    anchor->node = node;
    anchor->next = r->anchors;
    r->anchors = anchor;
    return SWIM_OK;
}

static bool text_is_null(const char *text)
{
    return !*text || !strcmp(text, "~") || !strcmp(text, "null") ||
           !strcmp(text, "Null") || !strcmp(text, "NULL");
}

static int scalar_read(struct yaml_reader *r, struct fy_event *event,
                       struct job_node *node, swim_error_t *err)
{
    enum fy_node_style style = fy_event_get_node_style(event);
    int rc = token_text(r, fy_event_get_token(event), &node->place, &node->text, err);

    if (rc != SWIM_OK)
        return rc;
    node->kind = JOB_NODE_TEXT;
    if ((style == FYNS_PLAIN || style == FYNS_ANY) && text_is_null(node->text)) {
        free(node->text);
        node->text = NULL;
        node->kind = JOB_NODE_NULL;
    }
    return SWIM_OK;
}

static int event_read(struct yaml_reader *r, struct fy_event *event, unsigned depth,
                      struct job_node **out, swim_error_t *err)
{
    struct job_place place;
    struct job_node *node = NULL;
    struct fy_token *anchor = NULL;
    int rc = SWIM_OK;

    *out = NULL;
    event_place(r, event, &place);
    if (depth > JOB_DEPTH_MAX)
        return job_fail(err, &place, "nested more than %d levels deep", JOB_DEPTH_MAX);
    if (event->type == FYET_ALIAS)
        return alias_read(r, event, &place, out, err);
    rc = node_count(r, &place, err);
    if (rc != SWIM_OK)
        return rc;
    node = job_node_create(JOB_NODE_NULL, NULL, &place);
    if (!node)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory",
                              r->file);
    anchor = fy_event_get_anchor_token(event);
    if (event->type == FYET_SCALAR) {
        rc = scalar_read(r, event, node, err);
    } else {
        node->kind = event->type == FYET_MAPPING_START ? JOB_NODE_MAP : JOB_NODE_LIST;
        rc = children_read(r, node, depth, err);
    }
    if (rc == SWIM_OK && anchor)
        rc = anchor_note(r, anchor, node, err);
    if (rc == SWIM_OK)
        *out = node;
    else
        job_node_destroy(node);
    return rc;
}

static int stream_read(struct yaml_reader *r, struct job_node **root, swim_error_t *err)
{
    int rc = SWIM_OK;
    bool ended = false;

    while (rc == SWIM_OK && !ended) {
        struct fy_event *event = fy_parser_parse(r->parser);
        if (!event)
            break;
        switch (event->type) {
        case FYET_STREAM_END:
            ended = true;
            break;
        case FYET_SCALAR:
        case FYET_MAPPING_START:
        case FYET_SEQUENCE_START:
        case FYET_ALIAS:
            rc = *root ? SWIM_OK : event_read(r, event, 0, root, err);
            break;
        case FYET_DOCUMENT_START:
            if (*root)
                rc = job_fail(err, &(*root)->place,
                              "more than one YAML document in one job");
            break;
        default:
            break;
        }
        fy_parser_event_free(r->parser, event);
    }
    if (rc == SWIM_OK && !ended)
        rc = yaml_fail(r, err);
    return rc;
}

/* Bytes of the UTF-8 character at the start of text; 0: there is none. */
static size_t utf8_length(const char *text, size_t left)
{
    unsigned char c = (unsigned char)*text;
    size_t n = c < 0x80   ? 1
               : c < 0xc2 ? 0
               : c < 0xe0 ? 2
               : c < 0xf0 ? 3
               : c < 0xf5 ? 4
                          : 0;

    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Control characters come with binary files, whose "YAML errors" would puzzle; libfyaml
 * takes bytes that are not UTF-8 for the end of the text. */
static int bytes_check(const struct yaml_reader *r, const char *text, size_t length,
                       swim_error_t *err)
{
    static const char hdf5[8] = "\x89HDF\r\n\x1a\n";
    int line = 1, column = 1;

    if (length >= sizeof(hdf5) && memcmp(text, hdf5, sizeof(hdf5)) == 0) {
        struct job_place place;
        place_put(r, line, column, &place);
        return job_fail(
            err, &place,
            "this is an HDF5 file, and no job file, which names such files; "
            "h5swim view FILE shows what is in it");
    }
    for (size_t i = 0, n = 0; i < length; i += n, column++) {
        unsigned char c = (unsigned char)text[i];
        n = utf8_length(text + i, length - i);
        if (c == '\n') {
            line++;
            column = 0;
        } else if (n == 0 || (c < ' ' && c != '\t' && c != '\r')) {
            struct job_place place;
            place_put(r, line, column, &place);
            return job_fail(err, &place, "byte 0x%02x: this is not UTF-8 text", c);
        }
    }
    return SWIM_OK;
}

static void anchors_destroy(struct anchor *anchor)
{
    while (anchor) {
        struct anchor *next = anchor->next;
        free(anchor->name);
        free(anchor);
        anchor = next;
    }
}

int job_node_parse(const char *text, size_t length, const char *file, const char *set,
                   struct job_node **out, swim_error_t *err)
{
    struct yaml_reader r = {.file = file, .set = set};
    struct fy_parse_cfg config = {.flags = FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE};
    struct fy_diag_cfg quiet;
    struct job_node *root = NULL;
    int rc = bytes_check(&r, text, length, err);

    *out = NULL;
    if (rc != SWIM_OK)
        return rc;
    rc = SWIM_ERR_NOMEM;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    r.diag = fy_diag_create(&quiet);
    if (!r.diag)
        goto out;
    fy_diag_set_collect_errors(r.diag, true);
    config.diag = r.diag;
    r.parser = fy_parser_create(&config);
    if (!r.parser || fy_parser_set_string(r.parser, text, length) != 0)
        goto out;
    rc = stream_read(&r, &root, err);
    if (rc == SWIM_OK && !root) {
        struct job_place place;
        place_put(&r, 1, 1, &place);
        root = job_node_create(JOB_NODE_NULL, NULL, &place);
        rc = root ? SWIM_OK : SWIM_ERR_NOMEM;
    }
out:
    if (rc == SWIM_ERR_NOMEM)
        swim_error_set(err, rc, "read job file %s: no memory", file);
    if (rc == SWIM_OK)
        *out = root;
    else
        job_node_destroy(root);
    anchors_destroy(r.anchors);
    fy_parser_destroy(r.parser);
    fy_diag_destroy(r.diag);
    return rc;
}

/* At most one byte more than allowed: enough to see that it is too much. */
static int file_read(const char *path, char **out, size_t *length, swim_error_t *err)
{
    char *text = NULL;
    size_t used = 0;
    int rc = SWIM_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *out = NULL;
    if (fd < 0)
        return swim_error_set(err, SWIM_ERR_ARG, "open job file %s: %s%s", path,
                              strerrordesc_np(errno),
                              errno == ENOENT ? " (\"h5swim kernel new NAME\" writes a "
                                                "kernel and a job to begin with)"
                                              : "");
    text = malloc(JOB_BYTES_MAX + 1);
    if (!text) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "read job file %s: no memory", path);
        goto out;
    }
    for (;;) {
        ssize_t got = read(fd, text + used, JOB_BYTES_MAX + 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = swim_error_set(err, SWIM_ERR_ARG, "read job file %s: %s", path,
                                strerrordesc_np(errno));
        if (got <= 0)
            break;
        used += (size_t)got;
        if (used > JOB_BYTES_MAX) {
            rc = swim_error_set(err, SWIM_ERR_ARG,
                                "read job file %s: larger than 1 MiB, which no job "
                                "file is; is it the right file?",
                                path);
            break;
        }
    }
out:
    close(fd);
    if (rc == SWIM_OK) {
        *out = text;
        *length = used;
    } else {
        free(text);
    }
    return rc;
}

int job_node_read(const char *path, struct job_node **out, swim_error_t *err)
{
    char *text = NULL;
    size_t length = 0;
    int rc = file_read(path, &text, &length, err);

    *out = NULL;
    if (rc == SWIM_OK)
        rc = job_node_parse(text, length, path, NULL, out, err);
    free(text);
    return rc;
}
