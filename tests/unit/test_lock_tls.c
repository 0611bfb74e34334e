/* test_lock_tls.c - locks by TLS: who is trusted, who is not, and what goes on when a
 * connection breaks.
 *
 * A process reads the certificates of its environment once, so each case is tried in a
 * process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/lock.h>

#include "actor.h"
#include "lock/notice.h"
#include "redis_fixture.h"
#include "scratch_dir.h"

#define TRIES 20

static struct scratch_dir made; /* certificates, the same for all tests */

struct scene {
    struct redis_fixture redis;
    char port[16];
    char cert[300], key[300], ca[300];
    const char *extra[20];
    struct actor actors[2];
};

static void path_of(char *buf, size_t size, const char *name)
{
    snprintf(buf, size, "%s/%s", made.path, name);
}

static void env_file(const char *variable, const char *name)
{
    char path[300];

    path_of(path, sizeof(path), name);
    setenv(variable, path, 1);
}

/* A server on a port that is free, with this certificate. */
static int server_start(struct scene *s, const char *cert, const char *want_clients)
{
    path_of(s->cert, sizeof(s->cert), cert);
    path_of(s->key, sizeof(s->key), "server.key");
    path_of(s->ca, sizeof(s->ca), "ca.crt");
    for (int i = 0; i < TRIES; i++) {
        const char *extra[] = {"--tls-port", s->port,
                               "--bind",     "127.0.0.1",
                               "::1",        "--tls-cert-file",
                               s->cert,      "--tls-key-file",
                               s->key,       "--tls-ca-cert-file",
                               s->ca,        "--tls-auth-clients",
                               want_clients, NULL};
        snprintf(s->port, sizeof(s->port), "%d", 30000 + (getpid() + i * 97) % 9000);
        memcpy(s->extra, extra, sizeof(extra));
        if (redis_fixture_open(&s->redis, s->extra) == 0)
            return 0;
        redis_fixture_close(&s->redis);
    }
    return -1;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct scene));
    unsetenv("SWIM_TLS_CERT");
    unsetenv("SWIM_TLS_KEY");
    env_file("SWIM_TLS_CA", "ca.crt");
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 2; i++)
        actor_kill(&s->actors[i]);
    if (s->redis.pid > 0)
        redis_fixture_close(&s->redis);
    free(s);
    return 0;
}

static int group_setup(void **state)
{
    char line[600];

    (void)state;
    if (scratch_dir_make(&made) != 0)
        return -1;
    snprintf(line, sizeof(line), "%s/tests/support/certificates.sh '%s'",
             getenv("SWIM_SOURCE"), made.path);
    return system(line); /* NOLINT(cert-env33-c): a test */
}

static int group_teardown(void **state)
{
    (void)state;
    return scratch_dir_remove(&made);
}

struct outcome {
    int rc;
    char text[640];
};

static int take_and_give(const char *url, swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .rank = -1};
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;

    int rc = swim_session_open(&opt, &session, err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, "r", SWIM_LOCK_WRITE, NULL, &lock, err);
    if (rc == SWIM_OK)
        rc = swim_lock_release(lock, err);
    swim_session_close(session);
    return rc;
}

/* A new process takes a lock at SCHEME://LOGINHOST:PORT/DB and gives it back. */
static struct outcome try_at(const char *before_port, const char *port, const char *db)
{
    struct outcome got = {.rc = -1000};
    char url[300];
    int ends[2];

    snprintf(url, sizeof(url), "%s:%s%s", before_port, port, db);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        swim_error_t err = {0};
        got.rc = take_and_give(url, &err);
        snprintf(got.text, sizeof(got.text), "%s", err.text);
        _exit(write(ends[1], &got, sizeof(got)) == sizeof(got) ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &got, sizeof(got)), sizeof(got));
    close(ends[0]);
    waitpid(pid, NULL, 0);
    return got;
}

static void taken(struct outcome got)
{
    if (got.rc != SWIM_OK)
        fail_msg("%d: %s", got.rc, got.text);
}

static void refused(struct outcome got, const char *because, const char *remedy)
{
    if (got.rc == SWIM_OK || !strstr(got.text, because) || !strstr(got.text, remedy))
        fail_msg("%d: %s", got.rc, got.text);
    assert_null(strchr(got.text, '\n'));
}

static void names_and_addresses_of_the_certificate_are_good(void **state)
{
    struct scene *s = *state;

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    taken(try_at("rediss://localhost", s->port, ""));
    taken(try_at("rediss://127.0.0.1", s->port, "/0"));
    refused(try_at("rediss://[::1]", s->port, ""), "IP address mismatch",
            "name the server as its certificate does");
}

static void a_login_goes_by_tls(void **state)
{
    struct scene *s = *state;
    char answer[64];

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    assert_int_equal(redis_fixture_vouch(&s->redis, 3), 0);
    assert_true(redis_fixture_say(&s->redis, "CONFIG SET requirepass p@ss", answer,
                                  sizeof(answer)));
    taken(try_at("rediss://:p%40ss@localhost", s->port, "/3"));
    struct outcome got = try_at("rediss://:SECRET@localhost", s->port, "");
    refused(got, "log in", "localhost");
    assert_null(strstr(got.text, "SECRET"));
}

