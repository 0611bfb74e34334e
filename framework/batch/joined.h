/* joined.h - ranks that join a job that runs, and leave it: what rank 0 knows of them.
 *
 * Bookkeeping beside the coordinator's, without communication.  A joined rank is known
 * by the session of its main process, and has a place among the ranks, after those that
 * the job began with.  It asks, numbers what it asks, and asks again when no answer
 * comes; the last answer is kept, so that what is asked twice is handed out once.
 *
 * The job does not depend on it: an error in it or a signal to it makes it leave, and
 * what it had not reported comes again, as when it is gone.  Whoever was taken for gone
 * and asks again is refused: others have its blocks.  (Should it still commit some,
 * they are written twice, with the same bits.)
 *
 * Invariants: (1) a place that is free, or whose rank has left, has nothing
 * outstanding; (2) a rank with another digest than the job's is given no block. */
#ifndef SWIM_BATCH_JOINED_H
#define SWIM_BATCH_JOINED_H

#include <stdbool.h>
#include <stdint.h>

#include "batch/coordinator.h"

#define JOINED_MOST 256 /* at a time */
#define JOINED_SESSION_SIZE 160
#define JOINED_BOOT_SIZE 64
#define JOINED_TEXT_SIZE 700

/* A report of one, and of whom. */
struct joined_report {
    const char *session;
    const char *boot;  /* as in struct process_id */
    uint32_t lease_ms; /* silent for longer: gone */
    uint64_t seq;      /* from 1; the same again: the same report */
    struct rank_report report;
};

struct joined {
    char session[JOINED_SESSION_SIZE]; /* "": free */
    char boot[JOINED_BOOT_SIZE];
    uint32_t lease_ms;
    bool left;
    bool counted;      /* it has been ready */
    int64_t heard_ns;  /* CLOCK_MONOTONIC */
    uint64_t begun;    /* the report that was handled last, and */
    uint64_t answered; /* that which orders answers */
    struct rank_orders orders;
};

enum joined_said {
    JOINED_TOLD,    /* orders are the answer */
    JOINED_REFUSED, /* it cannot take part, or not any more: text says why */
    JOINED_DIFFERS, /* the same, as what it is to do is not what the job does */
    JOINED_LATE,    /* nothing is to be said: a later report has been answered */
};

/* What came of a report. */
struct joined_answer {
    uint32_t rank; /* its number */
    struct rank_orders orders;
    char text[JOINED_TEXT_SIZE]; /* refused, or that it has left and why; "": nothing to
                                    say */
};

enum joined_said joined_handle(struct coordinator *c, struct coordinator_rank *ranks,
                               const struct joined_report *report, int64_t now_ns,
                               struct joined_answer *answer);

/* One who is gone, as it was silent for longer than its lease or its process has died
 * on this host (dead says so of boot, pid, started, for those silent for a moment), and
 * whose blocks come again; its number, 0: none. */
typedef bool (*joined_dead_fn)(const void *arg, const char *boot, int64_t pid,
                               int64_t started);
uint32_t joined_look(struct coordinator *c, struct coordinator_rank *ranks,
                     joined_dead_fn dead, const void *arg, int64_t now_ns,
                     swim_error_t *why);

/* Those that have not left and were heard of less than quiet_ns ago. */
uint32_t joined_remain(const struct coordinator *c, int64_t now_ns, int64_t quiet_ns);

/* What all of them have come to: those that have gone and those that have not. */
struct joined_sums joined_sum_up(const struct coordinator *c,
                                 const struct coordinator_rank *ranks);

#endif /* SWIM_BATCH_JOINED_H */
