/* join_serve.c - rank 0's end of the way to ranks that have joined. */
#include "batch/join_serve.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/join_letter.h"
#include "core/clock.h"
#include "core/signals.h"
#include "lock/lease.h"
#include "lock/notice.h"
#include "lock/process.h"

#define LISTEN_MS 1000 /* the thread looks at the rest of the world so often */
#define AWAY_NS 200000000LL
#define LOOK_NS 500000000LL
#define QUIET_NS 1000000000LL /* who says nothing for so long is not waited for */
#define QUEUE_MOST 1024

struct note {
    struct note *next;
    char to[JOINED_SESSION_SIZE]; /* of one that is sent */
    char text[];
};

struct queue {
    struct note *first, **end;
    size_t n;
};

struct join_serve {
    swim_session_t *session;
    struct process_id self;
    bool quiet;
    int64_t looked_ns;

    pthread_t thread;
    swim_cancel_t *wake;
    pthread_mutex_t mutex;
    struct queue in, out; /* under mutex, as are the next three */
    bool stop, over;
    struct rank_orders last;
    /* the thread's */
    struct lock_notice *box;
};

/* --- queues ------------------------------------------------------------------------
 */

static void queue_put(struct queue *q, struct note *note)
{
    if (!q->first)
        q->end = &q->first;
    note->next = NULL;
    *q->end = note;
    q->end = &note->next;
    q->n++;
}

static struct note *queue_take(struct queue *q)
{
    struct note *note = q->first;

    if (note) {
        q->first = note->next;
        q->n--;
    }
    return note;
}

static void queue_drop(struct queue *q)
{
    for (struct note *note; (note = queue_take(q));)
        free(note);
}

/* What does not fit is lost, as on the way: it is asked again. */
static void serve_put(struct join_serve *s, struct queue *q, const char *to,
                      const char *text)
{
    size_t len = strlen(text) + 1;
    struct note *note = malloc(sizeof(*note) + len);

    if (!note)
        return;
    snprintf(note->to, sizeof(note->to), "%s", to);
    memcpy(note->text, text, len);
    pthread_mutex_lock(&s->mutex);
    bool room = q->n < QUEUE_MOST;
    if (room)
        queue_put(q, note);
    pthread_mutex_unlock(&s->mutex);
    if (!room)
        free(note);
}

static struct note *serve_take(struct join_serve *s, struct queue *q)
{
    pthread_mutex_lock(&s->mutex);
    struct note *note = queue_take(q);
    pthread_mutex_unlock(&s->mutex);
    return note;
}

static void send_later(struct join_serve *s, const char *to, struct join_letter *letter)
{
    char text[JOIN_LETTER_SIZE];

    snprintf(letter->from, sizeof(letter->from), "%s", swim_session_id(s->session));
    snprintf(letter->boot, sizeof(letter->boot), "%s", s->self.boot);
    letter->lease_ms = lock_lease_ms(s->session);
    join_letter_write(letter, text);
    serve_put(s, &s->out, to, text);
}

/* --- the thread ---------------------------------------------------------------------
 */

static bool serve_stopped(struct join_serve *s)
{
    pthread_mutex_lock(&s->mutex);
    bool stop = s->stop;
    pthread_mutex_unlock(&s->mutex);
    return stop;
}

static void thread_send(struct join_serve *s)
{
    char box[JOIN_BOX_SIZE];

    for (struct note *note; (note = serve_take(s, &s->out));) {
        join_letter_box(note->to, box);
        (void)lock_notice_send(s->session, box, note->text, NULL);
        free(note);
    }
}

static void answer_over(struct join_serve *s, const struct join_letter *from)
{
    struct join_letter letter = {
        .kind = JOIN_ORDERS, .seq = from->seq, .rank = from->rank, .orders = s->last};

    letter.orders.left = from->report.leaving;
    send_later(s, from->from, &letter);
}

/* Rank 0 has better to do once the job is over: the outputs, which those who are told
 * nothing may still have open. */
