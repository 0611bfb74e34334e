/* h5swim/lock.h - readers/writer locks shared by processes on any number of machines.
 *
 * The locks live in a Redis server.  A process opens one session; its locks are
 * leases that belong to the session and are renewed by a thread of the session.
 * A holder that dies or hangs loses them lease_ms after its last renewal at the
 * latest; nobody else ever renews them.
 *
 * Which modes go together (the 1971 readers/writer lock of Courtois, Heymans and
 * Parnas is READ and WRITE; UPDATE is a writer that works beside readers):
 *
 *     held \ asked   READ   UPDATE   WRITE
 *     READ           yes    yes      wait
 *     UPDATE         yes    wait     wait
 *     WRITE          wait   wait     wait
 *
 * Admission is phase-fair (Brandenburg and Anderson, 2010): a waiting writer goes
 * before readers that come after it, and readers that wait when a writer leaves go
 * before the next writer.  Nobody waits for more than one turn of the other kind and
 * those of its own kind that came before it.  SWIM_PREFER_WRITER is the strict rule.
 *
 * Before each write that a lock protects, ask swim_lock_check(); it costs no network.
 * After SWIM_ERR_LOST do not write.
 *
 * A server that lost its data (restart, FLUSHALL, failover) begins a new epoch: for one
 * lease, the longest among those who come back in it, nothing new is granted, and each
 * session tells anew what it holds, which its owner does not notice.  An empty server
 * that has run for a lease without ever being flushed needs no such time, and none
 * does for which somebody vouches that no earlier lock can be alive:
 * redis-cli SET '{h5swim}:fresh' 1.  If leases differ, a holder with a lease longer
 * than those of all who come back, and cut off from the server meanwhile, is not waited
 * for.
 *
 * Assumed: the server's clock is not set forward by a good part of a lease, and a
 * replica that becomes the primary replaces a primary that has ended; set
 * min-replicas-to-write on the primary.  Where that is not so, fencing numbers tell.
 *
 * Another version of h5swim may have another protocol: as long as sessions of one live
 * at a server, opening one of another gives SWIM_ERR_IO.  (Protocol 1, of builds before
 * there was a number, does not know: do not mix those with others.)
 *
 * Threads: a session may be used by any number of threads at once; one swim_lock_t
 *          belongs to one thread at a time.  Threads of one session exclude each other
 *          as processes do.
 * Fork:    a child must not use its parent's session or locks: every call on them
 *          returns SWIM_ERR_ARG there, and the parent's are not touched.
 */
#ifndef SWIM_LOCK_H
#define SWIM_LOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <h5swim/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A connection to the lock server, and the lease of all locks that it holds.  Made by
 * swim_session_open(). */
typedef struct swim_session swim_session_t;

/* A lock that is held.  Made by swim_lock_acquire(). */
typedef struct swim_lock swim_lock_t;

/* The modes of a lock; the table above says which go together. */
enum swim_lock_mode {
    SWIM_LOCK_READ = 1,   /* to read, beside others who do and one UPDATE */
    SWIM_LOCK_UPDATE = 2, /* to write beside readers: there is one */
    SWIM_LOCK_WRITE = 3,  /* to write while nobody else is in */
};

/* Zero it, set struct_size, then what differs from the default.  Strings are copied. */
struct swim_session_options {
    size_t struct_size; /* sizeof(struct swim_session_options) */
    const char *url;    /* redis://[USER[:PASSWORD]@]HOST[:PORT][/DB],
                           rediss://... for TLS, or
                           unix://[USER[:PASSWORD]@]/PATH[?db=DB];
                           NULL: $SWIM_REDIS_URL, else the private server of this user on
                           this host, started when it does not run */
    uint32_t lease_ms;  /* 1,000 to 600,000; 0: $SWIM_LEASE_MS, else 10,000 */
    const char *job;    /* shown to people who look at the locks; NULL: none */
    int32_t rank;       /* likewise; -1: none */
};

/* Connect, register a session and start the thread that renews its lease.
 *
 * By TLS the server's certificate must be signed by $SWIM_TLS_CA (a PEM file; unset: by
 * an authority that the system trusts) and name the host.  $SWIM_TLS_CERT and
 * $SWIM_TLS_KEY are shown to a server that wants a certificate of its clients.  These
 * are read when the process first connects by TLS.
 *
 * On SWIM_OK *out is the caller's, to be closed by swim_session_close().
 * Errors: SWIM_ERR_ARG (a URL that cannot be read, a lease out of range),
 * SWIM_ERR_IO (no server, wrong password, a server that may lose locks: a read-only
 * replica, or a maxmemory policy that evicts), SWIM_ERR_NOMEM, SWIM_ERR_CANCELLED.
 * Blocks for at most 10 s, where a server is silent. */
