/* session.c - a process's presence at the lock server.
 *
 * Order of opening: connect, check the server, register, then the thread, the leave
 * hook and the fork list; closing undoes it backwards, so that no hook and no thread
 * sees a session that is half there.
 *
 * The lease: registered and renewed for lease_ms by the server's clock from when the
 * server answers; deadline_ns counts from before the question was sent, so it is the
 * earlier of the two as long as both clocks run equally fast. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/signals.h"
#include "lease.h"
#include "lock_private.h"
#include "server.h"

#define LEASE_DEFAULT_MS 10000
#define LEASE_MIN_MS 1000
#define LEASE_MAX_MS 600000
#define BACKOFF_FIRST_NS 5000000LL
#define BACKOFF_MAX_NS 200000000LL
#define CLOSE_MS 1000
/* Nothing is held yet, and a host may be busy with all who start. */
#define FIRST_MS 5000
#define REGISTER_MS 3000

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void session_promise(swim_session_t *s, int64_t until_ns)
{
    long long promised_ns = atomic_load(&s->promised_ns);

    while (promised_ns < until_ns &&
           !atomic_compare_exchange_weak(&s->promised_ns, &promised_ns, until_ns))
        ;
}

int session_check(swim_session_t *s, uint32_t margin_ms, const char *what,
                  swim_error_t *err)
{
    if (atomic_load(&s->forked))
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "lock %s: the session belongs to the process that opened it, "
            "not to its child (open another after fork)",
            what);
    int64_t now_ns = swim_clock_boot_ns(), margin_ns = (int64_t)margin_ms * 1000000;
    int64_t left_ns = atomic_load(&s->deadline_ns) - now_ns;
    if (left_ns <= 0)
        atomic_store(&s->lost, true);
    if (margin_ns > 0 && left_ns >= margin_ns)
        session_promise(s, now_ns + margin_ns);
    if (atomic_load(&s->lost))
        return swim_error_set(
            err, SWIM_ERR_LOST,
            "lock %s: the lease of %u ms at lock server %s has ended, others "
            "may hold the lock (do not write; start again)",
            what, s->lease_ms, s->shown);
    if (left_ns < margin_ns)
        return swim_error_set(
            err, SWIM_ERR_LOST,
            "lock %s: only %lld ms of the lease at lock server %s are left, "
            "%u are needed",
            what, (long long)(left_ns / 1000000), s->shown, margin_ms);
    return SWIM_OK;
}

int session_check_resource(swim_session_t *s, const char *about, const char *resource,
                           swim_error_t *err)
{
    if (!s || !resource || !resource[0] || strlen(resource) > RESOURCE_MAX)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s of a resource: no session, no resource, or one "
                              "longer than %d bytes",
                              about, RESOURCE_MAX);
    return session_check(s, 0, resource, err);
}

bool session_extend(swim_session_t *s, int64_t sent_ns)
{
    long long wanted_ns = sent_ns + (int64_t)s->lease_ms * 1000000;
    long long ends_ns = atomic_load(&s->deadline_ns);

    do {
        if (swim_clock_boot_ns() >= ends_ns) {
            atomic_store(&s->lost, true);
            return false;
        }
    } while (ends_ns < wanted_ns &&
             !atomic_compare_exchange_weak(&s->deadline_ns, &ends_ns, wanted_ns));
    return true;
}

/* So long at most, connecting included. */
static struct redis_wait wait_strictly(int64_t ms)
{
    return (struct redis_wait){.until_ns = swim_clock_mono_ns() + ms * 1000000,
                               .strict = true};
}

int session_ask_once(swim_session_t *s, const struct lock_script *script, int argc,
                     const char *const *argv, struct redis_answer **answer,
                     bool *refused, swim_error_t *err)
{
    pthread_mutex_lock(&s->command_mutex);
    const struct redis_wait wait = {.until_ns = swim_clock_mono_ns() +
                                                REDIS_LINK_REQUEST_MS * 1000000LL,
                                    .fds = &s->stop_fd,
                                    .fds_count = 1};
    int rc = redis_link_eval(s->command, script, argc, argv, &wait, answer, err);
    *refused = rc != SWIM_OK && redis_link_refused(s->command);
    pthread_mutex_unlock(&s->command_mutex);
    return rc;
}

