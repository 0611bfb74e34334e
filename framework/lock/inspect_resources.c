/* inspect_resources.c - what the lock server tells of resources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_private.h"

#define PLACE_CLASS 4503599627370496.0 /* as scripts/common.lua: 2^52 */

/* The ticket at the front of the text; false: it is none, or no memory. */
static bool ticket_read(struct look *l, const char *text, struct inspect_ticket *t)
{
    static const char kinds[] = "RUTWVX";
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ,   SWIM_LOCK_UPDATE,
                                                SWIM_LOCK_UPDATE, SWIM_LOCK_WRITE,
                                                SWIM_LOCK_WRITE,  SWIM_LOCK_WRITE};
    const char *kind = text[0] ? strchr(kinds, text[0]) : NULL;
    char key[SESSION_ID_MAX];
    size_t len = strcspn(text, " ");

    while (len > 0 && text[len] != '/')
        len--;
    if (!kind || text[1] != '/' || len < 3 || len - 2 >= sizeof(key))
        return false;
    snprintf(key, sizeof(key), "%.*s", (int)(len - 2), text + 2);
    struct inspect_session *session = look_session(l, key);
    if (!session)
        return false;
    session->shown++;
    *t = (struct inspect_ticket){.session = session,
                                 .mode = modes[kind - kinds],
                                 .raised = *kind == 'X',
                                 .preferred = *kind == 'T' || *kind == 'V'};
    return true;
}

static int64_t time_since(const struct look *l, int64_t ms)
{
    return l->out->time_ms > ms ? l->out->time_ms - ms : 0;
}

static void resource_add_writer(struct look *l, struct inspect_resource *r,
                                const char *text)
{
    struct inspect_ticket *t = &r->tickets[r->n_held];
    const char *fence = strchr(text, ' ');
    char *end = NULL;

    if (!fence || !ticket_read(l, text, t))
        return;
    t->fence = strtoull(fence + 1, &end, 10);
    t->for_ms = time_since(l, strtoll(end, NULL, 10));
    r->n_held++;
}

static int held_compare(const void *a, const void *b)
{
    const struct inspect_ticket *one = a, *other = b;

    if (one->for_ms != other->for_ms)
        return one->for_ms > other->for_ms ? -1 : 1;
    return strcmp(one->session->key, other->session->key);
}

static void resource_add_readers(struct look *l, struct inspect_resource *r,
                                 const struct redis_answer *readers)
{
    size_t first = r->n_held;

    for (size_t i = 0; i + 1 < redis_answer_count(readers); i += 2) {
        struct inspect_ticket *t = &r->tickets[r->n_held];
        if (!ticket_read(l, redis_answer_text(redis_answer_at(readers, i)), t))
            continue;
        t->for_ms = time_since(l, inspect_number(redis_answer_at(readers, i + 1), 0));
        r->n_held++;
    }
    if (r->n_held > first)
        qsort(r->tickets + first, r->n_held - first, sizeof(*r->tickets), held_compare);
}

/* Microseconds of a place, whatever its class. */
static int64_t place_ms(const char *place)
{
    double us = strtod(place, NULL);

    while (us < 0)
        us += PLACE_CLASS;
    return us < PLACE_CLASS ? (int64_t)us / 1000 : 0;
}

static void resource_add_queue(struct look *l, struct inspect_resource *r,
                               const struct redis_answer *queue)
{
    for (size_t i = 0; i + 1 < redis_answer_count(queue); i += 2) {
        struct inspect_ticket *t = &r->tickets[r->n_held + r->n_waiting];
        if (!ticket_read(l, redis_answer_text(redis_answer_at(queue, i)), t))
            continue;
        t->for_ms =
            time_since(l, place_ms(redis_answer_text(redis_answer_at(queue, i + 1))));
        r->n_waiting++;
    }
}

static int look_add_resource(struct look *l, const char *name,
                             const struct redis_answer *told, swim_error_t *err)
{
    const struct redis_answer *readers = redis_answer_at(told, 1);
    const struct redis_answer *queue = redis_answer_at(told, 2);
    size_t n = 1 + redis_answer_count(readers) / 2 + redis_answer_count(queue) / 2;
    struct inspect_resource r = {.tickets = calloc(n, sizeof(*r.tickets)),
                                 .name = strdup(name)};

    if (!r.tickets || !r.name ||
        !inspect_grow(&l->out->resources, l->out->n_resources, &l->resources_room,
                      sizeof(r))) {
        free(r.tickets);
        free(r.name);
        return inspect_no_memory(err);
    }
    resource_add_writer(l, &r, redis_answer_text(redis_answer_at(told, 0)));
    resource_add_readers(l, &r, readers);
    resource_add_queue(l, &r, queue);
    if (r.n_held + r.n_waiting > 0) {
        l->out->resources[l->out->n_resources++] = r;
    } else {
        free(r.tickets);
        free(r.name);
    }
    return SWIM_OK;
}

int look_ask_resources(struct look *l, swim_error_t *err)
{
    size_t done = 0;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && done < l->n_names) {
        const char *argv[1 + INSPECT_PAGE] = {INSPECT_PAGE_TICKETS};
        struct redis_answer *answer = NULL;
        size_t n = l->n_names - done < INSPECT_PAGE ? l->n_names - done : INSPECT_PAGE;
        for (size_t i = 0; i < n; i++)
            argv[1 + i] = l->names[done + i];
        rc = inspect_ask(l->in, &script_inspect_resources, 1 + (int)n, argv, &answer,
                         err);
        l->out->time_ms = atoll(redis_answer_text(redis_answer_at(answer, 0)));
        l->out->grace_ms = redis_answer_number(redis_answer_at(answer, 1));
        if (rc == SWIM_OK && redis_answer_count(answer) < 3)
            rc = swim_error_set(err, SWIM_ERR_IO,
                                "look at locks: lock server %s gave no answer that "
                                "makes sense",
                                l->in->shown);
        for (size_t i = 2; rc == SWIM_OK && i < redis_answer_count(answer); i++)
            rc =
                look_add_resource(l, l->names[done++], redis_answer_at(answer, i), err);
        redis_answer_free(answer);
    }
    return rc;
}
