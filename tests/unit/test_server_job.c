/* test_server_job.c - the lock server of one job: who reaches it, and when it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "core/clock.h"
#include "lock/redis_link.h"
#include "lock/server_job.h"
#include "lock/server_private.h"
#include "redis_fixture.h"

#define PATIENCE_MS 20000 /* with a busy machine */

/* A process that has started one and lives until it is killed. */
struct scene {
    pid_t starter, keeper, server;
    struct server_job job;
    struct host_addresses here;
};

static void starter_main(const struct host_addresses *where, int fd)
{
    struct server_job job;
    swim_error_t err = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (server_job_start(where, &job, &err) != SWIM_OK) {
        fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    if (write(fd, &job, sizeof(job)) == sizeof(job))
        pause();
    _exit(1);
}

/* A question with this password: its answer, or why there is none. */
static int ask(const struct server_job *job, const char *password,
               const char *const *words, int n, char *text, size_t size)
{
    struct lock_url url = {.port = (int)job->port, .host = "127.0.0.1"};
    const struct redis_wait wait = {.until_ns =
                                        swim_clock_mono_ns() + PATIENCE_MS * 1000000LL};
    struct redis_answer *answer = NULL;
    swim_error_t err = {0};

    url.has_login = password != NULL;
    if (password)
        snprintf(url.password, sizeof(url.password), "%s", password);
    struct redis_link *link = redis_link_create(&url, &redis_link_sockets);
    assert_non_null(link);
    int rc = redis_link_call(link, n, words, &wait, &answer, &err);
    if (rc == SWIM_OK && redis_answer_count(answer) == 2)
        snprintf(text, size, "%s", redis_answer_text(redis_answer_at(answer, 1)));
    else
        snprintf(text, size, "%s",
                 rc == SWIM_OK ? redis_answer_text(answer) : err.text);
    redis_answer_free(answer);
    redis_link_destroy(link);
    return rc;
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512] = "";
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(line, sizeof(line), f))
        (void)sscanf(strrchr(line, ')'), ") %*c %d", &parent);
    if (f)
        fclose(f);
    return parent;
}

/* not_ours: one of the addresses that it is to listen at, the first one, is of nobody.
 */
static int setup_at(void **state, bool not_ours)
{
    static const char *const info[] = {"INFO", "server"};
    struct scene *s = calloc(1, sizeof(*s));
    struct host_addresses where;
    char text[8192];
    int fds[2];

    *state = s;
    if (!s || pipe2(fds, O_CLOEXEC) != 0 ||
        addresses_look(NULL, &s->here, NULL) != SWIM_OK ||
        addresses_choose(&s->here, NULL, &s->here, 1, &where, NULL) != SWIM_OK)
        return -1;
    if (not_ours) {
        where.at[where.n++] = where.at[0];
        where.at[0] = (struct address){.bytes = {192, 0, 2, 1}, .prefix = 24};
    }
    s->starter = fork();
    if (s->starter == 0)
        starter_main(&where, fds[1]);
    close(fds[1]);
    ssize_t n = read(fds[0], &s->job, sizeof(s->job));
    close(fds[0]);
    if (n != sizeof(s->job) ||
        ask(&s->job, s->job.password, info, 2, text, sizeof(text)) != SWIM_OK)
        return -1;
    s->server = (pid_t)server_info_number(text, "process_id");
    s->keeper = parent_of(s->server);
    return 0;
}

static int setup(void **state)
{
    return setup_at(state, false);
}

static int setup_not_ours(void **state)
{
    return setup_at(state, true);
}

static void starter_end(struct scene *s)
{
    if (s->starter > 0) {
        kill(s->starter, SIGKILL);
        waitpid(s->starter, NULL, 0);
    }
    s->starter = 0;
}

/* Nobody is there, or what nobody has reaped yet. */
static bool is_gone(pid_t pid)
{
    char path[64], line[512] = "", state = 'Z';

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(line, sizeof(line), f) && strrchr(line, ')'))
        (void)sscanf(strrchr(line, ')'), ") %c", &state);
    if (f)
        fclose(f);
    return state == 'Z';
}

