/* journal_behind.c - what lies behind the record at which reading a journal ended.
 *
 * A record that is not as it must be is one that a writer was adding, or it is damaged.
 * Nobody adds a commit before those that come before it are there, and with sync before
 * they are on the disk: so commits further on tell of damage, unless it is one alone
 * in which power has failed. */
#include <stdlib.h>
#include <string.h>

#include "journal.h"

#define WINDOW 65536U

struct look {
    const struct journal *journal;
    const unsigned char *boot;
    struct journal_behind *behind;
};

/* One with a number from before is a leftover.  A power failure may keep the record of
 * the commit that was being made and lose what belongs to it. */
static void commit_behind(const struct look *l, const struct journal_commit *c)
{
    const uint64_t last = l->journal->last.number;

    if (c->number <= last)
        return;
    if (c->number == last + 1 && memcmp(c->boot, l->boot, JOURNAL_ID) != 0)
        l->behind->stopped_by_power = true;
    else if (c->number > l->behind->lost_upto)
        l->behind->lost_upto = c->number;
}

/* Records lie at multiples of 8; what is none is passed over.  How far that came. */
static size_t records_in(const struct look *l, const unsigned char *bytes, size_t size)
{
    const uint64_t seed = l->journal->seed;
    size_t at = 0;

    while (at + JOURNAL_COMMIT <= size) {
        struct journal_frame frame;
        struct journal_commit commit;
        uint64_t chain = 0;
        if (journal_frame_decode(bytes + at, seed, &chain, &frame)) {
            at += (size_t)journal_frame_bytes(frame.size);
        } else if (journal_commit_decode(bytes + at, seed, &chain, &commit)) {
            commit_behind(l, &commit);
            at += JOURNAL_COMMIT;
        } else {
            at += 8;
        }
    }
    return at;
}

int journal_look_behind(const struct journal *j, const unsigned char boot[JOURNAL_ID],
                        struct journal_behind *behind, swim_error_t *err)
{
    const struct look l = {j, boot, behind};
    unsigned char *window = malloc(WINDOW);
    uint64_t at = j->stop;
    size_t got = WINDOW;
    int rc = SWIM_OK;

    *behind = (struct journal_behind){0};
    if (!window)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", j->file.path);
    while (rc == SWIM_OK && got == WINDOW) {
        rc = io_read(&j->file, window, WINDOW, at, &got, err);
        if (rc == SWIM_OK)
            at += records_in(&l, window, got);
    }
    free(window);
    return rc;
}
