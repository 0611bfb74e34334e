/* soak_worker.c - a process that takes random locks and writes down what it saw.
 *
 * One or two threads share a session.  When it is lost, the last of them to leave its
 * operation closes it and opens another. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/signals.h>

#include "core/clock.h"
#include "lock/lock_private.h"
#include "soak.h"

#define NS_PER_MS 1000000LL
#define MARGIN_MS 50 /* of the lease, before a write */
#define THREADS_MAX 2

static struct {
    int index, history, threads;
    uint32_t lease_ms;
    const char *url;
    struct board *board;
    pthread_rwlock_t session_lock;
    swim_session_t *session; /* read under session_lock; NULL: none */
    swim_cancel_t *cancels[THREADS_MAX];
} self;

struct thread {
    int number;
    uint64_t dice;
};

/* What is held, for one line of the history after the other. */
struct hold {
    int slot, resource;
    enum swim_lock_mode mode;
    swim_lock_t *lock;
    uint64_t cell; /* what this holder wrote last; 0: nothing yet */
};

static long long deadline_of(const swim_session_t *session)
{
    return atomic_load(&session->deadline_ns);
}

static bool is_over(void)
{
    return atomic_load(&self.board->stop) || swim_signals_pending() != 0;
}

static void unexpected(const char *what, int rc, const swim_error_t *err)
{
    history_write(self.history, "x %lld %s: status %d %s\n",
                  (long long)swim_clock_boot_ns(), what, rc, err->text);
}

/* Whether the lock is still ours, as the history is told. */
static bool hold_check(struct hold *h)
{
    swim_error_t err = {0};
    int64_t before = swim_clock_boot_ns();
    int rc = swim_lock_check(h->lock, 0, &err);

    history_write(self.history, "k %d %lld %d %lld\n", h->slot, (long long)before, rc,
                  deadline_of(h->lock->session));
    if (rc != SWIM_OK && rc != SWIM_ERR_LOST)
        unexpected("check", rc, &err);
    return rc == SWIM_OK;
}

/* A write that the storage takes unless it has seen a higher fence. */
static void hold_write(struct hold *h)
{
    _Atomic uint64_t *cell = &self.board->cells[h->resource];
    uint64_t fence = swim_lock_fence(h->lock), old = atomic_load(cell), new = 0;

    if (swim_lock_check(h->lock, MARGIN_MS, NULL) != SWIM_OK)
        return;
    long long deadline = deadline_of(h->lock->session);
    do {
        if (old >> CELL_BITS > fence) {
            new = 0;
            break;
        }
        new = fence << CELL_BITS | ((old + 1) & CELL_MASK);
    } while (!atomic_compare_exchange_weak(cell, &old, new));
    history_write(self.history, "w %d %lld %llu %llu %llu %llu %lld\n", h->slot,
                  (long long)swim_clock_boot_ns(), (unsigned long long)fence,
                  (unsigned long long)h->cell, (unsigned long long)old,
                  (unsigned long long)new, deadline);
    if (new)
        h->cell = new;
}

static bool hold_work(struct hold *h)
{
    bool held = hold_check(h);

    if (held && h->mode != SWIM_LOCK_READ)
        hold_write(h);
    return held;
}

/* For so long, looking again every few ms; false: lost. */
static bool hold_for(struct hold *h, int64_t us)
{
    int64_t until_ns = swim_clock_mono_ns() + us * 1000;

    while (hold_work(h)) {
        int64_t keep_ns = atomic_load(&self.board->keep_ns[self.index]);
        int64_t left_ns = until_ns - swim_clock_mono_ns();
        if (left_ns < keep_ns - swim_clock_boot_ns())
            left_ns = keep_ns - swim_clock_boot_ns();
        if (left_ns <= 0 || is_over())
            return true;
        swim_clock_nap_ns(left_ns < 20 * NS_PER_MS ? left_ns : 20 * NS_PER_MS);
    }
    return false;
}

/* Mostly short; some long; a few longer than a lease. */
static int64_t hold_us(uint64_t *state)
{
    int kind = dice_below(state, 3000);

    if (kind == 0)
        return 1000000 + dice_below(state, 1500000);
    if (kind < 50)
        return 10000 + dice_below(state, 40000);
    return kind < 1500 ? 0 : dice_below(state, 2500);
}

/* Many short ones, so that work goes on elsewhere while one resource is stuck. */
static int64_t wait_ms(uint64_t *state)
{
    int kind = dice_below(state, 8);

    if (kind < 2)
        return SWIM_LOCK_TRY;
    if (kind < 5)
        return 1 + dice_below(state, 40);
    return kind < 7 ? 100 + dice_below(state, 500) : 8000 + dice_below(state, 12000);
}

static bool is_expected(int rc)
{
    return rc == SWIM_OK || rc == SWIM_ERR_TIMEOUT || rc == SWIM_ERR_LOST ||
           rc == SWIM_ERR_CANCELLED || rc == SWIM_ERR_IO;
}

