/* test_selftest.c - the checks of "h5swim selftest" see what is wrong: each is given a
 * lock library with one fault, at a real server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/signals.h>

#include "cli/selftest.h"
#include "redis_fixture.h"
#include "scratch_dir.h"

struct scene {
    struct redis_fixture redis;
    struct scratch_dir dir;
    struct selftest t;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    return s && redis_fixture_open(&s->redis, NULL) == 0 ? scratch_dir_make(&s->dir)
                                                         : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    redis_fixture_close(&s->redis);
    scratch_dir_remove(&s->dir);
    free(s);
    return 0;
}

static const struct selftest_check *check_named(const char *name)
{
    for (int i = 0; i < SELFTEST_CHECKS; i++)
        if (strcmp(selftest_checks[i].name, name) == 0)
            return &selftest_checks[i];
    fail_msg("no check %s", name);
    return NULL;
}

/* What the checks make of a library: those in bad (names, NULL at the end) fail, those
 * in good do not. */
static void assert_seen(struct scene *s, const struct selftest_locks *locks,
                        const char *const *bad, const char *const *good)
{
    struct selftest_finding f;

    assert_int_equal(selftest_begin(&s->t, locks, s->redis.url, s->dir.path, NULL),
                     SWIM_OK);
    selftest_run(&s->t, check_named("server"), &f);
    if (f.result != SELFTEST_OK)
        fail_msg("server: %s", f.text);
    for (int wrong = 1; wrong >= 0; wrong--)
        for (const char *const *name = wrong ? bad : good; *name; name++) {
            selftest_run(&s->t, check_named(*name), &f);
            print_message("%s: %s\n", *name, f.text);
            if (f.result != (wrong ? SELFTEST_FAILED : SELFTEST_OK))
                fail_msg("%s: %s", *name, f.text);
        }
    selftest_end(&s->t);
    assert_int_equal(redis_fixture_number(&s->redis, "ZCARD {h5swim}:sessions"), 0);
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__})

static void the_library_itself_is_well(void **state)
{
    assert_seen(*state, &selftest_library, NAMES(NULL),
                NAMES("first lock", "modes", "order", "fences", "killed holder",
                      "holder told to go", "stopped holder", "names of a file", "flock",
                      "nothing is left", NULL));
}

/* --- nobody is kept out -------------------------------------------------------------
 */

static int open_acquire(swim_session_t *session, const char *resource,
                        enum swim_lock_mode mode, const struct swim_lock_options *opt,
                        swim_lock_t **out, swim_error_t *err)
{
    (void)session, (void)resource, (void)mode, (void)opt, (void)err;
    *out = malloc(1);
    return *out ? SWIM_OK : SWIM_ERR_NOMEM;
}

static int open_release(swim_lock_t *lock, swim_error_t *err)
{
    (void)err;
    free(lock);
    return SWIM_OK;
}

static int open_check(const swim_lock_t *lock, uint32_t margin_ms, swim_error_t *err)
{
    (void)lock, (void)margin_ms, (void)err;
    return SWIM_OK;
}

static uint64_t seven(const swim_lock_t *lock)
{
    (void)lock;
    return 7;
}

static void locks_that_let_everyone_in_are_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.acquire = open_acquire;
    locks.release = open_release;
    locks.check = open_check;
    locks.fence = seven;
    assert_seen(*state, &locks,
                NAMES("modes", "order", "fences", "exclusion", "killed holder",
                      "holder told to go", "stopped holder", "names of a file", NULL),
                NAMES("first lock", "flock", "nothing is left", NULL));
}

/* --- the wrong mode -----------------------------------------------------------------
 */

static int weak_acquire(swim_session_t *session, const char *resource,
                        enum swim_lock_mode mode, const struct swim_lock_options *opt,
                        swim_lock_t **out, swim_error_t *err)
{
    return swim_lock_acquire(session, resource,
                             mode == SWIM_LOCK_WRITE ? SWIM_LOCK_UPDATE : mode, opt,
                             out, err);
}

static void a_writer_beside_readers_is_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.acquire = weak_acquire;
    assert_seen(*state, &locks, NAMES("modes", "order", "exclusion", NULL),
                NAMES("fences", "killed holder", "stopped holder", NULL));
}

static int strong_acquire(swim_session_t *session, const char *resource,
                          enum swim_lock_mode mode, const struct swim_lock_options *opt,
                          swim_lock_t **out, swim_error_t *err)
{
    (void)mode;
    return swim_lock_acquire(session, resource, SWIM_LOCK_WRITE, opt, out, err);
}