static void thread_take(struct join_serve *s, const char *text)
{
    struct join_letter letter;

    pthread_mutex_lock(&s->mutex);
    bool over = s->over;
    pthread_mutex_unlock(&s->mutex);
    if (over && join_letter_read(text, &letter, NULL) == SWIM_OK &&
        letter.kind == JOIN_REPORT)
        answer_over(s, &letter);
    serve_put(s, &s->in, "", text);
}

static void thread_listen(struct join_serve *s)
{
    char box[JOIN_BOX_SIZE], text[JOIN_LETTER_SIZE];
    int rc = SWIM_OK;

    join_letter_box(swim_session_id(s->session), box);
    if (!s->box)
        rc = lock_notice_open(s->session, box, &s->box, NULL);
    if (rc == SWIM_OK)
        rc = lock_notice_wait(s->box, LISTEN_MS, s->wake, text, sizeof(text), NULL);
    if (rc == SWIM_OK)
        thread_take(s, text);
    else if (rc != SWIM_ERR_TIMEOUT && rc != SWIM_ERR_CANCELLED) {
        lock_notice_close(s->box);
        s->box = NULL;
        swim_clock_nap_ns(AWAY_NS);
    } else if (swim_signals_pending()) { /* it is not heard any more */
        swim_clock_nap_ns(AWAY_NS / 40);
    }
}

static void *thread_main(void *arg)
{
    struct join_serve *s = arg;

    while (!serve_stopped(s)) {
        swim_cancel_reset(s->wake);
        thread_send(s);
        if (!serve_stopped(s))
            thread_listen(s);
    }
    thread_send(s);
    lock_notice_close(s->box);
    s->box = NULL;
    return NULL;
}

int join_serve_start(swim_session_t *session, bool quiet, struct join_serve **out,
                     swim_error_t *err)
{
    struct join_serve *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (s)
        s->wake = swim_cancel_create();
    if (!s || !s->wake) {
        free(s);
        return swim_error_set(err, SWIM_ERR_NOMEM, "listen for ranks that join");
    }
    s->session = session;
    s->quiet = quiet;
    process_self(&s->self);
    pthread_mutex_init(&s->mutex, NULL);
    int rc = pthread_create(&s->thread, NULL, thread_main, s);
    if (rc != 0) {
        swim_cancel_free(s->wake);
        free(s);
        return swim_error_sys(err, rc, "start a thread for ranks that join");
    }
    *out = s;
    return SWIM_OK;
}

void join_serve_stop(struct join_serve *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_mutex_unlock(&s->mutex);
    swim_cancel_raise(s->wake);
    pthread_join(s->thread, NULL);
    queue_drop(&s->in);
    queue_drop(&s->out);
    pthread_mutex_destroy(&s->mutex);
    swim_cancel_free(s->wake);
    free(s);
}

/* --- in rank 0's loop ---------------------------------------------------------------
 */

struct ask {
    struct joined_report report;
    struct joined_answer answer;
    enum joined_said said;
    int64_t now_ns;
};

static void ask_coordinator(struct coordinator *c, struct coordinator_rank *ranks,
                            void *arg)
{
    struct ask *ask = arg;

    ask->said = joined_handle(c, ranks, &ask->report, ask->now_ns, &ask->answer);
}

static void serve_say(const struct join_serve *s, const char *text)
{
    if (!s->quiet)
        fprintf(stderr, "h5swim: %s\n", text);
}

static void answer_report(struct join_serve *s, struct link *link,
                          const struct join_letter *from)
{
    struct ask ask = {.report = {.session = from->from,
                                 .boot = from->boot,
                                 .lease_ms = from->lease_ms,
                                 .seq = from->seq,
                                 .report = from->report},
                      .now_ns = swim_clock_mono_ns()};

    link->ops->with(link, ask_coordinator, &ask);
    struct join_letter letter = {
        .seq = from->seq, .rank = ask.answer.rank, .orders = ask.answer.orders};
    letter.kind = ask.said == JOINED_TOLD      ? JOIN_ORDERS
                  : ask.said == JOINED_DIFFERS ? JOIN_DIFFERS
                                               : JOIN_REFUSED;
    if (letter.kind != JOIN_ORDERS)
        snprintf(letter.text, sizeof(letter.text), "%s", ask.answer.text);
    else if (ask.answer.text[0])
        serve_say(s, ask.answer.text);
    if (ask.said != JOINED_LATE)
        send_later(s, from->from, &letter);
}