static void an_unknown_authority_is_not_trusted(void **state)
{
    struct scene *s = *state;

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    env_file("SWIM_TLS_CA", "other.crt");
    refused(try_at("rediss://localhost", s->port, ""), "certificate",
            "set SWIM_TLS_CA");
    unsetenv("SWIM_TLS_CA"); /* the system's do not know it either */
    refused(try_at("rediss://localhost", s->port, ""), "certificate",
            "set SWIM_TLS_CA");
}

static void a_certificate_for_another_host_is_not_taken(void **state)
{
    struct scene *s = *state;

    assert_int_equal(server_start(s, "elsewhere.crt", "no"), 0);
    refused(try_at("rediss://localhost", s->port, ""), "ostname mismatch",
            "name the server as its certificate does");
}

static void an_old_certificate_is_not_taken(void **state)
{
    struct scene *s = *state;

    assert_int_equal(server_start(s, "old.crt", "no"), 0);
    refused(try_at("rediss://localhost", s->port, ""), "expired",
            "give it a new certificate");
}

static void clients_show_theirs_when_asked(void **state)
{
    struct scene *s = *state;

    assert_int_equal(server_start(s, "server.crt", "yes"), 0);
    refused(try_at("rediss://localhost", s->port, ""), "", "SWIM_TLS_CERT");
    env_file("SWIM_TLS_CERT", "client.pem"); /* with its key */
    taken(try_at("rediss://localhost", s->port, ""));
    env_file("SWIM_TLS_CERT", "client.crt");
    env_file("SWIM_TLS_KEY", "client.key");
    taken(try_at("rediss://localhost", s->port, ""));
    env_file("SWIM_TLS_KEY", "server.key");
    refused(try_at("rediss://localhost", s->port, ""),
            "SWIM_TLS_KEY=", "key values mismatch");
}

static void files_that_are_not_there_are_named(void **state)
{
    static const char *const variables[] = {"SWIM_TLS_CA", "SWIM_TLS_CERT",
                                            "SWIM_TLS_KEY"};
    struct scene *s = *state;

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    env_file("SWIM_TLS_CERT", "client.pem");
    for (int i = 0; i < 3; i++) {
        const char *before = getenv(variables[i]);
        char *kept = strdup(before ? before : "");
        env_file(variables[i], "none.pem");
        struct outcome got = try_at("rediss://localhost", s->port, "");
        refused(got, variables[i], "none.pem");
        assert_int_equal(got.rc, SWIM_ERR_ARG);
        setenv(variables[i], kept, 1);
        free(kept);
    }
}

static void tls_and_plain_are_told_apart(void **state)
{
    struct scene *s = *state;
    char answer[64], plain[16], command[64];

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    refused(try_at("redis://localhost", s->port, ""), " it speaks TLS",
            "give rediss:// instead of redis://");
    snprintf(plain, sizeof(plain), "%d", atoi(s->port) - 9000);
    snprintf(command, sizeof(command), "CONFIG SET port %s", plain);
    assert_true(redis_fixture_say(&s->redis, command, answer, sizeof(answer)));
    assert_string_equal(answer, "+OK\r\n");
    taken(try_at("redis://localhost", plain, ""));
    /* It complains, or waits for the end of a line that never comes. */
    refused(try_at("rediss://localhost", plain, ""), "by TLS", "rediss://");
}

/* Somebody listens, takes the connection, and says nothing. */
static void a_silent_server_is_said_in_bounded_time(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[16];

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(port, sizeof(port), "%d", ntohs(address.sin_port));
    int64_t begin = test_now_ms();
    refused(try_at("rediss://127.0.0.1", port, ""), "no answer in time", "TLS");
    assert_true(test_now_ms() - begin < 10000);
    close(fd);
}

/* Waiting, waking up, renewing, and connections that are cut meanwhile. */
static void a_lock_changes_hands_over_cut_connections(void **state)
{
    struct scene *s = *state;
    char url[64], answer[64];

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    snprintf(url, sizeof(url), "rediss://localhost:%s", s->port);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            actor_start(&s->actors[i], url, 3000, SWIM_LOCK_WRITE, "r", 30000), 0);
        if (i == 0)
            assert_int_equal(actor_hear(&s->actors[0], NULL), SWIM_OK);
    }
    assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:q:r", 1));
    for (int i = 0; i < 5; i++) { /* longer than a lease in all */
        assert_true(redis_fixture_say(&s->redis, "CLIENT KILL TYPE normal SKIPME yes",
                                      answer, sizeof(answer)));
        test_nap_ms(700);
    }
    actor_tell(&s->actors[0], 'c');
    assert_int_equal(actor_hear(&s->actors[0], NULL), SWIM_OK);
    actor_tell(&s->actors[0], 'r');
    assert_int_equal(actor_hear(&s->actors[0], NULL), SWIM_OK);
    assert_int_equal(actor_hear(&s->actors[1], NULL), SWIM_OK);
}

