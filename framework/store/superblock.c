/* superblock.c - where an HDF5 file begins, and its status flags. */
#include "store/superblock.h"

#include <limits.h>
#include <string.h>

#define FLAGS_AT 11

static uint32_t rotate(uint32_t x, int n)
{
    return (x << n) | (x >> (32 - n));
}

static void lookup3_mix(uint32_t s[3])
{
    static const int turns[] = {4, 6, 8, 16, 19, 4};

    for (int i = 0; i < 6; i++) {
        uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];
        *a -= *c;
        *a ^= rotate(*c, turns[i]);
        *c += *b;
    }
}

static void lookup3_final(uint32_t s[3])
{
    static const int turns[] = {14, 11, 25, 16, 4, 14, 24};

    for (int i = 0; i < 7; i++) {
        uint32_t *a = &s[(i + 2) % 3], *b = &s[(i + 1) % 3];
        *a ^= *b;
        *a -= rotate(*b, turns[i]);
    }
}

/* Bob Jenkins' lookup3.c, hashlittle() with initval 0, which the format prescribes. */
static uint32_t lookup3(const unsigned char *bytes, size_t size)
{
    uint32_t s[3];
    size_t left = size;

    s[0] = s[1] = s[2] = 0xdeadbeef + (uint32_t)size;
    while (left > 0) {
        size_t n = left < 12 ? left : 12;
        for (size_t i = 0; i < n; i++)
            s[i / 4] += (uint32_t)bytes[i] << (8 * (i % 4));
        bytes += n;
        left -= n;
        if (left > 0)
            lookup3_mix(s);
    }
    if (size > 0)
        lookup3_final(s);
    return s[2];
}

static void checksum_put(unsigned char *bytes, size_t size)
{
    uint32_t sum = lookup3(bytes, size);

    for (int i = 0; i < 4; i++)
        bytes[size + (size_t)i] = (unsigned char)(sum >> (8 * i));
}

int superblock_find(superblock_read_fn *read, void *arg, uint64_t end,
                    struct superblock *found, swim_error_t *err)
{
    static const char signature[] = "\211HDF\r\n\032\n";
    int rc = SWIM_OK;

    memset(found, 0, sizeof(*found));
    found->version = UINT_MAX;
    for (uint64_t at = 0; at + 12 <= end; at = at ? at * 2 : 512) {
        rc = read(arg, found->bytes, SUPERBLOCK_MAX, at, err);
        if (rc != SWIM_OK || memcmp(found->bytes, signature, 8) == 0) {
            found->base = at;
            break;
        }
    }
    if (rc != SWIM_OK || memcmp(found->bytes, signature, 8) != 0)
        return rc;
    found->version = found->bytes[8];
    unsigned address = found->bytes[9];
    if (found->version != 3 || (address != 2 && address != 4 && address != 8))
        return SWIM_OK;
    found->size = 12 + 4 * address + 4;
    found->flags = found->bytes[FLAGS_AT];
    return SWIM_OK;
}

void superblock_clear_flags(struct superblock *s)
{
    s->flags = 0;
    s->bytes[FLAGS_AT] = 0;
    checksum_put(s->bytes, s->size - 4);
}
