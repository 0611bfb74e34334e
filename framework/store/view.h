/* view.h - what is in a file, as texts for people: datasets of any type, attributes,
 * first values.
 *
 * Names and texts come as they are in the file, and others have chosen them: whoever
 * shows them on a terminal does so by core/printable.h.
 *
 * Threads: one at a time per process (the HDF5 library is not thread-safe). */
#ifndef SWIM_STORE_VIEW_H
#define SWIM_STORE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "store/source.h"

#define VIEW_TEXT \
    240 /* the longest text of a value or type; longer ones end in "..." */
#define VIEW_VALUES 10 /* so many first values are told */

enum view_kind { VIEW_NOTHING, VIEW_GROUP, VIEW_DATASET, VIEW_NAMED_TYPE };

/* What path leads to. */
enum view_kind view_kind_of(const struct source *source, const char *path);

/* A dataset. */
struct view_set {
    char *path;           /* absolute */
    char type[VIEW_TEXT]; /* "float32", "compound {re: float32, im: float32}", ... */
    bool empty;           /* without a shape (a null dataspace) */
    uint32_t ndim;
    uint64_t shape[SWIM_NDIM_MAX];
    uint64_t most[SWIM_NDIM_MAX]; /* how long axes may grow; UINT64_MAX: any length */
    bool chunked;
    uint64_t chunk[SWIM_NDIM_MAX];
    char storage[VIEW_TEXT]; /* "contiguous", "chunked", "compact", "virtual", ... */
    char filters[VIEW_TEXT]; /* in their order: "shuffle, deflate 4"; "": none */
    uint64_t count, bytes;   /* elements, and what they take in memory */
    uint64_t stored;         /* bytes in the file; 0: not known, or nothing is */
    bool numeric;            /* dataset_inspect() takes its type */
};

struct view_list {
    struct view_set *sets; /* by path */
    size_t n;
};

/* All datasets below a group; of each its path, type, shape and count alone.  *out is
 * the caller's.  Errors: SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int view_list(const struct source *source, const char *group, struct view_list **out,
              swim_error_t *err);
/* Accepts NULL. */
void view_list_free(struct view_list *list);

/* One dataset, all of it.  *out is the caller's, to be given to view_set_free().
 * Errors: SWIM_ERR_ARG (no such dataset, with names near it), SWIM_ERR_IO,
 * SWIM_ERR_NOMEM. */
int view_set(const struct source *source, const char *path, struct view_set **out,
             swim_error_t *err);
/* Accepts NULL. */
void view_set_free(struct view_set *set);

/* Its first values, in the order in which they are stored, with commas between them:
 * VIEW_VALUES at most, and as many as go into the text; "..." stands for the others.
 * SWIM_ERR_IO: they cannot be read. */
int view_first_values(const struct source *source, const struct view_set *set,
                      char text[VIEW_TEXT], swim_error_t *err);

struct view_attribute {
    char *name;
    char value[VIEW_TEXT];
};

struct view_attributes {
    struct view_attribute *list;
    size_t n;
};

/* Those of a group or dataset, in the order in which they were made where the file
 * knows it, else by name; without those that tie datasets to their dimension scales.
 * Errors: SWIM_ERR_IO, SWIM_ERR_NOMEM. */
int view_attributes(const struct source *source, const char *path,
                    struct view_attributes **out, swim_error_t *err);
/* Accepts NULL. */
void view_attributes_free(struct view_attributes *attributes);

#endif /* SWIM_STORE_VIEW_H */
