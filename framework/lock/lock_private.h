/* lock_private.h - what the files of the lock layer share. */
#ifndef SWIM_LOCK_PRIVATE_H
#define SWIM_LOCK_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <h5swim/lock.h>

#include "process.h"
#include "redis_link.h"
#include "url.h"
#include "waits.h"

#define SESSION_ID_MAX 128
#define TICKET_MAX 160
#define RESOURCE_MAX 4095 /* bytes of a name */

extern const struct lock_script script_hello, script_register, script_reclaim,
    script_acquire, script_release, script_lower, script_close, script_break,
    script_pin, script_pins, script_inspect_sessions, script_inspect_resources,
    script_inspect_process;

/* A link for one thread that waits; made when all are taken, kept for the next. */
struct waiter_link {
    struct redis_link *link;
    atomic_bool taken;
    struct waiter_link *next;
};

/* A ticket that could not be given back while the server was away. */
struct orphan {
    struct orphan *next;
    char ticket[TICKET_MAX];
    char base[TICKET_MAX]; /* what it was to raise; "": nothing */
    char resource[];
};

/* What a session has pinned (pin.h); serial and count as of the last wish. */
struct pin {
    struct pin *next;
    unsigned count; /* 0: the server may not know yet that it was cleared */
    unsigned long long serial;
    char what[]; /* "NUMBER/LINEAGE/RESOURCE" */
};
#define PIN_WHAT_MAX (RESOURCE_MAX + 128)

struct leave_plan;

/* What the server is told of a session: field, value, ... */
#define SESSION_WORDS 16
struct session_words {
    char pid[24], start[24], rank[16];
    char job[256];
    const char *words[SESSION_WORDS];
};

struct swim_session {
    char id[SESSION_ID_MAX];
    struct lock_url url;
    char *url_text;  /* as it was given: it may hold a password */
    char shown[320]; /* the URL for people */
    const struct redis_link_ops *ops;
    struct process_id self;
    uint32_t lease_ms;

    /* CLOCK_BOOTTIME, counted from when the last good renewal was sent, so it is never
     * later than the server's.  lost is for ever. */
    atomic_llong deadline_ns;
    /* Until then a write may go on that was told it had the time, so what is lost is
     * not let go before.  Written before lost is read, and read after lost is written.
     */
    atomic_llong promised_ns;
    atomic_bool lost;
    atomic_bool forked; /* this is a child's copy */

    pthread_mutex_t command_mutex;
    struct redis_link *command;          /* under command_mutex */
    struct waiter_link *_Atomic waiters; /* only grows */
    pthread_mutex_t orphan_mutex;
    struct orphan *orphans; /* under orphan_mutex */

    pthread_mutex_t held_mutex;
    struct swim_lock *held; /* under held_mutex, as are the next two */
    struct pin *pins;
    unsigned long long pin_serial;
    atomic_ullong epoch;        /* in which the server was told of the session, and */
    atomic_ullong seq;          /* how often it was told; written under held_mutex */
    atomic_ullong server_epoch; /* the server's, as last heard; 0: not heard of */
    atomic_ullong fence;        /* the largest seen */
    atomic_llong server_ms;     /* the server's clock when CLOCK_BOOTTIME was 0 */
    struct session_words who;

    pthread_t pulse_thread;
    bool pulse_runs;
    bool close_owed;          /* it was to end before it had let go */
    struct redis_link *pulse; /* of pulse_thread */
    int stop_fd;              /* eventfd: readable when the thread shall end */

    struct leave_plan *leave;
    atomic_ullong tickets, acquired, waited, wait_ns;
    struct swim_session *next; /* list of all, for fork */
};

