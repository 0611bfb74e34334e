/* process_session.c - the lock session of a process, which its open files share. */
#include "store/process_session.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct process_session {
    swim_session_t *session;
    pid_t pid;
    int users; /* one of them is `current`, as long as it is the current one */
};

/* Opening one may fork, to start a server, so guard is not held meanwhile. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static struct process_session *current;
static struct process_session *inherited; /* files that the parent opened point at it */

static void fork_prepare(void)
{
    pthread_mutex_lock(&guard);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&guard);
}

static void fork_child(void)
{
    if (current)
        inherited = current;
    current = NULL;
    (void)pthread_mutex_init(&opening, NULL); /* who had it is not in the child */
    pthread_mutex_unlock(&guard);
}

static void fork_watch(void)
{
    (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* One user less; with the guard held.  What nobody uses any more is returned. */
static struct process_session *session_unref(struct process_session *s)
{
    return s && --s->users == 0 ? s : NULL;
}

/* The same for the current one, which is not that any more. */
static struct process_session *current_forget(void)
{
    struct process_session *s = current;

    current = NULL;
    return session_unref(s);
}

/* Without the guard: closing takes the one of the session's fork handlers, which comes
 * before it in a fork. */
static void session_end(struct process_session *s)
{
    if (!s)
        return;
    swim_session_close(s->session);
    free(s);
}

static int session_start(struct process_session **out, swim_error_t *err)
{
    const struct swim_session_options opt = {
        .struct_size = sizeof(opt), .job = program_invocation_short_name, .rank = -1};
    struct process_session *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open a lock session: no memory");
    int rc = swim_session_open(&opt, &s->session, err);
    if (rc != SWIM_OK) {
        free(s);
        return rc;
    }
    s->pid = getpid();
    s->users = 1;
    *out = s;
    return SWIM_OK;
}

/* The current one, if there is one: it has one user more. */
static struct process_session *current_use(void)
{
    pthread_mutex_lock(&guard);
    struct process_session *s = current;
    if (s)
        s->users++;
    pthread_mutex_unlock(&guard);
    return s;
}

int process_session_use(struct process_session **out, swim_error_t *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct process_session *new = NULL;
    int rc = SWIM_OK;

    (void)pthread_once(&once, fork_watch);
    *out = current_use();
    if (*out)
        return SWIM_OK;
    pthread_mutex_lock(&opening);
    *out = current_use();
    if (!*out)
        rc = session_start(&new, err);
    if (new) {
        pthread_mutex_lock(&guard);
        current = new;
        new->users++;
        pthread_mutex_unlock(&guard);
        *out = new;
    }
    pthread_mutex_unlock(&opening);
    return rc;
}

swim_session_t *process_session_of(const struct process_session *session)
{
    return session->session;
}

void process_session_retire(struct process_session *session)
{
    struct process_session *unused = NULL;

    pthread_mutex_lock(&guard);
    if (session == current)
        unused = current_forget();
    pthread_mutex_unlock(&guard);
    session_end(unused);
}

void process_session_drop(struct process_session *session)
{
    if (!session || session->pid != getpid())
        return;
    pthread_mutex_lock(&guard);
    struct process_session *unused = session_unref(session);
    pthread_mutex_unlock(&guard);
    session_end(unused);
}

void process_session_end(void)
{
    pthread_mutex_lock(&guard);
    struct process_session *unused = current_forget();
    pthread_mutex_unlock(&guard);
    session_end(unused);
}
