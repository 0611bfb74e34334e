/* verdict_json.c - a verdict on a file, for programs. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/verdict_show.h"
#include "core/json_text.h"
#include "store/recover.h"

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value ? value : json_null());
}

static void set_count(json_t *object, const char *key, uint64_t n)
{
    set(object, key, json_integer((json_int_t)n));
}

static json_t *journal_json(const struct verdict *v)
{
    static const char *const states[] = {"none",  "empty",  "over",
                                         "valid", "broken", "unreadable"};
    const struct journal_commit *last = &v->journal.last;
    json_t *object = json_object();

    set(object, "file", swim_json_text(v->journal_path));
    set(object, "state", json_string(states[v->has]));
    set_count(object, "bytes", (uint64_t)v->log_st.st_size);
    set_count(object, "commits", v->commits);
    set_count(object, "number", v->commits ? last->number : 0);
    set_count(object, "when_ns", v->commits ? last->when_ns : 0);
    set_count(object, "fence", v->commits ? last->fence : 0);
    set_count(object, "covered_bytes", v->journal.overlay.bytes);
    set_count(object, "uncommitted_bytes", v->unfinished);
    set(object, "copying", json_boolean(v->journal.may_be_copied));
    if (v->has == JOURNAL_BROKEN) {
        set_count(object, "broken_at", v->broken_at);
        set_count(object, "readable_bytes", v->journal.end);
        set_count(object, "lost_up_to", v->lost_upto);
    }
    return object;
}

static json_t *superblock_json(const struct superblock *s)
{
    static const char *const states[] = {"none", "damaged", "whole"};
    json_t *object = json_object();

    set(object, "state", json_string(states[s->is]));
    set_count(object, "version", s->version);
    set(object, "marked_as_open", json_boolean(s->marked));
    if (s->is == SUPERBLOCK_DAMAGED)
        set(object, "problem", json_string(s->problem));
    return object;
}

static json_t *holder_json(const struct verdict_holder *h)
{
    if (!h->is)
        return json_null();
    json_t *object = json_object();
    set(object, "pid", h->pid > 0 ? json_integer(h->pid) : json_null());
    set(object, "alone", json_boolean(h->alone));
    return object;
}

static json_t *plan_json(const struct verdict *v, enum recover_action action)
{
    struct recover_plan plan;
    json_t *object = json_object();

    recover_plan(v, action, &plan);
    set(object, "possible", json_boolean(plan.how != RECOVER_CANNOT));
    set(object, "text", swim_json_text(plan.text));
    return object;
}

static json_t *sides_json(const struct verdict *v)
{
    json_t *list = json_array();

    for (int i = 0; i < SIDES; i++) {
        char *name = NULL;
        if (v->sides[i] &&
            asprintf(&name, "%s%s", v->path, verdict_side_suffixes[i]) >= 0) {
            json_array_append_new(list, swim_json_text(name));
            free(name);
        }
    }
    return list;
}

static json_t *shards_json(const struct verdict *v)
{
    json_t *list = json_array();

    for (size_t i = 0; i < v->n_shards; i++) {
        const struct verdict_shard *s = &v->shards[i];
        bool bad = s->why && s->is <= VERDICT_RECOVERABLE;
        json_t *object = json_object();
        set(object, "file", swim_json_text(s->path));
        set(object, "verdict",
            json_string(verdict_name(bad ? VERDICT_DAMAGED : s->is)));
        set(object, "why",
            s->why ? swim_json_text(bad ? s->why : s->found.text) : NULL);
        set_count(object, "commits", s->commits);
        json_array_append_new(list, object);
    }
    return list;
}

int verdict_json(const struct verdict *v)
{
    json_t *object = json_object();

    set_count(object, "schema", VERDICT_SCHEMA);
    set(object, "file", swim_json_text(v->path));
    set(object, "verdict", json_string(verdict_name(v->is)));
    set(object, "why",
        v->is > VERDICT_RECOVERABLE ? swim_json_text(v->why.text) : NULL);
    set_count(object, "bytes", (uint64_t)v->main_st.st_size);
    set_count(object, "committed_bytes", v->journal.last.size);
    set_count(object, "uncommitted_bytes", v->file_tail);
    set(object, "changed_from_outside", json_boolean(v->foreign));
    set(object, "journal", v->has == JOURNAL_NONE ? NULL : journal_json(v));
    set(object, "superblock", superblock_json(&v->superblock));
    set(object, "writer", holder_json(&v->writer));
    set(object, "in_use", holder_json(&v->user));
    set(object, "beside", sides_json(v));
    set(object, "shards", v->n_shards ? shards_json(v) : NULL);
    set(object, "apply", plan_json(v, RECOVER_APPLY));
    set(object, "discard", plan_json(v, RECOVER_DISCARD));
    int rc = json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
    return rc == 0 ? SWIM_OK : SWIM_ERR_IO;
}
