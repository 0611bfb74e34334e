/* journal_write.c - adding frames and commit records. */
#include <string.h>

#include "journal.h"

/* The committed state of a journal that holds none yet. */
void journal_start(struct journal *j)
{
    j->last = (struct journal_commit){.number = j->header.number,
                                      .fence = j->header.fence,
                                      .size = j->header.size,
                                      .high_water = j->header.high_water,
                                      .extent = j->header.size};
    j->seed = journal_seed(j->header.id);
    j->chain = j->seed;
    j->end = JOURNAL_HEADER;
}

int journal_begin(struct journal *j, const struct io_file *file,
                  const struct journal_header *header, swim_error_t *err)
{
    unsigned char bytes[JOURNAL_HEADER];
    struct iovec part = {bytes, sizeof(bytes)};

    memset(j, 0, sizeof(*j));
    overlay_init(&j->overlay);
    j->file = *file;
    j->header = *header;
    journal_start(j);
    journal_header_encode(header, bytes);
    return io_write(file, &part, 1, 0, err);
}

static void append_reset(struct journal_append *a)
{
    overlay_clear(&a->pending);
    a->at = a->journal->end;
    a->chain = a->journal->chain;
    a->frames = 0;
    a->unsent = (struct io_unsent){0};
}

void journal_append_start(struct journal_append *a, struct journal *journal)
{
    overlay_init(&a->pending);
    a->journal = journal;
    append_reset(a);
}

int journal_append_begin(struct journal_append *a, struct journal *journal,
                         swim_error_t *err)
{
    journal_append_start(a, journal);
    return journal_append_abort(a, err);
}

int journal_append_abort(struct journal_append *a, swim_error_t *err)
{
    const struct journal *j = a->journal;

    append_reset(a);
    return io_truncate(&j->file, j->end + (j->unsure ? JOURNAL_MARK : 0), err);
}

static int append_one(struct journal_append *a, const unsigned char *bytes,
                      struct journal_frame *frame, swim_error_t *err)
{
    static const unsigned char zeros[8];
    struct journal *j = a->journal;
    unsigned char head[JOURNAL_FRAME];
    uint64_t chain = a->chain, all = journal_frame_bytes(frame->size);
    /* iovec has no const; nothing is written to what is only sent */
    struct iovec parts[] = {
        {head, sizeof(head)},
        {(void *)(uintptr_t)bytes, frame->size},
        {(void *)(uintptr_t)zeros, (size_t)(all - JOURNAL_FRAME - frame->size)}};

    frame->data = journal_sum(bytes, frame->size, j->seed);
    journal_frame_encode(frame, j->seed, &chain, head);
    int rc = io_write(&j->file, parts, 3, a->at, err);
    if (rc == SWIM_OK)
        rc = overlay_put(&a->pending, frame->place, frame->size, a->at + JOURNAL_FRAME,
                         err);
    if (rc != SWIM_OK)
        return rc; /* what was written is written over by the next one */
    io_wrote(&a->unsent, &j->file, a->at, all);
    a->chain = chain;
    a->at += all;
    a->frames++;
    return SWIM_OK;
}

int journal_append_frame(struct journal_append *a, const void *bytes, size_t size,
                         uint64_t place, const void *under, size_t under_size,
                         swim_error_t *err)
{
    const unsigned char *from = bytes, *below = under;
    int rc = SWIM_OK;

    while (rc == SWIM_OK && size > 0) {
        struct journal_frame frame = {.place = place};
        frame.size = size < JOURNAL_DATA_MAX ? (uint32_t)size : JOURNAL_DATA_MAX;
        size_t held = under_size < frame.size ? under_size : frame.size;
        frame.under = journal_sum(below, held, a->journal->seed);
        rc = append_one(a, from, &frame, err);
        from += frame.size;
        below += held;
        place += frame.size;
        size -= frame.size;
        under_size -= held;
    }
    return rc;
}

/* The frames of a commit enter the state in the order of their places: none hides
 * another of the same. */
static int append_enter(struct journal_append *a, swim_error_t *err)
{
    struct overlay_piece *piece = overlay_from(&a->pending, 0);
    int rc = SWIM_OK;

    for (; rc == SWIM_OK && piece; piece = overlay_next(piece))
        rc = overlay_put(&a->journal->overlay, piece->place, piece->end - piece->place,
                         piece->source, err);
    return rc;
}

/* *chain: behind the record. */
static void append_encode(const struct journal_append *a, struct journal_commit *commit,
                          struct journal_record *record, uint64_t *chain)
{
    const struct journal *j = a->journal;

    *chain = a->chain;
    commit->number = j->last.number + 1;
    commit->begin = j->end;
    commit->frames = a->frames;
    commit->chain = *chain;
    journal_commit_encode(commit, j->seed, chain, record->bytes);
    record->at = a->at;
}

/* The commit is the state. */
static void append_take(struct journal_append *a, const struct journal_commit *commit,
                        uint64_t chain)
{
    struct journal *j = a->journal;

    j->last = *commit;
    j->may_be_copied |= (commit->flags & JOURNAL_MAY_BE_COPIED) != 0;
    j->chain = chain;
    j->end = a->at + JOURNAL_COMMIT;
    append_reset(a);
}

int journal_append_commit(struct journal_append *a, struct journal_commit *commit,
                          bool sync, swim_error_t *err)
{
    struct journal_record record;
    uint64_t chain = 0;

    append_encode(a, commit, &record, &chain);
    int rc = journal_put_record(&a->journal->file, &record, err);
    if (rc != SWIM_OK)
        return rc;
    /* Whoever opens the file now reads it: what fails from here on cannot undo it. */
    rc = append_enter(a, err);
    append_take(a, commit, chain);
    if (rc == SWIM_OK && sync)
        rc = io_sync(&a->journal->file, err);
    a->journal->unsure |= rc != SWIM_OK;
    return rc;
}

int journal_append_seal(struct journal_append *a, struct journal_commit *commit,
                        struct journal_record *record, swim_error_t *err)
{
    uint64_t chain = 0;

    append_encode(a, commit, record, &chain);
    int rc = append_enter(a, err);
    if (rc == SWIM_OK)
        append_take(a, commit, chain);
    return rc;
}

int journal_put_record(const struct io_file *file, const struct journal_record *record,
                       swim_error_t *err)
{
    /* iovec has no const; nothing is written to what is only sent */
    struct iovec part = {(void *)(uintptr_t)record->bytes, sizeof(record->bytes)};

    return io_write(file, &part, 1, record->at, err);
}
