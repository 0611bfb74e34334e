/* test_journal.c - what is in a journal, however it was cut, damaged or made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/journal.h"

#define BYTES 600 /* of the file */
#define COMMITS 6

static const unsigned char here[JOURNAL_ID] = "this boot", there[JOURNAL_ID] = "other";

/* A file, its journal, and what the file is after each commit. */
struct scene {
    struct io_file main, file;
    unsigned char states[COMMITS + 1][BYTES];
    uint64_t ends[COMMITS + 1]; /* of the journal at each commit */
};

static struct io_file file_new(const char *name)
{
    return (struct io_file){&swim_io_system, memfd_create(name, MFD_CLOEXEC), name,
                            NULL};
}

static void bytes_write(const struct io_file *file, const void *bytes, size_t size,
                        uint64_t at)
{
    assert_int_equal(pwrite(file->fd, bytes, size, (off_t)at), size);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s)
        return -1;
    s->main = file_new("main");
    s->file = file_new("journal");
    srand(1);
    for (size_t i = 0; i < BYTES; i++)
        s->states[0][i] = (unsigned char)rand();
    bytes_write(&s->main, s->states[0], BYTES, 0);
    return s->main.fd < 0 || s->file.fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    close(s->main.fd);
    close(s->file.fd);
    free(s);
    return 0;
}

static const struct journal_header header = {.id = "journal one",
                                             .lineage = "the first",
                                             .ctime_ns = 99,
                                             .inode = 7,
                                             .size = BYTES,
                                             .high_water = BYTES,
                                             .fence = 3};

static void add_random_frames(struct scene *s, struct journal_append *a,
                              unsigned char *bytes)
{
    for (int n = rand() % 4; n >= 0; n--) {
        size_t place = (size_t)rand() % BYTES, size = 1 + (size_t)rand() % 60;
        if (size > BYTES - place)
            size = BYTES - place;
        for (size_t i = 0; i < size; i++)
            bytes[place + i] = (unsigned char)rand();
        assert_int_equal(journal_append_frame(a, bytes + place, size, place,
                                              s->states[0] + place, size, NULL),
                         SWIM_OK);
    }
}

static struct journal_commit commit_of(const unsigned char *boot)
{
    struct journal_commit c = {
        .fence = 4, .size = BYTES, .high_water = BYTES, .extent = BYTES};

    memcpy(c.boot, boot, JOURNAL_ID);
    return c;
}

/* COMMITS commits, and behind them frames that are not committed. */
static void write_journal(struct scene *s, const unsigned char *boot)
{
    struct journal j;
    struct journal_append a;
    unsigned char lost[BYTES];

    srand(2);
    assert_int_equal(journal_begin(&j, &s->file, &header, NULL), SWIM_OK);
    assert_int_equal(journal_append_begin(&a, &j, NULL), SWIM_OK);
    s->ends[0] = j.end;
    for (int n = 1; n <= COMMITS; n++) {
        struct journal_commit c = commit_of(boot);
        memcpy(s->states[n], s->states[n - 1], BYTES);
        add_random_frames(s, &a, s->states[n]);
        assert_int_equal(journal_append_commit(&a, &c, true, NULL), SWIM_OK);
        s->ends[n] = j.end;
    }
    memcpy(lost, s->states[COMMITS], BYTES);
    add_random_frames(s, &a, lost);
    overlay_clear(&a.pending);
    journal_clear(&j);
}

/* The state is that of commit n, to the last byte. */
static void assert_state(struct scene *s, struct journal *j, uint64_t n)
{
    const struct journal_view view = {
        .journal = j, .main = &s->main, .main_end = BYTES};
    unsigned char bytes[BYTES + 8];

    assert_int_equal(j->last.number, n);
    assert_int_equal(j->end, s->ends[n]);
    for (int i = 0; i < 20; i++) {
        size_t place = i ? (size_t)rand() % BYTES : 0;
        size_t size = i ? 1 + (size_t)rand() % (BYTES - place) : BYTES;
        assert_int_equal(journal_read(&view, bytes, size, place, NULL), SWIM_OK);
        assert_memory_equal(bytes, s->states[n] + place, size);
    }
    assert_int_equal(journal_read(&view, bytes, 8, BYTES - 4, NULL), SWIM_OK);
    assert_memory_equal(bytes + 4, "\0\0\0\0", 4); /* behind the end */
}

