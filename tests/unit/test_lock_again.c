/* test_lock_again.c - locks of who had this process's number before: it itself as
 * another program, or a process that has died; and who cannot be seen alive. */
#include "lock_scene.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#define LONG_MS 60000 /* lease of those who are gone */

#define OUR_SESSIONS                                                        \
    "EVAL \"for _,k in ipairs(redis.call('KEYS','{h5swim}:session:*')) do " \
    "redis.call('HSET',k,'%s','%s') end return 1\" 0"

static void set_field(const struct redis_fixture *redis, const char *field,
                      const char *value)
{
    char command[256];

    snprintf(command, sizeof(command), OUR_SESSIONS, field, value);
    say(redis, command, ":1");
}

/* --- the same process after exec ----------------------------------------------------
 */

/* --program WHICH URL WAIT: the first one takes the lock and becomes the second one. */
static void program_main(char **argv)
{
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;
    swim_error_t err = {0};
    char *next[] = {argv[0], argv[1], "2", argv[3], argv[4], NULL};

    int rc = session_try(argv[3], LONG_MS, NULL, &session, &err);
    if (rc == SWIM_OK)
        rc = take_at(session, RESOURCE, SWIM_LOCK_WRITE, atoll(argv[4]), &lock, &err);
    if (rc == SWIM_OK && argv[2][0] == '1')
        execv("/proc/self/exe", next);
    if (rc != SWIM_OK)
        fprintf(stderr, "program %s: %s\n", argv[2], err.text);
    _exit(rc == SWIM_OK ? 0 : 1);
}

static void program_twice(struct scene *s, char *wait_ms)
{
    char *argv[] = {"program", "--program", "1", s->redis.url, wait_ms, NULL};
    int status = -1;

    pid_t pid = fork();
    if (pid == 0) {
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void a_program_that_became_another_has_no_locks(void **state)
{
    program_twice(*state, "20000");
}

static void nor_has_it_any_for_who_only_tries(void **state)
{
    program_twice(*state, "-1");
}

/* --- a number that is used again ----------------------------------------------------
 */

/* As in a container that is started again: its first process is always number 1. */
static void a_dead_process_of_our_number_has_no_locks(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;
    char pid[24];

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    snprintf(pid, sizeof(pid), "%d", getpid());
    set_field(&s->redis, "pid", pid);
    set_field(&s->redis, "start", "1");
    swim_session_t *session = session_at(s->redis.url, LONG_MS, NULL);
    assert_int_equal(take(session, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock), SWIM_OK);
    swim_session_close(session);
}

/* --- the same process, alive --------------------------------------------------------
 */

static int try_beside(const struct scene *s)
{
    swim_lock_t *lock = NULL;
    swim_session_t *session = session_at(s->redis.url, LONG_MS, NULL);

    int rc = take(session, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock);
    swim_session_close(session);
    return rc;
}

static void who_is_not_known_to_be_gone_is_left_alone(void **state)
{
    struct scene *s = *state;
    swim_lock_t *lock = NULL;
    swim_session_t *session = session_at(s->redis.url, LONG_MS, NULL);

    assert_int_equal(take(session, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &lock), SWIM_OK);
    set_field(&s->redis, "image", "");
    assert_int_equal(try_beside(s), SWIM_ERR_TIMEOUT);
    set_field(&s->redis, "boot", "other"); /* where this number is another process */
    set_field(&s->redis, "image", "0");
    assert_int_equal(try_beside(s), SWIM_ERR_TIMEOUT);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

/* dlsym() gives no pointer to a function. */
#define FIND(library, fn) (*(void **)&(their_##fn) = dlsym(library, "swim_" #fn))

/* A plug-in beside a preloaded library: each knows its own sessions alone. */
static void another_copy_of_the_library_keeps_its_locks(void **state)
{
    struct scene *s = *state;
    const char *build = getenv("SWIM_BUILD");
    struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = s->redis.url, .lease_ms = LONG_MS};
    __typeof__(swim_session_open) *their_session_open;
    __typeof__(swim_session_close) *their_session_close;
    __typeof__(swim_lock_acquire) *their_lock_acquire;
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;
    char path[512];

    snprintf(path, sizeof(path), "%s/lib/libh5swim.so", build ? build : ".");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        print_message("%s\n", dlerror());
        skip();
    }
    assert_non_null(FIND(library, session_open));
    assert_non_null(FIND(library, session_close));
    assert_non_null(FIND(library, lock_acquire));
    assert_true(their_session_open != swim_session_open);
    assert_int_equal(their_session_open(&opt, &session, NULL), SWIM_OK);
    assert_int_equal(
        their_lock_acquire(session, RESOURCE, SWIM_LOCK_WRITE, NULL, &lock, NULL),
        SWIM_OK);
    assert_int_equal(try_beside(s), SWIM_ERR_TIMEOUT);
    their_session_close(session);
    assert_int_equal(try_beside(s), SWIM_OK);
}

/* --- another time namespace ---------------------------------------------------------
 */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define NOT_ALLOWED 77

/* In a child: its children live in a time that is hours ahead.  False: not allowed. */
static bool time_go_ahead(void)
{
    static const char ahead[] = "boottime 10000 0\n";
    ssize_t n = -1;

    if (unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0)
        return false;
    int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = write(fd, ahead, sizeof(ahead) - 1);
        close(fd);
    }
    return n == sizeof(ahead) - 1;
}

static int exit_of(pid_t pid)
{
    int status = -1;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                : -1;
}

static void who_lives_in_another_time_is_not_dead(void **state)
{
    struct scene *s = *state;

    start_holding(&s->redis, &s->a, LONG_MS, SWIM_LOCK_WRITE);
    pid_t pid = fork();
    if (pid == 0) {
        if (!time_go_ahead())
            _exit(NOT_ALLOWED);
        pid_t there = fork();
        if (there == 0)
            _exit(-try_beside(s));
        _exit(exit_of(there));
    }
    int rc = exit_of(pid);
    if (rc == NOT_ALLOWED) {
        print_message("no time namespace can be made here\n");
        skip();
    }
    assert_int_equal(rc, -SWIM_ERR_TIMEOUT);
    assert_told(&s->a, 'c', SWIM_OK);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_program_that_became_another_has_no_locks),
        TEST(nor_has_it_any_for_who_only_tries),
        TEST(a_dead_process_of_our_number_has_no_locks),
        TEST(who_is_not_known_to_be_gone_is_left_alone),
        TEST(another_copy_of_the_library_keeps_its_locks),
        TEST(who_lives_in_another_time_is_not_dead),
    };
    if (argc == 5 && strcmp(argv[1], "--program") == 0)
        program_main(argv);
    if (actor_main(argc, argv))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
