/* inspect_break.c - ending a session from outside.
 *
 * Whether its process is dead can be known on its own host alone.  Otherwise nobody may
 * be given what it holds before it has heard of its end, or its lease is over: the
 * script breaks the session, and what is left of it ends in one of these ways.
 *
 * Every question here may be asked again, so one that got no answer is. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "inspect_private.h"

#define LOOK_FIRST_MS 1
#define LOOK_MAX_MS 20
#define TRIES 3

static int break_ask(struct inspector *in, const struct lock_script *script,
                     const char *id, long long *number, swim_error_t *err)
{
    const char *argv[] = {id};
    swim_error_t last = {0};
    int rc = SWIM_ERR_UNSURE;

    for (int i = 0; rc == SWIM_ERR_UNSURE && i < TRIES; i++) {
        struct redis_answer *answer = NULL;
        swim_error_clear(&last);
        rc = inspect_ask(in, script, 1, argv, &answer, &last);
        *number = redis_answer_number(answer);
        redis_answer_free(answer);
    }
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", last.text);
}

/* Who the session is: PROCESS_DEAD, or alive with a descriptor in *pidfd, or neither;
 * *known: the server has heard of it. */
static int break_find(struct inspector *in, const char *id, enum process_state *state,
                      int *pidfd, bool *known, swim_error_t *err)
{
    char broken[SESSION_ID_MAX];
    const char *argv[] = {"0", id, broken};
    struct redis_answer *answer = NULL;

    *state = PROCESS_ELSEWHERE;
    *pidfd = -1;
    *known = false;
    snprintf(broken, sizeof(broken), "%s!", id);
    int rc = inspect_ask(in, &script_inspect_sessions, 3, argv, &answer, err);
    for (size_t i = 1; rc == SWIM_OK && i < redis_answer_count(answer); i++) {
        const struct redis_answer *told = redis_answer_at(answer, i);
        bool alive = redis_answer_number(redis_answer_at(told, 0)) >= 0;
        *known |= alive || redis_answer_number(redis_answer_at(told, 1)) > 0;
        if (alive && *pidfd < 0 && *state != PROCESS_DEAD)
            *state = process_watch(
                &in->self, redis_answer_text(redis_answer_at(told, 4)),
                atoll(redis_answer_text(redis_answer_at(told, 5))),
                atoll(redis_answer_text(redis_answer_at(told, 6))), pidfd);
    }
    redis_answer_free(answer);
    return rc;
}

/* Wait until nothing is left of a broken session, or wait_ms have passed. */
static int break_wait(struct inspector *in, const char *id, int pidfd, int64_t wait_ms,
                      long long *left_ms, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + wait_ms * 1000000;
    int64_t nap_ms = LOOK_FIRST_MS;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && *left_ms > 0 && swim_clock_mono_ns() < until_ns) {
        struct pollfd p = {pidfd, POLLIN, 0};
        bool has_died = poll(&p, 1, (int)nap_ms) == 1;
        if (has_died) {
            rc = break_ask(in, &script_close, id, left_ms, err);
            *left_ms = 0;
        } else {
            rc = break_ask(in, &script_break, id, left_ms, err);
        }
        nap_ms = nap_ms * 2 < LOOK_MAX_MS ? nap_ms * 2 : LOOK_MAX_MS;
    }
    return rc;
}

int inspect_break(struct inspector *inspector, const char *id, int64_t wait_ms,
                  enum inspect_break_result *result, int64_t *left_ms,
                  swim_error_t *err)
{
    enum process_state state;
    long long left = 0;
    bool known = false;
    int pidfd = -1;

    *result = INSPECT_UNKNOWN;
    *left_ms = 0;
    int rc = break_find(inspector, id, &state, &pidfd, &known, err);
    if (rc != SWIM_OK || !known)
        return rc;
    if (state == PROCESS_DEAD) {
        rc = break_ask(inspector, &script_close, id, &left, err);
        left = 0;
    } else {
        rc = break_ask(inspector, &script_break, id, &left, err);
        if (rc == SWIM_OK)
            rc = break_wait(inspector, id, pidfd, wait_ms, &left, err);
    }
    if (pidfd >= 0)
        close(pidfd);
    if (rc != SWIM_OK)
        return rc;
    *result = left > 0 ? INSPECT_FENCED : INSPECT_ENDED;
    *left_ms = left > 0 ? left : 0;
    return SWIM_OK;
}
