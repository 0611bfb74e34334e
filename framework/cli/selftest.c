/* selftest.c - a run of checks: what they share, and their order. */
#include "cli/selftest.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock/server.h"

const struct selftest_locks selftest_library = {
    swim_session_open, swim_session_close, swim_session_id, swim_lock_acquire,
    swim_lock_release, swim_lock_check,    swim_lock_fence, swim_resource_of_file,
};

const struct selftest_check selftest_checks[SELFTEST_CHECKS] = {
    {"server", check_server, true},
    {"first lock", check_first_lock, true},
    {"round trip", check_round_trip, false},
    {"modes", check_modes, false},
    {"order", check_order, false},
    {"fences", check_fences, false},
    {"exclusion", check_exclusion, false},
    {"killed holder", check_killed, false},
    {"holder told to go", check_told, false},
    {"stopped holder", check_stopped, false},
    {"names of a file", check_names, false},
    {"flock", check_flock, false},
    {"clock", check_clock, false},
    {"nothing is left", check_clean, false},
};

void finding_ok(struct selftest_finding *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    f->result = SELFTEST_OK;
}

void finding_failed(struct selftest_finding *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    f->result = SELFTEST_FAILED;
}

void finding_figure(struct selftest_finding *f, const char *name, double value)
{
    if (f->n_figures == SELFTEST_FIGURES)
        return;
    f->figures[f->n_figures].name = name;
    f->figures[f->n_figures++].value = value;
}

bool selftest_interrupted(void)
{
    return swim_signals_pending() != 0;
}

void selftest_nap_ms(int64_t ms)
{
    struct pollfd p = {swim_signals_fd(), POLLIN, 0};

    (void)poll(&p, 1, (int)ms);
}

void selftest_resource_name(const struct selftest *t, unsigned n, char *buf)
{
    snprintf(buf, SELFTEST_NAME_MAX, "%s/%u", t->tag, n);
}

const char *selftest_resource(struct selftest *t, char *buf)
{
    selftest_resource_name(t, t->resources++, buf);
    return buf;
}

/* The option, the environment, the private server: as sessions find it. */
static int find_server(struct selftest *t, const char *url, swim_error_t *err)
{
    char private_url[512];

    if (!url)
        url = getenv("SWIM_REDIS_URL");
    if (!url || !url[0]) {
        int rc = server_private_url(private_url, sizeof(private_url), err);
        if (rc != SWIM_OK)
            return rc;
        url = private_url;
    }
    t->url = strdup(url);
    if (!t->url)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    return lock_url_parse(t->url, &t->where, err);
}

int selftest_begin(struct selftest *t, const struct selftest_locks *locks,
                   const char *url, const char *dir, swim_error_t *err)
{
    uint64_t number = 0;

    memset(t, 0, sizeof(*t));
    t->locks = locks;
    t->dir = dir;
    int rc = find_server(t, url, err);
    if (rc != SWIM_OK)
        return rc;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint64_t)swim_clock_boot_ns();
    snprintf(t->tag, sizeof(t->tag), "selftest-%016llx", (unsigned long long)number);
    t->link = redis_link_create(&t->where, &redis_link_sockets);
    return t->link ? SWIM_OK : swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
}

void selftest_run(struct selftest *t, const struct selftest_check *check,
                  struct selftest_finding *f)
{
    int64_t begin_ns = swim_clock_mono_ns();
    swim_error_t err = {0};

    memset(f, 0, sizeof(*f));
    finding_failed(f, "it came to no result");
    check->run(t, f);
    if (!selftest_end_children(t, &err) && f->result == SELFTEST_OK)
        finding_failed(f, "%s", err.text);
    f->ms = (double)(swim_clock_mono_ns() - begin_ns) / 1e6;
}

void selftest_end(struct selftest *t)
{
    (void)selftest_end_children(t, NULL);
    inspect_close(t->inspector);
    redis_link_destroy(t->link);
    if (t->url)
        explicit_bzero(t->url, strlen(t->url));
    free(t->url);
    explicit_bzero(&t->where, sizeof(t->where));
}
