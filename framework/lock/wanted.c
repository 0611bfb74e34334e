/* wanted.c - one look at the queue of a resource. */
#include "wanted.h"

#include <stdio.h>

#include "lock_private.h"

bool lock_is_wanted(const swim_lock_t *lock)
{
    char queue[RESOURCE_MAX + 32];
    const char *argv[] = {"EXISTS", queue};
    struct redis_answer *answer = NULL;

    if (swim_lock_check(lock, 0, NULL) != SWIM_OK)
        return true;
    snprintf(queue, sizeof(queue), "{h5swim}:q:%s", lock->resource);
    int rc = session_say(lock->session, 2, argv, &answer, NULL);
    bool is = rc != SWIM_OK || redis_answer_number(answer) != 0;
    redis_answer_free(answer);
    return is;
}
