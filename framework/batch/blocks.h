/* blocks.h - how a dataset is cut into blocks.  Pure arithmetic, the same in every
 * process and for every number of ranks: results do not depend on how many take part.
 *
 * A block is a range on each input axis.  Kept axes are cut along multiples of what
 * output chunks ask for, so that no two blocks share an output chunk.  Reduced axes
 * (reduce kernels) are cut into segments; the blocks of one tile (the same ranges on
 * all kept axes) have consecutive numbers, in the order of their segments. */
#ifndef SWIM_BATCH_BLOCKS_H
#define SWIM_BATCH_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include <h5swim/kernel.h>

struct blocks {
    uint32_t ndim;
    uint64_t extent[SWIM_NDIM_MAX];
    uint64_t
        size[SWIM_NDIM_MAX]; /* of a block; the last one on an axis may be smaller */
    bool reduced[SWIM_NDIM_MAX];
    uint64_t n;          /* blocks */
    uint64_t n_tiles;    /* n / n_segments */
    uint64_t n_segments; /* per tile; 1 unless axes are reduced */
};

struct block_range {
    uint64_t start[SWIM_NDIM_MAX];
    uint64_t count[SWIM_NDIM_MAX];
    uint64_t elements;
};

/* Count the blocks; extent, size and reduced are set by the caller, sizes beyond the
 * extent are cut to it.  SWIM_ERR_ARG when there are more than 2^62. */
int blocks_count(struct blocks *b, swim_error_t *err);

/* The first axis has become longer, which leaves the numbers of blocks as they are; for
 * blocks without reduced axes, of which there are far less than 2^62. */
void blocks_set_rows(struct blocks *b, uint64_t rows);

/* Into how many parts an axis is cut. */
uint64_t blocks_parts(const struct blocks *b, uint32_t axis);

/* How many blocks there are at one place of the first axis. */
uint64_t blocks_band(const struct blocks *b);

/* The range of block number index (index < n). */
void blocks_range(const struct blocks *b, uint64_t index, struct block_range *range);

/* The range of a tile: whole on the reduced axes (tile < n_tiles). */
void blocks_tile_range(const struct blocks *b, uint64_t tile,
                       struct block_range *range);

struct blocks_wish {
    uint64_t base[SWIM_NDIM_MAX];  /* kept axes: sizes are multiples of this */
    uint64_t chunk[SWIM_NDIM_MAX]; /* input chunks: cheap places to cut (>= 1) */
    uint64_t element_bytes;        /* of all inputs and outputs, per grid point */
    uint64_t window_bytes; /* windows: of all inputs, which come once more with: */
    uint64_t window_step, window_halo; /* rows along the axis */
    uint32_t window_axis;              /* grown first, until it outweighs the halo */
    uint64_t most_bytes;               /* a block should not be larger */
    uint64_t fewest;                   /* nor should there be fewer blocks than this */
};

/* Choose sizes for blocks without reduced axes: base, grown along the last axes first.
 */
void blocks_choose(struct blocks *b, const struct blocks_wish *wish);

/* Choose the length of a slice along the reduced axes of one block, so that a tile's
 * part of it stays within most_bytes: slice[] for all axes (kept ones: the block's
 * size). */
void blocks_choose_slice(const struct blocks *b, const struct blocks_wish *wish,
                         uint64_t *slice);

/* The least common multiple, at most limit (which is returned when it would be larger).
 */
uint64_t blocks_lcm(uint64_t a, uint64_t c, uint64_t limit);

#endif /* SWIM_BATCH_BLOCKS_H */
