/* object_call.c - what all calls of the object interface begin and end with. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/object_private.h"
#include "store/vfd.h"

/* HDF5 may have been built without threads in mind. */
static pthread_mutex_t hdf5_mutex = PTHREAD_MUTEX_INITIALIZER;

void object_hdf5_enter(H5E_auto2_t *report, void **report_arg)
{
    pthread_mutex_lock(&hdf5_mutex);
    if (H5Eget_auto2(H5E_DEFAULT, report, report_arg) < 0)
        *report = NULL;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
    (void)vfd_take_code();
}

void object_hdf5_leave(H5E_auto2_t report, void *report_arg)
{
    (void)H5Eset_auto2(H5E_DEFAULT, report, report_arg);
    pthread_mutex_unlock(&hdf5_mutex);
}

/* --- errors */

struct cause {
    char *text;
    size_t size;
};

/* The driver's line says all; else the innermost text of HDF5. */
static herr_t cause_look(unsigned n, const H5E_error2_t *entry, void *arg)
{
    const struct cause *cause = arg;
    const char *function = entry->func_name ? entry->func_name : "";
    const char *text = entry->desc ? entry->desc : "";

    if (strncmp(function, "vfd_", 4) == 0) {
        snprintf(cause->text, cause->size, "%s", text);
        return 1;
    }
    if (n == 0)
        snprintf(cause->text, cause->size, "HDF5: %s", text);
    return 0;
}

int object_cause(char *text, size_t size)
{
    struct cause cause = {text, size};
    int code = vfd_take_code();

    snprintf(text, size, "HDF5 gives no cause");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, cause_look, &cause);
    H5Eclear2(H5E_DEFAULT);
    return code == SWIM_OK ? SWIM_ERR_IO : code;
}

int object_fail(struct object_call *c, int code, const char *fmt, ...)
{
    char why[500];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    return swim_error_set(c->err, code, "%s %s of %s: %s", c->verb,
                          c->path ? c->path : "an object", c->handle->path, why);
}

int object_fail_h5(struct object_call *c, const char *fmt, ...)
{
    char what[200], cause[400];
    va_list args;

    int code = object_cause(cause, sizeof(cause));
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return object_fail(c, code, "%s: %s", what, cause);
}

/* --- beginning */

static int check_begun(struct object_call *c, bool writes)
{
    const struct object_session *s = c->handle->session;

    if (s->pid != getpid())
        return object_fail(c, SWIM_ERR_ARG,
                           "its transaction was begun by process %ld, which forked "
                           "this one (begin one in this process)",
                           (long)s->pid);
    if (writes && !s->writes)
        return object_fail(c, SWIM_ERR_ARG,
                           "a transaction for reading was begun (begin UPDATE)");
    if (s->broken.code != SWIM_OK)
        return object_fail(c, SWIM_ERR_ARG,
                           "its transaction can only be aborted, as this failed: %s",
                           s->broken.text);
    return SWIM_OK;
}

static int call_session(struct object_call *c, enum object_how how)
{
    if (how != OBJECT_READ && !c->handle->writable)
        return object_fail(c, SWIM_ERR_ARG,
                           "it was opened for reading (open it with mode r+ or a)");
    if (c->handle->session) {
        int rc = check_begun(c, how != OBJECT_READ);
        c->session = rc == SWIM_OK ? c->handle->session : NULL;
        return rc;
    }
    c->own = true;
    swim_error_t why = {0};
    int rc = object_session_open(&c->session, c->handle, how, &why);
    return rc == SWIM_OK
               ? rc
               : swim_error_set(c->err, rc, "%s %s: %s", c->verb, c->path, why.text);
}

/* Links that are followed lead out of the file for reading only: what is written there
 * would not be of this transaction. */
static int call_properties(struct object_call *c)
{
    c->links = H5Pcreate(H5P_LINK_ACCESS);
    c->names = H5Pcreate(H5P_LINK_CREATE);
    if (c->links < 0 || c->names < 0 ||
        H5Pset_elink_acc_flags(c->links, H5F_ACC_RDONLY) < 0 ||
        H5Pset_create_intermediate_group(c->names, 1) < 0 ||
        H5Pset_char_encoding(c->names, H5T_CSET_UTF8) < 0)
        return object_fail_h5(c, "make property lists");
    return SWIM_OK;
}

int object_begin(struct object_call *c, swim_file_t *file, const char *verb,
                 const char *path, enum object_how how, swim_error_t *err)
{
    memset(c, 0, sizeof(*c));
    c->handle = file;
    c->verb = verb;
    c->err = err;
    c->file = c->links = c->names = H5I_INVALID_HID;
    if (!file)
        return swim_error_set(err, SWIM_ERR_ARG, "%s %s: the file is NULL", verb,
                              path ? path : "an object");
    if (!path || !*path)
        return object_fail(c, SWIM_ERR_ARG, "its path is %s", path ? "empty" : "NULL");
    c->path = h5_path_normal(path);
    int rc =
        c->path ? call_session(c, how) : object_fail(c, SWIM_ERR_NOMEM, "no memory");
    if (rc != SWIM_OK) {
        free(c->path);
        c->path = NULL;
        return rc;
    }
    c->file = c->session->file;
    object_hdf5_enter(&c->report, &c->report_arg);
    rc = call_properties(c);
    return rc == SWIM_OK ? rc : object_end(c, rc);
}

/* --- ending */

int object_end(struct object_call *c, int rc)
{
    h5_release(c->links);
    h5_release(c->names);
    H5Eclear2(H5E_DEFAULT);
    object_hdf5_leave(c->report, c->report_arg);
    if (rc != SWIM_OK && c->changing && !c->own && c->session->broken.code == SWIM_OK)
        (void)swim_error_set(&c->session->broken, rc, "%s %s", c->verb, c->path);
    if (c->own) {
        int closed = object_session_close(c->session, rc == SWIM_OK,
                                          rc == SWIM_OK ? c->err : NULL);
        rc = rc == SWIM_OK ? closed : rc;
    }
    free(c->path);
    c->path = NULL;
    return rc;
}
