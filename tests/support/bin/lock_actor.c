/* lock_actor.c - a process of a test that holds locks and writes down what it believes:
 *     lock_actor LEASE_MS
 * opens a session when it is told to, and says each event as a line
 *     CLOCK_MONOTONIC_NS WORD [REST]
 * of which the first is "ready".  It reads commands, one a line:
 *     open                           opened, or error
 *     acquire MODE RESOURCE WAIT_MS  held FENCE, or error; MODE read, update or write
 *     raise WAIT_MS                  raised FENCE, or error
 *     release                        released, or error
 *     close                          closed
 * Before each of them it says "asked COMMAND".  While it has a lock it asks
 * swim_lock_check() every few milliseconds and says ok, with the time before the
 * question, or, the first time, lost.  An error is followed by its name and text.  It
 * ends when its standard input does, or by a signal. */
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <h5swim/lock.h>
#include <h5swim/signals.h>

#define CHECK_EVERY_MS 4

struct actor {
    uint32_t lease_ms;
    swim_session_t *session;
    swim_lock_t *lock;
    bool lost; /* and said so */
};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void say(int64_t at_ns, const char *word, const char *rest)
{
    printf("%" PRId64 " %s%s%s\n", at_ns, word, *rest ? " " : "", rest);
}

static void say_number(const char *word, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    say(now_ns(), word, text);
}

static void say_error(const swim_error_t *err)
{
    static const char *const names[] = {"OK",      "ARG",    "NOMEM",     "IO",
                                        "TIMEOUT", "LOST",   "UNSURE",    "CORRUPT",
                                        "ABI",     "KERNEL", "CANCELLED", "DEADLOCK"};
    char text[sizeof(err->text) + 16];

    snprintf(text, sizeof(text), "%s %s", names[-err->code], err->text);
    say(now_ns(), "error", text);
}

static enum swim_lock_mode mode_of(const char *name)
{
    if (strcmp(name, "read") == 0)
        return SWIM_LOCK_READ;
    return strcmp(name, "update") == 0 ? SWIM_LOCK_UPDATE : SWIM_LOCK_WRITE;
}

static int actor_open(struct actor *a, swim_error_t *err)
{
    struct swim_session_options so = {
        .struct_size = sizeof(so), .lease_ms = a->lease_ms, .job = "actor", .rank = -1};

    int rc = swim_session_open(&so, &a->session, err);
    if (rc == SWIM_OK)
        say(now_ns(), "opened", swim_session_id(a->session));
    return rc;
}

static int actor_acquire(struct actor *a, const char *words, swim_error_t *err)
{
    struct swim_lock_options lo = {.struct_size = sizeof(lo)};
    char mode[16], resource[128];

    if (sscanf(words, "%15s %127s %" SCNd64, mode, resource, &lo.wait_ms) != 3)
        return swim_error_set(err, SWIM_ERR_ARG, "acquire what? %s", words);
    int rc = swim_lock_acquire(a->session, resource, mode_of(mode), &lo, &a->lock, err);
    a->lost = false;
    if (rc == SWIM_OK)
        say_number("held", swim_lock_fence(a->lock));
    return rc;
}

static int actor_raise(struct actor *a, const char *words, swim_error_t *err)
{
    struct swim_lock_options lo = {.struct_size = sizeof(lo), .wait_ms = atoll(words)};

    int rc = swim_lock_raise(a->lock, &lo, err);
    if (rc == SWIM_OK)
        say_number("raised", swim_lock_fence(a->lock));
    return rc;
}

static int actor_release(struct actor *a, swim_error_t *err)
{
    swim_lock_t *lock = a->lock;

    a->lock = NULL;
    int rc = swim_lock_release(lock, err);
    if (rc == SWIM_OK)
        say(now_ns(), "released", "");
    return rc;
}

/* What the session holds it gives back itself; the handle is left alone. */
static void actor_close(struct actor *a)
{
    swim_session_close(a->session);
    a->session = NULL;
    a->lock = NULL;
    say(now_ns(), "closed", "");
}

/* True when what a command needs is there. */
static bool actor_can(const struct actor *a, const char *word)
{
    if (strcmp(word, "open") == 0)
        return !a->session;
    if (strcmp(word, "acquire") == 0)
        return a->session && !a->lock;
    if (strcmp(word, "close") == 0)
        return a->session != NULL;
    return a->lock != NULL;
}

static void actor_do(struct actor *a, const char *line)
{
    swim_error_t err = {0};
    char word[16] = "";
    int rest = 0;

    say(now_ns(), "asked", line);
    (void)sscanf(line, "%15s %n", word, &rest);
    if (!actor_can(a, word))
        swim_error_set(&err, SWIM_ERR_ARG, "not now: %s", line);
    else if (strcmp(word, "open") == 0)
        actor_open(a, &err);
    else if (strcmp(word, "acquire") == 0)
        actor_acquire(a, line + rest, &err);
    else if (strcmp(word, "raise") == 0)
        actor_raise(a, line + rest, &err);
    else if (strcmp(word, "release") == 0)
        actor_release(a, &err);
    else
        actor_close(a);
    if (err.code != SWIM_OK)
        say_error(&err);
}

static void actor_check(struct actor *a)
{
    int64_t at_ns = now_ns();

    if (!a->lock)
        return;
    bool held = swim_lock_check(a->lock, 0, NULL) == SWIM_OK;
    if (held)
        say(at_ns, "ok", "");
    else if (!a->lost)
        say(at_ns, "lost", "");
    a->lost = !held;
}

/* Read what there is and do the lines that are whole; false: the input has ended. */
static bool actor_read(struct actor *a, char *buf, size_t size, size_t *used)
{
    ssize_t n = read(STDIN_FILENO, buf + *used, size - 1 - *used);

    if (n <= 0)
        return false;
    *used += (size_t)n;
    buf[*used] = '\0';
    for (char *end; (end = strchr(buf, '\n'));) {
        *end = '\0';
        actor_do(a, buf);
        *used -= (size_t)(end + 1 - buf);
        memmove(buf, end + 1, *used + 1);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct pollfd in = {STDIN_FILENO, POLLIN, 0};
    struct actor a = {0};
    char buf[1024];
    size_t used = 0;

    if (argc != 2 || swim_signals_install(NULL, NULL) != SWIM_OK)
        return 2;
    a.lease_ms = (uint32_t)strtoul(argv[1], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0);
    say(now_ns(), "ready", "");
    for (bool more = true; more;) {
        if (poll(&in, 1, a.lock ? CHECK_EVERY_MS : -1) > 0)
            more = actor_read(&a, buf, sizeof(buf), &used);
        actor_check(&a);
    }
    swim_lock_release(a.lock, NULL);
    swim_session_close(a.session);
    return 0;
}
