/* inspect.c - looking at sessions, and through them at all resources.
 *
 * No list of resources is kept at the server, which would cost each lock: they are
 * found through the tickets of the sessions.  A session that comes to light only when a
 * resource is looked at was opened meanwhile, and is asked about after that. */
#include "inspect.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "inspect_private.h"
#include "server.h"

int inspect_no_memory(swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_NOMEM, "look at locks: no memory");
}

bool inspect_grow(void *array, size_t n, size_t *room, size_t size)
{
    void **at = array;

    if (n < *room)
        return true;
    size_t more = *room ? 2 * *room : 64;
    void *grown = reallocarray(*at, more, size);
    if (!grown)
        return false;
    *at = grown;
    *room = more;
    return true;
}

/* --- asking --------------------------------------------------------------------- */

static struct redis_wait ask_wait(void)
{
    return (struct redis_wait){.until_ns = swim_clock_mono_ns() +
                                           REDIS_LINK_REQUEST_MS * 1000000LL};
}

int inspect_ask(struct inspector *in, const struct lock_script *script, int argc,
                const char *const *argv, struct redis_answer **answer,
                swim_error_t *err)
{
    const struct redis_wait wait = ask_wait();

    return redis_link_eval(in->link, script, argc, argv, &wait, answer, err);
}

int inspect_ask_command(struct inspector *in, int argc, const char *const *argv,
                        struct redis_answer **answer, swim_error_t *err)
{
    const struct redis_wait wait = ask_wait();

    return redis_link_call(in->link, argc, argv, &wait, answer, err);
}

/* --- sessions ------------------------------------------------------------------- */

static int session_compare(const void *a, const void *b)
{
    return strcmp(((const struct inspect_session *)a)->key,
                  ((const struct inspect_session *)b)->key);
}

static void session_free(struct inspect_session *s)
{
    if (!s)
        return;
    free(s->key);
    free(s->id);
    free(s->host);
    free(s->boot);
    free(s->user);
    free(s->job);
    free(s);
}

/* Nothing is known but its name. */
static struct inspect_session *session_create(const char *key)
{
    struct inspect_session *s = calloc(1, sizeof(*s));
    size_t len = strlen(key);

    if (!s)
        return NULL;
    s->broken = len > 0 && key[len - 1] == '!';
    s->key = strdup(key);
    s->id = strndup(key, len - s->broken);
    s->host = strdup("");
    s->boot = strdup("");
    s->user = strdup("");
    s->job = strdup("");
    s->rank = -1;
    s->age_ms = s->lease_ms = s->left_ms = -1;
    if (s->key && s->id && s->host && s->boot && s->user && s->job)
        return s;
    session_free(s);
    return NULL;
}

struct inspect_session *look_session(struct look *l, const char *key)
{
    const struct inspect_session wanted = {.key = (char *)key};
    struct inspect_session *const *found =
        tfind(&wanted, &l->sessions_by_key, session_compare);

    if (found)
        return *found;
    if (!inspect_grow(&l->out->sessions, l->out->n_sessions, &l->sessions_room,
                      sizeof(*l->out->sessions)))
        return NULL;
    struct inspect_session *s = session_create(key);
    if (!s || !tsearch(s, &l->sessions_by_key, session_compare)) {
        session_free(s);
        return NULL;
    }
    l->out->sessions[l->out->n_sessions++] = s;
    return s;
}

static bool text_take(char **to, const struct redis_answer *text)
{
    char *copy = strdup(redis_answer_text(text));

    if (!copy)
        return false;
    free(*to);
    *to = copy;
    return true;
}

int64_t inspect_number(const struct redis_answer *text, int64_t other)
{
    const char *digits = redis_answer_text(text);

    return digits[0] ? atoll(digits) : other;
}

static bool session_is_dead(const struct inspector *in, const struct inspect_session *s)
{
    int fd = -1;
    enum process_state state = process_watch(&in->self, s->boot, s->pid, s->start, &fd);

    if (fd >= 0)
        close(fd);
    return state == PROCESS_DEAD;
}

