/* top_look.c - looking at the lock server, and the whole of it as JSON. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/locks.h"
#include "cli/top.h"

int top_look(struct top_look *look, const char *url, swim_error_t *err)
{
    struct inspect_facts facts = {0};
    struct inspection *seen = NULL;
    struct census *census = NULL;
    int rc = SWIM_OK;

    if (!look->inspector) /* a private server may have been started meanwhile */
        rc = inspect_open(url, &look->inspector, err);
    if (rc != SWIM_OK || !look->inspector)
        return rc;
    rc = inspect_facts(look->inspector, &facts, err);
    if (rc == SWIM_OK)
        rc = inspect_look(look->inspector, NULL, 0, &seen, err);
    if (rc == SWIM_OK)
        rc = census_take(seen, &census, err);
    if (rc != SWIM_OK) {
        inspection_free(seen);
        return rc;
    }
    census_free(look->census);
    inspection_free(look->seen);
    look->facts = facts;
    look->seen = seen;
    look->census = census;
    return SWIM_OK;
}

void top_look_end(struct top_look *look)
{
    census_free(look->census);
    inspection_free(look->seen);
    inspect_close(look->inspector);
}

/* --- JSON ----------------------------------------------------------------------------
 */

static json_t *facts_json(const struct inspect_facts *f)
{
    json_t *object = json_object();

    locks_json_text(object, "version", f->version);
    locks_json_number(object, "up_s", f->up_s);
    locks_json_number(object, "clients", f->clients);
    locks_json_number(object, "memory_bytes", f->memory_bytes);
    locks_json_number(object, "memory_limit_bytes", f->memory_limit_bytes);
    json_object_set_new(object, "append_only",
                        f->append_only < 0 ? json_null()
                                           : json_boolean(f->append_only));
    locks_json_number(object, "saved_s", f->saved_s);
    json_object_set_new(object, "saves_ok",
                        f->saves_ok < 0 ? json_null() : json_boolean(f->saves_ok));
    return object;
}

static json_t *modes_json(const uint64_t counts[CENSUS_MODES])
{
    json_t *object = json_object();

    for (int mode = SWIM_LOCK_READ; mode < CENSUS_MODES; mode++)
        locks_json_number(object, locks_mode((enum swim_lock_mode)mode),
                          (int64_t)counts[mode]);
    return object;
}

static json_t *jobs_json(const struct census *census)
{
    json_t *list = json_array();

    for (size_t i = 0; census && i < census->n_jobs; i++) {
        const struct census_job *job = &census->jobs[i];
        json_t *object = json_object();
        locks_json_text(object, "job", job->name);
        locks_json_text(object, "user", job->user);
        locks_json_number(object, "sessions", (int64_t)job->sessions);
        locks_json_number(object, "ranks", (int64_t)job->ranks);
        locks_json_number(object, "readers", (int64_t)job->readers);
        json_object_set_new(object, "held", modes_json(job->count.held));
        json_object_set_new(object, "waiting", modes_json(job->count.waiting));
        locks_json_number(object, "longest_wait_ms", job->count.longest_wait_ms);
        locks_json_number(object, "age_ms", job->age_ms);
        json_array_append_new(list, object);
    }
    return list;
}

int top_json(const struct top_look *look)
{
    const bool there = look->inspector && look->seen;
    json_t *json = locks_json_object(
        look->seen, there ? inspect_server(look->inspector) : NULL, true);

    json_object_set_new(json, "lock_server",
                        there ? facts_json(&look->facts) : json_null());
    json_object_set_new(json, "jobs", jobs_json(look->census));
    int rc = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;
    putchar('\n');
    json_decref(json);
    if (rc == 0 && fflush(stdout) == 0)
        return TOP_DONE;
    fputs("h5swim top: write JSON: it failed (is the disk full?)\n", stderr);
    return TOP_FAILED;
}
