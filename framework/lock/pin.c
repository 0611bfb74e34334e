/* pin.c - pins: counted here, told to the server as there or not.
 *
 * The list of them changes before the server is asked, and a question that finds
 * another epoch is asked again after session_revive(), so whatever the server forgets
 * in between it is told by one of the two.  What is cleared stays listed, with count 0,
 * until the server has said that it knows.
 *
 * Each wish has a serial; the server ignores those that come after a later one, so two
 * threads that set and clear the same pin need no order among their questions. */
#include "pin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "lock_private.h"

#define SERVER_AWAY_MS 10000
#define HEX_DIGITS "0123456789abcdef"

/* What the pin is called, into PIN_WHAT_MAX bytes. */
static int pin_name(swim_session_t *s, const char *resource, const char *lineage,
                    uint64_t number, char *what, swim_error_t *err)
{
    size_t len = lineage ? strlen(lineage) : 0;

    if (len == 0 || len > LOCK_LINEAGE_MAX || strspn(lineage, HEX_DIGITS) != len)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "pin a commit: the lineage %.80s is not 1 to %d digits of "
            "0-9a-f",
            lineage ? lineage : "(none)", LOCK_LINEAGE_MAX);
    int rc = session_check_resource(s, "pins", resource, err);
    if (rc == SWIM_OK)
        snprintf(what, PIN_WHAT_MAX, "%" PRIu64 "/%s/%s", number, lineage, resource);
    return rc;
}

/* With held_mutex held. */
static struct pin **pin_find(swim_session_t *s, const char *what)
{
    struct pin **at = &s->pins;

    while (*at && strcmp((*at)->what, what) != 0)
        at = &(*at)->next;
    return at;
}

/* One more; its serial, 0: no memory. */
static unsigned long long pin_enter(swim_session_t *s, const char *what)
{
    size_t len = strlen(what) + 1;
    unsigned long long serial = 0;

    pthread_mutex_lock(&s->held_mutex);
    struct pin **at = pin_find(s, what);
    if (!*at) {
        *at = calloc(1, sizeof(**at) + len);
        if (*at)
            memcpy((*at)->what, what, len);
    }
    if (*at) {
        (*at)->count++;
        serial = (*at)->serial = ++s->pin_serial;
    }
    pthread_mutex_unlock(&s->held_mutex);
    return serial;
}

/* One less: false, there is none.  *serial: to clear it with; 0: it is still pinned. */
static bool pin_leave(swim_session_t *s, const char *what, unsigned long long *serial)
{
    *serial = 0;
    pthread_mutex_lock(&s->held_mutex);
    struct pin *p = *pin_find(s, what);
    bool found = p && p->count > 0;
    if (found && --p->count == 0)
        *serial = p->serial = ++s->pin_serial;
    pthread_mutex_unlock(&s->held_mutex);
    return found;
}

bool pin_owed(swim_session_t *s, char *what, size_t size, unsigned long long *serial)
{
    pthread_mutex_lock(&s->held_mutex);
    const struct pin *p = s->pins;
    while (p && p->count > 0)
        p = p->next;
    if (p) {
        snprintf(what, size, "%s", p->what);
        *serial = p->serial;
    }
    pthread_mutex_unlock(&s->held_mutex);
    return p != NULL;
}

void pin_paid(swim_session_t *s, const char *what, unsigned long long serial)
{
    pthread_mutex_lock(&s->held_mutex);
    struct pin **at = pin_find(s, what), *p = *at;
    if (p && p->count == 0 && p->serial == serial) {
        *at = p->next;
        free(p);
    }
    pthread_mutex_unlock(&s->held_mutex);
}

/* Ask a script that says "lost" of a session, or an epoch, that it does not know; again
 * when the server was told.  argv[0] and argv[1], session and epoch, are put in here.
 */
static int pin_ask(swim_session_t *s, const struct lock_script *script, int argc,
                   const char **argv, struct redis_answer **answer, swim_error_t *err)
{
    char epoch[24];
    int64_t until_ns = swim_clock_mono_ns() + SERVER_AWAY_MS * 1000000LL;
    bool unsure = false;

    argv[0] = s->id;
    argv[1] = epoch;
    for (;;) {
        uint64_t seq = atomic_load(&s->seq);
        snprintf(epoch, sizeof(epoch), "%llu", atomic_load(&s->epoch));
        int rc = session_ask(s, script, argc, argv, until_ns, answer, &unsure, err);
        if (rc != SWIM_OK)
            return rc;
        const struct redis_answer *first = redis_answer_at(*answer, 0);
        if (strcmp(redis_answer_text(first ? first : *answer), "lost") != 0)
            return SWIM_OK;
        redis_answer_free(*answer);
        *answer = NULL;
        rc = session_revive(s, seq, until_ns, argv[2], err);
        if (rc != SWIM_OK)
            return rc;
    }
}

