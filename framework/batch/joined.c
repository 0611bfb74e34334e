/* joined.c - ranks that join a job that runs, and leave it. */
#include "batch/joined.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_AFTER_NS 500000000LL /* of silence, whether the process lives */

static uint32_t rank_of(const struct coordinator *c, const struct joined *place)
{
    return c->n_ranks + (uint32_t)(place - c->joined);
}

static struct joined *place_find(const struct coordinator *c, const char *session)
{
    for (uint32_t i = 0; i < c->n_joined; i++)
        if (strcmp(c->joined[i].session, session) == 0)
            return &c->joined[i];
    return NULL;
}

/* A new one; those who have left keep theirs, for the answer that may be asked for
 * again, as long as there are others.  NULL: there is none. */
static struct joined *place_take(struct coordinator *c,
                                 const struct joined_report *report)
{
    struct joined *place = NULL;

    for (uint32_t i = 0; i < c->n_joined && !place; i++)
        if (!c->joined[i].session[0])
            place = &c->joined[i];
    if (!place && c->n_joined < JOINED_MOST)
        place = &c->joined[c->n_joined];
    for (uint32_t i = 0; i < c->n_joined && !place; i++)
        if (c->joined[i].left)
            place = &c->joined[i];
    if (!place)
        return NULL;
    memset(place, 0, sizeof(*place));
    snprintf(place->session, sizeof(place->session), "%s", report->session);
    snprintf(place->boot, sizeof(place->boot), "%s", report->boot);
    place->lease_ms = report->lease_ms;
    if (place == &c->joined[c->n_joined])
        c->n_joined++;
    return place;
}

/* What it has not reported as committed comes again.  why "": it wanted to go. */
static void rank_over(struct coordinator *c, struct coordinator_rank *ranks,
                      struct joined *place, int64_t now_ns, const char *why)
{
    uint32_t rank = rank_of(c, place);

    if (why[0] && place->counted)
        coordinator_note_loss(c, ranks, rank, now_ns, why);
    coordinator_gone(c, ranks, rank);
    place->left = true;
}

/* --- reports ------------------------------------------------------------------------
 */

static enum joined_said refuse(struct coordinator *c, struct coordinator_rank *ranks,
                               struct joined *place, struct joined_answer *answer,
                               const char *why)
{
    if (place) {
        rank_over(c, ranks, place, place->heard_ns, why);
        place->session[0] = '\0';
    }
    snprintf(answer->text, sizeof(answer->text), "%s", why);
    return JOINED_REFUSED;
}

static void count_in(struct coordinator *c, struct joined *place,
                     const struct rank_report *report)
{
    if (!report->ready || place->counted)
        return;
    place->counted = true;
    c->joined_sums.ranks++;
    c->joined_sums.readers += report->n_readers;
}

/* Its own error or signal is not the job's: it leaves. */
static void handle(struct coordinator *c, struct coordinator_rank *ranks,
                   struct joined *place, const struct rank_report *told,
                   struct joined_answer *answer)
{
    struct rank_report report = *told;
    bool leaves = told->leaving || told->error.code != SWIM_OK || told->signo;

    report.rank = rank_of(c, place);
    report.signo = 0;
    swim_error_clear(&report.error);
    if (leaves)
        report.want = 0;
    if (!c->has_digest)
        report.ready = 0; /* rank 0's is the first */
    count_in(c, place, &report);
    coordinator_handle(c, ranks, &report, &answer->orders);
    answer->orders.look = 0; /* which only rank 0 can */
    if (leaves && !answer->orders.stop &&
        answer->orders.phase != COORDINATOR_FINISHED) {
        answer->orders.stop = 1;
        answer->orders.signo = told->signo;
        answer->orders.code = told->error.code;
    }
    if (told->leaving) {
        if (told->error.code != SWIM_OK)
            snprintf(answer->text, sizeof(answer->text),
                     "rank %" PRIu32 " has left: %s", report.rank, told->error.text);
        rank_over(c, ranks, place, place->heard_ns, told->error.text);
    }
}

