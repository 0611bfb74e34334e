/* selftest_modes.c - checks of who goes in beside whom, and before whom. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/selftest.h"
#include "core/clock.h"

/* --- modes ---------------------------------------------------------------------- */

/* Another process tries ask beside held; false: f says what is wrong. */
static bool modes_try(struct selftest_child *a, struct selftest_child *b,
                      const char *resource, enum swim_lock_mode held,
                      enum swim_lock_mode ask, struct selftest_finding *f)
{
    bool together = (held == SWIM_LOCK_READ && ask != SWIM_LOCK_WRITE) ||
                    (ask == SWIM_LOCK_READ && held != SWIM_LOCK_WRITE);
    struct player_answer answer;

    int rc = player_take(a, held, resource, SELFTEST_PATIENCE_MS, &answer);
    if (rc == SWIM_OK) {
        rc = player_take(b, ask, resource, SWIM_LOCK_TRY, &answer);
        if (rc == SWIM_OK || rc == SWIM_ERR_TIMEOUT) {
            if ((rc == SWIM_OK) != together) {
                finding_failed(f, "%s was %s beside %s", selftest_mode(ask),
                               together ? "refused" : "granted", selftest_mode(held));
                return false;
            }
            rc = rc == SWIM_OK ? player_release(b, &answer) : SWIM_OK;
        }
    }
    if (rc == SWIM_OK)
        rc = player_release(a, &answer);
    if (rc != SWIM_OK)
        finding_failed(f, "%s", answer.text);
    return rc == SWIM_OK;
}

void check_modes(struct selftest *t, struct selftest_finding *f)
{
    char resource[SELFTEST_NAME_MAX];
    struct player_answer answer;

    (void)selftest_resource(t, resource);
    struct selftest_child *a = player_new(t, SELFTEST_LEASE_MS, &answer);
    struct selftest_child *b = a ? player_new(t, SELFTEST_LEASE_MS, &answer) : NULL;
    if (!b) {
        finding_failed(f, "%s", answer.text);
        return;
    }
    for (enum swim_lock_mode held = SWIM_LOCK_READ; held <= SWIM_LOCK_WRITE; held++)
        for (enum swim_lock_mode ask = SWIM_LOCK_READ; ask <= SWIM_LOCK_WRITE; ask++)
            if (!modes_try(a, b, resource, held, ask, f))
                return;
    finding_ok(f, "READ, UPDATE and WRITE of two processes go together as they should");
}

/* --- order ---------------------------------------------------------------------- */

enum { HOLDER, WRITER_1, READER_1, WRITER_2, READER_2, N_ORDER };

struct order_scene {
    struct selftest_child *c[N_ORDER];
    struct player_answer a[N_ORDER];
    int64_t left_ns; /* when the last one was told to release */
    struct selftest_finding *f;
};

/* Whether one gets in, and not before the last one was told to leave. */
static bool order_enters(struct order_scene *s, int who, const char *name)
{
    struct player_answer *a = &s->a[who];

    int rc = player_hear(s->c[who], SELFTEST_PATIENCE_MS, a);
    if (rc == SWIM_ERR_TIMEOUT)
        finding_failed(s->f, "%s was not let in when it was its turn", name);
    else if (rc != SWIM_OK)
        finding_failed(s->f, "%s: %s", name, a->text);
    else if (a->at_ns < s->left_ns)
        finding_failed(s->f, "%s was let in out of turn", name);
    else
        return true;
    return false;
}

static bool order_leaves(struct order_scene *s, int who)
{
    struct player_answer a;

    s->left_ns = swim_clock_mono_ns();
    if (player_release(s->c[who], &a) == SWIM_OK)
        return true;
    finding_failed(s->f, "%s", a.text);
    return false;
}

static bool order_start(struct selftest *t, struct order_scene *s, const char *resource)
{
    struct player_answer *a = &s->a[HOLDER];

    for (int i = 0; i < N_ORDER; i++) {
        s->c[i] = player_new(t, SELFTEST_LEASE_MS, a);
        if (!s->c[i]) {
            finding_failed(s->f, "%s", a->text);
            return false;
        }
    }
    if (player_take(s->c[HOLDER], SWIM_LOCK_READ, resource, SELFTEST_PATIENCE_MS, a) !=
        SWIM_OK) {
        finding_failed(s->f, "%s", a->text);
        return false;
    }
    for (int i = WRITER_1; i < N_ORDER; i++)
        if (!player_queue(t, s->c[i], i % 2 ? SWIM_LOCK_WRITE : SWIM_LOCK_READ,
                          resource, (size_t)i, s->f))
            return false;
    return true;
}