static int scan(const struct scene *s, uint64_t upto, struct journal *j,
                enum journal_found *found)
{
    return journal_scan(j, &s->file, upto, here, found, NULL);
}

static void all_commits_are_found_and_each_can_be(void **state)
{
    struct scene *s = *state;
    enum journal_found found;
    struct journal j;

    write_journal(s, here);
    for (uint64_t n = 0; n <= COMMITS; n++) {
        assert_int_equal(scan(s, n, &j, &found), SWIM_OK);
        assert_state(s, &j, n);
        journal_clear(&j);
    }
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_state(s, &j, COMMITS);
    assert_memory_equal(&j.header, &header, sizeof(header));
    journal_clear(&j);
    assert_int_equal(scan(s, COMMITS + 1, &j, &found), SWIM_ERR_ARG);
    journal_clear(&j);
}

static void cut_anywhere_it_ends_with_the_last_whole_commit(void **state)
{
    struct scene *s = *state;
    enum journal_found found;
    struct journal j;

    write_journal(s, here);
    for (off_t size = lseek(s->file.fd, 0, SEEK_END); size >= 0; size--) {
        assert_int_equal(ftruncate(s->file.fd, size), 0);
        assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
        assert_int_equal(found,
                         size < JOURNAL_HEADER ? JOURNAL_NOTHING : JOURNAL_FOUND);
        uint64_t n = 0;
        while (n < COMMITS && s->ends[n + 1] <= (uint64_t)size)
            n++;
        if (found == JOURNAL_FOUND)
            assert_state(s, &j, n);
        journal_clear(&j);
    }
}

/* Padding alone is nobody's. */
static void a_bit_that_was_turned_is_not_believed(void **state)
{
    struct scene *s = *state;
    enum journal_found found;
    struct journal j;
    unsigned believed = 0;

    write_journal(s, there); /* data are looked at */
    for (uint64_t at = 0; at < s->ends[COMMITS]; at++) {
        unsigned char byte, turned;
        assert_int_equal(pread(s->file.fd, &byte, 1, (off_t)at), 1);
        turned = (unsigned char)(byte ^ 1U << at % 8);
        bytes_write(&s->file, &turned, 1, at);
        int rc = scan(s, UINT64_MAX, &j, &found);
        if (at < JOURNAL_HEADER) {
            assert_int_equal(rc, SWIM_ERR_CORRUPT);
        } else {
            assert_int_equal(rc, SWIM_OK);
            uint64_t n = 0;
            while (s->ends[n + 1] <= at)
                n++;
            if (j.last.number == COMMITS && byte == 0)
                believed++;
            else
                assert_int_equal(j.last.number, n);
            assert_state(s, &j, j.last.number);
        }
        journal_clear(&j);
        bytes_write(&s->file, &byte, 1, at);
    }
    assert_in_range(believed, 0, 7 * 4 * COMMITS);
}

/* Data of this boot were written before their record: the kernel has them. */
static void data_of_this_boot_are_not_read_again(void **state)
{
    struct scene *s = *state;
    enum journal_found found;
    struct journal j;

    write_journal(s, here);
    bytes_write(&s->file, "!", 1, JOURNAL_HEADER + JOURNAL_FRAME);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_int_equal(j.last.number, COMMITS);
    journal_clear(&j);
    assert_int_equal(journal_scan(&j, &s->file, UINT64_MAX, there, &found, NULL),
                     SWIM_OK);
    assert_int_equal(j.last.number, 0);
    journal_clear(&j);
}

static void records_of_another_journal_are_not_taken(void **state)
{
    struct scene *s = *state;
    struct journal_header other = header;
    unsigned char bytes[JOURNAL_HEADER];
    enum journal_found found;
    struct journal j;

    write_journal(s, here);
    other.id[0]++;
    journal_header_encode(&other, bytes);
    bytes_write(&s->file, bytes, sizeof(bytes), 0);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_int_equal(j.last.number, 0);
    journal_clear(&j);
}

