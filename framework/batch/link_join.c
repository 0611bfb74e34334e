/* link_join.c - the way of a rank that has joined to rank 0, by the lock server.
 *
 * One question is under way at a time.  It is asked again, under the same number, when
 * no answer comes.  Whoever holds the lock of the job's output is rank 0: it is looked
 * for again when it is silent, as it may have died and been started anew.
 *
 * States: asking and answered in turns, until it is over: by orders to leave, or
 * because this rank wants to.  From then on it hears nothing more, and the orders are
 * known here; its last report is told, for rank 0 to wait no longer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/job_lock.h"
#include "batch/join_letter.h"
#include "batch/link.h"
#include "core/clock.h"
#include "core/signals.h"
#include "lock/inspect.h"
#include "lock/lease.h"
#include "lock/notice.h"
#include "lock/process.h"

#define NS_PER_MS 1000000LL
#define AGAIN_NS (1000 * NS_PER_MS)  /* a question that got no answer */
#define SILENT_NS (2000 * NS_PER_MS) /* then it is looked who rank 0 is, so often */
#define BEAT_NS (250 * NS_PER_MS)    /* a report when there is nothing to say */
#define CALM_NS (20 * NS_PER_MS)     /* between those that are not urgent, and */
#define CALMER_MOST 3                /* doubled so often while there are no blocks */
#define ANSWER_MS 60000              /* the first one, if not told otherwise */
#define NAP_NS (2 * NS_PER_MS)
#define OPEN_NS (200 * NS_PER_MS) /* between tries to listen */

struct join_link {
    struct link link;
    swim_session_t *session;
    struct lock_notice *box;
    const char *url;
    const char *file; /* the output by which the job is found, and its lock */
    char resource[JOB_LOCK_NAME_SIZE];
    char to[JOINED_SESSION_SIZE]; /* the session of rank 0 */
    struct join_letter mine;      /* the last question */
    bool asked;                   /* it is under way */
    uint32_t in_vain;             /* answers without blocks, since one that had some */
    int64_t since_ns;             /* when it was asked first, and */
    int64_t sent_ns;              /* last */
    int64_t answered_ns, looked_ns, opened_ns;
    bool over, said_left;
    struct rank_orders last;
    swim_error_t refused;
};

/* --- who rank 0 is ------------------------------------------------------------------
 */

/* "" in id: nobody. */
static int find_job(struct join_link *j, char id[JOINED_SESSION_SIZE],
                    swim_error_t *err)
{
    const char *names[] = {j->resource};
    struct inspector *inspector = NULL;
    struct inspection *seen = NULL;

    id[0] = '\0';
    int rc = inspect_open(j->url, &inspector, err);
    if (rc == SWIM_OK && inspector)
        rc = inspect_look(inspector, names, 1, &seen, err);
    if (rc == SWIM_OK && seen && seen->n_resources && seen->resources[0].n_held) {
        const struct inspect_session *s = seen->resources[0].tickets[0].session;
        if (!s->dead && !s->broken)
            snprintf(id, JOINED_SESSION_SIZE, "%s", s->id);
    }
    inspection_free(seen);
    inspect_close(inspector);
    return rc;
}

static int find_first(struct join_link *j, swim_error_t *err)
{
    int rc = find_job(j, j->to, err);

    if (rc == SWIM_OK && !j->to[0])
        return swim_error_set(err, SWIM_ERR_ARG,
                              "no job is at the output %s: start it with h5swim run "
                              "without --join",
                              j->file);
    return rc;
}

/* --- letters ------------------------------------------------------------------------
 */

/* A letter that is lost is sent again. */
static void send_mine(struct join_link *j)
{
    char text[JOIN_LETTER_SIZE], box[JOIN_BOX_SIZE];

    join_letter_write(&j->mine, text);
    join_letter_box(j->to, box);
    (void)lock_notice_send(j->session, box, text, NULL);
    j->sent_ns = swim_clock_mono_ns();
}

static void ask(struct join_link *j, const struct rank_report *report)
{
    j->mine.report = *report;
    j->mine.report.rank = j->link.rank;
    j->mine.rank = j->link.rank;
    j->mine.seq++;
    send_mine(j);
    j->since_ns = j->sent_ns;
    j->asked = true;
}

static bool orders_end(const struct rank_orders *orders)
{
    return orders->stop || orders->phase == COORDINATOR_FINISHED;
}

