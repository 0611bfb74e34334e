/* deflate.c - zlib streams at level 1, by the fastest library that there is. */
#include <stdlib.h>

#include <libdeflate.h>

#include "handtuned.h"

#ifdef SWIM_HAVE_ISAL
#include <isa-l/igzip_lib.h>

#define ISAL_LEVEL 2
#define ISAL_BUFFER_BYTES ISAL_DEF_LVL2_DEFAULT
#define ISAL_BYTES_LEAST 8192 /* below, libdeflate is faster */
#endif

struct handtuned_deflate {
    size_t bytes;
    struct libdeflate_compressor *libdeflate;
#ifdef SWIM_HAVE_ISAL
    struct isal_zstream stream;
    unsigned char buffer[ISAL_BUFFER_BYTES];
#endif
};

struct handtuned_deflate *handtuned_deflate_open(size_t bytes)
{
    struct handtuned_deflate *d = handtuned_buffer(sizeof(*d));

    d->bytes = bytes;
    d->libdeflate = libdeflate_alloc_compressor(1);
    if (!d->libdeflate)
        handtuned_die("memory");
    return d;
}

size_t handtuned_deflate(struct handtuned_deflate *d, unsigned char *bytes,
                         unsigned char *room, size_t most)
{
#ifdef SWIM_HAVE_ISAL
    if (d->bytes >= ISAL_BYTES_LEAST) {
        struct isal_zstream *s = &d->stream;
        isal_deflate_stateless_init(s);
        s->level = ISAL_LEVEL;
        s->level_buf = d->buffer;
        s->level_buf_size = sizeof(d->buffer);
        s->gzip_flag = IGZIP_ZLIB;
        s->end_of_stream = 1;
        s->next_in = bytes;
        s->avail_in = (uint32_t)d->bytes;
        s->next_out = room;
        s->avail_out = (uint32_t)most;
        if (isal_deflate_stateless(s) != COMP_OK)
            handtuned_die("deflate a chunk");
        return s->total_out;
    }
#endif
    return libdeflate_zlib_compress(d->libdeflate, bytes, d->bytes, room, most);
}