static void a_header_that_is_none_is_told_from_one_never_synced(void **state)
{
    struct scene *s = *state;
    unsigned char bytes[JOURNAL_HEADER] = {0};
    enum journal_found found;
    swim_error_t err = {0};
    struct journal j;

    bytes_write(&s->file, bytes, sizeof(bytes), 0);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_int_equal(found, JOURNAL_NOTHING);
    journal_clear(&j);
    bytes_write(&s->file, "#!/bin/sh", 9, 0);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_ERR_CORRUPT);
    journal_clear(&j);
    journal_header_encode(&header, bytes);
    bytes[8] = JOURNAL_VERSION + 1;
    bytes_write(&s->file, bytes, sizeof(bytes), 0);
    assert_int_equal(journal_scan(&j, &s->file, UINT64_MAX, here, &found, &err),
                     SWIM_ERR_CORRUPT);
    assert_non_null(strstr(err.text, "later h5swim"));
    journal_clear(&j);
}

/* Leftovers, which a power failure may bring back. */
static void commits_of_before_are_not_lost(void **state)
{
    struct scene *s = *state;
    unsigned char record[JOURNAL_COMMIT];
    struct journal_behind behind;
    enum journal_found found;
    struct journal j;

    write_journal(s, here);
    for (uint64_t n = 1; n <= COMMITS; n++) {
        uint64_t end = (uint64_t)lseek(s->file.fd, 0, SEEK_END);
        assert_int_equal(pread(s->file.fd, record, sizeof(record),
                               (off_t)(s->ends[n] - JOURNAL_COMMIT)),
                         sizeof(record));
        bytes_write(&s->file, record, sizeof(record), end);
        assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
        assert_int_equal(j.last.number, COMMITS);
        assert_int_equal(journal_look_behind(&j, here, &behind, NULL), SWIM_OK);
        assert_int_equal(behind.lost_upto, 0);
        journal_clear(&j);
    }
}

/* No commit could follow it, nor be asked for. */
static void a_number_beyond_sense_is_refused(void **state)
{
    struct scene *s = *state;
    struct journal_header odd = header;
    unsigned char bytes[JOURNAL_HEADER];
    enum journal_found found;
    struct journal j;

    memcpy(odd.continues, "journal before", 14);
    for (int more = 0; more < 2; more++) {
        odd.number = more ? UINT64_MAX : JOURNAL_NUMBER_MAX + 1;
        journal_header_encode(&odd, bytes);
        bytes_write(&s->file, bytes, sizeof(bytes), 0);
        assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_ERR_CORRUPT);
        journal_clear(&j);
    }
}

/* Each with the right checksums, and each by one who means harm. */
static void sizes_and_places_beyond_sense_are_refused(void **state)
{
    static const struct journal_frame frames[] = {
        {.size = 0},
        {.size = JOURNAL_DATA_MAX + 1},
        {.size = 8, .place = JOURNAL_PLACE_MAX},
        {.size = 8, .place = UINT64_MAX - 7},
        {.size = 8, .place = BYTES + 3}, /* beyond the high-water mark */
        {.size = 8},                     /* as it must be */
    };
    /* What differs from a record that is as it must be. */
    static const struct journal_commit odd[] = {{.number = 1},
                                                {.begin = 1},
                                                {.size = 11},
                                                {.frames = 1},
                                                {.flags = 2},
                                                {.chain = 1},
                                                {.high_water = UINT64_MAX},
                                                {.high_water = UINT64_MAX - BYTES},
                                                {.size = UINT64_MAX / 2},
                                                {.extent = 11},
                                                {.extent = UINT64_MAX},
                                                {0}};
    struct journal_header higher = header;
    enum {
        FRAMES = sizeof(frames) / sizeof(*frames),
        ODD = sizeof(odd) / sizeof(*odd)
    };
    struct scene *s = *state;
    uint64_t seed = journal_seed(header.id);
    enum journal_found found;
    struct journal j;

    higher.high_water += 10;
    for (size_t i = 0; i < FRAMES + ODD; i++) {
        unsigned char head[JOURNAL_HEADER], frame[JOURNAL_FRAME], last[JOURNAL_COMMIT];
        const bool framed = i < FRAMES;
        const struct journal_commit *d = &odd[framed ? ODD - 1 : i - FRAMES];
        struct journal_commit c = {.number = 1 + d->number,
                                   .begin = JOURNAL_HEADER + d->begin,
                                   .size = BYTES + d->size,
                                   .high_water = BYTES + 10 + d->high_water,
                                   .extent = BYTES + d->extent,
                                   .frames = framed + d->frames,
                                   .flags = d->flags};
        uint64_t chain = seed, at = JOURNAL_HEADER;
        memcpy(c.boot, here, JOURNAL_ID);
        journal_header_encode(&higher, head);
        bytes_write(&s->file, head, sizeof(head), 0);
        if (framed) {
            journal_frame_encode(&frames[i], seed, &chain, frame);
            bytes_write(&s->file, frame, sizeof(frame), at);
            at += journal_frame_bytes(frames[i].size);
        }
        c.chain = chain + d->chain;
        journal_commit_encode(&c, seed, &chain, last);
        bytes_write(&s->file, last, sizeof(last), at);
        assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
        assert_int_equal(j.last.number, i == FRAMES - 1 || i == FRAMES + ODD - 1);
        assert_int_equal(j.overlay.count, i == FRAMES - 1);
        journal_clear(&j);
        assert_int_equal(ftruncate(s->file.fd, 0), 0);
    }
}