static void take_answer(struct join_link *j, const struct join_letter *letter,
                        struct rank_orders *orders, bool *answered)
{
    if (!j->asked || letter->seq != j->mine.seq)
        return; /* of a question that was answered before */
    j->asked = false;
    j->answered_ns = swim_clock_mono_ns();
    bool first = j->mine.seq == 1;
    bool ends = first && letter->rank == 0; /* it has got no number */
    if (letter->kind != JOIN_ORDERS || ends) {
        bool lost = !first && letter->kind == JOIN_REFUSED;
        swim_error_set(&j->refused, lost ? SWIM_ERR_LOST : SWIM_ERR_ARG,
                       "join the job at the output %s: %s", j->file,
                       ends ? "it is about to end" : letter->text);
        return;
    }
    if (first)
        j->link.rank = letter->rank;
    *orders = letter->orders;
    *answered = true;
    if (orders->count)
        j->in_vain = 0;
    else if (j->in_vain <= CALMER_MOST)
        j->in_vain++;
}

static int take_letter(struct join_link *j, const char *text,
                       struct rank_orders *orders, bool *answered)
{
    struct join_letter letter;
    swim_error_t err = {0};
    int rc = join_letter_read(text, &letter, &err);

    if (rc == SWIM_ERR_ABI) /* or that one's answer to ours */
        return swim_error_set(&j->refused, SWIM_ERR_ARG,
                              "join the job at the output %s: %s", j->file, err.text);
    if (rc != SWIM_OK)
        return SWIM_OK;
    if (letter.kind == JOIN_OVER && letter.rank == j->link.rank) {
        j->over = true;
        j->last = letter.orders;
    } else if (letter.kind == JOIN_ORDERS || letter.kind == JOIN_REFUSED ||
               letter.kind == JOIN_DIFFERS) {
        take_answer(j, &letter, orders, answered);
    }
    return SWIM_OK;
}

static int hear(struct join_link *j, struct rank_orders *orders, bool *answered,
                swim_error_t *err)
{
    char text[JOIN_LETTER_SIZE], box[JOIN_BOX_SIZE];
    int64_t now = swim_clock_mono_ns();
    int rc = SWIM_OK;

    join_letter_box(swim_session_id(j->session), box);
    if (!j->box && now - j->opened_ns < OPEN_NS)
        return SWIM_OK;
    if (!j->box) {
        j->opened_ns = now;
        rc = lock_notice_open(j->session, box, &j->box, err);
    }
    while (rc == SWIM_OK && !*answered && !j->over && !j->refused.code) {
        rc = lock_notice_wait(j->box, 0, NULL, text, sizeof(text), NULL);
        if (rc == SWIM_OK)
            rc = take_letter(j, text, orders, answered);
    }
    if (rc == SWIM_ERR_LOST)
        return swim_error_set(err, rc,
                              "this rank was stopped, or the lock server away, for "
                              "longer than its lease: the job at the output %s goes on "
                              "without it, or has ended with its lock server",
                              j->file);
    if (rc == SWIM_ERR_IO && j->box) { /* what was under way is asked again */
        lock_notice_close(j->box);
        j->box = NULL;
    }
    return SWIM_OK;
}

/* --- questions ----------------------------------------------------------------------
 */

/* No answer yet. */
static int be_patient(struct join_link *j, swim_error_t *err)
{
    char id[JOINED_SESSION_SIZE];
    int64_t now = swim_clock_mono_ns();

    bool look = now - j->since_ns > SILENT_NS && now - j->looked_ns > SILENT_NS;
    if (look)
        j->looked_ns = now; /* also when the server is away */
    if (look && find_job(j, id, NULL) == SWIM_OK) {
        if (!id[0] && now - j->since_ns > lock_lease_ms(j->session) * NS_PER_MS)
            return swim_error_set(err, SWIM_ERR_IO,
                                  "the job at the output %s is gone: it has ended, or "
                                  "its rank 0 has died",
                                  j->file);
        if (id[0])
            snprintf(j->to, sizeof(j->to), "%s", id);
    }
    if (now - j->sent_ns > AGAIN_NS)
        send_mine(j);
    return SWIM_OK;
}

static bool report_is_due(const struct join_link *j, const struct rank_report *report)
{
    const struct rank_report *told = &j->mine.report;
    int64_t quiet_ns = swim_clock_mono_ns() - j->answered_ns;

    if (report->n_states != told->n_states || report->ready != told->ready ||
        (report->want && j->in_vain == 0))
        return true;
    if (report->want)
        return quiet_ns > CALM_NS << (j->in_vain - 1);
    if (report->done != told->done || report->n_failed != told->n_failed)
        return quiet_ns > CALM_NS;
    return quiet_ns > BEAT_NS;
}