static int pin_tell(swim_session_t *s, const char *what, unsigned long long serial,
                    const char *wish, swim_error_t *err)
{
    char number[24];
    const char *argv[] = {NULL, NULL, what, number, wish};
    struct redis_answer *answer = NULL;

    snprintf(number, sizeof(number), "%llu", serial);
    int rc = pin_ask(s, &script_pin, 5, argv, &answer, err);
    redis_answer_free(answer);
    return rc;
}

int lock_pin_set(swim_session_t *s, const char *resource, const char *lineage_hex,
                 uint64_t number, swim_error_t *err)
{
    char what[PIN_WHAT_MAX];

    int rc = pin_name(s, resource, lineage_hex, number, what, err);
    if (rc != SWIM_OK)
        return rc;
    unsigned long long serial = pin_enter(s, what);
    if (serial == 0)
        return swim_error_set(err, SWIM_ERR_NOMEM, "pin a commit of %s: no memory",
                              resource);
    /* Another thread may have entered it whose question is still on its way. */
    rc = pin_tell(s, what, serial, "set", err);
    if (rc == SWIM_OK)
        return session_check(s, 0, resource, err);
    (void)pin_leave(s, what, &serial); /* the pulse thread clears it */
    return redis_unsure_is_io(rc, err);
}

int lock_pin_clear(swim_session_t *s, const char *resource, const char *lineage_hex,
                   uint64_t number, swim_error_t *err)
{
    char what[PIN_WHAT_MAX];
    unsigned long long serial;

    int rc = pin_name(s, resource, lineage_hex, number, what, err);
    if (rc != SWIM_OK)
        return rc;
    if (!pin_leave(s, what, &serial))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "clear the pin of commit %" PRIu64 " of %s: this session "
                              "has not set it",
                              number, resource);
    if (serial == 0)
        return SWIM_OK;
    rc = pin_tell(s, what, serial, "clear", err);
    if (rc == SWIM_OK)
        pin_paid(s, what, serial);
    if (rc != SWIM_ERR_IO)
        return rc;
    if (err)
        err->code = SWIM_ERR_UNSURE; /* it is set, and is cleared later */
    return SWIM_ERR_UNSURE;
}

/* "NUMBER/LINEAGE/" */
static bool pin_read(const char *text, struct lock_pin *pin)
{
    char *end = NULL;

    pin->number = strtoull(text, &end, 10);
    size_t len = *end == '/' ? strspn(end + 1, HEX_DIGITS) : 0;
    if (len == 0 || len > LOCK_LINEAGE_MAX)
        return false;
    memcpy(pin->lineage, end + 1, len);
    pin->lineage[len] = '\0';
    return true;
}

static int list_odd(const char *resource, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_IO,
                          "list the pins of %s: the lock server's answer is no list of "
                          "pins",
                          resource);
}

static int list_read(const struct redis_answer *answer, struct lock_pin **pins,
                     size_t *count, const char *resource, swim_error_t *err)
{
    size_t n = redis_answer_count(answer);
    long long grace_ms = redis_answer_number(redis_answer_at(answer, 0));

    if (n == 0)
        return list_odd(resource, err);
    if (grace_ms > 0)
        return swim_error_set(
            err, SWIM_ERR_TIMEOUT,
            "list the pins of %s: the lock server is new or lost its data, and may not "
            "know all of them for another %.1f s (try again then)",
            resource, (double)grace_ms / 1000);
    if (n == 1)
        return SWIM_OK;
    struct lock_pin *list = calloc(n - 1, sizeof(*list));
    if (!list)
        return swim_error_set(err, SWIM_ERR_NOMEM, "list the pins of %s: no memory",
                              resource);
    for (size_t i = 1; i < n; i++)
        if (!pin_read(redis_answer_text(redis_answer_at(answer, i)), &list[i - 1])) {
            free(list);
            return list_odd(resource, err);
        }
    *pins = list;
    *count = n - 1;
    return SWIM_OK;
}

int lock_pin_list(swim_session_t *s, const char *resource, struct lock_pin **pins,
                  size_t *count, swim_error_t *err)
{
    const char *argv[] = {NULL, NULL, resource};
    struct redis_answer *answer = NULL;

    *pins = NULL;
    *count = 0;
    int rc = session_check_resource(s, "pins", resource, err);
    if (rc != SWIM_OK)
        return rc;
    rc = pin_ask(s, &script_pins, 3, argv, &answer, err);
    if (rc == SWIM_OK)
        rc = list_read(answer, pins, count, resource, err);
    redis_answer_free(answer);
    return redis_unsure_is_io(rc, err);
}
