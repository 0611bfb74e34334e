/* fuzz_journal.c - any bytes as the journal of a file: nothing crashes, and whoever
 * reads or recovers sees what the frames say, computed here in the plainest way. */
#include "fuzz_journal.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem_disk.h"
#include "store/journal.h"
#include "store/recover.h"
#include "store/txn.h"
#include "store/verdict.h"
#include "tiny_hdf5.h"

#define WINDOW 65536U /* of the state that is compared */

const unsigned char fuzz_boot[JOURNAL_ID] = "this boot";

#define MUST(true_thing)                                                             \
    do {                                                                             \
        if (!(true_thing)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #true_thing); \
            abort();                                                                 \
        }                                                                            \
    } while (0)

const unsigned char *fuzz_file(void)
{
    static unsigned char file[FUZZ_BYTES];

    if (file[0] == 0) {
        for (size_t i = 0; i < FUZZ_BYTES; i++)
            file[i] = (unsigned char)(i % 251);
        tiny_hdf5(file, TINY_HDF5);
    }
    return file;
}

void fuzz_put_file(void)
{
    mem_disk_reset();
    mem_disk_put(FUZZ_PATH, FUZZ_INODE, fuzz_file(), FUZZ_BYTES);
}

static const uint8_t *input;
static size_t input_size;

/* The state that is committed, as far as the window goes. */
static struct {
    bool is;
    unsigned char bytes[WINDOW];
    uint64_t size, end; /* of the state, and of its last commit in the journal */
    uint64_t extent;
    uint64_t number;
} model;

static void put_all(void)
{
    fuzz_put_file();
    mem_disk_put(FUZZ_JOURNAL, 1, input, input_size);
}

static bool input_is_untouched(void)
{
    size_t main_size = 0, size = 0;
    const unsigned char *file = mem_disk_get(FUZZ_PATH, &main_size);
    const unsigned char *journal = mem_disk_get(FUZZ_JOURNAL, &size);

    return file && main_size == FUZZ_BYTES &&
           memcmp(file, fuzz_file(), FUZZ_BYTES) == 0 && journal &&
           size == input_size && memcmp(journal, input, size) == 0;
}

/* Only records that were found valid are gone through. */
static void model_make(const struct journal *j)
{
    uint64_t extent = j->last.extent < FUZZ_BYTES ? j->last.extent : FUZZ_BYTES;

    memset(&model, 0, sizeof(model));
    model.is = true;
    model.size = j->last.size;
    model.extent = j->last.extent;
    model.end = j->end;
    model.number = j->last.number;
    memcpy(model.bytes, fuzz_file(), extent);
    for (size_t at = JOURNAL_HEADER; at < j->end;) {
        uint32_t size;
        uint64_t place;
        if (memcmp(input + at, "CMIT", 4) == 0) {
            at += JOURNAL_COMMIT;
            continue;
        }
        memcpy(&size, input + at + 4, sizeof(size));
        memcpy(&place, input + at + 8, sizeof(place));
        if (place < WINDOW)
            memcpy(model.bytes + place, input + at + JOURNAL_FRAME,
                   size < WINDOW - place ? size : WINDOW - place);
        at += JOURNAL_FRAME + ((size + 7) & ~7U);
    }
    if (model.size < WINDOW)
        memset(model.bytes + model.size, 0, WINDOW - model.size);
}

static int count_frame(void *arg, const struct journal_frame *frame, uint64_t extent,
                       swim_error_t *err)
{
    (void)extent;
    (void)err;
    MUST(frame->size > 0);
    ++*(uint64_t *)arg;
    return SWIM_OK;
}

static void check_overlay(struct journal *j)
{
    uint64_t at = 0, bytes = 0;
    size_t count = 0;

    for (struct overlay_piece *p = overlay_from(&j->overlay, 0); p;
         p = overlay_next(p)) {
        MUST(p->place >= at && p->end > p->place && p->end <= JOURNAL_PLACE_MAX);
        MUST(p->source >= JOURNAL_HEADER + JOURNAL_FRAME);
        MUST(p->source + (p->end - p->place) <= j->end);
        at = p->end;
        bytes += p->end - p->place;
        count++;
    }
    MUST(bytes == j->overlay.bytes && count == j->overlay.count);
}

static void check_view(struct journal *j, const struct io_file *main)
{
    static unsigned char all[WINDOW], part[997];
    const struct journal_view view = {j, NULL, main, j->last.extent};
    uint64_t end = j->last.size < WINDOW ? j->last.size : WINDOW;

    MUST(journal_read(&view, all, WINDOW, 0, NULL) == SWIM_OK);
    MUST(memcmp(all, model.bytes, end) == 0);
    for (uint64_t at = 0; at < end; at += sizeof(part)) {
        MUST(journal_read(&view, part, sizeof(part), at, NULL) == SWIM_OK);
        MUST(memcmp(part, model.bytes + at,
                    end - at < sizeof(part) ? end - at : sizeof(part)) == 0);
    }
    for (struct overlay_piece *p = overlay_from(&j->overlay, WINDOW); p;
         p = overlay_next(p))
        MUST(journal_read(&view, part, sizeof(part), p->end - 1, NULL) == SWIM_OK);
}

