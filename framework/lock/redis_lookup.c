/* redis_lookup.c - addresses of a host, within a time limit. */
#include "redis_lookup.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <h5swim/error.h>

/* Belongs to who asks and to the thread; who is done last frees it. */
struct lookup {
    atomic_int users;
    int done_fd;      /* readable: done */
    atomic_bool done; /* the rest is there */
    redis_lookup_fn fn;
    int result;
    struct addrinfo *list;
    char *host, *port;
};

static const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
static const struct addrinfo by_name = {.ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_NUMERICSERV};

static void lookup_drop(struct lookup *l)
{
    if (atomic_fetch_sub(&l->users, 1) > 1)
        return;
    if (l->list)
        freeaddrinfo(l->list);
    if (l->done_fd >= 0)
        close(l->done_fd);
    free(l->host);
    free(l->port);
    free(l);
}

static struct lookup *lookup_create(const char *host, const char *port,
                                    redis_lookup_fn fn)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    atomic_init(&l->users, 1);
    l->fn = fn;
    l->host = strdup(host);
    l->port = strdup(port);
    l->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->host && l->port && l->done_fd >= 0)
        return l;
    lookup_drop(l);
    return NULL;
}

static void *lookup_main(void *arg)
{
    const uint64_t one = 1;
    struct lookup *l = arg;

    l->result = l->fn(l->host, l->port, &by_name, &l->list);
    atomic_store(&l->done, true);
    ssize_t ignored = write(l->done_fd, &one, sizeof(one));
    (void)ignored; /* an eventfd at 0 always takes a 1 */
    lookup_drop(l);
    return NULL;
}

static int lookup_start(struct lookup *l)
{
    sigset_t all, before;
    pthread_t thread;

    atomic_store(&l->users, 2);
    sigfillset(&all); /* signals are for the threads of the program */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, lookup_main, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    else
        atomic_store(&l->users, 1);
    return rc;
}

static int lookup_await(struct lookup *l, const struct redis_wait *wait,
                        struct addrinfo **list, const char **why)
{
    enum redis_waited waited = redis_wait_for(wait, l->done_fd, POLLIN);

    if (waited == REDIS_WAIT_CANCELLED) {
        *why = "interrupted";
        return SWIM_ERR_CANCELLED;
    }
    if (waited != REDIS_WAIT_READY || !atomic_load(&l->done)) {
        *why = "no name server answers in time";
        return SWIM_ERR_IO;
    }
    if (l->result != 0) {
        *why = gai_strerror(l->result);
        return SWIM_ERR_IO;
    }
    *list = l->list;
    l->list = NULL;
    return SWIM_OK;
}

int redis_lookup(const char *host, const char *port, redis_lookup_fn fn,
                 const struct redis_wait *wait, struct addrinfo **list,
                 const char **why)
{
    *list = NULL;
    if (fn(host, port, &numeric, list) == 0)
        return SWIM_OK;
    struct lookup *l = lookup_create(host, port, fn);
    if (!l || lookup_start(l) != 0) {
        *why = "no memory or no thread to look its name up";
        if (l)
            lookup_drop(l);
        return SWIM_ERR_IO;
    }
    int rc = lookup_await(l, wait, list, why);
    lookup_drop(l);
    return rc;
}