static bool is_gone_within(pid_t pid, int64_t ms)
{
    int64_t until = test_now_ms() + ms;

    while (!is_gone(pid) && test_now_ms() < until)
        test_nap_ms(2);
    return is_gone(pid);
}

static int teardown(void **state)
{
    struct scene *s = *state;

    if (!s) /* a test that did this by itself, and failed */
        return -1;
    *state = NULL;
    starter_end(s);
    bool gone = is_gone_within(s->server, PATIENCE_MS) &&
                is_gone_within(s->keeper, PATIENCE_MS);
    free(s);
    return gone ? 0 : -1;
}

static void it_is_reached_by_a_url(void **state)
{
    struct scene *s = *state;
    char url[SERVER_JOB_URL_MAX];
    swim_error_t err = {0};
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .rank = -1};
    swim_session_t *session = NULL;

    assert_int_equal(strlen(s->job.password), 32);
    assert_int_equal(server_job_reach(&s->job, &s->here, url, &err), SWIM_OK);
    assert_int_equal(swim_session_open(&opt, &session, &err), SWIM_OK);
    swim_session_close(session);
}

static void an_address_that_cannot_be_had_is_left_out(void **state)
{
    struct scene *s = *state;
    char text[ADDRESS_TEXT_MAX];

    assert_int_equal(s->job.where.n, 1);
    assert_string_equal(address_text(&s->job.where.at[0], text), "127.0.0.1");
    it_is_reached_by_a_url(state);
}

/* No lock can be older than the server. */
static void its_locks_are_had_at_once(void **state)
{
    struct scene *s = *state;
    char url[SERVER_JOB_URL_MAX];
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .rank = -1};
    const struct swim_lock_options at_once = {.struct_size = sizeof(at_once),
                                              .wait_ms = 500};
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;

    assert_int_equal(server_job_reach(&s->job, &s->here, url, NULL), SWIM_OK);
    assert_int_equal(swim_session_open(&opt, &session, NULL), SWIM_OK);
    assert_int_equal(
        swim_lock_acquire(session, "x", SWIM_LOCK_WRITE, &at_once, &lock, NULL),
        SWIM_OK);
    swim_lock_release(lock, NULL);
    swim_session_close(session);
}

static void without_its_password_nobody_gets_in(void **state)
{
    static const char *const ping[] = {"PING"};
    struct scene *s = *state;
    char wrong[33], text[640];

    memcpy(wrong, s->job.password, sizeof(wrong));
    wrong[31] = wrong[31] == '0' ? '1' : '0';
    assert_int_equal(ask(&s->job, wrong, ping, 1, text, sizeof(text)), SWIM_ERR_IO);
    assert_null(strstr(text, wrong));
    assert_int_equal(ask(&s->job, NULL, ping, 1, text, sizeof(text)), SWIM_ERR_IO);
    assert_non_null(strstr(text, "NOAUTH"));
}

static void another_server_is_not_taken_for_it(void **state)
{
    struct scene *s = *state;
    struct server_job other = s->job;
    char url[SERVER_JOB_URL_MAX];
    swim_error_t err = {0};

    other.run_id[0] = other.run_id[0] == '0' ? '1' : '0';
    assert_int_equal(server_job_reach(&other, &s->here, url, &err), SWIM_ERR_IO);
    assert_string_equal(url, "");
    assert_null(strstr(err.text, other.password));
    swim_error_clear(&err);
    other = s->job;
    other.port = 1;
    assert_int_equal(server_job_reach(&other, &s->here, url, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "SWIM_REDIS_URL"));
    assert_null(strstr(err.text, other.password));
}

/* An address that is this host's own is another host's too: it leads not there. */
static void an_own_address_is_not_tried(void **state)
{
    struct scene *s = *state;
    struct host_addresses elsewhere = s->here;
    char url[SERVER_JOB_URL_MAX];
    swim_error_t err = {0};

    snprintf(elsewhere.stack, sizeof(elsewhere.stack), "another");
    elsewhere.at[0] = s->job.where.at[0];
    elsewhere.n = 1;
    assert_int_equal(server_job_reach(&s->job, &elsewhere, url, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "tried: nothing"));
}