SWIM_API int swim_session_open(const struct swim_session_options *opt,
                               swim_session_t **out, swim_error_t *err);

/* End the session: what it holds is released in one call, its thread ends.  Its locks
 * are freed with it and must not be used any more; no other thread may use it.
 * Accepts NULL.  Keeps errno.  In a forked child: only frees memory, not the locks.
 * Blocks for at most 1 s; a server that has not answered by then releases what the
 * session held when its lease is over. */
SWIM_API void swim_session_close(swim_session_t *session);

/* For a parent that has waited for its child (waitpid): end the child's sessions now,
 * so that what it held goes on at once even when nobody on this host waits for it. Only
 * sessions of that process, of this host, are ended, and only if it has really gone; a
 * child that had none is as good as any.
 * Errors: SWIM_ERR_IO (they end with their leases, or when others here see them dead),
 * SWIM_ERR_ARG, SWIM_ERR_NOMEM.  Blocks as long as a question to the server takes, some
 * seconds at most. */
SWIM_API int swim_session_reap(swim_session_t *session, pid_t pid, swim_error_t *err);

/* "HOST:PID:NUMBER", unique among all sessions; the session's own memory. */
SWIM_API const char *swim_session_id(const swim_session_t *session);

/* What this session's acquires have cost since it was opened. */
struct swim_session_stats {
    size_t struct_size; /* sizeof(struct swim_session_stats) */
    uint64_t acquired;  /* locks granted */
    uint64_t waited;    /* of these, not granted at once */
    uint64_t wait_ns;   /* time from asking to holding, those that waited */
};

/* The counts as they are now, into *stats, the caller's.  Does not block. */
SWIM_API void swim_session_get_stats(swim_session_t *session,
                                     struct swim_session_stats *stats);

/* Ends waits from another thread.  Threads: any; one may serve many waits.  Fork: a
 * child makes its own. */
typedef struct swim_cancel swim_cancel_t;

/* The caller's, to be given to swim_cancel_free(); NULL: no memory or no descriptor. */
SWIM_API swim_cancel_t *swim_cancel_create(void);

/* When no wait uses it any more.  Accepts NULL. */
SWIM_API void swim_cancel_free(swim_cancel_t *cancel);

/* End the waits that use it, and those that will: SWIM_ERR_CANCELLED.  Safe in a signal
 * handler. */
SWIM_API void swim_cancel_raise(swim_cancel_t *cancel);

/* Waits that come from now on are waits again. */
SWIM_API void swim_cancel_reset(swim_cancel_t *cancel);

#define SWIM_LOCK_TRY (-1)     /* do not wait */
#define SWIM_LOCK_FOREVER (-2) /* wait without limit */

/* Who goes first. */
enum swim_lock_prefer {
    SWIM_PREFER_FAIR = 0,   /* phases, as above */
    SWIM_PREFER_WRITER = 1, /* this UPDATE or WRITE goes before all that wait without
                               it; readers starve while such writers follow each other.
                               No effect on READ */
};

/* Zero it, set struct_size, then what differs from the default. */
struct swim_lock_options {
    size_t struct_size; /* sizeof(struct swim_lock_options) */
    int64_t wait_ms;    /* longest wait; SWIM_LOCK_TRY, SWIM_LOCK_FOREVER; 0: 60,000 */
    enum swim_lock_prefer prefer; /* 0: SWIM_PREFER_FAIR */
    swim_cancel_t *cancel;        /* NULL: none; outlives the call */

    /* Called in the thread that waits, when that has gone on for progress_ms and about
     * every 10 s from then, with one line on who is in the way: "WRITE of /data/a.h5:
     * 2.0 s waited: READ held by node1:4711 (ann, job 17) for 3.1 s".  A grant that
     * comes meanwhile is kept, and seen when it returns: return soon.  It may raise
     * cancel; it takes no lock on this resource and does not close the session.
     * Not called when the server is away.  NULL: none. */
    void (*progress)(void *arg, const char *text);
    void *progress_arg;   /* its first argument */
    uint32_t progress_ms; /* 0: 2,000 */
};