/* In a process that has not connected by TLS before: SWIM_OK when all were heard. */
static int notices_at(const char *url)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .url = url, .rank = -1};
    swim_session_t *session = NULL;
    struct lock_notice *notice = NULL;
    char text[16];

    int rc = swim_session_open(&opt, &session, NULL);
    if (rc == SWIM_OK)
        rc = lock_notice_open(session, "r", &notice, NULL);
    for (int i = 0; rc == SWIM_OK && i < 3; i++)
        rc = lock_notice_send(session, "r", "commit", NULL);
    for (int i = 0; rc == SWIM_OK && i < 3; i++)
        rc = lock_notice_wait(notice, 10000, NULL, text, sizeof(text), NULL);
    if (rc == SWIM_OK)
        rc = lock_notice_wait(notice, 0, NULL, text, sizeof(text), NULL) ==
                     SWIM_ERR_TIMEOUT
                 ? SWIM_OK
                 : SWIM_ERR_IO;
    lock_notice_close(notice);
    swim_session_close(session);
    return rc;
}

static void notices_go_by_tls(void **state)
{
    struct scene *s = *state;
    char url[64];
    int status = 0;

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    snprintf(url, sizeof(url), "rediss://localhost:%s", s->port);
    pid_t pid = fork();
    if (pid == 0)
        _exit(notices_at(url) == SWIM_OK ? 42 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 42);
}

/* A signal: the command is asked to end the session, and hears by the environment
 * where it is, which others cannot read from its arguments. */
static void a_holder_told_to_go_has_its_session_ended(void **state)
{
    struct scene *s = *state;
    char url[64], command[300], wanted[400], line[400] = "";
    int64_t until = test_now_ms() + 10000;
    FILE *f = NULL;

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    path_of(command, sizeof(command), "command");
    f = fopen(command, "we");
    assert_non_null(f);
    fprintf(f,
            "#!/bin/sh\necho \"$1 $2 ${3%%%%:*} $4 $SWIM_REDIS_URL $SWIM_TLS_CA\" > "
            "%s/said.new && mv %s/said.new %s/said\n",
            made.path, made.path, made.path);
    fclose(f);
    assert_int_equal(chmod(command, 0755), 0);
    setenv("SWIM_COMMAND", command, 1);
    snprintf(url, sizeof(url), "rediss://localhost:%s", s->port);
    int rc = actor_start(&s->actors[0], url, 60000, SWIM_LOCK_WRITE, "r", 0);
    unsetenv("SWIM_COMMAND");
    assert_int_equal(rc, 0);
    assert_int_equal(actor_hear(&s->actors[0], NULL), SWIM_OK);
    kill(s->actors[0].pid, SIGTERM);
    while (access(scratch_dir_file(&made, "said"), R_OK) != 0 && test_now_ms() < until)
        test_nap_ms(5);
    f = fopen(scratch_dir_file(&made, "said"), "re");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    char host[256] = "";
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    snprintf(wanted, sizeof(wanted), "locks --break %s --yes %s %s\n", host, url,
             getenv("SWIM_TLS_CA"));
    assert_string_equal(line, wanted);
    assert_true(actor_reap(&s->actors[0]) >= 0);
}

/* The command itself: nobody else is there to see the process dead. */
static void a_holder_told_to_go_leaves_nothing(void **state)
{
    struct scene *s = *state;
    char url[64];

    assert_int_equal(server_start(s, "server.crt", "no"), 0);
    snprintf(url, sizeof(url), "rediss://localhost:%s", s->port);
    assert_int_equal(actor_start(&s->actors[0], url, 60000, SWIM_LOCK_WRITE, "r", 1000),
                     0);
    assert_int_equal(actor_hear(&s->actors[0], NULL), SWIM_OK);
    kill(s->actors[0].pid, SIGTERM);
    assert_true(actor_reap(&s->actors[0]) >= 0);
    int64_t begin = test_now_ms();
    assert_true(redis_fixture_await(&s->redis, "ZCARD {h5swim}:sessions", 0));
    int64_t took = test_now_ms() - begin;
    print_message("its session ended after %ld ms\n", (long)took);
    assert_true(took < 20000);
    assert_int_equal(redis_fixture_number(&s->redis, "EXISTS {h5swim}:w:r"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(names_and_addresses_of_the_certificate_are_good),
        TEST(a_login_goes_by_tls),
        TEST(an_unknown_authority_is_not_trusted),
        TEST(a_certificate_for_another_host_is_not_taken),
        TEST(an_old_certificate_is_not_taken),
        TEST(clients_show_theirs_when_asked),
        TEST(files_that_are_not_there_are_named),
        TEST(tls_and_plain_are_told_apart),
        TEST(a_silent_server_is_said_in_bounded_time),
        TEST(a_lock_changes_hands_over_cut_connections),
        TEST(notices_go_by_tls),
        TEST(a_holder_told_to_go_has_its_session_ended),
        TEST(a_holder_told_to_go_leaves_nothing),
    };

    if (actor_main(argc, argv))
        return 1;
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
