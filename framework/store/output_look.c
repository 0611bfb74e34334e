/* output_look.c - what is at the name of an output, and what becomes of it: taken over,
 * finished, removed. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <h5swim/store.h>

#include "store/journal_format.h"
#include "store/output_private.h"
#include "store/process_session.h"
#include "store/store_wait.h"

/* --- looking ------------------------------------------------------------------ */

struct unfinished {
    char *path;
    char *mark;
};

static int unfinished_look(hid_t object, const char *path, void *arg)
{
    struct unfinished *found = (struct unfinished *)arg;
    hid_t set = H5Dopen2(object, path, H5P_DEFAULT);
    bool here = set >= 0 && h5_attr_exists(set, UNFINISHED);

    if (here) {
        found->path = strdup(path);
        if (h5_attr_text(set, UNFINISHED, &found->mark, NULL) != SWIM_OK)
            found->mark = NULL;
    }
    h5_release(set);
    return here ? 1 : 0;
}

int output_refuse_existing(const char *file, const struct store_access *access,
                           swim_error_t *err)
{
    struct unfinished found = {NULL, NULL};
    hid_t id = H5I_INVALID_HID;
    struct stat st;

    if (stat(file, &st) < 0 && errno == ENOENT)
        return SWIM_OK;
    int rc = h5_file_look(file, access, &id, err);
    if (rc != SWIM_OK)
        return rc;
    if (id >= 0)
        names_each_dataset(id, unfinished_look, &found);
    if (found.path)
        rc = swim_error_set(
            err, SWIM_ERR_ARG,
            "%s is the unfinished output of a job (dataset /%s, job %s); "
            "--resume goes on with it, --overwrite replaces it",
            file, found.path, found.mark ? found.mark : "unknown");
    else
        rc = swim_error_set(
            err, SWIM_ERR_ARG, "%s exists already and is %s; --overwrite replaces it",
            file, id >= 0 ? "not an unfinished output" : "no readable HDF5 file");
    H5Eclear2(H5E_DEFAULT);
    h5_release(id);
    free(found.mark);
    free(found.path);
    return rc;
}

/* The digest that all these datasets have; NULL: they do not, or not the same. */
static char *finished_look(hid_t file, const struct output_spec *specs, size_t n_specs)
{
    char *digest = NULL, *here = NULL;

    for (size_t i = 0; i < n_specs; i++) {
        hid_t set = H5I_INVALID_HID;
        bool has = output_dataset(file, &specs[i], &set, NULL) == SWIM_OK &&
                   h5_attr_exists(set, FINISHED) &&
                   h5_attr_text(set, FINISHED, &here, NULL) == SWIM_OK;
        h5_release(set);
        if (has && !digest) {
            digest = here;
            here = NULL;
        }
        has = has && (!here || strcmp(here, digest) == 0);
        free(here);
        here = NULL;
        if (!has) {
            free(digest);
            return NULL;
        }
    }
    return digest;
}

static void look_inside(hid_t file, const struct output_spec *specs, size_t n_specs,
                        struct output_found *found)
{
    struct unfinished unfinished = {NULL, NULL};

    if (h5_attr_exists(file, SHARD_OF))
        (void)h5_attr_text(file, SHARD_OF, &found->shard_of, NULL);
    names_each_dataset(file, unfinished_look, &unfinished);
    if (unfinished.mark) {
        found->state = OUTPUT_UNFINISHED;
        found->mark = unfinished.mark;
        (void)progress_look(file, &found->n_blocks, &found->description);
    } else {
        found->digest = finished_look(file, specs, n_specs);
        if (found->digest)
            found->state = OUTPUT_FINISHED;
    }
    free(unfinished.path);
}

int output_look(const char *file, const struct output_spec *specs, size_t n_specs,
                const struct store_access *access, struct output_found *found,
                swim_error_t *err)
{
    hid_t id = H5I_INVALID_HID;
    struct stat st;

    memset(found, 0, sizeof(*found));
    if (stat(file, &st) < 0 && errno == ENOENT)
        return SWIM_OK;
    int rc = h5_file_look(file, access, &id, err);
    if (rc != SWIM_OK)
        return rc;
    found->state = OUTPUT_FOREIGN;
    if (id >= 0)
        look_inside(id, specs, n_specs, found);
    H5Eclear2(H5E_DEFAULT);
    h5_release(id);
    return rc;
}

