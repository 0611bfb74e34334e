/* soak_faults.c - what is done to the workers and to the server.
 *
 * The faults are a deck of cards, shuffled: each kind comes as often as the table says,
 * in any order, and several may be at work at once.  A session with the longest lease,
 * the driver's, comes back at once after each loss of data: without one of these a
 * grace may be too short, see h5swim/lock.h. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "soak.h"

#define NS_PER_MS 1000000LL
#define SHORT_MS 400 /* no lease is lost meanwhile */
#define CALM_MS 1500
#define LEAVE_MS 1000 /* a worker told to go is gone by then */
#define CARDS_MAX 80
/* To stop one that holds an UPDATE or WRITE: some; as many as a grace takes. */
#define TRIES_SOME 300
#define TRIES_MANY 2000

static int between(struct driver *d, int low, int high)
{
    return low + dice_below(&d->dice, high - low + 1);
}

/* excuse_ms: how long after it nothing new may be granted. */
static void fault_note(struct driver *d, const char *name, int64_t begin_ns,
                       int excuse_ms)
{
    history_write(d->history, "F %s %lld %lld %d\n", name, (long long)begin_ns,
                  (long long)swim_clock_boot_ns(), excuse_ms);
}

static bool say(struct driver *d, const char *command)
{
    char answer[512];
    int64_t until_ms = test_now_ms() + 5000;

    while (!redis_fixture_say(&d->redis, command, answer, sizeof(answer))) {
        if (test_now_ms() > until_ms) {
            driver_fail(d, "the server does not answer %s", command);
            return false;
        }
        test_nap_ms(5);
    }
    if (answer[0] == '-')
        driver_fail(d, "%s: %s", command, answer);
    return answer[0] != '-';
}

/* A worker that is not stopped. */
static int victim(struct driver *d)
{
    for (int tries = 0; tries < 100; tries++) {
        int index = dice_below(&d->dice, WORKERS);
        if (!d->workers[index].stopped)
            return index;
    }
    worker_continue(d, 0);
    return 0;
}

/* Wait for its end; the time it took as naps tell, so that a machine that stands still
 * is not held against it.  -1: it lives on. */
static int64_t worker_await(struct worker *w, int *status, int64_t most_ms)
{
    for (int64_t ms = 0; ms <= most_ms; ms++) {
        if (waitpid(w->pid, status, WNOHANG) == w->pid)
            return ms;
        test_nap_ms(1);
    }
    return -1;
}

static void worker_end(struct driver *d, int index, int signo)
{
    struct worker *w = &d->workers[index];
    int status = 0;
    int64_t begin_ns = swim_clock_boot_ns();

    kill(w->pid, signo);
    int64_t ms = worker_await(w, &status, signo == SIGTERM ? LEAVE_MS : 10000);
    if (ms < 0) {
        driver_fail(d, "worker %d lives %d ms after signal %d", index, LEAVE_MS, signo);
        kill(w->pid, SIGKILL);
        waitpid(w->pid, &status, 0);
    } else if (signo == SIGTERM &&
               !(WIFSIGNALED(status) && WTERMSIG(status) == signo) &&
               !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        driver_fail(d, "worker %d told to go ended with wait status %d", index, status);
    }
    kill_note(d, index, begin_ns, signo);
    if (w->stopped)
        worker_goes_on(d, index);
    if (dice_below(&d->dice, 2))
        (void)swim_session_reap(d->session, w->pid, NULL);
    worker_start(d, index);
}

static bool holds_something(const struct driver *d, int index)
{
    for (int r = 0; r < RESOURCES; r++)
        if (atomic_load(&d->board->holds[index][r]) > 0)
            return true;
    return false;
}

int stop_a_holder(struct driver *d, int64_t for_ms, const char *kind, int tries)
{
    for (; tries > 0; tries--) {
        int i = victim(d);
        worker_stop(d, i, for_ms, kind);
        if (holds_something(d, i))
            return i;
        d->workers[i].stop_kind = "moment";
        worker_continue(d, i);
        driver_nap(d, 1);
    }
    return -1;
}

static void fault_kill(struct driver *d)
{
    worker_end(d, dice_below(&d->dice, WORKERS), SIGKILL);
}

static void fault_kill_holder(struct driver *d)
{
    int index = stop_a_holder(d, 10000, "killed", TRIES_MANY);

    if (index >= 0)
        worker_end(d, index, SIGKILL);
}

static void fault_term(struct driver *d)
{
    worker_end(d, victim(d), SIGTERM);
}

static void fault_stop_short(struct driver *d)
{
    worker_stop(d, victim(d), between(d, 50, 800), "short");
}

/* Longer than any lease, so long at times that what is not given to others by then is
 * seen to be missing. */
static void fault_stop_long(struct driver *d)
{
    (void)stop_a_holder(d, between(d, LEASE_MAX_MS + 200, 3 * LEASE_MAX_MS), "long",
                        TRIES_MANY);
}

static void fault_cut(struct driver *d)
{
    (void)say(d, "CLIENT KILL TYPE normal");
}

static void fault_script_flush(struct driver *d)
{
    (void)say(d, "SCRIPT FLUSH");
}

static void pause_clients(struct driver *d, int ms)
{
    char command[64];

    snprintf(command, sizeof(command), "CLIENT PAUSE %d ALL", ms);
    if (say(d, command))
        driver_nap(d, ms);
    driver_come_back(d);
}

