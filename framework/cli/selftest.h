/* selftest.h - what the files of "h5swim selftest" share.
 *
 * The process itself opens no session and starts no thread but that of its signals:
 * what is checked happens in children, which it tells what to do.  All resources that
 * they lock are named at random, so nobody else is disturbed. */
#ifndef SWIM_CLI_SELFTEST_H
#define SWIM_CLI_SELFTEST_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <h5swim/lock.h>

#include "lock/inspect.h"
#include "lock/redis_link.h"

#define SELFTEST_SCHEMA 1 /* of the JSON output */
#define SELFTEST_CHILDREN 16
#define SELFTEST_RESOURCES 64
#define SELFTEST_FIGURES 6
#define SELFTEST_CHECKS 14
#define SELFTEST_TEXT_MAX sizeof(((swim_error_t *)0)->text)
#define SELFTEST_SESSION_MAX 128
#define SELFTEST_LEASE_MS 10000
#define SELFTEST_PATIENCE_MS 5000 /* with what should happen at once */

/* The lock library that is tested; a test of the checks gives them a wrong one. */
struct selftest_locks {
    int (*open)(const struct swim_session_options *opt, swim_session_t **out,
                swim_error_t *err);
    void (*close)(swim_session_t *session);
    const char *(*id)(const swim_session_t *session);
    int (*acquire)(swim_session_t *session, const char *resource,
                   enum swim_lock_mode mode, const struct swim_lock_options *opt,
                   swim_lock_t **out, swim_error_t *err);
    int (*release)(swim_lock_t *lock, swim_error_t *err);
    int (*check)(const swim_lock_t *lock, uint32_t margin_ms, swim_error_t *err);
    uint64_t (*fence)(const swim_lock_t *lock);
    int (*resource_of_file)(const char *path, char *resource, size_t size,
                            swim_error_t *err);
};
extern const struct selftest_locks selftest_library;

struct selftest_child {
    pid_t pid;   /* 0: none */
    int fd;      /* a socket to it */
    bool doomed; /* killed on purpose: how it ends says nothing */
    char session[SELFTEST_SESSION_MAX]; /* its name; "": not known */
};

struct selftest {
    const struct selftest_locks *locks;
    char *url;       /* may hold a password */
    const char *dir; /* where files are made */
    char tag[32];    /* in the names of all that belongs to this run */
    struct lock_url where;
    struct redis_link *link;
    struct inspector *inspector;
    struct selftest_child children[SELFTEST_CHILDREN];
    bool strangers;             /* a child has died whose session has no name here */
    unsigned resources;         /* so many were named */
    int64_t server_us, boot_ns; /* both clocks when the run began */
};

enum selftest_result { SELFTEST_OK, SELFTEST_FAILED, SELFTEST_SKIPPED };

/* What a check has found: one line for people, figures for programs. */
struct selftest_finding {
    enum selftest_result result;
    double ms; /* how long it took */
    char text[SELFTEST_TEXT_MAX];
    struct {
        const char *name;
        double value;
    } figures[SELFTEST_FIGURES];
    size_t n_figures;
};

void finding_ok(struct selftest_finding *f, const char *fmt, ...) SWIM_PRINTF(2, 3);
void finding_failed(struct selftest_finding *f, const char *fmt, ...) SWIM_PRINTF(2, 3);
void finding_figure(struct selftest_finding *f, const char *name, double value);

struct selftest_check {
    const char *name;
    void (*run)(struct selftest *t, struct selftest_finding *f);
    bool others_need_it; /* when it fails, the rest is skipped */
};
extern const struct selftest_check selftest_checks[SELFTEST_CHECKS];

/* --- selftest.c: the run ------------------------------------------------------------
 */

/* url NULL: $SWIM_REDIS_URL, else the private server.  SWIM_ERR_ARG: the URL cannot be
 * read; SWIM_ERR_IO: no private server; SWIM_ERR_NOMEM. */
int selftest_begin(struct selftest *t, const struct selftest_locks *locks,
                   const char *url, const char *dir, swim_error_t *err);
/* Run one check, and end the processes that it started. */
void selftest_run(struct selftest *t, const struct selftest_check *check,
                  struct selftest_finding *f);
void selftest_end(struct selftest *t);

/* A new resource of this run, into buf. */
#define SELFTEST_NAME_MAX 64
const char *selftest_resource(struct selftest *t, char *buf);
/* The nth of them. */
void selftest_resource_name(const struct selftest *t, unsigned n, char *buf);