static void what_was_given_up_is_gone_and_others_follow(void **state)
{
    struct scene *s = *state;
    struct journal_append a;
    enum journal_found found;
    struct journal j;
    unsigned char bytes[BYTES];

    write_journal(s, here);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_int_equal(journal_append_begin(&a, &j, NULL), SWIM_OK);
    assert_int_equal(lseek(s->file.fd, 0, SEEK_END), s->ends[COMMITS]);
    memcpy(bytes, s->states[COMMITS], BYTES);
    add_random_frames(s, &a, bytes);
    const struct journal_view view = {&j, &a.pending, &s->main, BYTES};
    unsigned char seen[BYTES];
    assert_int_equal(journal_read(&view, seen, BYTES, 0, NULL), SWIM_OK);
    assert_memory_equal(seen, bytes, BYTES); /* the writer sees its own */
    assert_int_equal(journal_append_abort(&a, NULL), SWIM_OK);
    assert_state(s, &j, COMMITS);
    struct journal_commit c = commit_of(here);
    add_random_frames(s, &a, s->states[COMMITS]);
    assert_int_equal(journal_append_commit(&a, &c, false, NULL), SWIM_OK);
    assert_int_equal(c.number, COMMITS + 1);
    journal_clear(&j);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_int_equal(j.last.number, COMMITS + 1);
    j.last.number = COMMITS;
    s->ends[COMMITS] = j.end;
    assert_state(s, &j, COMMITS);
    journal_clear(&j);
}

/* A frame holds 16 MiB at most; what is longer becomes several. */
static void a_long_write_is_several_frames(void **state)
{
    const size_t size = 2 * JOURNAL_DATA_MAX + 5;
    struct scene *s = *state;
    unsigned char *bytes = malloc(size), *seen = malloc(size);
    struct journal_append a;
    enum journal_found found;
    struct journal j;

    assert_true(bytes && seen);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i % 251);
    assert_int_equal(journal_begin(&j, &s->file, &header, NULL), SWIM_OK);
    assert_int_equal(journal_append_begin(&a, &j, NULL), SWIM_OK);
    assert_int_equal(
        journal_append_frame(&a, bytes, size, 3, s->states[0] + 3, BYTES - 3, NULL),
        SWIM_OK);
    assert_int_equal(a.frames, 3);
    struct journal_commit c = commit_of(there);
    c.size = c.high_water = size + 3;
    assert_int_equal(journal_append_commit(&a, &c, true, NULL), SWIM_OK);
    journal_clear(&j);
    assert_int_equal(scan(s, UINT64_MAX, &j, &found), SWIM_OK);
    assert_int_equal(j.last.number, 1);
    const struct journal_view view = {&j, NULL, &s->main, BYTES};
    assert_int_equal(journal_read(&view, seen, size, 3, NULL), SWIM_OK);
    assert_memory_equal(seen, bytes, size);
    journal_clear(&j);
    free(bytes);
    free(seen);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_commits_are_found_and_each_can_be),
        TEST(cut_anywhere_it_ends_with_the_last_whole_commit),
        TEST(a_bit_that_was_turned_is_not_believed),
        TEST(data_of_this_boot_are_not_read_again),
        TEST(records_of_another_journal_are_not_taken),
        TEST(a_header_that_is_none_is_told_from_one_never_synced),
        TEST(commits_of_before_are_not_lost),
        TEST(a_number_beyond_sense_is_refused),
        TEST(sizes_and_places_beyond_sense_are_refused),
        TEST(what_was_given_up_is_gone_and_others_follow),
        TEST(a_long_write_is_several_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