void output_found_free(struct output_found *found)
{
    free(found->mark);
    free(found->description);
    free(found->digest);
    free(found->shard_of);
    memset(found, 0, sizeof(*found));
}

bool output_same_job(const char *mark, const char *digest)
{
    size_t n = output_mark_digest(mark);

    return n == output_mark_digest(digest) && strncmp(mark, digest, n) == 0;
}

int output_progress(const char *file, const struct output_spec *specs, size_t n_specs,
                    const struct store_access *access, uint64_t n_blocks,
                    unsigned char *bits, swim_error_t *err)
{
    hid_t id = H5I_INVALID_HID;
    int rc = h5_file_open(file, false, access, NULL, &id, NULL, err);

    for (size_t i = 0; i < n_specs && rc == SWIM_OK; i++) {
        hid_t set = H5I_INVALID_HID;
        rc = output_dataset(id, &specs[i], &set, err);
        if (rc == SWIM_OK)
            rc = output_check_mark(set, &specs[i], file, err);
        if (rc == SWIM_OK && specs[i].grows)
            rc = growth_check(set, &specs[i], err);
        h5_release(set);
    }
    if (rc == SWIM_OK)
        rc = progress_read(id, file, n_blocks, bits, err);
    h5_release(id);
    return rc;
}

/* --- taking over -------------------------------------------------------------- */

static int adopt_set(hid_t file, const struct output_spec *spec,
                     const struct output_job *job, swim_error_t *err)
{
    hid_t set = H5I_INVALID_HID;
    char *mark = NULL;
    int rc = output_dataset(file, spec, &set, err);

    if (rc == SWIM_OK)
        rc = h5_attr_text(set, UNFINISHED, &mark, err);
    if (rc == SWIM_OK && (job->taken ? strcmp(mark, job->taken) != 0
                                     : !output_same_job(mark, job->mark)))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "resume %s: %s is not the unfinished output that it was",
                            spec->file, spec->dataset);
    if (rc == SWIM_OK && !output_set_fits(set, spec))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "resume %s: the shape, type, chunks or filters of %s are "
                            "not those of the job",
                            spec->file, spec->dataset);
    if (rc == SWIM_OK)
        rc = h5_attr_put_text(set, UNFINISHED, job->mark, err);
    free(mark);
    h5_release(set);
    return rc;
}

/* What was the end of the inputs may be so no more. */
static int adopt_growing(hid_t file, const struct output_spec *spec,
                         const struct output_job *job, swim_error_t *err)
{
    struct progress *progress = NULL;
    uint64_t rows = 0;
    hid_t set = H5I_INVALID_HID;
    int rc = output_dataset(file, spec, &set, err);

    if (rc == SWIM_OK)
        rc = growth_count(set, spec->file, &rows, err);
    if (rc == SWIM_OK)
        rc = progress_open(file, spec->file, &progress, err);
    if (rc == SWIM_OK && rows % job->band_rows)
        rc = progress_forget(progress, rows / job->band_rows * job->band_blocks, err);
    progress_free(progress);
    h5_release(set);
    return rc;
}

int output_adopt(const char *file, const struct output_spec *specs, size_t n_specs,
                 const struct output_job *job, const struct store_access *access,
                 swim_error_t *err)
{
    hid_t id = H5I_INVALID_HID;
    uint64_t n_blocks = 0;
    int rc = h5_file_open(file, true, access, NULL, &id, NULL, err);

    if (rc == SWIM_OK &&
        (!progress_look(id, &n_blocks, NULL) || n_blocks != job->n_blocks))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "resume %s: it is of %llu blocks, the job has %llu; "
                            "--overwrite starts anew",
                            file, (unsigned long long)n_blocks,
                            (unsigned long long)job->n_blocks);
    for (size_t i = 0; i < n_specs && rc == SWIM_OK; i++)
        rc = adopt_set(id, &specs[i], job, err);
    if (rc == SWIM_OK && job->n_blocks == OUTPUT_GROWS && job->band_rows)
        rc = adopt_growing(id, &specs[0], job, err);
    if (rc == SWIM_OK)
        rc = progress_describe(id, file, job->description, err);
    if (rc == SWIM_OK)
        return swim_close(id, err);
    h5_file_drop(id);
    return rc;
}

/* --- finishing ---------------------------------------------------------------- */

