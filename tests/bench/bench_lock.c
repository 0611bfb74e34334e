/* bench_lock.c - the figures of the lock layer, each beside its goal.
 *
 * Ratios to a PING are taken in one run, PING and pair in turn, over connections of
 * one kind.  All else is a time or a rate on this machine as it is now. */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_lock.h"
#include "core/clock.h"
#include "lock/notice.h"

#define PAIRS 20000
#define HANDOFFS 2000
#define NOTICES 2000
#define DEATHS 50
#define IDLE_SESSIONS 1000
#define IDLE_PROCESSES 10
#define IDLE_S 10

static struct redis_fixture redis;

static void row(const char *figure, const char *goal, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void row(const char *figure, const char *goal, const char *fmt, ...)
{
    char seen[64];
    va_list args;

    va_start(args, fmt);
    vsnprintf(seen, sizeof(seen), fmt, args);
    va_end(args);
    printf("%-46s %-24s %s\n", figure, seen, goal);
    fflush(stdout);
}

static void ping(redisContext *context)
{
    redisReply *reply = redisCommand(context, "PING");

    if (!reply)
        bench_fail("PING", context->errstr);
    freeReplyObject(reply);
}

/* Medians of PING and of a pair, in turn. */
static void pair_against_ping(enum swim_lock_mode mode, double *ratio, double *ping_us)
{
    redisContext *context = redisConnectUnix(redis.socket);
    swim_session_t *session = bench_session(redis.url, 0);
    int64_t *pings = calloc(PAIRS, sizeof(*pings));
    int64_t *pairs = calloc(PAIRS, sizeof(*pairs));

    if (!context || context->err || !pings || !pairs)
        bench_fail("prepare pairs", "no connection or no memory");
    for (int i = 0; i < PAIRS; i++) {
        int64_t begin = bench_now_ns();
        ping(context);
        int64_t middle = bench_now_ns();
        bench_give(bench_take(session, "/bench/pair", mode));
        pings[i] = middle - begin;
        pairs[i] = bench_now_ns() - middle;
    }
    double middle_ping = (double)bench_median(pings, PAIRS);
    *ratio = (double)bench_median(pairs, PAIRS) / middle_ping;
    *ping_us = middle_ping / 1000;
    free(pings);
    free(pairs);
    swim_session_close(session);
    redisFree(context);
}

static void bench_pairs(void)
{
    static const struct {
        const char *name, *goal;
        int server, client;
    } places[] = {{"across cores", "<= 2.3 x PING", 0, 1},
                  {"on one core", "<= 3.3 x PING", 0, 0}};

    for (int i = 0; i < 2; i++)
        for (int mode = SWIM_LOCK_READ; mode <= SWIM_LOCK_WRITE; mode += 2) {
            double ratio, ping_us;
            char name[64];
            bench_pin(redis.pid, places[i].server);
            bench_pin(0, places[i].client);
            pair_against_ping((enum swim_lock_mode)mode, &ratio, &ping_us);
            snprintf(name, sizeof(name), "%s acquire + release, %s",
                     mode == SWIM_LOCK_READ ? "READ" : "WRITE", places[i].name);
            row(name, places[i].goal, "%.2f x PING (%.1f us)", ratio, ping_us);
        }
    bench_pin(redis.pid, -1);
    bench_pin(0, -1);
}

static void bench_readers(void)
{
    struct bench_crowd crowd = {.readers = 16, .time_ns = 3000000000};

    bench_crowd_run(&crowd, redis.url);
    row("16 reader processes", ">= 25,000 pairs/s", "%.0f pairs/s",
        (double)bench_crowd_pairs(&crowd, true) * 1e9 / (double)crowd.time_ns);
}

static void *released_at; /* shared: int64_t */

static void handoff_child(int in, int out)
{
    swim_session_t *session = bench_session(redis.url, 0);
    char go;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(in, &go, 1) == 1) {
        swim_lock_t *lock = bench_take(session, "/bench/handoff", SWIM_LOCK_WRITE);
        int64_t took = bench_now_ns() - *(volatile int64_t *)released_at;
        bench_give(lock);
        if (write(out, &took, sizeof(took)) != sizeof(took))
            break;
    }
    swim_session_close(session);
    _exit(0);
}

static void bench_handoff(void)
{
    int in[2], out[2];
    int64_t took[HANDOFFS];

    released_at = bench_shared(sizeof(int64_t));
    if (pipe(in) != 0 || pipe(out) != 0)
        bench_fail("prepare the hand-off", "no pipes");
    pid_t child = fork();
    if (child == 0) {
        close(in[1]);
        handoff_child(in[0], out[1]);
    }
    close(in[0]);
    swim_session_t *session = bench_session(redis.url, 0);
    for (int i = 0; i < HANDOFFS; i++) {
        swim_lock_t *lock = bench_take(session, "/bench/handoff", SWIM_LOCK_WRITE);
        if (write(in[1], "g", 1) != 1 ||
            !redis_fixture_await(&redis, "ZCARD {h5swim}:q:/bench/handoff", 1))
            bench_fail("hand-off", "the other one does not queue");
        swim_clock_nap_ns(1000000); /* it sleeps by now */
        *(volatile int64_t *)released_at = bench_now_ns();
        bench_give(lock);
        if (read(out[0], &took[i], sizeof(took[i])) != sizeof(took[i]))
            bench_fail("hand-off", "the other one has ended");
    }
    close(in[1]);
    waitpid(child, NULL, 0);
    swim_session_close(session);
    row("hand-off, release to holding", "<= 100 us", "%.0f us",
        (double)bench_median(took, HANDOFFS) / 1000);
}

