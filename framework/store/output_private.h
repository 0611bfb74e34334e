/* output_private.h - what the files about outputs share. */
#ifndef SWIM_STORE_OUTPUT_PRIVATE_H
#define SWIM_STORE_OUTPUT_PRIVATE_H

#include "store/store_private.h"

struct progress;
struct growth;

struct output {
    char *name;
    hid_t file;
    struct openfile *open;
    size_t n;
    hid_t *sets;
    enum swim_type *types;
    uint32_t *ndims;
    struct growth **growths; /* of those that grow */
    struct progress *progress;
    swim_error_t failed; /* the first error of a write; from then on nothing is done */
};

/* --- output_write.c -------------------------------------------------------------- */

/* Open one dataset; the caller's.  SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int output_dataset(hid_t file, const struct output_spec *spec, hid_t *set,
                   swim_error_t *err);

/* Whether the dataset is what the job made; chunks of another shape would be taken for
 * data and never noticed. */
bool output_set_fits(hid_t set, const struct output_spec *spec);

/* SWIM_OK when spec->mark is NULL or what the dataset says: somebody may have replaced
 * the file by an output of his own meanwhile. */
int output_check_mark(hid_t set, const struct output_spec *spec, const char *name,
                      swim_error_t *err);

/* Length of the digest that a mark begins with. */
size_t output_mark_digest(const char *mark);

/* --- output_virtual.c --------------------------------------------------------------
 */

/* Have the dataset that will be path be virtual: made of the pieces of spec. */
int virtual_layout(hid_t dcpl, const struct output_spec *spec, const char *path,
                   swim_error_t *err);

/* --- output_growth.c: a dataset that grows, and its first dimension ----------------
 */

/* Of an open dataset, which stays the caller's, as name does. */
int growth_open(hid_t set, const char *name, struct growth **out, swim_error_t *err);

/* How many rows a dataset has; name for errors. */
int growth_count(hid_t set, const char *name, uint64_t *rows, swim_error_t *err);

/* How many rows one that is open has. */
uint64_t growth_has(const struct growth *g);

/* SWIM_ERR_ARG: the dataset has more rows than spec->shape[0]. */
int growth_check(hid_t set, const struct output_spec *spec, swim_error_t *err);
int growth_rows(struct growth *g, uint64_t rows, swim_error_t *err);
int growth_coordinates(struct growth *g, uint64_t start, uint64_t count,
                       const void *elements, size_t n_bytes, swim_error_t *err);

/* Its memory; the ids go with the file.  Accepts NULL. */
void growth_free(struct growth *g);

/* --- output_progress.c: h5swim_progress of one file ------------------------------ */

/* Make it, with the blocks that job says are done, and the description. */
int progress_make(hid_t file, const char *name, const struct output_job *job,
                  swim_error_t *err);

/* Another description in the place of the one that is there, if it differs. */
int progress_describe(hid_t file, const char *name, const char *description,
                      swim_error_t *err);

/* What it says of the job; false: it is not there, or not as progress_make() makes it.
 * description (NULL: not wanted) is allocated. */
bool progress_look(hid_t file, uint64_t *n_blocks, char **description);

/* For setting bits in an open file.  name stays the caller's.  SWIM_ERR_ARG: it is not
 * there. */
int progress_open(hid_t file, const char *name, struct progress **out,
                  swim_error_t *err);
int progress_set(struct progress *p, uint64_t block, swim_error_t *err);

/* Write what was set since the last call. */
int progress_write(struct progress *p, swim_error_t *err);

/* Blocks from first on are not done; when none was set since progress_open(). */
int progress_forget(struct progress *p, uint64_t first, swim_error_t *err);

/* Its memory; the dataset goes with the file.  Accepts NULL. */
void progress_free(struct progress *p);

/* All of it, (n_blocks+7)/8 bytes; of a map that grows the first.  SWIM_ERR_ARG: it is
 * of another number of blocks. */
int progress_read(hid_t file, const char *name, uint64_t n_blocks, unsigned char *bits,
                  swim_error_t *err);

/* Take it and the description away, where they are. */
int progress_remove(hid_t file, const char *name, swim_error_t *err);

#endif /* SWIM_STORE_OUTPUT_PRIVATE_H */
