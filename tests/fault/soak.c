/* soak.c - random locks by processes that are harmed at random: the driver.
 *
 * soak DIR SEED DECKS SERVER rdb|aof: one round in an empty folder.  It leaves
 * histories there for check_history.py, prints "operations N", and fails on what it
 * sees itself: a worker that ends by itself or does not go when told to, a lock that
 * does not become free after the end, and anything left behind at the server. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "soak.h"

#define NS_PER_MS 1000000LL
#define STALL_MS 100  /* the machine stands still: a nap takes so much longer */
#define FREE_MS 4000  /* beyond the lease, until a lock of the dead is had */
#define LEFT_MS 15000 /* until the server has forgotten everybody */

void driver_fail(struct driver *d, const char *fmt, ...)
{
    va_list args;

    d->failures++;
    printf("FAILED: ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

void worker_start(struct driver *d, int index)
{
    char numbers[5][24];
    struct worker *w = &d->workers[index];
    int generation = w->generation + 1;
    const char *argv[] = {"soak",     "worker",   d->dir,     d->redis.url, numbers[0],
                          numbers[1], numbers[2], numbers[3], numbers[4],   NULL};

    snprintf(numbers[0], sizeof(numbers[0]), "%d", index);
    snprintf(numbers[1], sizeof(numbers[1]), "%d", generation);
    snprintf(numbers[2], sizeof(numbers[2]), "%u", dice(&d->dice));
    snprintf(numbers[3], sizeof(numbers[3]), "%d",
             LEASE_MIN_MS + dice_below(&d->dice, LEASE_MAX_MS - LEASE_MIN_MS + 1));
    snprintf(numbers[4], sizeof(numbers[4]), "%d", 1 + index % 2);
    *w = (struct worker){.generation = generation};
    w->pid = fork();
    if (w->pid == 0) {
        /* execv takes the strings as they are; its type is older than const */
        execv("/proc/self/exe", (char *const *)argv);
        _exit(127);
    }
    if (w->pid < 0)
        driver_fail(d, "fork: %s", strerror(errno));
}

/* It has stopped when this returns. */
void worker_stop(struct driver *d, int index, int64_t for_ms, const char *kind)
{
    struct worker *w = &d->workers[index];
    int status = 0;

    w->stopped = true;
    w->stop_kind = kind;
    w->stopped_ns = swim_clock_boot_ns();
    kill(w->pid, SIGSTOP);
    if (waitpid(w->pid, &status, WUNTRACED) != w->pid || !WIFSTOPPED(status))
        driver_fail(d, "worker %d did not stop, wait status %d", index, status);
    w->continue_ns = swim_clock_boot_ns() + for_ms * NS_PER_MS;
}

void worker_continue(struct driver *d, int index)
{
    kill(d->workers[index].pid, SIGCONT);
    worker_goes_on(d, index);
}

void worker_goes_on(struct driver *d, int index)
{
    struct worker *w = &d->workers[index];

    w->stopped = false;
    history_write(d->history, "S %d %d %lld %lld %s\n", index, w->generation,
                  (long long)w->stopped_ns, (long long)swim_clock_boot_ns(),
                  w->stop_kind);
}

void kill_note(struct driver *d, int index, int64_t sent_ns, int signo)
{
    history_write(d->history, "K %d %d %lld %lld %d\n", index,
                  d->workers[index].generation, (long long)sent_ns,
                  (long long)swim_clock_boot_ns(), signo);
}

void workers_look(struct driver *d)
{
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &d->workers[i];
        int status = 0;
        if (w->stopped && swim_clock_boot_ns() >= w->continue_ns)
            worker_continue(d, i);
        if (w->stopped || waitpid(w->pid, &status, WNOHANG) != w->pid)
            continue;
        driver_fail(d, "worker %d ended by itself with wait status %d", i, status);
        worker_start(d, i);
    }
}

void driver_nap(struct driver *d, int64_t ms)
{
    int64_t until_ms = test_now_ms() + ms;

    for (;;) {
        workers_look(d);
        int64_t left_ms = until_ms - test_now_ms();
        if (left_ms <= 0)
            return;
        test_nap_ms(left_ms < 5 ? left_ms : 5);
    }
}

static int driver_session(struct driver *d)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = d->redis.url,
                                             .lease_ms = LEASE_MAX_MS,
                                             .rank = -1};

    swim_session_close(d->session);
    return swim_session_open(&opt, &d->session, NULL);
}

void driver_come_back(struct driver *d)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = SWIM_LOCK_TRY};
    int64_t begin_ns = swim_clock_boot_ns(), until_ms = test_now_ms() + 15000;
    swim_lock_t *lock = NULL;
    int rc;

    do {
        rc = d->session ? swim_lock_acquire(d->session, "/soak/driver", SWIM_LOCK_READ,
                                            &opt, &lock, NULL)
                        : SWIM_ERR_LOST;
        (void)swim_lock_release(lock, NULL);
        if (rc == SWIM_ERR_LOST)
            rc = driver_session(d);
        workers_look(d);
    } while (rc != SWIM_OK && rc != SWIM_ERR_TIMEOUT && test_now_ms() < until_ms);
    if (rc != SWIM_OK && rc != SWIM_ERR_TIMEOUT)
        driver_fail(d, "the driver cannot ask the server: status %d", rc);
    if (swim_clock_boot_ns() - begin_ns < LEASE_MIN_MS * NS_PER_MS / 2)
        return;
    /* Too late perhaps for those with a longer lease than any who came before: they
     * sleep until they know it. */
    for (int i = 0; i < WORKERS; i++)
        if (d->workers[i].stopped)
            d->workers[i].continue_ns += LEASE_MAX_MS * NS_PER_MS;
}

