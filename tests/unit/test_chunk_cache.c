/* test_chunk_cache.c - decoded chunks that processes share. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "store/chunk_cache.h"

#define CHUNK 5000 /* bytes */
#define CHUNKS_MOST 200
#define USERS 4

struct shared {
    atomic_uint made[CHUNKS_MOST];
    atomic_uint wrong, making, ready;
};

struct scene {
    struct chunk_cache cache;
    struct shared *shared;
    size_t bytes;
};

/* What one call of chunk_cache_get() is about. */
struct call {
    struct scene *s;
    uint64_t number;
    unsigned char copy[CHUNK];
    int fails;   /* make() returns it */
    bool sleeps; /* make() never comes back */
};

static void *shared_memory(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static void scene_open(struct scene *s, uint64_t entries)
{
    s->bytes = (size_t)chunk_cache_bytes(entries, CHUNK);
    s->cache = (struct chunk_cache){shared_memory(s->bytes), entries, CHUNK, 0};
    s->shared = shared_memory(sizeof(*s->shared));
    assert_non_null(s->cache.memory);
    assert_non_null(s->shared);
}

static void scene_close(struct scene *s)
{
    munmap(s->cache.memory, s->bytes);
    munmap(s->shared, sizeof(*s->shared));
}

static unsigned char byte_of(uint64_t number, size_t i)
{
    return (unsigned char)(number * 31 + i % 251 + 1);
}

static int make(void *arg, void *chunk, swim_error_t *err)
{
    struct call *call = arg;
    unsigned char *to = chunk;

    atomic_fetch_add(&call->s->shared->made[call->number], 1);
    memset(to, 0, CHUNK / 2); /* what a death leaves */
    atomic_fetch_add(&call->s->shared->making, 1);
    while (call->sleeps)
        pause();
    if (call->fails)
        return swim_error_set(err, call->fails, "no chunk");
    for (size_t i = 0; i < CHUNK; i++)
        to[i] = byte_of(call->number, i);
    return SWIM_OK;
}

static void use(void *arg, const void *chunk)
{
    struct call *call = arg;

    memcpy(call->copy, chunk, CHUNK);
}

static const struct chunk_cache_ops ops = {make, use};

static bool is_right(const struct call *call)
{
    for (size_t i = 0; i < CHUNK; i++)
        if (call->copy[i] != byte_of(call->number, i))
            return false;
    return true;
}

static int get(struct scene *s, uint64_t number)
{
    struct call call = {.s = s, .number = number};
    int rc = chunk_cache_get(&s->cache, number, &ops, &call, NULL);

    if (rc == SWIM_OK && !is_right(&call))
        atomic_fetch_add(&s->shared->wrong, 1);
    return rc;
}

static unsigned made_in_all(const struct scene *s)
{
    unsigned n = 0;

    for (size_t i = 0; i < CHUNKS_MOST; i++)
        n += atomic_load(&s->shared->made[i]);
    return n;
}

/* A process that gets n chunks below `below`, at random. */
static pid_t child_start(struct scene *s, uint32_t user, unsigned n, uint64_t below)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    unsigned seed = user + 1;
    s->cache.user = user;
    for (unsigned i = 0; i < n; i++)
        if (get(s, (uint64_t)rand_r(&seed) % below) != SWIM_OK)
            _exit(1);
    _exit(0);
}

