/* h5swim/error.h - how every function of h5swim reports a failure.
 *
 * A function that can fail returns SWIM_OK or one of the negative codes below and,
 * when the caller passes a swim_error_t, one line that says what was attempted, on
 * what, why it failed and, where there is something to do, what to do.
 *
 * Unless a code says otherwise nothing has changed after a failure and out
 * parameters are empty.
 *
 * Threads: a swim_error_t belongs to its caller.  Fork: plain memory.
 */
#ifndef SWIM_ERROR_H
#define SWIM_ERROR_H

#include <stdarg.h>

#if defined(__GNUC__)
#define SWIM_API __attribute__((visibility("default")))
#define SWIM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SWIM_API
#define SWIM_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum swim_status {
    SWIM_OK = 0,
    SWIM_ERR_ARG =
        -1, /* the caller's mistake: arguments, job file, data that do not fit */
    SWIM_ERR_NOMEM = -2,   /* memory could not be had */
    SWIM_ERR_IO = -3,      /* a system, HDF5 or server call failed; the text names it */
    SWIM_ERR_TIMEOUT = -4, /* gave up waiting; nothing changed */
    SWIM_ERR_LOST = -5,    /* it was held and is not any more: do not write */
    SWIM_ERR_UNSURE = -6,  /* asked, no answer: it may or may not have happened */
    SWIM_ERR_CORRUPT = -7, /* a file is damaged */
    SWIM_ERR_ABI = -8,     /* a kernel built for another version of the interface */
    SWIM_ERR_KERNEL = -9,  /* a kernel reported a failure of its own */
    SWIM_ERR_CANCELLED = -10, /* a signal, or another thread, asked to stop */
    SWIM_ERR_DEADLOCK = -11,  /* it would wait for itself; nothing changed */
};

typedef struct swim_error {
    int code;       /* enum swim_status; SWIM_OK: nothing was reported */
    char text[640]; /* one line, no newline at its end */
} swim_error_t;

/* Put code and text into err, which may be NULL; always return code.
 * An error that err already holds is kept: the first one wins. */
SWIM_API int swim_error_set(swim_error_t *err, int code, const char *fmt, ...)
    SWIM_PRINTF(3, 4);

/* The same with SWIM_ERR_IO and ": <text of errnum>" at the end. */
SWIM_API int swim_error_sys(swim_error_t *err, int errnum, const char *fmt, ...)
    SWIM_PRINTF(3, 4);

/* Forget what err holds.  Accepts NULL. */
SWIM_API void swim_error_clear(swim_error_t *err);

/* The name of a code, e.g. "timeout"; never NULL. */
SWIM_API const char *swim_status_name(int code);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_ERROR_H */