/* READ is held, and W1 R1 W2 R2 wait: no reader passes W1, both readers go before W2.
 */
void check_order(struct selftest *t, struct selftest_finding *f)
{
    struct order_scene s = {.f = f};
    char resource[SELFTEST_NAME_MAX];

    if (order_start(t, &s, selftest_resource(t, resource)) &&
        order_leaves(&s, HOLDER) &&
        order_enters(&s, WRITER_1, "the writer that waited first") &&
        order_leaves(&s, WRITER_1) &&
        order_enters(&s, READER_1, "the reader behind a writer") &&
        order_enters(&s, READER_2, "the reader behind two writers") &&
        order_leaves(&s, READER_1) && order_leaves(&s, READER_2) &&
        order_enters(&s, WRITER_2, "the second writer"))
        finding_ok(f, "a writer that waits goes before later readers, then those go "
                      "before the next writer");
}

/* --- fences --------------------------------------------------------------------- */

void check_fences(struct selftest *t, struct selftest_finding *f)
{
    char resource[SELFTEST_NAME_MAX];
    struct selftest_child *c[2] = {NULL, NULL};
    struct player_answer a, released;
    uint64_t first = 0, last = 0;

    (void)selftest_resource(t, resource);
    for (int i = 0; i < 2; i++)
        if (!(c[i] = player_new(t, SELFTEST_LEASE_MS, &a))) {
            finding_failed(f, "%s", a.text);
            return;
        }
    for (int i = 0; i < 20; i++) {
        enum swim_lock_mode mode = i % 4 < 2 ? SWIM_LOCK_UPDATE : SWIM_LOCK_WRITE;
        if (player_take(c[i % 2], mode, resource, SELFTEST_PATIENCE_MS, &a) !=
                SWIM_OK ||
            player_release(c[i % 2], &released) != SWIM_OK) {
            finding_failed(f, "%s", a.rc != SWIM_OK ? a.text : released.text);
            return;
        }
        if (a.fence <= last) {
            finding_failed(f, "the fencing number %llu came after %llu",
                           (unsigned long long)a.fence, (unsigned long long)last);
            return;
        }
        last = a.fence;
        first = first ? first : last;
    }
    finding_ok(f, "20 fencing numbers of two processes grow: %llu to %llu",
               (unsigned long long)first, (unsigned long long)last);
}

/* --- exclusion ------------------------------------------------------------------ */

#define READERS 8
#define WRITERS 2
#define EXCLUSION_MS 2000
#define HOLD_US 500

/* In memory that all of them share. */
struct board {
    atomic_int readers, writers, overlaps;
    atomic_bool go;
};

struct contest {
    struct board *board;
    char resource[SELFTEST_NAME_MAX];
    enum swim_lock_mode mode;
};

struct contest_result {
    int rc;
    uint64_t turns;
    int64_t longest_ns;
    char text[SELFTEST_TEXT_MAX];
};

/* Look who is inside: on the way in, and again before leaving. */
static void board_visit(struct board *b, enum swim_lock_mode mode)
{
    const struct timespec hold = {0, HOLD_US * 1000L};
    bool writes = mode == SWIM_LOCK_WRITE;

    atomic_fetch_add(writes ? &b->writers : &b->readers, 1);
    for (int i = 0; i < 2; i++) {
        int writers = atomic_load(&b->writers), readers = atomic_load(&b->readers);
        if (writes ? writers > 1 || readers > 0 : writers > 0)
            atomic_fetch_add(&b->overlaps, 1);
        if (i == 0)
            nanosleep(&hold, NULL);
    }
    atomic_fetch_sub(writes ? &b->writers : &b->readers, 1);
}

static int contest_turn(const struct selftest *t, const struct contest *c,
                        swim_session_t *session, struct contest_result *r,
                        swim_error_t *err)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = SELFTEST_PATIENCE_MS};
    int64_t begin_ns = swim_clock_mono_ns();
    swim_lock_t *lock = NULL;

    int rc = t->locks->acquire(session, c->resource, c->mode, &opt, &lock, err);
    if (rc != SWIM_OK)
        return rc;
    int64_t waited_ns = swim_clock_mono_ns() - begin_ns;
    if (waited_ns > r->longest_ns)
        r->longest_ns = waited_ns;
    board_visit(c->board, c->mode);
    r->turns++;
    return t->locks->release(lock, err);
}