static void hold_mark(const struct hold *h, int by)
{
    if (h->mode != SWIM_LOCK_READ)
        atomic_fetch_add(&self.board->holds[self.index][h->resource], by);
}

static bool hold_begin(struct hold *h, const struct swim_lock_options *opt)
{
    char name[32];
    swim_error_t err = {0};
    swim_session_t *session = self.session;

    resource_name(name, sizeof(name), h->resource);
    int64_t asked = swim_clock_boot_ns();
    int rc = swim_lock_acquire(session, name, h->mode, opt, &h->lock, &err);
    int64_t got = swim_clock_boot_ns();
    history_write(self.history, "g %d %lld %lld %d %d %d %lld %d %llu %lld\n", h->slot,
                  (long long)asked, (long long)got, h->resource, (int)h->mode,
                  (int)opt->prefer, (long long)opt->wait_ms, rc,
                  h->lock ? (unsigned long long)swim_lock_fence(h->lock) : 0ULL,
                  deadline_of(session));
    atomic_fetch_add(&self.board->operations, 1);
    if (!is_expected(rc))
        unexpected("acquire", rc, &err);
    if (rc == SWIM_OK)
        hold_mark(h, 1);
    return rc == SWIM_OK;
}

static void hold_end(struct hold *h)
{
    swim_error_t err = {0};

    hold_mark(h, -1);
    int64_t before = swim_clock_boot_ns();
    history_write(self.history, "e %d %lld\n", h->slot, (long long)before);
    int rc = swim_lock_release(h->lock, &err);
    history_write(self.history, "E %d %lld %d\n", h->slot,
                  (long long)swim_clock_boot_ns(), rc);
    if (rc != SWIM_OK && rc != SWIM_ERR_LOST && rc != SWIM_ERR_UNSURE)
        unexpected("release", rc, &err);
}

/* The same lock once more, which needs no asking. */
static void hold_again(struct hold *h, const struct swim_lock_options *opt)
{
    char name[32];
    swim_lock_t *again = NULL;
    swim_error_t err = {0};

    resource_name(name, sizeof(name), h->resource);
    int rc = swim_lock_acquire(h->lock->session, name, h->mode, opt, &again, &err);
    if (rc == SWIM_ERR_LOST)
        return;
    if (rc != SWIM_OK || again != h->lock)
        unexpected("acquire again", rc, &err);
    if (rc == SWIM_OK && swim_lock_release(again, &err) == SWIM_ERR_ARG)
        unexpected("release once of two", SWIM_ERR_ARG, &err);
}

/* A child that finds its parent's lock is none of its own, and ends. */
static void hold_fork(const struct hold *h)
{
    swim_error_t err = {0};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(swim_lock_check(h->lock, 0, NULL) == SWIM_ERR_ARG ? 0 : 1);
    if (pid < 0)
        return;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        unexpected("a forked child's check", status, &err);
}

static void hold_lower(struct hold *h)
{
    swim_error_t err = {0};
    int64_t asked = swim_clock_boot_ns();

    history_write(self.history, "l %d %lld\n", h->slot, (long long)asked);
    int rc = swim_lock_lower(h->lock, &err);
    if (rc == SWIM_OK) {
        h->mode = SWIM_LOCK_UPDATE;
        (void)hold_work(h);
    } else if (rc != SWIM_ERR_LOST && rc != SWIM_ERR_UNSURE) {
        unexpected("lower", rc, &err);
    }
}

static void hold_raise(struct hold *h, const struct swim_lock_options *opt,
                       struct thread *t)
{
    swim_error_t err = {0};
    int64_t asked = swim_clock_boot_ns();
    int rc = swim_lock_raise(h->lock, opt, &err);
    int64_t got = swim_clock_boot_ns();

    history_write(self.history, "r %d %lld %lld %lld %d %llu %lld\n", h->slot,
                  (long long)asked, (long long)got, (long long)opt->wait_ms, rc,
                  (unsigned long long)swim_lock_fence(h->lock),
                  deadline_of(h->lock->session));
    if (!is_expected(rc))
        unexpected("raise", rc, &err);
    if (rc != SWIM_OK)
        return;
    h->mode = SWIM_LOCK_WRITE;
    if (hold_for(h, hold_us(&t->dice)) && dice_below(&t->dice, 2))
        hold_lower(h);
}

static void thread_hold(struct thread *t, struct hold *h,
                        struct swim_lock_options *opt);

/* Another resource as well, always in the order of their numbers. */
static void thread_second(struct thread *t, const struct hold *first,
                          struct swim_lock_options *opt)
{
    int left = RESOURCES - 1 - first->resource;

    if (left <= 0)
        return;
    struct hold second = {.slot = first->slot + 1,
                          .resource = first->resource + 1 + dice_below(&t->dice, left),
                          .mode = (enum swim_lock_mode)(1 + dice_below(&t->dice, 3))};
    opt->wait_ms = 1 + dice_below(&t->dice, 40);
    if (!hold_begin(&second, opt))
        return;
    (void)hold_for(&second, dice_below(&t->dice, 2000));
    hold_end(&second);
}

