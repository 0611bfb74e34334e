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
#include <stdint.h> /* and __GLIBC__ */

#if defined(__GNUC__)
/* Marks what libh5swim exports. */
#define SWIM_API __attribute__((visibility("default")))
/* Arguments number fmt, a format, and args on, what goes into it: for the compiler. */
#define SWIM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SWIM_API
#define SWIM_PRINTF(fmt, args)
#endif

/* A function with a long loop in what is delivered compiled: made twice, the second
 * time for processors with AVX2, of which the loader takes the right one.  Both compute
 * the same bits.  Kernels that h5swim compiles are made for the processor they run on
 * and need none of this.  Sanitizers cannot stand that the loader asks before them. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__AVX2__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SWIM_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define SWIM_WIDE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Each with what it means and, behind "Remedy:", what to do; "h5swim help errors" shows
 * this as a table. */
enum swim_status {
    SWIM_OK = 0,
    /* The caller's mistake: arguments, a job file, data that do not fit.
     * Remedy: correct what the line names; of a job, h5swim check lists all there is.
     */
    SWIM_ERR_ARG = -1,
    /* Memory could not be had.
     * Remedy: give the job less "memory" or fewer readers, or the process a larger
     * limit (ulimit -v, --mem of Slurm). */
    SWIM_ERR_NOMEM = -2,
    /* A system, HDF5 or server call failed; the text names it.
     * Remedy: what the system's words say (a full disk, rights, a server that is not
     * there); h5swim selftest tries the lock server, h5swim check the file. */
    SWIM_ERR_IO = -3,
    /* Gave up waiting; nothing changed.
     * Remedy: h5swim locks FILE shows who has it; wait longer (--wait, SWIM_WAIT), or
     * end a session that hangs (h5swim locks --break). */
    SWIM_ERR_TIMEOUT = -4,
    /* It was held and is not any more: do not write.
     * Remedy: run it again (a job with --resume); where processes are stopped for
     * longer than the lease, give them a longer one (SWIM_LEASE_MS). */
    SWIM_ERR_LOST = -5,
    /* Asked, no answer: it may or may not have happened.
     * Remedy: look at what is there (h5swim check, h5swim locks), then ask again. */
    SWIM_ERR_UNSURE = -6,
    /* A file is damaged, or was changed by a program without h5swim.
     * Remedy: h5swim check FILE says what is wrong, h5swim recover FILE decides what
     * counts. */
    SWIM_ERR_CORRUPT = -7,
    /* A kernel built for another version of the interface.
     * Remedy: compile it again with the headers of this h5swim. */
    SWIM_ERR_ABI = -8,
    /* A kernel reported a failure of its own, or declares what cannot be.
     * Remedy: as its text says; h5swim kernel test tries a kernel alone. */
    SWIM_ERR_KERNEL = -9,
    /* A signal, or another thread, asked to stop.
     * Remedy: none is needed; a job goes on with --resume. */
    SWIM_ERR_CANCELLED = -10,
    /* It would wait for itself; nothing changed.
     * Remedy: release what this session holds before it asks for more, or ask once for
     * the stronger mode. */
    SWIM_ERR_DEADLOCK = -11,
};

/* What a caller has for the report of a failure; zero it before the first call. */
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
