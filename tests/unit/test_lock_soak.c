/* test_lock_soak.c - exclusion holds while processes come, hold, wait and are killed.
 *
 * Shared memory counts who is inside.  A killed process cannot count itself out, so
 * each has a slot of its own, which names what it holds; the parent clears the slot of
 * one that it killed once it is dead, which is what the lock layer waits for too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "redis_fixture.h"

#define PROCESSES 6
#define RESOURCES 2
#define SECONDS 10

struct slot {
    atomic_int holds[RESOURCES]; /* 0, or the mode */
    atomic_int pid;
    _Atomic uint64_t rounds;
};

struct board {
    struct slot slots[PROCESSES];
    atomic_int wrong, failed;
    _Atomic uint64_t fences[RESOURCES];
    _Atomic uint64_t granted[4];
};

static struct board *board;

static bool together(int a, int b)
{
    return (a == SWIM_LOCK_READ && b != SWIM_LOCK_WRITE) ||
           (b == SWIM_LOCK_READ && a != SWIM_LOCK_WRITE);
}

/* A slot of a process that is dead by now holds nothing. */
static bool slot_lives(const struct slot *slot)
{
    char path[64], stat[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", atomic_load(&slot->pid));
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    bool read = fgets(stat, sizeof(stat), f) != NULL;
    fclose(f);
    const char *c = strrchr(stat, ')');
    return read && c && c[2] != 'Z' && c[2] != 'X';
}

static void look_around(int me, int resource, int mode)
{
    for (int i = 0; i < PROCESSES; i++) {
        int other = atomic_load(&board->slots[i].holds[resource]);
        if (i != me && other && !together(mode, other) &&
            slot_lives(&board->slots[i]) &&
            atomic_load(&board->slots[i].holds[resource]) == other)
            atomic_fetch_add(&board->wrong, 1);
    }
}

static void one_round(swim_session_t *session, int me, unsigned *seed)
{
    static const char *const names[RESOURCES] = {"/soak/a", "/soak/b"};
    int resource = rand_r(seed) % RESOURCES;
    int mode = 1 + rand_r(seed) % 3;
    const struct swim_lock_options opt = {
        .struct_size = sizeof(opt),
        .wait_ms = rand_r(seed) % 5 ? 20000 : 1 + rand_r(seed) % 5};
    const struct timespec nap = {0, rand_r(seed) % 3000000};
    swim_lock_t *lock = NULL;
    swim_error_t err = {0};

    int rc = swim_lock_acquire(session, names[resource], (enum swim_lock_mode)mode,
                               &opt, &lock, &err);
    if (rc == SWIM_ERR_TIMEOUT && opt.wait_ms < 100)
        return;
    if (rc != SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        atomic_fetch_add(&board->failed, 1);
        return;
    }
    atomic_store(&board->slots[me].holds[resource], mode);
    look_around(me, resource, mode);
    if (mode != SWIM_LOCK_READ &&
        atomic_exchange(&board->fences[resource], swim_lock_fence(lock)) >=
            swim_lock_fence(lock))
        atomic_fetch_add(&board->wrong, 1);
    nanosleep(&nap, NULL);
    look_around(me, resource, mode);
    atomic_store(&board->slots[me].holds[resource], 0);
    if (swim_lock_release(lock, &err) != SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        atomic_fetch_add(&board->failed, 1);
    }
    atomic_fetch_add(&board->slots[me].rounds, 1);
    atomic_fetch_add(&board->granted[mode], 1);
}

_Noreturn static void soak_child(const char *url, int me, unsigned seed)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .lease_ms = 3000, .rank = me};
    swim_session_t *session = NULL;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < RESOURCES; i++)
        atomic_store(&board->slots[me].holds[i], 0);
    atomic_store(&board->slots[me].pid, getpid());
    if (swim_session_open(&opt, &session, NULL) != SWIM_OK) {
        atomic_fetch_add(&board->failed, 1);
        _exit(1);
    }
    for (;;)
        one_round(session, me, &seed);
}

static pid_t soak_start(const char *url, int me, unsigned seed)
{
    pid_t pid = fork();

    if (pid == 0)
        soak_child(url, me, seed);
    return pid;
}

static void exclusion_holds_while_processes_are_killed(void **state)
{
    struct redis_fixture redis;
    pid_t pids[PROCESSES];
    unsigned seed = (unsigned)time(NULL);
    int kills = 0;
    uint64_t rounds = 0;

    (void)state;
    print_message("seed %u\n", seed);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(board != MAP_FAILED);
    assert_int_equal(redis_fixture_open(&redis, NULL), 0);
    for (int i = 0; i < PROCESSES; i++)
        pids[i] = soak_start(redis.url, i, (unsigned)rand_r(&seed));
    int64_t until = test_now_ms() + SECONDS * INT64_C(1000);
    while (test_now_ms() < until) {
        test_nap_ms(100 + rand_r(&seed) % 200);
        int victim = rand_r(&seed) % PROCESSES;
        kill(pids[victim], SIGKILL);
        waitpid(pids[victim], NULL, 0);
        pids[victim] = soak_start(redis.url, victim, (unsigned)rand_r(&seed));
        kills++;
    }
    for (int i = 0; i < PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
        rounds += atomic_load(&board->slots[i].rounds);
    }
    redis_fixture_close(&redis);
    print_message("rounds %lu (R %lu U %lu W %lu), kills %d\n", (unsigned long)rounds,
                  (unsigned long)atomic_load(&board->granted[1]),
                  (unsigned long)atomic_load(&board->granted[2]),
                  (unsigned long)atomic_load(&board->granted[3]), kills);
    assert_int_equal(atomic_load(&board->wrong), 0);
    assert_int_equal(atomic_load(&board->failed), 0);
    assert_true(rounds > 200);
    for (int mode = 1; mode <= 3; mode++)
        assert_true(atomic_load(&board->granted[mode]) > 20);
    munmap(board, sizeof(*board));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusion_holds_while_processes_are_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