static void fault_pause_short(struct driver *d)
{
    pause_clients(d, between(d, 50, SHORT_MS));
}

static void fault_pause_long(struct driver *d)
{
    pause_clients(d, between(d, LEASE_MAX_MS + 100, LEASE_MAX_MS + 1000));
}

static void stop_server(struct driver *d, int ms)
{
    kill(d->redis.pid, SIGSTOP);
    driver_nap(d, ms);
    kill(d->redis.pid, SIGCONT);
    driver_come_back(d);
}

static void fault_server_stop_short(struct driver *d)
{
    stop_server(d, between(d, 50, SHORT_MS));
}

static void fault_server_stop_long(struct driver *d)
{
    stop_server(d, between(d, LEASE_MAX_MS + 100, LEASE_MAX_MS + 1000));
}

/* What the server has saved. */
static void data_remove(const struct driver *d)
{
    char path[4500], folder[4200];

    snprintf(path, sizeof(path), "%s/dump.rdb", d->redis.dir);
    (void)unlink(path);
    snprintf(folder, sizeof(folder), "%s/appendonlydir", d->redis.dir);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            (void)unlink(path);
    }
    if (dir)
        closedir(dir);
}

static void server_start(struct driver *d)
{
    if (redis_fixture_start(&d->redis) != 0)
        driver_fail(d, "the server does not start");
    driver_come_back(d);
}

/* At times somebody believes in a lock of whom the server hears nothing meanwhile, or
 * keeps one for longer than any grace. */
static void prepare_a_believer(struct driver *d)
{
    int kind = dice_below(&d->dice, 5);

    if (kind == 0)
        return;
    int i = stop_a_holder(d, between(d, 300, LEASE_MAX_MS), "believer", TRIES_SOME);
    if (i < 0 || kind < 3)
        return;
    atomic_store(&d->board->keep_ns[i],
                 swim_clock_boot_ns() + (LEASE_MAX_MS + 1000) * NS_PER_MS);
    worker_continue(d, i);
}

static void fault_restart_empty(struct driver *d)
{
    prepare_a_believer(d);
    redis_fixture_kill(&d->redis);
    data_remove(d);
    driver_nap(d, between(d, 0, 300));
    server_start(d);
}

static void fault_restart_with_data(struct driver *d)
{
    prepare_a_believer(d);
    if (!d->appends)
        (void)say(d, "SAVE");
    driver_nap(d, between(d, 0, 50));
    redis_fixture_kill(&d->redis);
    driver_nap(d, between(d, 0, 300));
    server_start(d);
}

static void fault_flushall(struct driver *d)
{
    prepare_a_believer(d);
    (void)say(d, "FLUSHALL");
    driver_come_back(d);
}

static void fault_calm(struct driver *d)
{
    driver_nap(d, CALM_MS);
}

static const struct card {
    const char *name;
    void (*fn)(struct driver *d);
    int count;
    bool of_server;
    int excuse_ms;
} cards[] = {
    {"kill", fault_kill, 6, false, 0},
    {"kill-holder", fault_kill_holder, 5, false, 0},
    {"term", fault_term, 5, false, 0},
    {"stop-short", fault_stop_short, 4, false, 0},
    {"stop-long", fault_stop_long, 4, false, 0},
    {"cut", fault_cut, 4, true, 0},
    {"script-flush", fault_script_flush, 3, true, 0},
    {"pause-short", fault_pause_short, 2, true, 0},
    {"pause-long", fault_pause_long, 1, true, LEASE_MAX_MS},
    {"server-stop-short", fault_server_stop_short, 2, true, 0},
    {"server-stop-long", fault_server_stop_long, 1, true, LEASE_MAX_MS},
    {"restart-empty", fault_restart_empty, 2, true, LEASE_MAX_MS},
    {"restart-with-data", fault_restart_with_data, 1, true, LEASE_MAX_MS},
    {"flushall", fault_flushall, 2, true, LEASE_MAX_MS},
    {"calm", fault_calm, 2, false, 0},
};
#define KINDS ((int)(sizeof(cards) / sizeof(*cards)))

static int deck_make(struct driver *d, int *deck)
{
    int n = 0;

    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < cards[kind].count && n < CARDS_MAX; i++)
            deck[n++] = kind;
    for (int i = n - 1; i > 0; i--) {
        int j = dice_below(&d->dice, i + 1), kept = deck[i];
        deck[i] = deck[j];
        deck[j] = kept;
    }
    return n;
}

void faults_run(struct driver *d, int decks, int gap_ms)
{
    int deck[CARDS_MAX] = {0};

    for (; decks > 0; decks--) {
        int n = deck_make(d, deck);
        for (int i = 0; i < n; i++) {
            const struct card *card = &cards[deck[i]];
            driver_nap(d, dice_below(&d->dice, gap_ms));
            int64_t begin_ns = swim_clock_boot_ns();
            card->fn(d);
            if (card->of_server)
                fault_note(d, card->name, begin_ns, card->excuse_ms);
        }
    }
    for (int kind = 0; kind < KINDS; kind++)
        printf("%s%s %d", kind ? ", " : "faults: ", cards[kind].name,
               cards[kind].count);
    printf(" in each deck\n");
}
