/* verdict_journal.c - what can be read of a journal, and what lies behind that.
 *
 * The reader of the journal stops at the first record that is not as it must be: what a
 * writer that was killed had not finished yet looks like this, and so does damage.
 * They are told apart by the commit records further on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "verdict_private.h"

static int journal_distrust(struct verdict *v, const char *why)
{
    v->has = JOURNAL_UNREADABLE;
    (void)swim_error_set(&v->why, SWIM_ERR_CORRUPT,
                         "%s is no journal to be believed: %s", v->journal_path, why);
    return SWIM_OK;
}

static int judge_owner(struct verdict *v, swim_error_t *err)
{
    struct journal_doubt doubt;

    if (io_fstat(v->log.io, v->log.fd, &v->log_st) != 0)
        return swim_error_sys(err, errno, "look at %s", v->journal_path);
    if (journal_trust(&v->main, &v->main_st, &v->log_st, &doubt))
        return SWIM_OK;
    v->of_another = doubt.of_another;
    return journal_distrust(v, doubt.why);
}

/* The first bad record from at on; *why says what it is.  Behind the last commit that
 * can be read, and before one that cannot. */
static int broken_where(struct verdict *v, uint64_t at, const char **why,
                        swim_error_t *err)
{
    uint64_t chain = v->journal.chain, sum = 0;
    int rc = SWIM_OK;

    *why = "the record";
    for (;;) {
        unsigned char bytes[JOURNAL_FRAME];
        struct journal_frame frame;
        size_t got = 0;
        v->broken_at = at;
        rc = io_read(&v->log, bytes, sizeof(bytes), at, &got, err);
        if (rc != SWIM_OK || got < sizeof(bytes) ||
            !journal_frame_decode(bytes, v->journal.seed, &chain, &frame))
            return rc;
        rc = journal_sum_of(&v->log, at + JOURNAL_FRAME, frame.size, UINT64_MAX,
                            v->journal.seed, &sum, err);
        if (rc == SWIM_OK && sum != frame.data)
            *why = "the data of the frame";
        if (rc != SWIM_OK || sum != frame.data)
            return rc;
        at += journal_frame_bytes(frame.size);
    }
}

static int say_broken(struct verdict *v, swim_error_t *err)
{
    const struct journal *j = &v->journal;
    const char *what = NULL;
    int rc = broken_where(v, j->end, &what, err);

    if (rc != SWIM_OK)
        return rc;
    v->has = JOURNAL_BROKEN;
    (void)swim_error_set(&v->why, SWIM_ERR_CORRUPT,
                         "%s at byte %" PRIu64 " of %s is not as it was written, and "
                         "commits up to number %" PRIu64 " came after it",
                         what, v->broken_at, v->journal_path, v->lost_upto);
    return SWIM_OK;
}

static int journal_judge(struct verdict *v, const unsigned char *boot,
                         swim_error_t *err)
{
    const struct journal *j = &v->journal;
    struct journal_behind behind = {0};
    uint64_t size = 0;
    int rc = io_size(&v->log, &size, err);

    v->unfinished = size > j->end ? size - j->end : 0;
    if (rc == SWIM_OK)
        rc = journal_look_behind(j, boot, &behind, err);
    if (rc != SWIM_OK)
        return rc;
    v->lost_upto = behind.lost_upto;
    v->stopped_by_power = behind.stopped_by_power;
    v->commits = j->last.number - j->header.number;
    v->other_file = !journal_is_of(&j->header, &v->main, (uint64_t)v->main_st.st_ino);
    if (v->lost_upto > 0)
        return say_broken(v, err);
    if (v->other_file &&
        (v->commits == 0 || j->last.replaced_by == (uint64_t)v->main_st.st_ino))
        v->has = JOURNAL_OVER;
    else
        v->has = v->commits == 0 ? JOURNAL_EMPTY : JOURNAL_VALID;
    if (v->has == JOURNAL_OVER)
        v->other_file = false;
    return SWIM_OK;
}

/* Data are compared with their checksums where the commit is of another boot: of all,
 * when this one is like no other. */
static int journal_take_in(struct verdict *v, const unsigned char *boot,
                           swim_error_t *err)
{
    unsigned char no_boot[JOURNAL_ID];
    enum journal_found found = JOURNAL_NOTHING;
    swim_error_t now = {0};

    if (getrandom(no_boot, sizeof(no_boot), 0) != sizeof(no_boot))
        return swim_error_sys(err, errno, "read %s", v->journal_path);
    int rc = journal_scan(&v->journal, &v->log, UINT64_MAX, no_boot, &found, &now);
    if (rc == SWIM_ERR_CORRUPT) {
        v->has = JOURNAL_UNREADABLE;
        (void)swim_error_set(&v->why, rc, "%s", now.text);
        return SWIM_OK;
    }
    if (rc != SWIM_OK)
        return swim_error_set(err, rc, "%s", now.text);
    v->has = JOURNAL_EMPTY;
    if (found == JOURNAL_FOUND)
        return journal_judge(v, boot, err);
    v->unfinished = (uint64_t)v->log_st.st_size;
    return SWIM_OK;
}

int verdict_look_at_journal(struct verdict *v, const unsigned char boot[JOURNAL_ID],
                            swim_error_t *err)
{
    v->has = JOURNAL_NONE;
    v->log.fd = verdict_open_file(v->log.io, v->journal_path, O_NOFOLLOW);
    if (v->log.fd < 0 && errno == ENOENT)
        return SWIM_OK;
    if (v->log.fd < 0 && errno == ELOOP)
        return journal_distrust(v, "it is a symbolic link");
    if (v->log.fd < 0)
        return swim_error_sys(err, errno, "open %s", v->journal_path);
    int rc = judge_owner(v, err);
    if (rc != SWIM_OK || v->has == JOURNAL_UNREADABLE)
        return rc;
    return journal_take_in(v, boot, err);
}