/* What inspect_sessions.lua tells of one. */
static int session_fill(struct look *l, struct inspect_session *s,
                        const struct redis_answer *told, swim_error_t *err)
{
    enum {
        LEFT,
        TICKETS,
        RESOURCES,
        HOST,
        BOOT,
        PID,
        START,
        USER,
        JOB,
        RANK,
        SINCE,
        LEASE
    };
    long long left = redis_answer_number(redis_answer_at(told, LEFT));
    int64_t since = inspect_number(redis_answer_at(told, SINCE), -1);

    s->left_ms = left >= 0 ? left : -1;
    s->tickets = (uint64_t)redis_answer_number(redis_answer_at(told, TICKETS));
    s->pid = inspect_number(redis_answer_at(told, PID), 0);
    s->start = inspect_number(redis_answer_at(told, START), 0);
    s->rank = (int32_t)inspect_number(redis_answer_at(told, RANK), -1);
    s->lease_ms = inspect_number(redis_answer_at(told, LEASE), -1);
    if (since >= 0)
        s->age_ms = l->out->time_ms > since ? l->out->time_ms - since : 0;
    if (!text_take(&s->host, redis_answer_at(told, HOST)) ||
        !text_take(&s->boot, redis_answer_at(told, BOOT)) ||
        !text_take(&s->user, redis_answer_at(told, USER)) ||
        !text_take(&s->job, redis_answer_at(told, JOB)))
        return inspect_no_memory(err);
    s->dead = session_is_dead(l->in, s);
    return SWIM_OK;
}

/* --- names of resources --------------------------------------------------------- */

static int name_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int look_name(struct look *l, const char *text, swim_error_t *err)
{
    if (tfind(text, &l->names_by_text, name_compare))
        return SWIM_OK;
    if (!inspect_grow(&l->names, l->n_names, &l->names_room, sizeof(*l->names)))
        return inspect_no_memory(err);
    char *copy = strdup(text);
    if (!copy || !tsearch(copy, &l->names_by_text, name_compare)) {
        free(copy);
        return inspect_no_memory(err);
    }
    l->names[l->n_names++] = copy;
    return SWIM_OK;
}

/* Every step-th text of a list, from first on. */
static int look_names(struct look *l, const struct redis_answer *list, size_t first,
                      size_t step, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t i = first; rc == SWIM_OK && i < redis_answer_count(list); i += step)
        rc = look_name(l, redis_answer_text(redis_answer_at(list, i)), err);
    return rc;
}

/* A SCAN command's next cursor; false: that was all. */
static bool cursor_move(char *cursor, size_t size, const struct redis_answer *answer)
{
    snprintf(cursor, size, "%s", redis_answer_text(redis_answer_at(answer, 0)));
    return cursor[0] && strcmp(cursor, "0") != 0;
}

/* The resources of a session with many tickets. */
static int session_scan(struct look *l, const struct inspect_session *s,
                        swim_error_t *err)
{
    char key[SESSION_ID_MAX + 24], cursor[24] = "0";
    const char *argv[] = {"HSCAN", key, cursor, "COUNT", INSPECT_PAGE_TICKETS};
    bool more = true;
    int rc = SWIM_OK;

    snprintf(key, sizeof(key), "{h5swim}:tickets:%s", s->key);
    while (rc == SWIM_OK && more) {
        struct redis_answer *answer = NULL;
        rc = inspect_ask_command(l->in, 5, argv, &answer, err);
        more = rc == SWIM_OK && cursor_move(cursor, sizeof(cursor), answer);
        if (rc == SWIM_OK)
            rc = look_names(l, redis_answer_at(answer, 1), 1, 2, err);
        redis_answer_free(answer);
    }
    return rc;
}

/* --- pages ---------------------------------------------------------------------- */

