/* verdict.c - what state a file and its journal are in. */
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verdict_private.h"

#define TRIES 8 /* while others are at it */

const char *verdict_name(enum verdict_is is)
{
    static const char *const names[] = {"clean", "recoverable", "foreign", "damaged"};

    return names[is];
}

int verdict_open_file(const struct swim_io *io, const char *path, int flags)
{
    flags |= O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    int fd = io_open(io, path, flags | O_NOATIME, 0);

    if (fd < 0 && errno == EPERM) /* of somebody else */
        fd = io_open(io, path, flags, 0);
    return fd;
}

static int open_main(struct verdict *v, swim_error_t *err)
{
    v->main.fd = verdict_open_file(v->main.io, v->path, 0);
    if (v->main.fd < 0)
        return swim_error_sys(err, errno, "look at %s", v->path);
    if (io_fstat(v->main.io, v->main.fd, &v->main_st) != 0)
        return swim_error_sys(err, errno, "look at %s", v->path);
    if (!S_ISREG(v->main_st.st_mode))
        return swim_error_set(err, SWIM_ERR_ARG, "look at %s: it is not a regular file",
                              v->path);
    return SWIM_OK;
}

/* The file is its only state. */
static void forget_journal(struct verdict *v)
{
    const uint64_t size = (uint64_t)v->main_st.st_size;

    journal_clear(&v->journal);
    memset(&v->journal, 0, sizeof(v->journal));
    overlay_init(&v->journal.overlay);
    v->journal.header.size = v->journal.header.high_water = size;
    journal_start(&v->journal);
}

__attribute__((format(printf, 2, 3))) static void foreign(struct verdict *v,
                                                          const char *form, ...)
{
    char text[400];
    va_list args;

    va_start(args, form);
    vsnprintf(text, sizeof(text), form, args);
    va_end(args);
    v->foreign = true;
    (void)swim_error_set(&v->why, SWIM_ERR_CORRUPT, "%s", text);
}

static int compare_size(struct verdict *v)
{
    const struct journal_commit *last = &v->journal.last;
    uint64_t size = (uint64_t)v->main_st.st_size;
    uint64_t needed = last->extent < last->size ? last->extent : last->size;

    if (size < needed)
        foreign(v, "the file was cut from outside, to %" PRIu64 " of %" PRIu64 " bytes",
                size, needed);
    return SWIM_OK;
}

static int compare_first(struct verdict *v, swim_error_t *err)
{
    uint64_t sum = 0;
    int rc =
        journal_first_of(&v->main, v->journal.header.size, v->journal.seed, &sum, err);

    if (rc == SWIM_OK && sum != v->journal.header.first)
        foreign(
            v,
            "the first %d bytes of the file, or behind its user block, were changed "
            "from outside since its journal was begun",
            JOURNAL_FIRST);
    return rc;
}

static int compare_frame(void *arg, const struct journal_frame *frame, uint64_t extent,
                         swim_error_t *err)
{
    struct verdict *v = arg;
    uint64_t sum = 0;

    int rc = journal_sum_of(&v->main, frame->place, frame->size, extent,
                            v->journal.seed, &sum, err);
    if (rc != SWIM_OK || sum == frame->under)
        return rc;
    if (v->changed_frames++ == 0)
        v->changed_at = frame->place;
    return SWIM_OK;
}

/* Whether the file is what the journal was begun over.  Once copying has begun, nothing
 * can be said of that. */
static int compare(struct verdict *v, swim_error_t *err)
{
    if (v->has != JOURNAL_VALID && v->has != JOURNAL_BROKEN && v->has != JOURNAL_EMPTY)
        return SWIM_OK;
    if (v->other_file)
        foreign(v,
                "another file has taken the name, or this is a copy; what is committed "
                "in %s belongs to the one before, or to the one that was copied",
                v->journal_path);
    if (v->other_file || v->journal.may_be_copied || v->journal.end == 0)
        return SWIM_OK;
    int rc = compare_size(v);
    if (rc == SWIM_OK)
        rc = compare_first(v, err);
    if (rc == SWIM_OK)
        rc = journal_each_frame(&v->journal, compare_frame, v, err);
    if (rc == SWIM_OK && v->changed_frames > 0)
        foreign(v,
                "the file was changed from outside at byte %" PRIu64
                " since its journal was begun",
                v->changed_at);
    return rc;
}

int verdict_read(struct verdict *v, void *bytes, size_t size, uint64_t place,
                 swim_error_t *err)
{
    const struct journal_view view = {&v->journal, NULL, &v->main,
                                      v->journal.last.extent};
    uint64_t all = v->journal.last.size, there = place < all ? all - place : 0;
    size_t held = size < there ? size : (size_t)there;

    memset((char *)bytes + held, 0, size - held);
    return held > 0 ? journal_read(&view, bytes, held, place, err) : SWIM_OK;
}

static int read_state(void *arg, void *bytes, size_t size, uint64_t place, size_t *got,
                      swim_error_t *err)
{
    struct verdict *v = arg;
    uint64_t all = v->journal.last.size, there = place < all ? all - place : 0;

    if (v->foreign)
        return io_read(&v->main, bytes, size, place, got, err);
    *got = size < there ? size : (size_t)there;
    return verdict_read(v, bytes, *got, place, err);
}