static void notice_child(int out)
{
    swim_session_t *session = bench_session(redis.url, 0);
    struct lock_notice *notice = NULL;
    char text[16], ready = 'r';

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (lock_notice_open(session, "/bench/notice", &notice, NULL) != SWIM_OK ||
        write(out, &ready, 1) != 1)
        _exit(1);
    while (lock_notice_wait(notice, SWIM_LOCK_FOREVER, NULL, text, sizeof(text),
                            NULL) == SWIM_OK) {
        int64_t took = bench_now_ns() - *(volatile int64_t *)released_at;
        if (text[0] == 'x' || write(out, &took, sizeof(took)) != sizeof(took))
            break;
    }
    lock_notice_close(notice);
    swim_session_close(session);
    _exit(0);
}

static void notice_send(swim_session_t *session, const char *text)
{
    swim_error_t err = {0};

    *(volatile int64_t *)released_at = bench_now_ns();
    if (lock_notice_send(session, "/bench/notice", text, &err) != SWIM_OK)
        bench_fail("send a notice", err.text);
}

/* From before it is sent until another process has it; a PING in turn. */
static void bench_notice(void)
{
    redisContext *context = redisConnectUnix(redis.socket);
    int64_t took[NOTICES], pings[NOTICES];
    int out[2];
    char ready;

    if (!context || context->err || pipe(out) != 0)
        bench_fail("prepare notices", "no connection or no pipe");
    pid_t child = fork();
    if (child == 0)
        notice_child(out[1]);
    if (read(out[0], &ready, 1) != 1)
        bench_fail("notices", "the listener has ended");
    swim_session_t *session = bench_session(redis.url, 0);
    for (int i = 0; i < NOTICES; i++) {
        int64_t begin = bench_now_ns();
        ping(context);
        pings[i] = bench_now_ns() - begin;
        notice_send(session, "commit");
        if (read(out[0], &took[i], sizeof(took[i])) != sizeof(took[i]))
            bench_fail("notices", "the listener has ended");
    }
    notice_send(session, "x");
    waitpid(child, NULL, 0);
    swim_session_close(session);
    redisFree(context);
    close(out[0]);
    close(out[1]);
    row("notice, sent to heard by another process", "", "%.0f us (PING %.0f us)",
        (double)bench_median(took, NOTICES) / 1000,
        (double)bench_median(pings, NOTICES) / 1000);
}

static void bench_mixed(int seconds)
{
    struct bench_crowd crowd = {.readers = 4,
                                .writers = 2,
                                .hold_ns = 10000000,
                                .time_ns = seconds * 1000000000LL};

    bench_crowd_run(&crowd, redis.url);
    row("4 readers + 2 writers, 10 ms: READ", ">= 190/s, wait <= 25 ms",
        "%.1f/s, %.0f ms", (double)bench_crowd_pairs(&crowd, true) / seconds,
        (double)bench_crowd_longest(&crowd, true) / 1e6);
    row("4 readers + 2 writers, 10 ms: WRITE", ">= 49/s, wait <= 45 ms",
        "%.1f/s, %.0f ms", (double)bench_crowd_pairs(&crowd, false) / seconds,
        (double)bench_crowd_longest(&crowd, false) / 1e6);
    row("the same if locks cost nothing: WRITE", "", "%.1f/s, holds %.2f ms",
        0.5e9 / (double)bench_crowd_hold(&crowd),
        (double)bench_crowd_hold(&crowd) / 1e6);
}

static long calls(void)
{
    return redis_fixture_calls(&redis, "evalsha") +
           redis_fixture_calls(&redis, "blpop");
}

static void bench_crowded(int seconds)
{
    struct bench_crowd crowd = {
        .readers = 8, .writers = 8, .time_ns = seconds * 1000000000LL};
    int64_t longest[2];
    char fair[24] = "";

    long before = calls();
    bench_crowd_run(&crowd, redis.url);
    double pairs =
        (double)(bench_crowd_pairs(&crowd, true) + bench_crowd_pairs(&crowd, false));
    longest[0] = bench_crowd_longest(&crowd, true);
    longest[1] = bench_crowd_longest(&crowd, false);
    snprintf(fair, sizeof(fair), "%.0f / %.0f ms", (double)longest[0] / 1e6,
             (double)longest[1] / 1e6);
    row("8 + 8 processes, no hold: longest wait", "<= 100 ms", "%s", fair);
    row("8 + 8 processes, no hold", "", "%.0f pairs/s", pairs / seconds);
    row("commands per pair, contended", "2 and a wake-up", "%.2f",
        (double)(calls() - before) / pairs);
}

