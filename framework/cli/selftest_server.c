/* selftest_server.c - checks of the server itself, and of what a lock costs there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/selftest.h"
#include "core/clock.h"

#define FIRST_LOCK_MS 11000 /* a usual lease, and a little */
#define ROUNDS_MAX 500
#define ROUNDS_MS 1000
#define PAIR_MAX_US 250000.0 /* beyond that a short lease could hardly be renewed */
#define CLEAN_MS 1000
#define CLOCK_SHARE 0.05 /* more than any clock that is being slewed */
#define CLOCK_MS 100.0
#define CLOCK_QUESTIONS 5

static struct redis_wait wait_usual(void)
{
    return (struct redis_wait){.until_ns = swim_clock_mono_ns() +
                                           REDIS_LINK_REQUEST_MS * 1000000LL};
}

static int ask(struct redis_link *link, const char *command,
               struct redis_answer **answer, swim_error_t *err)
{
    const struct redis_wait wait = wait_usual();

    return redis_link_call(link, 1, &command, &wait, answer, err);
}

bool selftest_server_answers(struct selftest *t)
{
    struct redis_answer *answer = NULL;

    int rc = ask(t->link, "PING", &answer, NULL);
    redis_answer_free(answer);
    return rc == SWIM_OK;
}

/* --- server --------------------------------------------------------------------- */

static void info_value(const char *info, const char *name, char *buf, size_t size)
{
    char wanted[64];
    int len = snprintf(wanted, sizeof(wanted), "\n%s:", name);
    const char *at = strstr(info, wanted);

    snprintf(buf, size, "?");
    if (at)
        snprintf(buf, size, "%.*s", (int)strcspn(at + len, "\r\n"), at + len);
}

static void describe_server(const char *info, struct selftest_finding *f)
{
    char name[32], version[32], role[32], policy[32], memory[32];

    info_value(info, "server_name", name, sizeof(name));
    info_value(info, "valkey_version", version, sizeof(version));
    if (version[0] == '?')
        info_value(info, "redis_version", version, sizeof(version));
    info_value(info, "role", role, sizeof(role));
    info_value(info, "maxmemory_policy", policy, sizeof(policy));
    info_value(info, "maxmemory", memory, sizeof(memory));
    finding_ok(f, "%s %s, %s, %s", name[0] == '?' ? "redis" : name, version,
               strcmp(role, "master") == 0 ? "primary" : role,
               strcmp(memory, "0") == 0 ? "no limit of memory" : policy);
}

static int clock_ask(struct selftest *t, int64_t *us, swim_error_t *err)
{
    struct redis_answer *answer = NULL;

    int rc = ask(t->link, "TIME", &answer, err);
    *us = atoll(redis_answer_text(redis_answer_at(answer, 0))) * 1000000 +
          atoll(redis_answer_text(redis_answer_at(answer, 1)));
    redis_answer_free(answer);
    return rc;
}

/* Both clocks at one moment, as far as the shortest of some questions tells it: on a
 * busy host a process may lie still between a question and its answer. */
static int server_clock(struct selftest *t, int64_t *us, int64_t *boot_ns,
                        swim_error_t *err)
{
    int64_t shortest_ns = INT64_MAX;
    int rc = SWIM_OK;

    for (int i = 0; rc == SWIM_OK && i < CLOCK_QUESTIONS; i++) {
        int64_t now_us, begin_ns = swim_clock_boot_ns();
        rc = clock_ask(t, &now_us, err);
        int64_t end_ns = swim_clock_boot_ns();
        if (end_ns - begin_ns >= shortest_ns)
            continue;
        shortest_ns = end_ns - begin_ns;
        *boot_ns = end_ns;
        *us = now_us;
    }
    return rc;
}

/* A session tells whether the server will do, with the lease that sessions have here.
 */
void check_server(struct selftest *t, struct selftest_finding *f)
{
    struct redis_answer *answer = NULL;
    struct player_answer a;
    swim_error_t err = {0};

    if (!player_new(t, 0, &a)) {
        finding_failed(f, "%s", a.text);
        return;
    }
    int rc = ask(t->link, "INFO", &answer, &err);
    if (rc == SWIM_OK)
        rc = server_clock(t, &t->server_us, &t->boot_ns, &err);
    if (rc == SWIM_OK)
        rc = inspect_open(t->url, &t->inspector, &err);
    if (rc == SWIM_OK && !t->inspector)
        rc = swim_error_set(&err, SWIM_ERR_IO, "the private lock server has ended");
    if (rc == SWIM_OK)
        describe_server(redis_answer_text(answer), f);
    else
        finding_failed(f, "%s", err.text);
    redis_answer_free(answer);
}

