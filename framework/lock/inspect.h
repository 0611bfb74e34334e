/* inspect.h - who holds and who waits, as the lock server sees it; ending a session.
 *
 * It looks from outside: no session is registered, nothing is renewed, and looking
 * changes nothing.  The questions are pages of bounded size, so that no lock waits long
 * for a look at very many.  Each resource is shown as it was at one instant, not all at
 * the same one.
 *
 * Threads: one inspector belongs to one thread at a time.
 * Fork:    a child must not use its parent's. */
#ifndef SWIM_LOCK_INSPECT_H
#define SWIM_LOCK_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>
#include <h5swim/lock.h>

struct inspector;

/* Connect to the server of url; NULL: of $SWIM_REDIS_URL, else the private one, which
 * is not started.  *out stays NULL with SWIM_OK when that does not run. Errors:
 * SWIM_ERR_ARG (the URL), SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int inspect_open(const char *url, struct inspector **out, swim_error_t *err);
/* Accepts NULL. */
void inspect_close(struct inspector *inspector);

/* The server, for people: without password. */
const char *inspect_server(const struct inspector *inspector);

struct inspect_session {
    char *key;                      /* as the server names it */
    char *id;                       /* as swim_session_id() */
    char *host, *boot, *user, *job; /* "": not known */
    int64_t pid, start;             /* 0: not known */
    int32_t rank;                   /* -1: none */
    int64_t age_ms;                 /* since it was opened; -1: not known */
    int64_t lease_ms;               /* -1: not known */
    int64_t left_ms;                /* of the lease; -1: it is over */
    uint64_t tickets;               /* held and queued */
    uint64_t shown;                 /* those of them that are on the resources shown */
    bool broken;                    /* somebody has ended it: it gets nothing more */
    bool dead;                      /* its process was of this host, and is gone */
};

struct inspect_ticket {
    const struct inspect_session *session;
    enum swim_lock_mode mode;
    bool raised;    /* WRITE on an UPDATE that is held */
    bool preferred; /* SWIM_PREFER_WRITER */
    uint64_t fence; /* 0: READ, or waiting */
    int64_t for_ms; /* held or waiting for so long */
};

struct inspect_resource {
    char *name;
    struct inspect_ticket
        *tickets; /* those that hold it, then the queue in its order */
    size_t n_held, n_waiting;
};

struct inspection {
    int64_t time_ms;                    /* by the server's clock */
    int64_t grace_ms;                   /* nothing new is granted for so long */
    struct inspect_resource *resources; /* by name; none that nobody holds or wants */
    size_t n_resources;
    struct inspect_session **sessions; /* by id; without names: all there are */
    size_t n_sessions;
};

/* Look at these resources, or with n_names 0 at all.  *out is the caller's, to be given
 * to inspection_free(). */
int inspect_look(struct inspector *inspector, const char *const *names, size_t n_names,
                 struct inspection **out, swim_error_t *err);
/* The same at the resources of one session; it is not in out->sessions when the server
 * does not know it. */
int inspect_look_at_session(struct inspector *inspector, const char *id,
                            struct inspection **out, swim_error_t *err);
/* Accepts NULL. */
void inspection_free(struct inspection *inspection);

/* What the server tells of itself; -1, "": it does not. */
struct inspect_facts {
    char version[32];
    int64_t up_s, clients;
    int64_t memory_bytes, memory_limit_bytes; /* limit 0: none */
    int64_t append_only; /* 1: each change goes to its log; 0: no */
    int64_t saved_s;  /* when it last saved all, or was started; seconds since 1970 */
    int64_t saves_ok; /* 0: the last save, or the last write to its log, has failed */
};

int inspect_facts(struct inspector *inspector, struct inspect_facts *out,
                  swim_error_t *err);

enum inspect_break_result {
    INSPECT_ENDED,  /* it is gone, and what it held has gone on */
    INSPECT_FENCED, /* it gets nothing more; what it held goes on when it has heard of
                       that, or is known dead, or its lease is over */
    INSPECT_UNKNOWN,
};

/* End a session.  Its process is told, and has up to wait_ms to say that it has heard:
 * from then on it knows its locks as lost.  Until that, or its death, or the end of the
 * lease that it may believe in, nobody else is given what it holds: *left_ms at most.
 * What it waits for it gives up at once.  To break it again is to ask how it stands.
 * SWIM_ERR_UNSURE: asked, no answer. */
int inspect_break(struct inspector *inspector, const char *id, int64_t wait_ms,
                  enum inspect_break_result *result, int64_t *left_ms,
                  swim_error_t *err);

#endif /* SWIM_LOCK_INSPECT_H */
