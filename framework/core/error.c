/* error.c - the error record that callers pass in. */
#include <stdio.h>
#include <string.h>

#include <h5swim/error.h>

static void error_put(swim_error_t *err, int code, const char *fmt, va_list args)
{
    err->code = code;
    vsnprintf(err->text, sizeof(err->text), fmt, args);
    /* Texts of libraries and users may hold newlines; an error is one line. */
    for (char *c = err->text; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
}

int swim_error_set(swim_error_t *err, int code, const char *fmt, ...)
{
    if (err && err->code == SWIM_OK) {
        va_list args;
        va_start(args, fmt);
        error_put(err, code, fmt, args);
        va_end(args);
    }
    return code;
}

int swim_error_sys(swim_error_t *err, int errnum, const char *fmt, ...)
{
    if (err && err->code == SWIM_OK) {
        char reason[128];
        va_list args;
        va_start(args, fmt);
        error_put(err, SWIM_ERR_IO, fmt, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                 strerror_r(errnum, reason, sizeof(reason)));
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