static void children_end(const pid_t *pids)
{
    for (int i = 0; i < USERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

/* ------------------------------------------------------------------------------- */

static void what_fits_is_made_once_whoever_needs_it(void **state)
{
    struct scene s;
    pid_t pids[USERS];

    (void)state;
    scene_open(&s, 16); /* one set: all of them are in it */
    for (uint32_t u = 0; u < USERS; u++)
        pids[u] = child_start(&s, u, 20000, 16);
    children_end(pids);
    assert_int_equal(atomic_load(&s.shared->wrong), 0);
    assert_int_equal(made_in_all(&s), 16);
    scene_close(&s);
}

/* Two processes want the same chunk at the same moment, again and again. */
static void want_together(struct scene *s, uint32_t user)
{
    s->cache.user = user;
    for (unsigned r = 0; r < CHUNKS_MOST; r++) {
        atomic_fetch_add(&s->shared->ready, 1);
        while (atomic_load(&s->shared->ready) < 2 * (r + 1))
            sched_yield();
        if (get(s, r) != SWIM_OK)
            _exit(1);
    }
    _exit(0);
}

static void what_two_want_at_once_is_made_once(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct scene s;
        pid_t pids[2];
        scene_open(&s, 4ul * CHUNKS_MOST);
        for (uint32_t u = 0; u < 2; u++)
            if ((pids[u] = fork()) == 0)
                want_together(&s, u);
        for (uint32_t u = 0; u < 2; u++) {
            int status = -1;
            assert_int_equal(waitpid(pids[u], &status, 0), pids[u]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(atomic_load(&s.shared->wrong), 0);
        assert_int_equal(made_in_all(&s), CHUNKS_MOST);
        scene_close(&s);
    }
}

static void what_is_replaced_meanwhile_is_never_seen_in_parts(void **state)
{
    struct scene s;
    pid_t pids[USERS];

    (void)state;
    scene_open(&s, 3);
    for (uint32_t u = 0; u < USERS; u++)
        pids[u] = child_start(&s, u, 20000, 7);
    children_end(pids);
    assert_int_equal(atomic_load(&s.shared->wrong), 0);
    assert_true(made_in_all(&s) > 1000);
    scene_close(&s);
}

static void the_oldest_goes_first(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s, 2);
    assert_int_equal(get(&s, 0), SWIM_OK);
    assert_int_equal(get(&s, 1), SWIM_OK);
    assert_int_equal(get(&s, 0), SWIM_OK);
    assert_int_equal(get(&s, 2), SWIM_OK); /* in the place of 1 */
    assert_int_equal(get(&s, 0), SWIM_OK);
    assert_int_equal(atomic_load(&s.shared->made[0]), 1);
    assert_int_equal(get(&s, 1), SWIM_OK);
    assert_int_equal(atomic_load(&s.shared->made[1]), 2);
    assert_int_equal(atomic_load(&s.shared->wrong), 0);
    scene_close(&s);
}

static void what_could_not_be_made_is_not_there(void **state)
{
    struct scene s;
    swim_error_t err = {0};

    (void)state;
    scene_open(&s, 2);
    struct call call = {.s = &s, .number = 5, .fails = SWIM_ERR_CORRUPT};
    assert_int_equal(chunk_cache_get(&s.cache, 5, &ops, &call, &err), SWIM_ERR_CORRUPT);
    assert_string_equal(err.text, "no chunk");
    assert_int_equal(get(&s, 5), SWIM_OK);
    assert_int_equal(atomic_load(&s.shared->made[5]), 2);
    assert_int_equal(atomic_load(&s.shared->wrong), 0);
    scene_close(&s);
}

/* A process that dies while it makes a chunk. */
static void die_making(struct scene *s, uint32_t user, uint64_t number)
{
    unsigned before = atomic_load(&s->shared->making);
    pid_t pid = fork();

    if (pid == 0) {
        struct call call = {.s = s, .number = number, .sleeps = true};
        s->cache.user = user;
        (void)chunk_cache_get(&s->cache, number, &ops, &call, NULL);
        _exit(0);
    }
    while (atomic_load(&s->shared->making) == before)
        swim_clock_nap_ns(100000);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_dies_making_one_leaves_nothing_behind(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s, 2);
    die_making(&s, 1, 7);
    die_making(&s, 2, 8);
    chunk_cache_forget(&s.cache, 1);
    chunk_cache_forget(&s.cache, 2);
    int64_t begin = swim_clock_mono_ns();
    assert_int_equal(get(&s, 7), SWIM_OK);
    assert_int_equal(get(&s, 8), SWIM_OK);
    assert_int_equal(get(&s, 7), SWIM_OK);
    /* each of the dead would be waited for for two seconds */
    assert_true(swim_clock_mono_ns() - begin < 3500000000);
    assert_int_equal(atomic_load(&s.shared->made[7]), 2);
    assert_int_equal(atomic_load(&s.shared->made[8]), 2);
    assert_int_equal(atomic_load(&s.shared->wrong), 0);
    scene_close(&s);
}

/* Before the rank knows that it is dead, or while it is stopped. */
static void who_does_not_end_making_one_stops_nobody(void **state)
{
    struct scene s;

    (void)state;
    scene_open(&s, 1);
    die_making(&s, 1, 7);
    assert_int_equal(get(&s, 7), SWIM_OK);
    assert_int_equal(get(&s, 8), SWIM_OK);
    assert_int_equal(atomic_load(&s.shared->wrong), 0);
    scene_close(&s);
}

static void entries_fit_into_the_bytes_given(void **state)
{
    (void)state;
    assert_int_equal(chunk_cache_entries(0, CHUNK), 0);
    assert_int_equal(chunk_cache_bytes(0, CHUNK), 0);
    for (uint64_t n = 1; n < 300; n++) {
        uint64_t bytes = chunk_cache_bytes(n, CHUNK);
        assert_true(chunk_cache_bytes(chunk_cache_entries(bytes, CHUNK), CHUNK) <=
                    bytes);
        assert_true(chunk_cache_entries(bytes + 256, CHUNK) >= n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_made_once_whoever_needs_it),
        cmocka_unit_test(what_two_want_at_once_is_made_once),
        cmocka_unit_test(what_is_replaced_meanwhile_is_never_seen_in_parts),
        cmocka_unit_test(the_oldest_goes_first),
        cmocka_unit_test(what_could_not_be_made_is_not_there),
        cmocka_unit_test(who_dies_making_one_leaves_nothing_behind),
        cmocka_unit_test(who_does_not_end_making_one_stops_nobody),
        cmocka_unit_test(entries_fit_into_the_bytes_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
