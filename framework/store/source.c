/* source.c - a file that a job reads. */
#include "store/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "store/journal.h"
#include "store/store_private.h"
#include "store/store_wait.h"

#define LOOK_NS 1000000000LL /* between looks ... */
#define LOOK_SHARE 50        /* and no more of the time than one part in so many */
/* Of one call the system reads no more than it reads ahead. */
#define EXPECT_CALL (256U << 10)

_Static_assert(SOURCE_STATE_BYTES == SNAPSHOT_BYTES, "the format's");

struct source {
    char *file;
    hid_t id;
    struct openfile *open;
    struct source_state state; /* as it was asked for, or was told */
    bool at_state;
    int64_t look_ns; /* the next one */
};

hid_t source_file(const struct source *s)
{
    return s->id;
}

const char *source_name(const struct source *s)
{
    return s->file;
}

/* What a state that is not there means to a job.  Other errors are what they are: of
 * the lock server, or of the disk. */
static int source_changed(const char *file, int rc, const swim_error_t *why,
                          swim_error_t *err)
{
    bool is_removed = rc == SWIM_ERR_IO && access(file, F_OK) != 0;

    if (rc != SWIM_ERR_ARG && !is_removed)
        return swim_error_set(err, rc, "%s", why->text);
    return swim_error_set(err, SWIM_ERR_IO,
                          "open %s: the file was changed while the job was reading it; "
                          "run the job again",
                          file);
}

static int source_open_file(struct source *s, const struct store_access *access,
                            swim_error_t *err)
{
    struct txn_snapshot at;
    swim_error_t why = {0};

    if (!s->at_state)
        return h5_file_open(s->file, false, access, NULL, &s->id, &s->open, err);
    int rc = txn_snapshot_decode(s->state.bytes, SOURCE_STATE_BYTES, &at, err);
    if (rc != SWIM_OK)
        return rc;
    rc = h5_file_open(s->file, false, access, &at, &s->id, &s->open, &why);
    return rc == SWIM_OK ? rc : source_changed(s->file, rc, &why, err);
}

int source_open(const char *file, const struct store_access *access,
                const struct source_state *state, struct source **out,
                swim_error_t *err)
{
    struct source *s = calloc(1, sizeof(*s));
    int rc = SWIM_OK;

    *out = NULL;
    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "open %s", file);
    s->id = H5I_INVALID_HID;
    s->file = strdup(file);
    s->look_ns = swim_clock_mono_ns() + LOOK_NS;
    s->at_state = state != NULL;
    if (state)
        s->state = *state;
    if (s->file)
        rc = source_open_file(s, access, err);
    else
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "open %s", file);
    if (rc == SWIM_OK)
        *out = s;
    else
        source_close(s);
    return rc;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    h5_release(s->id);
    (void)openfile_put(s->open, NULL); /* there is nothing to be committed */
    free(s->file);
    free(s);
}

void source_leave(struct source *s)
{
    if (s && s->open)
        openfile_keep_journal(s->open);
    source_close(s);
}

int source_state(struct source *s, struct source_state *state, swim_error_t *err)
{
    struct txn_snapshot is;

    memset(state, 0, sizeof(*state));
    if (s->at_state) {
        *state = s->state;
        return SWIM_OK;
    }
    int rc = openfile_snapshot(s->open, &is, err);
    if (rc == SWIM_OK) {
        txn_snapshot_encode(&is, state->bytes);
        s->state = *state;
    }
    return rc;
}

int source_keep(struct source *s, swim_error_t *err)
{
    struct txn_snapshot is;

    return openfile_snapshot(s->open, &is, err);
}

int source_last(const char *file, const struct store_access *access,
                struct source_state *state, swim_error_t *err)
{
    struct openfile_options opt = {.session = access->session, .quiet = !access->tells};
    struct txn_snapshot is;

    memset(state, 0, sizeof(*state));
    int rc = store_wait_ms(access->wait_ms, &opt.wait_ms, err);
    if (rc == SWIM_OK)
        rc = openfile_look(file, &opt, &is, err);
    if (rc == SWIM_OK)
        txn_snapshot_encode(&is, state->bytes);
    return rc;
}

uint64_t source_state_inode(const struct source_state *state)
{
    struct txn_snapshot is;

    return txn_snapshot_decode(state->bytes, SOURCE_STATE_BYTES, &is, NULL) == SWIM_OK
               ? is.inode
               : 0;
}

bool source_state_passes(const struct source_state *state)
{
    struct txn_snapshot is;

    return txn_snapshot_decode(state->bytes, SOURCE_STATE_BYTES, &is, NULL) ==
               SWIM_OK &&
           is.number != 0;
}

static uint64_t in_ns(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

/* A copy of a journal sets the time of the file to that of the commit; whoever changes
 * the file after that sets another. */
static bool copied_since(const struct source *s, const struct txn_snapshot *then,
                         const struct txn_snapshot *is)
{
    const struct io_file file = {&swim_io_system, openfile_fd(s->open, NULL), s->file,
                                 NULL};
    struct stat st;

    return file.fd >= 0 && fstat(file.fd, &st) == 0 &&
           journal_time_of(&file, &st) == is->when_ns &&
           in_ns(&st.st_mtim) == then->when_ns;
}

bool source_is_state(const struct source *s, const struct source_state *past)
{
    struct txn_snapshot then, is;

    if (memcmp(past->bytes, s->state.bytes, SOURCE_STATE_BYTES) == 0)
        return true;
    if (txn_snapshot_decode(past->bytes, SOURCE_STATE_BYTES, &then, NULL) != SWIM_OK ||
        txn_snapshot_decode(s->state.bytes, SOURCE_STATE_BYTES, &is, NULL) != SWIM_OK ||
        then.number == 0 || then.inode != is.inode || then.size != is.size)
        return false;
    if (is.number == 0)
        return copied_since(s, &then, &is);
    return memcmp(then.lineage, is.lineage, JOURNAL_ID) == 0 &&
           then.when_ns == is.when_ns;
}

void source_expect(const struct source *s, uint64_t place, uint64_t bytes)
{
    const int fd = openfile_fd(s->open, NULL);

    for (uint64_t at = 0; fd >= 0 && at < bytes; at += EXPECT_CALL)
        (void)posix_fadvise(
            fd, (off_t)(place + at),
            (off_t)(bytes - at < EXPECT_CALL ? bytes - at : EXPECT_CALL),
            POSIX_FADV_WILLNEED);
}

int source_check(const struct source *s, swim_error_t *err)
{
    return openfile_check(s->open, err);
}

int source_look(struct source *s, bool now, swim_error_t *err)
{
    int64_t start = swim_clock_mono_ns();
    swim_error_t why = {0};

    int rc = openfile_check(s->open, err);
    if (rc != SWIM_OK || (!now && start < s->look_ns))
        return rc;
    rc = openfile_is_there(s->open, &why);
    int64_t end = swim_clock_mono_ns(), pause = (end - start) * LOOK_SHARE;
    s->look_ns = end + (pause > LOOK_NS ? pause : LOOK_NS);
    return rc == SWIM_OK ? rc : source_changed(s->file, rc, &why, err);
}