static int look_at_superblock(struct verdict *v, swim_error_t *err)
{
    uint64_t size = v->foreign ? (uint64_t)v->main_st.st_size : v->journal.last.size;
    int rc = superblock_look(read_state, v, size, &v->superblock, err);

    if (rc != SWIM_OK)
        return rc;
    if (v->superblock.is == SUPERBLOCK_NONE && v->has == JOURNAL_NONE)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "look at %s: it is no HDF5 file (it has no signature of "
                              "one)",
                              v->path);
    return SWIM_OK;
}

static void decide(struct verdict *v)
{
    const struct superblock *s = &v->superblock;

    v->is = v->has == JOURNAL_VALID ? VERDICT_RECOVERABLE : VERDICT_CLEAN;
    if (v->foreign)
        v->is = VERDICT_FOREIGN;
    else if (s->is != SUPERBLOCK_WHOLE)
        v->is = VERDICT_DAMAGED;
    if (v->has == JOURNAL_BROKEN || v->has == JOURNAL_UNREADABLE)
        v->is = VERDICT_DAMAGED;
    if (v->is == VERDICT_DAMAGED && !v->foreign && v->why.code == SWIM_OK)
        (void)swim_error_set(&v->why, SWIM_ERR_CORRUPT, "%s",
                             s->is == SUPERBLOCK_NONE ? "it has no signature of HDF5"
                                                      : s->problem);
}

/* What a writer has added to the file itself, behind all that is committed. */
static void measure_tail(struct verdict *v)
{
    uint64_t size = (uint64_t)v->main_st.st_size;
    uint64_t end = v->journal.last.high_water;

    if (!v->foreign && v->log.fd >= 0 && size > end)
        v->file_tail = size - end;
}

static int look(struct verdict *v, const unsigned char *boot, swim_error_t *err)
{
    int rc = open_main(v, err);

    if (rc == SWIM_OK)
        rc = verdict_look_at_journal(v, boot, err);
    if (rc != SWIM_OK)
        return rc;
    if (v->has == JOURNAL_NONE || v->has == JOURNAL_OVER ||
        v->has == JOURNAL_UNREADABLE || v->journal.end == 0)
        forget_journal(v);
    else
        rc = compare(v, err);
    if (rc == SWIM_OK)
        rc = look_at_superblock(v, err);
    if (rc != SWIM_OK)
        return rc;
    measure_tail(v);
    verdict_look_around(v);
    decide(v);
    return SWIM_OK;
}

static bool same_file(const struct swim_io *io, const char *path, int fd,
                      const struct stat *was)
{
    struct stat now;

    if (fd < 0)
        return io_lstat(io, path, &now) != 0;
    return io_lstat(io, path, &now) == 0 && now.st_ino == was->st_ino &&
           now.st_dev == was->st_dev && now.st_size == was->st_size &&
           now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

/* Somebody has changed it while it was looked at: what was found may be a mixture. */
static bool has_moved(const struct verdict *v)
{
    return !same_file(v->main.io, v->path, v->main.fd, &v->main_st) ||
           !same_file(v->log.io, v->journal_path, v->log.fd, &v->log_st);
}

static struct verdict *verdict_new(const char *path, const struct swim_io *io)
{
    struct verdict *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->path = strdup(path);
    if (asprintf(&v->journal_path, "%s%s", path, JOURNAL_SUFFIX) < 0)
        v->journal_path = NULL;
    v->main = (struct io_file){io, -1, v->path, NULL};
    v->log = (struct io_file){io, -1, v->journal_path, NULL};
    overlay_init(&v->journal.overlay);
    if (v->path && v->journal_path)
        return v;
    verdict_close(v);
    return NULL;
}

int verdict_open(struct verdict **out, const char *path,
                 const struct verdict_options *options, swim_error_t *err)
{
    const struct swim_io *io = options->io ? options->io : &swim_io_system;
    bool again = true;

    *out = NULL;
    for (int tries = 1; again; tries++) {
        swim_error_t now = {0};
        struct verdict *v = verdict_new(path, io);
        if (!v)
            return swim_error_set(err, SWIM_ERR_NOMEM, "look at %s: no memory", path);
        int rc = look(v, options->boot, &now);
        bool bad = rc != SWIM_OK || v->is > VERDICT_RECOVERABLE;
        again = bad && v->main.fd >= 0 && tries < TRIES && has_moved(v);
        if (!again && rc == SWIM_OK)
            *out = v;
        else
            verdict_close(v);
        if (!again && rc != SWIM_OK)
            return swim_error_set(err, rc, "%s", now.text);
    }
    return SWIM_OK;
}

void verdict_close(struct verdict *v)
{
    if (!v)
        return;
    if (v->main.fd >= 0)
        v->main.io->close(v->main.fd);
    if (v->log.fd >= 0)
        v->log.io->close(v->log.fd);
    journal_clear(&v->journal);
    for (size_t i = 0; i < v->n_shards; i++)
        free(v->shards[i].path);
    free(v->shards);
    free(v->path);
    free(v->journal_path);
    free(v);
}
