/* fuzz_repair.c - makes records valid again, so that what is behind their checksums is
 * reached; numbers and sizes stay those of the mutation now and then. */
#include <string.h>

#include "fuzz_journal.h"

static unsigned roll(unsigned *dice, unsigned sides)
{
    *dice = *dice * 1664525U + 1013904223U;
    return (*dice >> 8) % sides;
}

static void put(unsigned char *at, uint64_t value)
{
    memcpy(at, &value, sizeof(value)); /* little-endian hosts alone fuzz */
}

static uint64_t get(const unsigned char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

static void repair_header(unsigned char *b, unsigned *dice)
{
    static const unsigned char magic[8] = {0x89, 'S', 'W', 'L', '\r', '\n', 0x1a, '\n'};
    static const uint32_t version[2] = {JOURNAL_VERSION, JOURNAL_HEADER};

    memcpy(b, magic, sizeof(magic));
    memcpy(b + 8, version, sizeof(version));
    if (roll(dice, 8))
        put(b + 56, FUZZ_INODE);
    if (roll(dice, 4))
        put(b + 64, FUZZ_BYTES);
    if (roll(dice, 4) || get(b + 72) < get(b + 64))
        put(b + 72, get(b + 64));
    if (roll(dice, 16))
        b[96] |= 1; /* a lineage is not 0 */
    if (roll(dice, 8)) {
        uint64_t n = get(b + 64) < JOURNAL_FIRST ? get(b + 64) : JOURNAL_FIRST;
        put(b + 88, journal_sum(fuzz_file(), n, journal_seed(b + 16)));
    }
    put(b + 120, journal_sum(b, 120, 0));
}

/* What the commits so far say. */
struct walk {
    uint64_t seed, chain, number, begin, frames, size, high_water, extent;
    unsigned *dice;
};

static size_t repair_frame(struct walk *w, unsigned char *b, size_t left)
{
    uint32_t size;

    memcpy(&size, b + 4, sizeof(size));
    if (roll(w->dice, 16) && (size == 0 || size > left - JOURNAL_FRAME)) {
        size = 1 + roll(w->dice, (unsigned)(left - JOURNAL_FRAME));
        memcpy(b + 4, &size, sizeof(size));
    }
    if (size > left - JOURNAL_FRAME)
        return left;
    if (roll(w->dice, 16))
        put(b + 8, get(b + 8) % (2 * (uint64_t)FUZZ_BYTES));
    uint64_t place = get(b + 8), end = w->extent < FUZZ_BYTES ? w->extent : FUZZ_BYTES;
    uint64_t held = place < end ? end - place : 0;
    if (roll(w->dice, 16))
        put(b + 16, journal_sum(fuzz_file() + (held ? place : 0),
                                held < size ? held : size, w->seed));
    if (roll(w->dice, 16))
        put(b + 24, journal_sum(b + JOURNAL_FRAME, size, w->seed));
    put(b + 32, journal_sum(b, 32, w->seed));
    w->chain = journal_sum(b + 32, 8, w->chain);
    w->frames++;
    return (size_t)journal_frame_bytes(size);
}

/* A number that has to lie between two others. */
static void repair_between(const struct walk *w, unsigned char *at, uint64_t low,
                           uint64_t high)
{
    uint64_t value = get(at);

    if (roll(w->dice, 16) && (value < low || value > high))
        put(at, low + value % (high - low + 1));
}

static size_t repair_commit(struct walk *w, unsigned char *b, size_t at)
{
    if (roll(w->dice, 16))
        b[4] &= 1, b[5] = b[6] = b[7] = 0;
    if (roll(w->dice, 16))
        put(b + 8, w->number + 1);
    repair_between(w, b + 24, 0, 3 * (uint64_t)FUZZ_BYTES);
    repair_between(w, b + 32, get(b + 24) > w->high_water ? get(b + 24) : w->high_water,
                   JOURNAL_PLACE_MAX);
    repair_between(w, b + 88, w->extent,
                   get(b + 32) > w->extent ? get(b + 32) : w->extent);
    if (roll(w->dice, 16))
        put(b + 40, w->begin);
    if (roll(w->dice, 16))
        put(b + 48, w->frames);
    if (roll(w->dice, 16))
        put(b + 56, w->chain);
    if (roll(w->dice, 4))
        memcpy(b + 64, fuzz_boot, JOURNAL_ID);
    memset(b + 104, 0, 8);
    put(b + 112, journal_sum(b, 112, w->seed));
    w->chain = journal_sum(b + 112, 8, w->chain);
    w->number = get(b + 8);
    w->high_water = get(b + 32);
    w->extent = get(b + 88);
    w->begin = at + JOURNAL_COMMIT;
    w->frames = 0;
    return JOURNAL_COMMIT;
}

void fuzz_repair(unsigned char *bytes, size_t size, unsigned dice)
{
    struct walk w = {.dice = &dice};

    if (size < JOURNAL_HEADER)
        return;
    repair_header(bytes, &dice);
    w.seed = w.chain = journal_seed(bytes + 16);
    w.number = get(bytes + 48);
    w.begin = JOURNAL_HEADER;
    w.size = w.extent = get(bytes + 64);
    w.high_water = get(bytes + 72);
    for (size_t at = JOURNAL_HEADER; at < size;) {
        unsigned char *b = bytes + at;
        size_t left = size - at;
        if (left > JOURNAL_COMMIT && roll(&dice, 40) == 0)
            memcpy(b, roll(&dice, 2) ? "FRAM" : "CMIT", 4);
        if (left > JOURNAL_FRAME && memcmp(b, "FRAM", 4) == 0)
            at += repair_frame(&w, b, left);
        else if (left >= JOURNAL_COMMIT && memcmp(b, "CMIT", 4) == 0)
            at += repair_commit(&w, b, at);
        else
            return;
    }
}
