/* late_close.c - closing in the background. */
#include "store/late_close.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#define STACK 65536

static void *close_one(void *fd)
{
    (void)close((int)(intptr_t)fd);
    return NULL;
}

/* Signals are for the program's own threads. */
int late_close(int fd)
{
    void *arg = (void *)(intptr_t)fd;
    pthread_attr_t how;
    pthread_t thread;
    sigset_t all, before;

    (void)pthread_attr_init(&how);
    (void)pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&how, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&thread, &how, close_one, arg) != 0)
        (void)close_one(arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&how);
    return 0;
}
