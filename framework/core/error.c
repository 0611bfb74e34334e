/* error.c - the error record that callers pass in. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/error.h>

#include "core/text.h"

/* reason: "", or what comes behind the text. */
static void error_put(swim_error_t *err, int code, const char *reason, const char *fmt,
                      va_list args)
{
    const size_t room = sizeof(err->text);
    char *text = NULL, *whole = NULL;
    va_list again;

    err->code = code;
    va_copy(again, args);
    int length = vsnprintf(err->text, room, fmt, args);
    if (length >= 0 && (size_t)length + strlen(reason) < room)
        memcpy(err->text + length, reason, strlen(reason) + 1);
    else if (length < 0 || vasprintf(&text, fmt, again) < 0)
        text = NULL; /* the beginning is there */
    else if (asprintf(&whole, "%s%s", text, reason) >= 0)
        swim_text_fit(whole, err->text, room);
    va_end(again);
    free(whole);
    free(text);
    swim_text_line(err->text);
}

int swim_error_set(swim_error_t *err, int code, const char *fmt, ...)
{
    if (err && err->code == SWIM_OK) {
        va_list args;
        va_start(args, fmt);
        error_put(err, code, "", fmt, args);
        va_end(args);
    }
    return code;
}

/* What else there is to say where the system's word does not tell what to do. */
static const char *error_remedy(int errnum)
{
    if (errnum == EMFILE)
        return " (raise ulimit -n)";
    return errnum == EFBIG ? " (is ulimit -f too small?)" : "";
}

int swim_error_sys(swim_error_t *err, int errnum, const char *fmt, ...)
{
    if (err && err->code == SWIM_OK) {
        char room[128], reason[sizeof(room) + 40];
        va_list args;
        snprintf(reason, sizeof(reason), ": %s%s",
                 strerror_r(errnum, room, sizeof(room)), error_remedy(errnum));
        va_start(args, fmt);
        error_put(err, SWIM_ERR_IO, reason, fmt, args);
        va_end(args);
    }
    return SWIM_ERR_IO;
}

void swim_error_clear(swim_error_t *err)
{
    if (err) {
        err->code = SWIM_OK;
        err->text[0] = '\0';
    }
}

const char *swim_status_name(int code)
{
    switch ((enum swim_status)code) {
    case SWIM_OK:
        return "ok";
    case SWIM_ERR_ARG:
        return "argument";
    case SWIM_ERR_NOMEM:
        return "memory";
    case SWIM_ERR_IO:
        return "input/output";
    case SWIM_ERR_TIMEOUT:
        return "timeout";
    case SWIM_ERR_LOST:
        return "lost";
    case SWIM_ERR_UNSURE:
        return "unsure";
    case SWIM_ERR_CORRUPT:
        return "corrupt";
    case SWIM_ERR_ABI:
        return "abi";
    case SWIM_ERR_KERNEL:
        return "kernel";
    case SWIM_ERR_CANCELLED:
        return "cancelled";
    case SWIM_ERR_DEADLOCK:
        return "deadlock";
    }
    return "unknown";
}