struct swim_lock {
    swim_session_t *session;
    enum swim_lock_mode mode;
    uint64_t fence;
    int64_t since_ms; /* by the server's clock, for people */
    pid_t owner;      /* the thread that took it */
    bool unsure;      /* a request for the ticket may still be on its way */
    bool is_held;     /* in the session's list; what follows is under held_mutex */
    unsigned count;   /* how often it was taken */
    struct swim_lock *next;
    char ticket[TICKET_MAX];
    char raised[TICKET_MAX]; /* the ticket of the WRITE it was raised to; "": it is not
                              */
    bool lowering;           /* the server may have lowered it already */
    char stray[TICKET_MAX];  /* the ticket of a raise that was given up, of which the
                                server may not know; "": there is none.  Not under
                                held_mutex */
    char resource[];
};

/* swim_session_open() with bytes that travel by ops. */
int session_open(const struct swim_session_options *opt,
                 const struct redis_link_ops *ops, swim_session_t **out,
                 swim_error_t *err);

/* A question sent at sent_ns was answered: the lease runs from then.  False: the one
 * before had ended by now, so the locks may have been others' in between, which a
 * server that then lost its data cannot tell; the session is lost. */
bool session_extend(swim_session_t *session, int64_t sent_ns);

/* Ask a script over the command link, again after a broken link, until until_ns
 * (CLOCK_MONOTONIC); one attempt is always made.  *unsure is set when an attempt got
 * no answer, and never cleared. */
int session_ask(swim_session_t *session, const struct lock_script *script, int argc,
                const char *const *argv, int64_t until_ns, struct redis_answer **answer,
                bool *unsure, swim_error_t *err);

/* One attempt of it; *refused: asking again is of no use.  SWIM_ERR_CANCELLED: the
 * session is being closed. */
int session_ask_once(swim_session_t *session, const struct lock_script *script,
                     int argc, const char *const *argv, struct redis_answer **answer,
                     bool *refused, swim_error_t *err);

/* A plain command over the command link, once.  SWIM_ERR_UNSURE: no answer. */
int session_say(swim_session_t *session, int argc, const char *const *argv,
                struct redis_answer **answer, swim_error_t *err);

/* SWIM_ERR_ARG in a forked child, SWIM_ERR_LOST when less than margin_ms of the lease
 * is left; a lease that has run out is lost for ever. */
int session_check(swim_session_t *session, uint32_t margin_ms, const char *what,
                  swim_error_t *err);

/* The same; before it SWIM_ERR_ARG for no session, or a resource that has no name or
 * too long a one.  about: what is asked for of it. */
int session_check_resource(swim_session_t *session, const char *about,
                           const char *resource, swim_error_t *err);

/* The server does not know the session, as of the asking that read seq before: tell it
 * anew when it has begun another epoch; again after a broken link, until until_ns
 * (CLOCK_MONOTONIC), but once at least.  SWIM_ERR_LOST: the session has ended. */
int session_revive(swim_session_t *session, uint64_t seq, int64_t until_ns,
                   const char *what, swim_error_t *err);

/* Remember a fencing number; the largest is told to a server that lost its own. */
void session_saw_fence(swim_session_t *session, uint64_t fence);

/* The server's clock, ms, as far as this process knows. */
int64_t session_server_ms(const swim_session_t *session);

/* Note the clock that an answer to a question sent at sent_ns (BOOTTIME) tells. */
void session_note_clock(swim_session_t *session, const struct redis_answer *now_ms);

/* The list of what a session holds.  held_add and held_raise: false when the server was
 * told anew since seq was read, and nothing is entered. */
bool held_add(struct swim_lock *lock, uint64_t seq);
bool held_raise(struct swim_lock *lock, const char *ticket, uint64_t fence,
                uint64_t seq);
void held_lowering(struct swim_lock *lock);
void held_lower(struct swim_lock *lock);
void held_remove(struct swim_lock *lock);
/* Count down; true: that was the last time. */
bool held_release_one(struct swim_lock *lock);
/* This thread's lock of that mode, counted once more, or NULL; *other: one of another
 * mode. */