/* It wants to leave: nobody is asked. */
static void leave_by_itself(struct join_link *j, const struct rank_report *report)
{
    j->over = true;
    memset(&j->last, 0, sizeof(j->last));
    j->last.phase = COORDINATOR_WAITING;
    j->last.stop = 1;
    j->last.signo = report->signo;
    j->last.code = report->error.code;
}

static void answer_here(struct join_link *j, const struct rank_report *report,
                        struct rank_orders *orders)
{
    if (report->leaving && !j->said_left) {
        ask(j, report);
        j->said_left = true;
    }
    *orders = j->last;
    orders->left = report->leaving;
    orders->n_failed = report->n_failed;
    orders->count = 0;
}

static int join_exchange(struct link *link, const struct rank_report *report,
                         struct rank_orders *orders, bool *answered, swim_error_t *err)
{
    struct join_link *j = (struct join_link *)(void *)link;
    int rc = SWIM_OK;

    *answered = false;
    if (!j->over && (report->signo || report->error.code || report->leaving))
        leave_by_itself(j, report);
    if (!j->over)
        rc = hear(j, orders, answered, err);
    if (rc != SWIM_OK)
        return rc;
    if (j->refused.code)
        return swim_error_set(err, j->refused.code, "%s", j->refused.text);
    if (*answered && orders_end(orders)) {
        j->over = true;
        j->last = *orders;
    }
    if (j->over) {
        answer_here(j, report, orders);
        *answered = true;
    } else if (!*answered && j->asked) {
        rc = be_patient(j, err);
    } else if (!*answered && report_is_due(j, report)) {
        ask(j, report);
    }
    return rc;
}

/* --- opening ------------------------------------------------------------------------
 */

static void join_close(struct link *link, int wait_ms, bool meet)
{
    struct join_link *j = (struct join_link *)(void *)link;

    (void)wait_ms;
    (void)meet;
    lock_notice_close(j->box);
    swim_session_close(j->session);
    free(j);
}

static const struct link_ops join_ops = {.exchange = join_exchange,
                                         .close = join_close};

/* The first report, for the number. */
static int say_hello(struct join_link *j, int64_t wait_ms, swim_error_t *err)
{
    struct rank_report hello = {.rank = 0};
    struct rank_orders orders;
    struct process_id self;
    int64_t begin = swim_clock_mono_ns();
    bool answered = false;
    int rc = SWIM_OK;

    process_self(&self);
    snprintf(j->mine.boot, sizeof(j->mine.boot), "%s", self.boot);
    hello.pid = self.pid;
    hello.started = self.start;
    j->answered_ns = begin - BEAT_NS - 1;
    while (rc == SWIM_OK && !answered) {
        rc = join_exchange(&j->link, &hello, &orders, &answered, err);
        if (rc == SWIM_OK)
            rc = swim_signals_check("join a job", err);
        if (rc == SWIM_OK && !answered && wait_ms != SWIM_LOCK_FOREVER &&
            swim_clock_mono_ns() - begin > wait_ms * NS_PER_MS)
            rc = swim_error_set(err, SWIM_ERR_TIMEOUT,
                                "join the job at the output %s: it has not answered "
                                "in %.0f s",
                                j->file, (double)wait_ms / 1000);
        if (rc == SWIM_OK && !answered)
            swim_clock_nap_ns(NAP_NS);
    }
    return rc;
}

int link_join_open(const struct job *job, const char *url, int64_t wait_ms,
                   struct link **out, swim_error_t *err)
{
    struct join_link *j = calloc(1, sizeof(*j));
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .job = job->name, .rank = -1};

    *out = NULL;
    if (!j)
        return swim_error_set(err, SWIM_ERR_NOMEM, "join job %s", job->name);
    j->link.ops = &join_ops;
    j->link.n_ranks = 2; /* several ranks write, as far as this one knows */
    j->url = url;
    j->file = job->outputs[0].file;
    j->mine.kind = JOIN_REPORT;
    int rc = job_lock_name(j->file, j->resource, err);
    if (rc == SWIM_OK)
        rc = swim_session_open(&opt, &j->session, err);
    if (rc == SWIM_OK)
        rc = find_first(j, err);
    if (rc == SWIM_OK) {
        snprintf(j->mine.from, sizeof(j->mine.from), "%s", swim_session_id(j->session));
        j->mine.lease_ms = lock_lease_ms(j->session);
        rc = say_hello(j,
                       wait_ms == SWIM_LOCK_TRY ? 2 * AGAIN_NS / NS_PER_MS
                       : wait_ms == 0           ? ANSWER_MS
                                                : wait_ms,
                       err);
    }
    if (rc != SWIM_OK) {
        join_close(&j->link, 0, false);
        return rc;
    }
    *out = &j->link;
    return SWIM_OK;
}