static void contest_main(const struct selftest *t, int fd, const void *arg)
{
    const struct contest *c = arg;
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = t->url,
                                             .lease_ms = SELFTEST_LEASE_MS,
                                             .job = t->tag,
                                             .rank = -1};
    struct contest_result r = {0};
    swim_session_t *session = NULL;
    swim_error_t err = {0};
    char go;

    r.rc = t->locks->open(&opt, &session, &err);
    (void)recv(fd, &go, 1, 0); /* all begin at once */
    int64_t until_ns = swim_clock_mono_ns() + EXCLUSION_MS * 1000000LL;
    while (r.rc == SWIM_OK && swim_clock_mono_ns() < until_ns)
        r.rc = contest_turn(t, c, session, &r, &err);
    snprintf(r.text, sizeof(r.text), "%s", err.text);
    if (session)
        t->locks->close(session);
    if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) != (ssize_t)sizeof(r))
        _exit(1);
}

/* Sums over those of one mode. */
struct contest_sum {
    uint64_t turns, least; /* of all, of the one that had the fewest */
    double longest_ms;
};

static bool contest_collect(const struct selftest_child *c, struct contest_sum *sum,
                            struct selftest_finding *f)
{
    struct contest_result r = {0};
    swim_error_t err = {0};

    int rc =
        selftest_receive(c, &r, sizeof(r), EXCLUSION_MS + SELFTEST_PATIENCE_MS, &err);
    if (rc != SWIM_OK || r.rc != SWIM_OK) {
        finding_failed(f, "%s", rc != SWIM_OK ? err.text : r.text);
        return false;
    }
    sum->turns += r.turns;
    if (r.turns < sum->least)
        sum->least = r.turns;
    if ((double)r.longest_ns / 1e6 > sum->longest_ms)
        sum->longest_ms = (double)r.longest_ns / 1e6;
    return true;
}

static void contest_judge(struct board *board, const struct contest_sum *readers,
                          const struct contest_sum *writers, struct selftest_finding *f)
{
    int overlaps = atomic_load(&board->overlaps);

    if (overlaps > 0)
        finding_failed(f, "%d times a writer was not alone", overlaps);
    else if (readers->least == 0 || writers->least == 0)
        finding_failed(f, "one of the %s never had its turn",
                       readers->least == 0 ? "readers" : "writers");
    else
        finding_ok(f,
                   "%d readers had %llu turns, %d writers %llu, each alone; longest "
                   "wait %.0f and %.0f ms",
                   READERS, (unsigned long long)readers->turns, WRITERS,
                   (unsigned long long)writers->turns, readers->longest_ms,
                   writers->longest_ms);
    finding_figure(f, "overlaps", overlaps);
    finding_figure(f, "reader_turns", (double)readers->turns);
    finding_figure(f, "writer_turns", (double)writers->turns);
    finding_figure(f, "reader_longest_wait_ms", readers->longest_ms);
    finding_figure(f, "writer_longest_wait_ms", writers->longest_ms);
}

static void contest_hold(struct selftest *t, struct board *board,
                         struct selftest_finding *f)
{
    struct contest_sum sums[2] = {{.least = UINT64_MAX}, {.least = UINT64_MAX}};
    struct selftest_child *c[READERS + WRITERS];
    struct contest contest = {.board = board};
    swim_error_t err = {0};

    (void)selftest_resource(t, contest.resource);
    for (int i = 0; i < READERS + WRITERS; i++) {
        contest.mode = i < READERS ? SWIM_LOCK_READ : SWIM_LOCK_WRITE;
        c[i] = selftest_spawn(t, contest_main, &contest, &err);
        if (!c[i]) {
            finding_failed(f, "%s", err.text);
            return;
        }
    }
    for (int i = 0; i < READERS + WRITERS; i++) {
        ssize_t ignored = send(c[i]->fd, "!", 1, MSG_NOSIGNAL);
        (void)ignored; /* its silence will be noticed */
    }
    for (int i = 0; i < READERS + WRITERS; i++)
        if (!contest_collect(c[i], &sums[i >= READERS], f))
            return;
    contest_judge(board, &sums[0], &sums[1], f);
}

void check_exclusion(struct selftest *t, struct selftest_finding *f)
{
    struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (board == MAP_FAILED) {
        finding_failed(f, "no memory for processes to share");
        return;
    }
    contest_hold(t, board, f);
    munmap(board, sizeof(*board));
}