struct swim_lock *held_find(swim_session_t *session, const char *resource,
                            enum swim_lock_mode mode, struct swim_lock **other);
/* Whether this thread holds READ. */
bool held_reads(swim_session_t *session, const char *resource);

/* A pin of which the server may not know that it was cleared: false, there is none. And
 * the server knows it now. */
bool pin_owed(swim_session_t *session, char *what, size_t size,
              unsigned long long *serial);
void pin_paid(swim_session_t *session, const char *what, unsigned long long serial);

/* A ticket being asked for: by acquire, or by raise. */
struct attempt {
    struct swim_lock *lock;
    const char *ticket;
    const char *base; /* the ticket that is raised; NULL: none */
    struct swim_lock_options opt;
    int64_t begin_ns, until_ns; /* CLOCK_MONOTONIC */
    int64_t progress_ns;        /* when to tell who is in the way next */
    uint64_t seq;               /* when it was last asked for */
    uint64_t fence;
    int64_t grace_ms; /* nothing new is granted for so long */
    struct blocker_list *blockers;
    struct lock_holder holder; /* the last one that was seen in the way */
    bool try_only, unsure;
};

/* Ask and wait until it is granted and entered as held (as raised, with base).  After
 * a failure nothing of it is left at the server, or will be. */
int attempt_run(struct attempt *attempt, swim_error_t *err);

/* The descriptor to poll; -1 for NULL. */
int cancel_fd(const swim_cancel_t *cancel);
int cancel_check(const swim_cancel_t *cancel, const char *what, swim_error_t *err);

/* Borrow a link for waiting; NULL: no memory. */
struct waiter_link *session_waiter_take(swim_session_t *session);
void session_waiter_give(struct waiter_link *waiter);

/* Have the pulse thread give a ticket back as soon as the server answers again; base:
 * lower it to that; NULL: release it. */
void session_orphan(swim_session_t *session, const char *ticket, const char *resource,
                    const char *base);

/* The pulse thread: renews the lease every third of it. */
int pulse_start(swim_session_t *session, swim_error_t *err);
void pulse_stop(swim_session_t *session);

/* Refuse a server that may lose locks or cannot run the scripts. */
int server_check(swim_session_t *session, struct redis_link *link,
                 const struct redis_wait *wait, swim_error_t *err);

/* The value of "name:value" in the text that INFO gives, up to the end of its line; "":
 * it is not there. */
const char *server_info_value(const char *info, const char *name, char *buf,
                              size_t size);

/* The list of sessions that fork must know. */
void fork_guard_add(swim_session_t *session);
void fork_guard_remove(swim_session_t *session);

/* Close the session at the server from the child that outlives the process. */
struct leave_plan *leave_arm(const swim_session_t *session, int fd);
/* The server is at the other end of this socket now, by the URL's path if it is a local
 * one.  One thread at a time. */
bool leave_move(struct leave_plan *plan, const struct lock_url *url, int fd);
void leave_disarm(struct leave_plan *plan, bool forked);

/* Who is in the way of a ticket. */
#define BLOCKERS_MAX                                                 \
    (REDIS_WAIT_FDS - 2) /* a signal and a cancel are waited for too \
                          */
struct blocker_list {
    int fds[BLOCKERS_MAX]; /* pidfds of those on this host */
    int fds_count;
    int reaped;       /* dead sessions that were ended just now */
    int64_t lease_ms; /* until the first of their leases ends; -1: not known */
    char text[256];   /* for people: "WRITE held by node1:4711 (ann) for 3.0 s" */
    struct lock_holder first; /* of them */
};
void blockers_read(swim_session_t *session, const struct redis_answer *answer,
                   struct blocker_list *list);
void blockers_drop(struct blocker_list *list);

/* The wait of an attempt is over, well or not: who wants to know is told. */
void waits_over(const struct attempt *attempt, bool had);

#endif /* SWIM_LOCK_PRIVATE_H */
