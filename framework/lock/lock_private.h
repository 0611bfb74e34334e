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

#define SESSION_ID_MAX 128
#define TICKET_MAX 160

extern const struct lock_script script_register, script_renew, script_acquire,
    script_release, script_close;

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
    char resource[];
};

struct leave_plan;

struct swim_session {
    char id[SESSION_ID_MAX];
    struct lock_url url;
    char shown[320]; /* the URL for people */
    const struct redis_link_ops *ops;
    struct process_id self;
    uint32_t lease_ms;

    /* CLOCK_BOOTTIME, counted from when the last good renewal was sent, so it is never
     * later than the server's.  lost is for ever. */
    atomic_llong deadline_ns;
    atomic_bool lost;
    atomic_bool forked; /* this is a child's copy */

    pthread_mutex_t command_mutex;
    struct redis_link *command;          /* under command_mutex */
    struct waiter_link *_Atomic waiters; /* only grows */
    pthread_mutex_t orphan_mutex;
    struct orphan *orphans; /* under orphan_mutex */

    pthread_t pulse_thread;
    bool pulse_runs;
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
    bool unsure; /* a request for the ticket may still be on its way */
    char ticket[TICKET_MAX];
    char resource[];
};

/* swim_session_open() with bytes that travel by ops. */
int session_open(const struct swim_session_options *opt,
                 const struct redis_link_ops *ops, swim_session_t **out,
                 swim_error_t *err);

/* Ask a script over the command link, again after a broken link, until until_ns
 * (CLOCK_MONOTONIC); one attempt is always made.  *unsure is set when an attempt got
 * no answer, and never cleared. */
int session_ask(swim_session_t *session, const struct lock_script *script, int argc,
                const char *const *argv, int64_t until_ns, struct redis_answer **answer,
                bool *unsure, swim_error_t *err);

/* SWIM_ERR_ARG in a forked child, SWIM_ERR_LOST when less than margin_ms of the lease
 * is left; a lease that has run out is lost for ever. */
int session_check(swim_session_t *session, uint32_t margin_ms, const char *what,
                  swim_error_t *err);

/* Borrow a link for waiting; NULL: no memory. */
struct waiter_link *session_waiter_take(swim_session_t *session);
void session_waiter_give(struct waiter_link *waiter);

/* Have the pulse thread give a ticket back as soon as the server answers again. */
void session_orphan(swim_session_t *session, const char *ticket, const char *resource);

/* The pulse thread: renews the lease every third of it. */
int pulse_start(swim_session_t *session, swim_error_t *err);
void pulse_stop(swim_session_t *session);

/* Refuse a server that may lose locks or cannot run the scripts. */
int server_check(swim_session_t *session, struct redis_link *link, swim_error_t *err);

/* The list of sessions that fork must know. */
void fork_guard_add(swim_session_t *session);
void fork_guard_remove(swim_session_t *session);

/* Close the session at the server from the child that outlives the process. */
struct leave_plan *leave_arm(const swim_session_t *session, int fd);
void leave_disarm(struct leave_plan *plan, bool forked);

/* Who is in the way of a ticket. */
struct blocker_list {
    int fds[REDIS_WAIT_FDS - 1]; /* pidfds of those on this host */
    int fds_count;
    int reaped;       /* dead sessions that were ended just now */
    int64_t lease_ms; /* until the first of their leases ends; -1: not known */
    char text[256];   /* for people: "held by WRITE node1:4711 for 3 s" */
};
void blockers_read(swim_session_t *session, const struct redis_answer *answer,
                   struct blocker_list *list);
void blockers_drop(struct blocker_list *list);

#endif /* SWIM_LOCK_PRIVATE_H */
