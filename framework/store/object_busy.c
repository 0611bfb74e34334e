/* object_busy.c - which files this process has in sessions of the object interface.
 *
 * HDF5 has each file open once in a process: two sessions would be one, the later one
 * would see the state of the earlier one, and commit what that has written.  So each
 * has the file alone; the thread that has it already is told, as it would wait for
 * itself. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/object_private.h"

struct object_busy {
    struct object_busy *next;
    pthread_t owner;
    char resource[];
};

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct object_busy *list;

static void changed_init(void)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&changed, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static void fork_prepare(void)
{
    pthread_mutex_lock(&guard);
}

static void fork_parent(void)
{
    pthread_mutex_unlock(&guard);
}

/* What the parent has in use the child has not. */
static void fork_child(void)
{
    list = NULL;
    changed_init();
    pthread_mutex_unlock(&guard);
}

static void start(void)
{
    changed_init();
    (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static const struct object_busy *find(const char *resource)
{
    const struct object_busy *b = list;

    while (b && strcmp(b->resource, resource) != 0)
        b = b->next;
    return b;
}

static struct timespec deadline_of(int64_t wait_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    if (wait_ms > 0) {
        at.tv_sec += (time_t)(wait_ms / 1000);
        at.tv_nsec += (long)(wait_ms % 1000) * 1000000L;
        if (at.tv_nsec >= 1000000000L) {
            at.tv_sec++;
            at.tv_nsec -= 1000000000L;
        }
    }
    return at;
}

/* Until nobody has it; with the guard. */
static int wait_free(const char *resource, const char *path, int64_t wait_ms,
                     swim_error_t *err)
{
    const struct timespec at = deadline_of(wait_ms);
    int ended = 0;

    for (const struct object_busy *b = find(resource); b; b = find(resource)) {
        if (pthread_equal(b->owner, pthread_self()))
            return swim_error_set(
                err, SWIM_ERR_DEADLOCK,
                "open %s: this thread has it in a transaction of another handle "
                "(commit or abort that first, or use its handle)",
                path);
        if (ended == ETIMEDOUT)
            return swim_error_set(err, SWIM_ERR_TIMEOUT,
                                  "open %s: another thread of this process has it in "
                                  "a transaction",
                                  path);
        if (wait_ms == SWIM_LOCK_FOREVER)
            (void)pthread_cond_wait(&changed, &guard);
        else
            ended = pthread_cond_timedwait(&changed, &guard, &at);
    }
    return SWIM_OK;
}

int object_busy_take(struct object_busy **out, const char *path, int64_t wait_ms,
                     swim_error_t *err)
{
    char resource[PATH_MAX];

    *out = NULL;
    (void)pthread_once(&once, start);
    int rc = swim_resource_of_file(path, resource, sizeof(resource), err);
    if (rc != SWIM_OK)
        return rc;
    size_t size = strlen(resource) + 1;
    struct object_busy *b = malloc(sizeof(*b) + size);
    if (!b)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s: no memory", path);
    memcpy(b->resource, resource, size);
    b->owner = pthread_self();
    pthread_mutex_lock(&guard);
    rc = wait_free(resource, path, wait_ms, err);
    if (rc == SWIM_OK) {
        b->next = list;
        list = b;
    }
    pthread_mutex_unlock(&guard);
    if (rc == SWIM_OK)
        *out = b;
    else
        free(b);
    return rc;
}

void object_busy_drop(struct object_busy *busy)
{
    if (!busy)
        return;
    pthread_mutex_lock(&guard);
    for (struct object_busy **at = &list; *at; at = &(*at)->next)
        if (*at == busy) {
            *at = busy->next;
            break;
        }
    (void)pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&guard);
    free(busy);
}