/* It reports no more than what it was given. */
static bool report_fits(const struct coordinator *c,
                        const struct coordinator_rank *rank,
                        const struct rank_report *report)
{
    const struct block_failure *f = &report->failure;
    bool failed = report->n_failed > rank->report.n_failed;
    uint64_t done = report->done - rank->report.done;

    if (report->done < rank->report.done || done > rank->outstanding)
        return false;
    return !failed || (rank->outstanding - done > 0 && f->phase < c->n_phases &&
                       f->block < c->blocks[f->phase]);
}

enum joined_said joined_handle(struct coordinator *c, struct coordinator_rank *ranks,
                               const struct joined_report *report, int64_t now_ns,
                               struct joined_answer *answer)
{
    struct joined *place = c->joined ? place_find(c, report->session) : NULL;

    memset(answer, 0, sizeof(*answer));
    answer->rank = c->n_ranks; /* never 0, which is that of no one who joins */
    if (!place && report->seq != 1)
        return refuse(c, ranks, NULL, answer,
                      "the job has taken this rank for gone, as it was silent for too "
                      "long, and goes on without it");
    if (!place)
        place = c->joined ? place_take(c, report) : NULL;
    if (!place)
        return refuse(c, ranks, NULL, answer, "as many ranks as can be have joined it");
    answer->rank = rank_of(c, place);
    place->heard_ns = now_ns;
    if (report->seq == place->answered) {
        answer->orders = place->orders;
        return JOINED_TOLD;
    }
    if (report->seq < place->answered || place->left)
        return JOINED_LATE;
    if (report->seq == place->begun || /* rank 0 has died meanwhile */
        !report_fits(c, &ranks[rank_of(c, place)], &report->report))
        return refuse(c, ranks, place, answer,
                      "the job has lost track of what this rank does");
    if (report->report.ready && c->has_digest && report->report.digest != c->digest) {
        refuse(c, ranks, place, answer, "it is another job than the one here");
        return JOINED_DIFFERS;
    }
    place->begun = report->seq;
    handle(c, ranks, place, &report->report, answer);
    place->orders = answer->orders;
    place->answered = report->seq;
    return JOINED_TOLD;
}

/* --- those that are not heard of ----------------------------------------------------
 */

uint32_t joined_look(struct coordinator *c, struct coordinator_rank *ranks,
                     joined_dead_fn dead, const void *arg, int64_t now_ns,
                     swim_error_t *why)
{
    for (uint32_t i = 0; i < c->n_joined; i++) {
        struct joined *place = &c->joined[i];
        const struct rank_report *r = &ranks[rank_of(c, place)].report;
        int64_t silent_ns = now_ns - place->heard_ns;
        if (!place->session[0] || place->left || silent_ns < LOOK_AFTER_NS)
            continue;
        if (dead(arg, place->boot, r->pid, r->started))
            swim_error_set(why, SWIM_ERR_IO, "its process %" PRId64 " has died",
                           r->pid);
        else if (silent_ns > place->lease_ms * 1000000LL)
            swim_error_set(why, SWIM_ERR_LOST, "it was silent for %.1f s",
                           (double)silent_ns / 1e9);
        else
            continue;
        rank_over(c, ranks, place, now_ns, why->text);
        place->session[0] = '\0';
        return rank_of(c, place);
    }
    return 0;
}

uint32_t joined_remain(const struct coordinator *c, int64_t now_ns, int64_t quiet_ns)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n_joined; i++)
        n += c->joined[i].session[0] && !c->joined[i].left &&
             now_ns - c->joined[i].heard_ns < quiet_ns;
    return n;
}

struct joined_sums joined_sum_up(const struct coordinator *c,
                                 const struct coordinator_rank *ranks)
{
    struct joined_sums sums = c->joined_sums;

    for (uint32_t i = 0; i < c->n_joined; i++)
        coordinator_add_counters(&sums, &ranks[c->n_ranks + i].report);
    return sums;
}