int session_ask(swim_session_t *s, const struct lock_script *script, int argc,
                const char *const *argv, int64_t until_ns, struct redis_answer **answer,
                bool *unsure, swim_error_t *err)
{
    int64_t nap_ns = BACKOFF_FIRST_NS;

    for (;;) {
        swim_error_t now = {0};
        bool refused = false;
        int rc = session_ask_once(s, script, argc, argv, answer, &refused, &now);
        if (rc == SWIM_ERR_UNSURE)
            *unsure = true;
        if (rc == SWIM_OK)
            return rc;
        int64_t left_ns = min_i64(until_ns - swim_clock_mono_ns(),
                                  atomic_load(&s->deadline_ns) - swim_clock_boot_ns());
        if (refused || rc == SWIM_ERR_NOMEM || rc == SWIM_ERR_CANCELLED ||
            left_ns < nap_ns)
            return swim_error_set(err, rc, "%s", now.text);
        swim_clock_nap_ns(nap_ns);
        nap_ns = min_i64(nap_ns * 2, BACKOFF_MAX_NS);
    }
}

int session_say(swim_session_t *s, int argc, const char *const *argv,
                struct redis_answer **answer, swim_error_t *err)
{
    pthread_mutex_lock(&s->command_mutex);
    const struct redis_wait wait = {.until_ns = swim_clock_mono_ns() +
                                                REDIS_LINK_REQUEST_MS * 1000000LL};
    int rc = redis_link_call(s->command, argc, argv, &wait, answer, err);
    pthread_mutex_unlock(&s->command_mutex);
    return rc;
}

struct waiter_link *session_waiter_take(swim_session_t *s)
{
    struct waiter_link *w;

    for (w = atomic_load(&s->waiters); w; w = w->next)
        if (!atomic_exchange(&w->taken, true))
            return w;
    w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->link = redis_link_create(&s->url, s->ops);
    if (!w->link) {
        free(w);
        return NULL;
    }
    atomic_init(&w->taken, true);
    w->next = atomic_load(&s->waiters);
    while (!atomic_compare_exchange_weak(&s->waiters, &w->next, w))
        ;
    return w;
}

void session_waiter_give(struct waiter_link *waiter)
{
    atomic_store(&waiter->taken, false);
}

void session_orphan(swim_session_t *s, const char *ticket, const char *resource,
                    const char *base)
{
    size_t len = strlen(resource) + 1;
    struct orphan *o = malloc(sizeof(*o) + len);

    if (!o) {
        swim_log(SWIM_LOG_WARN, "lock", "no memory: %s stays until its session ends",
                 ticket);
        return;
    }
    snprintf(o->ticket, sizeof(o->ticket), "%s", ticket);
    snprintf(o->base, sizeof(o->base), "%s", base ? base : "");
    memcpy(o->resource, resource, len);
    pthread_mutex_lock(&s->orphan_mutex);
    o->next = s->orphans;
    s->orphans = o;
    pthread_mutex_unlock(&s->orphan_mutex);
}

void session_saw_fence(swim_session_t *s, uint64_t fence)
{
    unsigned long long seen = atomic_load(&s->fence);

    while (seen < fence && !atomic_compare_exchange_weak(&s->fence, &seen, fence))
        ;
}

int64_t session_server_ms(const swim_session_t *s)
{
    return atomic_load(&s->server_ms) + swim_clock_boot_ns() / 1000000;
}

void session_note_clock(swim_session_t *s, const struct redis_answer *now_ms)
{
    atomic_store(&s->server_ms,
                 atoll(redis_answer_text(now_ms)) - swim_clock_boot_ns() / 1000000);
}

static void session_describe(swim_session_t *s, const struct swim_session_options *opt)
{
    struct session_words *w = &s->who;
    const char *words[SESSION_WORDS] = {"host", s->self.host, "boot",  s->self.boot,
                                        "pid",  w->pid,       "start", w->start,
                                        "user", s->self.user, "job",   w->job,
                                        "rank", w->rank,      "image", s->self.image};

    snprintf(w->pid, sizeof(w->pid), "%lld", (long long)s->self.pid);
    snprintf(w->start, sizeof(w->start), "%lld", (long long)s->self.start);
    snprintf(w->rank, sizeof(w->rank), "%d", opt->rank);
    snprintf(w->job, sizeof(w->job), "%s", opt->job ? opt->job : "");
    memcpy(w->words, words, sizeof(words));
}

static void session_name(swim_session_t *s)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint64_t)swim_clock_boot_ns();
    snprintf(s->id, sizeof(s->id), "%s:%lld:%llu", s->self.host, (long long)s->self.pid,
             (unsigned long long)(number >> 16));
}

/* One attempt, under a name of its own: a question that got no answer and arrives later
 * enters a session that nobody uses, not this one without its locks.  It counts as open
 * until its lease is over. */