static int sessions_read(struct look *l, size_t n, bool with_names,
                         const struct redis_answer *answer, swim_error_t *err)
{
    int rc = SWIM_OK;

    l->out->time_ms = atoll(redis_answer_text(redis_answer_at(answer, 0)));
    for (size_t i = 0; rc == SWIM_OK && i < n; i++) {
        struct inspect_session *s = l->out->sessions[l->n_asked + i];
        const struct redis_answer *told = redis_answer_at(answer, 1 + i);
        const struct redis_answer *names = redis_answer_at(told, 2);
        rc = session_fill(l, s, told, err);
        if (rc == SWIM_OK && with_names && redis_answer_count(names) < s->tickets)
            rc = session_scan(l, s, err);
        else if (rc == SWIM_OK && with_names)
            rc = look_names(l, names, 0, 1, err);
    }
    return rc;
}

/* Ask about all sessions that were not asked about yet. */
static int look_ask_sessions(struct look *l, bool with_names, swim_error_t *err)
{
    int rc = SWIM_OK;

    while (rc == SWIM_OK && l->n_asked < l->out->n_sessions) {
        const char *argv[1 + INSPECT_PAGE] = {with_names ? INSPECT_PAGE_TICKETS : "0"};
        struct redis_answer *answer = NULL;
        size_t n = l->out->n_sessions - l->n_asked;
        n = n < INSPECT_PAGE ? n : INSPECT_PAGE;
        for (size_t i = 0; i < n; i++)
            argv[1 + i] = l->out->sessions[l->n_asked + i]->key;
        rc = inspect_ask(l->in, &script_inspect_sessions, 1 + (int)n, argv, &answer,
                         err);
        if (rc == SWIM_OK)
            rc = sessions_read(l, n, with_names, answer, err);
        redis_answer_free(answer);
        l->n_asked += n;
    }
    return rc;
}

/* Find all sessions there are. */
static int look_find_sessions(struct look *l, swim_error_t *err)
{
    char cursor[24] = "0";
    const char *argv[] = {"ZSCAN", "{h5swim}:sessions", cursor, "COUNT",
                          INSPECT_PAGE_TICKETS};
    bool more = true;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && more) {
        struct redis_answer *answer = NULL;
        rc = inspect_ask_command(l->in, 5, argv, &answer, err);
        more = rc == SWIM_OK && cursor_move(cursor, sizeof(cursor), answer);
        const struct redis_answer *keys = redis_answer_at(answer, 1);
        for (size_t i = 0; rc == SWIM_OK && i < redis_answer_count(keys); i += 2)
            if (!look_session(l, redis_answer_text(redis_answer_at(keys, i))))
                rc = inspect_no_memory(err);
        redis_answer_free(answer);
    }
    return rc;
}

/* --- the whole ------------------------------------------------------------------ */

static int session_order(const void *a, const void *b)
{
    return session_compare(*(struct inspect_session *const *)a,
                           *(struct inspect_session *const *)b);
}

static int resource_order(const void *a, const void *b)
{
    return strcmp(((const struct inspect_resource *)a)->name,
                  ((const struct inspect_resource *)b)->name);
}

/* Leave out what has ended and left nothing behind, and sort the rest. */
static void look_tidy(struct inspection *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < out->n_sessions; i++) {
        struct inspect_session *s = out->sessions[i];
        if (s->left_ms >= 0 || s->tickets > 0 || s->shown > 0)
            out->sessions[kept++] = s;
        else
            session_free(s);
    }
    out->n_sessions = kept;
    if (kept > 0)
        qsort(out->sessions, kept, sizeof(*out->sessions), session_order);
    if (out->n_resources > 0)
        qsort(out->resources, out->n_resources, sizeof(*out->resources),
              resource_order);
    if (out->grace_ms < 0)
        out->grace_ms = 0;
}

static void tree_keep(void *node)
{
    (void)node; /* what the tree is of belongs to others */
}

/* Look at the resources whose names are known by now, and finish. */
static int look_end(struct look *l, int rc, struct inspection **out, swim_error_t *err)
{
    if (rc == SWIM_OK)
        rc = look_ask_resources(l, err);
    if (rc == SWIM_OK)
        rc = look_ask_sessions(l, false, err);
    tdestroy(l->sessions_by_key, tree_keep);
    tdestroy(l->names_by_text, tree_keep);
    for (size_t i = 0; i < l->n_names; i++)
        free(l->names[i]);
    free(l->names);
    if (rc == SWIM_OK) {
        look_tidy(l->out);
        *out = l->out;
    } else {
        inspection_free(l->out);
    }
    /* Nothing was to change, so an answer that is missing leaves nothing unsure. */
    return redis_unsure_is_io(rc, err);
}