static void try_scan(void)
{
    const struct io_file main = {&mem_disk_io, FUZZ_INODE, FUZZ_PATH, NULL};
    const struct io_file file = {&mem_disk_io, 1, FUZZ_JOURNAL, NULL};
    enum journal_found found;
    uint64_t frames = 0;
    struct journal j;

    model.is = false;
    int rc = journal_scan(&j, &file, UINT64_MAX, fuzz_boot, &found, NULL);
    MUST(rc == SWIM_OK || rc == SWIM_ERR_CORRUPT);
    if (rc == SWIM_OK && found == JOURNAL_FOUND) {
        MUST(j.end >= JOURNAL_HEADER && j.end <= input_size);
        MUST(journal_each_frame(&j, count_frame, &frames, NULL) == SWIM_OK);
        MUST(j.overlay.count <= 2 * frames);
        check_overlay(&j);
        model_make(&j);
        check_view(&j, &main);
        for (uint64_t n = j.header.number; n < j.last.number; n++) {
            struct journal old; /* or it was rewritten, or copied over */
            rc = journal_scan(&old, &file, n, fuzz_boot, &found, NULL);
            MUST(rc == SWIM_ERR_ARG || (rc == SWIM_OK && old.last.number == n));
            journal_clear(&old);
        }
    }
    journal_clear(&j);
    MUST(input_is_untouched());
}

static void assert_state(struct txn *t)
{
    static unsigned char bytes[WINDOW];
    uint64_t n = model.size < WINDOW ? model.size : WINDOW;

    MUST(txn_size(t) == model.size);
    MUST(txn_read(t, bytes, n, 0, NULL) == SWIM_OK);
    MUST(memcmp(bytes, model.bytes, n) == 0);
}

static int open_txn(struct txn **t, bool write, uint64_t fence)
{
    struct txn_options opt = {
        .io = &mem_disk_io, .write = write, .flocks = true, .fence = fence};

    memcpy(opt.boot, fuzz_boot, JOURNAL_ID);
    return txn_open(t, FUZZ_PATH, &opt, NULL);
}

/* *may: it can be opened.  One whose file it does not fit is over, and the file alone
 * counts. */
static void try_reader(bool *may)
{
    struct txn *t = NULL;

    put_all();
    *may = open_txn(&t, false, 0) == SWIM_OK;
    if (*may && txn_number(t) > 0 && model.is)
        assert_state(t);
    else if (*may)
        MUST(txn_number(t) == 0 || model.is);
    txn_close(t);
    MUST(input_is_untouched());
}

static void assert_file_is_model(const char *text, uint64_t place)
{
    size_t size = 0;
    const unsigned char *file = mem_disk_get(FUZZ_PATH, &size);
    uint64_t end =
        model.size > place + strlen(text) ? model.size : place + strlen(text);

    MUST(file && size == end);
    memcpy(model.bytes + place, text, strlen(text));
    MUST(memcmp(file, model.bytes, size < WINDOW ? size : WINDOW) == 0);
    MUST(!mem_disk_get(FUZZ_JOURNAL, &size));
}

static void try_writer(void)
{
    struct txn *t = NULL;

    put_all();
    if (open_txn(&t, true, UINT64_MAX) != SWIM_OK) {
        MUST(input_is_untouched());
        return;
    }
    bool counts = model.is && txn_number(t) > 0;
    int rc = txn_write(t, "by the next writer", 18, 3000, NULL);
    if (rc == SWIM_OK)
        rc = txn_commit(t, true, NULL);
    if (rc == SWIM_OK)
        rc = txn_checkpoint(t, NULL);
    txn_close(t);
    if (rc == SWIM_OK && counts)
        assert_file_is_model("by the next writer", 3000);
}

static int look(struct verdict **v)
{
    struct verdict_options opt = {.io = &mem_disk_io};

    memcpy(opt.boot, fuzz_boot, JOURNAL_ID);
    return verdict_open(v, FUZZ_PATH, &opt, NULL);
}

/* After a decision the file can be used, and is what the verdict said that it is. */
static void try_recovery(enum recover_action action)
{
    struct txn_options opt = {
        .io = &mem_disk_io, .write = true, .flocks = true, .fence = 1};
    struct recover_plan plan;
    bool no_flock;
    size_t size;

    put_all();
    memcpy(opt.boot, fuzz_boot, JOURNAL_ID);
    int rc = recover_run(FUZZ_PATH, action, &opt, &plan, &no_flock, NULL);
    MUST((rc == SWIM_ERR_CORRUPT) <= (plan.how == RECOVER_CANNOT));
    if (plan.how == RECOVER_CANNOT)
        MUST(input_is_untouched());
    MUST(rc == SWIM_OK || rc == SWIM_ERR_CORRUPT || rc == SWIM_ERR_IO);
    if (rc == SWIM_OK)
        MUST(!mem_disk_get(FUZZ_JOURNAL, &size) && mem_disk_get(FUZZ_PATH, &size));
}

static void try_verdict(bool may_read)
{
    struct verdict *v = NULL;

    put_all();
    MUST(look(&v) == SWIM_OK);
    MUST(input_is_untouched());
    if (v->is == VERDICT_RECOVERABLE || v->is == VERDICT_CLEAN)
        MUST(may_read);
    if (!may_read)
        MUST(v->is == VERDICT_FOREIGN || v->is == VERDICT_DAMAGED);
    /* Who reads does not look at data of this boot again. */
    if (may_read && v->has == JOURNAL_BROKEN)
        MUST(v->journal.last.number < model.number);
    if (v->is == VERDICT_RECOVERABLE)
        MUST(v->journal.last.number == model.number && v->journal.end == model.end);
    verdict_close(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bool may_read = false;

    if (size > MEM_FILE_MAX / 2)
        return 0;
    input = bytes;
    input_size = size;
    put_all();
    try_scan();
    try_reader(&may_read);
    try_verdict(may_read);
    try_recovery(RECOVER_APPLY);
    try_recovery(RECOVER_DISCARD);
    try_writer();
    return 0;
}