static int register_once(swim_session_t *s, bool *refused, swim_error_t *err)
{
    char lease[16];
    const char *argv[3 + SESSION_WORDS] = {s->id, lease, "0"};
    struct redis_answer *answer = NULL;

    session_name(s);
    snprintf(lease, sizeof(lease), "%u", s->lease_ms);
    memcpy(argv + 3, s->who.words, sizeof(s->who.words));
    int64_t sent_ns = swim_clock_boot_ns();
    atomic_store(&s->deadline_ns, sent_ns + (int64_t)s->lease_ms * 1000000);
    int rc = session_ask_once(s, &script_register, 3 + SESSION_WORDS, argv, &answer,
                              refused, err);
    if (rc == SWIM_OK) {
        const char *epoch = redis_answer_text(redis_answer_at(answer, 0));
        atomic_store(&s->epoch, strtoull(epoch, NULL, 10));
        session_note_clock(s, redis_answer_at(answer, 1));
    }
    redis_answer_free(answer);
    return rc;
}

static int session_register(swim_session_t *s, swim_error_t *err)
{
    int64_t until_ns = swim_clock_mono_ns() + REGISTER_MS * 1000000LL;
    int64_t nap_ns = BACKOFF_FIRST_NS;

    for (;;) {
        swim_error_t now = {0};
        bool refused = false;
        int rc = register_once(s, &refused, &now);
        if (rc == SWIM_OK)
            return rc;
        if (refused || rc == SWIM_ERR_NOMEM || swim_clock_mono_ns() + nap_ns > until_ns)
            return swim_error_set(err, rc, "%s", now.text);
        swim_clock_nap_ns(nap_ns);
        nap_ns = min_i64(nap_ns * 2, BACKOFF_MAX_NS);
    }
}

/* The first questions on a connection made later: a server that was exchanged may be no
 * good, and begins a new epoch before it is asked for anything. */
static int session_greet(struct redis_link *link, const struct redis_wait *wait,
                         void *arg, swim_error_t *err)
{
    swim_session_t *s = arg;
    char lease[16], fence[24];
    const char *argv[] = {lease, fence};
    struct redis_answer *answer = NULL;

    snprintf(lease, sizeof(lease), "%u", s->lease_ms);
    snprintf(fence, sizeof(fence), "%llu", atomic_load(&s->fence));
    int rc = server_check(s, link, wait, err);
    if (rc == SWIM_OK)
        rc = redis_link_eval(link, &script_hello, 2, argv, wait, &answer, err);
    if (rc == SWIM_OK)
        atomic_store(&s->server_epoch, strtoull(redis_answer_text(answer), NULL, 10));
    redis_answer_free(answer);
    if (rc == SWIM_OK && link == s->command && s->leave)
        (void)leave_move(s->leave, &s->url, redis_link_fd(link));
    return rc;
}

static void session_free(swim_session_t *s)
{
    bool child = atomic_load(&s->forked);

    /* In a child another thread may have been inside a link: leave its memory. */
    if (!child) {
        redis_link_destroy(s->command);
        redis_link_destroy(s->pulse);
    }
    for (struct waiter_link *w = atomic_load(&s->waiters), *next; w; w = next) {
        next = w->next;
        if (!child)
            redis_link_destroy(w->link);
        free(w);
    }
    for (struct orphan *o = s->orphans, *next; o && !child; o = next) {
        next = o->next;
        free(o);
    }
    for (struct swim_lock *lk = s->held, *next; lk && !child; lk = next) {
        next = lk->next;
        free(lk);
    }
    for (struct pin *p = s->pins, *next; p && !child; p = next) {
        next = p->next;
        free(p);
    }
    leave_disarm(s->leave, child);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    if (s->url_text)
        explicit_bzero(s->url_text, strlen(s->url_text));
    free(s->url_text);
    explicit_bzero(&s->url, sizeof(s->url));
    free(s);
}

/* NULL: no memory. */
static swim_session_t *session_create(const struct swim_session_options *opt,
                                      const struct redis_link_ops *ops,
                                      uint32_t lease_ms)
{
    swim_session_t *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->stop_fd = -1;
    s->ops = ops;
    s->lease_ms = lease_ms;
    pthread_mutex_init(&s->command_mutex, NULL);
    pthread_mutex_init(&s->orphan_mutex, NULL);
    pthread_mutex_init(&s->held_mutex, NULL);
    process_self(&s->self);
    session_describe(s, opt);
    s->command = redis_link_create(&s->url, ops);
    s->pulse = redis_link_create(&s->url, ops);
    if (!s->command || !s->pulse) {
        session_free(s);
        return NULL;
    }
    return s;
}

/* Find the server's URL: the option, the environment, the private server. */
static int session_find_server(swim_session_t *s, const char *url, swim_error_t *err)
{
    char private_url[SERVER_URL_MAX];
    int rc = SWIM_OK;

    if (!url)
        url = getenv("SWIM_REDIS_URL");
    if (!url || !url[0]) {
        rc = server_private_url(private_url, sizeof(private_url), err);
        url = private_url;
    }
    if (rc == SWIM_OK)
        rc = lock_url_parse(url, &s->url, err);
    if (rc != SWIM_OK)
        return rc;
    lock_url_show(&s->url, s->shown, sizeof(s->shown));
    s->url_text = strdup(url);
    return s->url_text
               ? SWIM_OK
               : swim_error_set(err, SWIM_ERR_NOMEM, "open a lock session: no memory");
}