/* Writes down when the machine itself stood still. */
static void *stalls_main(void *arg)
{
    int history = *(int *)arg;

    for (int64_t last_ns = swim_clock_boot_ns();;) {
        test_nap_ms(20);
        int64_t now_ns = swim_clock_boot_ns();
        if (now_ns - last_ns > (20 + STALL_MS) * NS_PER_MS)
            history_write(history, "Z %lld %lld\n", (long long)last_ns,
                          (long long)now_ns);
        last_ns = now_ns;
    }
    return NULL;
}

/* Kill half of the others as they stand, and let the other half end by themselves. */
static void end_the_others(struct driver *d, int stopped)
{
    atomic_store(&d->board->stop, 1);
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &d->workers[i];
        int64_t begin_ns = swim_clock_boot_ns();
        if (i == stopped)
            continue;
        if (w->stopped)
            worker_continue(d, i);
        if (i % 2 == 0)
            continue;
        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
        kill_note(d, i, begin_ns, SIGKILL);
        w->pid = 0;
    }
}

static void await_the_others(struct driver *d, int stopped)
{
    for (int i = 0; i < WORKERS; i++) {
        int status = 0;
        if (i == stopped || d->workers[i].pid == 0)
            continue;
        waitpid(d->workers[i].pid, &status, 0);
        if (status != 0)
            driver_fail(d, "worker %d ended with wait status %d", i, status);
    }
}

/* WRITE can be had of every resource although holders died and one is stopped. */
static void all_become_free(struct driver *d)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = LEASE_MAX_MS + FREE_MS};

    for (int r = 0; r < RESOURCES; r++) {
        char name[32];
        swim_lock_t *lock = NULL;
        swim_error_t err = {0};
        resource_name(name, sizeof(name), r);
        int64_t begin_ms = test_now_ms();
        int rc =
            swim_lock_acquire(d->session, name, SWIM_LOCK_WRITE, &opt, &lock, &err);
        printf("%s is free after %lld ms\n", name,
               (long long)(test_now_ms() - begin_ms));
        if (rc != SWIM_OK || (rc = swim_lock_release(lock, &err)) != SWIM_OK)
            driver_fail(d, "after the end, status %d: %s", rc, err.text);
    }
}

/* The server knows of nothing that is held or waited for. */
static void nothing_is_left(struct driver *d)
{
    static const char command[] =
        "EVAL \"local n = 0 for _, k in ipairs({'r','w','q','wake','tickets'}) do n = "
        "n "
        "+ #redis.call('KEYS', '{h5swim}:' .. k .. ':*') end return n\" 0";
    int64_t until_ms = test_now_ms() + LEFT_MS;
    char names[4096] = "";
    long left;

    /* Each session that opens sweeps some of the dead. */
    while ((left = redis_fixture_number(&d->redis, command)) != 0 &&
           test_now_ms() < until_ms) {
        (void)driver_session(d);
        test_nap_ms(20);
    }
    if (left == 0)
        return;
    (void)redis_fixture_say(&d->redis, "KEYS *", names, sizeof(names));
    driver_fail(d, "%ld keys are left at the server: %s", left, names);
}

static int round_begin(struct driver *d, char **argv)
{
    static const char *const appending[] = {"--appendonly", "yes", NULL};

    d->dir = argv[1];
    d->dice = strtoull(argv[2], NULL, 10);
    d->appends = strcmp(argv[6], "aof") == 0;
    d->redis.extra = d->appends ? appending : NULL;
    snprintf(d->redis.dir, sizeof(d->redis.dir), "%s", argv[5]);
    snprintf(d->redis.socket, sizeof(d->redis.socket), "%s/redis.sock", argv[5]);
    snprintf(d->redis.url, sizeof(d->redis.url), "unix://%s", d->redis.socket);
    d->history = history_open(d->dir, "driver");
    d->board = board_open(d->dir, true);
    if (d->history < 0 || !d->board || redis_fixture_start(&d->redis) != 0)
        return -1;
    (void)redis_fixture_vouch(&d->redis, 0);
    history_write(d->history, "M %d %d\n", LEASE_MAX_MS, WORKERS + WORKERS / 2);
    return driver_session(d);
}

static void round_end(struct driver *d)
{
    driver_nap(d, LEASE_MAX_MS + 500);
    int stopped = stop_a_holder(d, 60000, "last", 2000);
    if (stopped < 0)
        driver_fail(d, "no worker holds an UPDATE or WRITE");
    end_the_others(d, stopped);
    all_become_free(d);
    await_the_others(d, stopped);
    if (stopped >= 0) {
        struct worker *w = &d->workers[stopped];
        int64_t begin_ns = swim_clock_boot_ns();
        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
        worker_goes_on(d, stopped);
        kill_note(d, stopped, begin_ns, SIGKILL);
    }
    nothing_is_left(d);
    swim_session_close(d->session);
    redis_fixture_kill(&d->redis);
}

int main(int argc, char **argv)
{
    static struct driver d;
    pthread_t stalls;

    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        return worker_main(argc - 2, argv + 2);
    if (argc != 7) {
        fprintf(stderr, "usage: soak DIR SEED DECKS GAP_MS SERVER-DIR rdb|aof\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (round_begin(&d, argv) != 0 ||
        pthread_create(&stalls, NULL, stalls_main, &d.history) != 0) {
        fprintf(stderr,
                "soak: the folder %s, the server in %s or its clock watch "
                "cannot be had\n",
                argv[1], argv[5]);
        return 2;
    }
    for (int i = 0; i < WORKERS; i++)
        worker_start(&d, i);
    faults_run(&d, atoi(argv[3]), atoi(argv[4]));
    round_end(&d);
    printf("operations %llu\n", (unsigned long long)atomic_load(&d.board->operations));
    return d.failures ? 1 : 0;
}
