/* exit_status.c - whether the process is leaving, and how. */
#include "store/exit_status.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static void (*told)(int status);
static int now = EXIT_STATUS_NONE;
static bool spoiled;

/* Registered before anything else, it is called last, when HDF5 has closed its files.
 */
static void left(int status, void *arg)
{
    (void)arg;
    if (!spoiled || status != 0)
        return;
    (void)fflush(NULL);
    _exit(1);
}

__attribute__((constructor)) static void exit_status_begin(void)
{
    (void)on_exit(left, NULL);
}

void exit_status_spoil(void)
{
    spoiled |= now != EXIT_STATUS_NONE || exit_status_is_near();
}

static void leaving(int status, void *arg)
{
    (void)arg;
    now = status & 0xff;
    told(now);
}

static void python_watch(void);

void exit_status_watch(void (*at_exit)(int status))
{
    pthread_mutex_lock(&guard);
    if (!told && on_exit(leaving, NULL) == 0)
        told = at_exit;
    pthread_mutex_unlock(&guard);
    python_watch();
}

int exit_status_now(void)
{
    return now;
}

/* --- CPython, whose functions are there when it is
 *
 * It calls what is registered with its module atexit, the last first, and then destroys
 * the objects of the program; libraries close files in both.  Its types are opaque
 * here, and what is called is part of its stable interface. */

struct python_method { /* PyMethodDef */
    const char *name;
    void *(*call)(void *self, void *args);
    int flags;
    const char *doc;
};

#define PYTHON_NO_ARGUMENTS 0x0004 /* METH_NOARGS */

static bool python_leaves;

/* dlsym() gives pointers to objects. */
static bool python_find(const char *name, void *function)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);

    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static void *python_leaving(void *self, void *args)
{
    void *(*build)(const char *, ...);

    (void)self;
    (void)args;
    python_leaves = true;
    return python_find("Py_BuildValue", &build) ? build("") : NULL;
}

/* Calls atexit.register(python_leaving). */
static void python_register(void)
{
    static struct python_method method = {"h5swim", python_leaving, PYTHON_NO_ARGUMENTS,
                                          NULL};
    void *(*import)(const char *), *(*make)(struct python_method *, void *, void *);
    void *(*call)(void *, const char *, const char *, ...);
    void (*unref)(void *), (*clear)(void);

    if (!python_find("PyImport_ImportModule", &import) ||
        !python_find("PyCFunction_NewEx", &make) ||
        !python_find("PyObject_CallMethod", &call) ||
        !python_find("Py_DecRef", &unref) || !python_find("PyErr_Clear", &clear))
        return;
    void *module = import("atexit"), *function = make(&method, NULL, NULL);
    void *result = module && function ? call(module, "register", "O", function) : NULL;
    if (!result)
        clear();
    unref(result); /* NULL is nothing */
    unref(function);
    unref(module);
}

/* Only with the interpreter's lock: waiting for it here, perhaps with a lock of HDF5,
 * could be for ever. */
static void python_watch(void)
{
    static bool done;
    int (*is_up)(void), (*has_lock)(void);
    void *(*error)(void);

    if (done || !python_find("Py_IsInitialized", &is_up) || !is_up() ||
        !python_find("PyGILState_Check", &has_lock) || !has_lock() ||
        !python_find("PyErr_Occurred", &error) || error())
        return;
    done = true;
    python_register();
}

/* The name was made public in 3.13. */
bool exit_status_is_near(void)
{
    int (*is_finalizing)(void);

    if (now != EXIT_STATUS_NONE)
        return false;
    if (python_leaves)
        return true;
    return (python_find("Py_IsFinalizing", &is_finalizing) ||
            python_find("_Py_IsFinalizing", &is_finalizing)) &&
           is_finalizing() != 0;
}