/* --- first lock ----------------------------------------------------------------- */

/* A server that is new, or has lost its data, grants nothing for a lease. */
void check_first_lock(struct selftest *t, struct selftest_finding *f)
{
    char resource[SELFTEST_NAME_MAX];
    int64_t begin_ns = swim_clock_mono_ns();
    struct player_answer a;

    struct selftest_child *c = player_new(t, SELFTEST_LEASE_MS, &a);
    if (c)
        (void)player_take(c, SWIM_LOCK_WRITE, selftest_resource(t, resource),
                          FIRST_LOCK_MS, &a);
    if (c && a.rc == SWIM_OK)
        (void)player_release(c, &a);
    double seconds = (double)(swim_clock_mono_ns() - begin_ns) / 1e9;
    if (!c || a.rc != SWIM_OK)
        finding_failed(f, "%s", a.text);
    else if (seconds > 1)
        finding_ok(f,
                   "granted after %.1f s: the server is new or had lost its data, and "
                   "waits for those who held locks before",
                   seconds);
    else
        finding_ok(f, "granted at once");
    finding_figure(f, "seconds", seconds);
}

/* --- round trip ----------------------------------------------------------------- */

struct rounds {
    int rc;
    int n;
    double ping_us, pair_us; /* medians */
    char text[SELFTEST_TEXT_MAX];
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_size);
    return n > 0 ? values[n / 2] : NAN;
}

static double us_since(int64_t begin_ns)
{
    return (double)(swim_clock_mono_ns() - begin_ns) / 1e3;
}

/* One PING, one pair: they go by turns, so that both see the same machine. */
static int one_round(const struct selftest *t, struct redis_link *link,
                     swim_session_t *session, double *ping_us, double *pair_us,
                     swim_error_t *err)
{
    struct redis_answer *answer = NULL;
    char resource[SELFTEST_NAME_MAX];
    swim_lock_t *lock = NULL;

    selftest_resource_name(t, t->resources - 1, resource);
    int64_t begin_ns = swim_clock_mono_ns();
    int rc = ask(link, "PING", &answer, err);
    *ping_us = us_since(begin_ns);
    redis_answer_free(answer);
    if (rc != SWIM_OK)
        return rc;
    begin_ns = swim_clock_mono_ns();
    rc = t->locks->acquire(session, resource, SWIM_LOCK_WRITE, NULL, &lock, err);
    if (rc == SWIM_OK)
        rc = t->locks->release(lock, err);
    *pair_us = us_since(begin_ns);
    return rc;
}

static void rounds_run(const struct selftest *t, struct redis_link *link,
                       struct rounds *r)
{
    const struct swim_session_options opt = {.struct_size = sizeof(opt),
                                             .url = t->url,
                                             .lease_ms = SELFTEST_LEASE_MS,
                                             .job = t->tag,
                                             .rank = -1};
    static double ping[ROUNDS_MAX], pair[ROUNDS_MAX];
    swim_session_t *session = NULL;
    swim_error_t err = {0};
    double unused;

    r->rc = t->locks->open(&opt, &session, &err);
    if (r->rc == SWIM_OK) /* connects, and makes the scripts known */
        r->rc = one_round(t, link, session, &unused, &unused, &err);
    int64_t until_ns = swim_clock_mono_ns() + ROUNDS_MS * 1000000LL;
    while (r->rc == SWIM_OK && r->n < ROUNDS_MAX && swim_clock_mono_ns() < until_ns) {
        r->rc = one_round(t, link, session, &ping[r->n], &pair[r->n], &err);
        r->n += r->rc == SWIM_OK;
    }
    r->ping_us = median(ping, r->n);
    r->pair_us = median(pair, r->n);
    snprintf(r->text, sizeof(r->text), "%s", err.text);
    if (session)
        t->locks->close(session);
}

static void rounds_main(const struct selftest *t, int fd, const void *arg)
{
    struct redis_link *link = redis_link_create(&t->where, &redis_link_sockets);
    struct rounds r = {.rc = SWIM_ERR_NOMEM, .text = "no memory"};

    (void)arg;
    if (link)
        rounds_run(t, link, &r);
    redis_link_destroy(link);
    if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) != (ssize_t)sizeof(r))
        _exit(1);
}