static void thread_hold(struct thread *t, struct hold *h, struct swim_lock_options *opt)
{
    bool held = hold_for(h, hold_us(&t->dice));

    if (held && dice_below(&t->dice, 8) == 0)
        hold_again(h, opt);
    if (held && dice_below(&t->dice, 300) == 0)
        hold_fork(h);
    if (held && dice_below(&t->dice, 16) == 0)
        thread_second(t, h, opt);
    if (held && h->mode == SWIM_LOCK_UPDATE && dice_below(&t->dice, 3) == 0) {
        opt->wait_ms = wait_ms(&t->dice);
        hold_raise(h, opt, t);
    }
    (void)hold_check(h);
}

static void thread_operation(struct thread *t)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ,   SWIM_LOCK_READ,
                                                SWIM_LOCK_READ,   SWIM_LOCK_UPDATE,
                                                SWIM_LOCK_UPDATE, SWIM_LOCK_WRITE};
    struct hold h = {.slot = 2 * t->number, .mode = modes[dice_below(&t->dice, 6)]};
    struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                    .wait_ms = wait_ms(&t->dice),
                                    .cancel = self.cancels[t->number]};

    /* Half of all want the first one: there is a queue there. */
    h.resource = dice_below(&t->dice, 2) ? dice_below(&t->dice, RESOURCES) : 0;
    if (dice_below(&t->dice, 12) == 0)
        opt.prefer = SWIM_PREFER_WRITER;
    swim_cancel_reset(opt.cancel);
    if (self.threads > 1 && dice_below(&t->dice, 12) == 0)
        swim_cancel_raise(self.cancels[1 - t->number]);
    if (!hold_begin(&h, &opt))
        return;
    thread_hold(t, &h, &opt);
    hold_end(&h);
}

/* With session_lock held for writing: have a session that is not lost. */
static void session_renew(void)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = self.url,
                                             .lease_ms = self.lease_ms,
                                             .rank = self.index};
    swim_error_t err = {0};

    if (self.session && session_check(self.session, 0, "", NULL) == SWIM_OK)
        return; /* the other thread was faster */
    swim_session_close(self.session);
    int64_t asked = swim_clock_boot_ns();
    int rc = swim_session_open(&opt, &self.session, &err);
    history_write(self.history, "o %lld %lld %u %d\n", (long long)asked,
                  (long long)swim_clock_boot_ns(), self.lease_ms, rc);
    if (rc != SWIM_OK && rc != SWIM_ERR_IO && rc != SWIM_ERR_CANCELLED)
        unexpected("open a session", rc, &err);
    if (rc != SWIM_OK)
        swim_clock_nap_ns(20 * NS_PER_MS);
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;

    while (!is_over()) {
        pthread_rwlock_rdlock(&self.session_lock);
        bool usable =
            self.session && session_check(self.session, 0, "", NULL) == SWIM_OK;
        if (usable)
            thread_operation(t);
        pthread_rwlock_unlock(&self.session_lock);
        if (usable)
            continue;
        pthread_rwlock_wrlock(&self.session_lock);
        session_renew();
        pthread_rwlock_unlock(&self.session_lock);
    }
    return NULL;
}

/* DIR URL INDEX GENERATION SEED LEASE_MS THREADS */
static bool worker_read(char **argv, uint64_t *seed)
{
    char name[64];

    self.board = board_open(argv[0], false);
    self.url = argv[1];
    self.index = atoi(argv[2]);
    *seed = strtoull(argv[4], NULL, 10);
    self.lease_ms = (uint32_t)strtoul(argv[5], NULL, 10);
    self.threads = atoi(argv[6]);
    snprintf(name, sizeof(name), "worker.%s.%s", argv[2], argv[3]);
    self.history = history_open(argv[0], name);
    pthread_rwlock_init(&self.session_lock, NULL);
    for (int i = 0; i < THREADS_MAX; i++)
        if (!(self.cancels[i] = swim_cancel_create()))
            return false;
    if (self.board)
        atomic_store(&self.board->keep_ns[self.index], 0);
    for (int i = 0; self.board && i < RESOURCES; i++)
        atomic_store(&self.board->holds[self.index][i], 0);
    return self.board && self.history >= 0;
}

int worker_main(int argc, char **argv)
{
    struct thread threads[THREADS_MAX] = {{0}};
    pthread_t other;
    uint64_t seed = 0;
    swim_error_t err = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 7 || !worker_read(argv, &seed))
        return 2;
    if (swim_signals_install(NULL, &err) != SWIM_OK) {
        unexpected("install the signals", err.code, &err);
        return 2;
    }
    for (int i = 0; i < THREADS_MAX; i++)
        threads[i] = (struct thread){.number = i, .dice = seed + (uint64_t)i};
    bool two =
        self.threads > 1 && pthread_create(&other, NULL, thread_main, &threads[1]) == 0;
    thread_main(&threads[0]);
    if (two)
        pthread_join(other, NULL);
    swim_session_close(self.session);
    history_write(self.history, "q %lld\n", (long long)swim_clock_boot_ns());
    return 0;
}
