/* sim_thread.c - a thread that takes turns with the program. */
#include "sim_thread.h"

#include <errno.h>
#include <stdbool.h>

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    pthread_t thread;
    void *(*fn)(void *);
    void *arg;
    bool there, waits, ended, may_go;
    unsigned seed;
} other = {.mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static unsigned dice(unsigned sides)
{
    other.seed = other.seed * 1664525U + 1013904223U;
    return (other.seed >> 8) % sides;
}

void sim_thread_seed(unsigned seed)
{
    other.seed = seed;
}

/* In the thread: until it may go on. */
static void wait_for_turn(void)
{
    pthread_mutex_lock(&other.mutex);
    other.waits = true;
    pthread_cond_broadcast(&other.moved);
    while (!other.may_go)
        pthread_cond_wait(&other.moved, &other.mutex);
    other.may_go = other.waits = false;
    pthread_mutex_unlock(&other.mutex);
}

/* In the program: until the thread has come to its next call, or its end. */
static void give_turn(void)
{
    pthread_mutex_lock(&other.mutex);
    other.may_go = !other.ended;
    pthread_cond_broadcast(&other.moved);
    while (other.may_go || (!other.waits && !other.ended))
        pthread_cond_wait(&other.moved, &other.mutex);
    pthread_mutex_unlock(&other.mutex);
}

static void *thread_main(void *unused)
{
    (void)unused;
    wait_for_turn();
    (void)other.fn(other.arg);
    pthread_mutex_lock(&other.mutex);
    other.ended = true;
    pthread_cond_broadcast(&other.moved);
    pthread_mutex_unlock(&other.mutex);
    return NULL;
}

int sim_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    if (dice(8) == 0)
        return EAGAIN;
    other.fn = fn;
    other.arg = arg;
    other.waits = other.ended = other.may_go = false;
    int rc = pthread_create(&other.thread, NULL, thread_main, NULL);
    other.there = rc == 0;
    *thread = other.thread;
    return rc;
}

int sim_thread_join(pthread_t thread)
{
    while (!other.ended)
        give_turn();
    other.there = false;
    return pthread_join(thread, NULL);
}

void sim_thread_turn(void)
{
    if (!other.there)
        return;
    if (pthread_equal(pthread_self(), other.thread)) {
        wait_for_turn();
        return;
    }
    for (unsigned turns = dice(3); turns > 0; turns--)
        give_turn();
}