int inspect_look(struct inspector *inspector, const char *const *names, size_t n_names,
                 struct inspection **out, swim_error_t *err)
{
    struct look l = {.in = inspector, .out = calloc(1, sizeof(**out))};
    int rc = l.out ? SWIM_OK : inspect_no_memory(err);

    *out = NULL;
    if (!l.out)
        return rc;
    for (size_t i = 0; rc == SWIM_OK && i < n_names; i++)
        rc = look_name(&l, names[i], err);
    if (rc == SWIM_OK && n_names == 0)
        rc = look_find_sessions(&l, err);
    if (rc == SWIM_OK)
        rc = look_ask_sessions(&l, true, err);
    return look_end(&l, rc, out, err);
}

int inspect_look_at_session(struct inspector *inspector, const char *id,
                            struct inspection **out, swim_error_t *err)
{
    struct look l = {.in = inspector, .out = calloc(1, sizeof(**out))};
    char broken[SESSION_ID_MAX];
    int rc = l.out ? SWIM_OK : inspect_no_memory(err);

    *out = NULL;
    if (!l.out)
        return rc;
    snprintf(broken, sizeof(broken), "%s!", id);
    if (!look_session(&l, id) || !look_session(&l, broken))
        rc = inspect_no_memory(err);
    if (rc == SWIM_OK)
        rc = look_ask_sessions(&l, true, err);
    return look_end(&l, rc, out, err);
}

void inspection_free(struct inspection *inspection)
{
    if (!inspection)
        return;
    for (size_t i = 0; i < inspection->n_resources; i++) {
        free(inspection->resources[i].name);
        free(inspection->resources[i].tickets);
    }
    for (size_t i = 0; i < inspection->n_sessions; i++)
        session_free(inspection->sessions[i]);
    free(inspection->resources);
    free(inspection->sessions);
    free(inspection);
}

/* The URL to ask: *url stays NULL when it would be that of a private server which does
 * not run. */
static int inspect_find_server(const char **url, char *buf, size_t size,
                               swim_error_t *err)
{
    struct server_status status;

    if (!*url)
        *url = getenv("SWIM_REDIS_URL");
    if (*url && (*url)[0])
        return SWIM_OK;
    *url = NULL;
    int rc = server_private_status(&status, err);
    if (rc != SWIM_OK || !status.running)
        return rc;
    if (status.silent)
        return server_error_silent("ask", status.dir, status.pid, status.keeper, err);
    snprintf(buf, size, "%s", status.socket_url);
    *url = buf;
    return SWIM_OK;
}

int inspect_open(const char *url, struct inspector **out, swim_error_t *err)
{
    char private_url[SERVER_URL_MAX];

    *out = NULL;
    int rc = inspect_find_server(&url, private_url, sizeof(private_url), err);
    if (rc != SWIM_OK || !url)
        return rc;
    struct inspector *in = calloc(1, sizeof(*in));
    if (!in)
        return inspect_no_memory(err);
    rc = lock_url_parse(url, &in->url, err);
    if (rc == SWIM_OK) {
        in->link = redis_link_create(&in->url, &redis_link_sockets);
        rc = in->link ? SWIM_OK : inspect_no_memory(err);
    }
    if (rc != SWIM_OK) {
        inspect_close(in);
        return rc;
    }
    lock_url_show(&in->url, in->shown, sizeof(in->shown));
    process_self(&in->self);
    *out = in;
    return SWIM_OK;
}

void inspect_close(struct inspector *inspector)
{
    if (!inspector)
        return;
    redis_link_destroy(inspector->link);
    explicit_bzero(&inspector->url, sizeof(inspector->url));
    free(inspector);
}

const char *inspect_server(const struct inspector *inspector)
{
    return inspector->shown;
}
