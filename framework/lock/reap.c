/* reap.c - ending the sessions of a child that its parent knows dead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "lock_private.h"

static int reap_ask(swim_session_t *s, const struct lock_script *script, int argc,
                    const char *const *argv, struct redis_answer **answer,
                    swim_error_t *err)
{
    bool unsure = false;

    int rc =
        session_ask(s, script, argc, argv, swim_clock_mono_ns(), answer, &unsure, err);
    return redis_unsure_is_io(rc, err); /* to end it twice is to end it */
}

/* The parent's word is not enough: a number may be another process's by now. */
static int reap_one(swim_session_t *s, int64_t pid, const char *id, const char *start,
                    swim_error_t *err)
{
    const char *argv[] = {id};
    struct redis_answer *answer = NULL;
    int fd = -1;

    enum process_state state =
        process_watch(&s->self, s->self.boot, pid, atoll(start), &fd);
    if (fd >= 0)
        close(fd);
    if (state != PROCESS_DEAD)
        return SWIM_OK;
    int rc = reap_ask(s, &script_close, 1, argv, &answer, err);
    redis_answer_free(answer);
    if (rc == SWIM_OK)
        swim_log(SWIM_LOG_INFO, "lock", "ended the session of a dead child session=%s",
                 id);
    return rc;
}

int swim_session_reap(swim_session_t *s, pid_t pid, swim_error_t *err)
{
    char number[24], cursor[24] = "0";
    const char *argv[] = {cursor, number, s->self.boot};
    int rc = SWIM_OK;

    if (atomic_load(&s->forked) || pid <= 0)
        return swim_error_set(
            err, SWIM_ERR_ARG, "end the sessions of process %lld: %s", (long long)pid,
            pid <= 0 ? "there is no such process" : "the asking session is a parent's");
    snprintf(number, sizeof(number), "%lld", (long long)pid);
    do {
        struct redis_answer *answer = NULL;
        rc = reap_ask(s, &script_inspect_process, 3, argv, &answer, err);
        snprintf(cursor, sizeof(cursor), "%s",
                 redis_answer_text(redis_answer_at(answer, 0)));
        for (size_t i = 1; rc == SWIM_OK && i < redis_answer_count(answer); i += 2)
            rc = reap_one(s, pid, redis_answer_text(redis_answer_at(answer, i)),
                          redis_answer_text(redis_answer_at(answer, i + 1)), err);
        redis_answer_free(answer);
    } while (rc == SWIM_OK && cursor[0] && strcmp(cursor, "0") != 0);
    return rc;
}