static void bench_commands(void)
{
    swim_session_t *session = bench_session(redis.url, 0);

    bench_give(bench_take(session, "/bench/count", SWIM_LOCK_WRITE));
    long before = calls();
    for (int i = 0; i < 1000; i++)
        bench_give(bench_take(session, "/bench/count", SWIM_LOCK_WRITE));
    row("commands per pair, alone", "2", "%.2f", (double)(calls() - before) / 1000);
    swim_session_close(session);
}

static long info_number(const char *section, const char *name)
{
    char command[64], info[16384], wanted[64];

    snprintf(command, sizeof(command), "INFO %s", section);
    snprintf(wanted, sizeof(wanted), "\n%s:", name);
    if (!redis_fixture_say(&redis, command, info, sizeof(info)))
        bench_fail("INFO", "no answer");
    const char *at = strstr(info, wanted);
    return at ? strtol(at + strlen(wanted), NULL, 10) : -1;
}

static void idle_child(int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < IDLE_SESSIONS / IDLE_PROCESSES; i++)
        (void)bench_session(redis.url, 0);
    if (write(ready, "r", 1) != 1)
        _exit(1);
    pause();
    _exit(0);
}

static void bench_idle(void)
{
    pid_t pids[IDLE_PROCESSES];
    int64_t clients = 0;
    int ready[2];
    char byte;

    long memory = info_number("memory", "used_memory");
    if (pipe(ready) != 0)
        bench_fail("prepare idle sessions", "no pipe");
    for (int i = 0; i < IDLE_PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            idle_child(ready[1]);
    }
    for (int i = 0; i < IDLE_PROCESSES; i++)
        if (read(ready[0], &byte, 1) != 1)
            bench_fail("idle sessions", "a process has ended");
    memory = info_number("memory", "used_memory") - memory;
    for (int i = 0; i < IDLE_PROCESSES; i++)
        clients -= bench_cpu_ns(pids[i]);
    int64_t server = -bench_cpu_ns(redis.pid);
    sleep(IDLE_S);
    server += bench_cpu_ns(redis.pid);
    for (int i = 0; i < IDLE_PROCESSES; i++)
        clients += bench_cpu_ns(pids[i]);
    for (int i = 0; i < IDLE_PROCESSES; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    row("1,000 idle sessions: server", "<= 5 % of a core", "%.1f %%",
        (double)server / (IDLE_S * 1e7));
    row("1,000 idle sessions: all clients together", "", "%.1f %%",
        (double)clients / (IDLE_S * 1e7));
    row("memory of the server per session", "", "%.1f KiB",
        (double)memory / 1024 / IDLE_SESSIONS);
}

static void bench_death(void)
{
    int64_t took[DEATHS], longest = 0;
    swim_session_t *session = bench_session(redis.url, 60000);
    char byte;

    for (int i = 0; i < DEATHS; i++) {
        int ready[2];
        if (pipe(ready) != 0)
            bench_fail("prepare a death", "no pipe");
        pid_t child = fork();
        if (child == 0) {
            swim_session_t *own = bench_session(redis.url, 60000);
            (void)bench_take(own, "/bench/death", SWIM_LOCK_WRITE);
            if (write(ready[1], "r", 1) == 1)
                usleep((useconds_t)(rand() % 100000));
            *(volatile int64_t *)released_at = bench_now_ns();
            raise(SIGKILL);
        }
        if (read(ready[0], &byte, 1) != 1)
            bench_fail("death", "the holder has ended early");
        swim_lock_t *lock = bench_take(session, "/bench/death", SWIM_LOCK_WRITE);
        took[i] = bench_now_ns() - *(volatile int64_t *)released_at;
        if (took[i] > longest)
            longest = took[i];
        bench_give(lock);
        waitpid(child, NULL, 0);
        close(ready[0]);
        close(ready[1]);
    }
    swim_session_close(session);
    row("dead holder, same host, next one holds", "<= 50 ms", "%.1f ms, longest %.1f",
        (double)bench_median(took, DEATHS) / 1e6, (double)longest / 1e6);
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 10;
    static const char *const extra[] = {"--maxclients", "8000", NULL};

    if (seconds <= 0) {
        fputs("usage: bench_lock [SECONDS]\n", stderr);
        return 2;
    }
    if (redis_fixture_open(&redis, extra) != 0)
        bench_fail("start redis-server", "it does not answer");
    printf("%-46s %-24s %s\n", "figure", "seen", "goal");
    bench_pairs();
    bench_readers();
    bench_handoff();
    bench_notice();
    bench_mixed(seconds);
    bench_crowded(seconds);
    bench_commands();
    bench_idle();
    bench_death();
    redis_fixture_close(&redis);
    return 0;
}
