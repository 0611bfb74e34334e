/* superblock.c - whether bytes begin as a whole HDF5 file does.
 *
 * HDF5 File Format Specification, "Superblock"; versions 2 and 3 end in a checksum, Bob
 * Jenkins' lookup3 (public domain), which HDF5 does not export. */
#include "superblock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE 8
#define BYTES_MAX 128
#define SUPERBLOCK_MIN 24 /* of no version is it that short */
#define FIRST_USERBLOCK 512

static const unsigned char signature[SIGNATURE] = {0x89, 'H',  'D',  'F',
                                                   '\r', '\n', 0x1a, '\n'};

static uint32_t turn(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

static void lookup3_mix(uint32_t s[3])
{
    static const int by[6] = {4, 6, 8, 16, 19, 4};

    for (int i = 0; i < 6; i++) {
        uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];
        *a -= *c;
        *a ^= turn(*c, by[i]);
        *c += *b;
    }
}

static void lookup3_final(uint32_t s[3])
{
    static const int by[7] = {14, 11, 25, 16, 4, 14, 24};

    for (int i = 0; i < 7; i++) {
        uint32_t *c = &s[(i + 2) % 3];
        const uint32_t b = s[(i + 1) % 3];
        *c ^= b;
        *c -= turn(b, by[i]);
    }
}

static uint32_t lookup3(const unsigned char *bytes, size_t size)
{
    uint32_t start = 0xdeadbeef + (uint32_t)size;
    uint32_t s[3] = {start, start, start};

    if (size == 0)
        return start;
    for (;;) {
        size_t n = size < 12 ? size : 12;
        for (size_t i = 0; i < n; i++)
            s[i / 4] += (uint32_t)bytes[i] << 8 * (i % 4);
        if (size <= 12)
            break;
        lookup3_mix(s);
        bytes += 12;
        size -= 12;
    }
    lookup3_final(s);
    return s[2];
}

/* An address of n bytes; all ones: undefined, UINT64_MAX. */
static uint64_t address(const unsigned char *at, unsigned n)
{
    uint64_t value = 0;
    bool ones = true;

    for (unsigned i = 0; i < n; i++) {
        value |= (uint64_t)at[i] << 8 * i;
        ones = ones && at[i] == 0xff;
    }
    return ones ? UINT64_MAX : value;
}

static bool is_damaged(struct superblock *s, const char *problem)
{
    s->is = SUPERBLOCK_DAMAGED;
    snprintf(s->problem, sizeof(s->problem), "%s", problem);
    return false;
}

/* The base address says where the file begins; when a user block was put before it or
 * taken away, all addresses count from where it is. */
static void take_end(struct superblock *s, uint64_t base, uint64_t end)
{
    s->ends = base == UINT64_MAX ? end : end - (base - s->at);
}

static bool parse_old(struct superblock *s, const unsigned char *b, size_t size)
{
    unsigned n = b[13];
    size_t at = s->version == 0 ? 24 : 28;

    if (n != 2 && n != 4 && n != 8)
        return is_damaged(s, "its superblock has addresses of no possible size");
    if (size < at + 4 * (size_t)n)
        return is_damaged(s, "its superblock is cut off");
    take_end(s, address(b + at, n), address(b + at + 2 * (size_t)n, n));
    s->is_a_part = address(b + at + 3 * (size_t)n, n) != UINT64_MAX;
    return true;
}

static bool parse_new(struct superblock *s, const unsigned char *b, size_t size)
{
    unsigned n = b[9];
    size_t body = 12 + 4 * (size_t)n;

    if (n != 2 && n != 4 && n != 8)
        return is_damaged(s, "its superblock has addresses of no possible size");
    if (size < body + 4)
        return is_damaged(s, "its superblock is cut off");
    if ((uint32_t)address(b + body, 4) != lookup3(b, body))
        return is_damaged(s, "the checksum of its superblock is wrong");
    s->marked = (b[11] & 1) != 0;
    take_end(s, address(b + 12, n), address(b + 12 + 2 * (size_t)n, n));
    return true;
}

static void parse(struct superblock *s, const unsigned char *b, size_t size,
                  uint64_t file_size)
{
    bool fine = false;

    s->version = size >= SUPERBLOCK_MIN ? b[SIGNATURE] : 0;
    s->is = SUPERBLOCK_WHOLE;
    if (size < SUPERBLOCK_MIN)
        (void)is_damaged(s, "its superblock is cut off");
    else if (s->version > 3)
        (void)is_damaged(s, "its superblock has a version that does not exist");
    else
        fine = s->version < 2 ? parse_old(s, b, size) : parse_new(s, b, size);
    if (!fine || s->is_a_part || s->ends <= file_size)
        return;
    s->is = SUPERBLOCK_DAMAGED;
    snprintf(s->problem, sizeof(s->problem),
             "it is cut off: it has %" PRIu64 " of the %" PRIu64
             " bytes that its superblock tells of",
             file_size, s->ends);
}

int superblock_look(superblock_read_fn *read, void *arg, uint64_t size,
                    struct superblock *s, swim_error_t *err)
{
    unsigned char bytes[BYTES_MAX];
    size_t got = 0;

    memset(s, 0, sizeof(*s));
    while (s->at < size) {
        int rc = read(arg, bytes, sizeof(bytes), s->at, &got, err);
        if (rc != SWIM_OK)
            return rc;
        if (got >= SIGNATURE && memcmp(bytes, signature, SIGNATURE) == 0) {
            parse(s, bytes, got, size);
            return SWIM_OK;
        }
        if (s->at > size / 2) /* the next would be behind the end, or beyond 2^64 */
            break;
        s->at = s->at ? 2 * s->at : FIRST_USERBLOCK;
    }
    s->at = 0;
    return SWIM_OK;
}

size_t superblock_unmark(const struct superblock *s, unsigned char *bytes)
{
    size_t body = 12 + 4 * (size_t)bytes[9];

    if (!s->marked)
        return 0;
    bytes[11] = 0;
    uint32_t sum = lookup3(bytes, body);
    for (unsigned i = 0; i < 4; i++)
        bytes[body + i] = (unsigned char)(sum >> 8 * i);
    return body + 4;
}
