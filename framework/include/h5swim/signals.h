/* h5swim/signals.h - a program that holds locks leaves on SIGTERM, SIGINT and SIGHUP.
 *
 * Without this header such a signal ends the program where it stands, and what it held
 * (h5swim/lock.h) stays locked until its lease has ended or somebody on the same host
 * finds it dead.  After swim_signals_install():
 *
 *   - The first signal makes swim_signals_pending() say which it was and
 *     swim_signals_fd() readable.  A lock call that waits returns SWIM_ERR_CANCELLED.
 *     The program has a time of grace, 50 ms, to come to a safe point and to leave by
 *     itself, with a status of its own choice.
 *   - If it is still there at the end of the grace, or when a second signal comes (20
 * ms after the first or later), it ends at once, as that first signal would have ended
 *     it: a shell sees 128 + N.  No exit handler runs, no buffer is flushed.
 *   - When it is dead, however it died within the grace (exit() or a crash as well),
 * its locks are given back at once by a child that was forked at the first signal.  Not
 *     before: nothing of the program can write any more when others get its locks.
 *
 * It does not matter what the program's threads are doing, when they were started, or
 * which signals they block; a thread in the middle of an HDF5 call, of malloc() or of a
 * question to the lock server is stopped there.
 *
 * Handlers of the program.  A handler that the program has installed before is called
 * as ever: once for each signal, in a thread of the program that does not block the
 * signal, with its siginfo_t and context, its mask and its other flags.  By then the
 * signal is pending in h5swim as well, and what is said above goes on meanwhile: the
 * program ends after the grace unless
 *   - the signal is not one of options.signals: h5swim then has no part in it at all.
 *     For a daemon that reads its files again on SIGHUP, and for a signal that the
 *     program takes with sigwait() or signalfd();
 *   - the flag SWIM_SIGNALS_HANDLER_DECIDES is set: the signal is pending and cancels
 *     waits, but whether the program ends is left to its handler.  For interpreters
 *     and menus, where Ctrl-C leads back to a prompt (Python's handler only sets a
 *     flag, which becomes KeyboardInterrupt later);
 *   - swim_signals_clear() is called in time, by the handler or anybody else.
 * A handler may end in exit(), _exit(), siglongjmp() or in raising the signal again
 * with its default action.  A signal that the program has a handler for and blocks in
 * all of its threads arrives, here too, when it is unblocked.
 *
 * A signal that is ignored stays ignored: SIGHUP under nohup, SIGINT in a background
 * job of a shell script.
 *
 * Handlers that are installed later take a signal away from h5swim, unless they call
 * the handler that they replaced.  The next swim_signals_install() or
 * swim_session_open() takes them in as if they had been there before; so call
 * swim_signals_install() when the program's handlers are in place.  A program that asks
 * with sigaction() will find h5swim's handler instead of its own.
 *
 * No other signal is touched.  After SIGKILL, and after SIGQUIT or a crash outside a
 * grace, the locks end with their lease, or when somebody on the same host finds the
 * process dead.  The same holds for process 1 of a container, whose death takes all
 * others along: start it with an init (docker run --init).
 *
 * A process that was stopped (SIGSTOP, Ctrl-Z) or suspended for longer than its lease
 * has lost its locks; swim_lock_check() says so when it goes on.
 *
 * MPI: mpirun and srun send SIGTERM and, a second or more later, SIGKILL; the default
 * grace fits in.
 *
 * Threads: install and remove from any thread, but not in a signal handler; the other
 *          functions may be called in signal handlers, too.
 * Fork:    a child starts with nothing installed and the program's own handlers back in
 *          place, so that SIGTERM does what it did before.  It may install for itself.
 *          Programs that are started (exec, posix_spawn) see nothing of all this.
 */
#ifndef SWIM_SIGNALS_H
#define SWIM_SIGNALS_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For swim_signals_options.signals. */
enum swim_signals_which {
    SWIM_SIGNALS_TERM = 1,
    SWIM_SIGNALS_INT = 2,
    SWIM_SIGNALS_HUP = 4,
};

/* For swim_signals_options.flags. */
enum swim_signals_flags {
    /* A signal that the program has a handler for never ends it here: neither after
     * the grace nor the second time.  No child is forked for it, so a handler that
     * ends the process should close its session first.  Call swim_signals_clear()
     * when the program goes on. */
    SWIM_SIGNALS_HANDLER_DECIDES = 1,
    /* End with exit status 128 + N instead of by the signal. */
    SWIM_SIGNALS_EXIT_STATUS = 2,
    /* A signal from the parent process, or from this process, is never a second one:
     * for programs under a launcher that passes on what its processes got already. */
    SWIM_SIGNALS_PARENT_REPEATS = 4,
};

/* Zero it, set struct_size, then what differs from the default. */
struct swim_signals_options {
    size_t struct_size; /* sizeof(struct swim_signals_options) */
    uint32_t grace_ms;  /* 1 to 3,600,000; 0: 50 */
    uint32_t signals;   /* which of them, enum swim_signals_which; 0: all three */
    uint32_t flags;     /* enum swim_signals_flags; 0: none */
};

/* Take over the signals.  options may be NULL: all defaults.
 *
 * Called again it takes in handlers that the program has installed since, gives back
 * signals that are no longer asked for, and goes by the new options.
 * Errors: SWIM_ERR_ARG; SWIM_ERR_IO (descriptors or the thread could not be had).
 * Starts one thread, which sleeps until a signal comes.  Does not block. */
SWIM_API int swim_signals_install(const struct swim_signals_options *options,
                                  swim_error_t *err);

/* Undo it: the program's own handlers are back in place and the thread has ended;
 * what is pending is forgotten.  A handler that was installed later and calls h5swim's
 * is left alone.  Does nothing when nothing is installed. */
SWIM_API void swim_signals_remove(void);

/* The signal that asked this process to leave, 0 when none did.  Costs next to nothing;
 * made for loops. */
SWIM_API int swim_signals_pending(void);

/* A descriptor for poll(), readable while a signal is pending; within a moment of the
 * change, so swim_signals_pending() decides.  Not to be read, written or closed.
 * -1 when nothing is installed. */
SWIM_API int swim_signals_fd(void);

/* Forget the pending signal: the program goes on, locks can be waited for again, and
 * the next signal is a first one.  SWIM_OK also when none was pending;
 * SWIM_ERR_CANCELLED when it is too late and the process is ending. */
SWIM_API int swim_signals_clear(void);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_SIGNALS_H */
