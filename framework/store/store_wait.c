/* store_wait.c - what the environment says where a program's options do not. */
#include "store/store_wait.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/lock.h>

#include "core/text.h"

#define DEFAULT_MS 60000
#define MAX_S 31536000.0

int store_wait_ms(int64_t given, int64_t *wait_ms, swim_error_t *err)
{
    const char *set = getenv("SWIM_WAIT");
    double seconds = 0;

    *wait_ms = given ? given : DEFAULT_MS;
    if (given || !set || !*set)
        return SWIM_OK;
    if (!swim_text_real(set, &seconds) || !isfinite(seconds) || seconds < 0 ||
        seconds > MAX_S)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "SWIM_WAIT=%s: it is not a number of seconds to wait for "
                              "files (0: do not wait)",
                              set);
    *wait_ms = seconds == 0 ? SWIM_LOCK_TRY : (int64_t)ceil(seconds * 1000);
    return SWIM_OK;
}

int store_sync(bool none, bool *sync, swim_error_t *err)
{
    const char *set = getenv("SWIM_SYNC");

    *sync = !none;
    if (none || !set || !*set || strcmp(set, "commit") == 0)
        return SWIM_OK;
    *sync = false;
    if (strcmp(set, "none") == 0)
        return SWIM_OK;
    return swim_error_set(err, SWIM_ERR_ARG,
                          "SWIM_SYNC=%s: it is neither commit nor none", set);
}