static void it_keeps_all_and_saves_nothing(void **state)
{
    static const char *const settings[][2] = {{"save", ""},
                                              {"appendonly", "no"},
                                              {"maxmemory-policy", "noeviction"},
                                              {"protected-mode", "yes"},
                                              {"bind", "127.0.0.1"},
                                              {"dbfilename", "h5swim.none"},
                                              {"unixsocket", ""}};
    struct scene *s = *state;
    char text[640];

    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        const char *const words[] = {"CONFIG", "GET", settings[i][0]};
        assert_int_equal(ask(&s->job, s->job.password, words, 3, text, sizeof(text)),
                         SWIM_OK);
        assert_string_equal(text, settings[i][1]);
    }
}

static void signals_meant_for_the_job_do_not_end_it(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT};
    struct scene *s = *state;
    char url[SERVER_JOB_URL_MAX];

    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        kill(s->keeper, signals[i]);
        kill(s->server, signals[i]);
    }
    assert_false(is_gone_within(s->server, 100));
    assert_int_equal(server_job_reach(&s->job, &s->here, url, NULL), SWIM_OK);
    assert_false(is_gone(s->keeper));
}

/* It would linger for a second.  The shortest of several times: others may be at work.
 */
static void it_ends_at_once_when_nobody_is_connected(void **state)
{
    int64_t shortest = INT64_MAX;

    for (int i = 0; i < 10 && shortest >= 800; i++) {
        if (i > 0) {
            assert_int_equal(teardown(state), 0);
            assert_int_equal(setup(state), 0);
        }
        struct scene *s = *state;
        if (!s) {
            fail_msg("the scene of turn %d is not there", i);
            return;
        }
        int64_t began = test_now_ms();
        starter_end(s);
        assert_true(is_gone_within(s->server, PATIENCE_MS));
        int64_t took = test_now_ms() - began;
        shortest = took < shortest ? took : shortest;
    }
    assert_in_range(shortest, 0, 799);
}

static void it_waits_for_those_who_leave_and_not_for_long(void **state)
{
    struct scene *s = *state;
    char url[SERVER_JOB_URL_MAX];
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .rank = -1};
    swim_session_t *session = NULL;

    assert_int_equal(server_job_reach(&s->job, &s->here, url, NULL), SWIM_OK);
    assert_int_equal(swim_session_open(&opt, &session, NULL), SWIM_OK);
    int64_t began = test_now_ms();
    starter_end(s);
    assert_true(is_gone_within(s->server, PATIENCE_MS));
    assert_in_range(test_now_ms() - began, 900, PATIENCE_MS);
    swim_session_close(session);
}

static void it_dies_with_its_keeper(void **state)
{
    struct scene *s = *state;

    kill(s->keeper, SIGKILL);
    assert_true(is_gone_within(s->server, PATIENCE_MS));
}

/* Kill the server: how long it took until another answered, in ms. */
static int64_t server_follow(struct scene *s)
{
    static const char *const info[] = {"INFO", "server"};
    char text[8192];

    kill(s->server, SIGKILL);
    int64_t began = test_now_ms();
    assert_true(is_gone_within(s->server, PATIENCE_MS));
    while (ask(&s->job, s->job.password, info, 2, text, sizeof(text)) != SWIM_OK) {
        assert_true(test_now_ms() < began + PATIENCE_MS);
        test_nap_ms(1);
    }
    s->server = (pid_t)server_info_number(text, "process_id");
    return test_now_ms() - began;
}

/* Sessions find it where it was, and tell it what they hold.  It was killed when it had
 * just begun to listen. */