static int session_start(swim_session_t *s, const struct swim_session_options *opt,
                         swim_error_t *err)
{
    int rc = session_find_server(s, opt->url, err);
    const struct redis_wait wait = wait_strictly(FIRST_MS);

    if (rc == SWIM_OK)
        rc = server_check(s, s->command, &wait, err);
    redis_link_greet_by(s->command, session_greet, s);
    redis_link_greet_by(s->pulse, session_greet, s);
    if (rc == SWIM_OK)
        rc = session_register(s, err);
    if (rc != SWIM_OK)
        return rc;
    s->leave = leave_arm(s, redis_link_fd(s->command));
    if (!s->leave)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open a lock session: no memory");
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd < 0)
        return swim_error_sys(err, errno, "eventfd for a lock session");
    return pulse_start(s, err);
}

/* The lease that is asked for, or that of the environment, or the usual one. */
static int session_lease(uint32_t wanted_ms, uint32_t *lease_ms, swim_error_t *err)
{
    const char *text = getenv("SWIM_LEASE_MS");
    bool given = wanted_ms == 0 && text && text[0];
    unsigned long ms = wanted_ms ? wanted_ms : LEASE_DEFAULT_MS;
    char *end = NULL;

    if (given) {
        ms = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
        if (!end || *end)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "open a lock session: SWIM_LEASE_MS=%.40s is not a "
                                  "number of milliseconds",
                                  text);
    }
    if (ms < LEASE_MIN_MS || ms > LEASE_MAX_MS)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open a lock session: a lease of %lu ms%s is not between "
                              "%d and %d",
                              ms, given ? " (SWIM_LEASE_MS)" : "", LEASE_MIN_MS,
                              LEASE_MAX_MS);
    *lease_ms = (uint32_t)ms;
    return SWIM_OK;
}

uint32_t lock_lease_ms(const swim_session_t *s)
{
    return s->lease_ms;
}

const char *lock_server_shown(const swim_session_t *s)
{
    return s ? s->shown : NULL;
}

int session_open(const struct swim_session_options *opt,
                 const struct redis_link_ops *ops, swim_session_t **out,
                 swim_error_t *err)
{
    uint32_t lease_ms = 0;

    *out = NULL;
    if (!opt || opt->struct_size != sizeof(*opt))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "open a lock session: struct_size is %zu, not %zu",
                              opt ? opt->struct_size : 0, sizeof(*opt));
    swim_signals_take_in();
    int rc = session_lease(opt->lease_ms, &lease_ms, err);
    if (rc == SWIM_OK)
        rc = swim_signals_check("open a lock session", err);
    if (rc != SWIM_OK)
        return rc;
    swim_session_t *s = session_create(opt, ops, lease_ms);
    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open a lock session: no memory");
    fork_guard_add(s);
    rc = session_start(s, opt, err);
    if (rc != SWIM_OK) {
        fork_guard_remove(s);
        session_free(s);
        return redis_unsure_is_io(rc, err); /* nobody uses it: its lease ends it */
    }
    *out = s;
    return SWIM_OK;
}

int swim_session_open(const struct swim_session_options *opt, swim_session_t **out,
                      swim_error_t *err)
{
    return session_open(opt, &redis_link_sockets, out, err);
}

/* A server that does not answer ends the session with its lease. */
static void session_say_close(swim_session_t *s)
{
    const struct redis_wait wait = wait_strictly(CLOSE_MS);
    const char *argv[] = {s->id};
    struct redis_answer *answer = NULL;

    (void)redis_link_eval(s->command, &script_close, 1, argv, &wait, &answer, NULL);
    redis_answer_free(answer);
}

void swim_session_close(swim_session_t *s)
{
    int saved = errno;

    if (!s)
        return;
    fork_guard_remove(s);
    if (!atomic_load(&s->forked)) {
        pulse_stop(s);
        if (!atomic_load(&s->lost) || s->close_owed)
            session_say_close(s);
    }
    session_free(s);
    errno = saved;
}

const char *swim_session_id(const swim_session_t *s)
{
    return s->id;
}

void swim_session_get_stats(swim_session_t *s, struct swim_session_stats *stats)
{
    stats->acquired = atomic_load(&s->acquired);
    stats->waited = atomic_load(&s->waited);
    stats->wait_ns = atomic_load(&s->wait_ns);
}