static void readers_that_are_kept_apart_are_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.acquire = strong_acquire;
    assert_seen(*state, &locks, NAMES("modes", "order", NULL),
                NAMES("fences", "killed holder", NULL));
}

static int preferring_acquire(swim_session_t *session, const char *resource,
                              enum swim_lock_mode mode,
                              const struct swim_lock_options *opt, swim_lock_t **out,
                              swim_error_t *err)
{
    struct swim_lock_options strict = {.struct_size = sizeof(strict)};

    if (opt)
        strict = *opt;
    strict.prefer = SWIM_PREFER_WRITER;
    return swim_lock_acquire(session, resource, mode, &strict, out, err);
}

static void writers_that_pass_readers_are_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.acquire = preferring_acquire;
    assert_seen(*state, &locks, NAMES("order", NULL), NAMES("modes", NULL));
}

/* --- one thing wrong ----------------------------------------------------------------
 */

static void a_lost_lock_that_is_believed_is_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.check = open_check;
    assert_seen(*state, &locks, NAMES("stopped holder", NULL), NAMES("modes", NULL));
}

static void fences_that_stand_still_are_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.fence = seven;
    assert_seen(*state, &locks, NAMES("fences", NULL), NAMES("modes", NULL));
}

static int plain_name(const char *path, char *resource, size_t size, swim_error_t *err)
{
    (void)err;
    snprintf(resource, size, "%s", path);
    return SWIM_OK;
}

static void names_that_are_taken_as_they_are_are_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.resource_of_file = plain_name;
    assert_seen(*state, &locks, NAMES("names of a file", NULL), NAMES("modes", NULL));
}

/* With this the process dies of SIGTERM as any other, its locks stay. */
static int unguarded_open(const struct swim_session_options *opt, swim_session_t **out,
                          swim_error_t *err)
{
    int rc = swim_session_open(opt, out, err);

    swim_signals_remove();
    return rc;
}

static void a_lock_that_outlives_sigterm_is_seen(void **state)
{
    struct selftest_locks locks = selftest_library;

    locks.open = unguarded_open;
    assert_seen(*state, &locks, NAMES("holder told to go", NULL), NAMES("modes", NULL));
}

/* --- processes that fail ------------------------------------------------------------
 */

static int crashing_release(swim_lock_t *lock, swim_error_t *err)
{
    (void)lock, (void)err;
    _exit(3);
}

static void crashing_close(swim_session_t *session)
{
    swim_session_close(session);
    _exit(3);
}

static void a_process_that_fails_is_seen(void **state)
{
    struct scene *s = *state;
    struct selftest_locks locks = selftest_library;

    locks.release = crashing_release;
    assert_seen(s, &locks, NAMES("modes", "fences", "round trip", NULL),
                NAMES("flock", NULL));
    locks.release = selftest_library.release;
    locks.close = crashing_close;
    struct selftest_finding f;
    assert_int_equal(selftest_begin(&s->t, &locks, s->redis.url, s->dir.path, NULL),
                     SWIM_OK);
    selftest_run(&s->t, check_named("first lock"), &f);
    assert_int_equal(f.result, SELFTEST_FAILED);
    assert_non_null(strstr(f.text, "ended with status 3"));
    selftest_end(&s->t);
}

static void clocks_that_do_not_go_alike_are_seen(void **state)
{
    static const struct {
        double boot_ms, server_ms;
        enum selftest_result result;
    } runs[] = {
        {4000, 4010, SELFTEST_OK},     {4000, 3990, SELFTEST_OK},
        {0, 0, SELFTEST_OK},           {4000, 4500, SELFTEST_FAILED},
        {4000, 3500, SELFTEST_FAILED}, {4000, -3.6e6, SELFTEST_FAILED},
        {20000, 20900, SELFTEST_OK},   {20000, 21200, SELFTEST_FAILED},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
        struct selftest_finding f = {.result = SELFTEST_SKIPPED};
        clock_judge(runs[i].boot_ms, runs[i].server_ms, &f);
        assert_int_equal(f.result, runs[i].result);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_library_itself_is_well),
        TEST(locks_that_let_everyone_in_are_seen),
        TEST(a_writer_beside_readers_is_seen),
        TEST(readers_that_are_kept_apart_are_seen),
        TEST(writers_that_pass_readers_are_seen),
        TEST(a_lost_lock_that_is_believed_is_seen),
        TEST(fences_that_stand_still_are_seen),
        TEST(names_that_are_taken_as_they_are_are_seen),
        TEST(a_lock_that_outlives_sigterm_is_seen),
        TEST(a_process_that_fails_is_seen),
        cmocka_unit_test(clocks_that_do_not_go_alike_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