/* A signal asked to leave. */
bool selftest_interrupted(void);
/* Sleep, but not beyond that. */
void selftest_nap_ms(int64_t ms);

/* --- selftest_process.c: children ----------------------------------------------------
 */

/* Fork a child that runs main(t, fd, arg) and ends with status 0; fd is its end of the
 * socket.  NULL: it could not be. */
struct selftest_child *selftest_spawn(struct selftest *t,
                                      void (*main)(const struct selftest *t, int fd,
                                                   const void *arg),
                                      const void *arg, swim_error_t *err);
/* Receive what a child sends.  SWIM_ERR_IO: it died; SWIM_ERR_TIMEOUT;
 * SWIM_ERR_CANCELLED: interrupted. */
int selftest_receive(const struct selftest_child *c, void *buf, size_t size,
                     int64_t wait_ms, swim_error_t *err);
/* Kill one, and wait until it is dead. */
void selftest_kill(struct selftest_child *c);
/* End all: those that do not go when their socket is closed are told, then killed. What
 * the dead held is released.  False: one ended badly, and *err says how. */
bool selftest_end_children(struct selftest *t, swim_error_t *err);

/* --- selftest_player.c: children with a session that do what they are told
 * ------------ */

struct player_answer {
    int rc;
    uint64_t fence;
    int64_t at_ns;                      /* CLOCK_MONOTONIC, when the call returned */
    char session[SELFTEST_SESSION_MAX]; /* the name of one that was opened */
    char text[SELFTEST_TEXT_MAX];
};

/* Start one and open its session; NULL: the answer says why. */
struct selftest_child *player_new(struct selftest *t, uint32_t lease_ms,
                                  struct player_answer *a);
/* Have it ask for a lock (one at a time): player_hear() tells how it ended. */
void player_ask(struct selftest_child *c, enum swim_lock_mode mode,
                const char *resource, int64_t wait_ms);
/* What it answers, all of these: its status. */
int player_hear(const struct selftest_child *c, int64_t wait_ms,
                struct player_answer *a);
int player_take(struct selftest_child *c, enum swim_lock_mode mode,
                const char *resource, int64_t wait_ms, struct player_answer *a);
int player_release(struct selftest_child *c, struct player_answer *a);
int player_check(struct selftest_child *c, struct player_answer *a);
bool player_has_answered(const struct selftest_child *c);
/* Have it ask for WRITE or READ and see it queued as the nth; false: f says why. */
bool player_queue(struct selftest *t, struct selftest_child *c,
                  enum swim_lock_mode mode, const char *resource, size_t nth,
                  struct selftest_finding *f);

const char *selftest_mode(enum swim_lock_mode mode);

/* --- the checks, by subject ---------------------------------------------------------
 */

/* Whether there is any use in more checks. */
bool selftest_server_answers(struct selftest *t);

void check_server(struct selftest *t, struct selftest_finding *f);
void check_first_lock(struct selftest *t, struct selftest_finding *f);
void check_round_trip(struct selftest *t, struct selftest_finding *f);
void check_clock(struct selftest *t, struct selftest_finding *f);
void check_clean(struct selftest *t, struct selftest_finding *f);
/* Whether two clocks ran alike: one for boot_ms, the other for server_ms. */
void clock_judge(double boot_ms, double server_ms, struct selftest_finding *f);

void check_modes(struct selftest *t, struct selftest_finding *f);
void check_order(struct selftest *t, struct selftest_finding *f);
void check_fences(struct selftest *t, struct selftest_finding *f);
void check_exclusion(struct selftest *t, struct selftest_finding *f);

void check_killed(struct selftest *t, struct selftest_finding *f);
void check_told(struct selftest *t, struct selftest_finding *f);
void check_stopped(struct selftest *t, struct selftest_finding *f);

void check_names(struct selftest *t, struct selftest_finding *f);
void check_flock(struct selftest *t, struct selftest_finding *f);

/* --- selftest_report.c --------------------------------------------------------------
 */

void report_line(const struct selftest_check *check, const struct selftest_finding *f);
/* The verdict; findings of all checks. */
void report_verdict(const struct selftest_finding *findings, double seconds);
/* On stderr: what has failed first. */
void report_failure(const struct selftest_finding *findings);
/* -1: it could not be written. */
int report_json(const struct selftest *t, const struct selftest_finding *findings,
                double seconds);

#endif /* SWIM_CLI_SELFTEST_H */