/* Whether this job has finished it already. */
static bool finished_before(hid_t set, const struct output_spec *spec)
{
    char *digest = NULL;
    bool is = !h5_attr_exists(set, UNFINISHED) && h5_attr_exists(set, FINISHED) &&
              h5_attr_text(set, FINISHED, &digest, NULL) == SWIM_OK &&
              (!spec->mark || output_same_job(spec->mark, digest));

    free(digest);
    return is;
}

/* The digest, and what is kept behind it, in the place of the mark.  A dataset without
 * a mark is left as it is. */
static int finish_set(hid_t set, const struct output_spec *spec, const char *file,
                      swim_error_t *err)
{
    char *mark = NULL, *job = NULL;

    if (finished_before(set, spec))
        return SWIM_OK;
    int rc = output_check_mark(set, spec, file, err);

    if (rc != SWIM_OK || !h5_attr_exists(set, UNFINISHED))
        return rc;
    rc = h5_attr_text(set, UNFINISHED, &mark, err);
    if (rc == SWIM_OK && H5Adelete(set, UNFINISHED) < 0)
        rc = h5_fail(err, SWIM_ERR_IO, "finish %s in %s", spec->dataset, file);
    if (rc == SWIM_OK &&
        asprintf(&job, "%.*s%s%s", (int)output_mark_digest(mark), mark,
                 spec->kept ? "-" : "", spec->kept ? spec->kept : "") < 0) {
        job = NULL;
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "finish %s", file);
    }
    if (rc == SWIM_OK)
        rc = h5_attr_put_text(set, FINISHED, job, err);
    free(job);
    free(mark);
    return rc;
}

int output_finish(const char *file, const struct output_spec *specs, size_t n_specs,
                  const struct store_access *access, swim_error_t *err)
{
    hid_t id = H5I_INVALID_HID;
    int rc = h5_file_open(file, true, access, NULL, &id, NULL, err);

    for (size_t i = 0; i < n_specs && rc == SWIM_OK; i++) {
        hid_t set = H5I_INVALID_HID;
        rc = output_dataset(id, &specs[i], &set, err);
        if (rc == SWIM_OK)
            rc = finish_set(set, &specs[i], file, err);
        h5_release(set);
    }
    if (rc == SWIM_OK)
        rc = progress_remove(id, file, err);
    if (rc == SWIM_OK)
        return swim_close(id, err);
    h5_file_drop(id);
    return rc;
}

/* --- removing ----------------------------------------------------------------- */

static int remove_named(const char *file, const char *suffix, swim_error_t *err)
{
    char *path = NULL;

    if (asprintf(&path, "%s%s", file, suffix) < 0)
        return swim_error_set(err, SWIM_ERR_NOMEM, "remove %s", file);
    int rc = unlink(path) == 0 || errno == ENOENT
                 ? SWIM_OK
                 : swim_error_sys(err, errno, "remove %s", path);
    free(path);
    return rc;
}

/* The journal first: without its file it would be kept for people to look at.  A file
 * that has lost it here is as it was when it was copied there last. */
static int remove_locked(const char *file, int64_t wait_ms, swim_session_t *session,
                         swim_error_t *err)
{
    struct swim_lock_options opt = {.struct_size = sizeof(opt)};
    char resource[PATH_MAX];
    swim_lock_t *lock = NULL;

    int rc = swim_resource_of_file(file, resource, sizeof(resource), err);
    if (rc == SWIM_OK)
        rc = store_wait_ms(wait_ms, &opt.wait_ms, err);
    if (rc == SWIM_OK)
        rc = swim_lock_acquire(session, resource, SWIM_LOCK_WRITE, &opt, &lock, err);
    if (rc == SWIM_OK)
        rc = remove_named(file, JOURNAL_SUFFIX, err);
    if (rc == SWIM_OK)
        rc = remove_named(file, "", err);
    (void)swim_lock_release(lock, NULL);
    return rc;
}

int output_remove(const char *file, const struct store_access *access,
                  swim_error_t *err)
{
    struct process_session *process = NULL;
    swim_session_t *session = access->session;
    struct stat st;
    int rc = SWIM_OK;

    if (lstat(file, &st) < 0 && errno == ENOENT)
        return SWIM_OK;
    output_settle(file, session);
    if (!session) {
        rc = process_session_use(&process, err);
        session = rc == SWIM_OK ? process_session_of(process) : NULL;
    }
    if (rc == SWIM_OK)
        rc = remove_locked(file, access->wait_ms, session, err);
    process_session_drop(process);
    return rc;
}
