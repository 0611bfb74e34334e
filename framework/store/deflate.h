/* deflate.h - zlib streams (RFC 1950, deflate RFC 1951) of chunks, by one of two
 * libraries.
 *
 * Level 1 is for those who want speed: there ISA-L is two to four times as fast as
 * libdeflate with streams that are up to 3 % longer, except for small chunks.  It is
 * used where the build has it.  Streams depend on the library, and ISA-L's may on the
 * processor; what they are inflated to does not. */
#ifndef SWIM_STORE_DEFLATE_H
#define SWIM_STORE_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include <h5swim/error.h>

enum deflate_by {
    DEFLATE_LIBDEFLATE,
    DEFLATE_ISAL, /* level 1 alone */
};

/* Whether this build has it. */
bool deflate_has(enum deflate_by by);

/* Which of those that there are is best for chunks of so many bytes. */
enum deflate_by deflate_choose(int level, size_t bytes);

struct deflate;

/* Level 1 to 9, for chunks of so many bytes.  SWIM_ERR_ARG: this build has no such;
 * SWIM_ERR_NOMEM. */
int deflate_create(enum deflate_by by, int level, size_t bytes, struct deflate **out,
                   swim_error_t *err);
/* Accepts NULL. */
void deflate_destroy(struct deflate *deflate);

/* The most bytes that the stream of a chunk can have. */
size_t deflate_bound(const struct deflate *deflate);

/* The stream of one chunk at dst (deflate_bound() bytes); *n_bytes is its length.
 * SWIM_ERR_IO: the library has failed. */
int deflate_chunk(struct deflate *deflate, const void *chunk, void *dst,
                  size_t *n_bytes, swim_error_t *err);

#endif /* SWIM_STORE_DEFLATE_H */
