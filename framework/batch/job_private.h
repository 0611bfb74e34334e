/* job_private.h - what the parts of the job reader share: a small tree of YAML nodes,
 * each with its place, and the readers of single values. */
#ifndef SWIM_BATCH_JOB_PRIVATE_H
#define SWIM_BATCH_JOB_PRIVATE_H

#include "batch/job.h"

enum job_node_kind { JOB_NODE_NULL, JOB_NODE_TEXT, JOB_NODE_LIST, JOB_NODE_MAP };

/* Aliases are copied in, so that a tree is a tree: each node has one parent. */
struct job_node {
    enum job_node_kind kind;
    char *text; /* of a JOB_NODE_TEXT */
    char *key;  /* inside a mapping, else NULL */
    struct job_place place, key_place;
    struct job_node *first, *last, *next;
    size_t n;                  /* children */
    struct problems *problems; /* as in struct job, of all nodes of a tree */
};

/* Parse a YAML text.  Places read "FILE:LINE:COLUMN"; when set is not NULL every place
 * reads "--set SET" instead.  An empty text gives a JOB_NODE_NULL.
 * Nothing is printed.  Errors: SWIM_ERR_ARG, SWIM_ERR_NOMEM. */
int job_node_parse(const char *text, size_t length, const char *file, const char *set,
                   struct job_node **out, swim_error_t *err);
void job_node_destroy(struct job_node *node);

/* Read a file, at most 1 MiB of it, and parse it. */
int job_node_read(const char *path, struct job_node **out, swim_error_t *err);

struct job_node *job_node_child(const struct job_node *map, const char *key);

/* Append child, which the parent owns from then on. */
void job_node_append(struct job_node *parent, struct job_node *child);

/* A new node with a copy of key (may be NULL); NULL: no memory. */
struct job_node *job_node_create(enum job_node_kind kind, const char *key,
                                 const struct job_place *place);

/* "a list", "a mapping", "nothing", or the text in quotes (into buf). */
const char *job_node_describe(const struct job_node *node, char *buf, size_t size);

/* Put one "a.b.c=value" over the tree. */
int job_set_apply(struct job_node *root, const char *set, swim_error_t *err);

/* The job of a tree, with sets put over it; path names it in messages.  root stays the
 * caller's.  As job_load(). */
int job_from_tree(const char *path, struct job_node *root, const char *const *sets,
                  size_t n_sets, struct job **out, swim_error_t *err);

/* SWIM_ERR_ARG with "PLACE: text". */
int job_fail(swim_error_t *err, const struct job_place *place, const char *fmt, ...)
    SWIM_PRINTF(3, 4);

/* problems_take() with what was found at a node, for the node's job. */
int job_goes_on(const struct job_node *node, int rc, swim_error_t *err);

/* What a mapping may have. */
struct job_key {
    const char *name;
    int (*read)(const struct job_node *value, void *into, swim_error_t *err);
};

/* Read a mapping by its n keys, 16 at most; an unknown one is refused with the nearest
 * known. */
int job_keys_read(const struct job_node *map, const struct job_key *keys, size_t n,
                  void *into, swim_error_t *err);

/* SWIM_ERR_ARG where the node is no mapping; holds: of what it should be. */
int job_map_expect(const struct job_node *node, const char *holds, swim_error_t *err);
/* Room for n elements; for none of them NULL. */
int job_array_create(size_t n, size_t size, void *out, swim_error_t *err);
int job_key_copy(const struct job_node *node, char **out, swim_error_t *err);

/* An empty job of that file; *out is there after a failure, too, if there is memory. */
int job_create(const char *path, struct job **out, swim_error_t *err);

/* Readers of the keys of a job that belong to a kernel, and of a list of kernels. */
int job_kernel(const struct job_node *node, void *into, swim_error_t *err);
int job_params(const struct job_node *node, void *into, swim_error_t *err);
int job_edges(const struct job_node *node, void *into, swim_error_t *err);
int job_kernels(const struct job_node *node, void *into, swim_error_t *err);
/* When all keys were read: what all jobs of a chain need, and inputs to the first. */
int job_kernels_settle(const struct job_node *root, struct job *job, swim_error_t *err);

/* The key "pack" of an output; whether it goes with the type that the output has. */
int job_pack(const struct job_node *node, void *into, swim_error_t *err);
int job_pack_settle(const struct job_output *output, swim_error_t *err);

/* Single values; the messages name the key and say what was expected. */
int job_value_text(const struct job_node *node, char **out, swim_error_t *err);
int job_value_bool(const struct job_node *node, bool *out, swim_error_t *err);
int job_value_int(const struct job_node *node, int64_t min, int64_t max, int64_t *out,
                  swim_error_t *err);
int job_value_double(const struct job_node *node, double *out, swim_error_t *err);
/* 0.001 to 1e9 of them. */
int job_value_seconds(const struct job_node *node, int64_t *ms, swim_error_t *err);
int job_value_bytes(const struct job_node *node, uint64_t *out, swim_error_t *err);
int job_value_type(const struct job_node *node, enum swim_type *out, swim_error_t *err);
/* One of two words. */
int job_value_choice(const struct job_node *node, const char *first, const char *second,
                     bool *is_second, swim_error_t *err);
int job_value_edge(const struct job_node *node, enum swim_edge *out, swim_error_t *err);

/* A list of 1 to SWIM_NDIM_MAX sizes; or the word auto, which gives *n = 0. */
int job_value_sizes(const struct job_node *node, const char *word, uint64_t *sizes,
                    uint32_t *n, swim_error_t *err);

#endif /* SWIM_BATCH_JOB_PRIVATE_H */
