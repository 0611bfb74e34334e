/* journal_format.c - the records of the journal as bytes. */
#include "journal_format.h"

#include <endian.h>
#include <string.h>

#include <xxhash.h>

#define SNAPSHOT_VERSION 1
#define SUM 8 /* bytes of a checksum, the last of each record */

static const unsigned char magic[8] = {0x89, 'S', 'W', 'L', '\r', '\n', 0x1a, '\n'};
static const unsigned char frame_kind[4] = {'F', 'R', 'A', 'M'};
static const unsigned char commit_kind[4] = {'C', 'M', 'I', 'T'};

static void put32(unsigned char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(unsigned char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const unsigned char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const unsigned char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

uint64_t journal_sum(const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size, seed);
}

uint64_t journal_seed(const unsigned char id[JOURNAL_ID])
{
    return journal_sum(id, JOURNAL_ID, 0);
}

uint64_t journal_frame_bytes(uint32_t size)
{
    return JOURNAL_FRAME + (((uint64_t)size + 7) & ~UINT64_C(7));
}

/* The last 8 bytes of a record: a checksum of those before. */
static void record_close(unsigned char *bytes, size_t size, uint64_t seed,
                         uint64_t *chain)
{
    put64(bytes + size - SUM, journal_sum(bytes, size - SUM, seed));
    *chain = journal_sum(bytes + size - SUM, SUM, *chain);
}

static bool record_is_valid(const unsigned char *bytes, size_t size,
                            const unsigned char kind[4], uint64_t seed)
{
    return memcmp(bytes, kind, 4) == 0 &&
           get64(bytes + size - SUM) == journal_sum(bytes, size - SUM, seed);
}

void journal_header_encode(const struct journal_header *h,
                           unsigned char bytes[JOURNAL_HEADER])
{
    memset(bytes, 0, JOURNAL_HEADER);
    memcpy(bytes, magic, sizeof(magic));
    put32(bytes + 8, JOURNAL_VERSION);
    put32(bytes + 12, JOURNAL_HEADER);
    memcpy(bytes + 16, h->id, JOURNAL_ID);
    memcpy(bytes + 32, h->continues, JOURNAL_ID);
    put64(bytes + 48, h->number);
    put64(bytes + 56, h->inode);
    put64(bytes + 64, h->size);
    put64(bytes + 72, h->high_water);
    put64(bytes + 80, h->fence);
    put64(bytes + 88, h->first);
    memcpy(bytes + 96, h->lineage, JOURNAL_ID);
    put64(bytes + 112, h->ctime_ns);
    put64(bytes + 120, journal_sum(bytes, JOURNAL_HEADER - SUM, 0));
}

enum journal_header_is journal_header_decode(const unsigned char *bytes, size_t size,
                                             struct journal_header *h)
{
    memset(h, 0, sizeof(*h));
    if (size < JOURNAL_HEADER || is_zero(bytes, JOURNAL_HEADER))
        return HEADER_NEVER_SYNCED;
    if (memcmp(bytes, magic, sizeof(magic)) != 0)
        return HEADER_DAMAGED;
    if (get32(bytes + 8) > JOURNAL_VERSION)
        return HEADER_NEWER;
    if (get64(bytes + 120) != journal_sum(bytes, JOURNAL_HEADER - SUM, 0) ||
        get32(bytes + 8) != JOURNAL_VERSION || get32(bytes + 12) != JOURNAL_HEADER)
        return HEADER_DAMAGED;
    memcpy(h->id, bytes + 16, JOURNAL_ID);
    memcpy(h->continues, bytes + 32, JOURNAL_ID);
    h->number = get64(bytes + 48);
    h->inode = get64(bytes + 56);
    h->size = get64(bytes + 64);
    h->high_water = get64(bytes + 72);
    h->fence = get64(bytes + 80);
    h->first = get64(bytes + 88);
    memcpy(h->lineage, bytes + 96, JOURNAL_ID);
    h->ctime_ns = get64(bytes + 112);
    if (h->size > JOURNAL_PLACE_MAX || h->high_water > JOURNAL_PLACE_MAX ||
        h->high_water < h->size || h->number > JOURNAL_NUMBER_MAX ||
        is_zero(h->lineage, JOURNAL_ID))
        return HEADER_DAMAGED;
    return HEADER_VALID;
}

void journal_frame_encode(const struct journal_frame *f, uint64_t seed, uint64_t *chain,
                          unsigned char bytes[JOURNAL_FRAME])
{
    memcpy(bytes, frame_kind, sizeof(frame_kind));
    put32(bytes + 4, f->size);
    put64(bytes + 8, f->place);
    put64(bytes + 16, f->under);
    put64(bytes + 24, f->data);
    record_close(bytes, JOURNAL_FRAME, seed, chain);
}

bool journal_frame_decode(const unsigned char bytes[JOURNAL_FRAME], uint64_t seed,
                          uint64_t *chain, struct journal_frame *f)
{
    if (!record_is_valid(bytes, JOURNAL_FRAME, frame_kind, seed))
        return false;
    f->size = get32(bytes + 4);
    f->place = get64(bytes + 8);
    f->under = get64(bytes + 16);
    f->data = get64(bytes + 24);
    if (f->size == 0 || f->size > JOURNAL_DATA_MAX || f->place > JOURNAL_PLACE_MAX ||
        f->place + f->size > JOURNAL_PLACE_MAX)
        return false;
    *chain = journal_sum(bytes + JOURNAL_FRAME - SUM, SUM, *chain);
    return true;
}

void journal_commit_encode(const struct journal_commit *c, uint64_t seed,
                           uint64_t *chain, unsigned char bytes[JOURNAL_COMMIT])
{
    memset(bytes, 0, JOURNAL_COMMIT);
    memcpy(bytes, commit_kind, sizeof(commit_kind));
    put32(bytes + 4, c->flags);
    put64(bytes + 8, c->number);
    put64(bytes + 16, c->fence);
    put64(bytes + 24, c->size);
    put64(bytes + 32, c->high_water);
    put64(bytes + 40, c->begin);
    put64(bytes + 48, c->frames);
    put64(bytes + 56, c->chain);
    memcpy(bytes + 64, c->boot, JOURNAL_ID);
    put64(bytes + 80, c->when_ns);
    put64(bytes + 88, c->extent);
    put64(bytes + 96, c->replaced_by);
    record_close(bytes, JOURNAL_COMMIT, seed, chain);
}

bool journal_commit_decode(const unsigned char bytes[JOURNAL_COMMIT], uint64_t seed,
                           uint64_t *chain, struct journal_commit *c)
{
    if (!record_is_valid(bytes, JOURNAL_COMMIT, commit_kind, seed))
        return false;
    c->flags = get32(bytes + 4);
    c->number = get64(bytes + 8);
    c->fence = get64(bytes + 16);
    c->size = get64(bytes + 24);
    c->high_water = get64(bytes + 32);
    c->begin = get64(bytes + 40);
    c->frames = get64(bytes + 48);
    c->chain = get64(bytes + 56);
    memcpy(c->boot, bytes + 64, JOURNAL_ID);
    c->when_ns = get64(bytes + 80);
    c->extent = get64(bytes + 88);
    c->replaced_by = get64(bytes + 96);
    if ((c->flags & ~(uint32_t)JOURNAL_MAY_BE_COPIED) != 0 ||
        c->size > JOURNAL_PLACE_MAX || c->high_water > JOURNAL_PLACE_MAX ||
        c->high_water < c->size || c->extent > c->high_water ||
        !is_zero(bytes + 104, 8))
        return false;
    *chain = journal_sum(bytes + JOURNAL_COMMIT - SUM, SUM, *chain);
    return true;
}

static const unsigned char snapshot_magic[8] = {0x89, 'S',  'W',  'S',
                                                '\r', '\n', 0x1a, '\n'};

void txn_snapshot_encode(const struct txn_snapshot *s,
                         unsigned char bytes[SNAPSHOT_BYTES])
{
    memset(bytes, 0, SNAPSHOT_BYTES);
    memcpy(bytes, snapshot_magic, sizeof(snapshot_magic));
    put32(bytes + 8, SNAPSHOT_VERSION);
    put32(bytes + 12, SNAPSHOT_BYTES);
    memcpy(bytes + 16, s->lineage, JOURNAL_ID);
    put64(bytes + 32, s->number);
    put64(bytes + 40, s->inode);
    put64(bytes + 48, s->when_ns);
    put64(bytes + 56, s->size);
    put64(bytes + 72, journal_sum(bytes, SNAPSHOT_BYTES - SUM, 0));
}

int txn_snapshot_decode(const unsigned char *bytes, size_t size, struct txn_snapshot *s,
                        swim_error_t *err)
{
    memset(s, 0, sizeof(*s));
    if (size >= 12 && memcmp(bytes, snapshot_magic, sizeof(snapshot_magic)) == 0 &&
        get32(bytes + 8) > SNAPSHOT_VERSION)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "read a snapshot: it was made by a later h5swim (use the "
                              "same one everywhere)");
    if (size != SNAPSHOT_BYTES ||
        memcmp(bytes, snapshot_magic, sizeof(snapshot_magic)) != 0 ||
        get64(bytes + 72) != journal_sum(bytes, SNAPSHOT_BYTES - SUM, 0) ||
        get32(bytes + 8) != SNAPSHOT_VERSION || get32(bytes + 12) != SNAPSHOT_BYTES ||
        get64(bytes + 56) > JOURNAL_PLACE_MAX || !is_zero(bytes + 64, 8) ||
        (is_zero(bytes + 16, JOURNAL_ID) && get64(bytes + 32) != 0))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "read a snapshot: these %zu bytes are none, or damaged "
                              "(take one with swim_snapshot_get)",
                              size);
    memcpy(s->lineage, bytes + 16, JOURNAL_ID);
    s->number = get64(bytes + 32);
    s->inode = get64(bytes + 40);
    s->when_ns = get64(bytes + 48);
    s->size = get64(bytes + 56);
    return SWIM_OK;
}
