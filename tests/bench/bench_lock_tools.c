/* bench_lock_tools.c - processes, clocks and cores of the lock benchmark. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_lock.h"
#include "core/clock.h"

int64_t bench_now_ns(void)
{
    return swim_clock_mono_ns();
}

_Noreturn void bench_fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_lock: %s: %s\n", what, why);
    exit(1);
}

swim_session_t *bench_session(const char *url, uint32_t lease_ms)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = url,
                                             .lease_ms = lease_ms,
                                             .job = "bench",
                                             .rank = -1};
    swim_session_t *session = NULL;
    swim_error_t err = {0};

    if (swim_session_open(&opt, &session, &err) != SWIM_OK)
        bench_fail("open a session", err.text);
    return session;
}

swim_lock_t *bench_take(swim_session_t *session, const char *resource,
                        enum swim_lock_mode mode)
{
    swim_lock_t *lock = NULL;
    swim_error_t err = {0};

    if (swim_lock_acquire(session, resource, mode, NULL, &lock, &err) != SWIM_OK)
        bench_fail("acquire", err.text);
    return lock;
}

void bench_give(swim_lock_t *lock)
{
    swim_error_t err = {0};

    if (swim_lock_release(lock, &err) != SWIM_OK)
        bench_fail("release", err.text);
}

void *bench_shared(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        bench_fail("share memory", "mmap failed");
    return memory;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t bench_median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

static void crowd_work(const struct bench_crowd *crowd, int me, const char *url,
                       int64_t begin_ns)
{
    struct bench_worker *w = &crowd->worker[me];
    enum swim_lock_mode mode = me < crowd->readers ? SWIM_LOCK_READ : SWIM_LOCK_WRITE;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    swim_session_t *session = bench_session(url, 0);
    while (bench_now_ns() < begin_ns)
        swim_clock_nap_ns(100000);
    prctl(PR_SET_TIMERSLACK, 1); /* a hold is as long as it says */
    while (bench_now_ns() < begin_ns + crowd->time_ns) {
        int64_t asked = bench_now_ns();
        swim_lock_t *lock = bench_take(session, "/bench/crowd", mode);
        int64_t waited = bench_now_ns() - asked;
        if (waited > w->longest_ns)
            w->longest_ns = waited;
        if (crowd->hold_ns > 0)
            swim_clock_nap_ns(crowd->hold_ns);
        w->held_ns += bench_now_ns() - asked - waited;
        bench_give(lock);
        w->pairs++;
    }
    swim_session_close(session);
    w->rc = 0;
}

void bench_crowd_run(struct bench_crowd *crowd, const char *url)
{
    int count = crowd->readers + crowd->writers;
    int64_t begin_ns = bench_now_ns() + 500000000;
    pid_t pids[BENCH_WORKERS_MAX];

    crowd->worker = bench_shared(sizeof(*crowd->worker) * BENCH_WORKERS_MAX);
    for (int i = 0; i < count; i++) {
        crowd->worker[i].rc = 1;
        pids[i] = fork();
        if (pids[i] == 0) {
            crowd_work(crowd, i, url, begin_ns);
            _exit(0);
        }
    }
    for (int i = 0; i < count; i++) {
        waitpid(pids[i], NULL, 0);
        if (crowd->worker[i].rc != 0)
            bench_fail("a worker", "failed, see above");
    }
}

uint64_t bench_crowd_pairs(const struct bench_crowd *crowd, bool readers)
{
    int from = readers ? 0 : crowd->readers;
    int to = readers ? crowd->readers : crowd->readers + crowd->writers;
    uint64_t pairs = 0;

    for (int i = from; i < to; i++)
        pairs += crowd->worker[i].pairs;
    return pairs;
}

int64_t bench_crowd_hold(const struct bench_crowd *crowd)
{
    int64_t held_ns = 0, pairs = 0;

    for (int i = 0; i < crowd->readers + crowd->writers; i++) {
        held_ns += crowd->worker[i].held_ns;
        pairs += (int64_t)crowd->worker[i].pairs;
    }
    return pairs > 0 ? held_ns / pairs : 0;
}

int64_t bench_crowd_longest(const struct bench_crowd *crowd, bool readers)
{
    int from = readers ? 0 : crowd->readers;
    int to = readers ? crowd->readers : crowd->readers + crowd->writers;
    int64_t longest = 0;

    for (int i = from; i < to; i++)
        if (crowd->worker[i].longest_ns > longest)
            longest = crowd->worker[i].longest_ns;
    return longest;
}

void bench_pin(pid_t pid, int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (core < 0 || i == (size_t)core)
            CPU_SET(i, &set);
    if (sched_setaffinity(pid, sizeof(set), &set) != 0)
        bench_fail("pin to a core", "sched_setaffinity failed");
}

int64_t bench_cpu_ns(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        bench_fail("read processor time", "clock_gettime failed");
    return used.tv_sec * 1000000000LL + used.tv_nsec;
}
