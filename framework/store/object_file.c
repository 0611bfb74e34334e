/* object_file.c - handles of the object interface, and their transactions. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/object_private.h"
#include "store/store_wait.h"
#include "store/vfd.h"

/* --- opening */

static int options_read(swim_file_t *file, const struct swim_file_options *given,
                        swim_error_t *err)
{
    struct swim_file_options opt = {0};

    if (given && given->struct_size < sizeof(size_t))
        return swim_error_set(err, SWIM_ERR_ARG, "open %s: struct_size is not set",
                              file->path);
    if (given)
        memcpy(&opt, given,
               given->struct_size < sizeof(opt) ? given->struct_size : sizeof(opt));
    if (opt.wait_ms < SWIM_LOCK_FOREVER)
        return swim_error_set(err, SWIM_ERR_ARG, "open %s: wait_ms is %lld", file->path,
                              (long long)opt.wait_ms);
    file->latest_format = opt.latest_format != 0;
    file->opt.sync = opt.no_sync == 0;
    file->opt.session = opt.session;
    vfd_set_io(&file->opt);
    return store_wait_ms(opt.wait_ms, &file->opt.wait_ms, err);
}

static char *path_absolute(const char *name)
{
    char here[PATH_MAX];

    if (name[0] == '/')
        return strdup(name);
    if (!getcwd(here, sizeof(here)))
        return NULL;
    size_t size = strlen(here) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", here, name);
    return path;
}

static int session_once(const swim_file_t *file, enum object_how how, swim_error_t *err)
{
    struct object_session *s = NULL;

    int rc = object_session_open(&s, file, how, err);
    return rc == SWIM_OK ? object_session_close(s, true, err) : rc;
}

/* It is an HDF5 file, and can be written if it is to be. */
static int file_check(const swim_file_t *file, swim_error_t *err)
{
    int mode = file->writable ? R_OK | W_OK : R_OK;

    if (access(file->path, mode) != 0)
        return swim_error_sys(err, errno, "open %s%s", file->path,
                              file->writable ? " for writing" : "");
    return session_once(file, OBJECT_READ, err);
}

/* By mode a: one that another process makes at this moment will do. */
static int file_check_or_make(const swim_file_t *file, swim_error_t *err)
{
    if (access(file->path, F_OK) == 0)
        return file_check(file, err);
    swim_error_t why = {0};
    int rc = session_once(file, OBJECT_CREATE_NEW, &why);
    if (rc == SWIM_OK)
        return rc;
    if (access(file->path, F_OK) == 0)
        return file_check(file, err);
    return swim_error_set(err, rc, "%s", why.text);
}

static int file_start(swim_file_t *file, const char *mode, swim_error_t *err)
{
    file->writable = strcmp(mode, "r") != 0;
    if (strcmp(mode, "r") == 0 || strcmp(mode, "r+") == 0)
        return file_check(file, err);
    if (strcmp(mode, "a") == 0)
        return file_check_or_make(file, err);
    if (strcmp(mode, "w") == 0)
        return session_once(file, OBJECT_CREATE, err);
    if (strcmp(mode, "x") == 0 || strcmp(mode, "w-") == 0) {
        if (access(file->path, F_OK) == 0)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "create %s: it is there already (mode w replaces "
                                  "it, a uses it)",
                                  file->path);
        return session_once(file, OBJECT_CREATE_NEW, err);
    }
    return swim_error_set(err, SWIM_ERR_ARG,
                          "open %s: there is no mode \"%s\" (r, r+, a, w, w- or x)",
                          file->path, mode);
}

int swim_file_open(const char *name, const char *mode,
                   const struct swim_file_options *options, swim_file_t **out,
                   swim_error_t *err)
{
    if (!out)
        return swim_error_set(err, SWIM_ERR_ARG, "open a file: out is NULL");
    *out = NULL;
    if (!name || !*name || !mode)
        return swim_error_set(err, SWIM_ERR_ARG, "open a file: its %s",
                              mode ? "name is empty" : "mode is NULL");
    swim_file_t *file = calloc(1, sizeof(*file));
    if (file)
        file->path = path_absolute(name);
    if (!file || !file->path) {
        free(file);
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s: no memory", name);
    }
    int rc = options_read(file, options, err);
    if (rc == SWIM_OK)
        rc = file_start(file, mode, err);
    if (rc == SWIM_OK)
        *out = file;
    else
        swim_file_free(file);
    return rc;
}

void swim_file_free(swim_file_t *file)
{
    int saved = errno;

    if (!file)
        return;
    (void)swim_file_abort(file, NULL);
    free(file->path);
    free(file);
    errno = saved;
}

/* --- transactions */

static bool session_is_foreign(const swim_file_t *file)
{
    return file->session && file->session->pid != getpid();
}

/* A visit needs the transaction that it runs in. */
static int check_use(const swim_file_t *file, const char *verb, swim_error_t *err)
{
    if (!file)
        return swim_error_set(err, SWIM_ERR_ARG, "%s a file: it is NULL", verb);
    if (file->visits > 0)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s %s: it is being visited (do it after the visit)",
                              verb, file->path);
    return SWIM_OK;
}

int swim_file_begin(swim_file_t *file, enum swim_lock_mode mode, swim_error_t *err)
{
    if (check_use(file, "begin a transaction of", err) != SWIM_OK)
        return SWIM_ERR_ARG;
    if (session_is_foreign(file))
        (void)swim_file_abort(file, NULL);
    if (file->session)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "begin a transaction of %s: one was begun already "
                              "(commit or abort it first)",
                              file->path);
    if (mode != SWIM_LOCK_READ && mode != SWIM_LOCK_UPDATE)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "begin a transaction of %s: its mode is %d (READ or "
                              "UPDATE)",
                              file->path, (int)mode);
    if (mode == SWIM_LOCK_UPDATE && !file->writable)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "begin UPDATE of %s: it was opened for reading (open it "
                              "with mode r+ or a)",
                              file->path);
    return object_session_open(&file->session, file,
                               mode == SWIM_LOCK_READ ? OBJECT_READ : OBJECT_UPDATE,
                               err);
}

int swim_file_commit(swim_file_t *file, swim_error_t *err)
{
    if (check_use(file, "commit", err) != SWIM_OK)
        return SWIM_ERR_ARG;
    struct object_session *s = file->session;

    if (!s || session_is_foreign(file))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "commit %s: no transaction was begun in this process",
                              file->path);
    file->session = NULL;
    int rc = SWIM_OK;
    if (s->broken.code != SWIM_OK)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "commit %s: nothing was committed, as this failed: %s",
                            file->path, s->broken.text);
    int closed = object_session_close(s, rc == SWIM_OK, rc == SWIM_OK ? err : NULL);
    return rc == SWIM_OK ? closed : rc;
}

int swim_file_abort(swim_file_t *file, swim_error_t *err)
{
    if (check_use(file, "abort", err) != SWIM_OK)
        return SWIM_ERR_ARG;
    struct object_session *s = file->session;
    if (!s)
        return swim_error_set(err, SWIM_ERR_ARG, "abort %s: no transaction was begun",
                              file->path);
    file->session = NULL;
    return object_session_close(s, false, err);
}