static void one_that_is_killed_is_followed_by_another(void **state)
{
    struct scene *s = *state;
    char url[SERVER_JOB_URL_MAX];
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .lease_ms = 8000, .rank = -1};
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;

    assert_int_equal(server_job_reach(&s->job, &s->here, url, NULL), SWIM_OK);
    assert_int_equal(swim_session_open(&opt, &session, NULL), SWIM_OK);
    assert_int_equal(
        swim_lock_acquire(session, "x", SWIM_LOCK_UPDATE, NULL, &lock, NULL), SWIM_OK);
    int64_t until = test_now_ms() + 2LL * PATIENCE_MS;
    server_follow(s);
    while (swim_lock_raise(lock, NULL, NULL) != SWIM_OK)
        assert_true(test_now_ms() < until);
    assert_int_equal(swim_lock_release(lock, NULL), SWIM_OK);
    swim_session_close(session);
}

/* How long a server takes to start and to answer here. */
static int64_t plain_start_ms(void)
{
    struct redis_fixture plain;
    int64_t shortest = INT64_MAX;

    for (int i = 0; i < 3; i++) {
        int64_t began = test_now_ms();
        assert_int_equal(redis_fixture_open(&plain, NULL), 0);
        int64_t took = test_now_ms() - began;
        shortest = took < shortest ? took : shortest;
        redis_fixture_close(&plain);
    }
    return shortest;
}

/* Leases run out meanwhile.  The shortest of several times: others may be at work. */
static void another_follows_at_once(void **state)
{
    struct scene *s = *state;
    int64_t shortest = INT64_MAX, most = plain_start_ms() + 150;

    for (int i = 0; i < 20 && shortest >= most; i++) {
        test_nap_ms(250); /* two starts are not closer to each other than 200 ms */
        int64_t took = server_follow(s);
        shortest = took < shortest ? took : shortest;
    }
    assert_in_range(shortest, 0, most - 1);
}

static bool file_holds(const char *path, const char *word)
{
    char text[65536];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

    if (f)
        fclose(f);
    return memmem(text, n, word, strlen(word)) != NULL;
}

static void its_password_is_not_where_others_look(void **state)
{
    static const char *const names[] = {"cmdline", "environ", "fd/1", "fd/2"};
    struct scene *s = *state;
    const pid_t pids[] = {s->starter, s->keeper, s->server};
    char path[64];

    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
            if (i == 0 && k >= 2)
                continue;
            snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pids[i], names[k]);
            assert_false(file_holds(path, s->job.password));
        }
}

static void one_that_cannot_start_says_why(void **state)
{
    static const uint8_t own[] = {127, 0, 0, 1}, of_nobody[] = {192, 0, 2, 1};
    struct host_addresses where = {.n = 2};
    struct server_job job;
    swim_error_t err = {0};

    (void)state;
    memcpy(where.at[0].bytes, own, sizeof(own));
    memcpy(where.at[1].bytes, own, sizeof(own)); /* in its own way */
    assert_int_equal(server_job_start(&where, &job, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "in use")); /* as redis-server says it */
    assert_null(strstr(err.text, job.password));
    swim_error_clear(&err);
    memcpy(where.at[0].bytes, of_nobody, sizeof(of_nobody));
    memcpy(where.at[1].bytes, of_nobody, sizeof(of_nobody));
    assert_int_equal(server_job_start(&where, &job, &err), SWIM_ERR_IO);
    assert_non_null(strstr(err.text, "192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_reached_by_a_url, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_cannot_be_had_is_left_out,
                                        setup_not_ours, teardown),
        cmocka_unit_test_setup_teardown(its_locks_are_had_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(without_its_password_nobody_gets_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_server_is_not_taken_for_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_own_address_is_not_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(it_keeps_all_and_saves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(signals_meant_for_the_job_do_not_end_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_ends_at_once_when_nobody_is_connected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_waits_for_those_who_leave_and_not_for_long,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(it_dies_with_its_keeper, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_killed_is_followed_by_another,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(another_follows_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(its_password_is_not_where_others_look, setup,
                                        teardown),
        cmocka_unit_test(one_that_cannot_start_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
