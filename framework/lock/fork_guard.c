/* fork_guard.c - a forked child has no part in its parent's sessions.
 *
 * A child that kept the sockets would hide its parent's death from the server, and one
 * that used them would mix its bytes into the parent's. */
#include "lock_private.h"

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static swim_session_t *list;

static void fork_prepare(void)
{
    pthread_mutex_lock(&list_mutex);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&list_mutex);
}

static void fork_child(void)
{
    for (swim_session_t *s = list; s; s = s->next) {
        atomic_store(&s->forked, true);
        redis_link_forked(s->command);
        redis_link_forked(s->pulse);
        for (struct waiter_link *w = atomic_load(&s->waiters); w; w = w->next)
            redis_link_forked(w->link);
    }
    pthread_mutex_init(&list_mutex, NULL);
}

static void fork_register(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void fork_guard_add(swim_session_t *session)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fork_register);
    pthread_mutex_lock(&list_mutex);
    session->next = list;
    list = session;
    pthread_mutex_unlock(&list_mutex);
}

void fork_guard_remove(swim_session_t *session)
{
    pthread_mutex_lock(&list_mutex);
    for (swim_session_t **at = &list; *at; at = &(*at)->next) {
        if (*at == session) {
            *at = session->next;
            break;
        }
    }
    pthread_mutex_unlock(&list_mutex);
}
