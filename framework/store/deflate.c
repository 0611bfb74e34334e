/* deflate.c - zlib streams of chunks: libdeflate, and ISA-L where the build has it. */
#include "store/deflate.h"

#include <libdeflate.h>
#include <stdint.h>
#include <stdlib.h>

struct isal;

struct deflate {
    size_t bytes; /* of a chunk */
    struct libdeflate_compressor *libdeflate;
    struct isal *isal; /* NULL: libdeflate does it */
};

/* --- ISA-L ------------------------------------------------------------------------ */

#ifdef SWIM_HAVE_ISAL

#include <isa-l/igzip_lib.h>

/* Its level 2 takes as long as its level 1 and gives streams that are 2 % shorter. */
#define ISAL_LEVEL 2
#define ISAL_BUFFER_BYTES ISAL_DEF_LVL2_DEFAULT
/* Below, most of the time goes into the codes of a block, which libdeflate makes
 * faster. */
#define ISAL_BYTES_LEAST 8192

struct isal {
    struct isal_zstream stream;
    unsigned char buffer[ISAL_BUFFER_BYTES];
};

static bool isal_is_best(size_t bytes)
{
    return bytes >= ISAL_BYTES_LEAST && bytes <= UINT32_MAX / 2;
}

static struct isal *isal_create(void)
{
    return (struct isal *)malloc(sizeof(struct isal));
}

/* 0: it has failed. */
static size_t isal_chunk(struct isal *isal, const void *chunk, size_t bytes, void *dst,
                         size_t room)
{
    struct isal_zstream *s = &isal->stream;

    isal_deflate_stateless_init(s);
    s->level = ISAL_LEVEL;
    s->level_buf = isal->buffer;
    s->level_buf_size = sizeof(isal->buffer);
    s->gzip_flag = IGZIP_ZLIB;
    s->end_of_stream = 1;
    s->next_in = (uint8_t *)(uintptr_t)chunk; /* it is not written to */
    s->avail_in = (uint32_t)bytes;
    s->next_out = (uint8_t *)dst;
    s->avail_out = (uint32_t)room;
    return isal_deflate_stateless(s) == COMP_OK && s->avail_in == 0 ? s->total_out : 0;
}

#else

static bool isal_is_best(size_t bytes)
{
    (void)bytes;
    return false;
}

static struct isal *isal_create(void)
{
    return NULL;
}

static size_t isal_chunk(struct isal *isal, const void *chunk, size_t bytes, void *dst,
                         size_t room)
{
    (void)isal, (void)chunk, (void)bytes, (void)dst, (void)room;
    return 0;
}

#endif

/* --- either ----------------------------------------------------------------------- */

bool deflate_has(enum deflate_by by)
{
#ifdef SWIM_HAVE_ISAL
    return by == DEFLATE_LIBDEFLATE || by == DEFLATE_ISAL;
#else
    return by == DEFLATE_LIBDEFLATE;
#endif
}

enum deflate_by deflate_choose(int level, size_t bytes)
{
    return level == 1 && isal_is_best(bytes) ? DEFLATE_ISAL : DEFLATE_LIBDEFLATE;
}

int deflate_create(enum deflate_by by, int level, size_t bytes, struct deflate **out,
                   swim_error_t *err)
{
    *out = NULL;
    if (!deflate_has(by) || level < 1 || level > 9 ||
        (by == DEFLATE_ISAL && (level != 1 || bytes > UINT32_MAX / 2)))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "deflate chunks of %zu bytes at level %d: this build "
                              "cannot",
                              bytes, level);
    struct deflate *d = (struct deflate *)calloc(1, sizeof(*d));
    if (d) {
        d->bytes = bytes;
        if (by == DEFLATE_ISAL)
            d->isal = isal_create();
        else
            d->libdeflate = libdeflate_alloc_compressor(level);
    }
    if (!d || (!d->isal && !d->libdeflate)) {
        deflate_destroy(d);
        return swim_error_set(err, SWIM_ERR_NOMEM, "deflate chunks of %zu bytes",
                              bytes);
    }
    *out = d;
    return SWIM_OK;
}

void deflate_destroy(struct deflate *d)
{
    if (!d)
        return;
    if (d->libdeflate)
        libdeflate_free_compressor(d->libdeflate);
    free(d->isal);
    free(d);
}

/* libdeflate's bound is of smaller blocks than ISA-L needs for what it only stores. */
size_t deflate_bound(const struct deflate *d)
{
    return libdeflate_zlib_compress_bound(NULL, d->bytes);
}

int deflate_chunk(struct deflate *d, const void *chunk, void *dst, size_t *n_bytes,
                  swim_error_t *err)
{
    const size_t room = deflate_bound(d);

    *n_bytes =
        d->isal ? isal_chunk(d->isal, chunk, d->bytes, dst, room)
                : libdeflate_zlib_compress(d->libdeflate, chunk, d->bytes, dst, room);
    if (*n_bytes == 0)
        return swim_error_set(err, SWIM_ERR_IO, "deflate a chunk of %zu bytes",
                              d->bytes);
    return SWIM_OK;
}
