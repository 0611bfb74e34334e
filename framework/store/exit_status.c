/* exit_status.c - whether the process is leaving, and how. */
#include "store/exit_status.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static void (*told)(int status);
static int now = EXIT_STATUS_NONE;

static void leaving(int status, void *arg)
{
    (void)arg;
    now = status & 0xff;
    told(now);
}

void exit_status_watch(void (*at_exit)(int status))
{
    pthread_mutex_lock(&guard);
    if (!told && on_exit(leaving, NULL) == 0)
        told = at_exit;
    pthread_mutex_unlock(&guard);
}

int exit_status_now(void)
{
    return now;
}

/* CPython: the name was made public in 3.13. */
bool exit_status_is_near(void)
{
    static const char *const names[] = {"Py_IsFinalizing", "_Py_IsFinalizing"};

    for (size_t i = 0; now == EXIT_STATUS_NONE && i < 2; i++) {
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);
        int (*is_finalizing)(void);
        memcpy(&is_finalizing, &symbol, sizeof(symbol));
        if (symbol)
            return is_finalizing() != 0;
    }
    return false;
}