/* Take the lock on a resource, any non-empty text of at most 4,095 bytes; for a
 * file, what swim_resource_of_file() makes of its name.
 *
 * On SWIM_OK *out is the caller's, to be given to swim_lock_release().  A thread that
 * holds the resource in this mode gets the same lock once more, at once, and gives it
 * back as often as it took it; the lock counts as its own even if another thread
 * gives it back.
 *
 * Errors: SWIM_ERR_TIMEOUT (not had in time; the text says who holds it),
 * SWIM_ERR_DEADLOCK (this thread holds the resource in another mode and would wait for
 * itself), SWIM_ERR_LOST (the session's lease has ended), SWIM_ERR_CANCELLED (a signal
 * came, unless it is only tried, or opt->cancel was raised), SWIM_ERR_IO (the server is
 * gone), SWIM_ERR_ARG, SWIM_ERR_NOMEM.  After any error nothing new is held and nothing
 * is queued. */
SWIM_API int swim_lock_acquire(swim_session_t *session, const char *resource,
                               enum swim_lock_mode mode,
                               const struct swim_lock_options *opt, swim_lock_t **out,
                               swim_error_t *err);

/* Give the lock back; lock is freed whatever is returned.  Accepts NULL.
 * SWIM_ERR_LOST: the lease had ended before, others may have been in.
 * SWIM_ERR_UNSURE: no answer; the lock ends with the session's lease. */
SWIM_API int swim_lock_release(swim_lock_t *lock, swim_error_t *err);

/* Make WRITE of an UPDATE: new readers are held off, those inside are waited for.  It
 * goes before all that wait.  The fencing number is a new one.  Only one thread may use
 * the lock meanwhile.
 *
 * Errors as of swim_lock_acquire(), and SWIM_ERR_ARG when the lock is not an UPDATE,
 * SWIM_ERR_DEADLOCK when this thread holds READ on the resource as well.  After any
 * error but SWIM_ERR_LOST the lock is the UPDATE that it was. */
SWIM_API int swim_lock_raise(swim_lock_t *lock, const struct swim_lock_options *opt,
                             swim_error_t *err);

/* Make an UPDATE again of a WRITE that was raised; readers that wait are let in.  It
 * keeps its fencing number.  SWIM_ERR_ARG: it was not raised.  SWIM_ERR_LOST and
 * SWIM_ERR_UNSURE as of swim_lock_release(); after the latter the lock may still be a
 * WRITE, and lower or release may be asked again. */
SWIM_API int swim_lock_lower(swim_lock_t *lock, swim_error_t *err);

/* SWIM_OK while the lease has at least margin_ms left by this host's clock, which
 * counts time spent suspended; else SWIM_ERR_LOST.  For so long nobody else is let in,
 * even if somebody ends the session (h5swim locks --break) meanwhile.  No network. */
SWIM_API int swim_lock_check(const swim_lock_t *lock, uint32_t margin_ms,
                             swim_error_t *err);

/* The fencing number of an UPDATE or WRITE grant: larger than that of every earlier
 * grant by the server, also when it has lost its data meanwhile: it then goes on from
 * the largest of its clock in microseconds and what those who come back have seen.
 * 0 for READ, so a write that comes after its lease is told from those of later
 * writers, but may meet readers that were let in since: keep the margin of the check.
 */
SWIM_API uint64_t swim_lock_fence(const swim_lock_t *lock);

/* The resource of a file, the same for all its names.  The file need not exist, its
 * directory must.
 *
 *     /REAL/PATH           so a file that is replaced by rename(2) keeps its queue
 *     root:/PATH           below the directory $SWIM_RESOURCE_ROOT, which may be
 *                          mounted elsewhere on each host
 *     inode:MOUNTED:INODE  a file with hard links; MOUNTED is the device or the
 *     root:inode:INODE     export, equal on all hosts that mount it
 *
 * A hard link that is made or removed changes the resource: those who hold the old one
 * are not seen by those who come.  Make links while nobody works on the file.
 * Errors: SWIM_ERR_IO, SWIM_ERR_ARG (longer than size; PATH_MAX bytes do). */
SWIM_API int swim_resource_of_file(const char *path, char *resource, size_t size,
                                   swim_error_t *err);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_LOCK_H */