static void take_letter(struct join_serve *s, struct link *link, const char *text)
{
    struct join_letter from, refusal = {.kind = JOIN_REFUSED};
    swim_error_t err = {0};
    int rc = join_letter_read(text, &from, &err);

    if (rc == SWIM_ERR_ABI) {
        snprintf(refusal.text, sizeof(refusal.text), "%s", err.text);
        send_later(s, from.from, &refusal);
    } else if (rc == SWIM_OK && from.kind == JOIN_REPORT) {
        answer_report(s, link, &from);
    }
}

static bool is_dead(const void *self, const char *boot, int64_t pid, int64_t started)
{
    int fd = -1;
    enum process_state state = process_watch(self, boot, pid, started, &fd);

    if (fd >= 0)
        close(fd);
    return state == PROCESS_DEAD;
}

struct gone {
    const struct process_id *self;
    uint32_t rank;
    swim_error_t why;
};

static void look_once(struct coordinator *c, struct coordinator_rank *ranks, void *arg)
{
    struct gone *gone = arg;

    swim_error_clear(&gone->why);
    gone->rank =
        joined_look(c, ranks, is_dead, gone->self, swim_clock_mono_ns(), &gone->why);
}

static void look_for_gone(struct join_serve *s, struct link *link)
{
    struct gone gone = {.self = &s->self};
    char text[800];

    s->looked_ns = swim_clock_mono_ns();
    for (link->ops->with(link, look_once, &gone); gone.rank;
         link->ops->with(link, look_once, &gone)) {
        snprintf(text, sizeof(text), "rank %u, which had joined, is gone: %s",
                 gone.rank, gone.why.text);
        serve_say(s, text);
    }
}

void join_serve_turn(struct join_serve *s, struct link *link)
{
    bool any = false;

    if (!s)
        return;
    for (struct note *note; (note = serve_take(s, &s->in));) {
        take_letter(s, link, note->text);
        free(note);
        any = true;
    }
    if (any)
        swim_cancel_raise(s->wake);
    if (swim_clock_mono_ns() - s->looked_ns > LOOK_NS)
        look_for_gone(s, link);
}

/* --- the end ------------------------------------------------------------------------
 */

struct ending {
    struct join_serve *serve;
    struct join_letter letter;
    uint32_t n;
};

static void tell_each(struct coordinator *c, struct coordinator_rank *ranks, void *arg)
{
    struct ending *e = arg;

    (void)ranks;
    for (uint32_t i = 0; i < c->n_joined; i++) {
        if (!c->joined[i].session[0] || c->joined[i].left)
            continue;
        e->letter.rank = c->n_ranks + i;
        send_later(e->serve, c->joined[i].session, &e->letter);
    }
}

void join_serve_over(struct join_serve *s, struct link *link,
                     const struct rank_orders *orders)
{
    if (!s)
        return;
    struct ending e = {.serve = s, .letter = {.kind = JOIN_OVER, .orders = *orders}};
    e.letter.orders.count = 0;
    pthread_mutex_lock(&s->mutex);
    s->over = true;
    s->last = e.letter.orders;
    pthread_mutex_unlock(&s->mutex);
    link->ops->with(link, tell_each, &e);
    swim_cancel_raise(s->wake);
}

static void count_remain(struct coordinator *c, struct coordinator_rank *ranks,
                         void *arg)
{
    (void)ranks;
    *(uint32_t *)arg = joined_remain(c, swim_clock_mono_ns(), QUIET_NS);
}

bool join_serve_remain(struct join_serve *s, struct link *link)
{
    uint32_t n = 0;

    if (!s)
        return false;
    link->ops->with(link, count_remain, &n);
    return n > 0;
}