void check_round_trip(struct selftest *t, struct selftest_finding *f)
{
    char resource[SELFTEST_NAME_MAX];
    struct rounds r = {0};
    swim_error_t err = {0};

    (void)selftest_resource(t, resource);
    struct selftest_child *c = selftest_spawn(t, rounds_main, NULL, &err);
    if (!c || selftest_receive(c, &r, sizeof(r), INT64_C(2) * SELFTEST_PATIENCE_MS,
                               &err) != SWIM_OK) {
        finding_failed(f, "%s", err.text);
        return;
    }
    if (r.rc != SWIM_OK)
        finding_failed(f, "%s", r.text);
    else if (r.pair_us > PAIR_MAX_US)
        finding_failed(f, "acquire + release takes %.0f ms: the server is too far away",
                       r.pair_us / 1e3);
    else
        finding_ok(f, "PING %.0f us, acquire + release %.0f us (%.1f x)", r.ping_us,
                   r.pair_us, r.pair_us / r.ping_us);
    finding_figure(f, "rounds", r.n);
    finding_figure(f, "ping_us", r.ping_us);
    finding_figure(f, "pair_us", r.pair_us);
}

/* --- clock ---------------------------------------------------------------------- */

void clock_judge(double boot_ms, double server_ms, struct selftest_finding *f)
{
    double off = server_ms - boot_ms;

    if (fabs(off) > CLOCK_MS + CLOCK_SHARE * boot_ms)
        finding_failed(f,
                       "the server's clock went %.1f s while this host's went %.1f s: "
                       "leases end too early or too late (was it set?)",
                       server_ms / 1e3, boot_ms / 1e3);
    else
        finding_ok(f, "CLOCK_BOOTTIME and the server's went alike for %.1f s",
                   boot_ms / 1e3);
    finding_figure(f, "off_ms", off);
}

/* Leases count by both clocks, and suspended time must count. */
void check_clock(struct selftest *t, struct selftest_finding *f)
{
    int64_t server_us = 0, boot_ns = 0;
    swim_error_t err = {0};

    int64_t mono_ns = swim_clock_mono_ns();
    if (server_clock(t, &server_us, &boot_ns, &err) != SWIM_OK)
        finding_failed(f, "%s", err.text);
    else if (boot_ns < mono_ns)
        finding_failed(f, "CLOCK_BOOTTIME is behind CLOCK_MONOTONIC: it does not count "
                          "the time spent suspended");
    else
        clock_judge((double)(boot_ns - t->boot_ns) / 1e6,
                    (double)(server_us - t->server_us) / 1e3, f);
}

/* --- nothing is left ------------------------------------------------------------ */

/* Of all that was locked: who still holds or waits; -1: it cannot be seen. */
static int64_t tickets_left(struct selftest *t, swim_error_t *err)
{
    char names[SELFTEST_RESOURCES][SELFTEST_NAME_MAX];
    const char *list[SELFTEST_RESOURCES];
    struct inspection *seen = NULL;
    size_t n = t->resources < SELFTEST_RESOURCES ? t->resources : SELFTEST_RESOURCES;
    int64_t left = 0;

    for (unsigned i = 0; i < n; i++) {
        selftest_resource_name(t, i, names[i]);
        list[i] = names[i];
    }
    if (n == 0)
        return 0;
    if (inspect_look(t->inspector, list, n, &seen, err) != SWIM_OK)
        return -1;
    for (size_t i = 0; i < seen->n_resources; i++)
        left += (int64_t)(seen->resources[i].n_held + seen->resources[i].n_waiting);
    inspection_free(seen);
    return left;
}

void check_clean(struct selftest *t, struct selftest_finding *f)
{
    int64_t until_ns = swim_clock_mono_ns() + CLEAN_MS * 1000000LL;
    swim_error_t err = {0};
    int64_t left = tickets_left(t, &err);

    while (left > 0 && swim_clock_mono_ns() < until_ns && !selftest_interrupted()) {
        selftest_nap_ms(5);
        left = tickets_left(t, &err);
    }
    if (left < 0)
        finding_failed(f, "%s", err.text);
    else if (left > 0)
        finding_failed(f, "%lld locks of the test are still held or waited for",
                       (long long)left);
    else
        finding_ok(f, "%u resources were locked, none is", t->resources);
}
