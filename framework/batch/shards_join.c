/* shards_join.c - what the shards of an output have, and the master that says so. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "batch/boxes.h"
#include "batch/shards.h"

/* --- progress --------------------------------------------------------------------- */

static int shard_progress(const struct shard *shard, const struct store_access *access,
                          uint64_t n_blocks, unsigned char *bits, swim_error_t *err)
{
    const struct setup_target *t = &shard->target;

    return output_progress(t->file, t->specs, t->n, access, n_blocks, bits, err);
}

int shards_progress(const struct setup_target *target,
                    const struct store_access *access, uint64_t n_blocks,
                    unsigned char *bits, swim_error_t *err)
{
    const struct shards *shards = target->shards;
    size_t n = (size_t)((n_blocks + 7) / 8);
    unsigned char *one = malloc(n + 1);
    int rc = SWIM_OK;

    if (!one)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    memset(bits, 0, n);
    for (size_t i = 0; rc == SWIM_OK && i < shards->n; i++) {
        if (shards->list[i].unused)
            continue;
        rc = shard_progress(&shards->list[i], access, n_blocks, one, err);
        for (size_t k = 0; rc == SWIM_OK && k < n; k++)
            bits[k] |= one[k];
    }
    free(one);
    return rc;
}

/* --- what comes from where ---------------------------------------------------------
 */

/* Boxes of blocks, as ranges of the inputs, and the shards that they are in. */
struct parts {
    size_t ndim;
    uint64_t *ranges; /* as in struct output_pieces */
    uint32_t *shard;
    size_t n, room;
};

static void parts_free(struct parts *parts)
{
    free(parts->ranges);
    free(parts->shard);
}

static int parts_room(struct parts *parts, swim_error_t *err)
{
    if (parts->n < parts->room)
        return SWIM_OK;
    size_t room = parts->room ? 2 * parts->room : 64;
    uint64_t *ranges = reallocarray(parts->ranges, room,
                                    2 * sizeof(*parts->ranges) * (parts->ndim + 1));
    parts->ranges = ranges ? ranges : parts->ranges;
    uint32_t *shard = reallocarray(parts->shard, room, sizeof(*parts->shard));
    parts->shard = shard ? shard : parts->shard;
    if (!ranges || !shard) {
        swim_error_set(err, SWIM_ERR_NOMEM, "join %zu pieces", parts->n);
        return SWIM_ERR_NOMEM;
    }
    parts->room = room;
    return SWIM_OK;
}

/* A box of tiles is a range on each axis that is kept, and all of the others. */
static int parts_add(struct parts *parts, const struct blocks *b, uint32_t shard,
                     const uint64_t *start, const uint64_t *count, swim_error_t *err)
{
    int rc = parts_room(parts, err);

    if (rc != SWIM_OK)
        return rc;
    uint64_t *from = parts->ranges + 2 * parts->ndim * parts->n, *n = from + b->ndim;
    for (size_t a = 0, kept = 0; a < b->ndim; a++) {
        from[a] = b->reduced[a] ? 0 : start[kept] * b->size[a];
        n[a] = b->reduced[a] ? b->extent[a] : count[kept] * b->size[a];
        if (n[a] > b->extent[a] - from[a])
            n[a] = b->extent[a] - from[a];
        kept += b->reduced[a] ? 0 : 1;
    }
    parts->shard[parts->n++] = shard;
    return rc;
}

/* The blocks of the last phase are the tiles, whether or not anything is reduced. */
static int parts_of_shard(struct parts *parts, const struct blocks *b, uint32_t shard,
                          unsigned char *bits, swim_error_t *err)
{
    uint64_t start[SWIM_NDIM_MAX], count[SWIM_NDIM_MAX];
    struct boxes boxes = {.bits = bits};
    int rc = SWIM_OK;

    for (uint32_t a = 0; a < b->ndim; a++)
        if (!b->reduced[a])
            boxes.parts[boxes.ndim++] = blocks_parts(b, a);
    while (rc == SWIM_OK && boxes_next(&boxes, start, count))
        rc = parts_add(parts, b, shard, start, count, err);
    return rc;
}

/* A block that two shards have comes from the first. */
static int parts_find(struct parts *parts, const struct shards_joining *j,
                      unsigned char *done, swim_error_t *err)
{
    const struct shards *shards = j->target->shards;
    size_t n = (size_t)((j->job.n_blocks + 7) / 8);
    unsigned char *bits = malloc(n + 1);
    int rc = SWIM_OK;

    if (!bits)
        return swim_error_set(err, SWIM_ERR_NOMEM, "join %s", j->target->file);
    for (uint32_t i = 0; rc == SWIM_OK && i < shards->n; i++) {
        if (shards->list[i].unused)
            continue;
        rc = shard_progress(&shards->list[i], j->access, j->job.n_blocks, bits, err);
        for (size_t k = 0; rc == SWIM_OK && k < n; k++) {
            bits[k] = (unsigned char)(bits[k] & ~done[k]);
            done[k] |= bits[k];
        }
        if (rc == SWIM_OK)
            rc = parts_of_shard(parts, &j->setup->blocks, i, bits, err);
    }
    free(bits);
    return rc;
}

/* Of the blocks, and of where each comes from. */
static uint64_t parts_hash(const struct parts *parts)
{
    size_t n = 2 * parts->ndim * parts->n;

    if (parts->n == 0)
        return 0;
    return XXH3_64bits_withSeed(
        parts->ranges, n * sizeof(*parts->ranges),
        XXH3_64bits(parts->shard, parts->n * sizeof(*parts->shard)));
}

/* --- the master ------------------------------------------------------------------- */

/* The same parts as ranges of one output; pieces->ranges is allocated. */
static int pieces_of(const struct setup_output *output, const struct parts *parts,
                     const char *const *files, struct output_pieces *pieces,
                     swim_error_t *err)
{
    size_t ndim = output->spec.ndim;
    uint64_t *ranges = calloc(parts->n + 1, 2 * sizeof(*ranges) * ndim);

    *pieces = (struct output_pieces){files, parts->shard, ranges, parts->n};
    if (!ranges)
        return swim_error_set(err, SWIM_ERR_NOMEM, "join %zu pieces", parts->n);
    for (size_t i = 0; i < parts->n; i++) {
        const uint64_t *from = parts->ranges + 2 * parts->ndim * i;
        struct block_range in = {.elements = 0}, out;
        for (size_t a = 0; a < parts->ndim; a++) {
            in.start[a] = from[a];
            in.count[a] = from[parts->ndim + a];
        }
        setup_output_range(output, &in, &out);
        for (size_t d = 0; d < ndim; d++) {
            ranges[2 * ndim * i + d] = out.start[d];
            ranges[2 * ndim * i + ndim + d] = out.count[d];
        }
    }
    return SWIM_OK;
}

static int master_check(const struct setup_target *target, const char *mark,
                        const struct store_access *access, swim_error_t *err)
{
    struct output_found found = {.state = OUTPUT_ABSENT};
    int rc = output_look(target->file, target->specs, target->n, access, &found, err);

    /* Between this and the new one another run may still take it over.  It finds then
     * that it was replaced, and can be resumed: nothing but the master is changed. */
    if (rc == SWIM_OK &&
        (found.state != OUTPUT_UNFINISHED || strcmp(found.mark, mark) != 0))
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "%s was replaced by another job while this one ran",
                            target->file);
    output_found_free(&found);
    return rc;
}

static int master_write(const struct shards_joining *j, const struct output_spec *specs,
                        const struct output_job *job, swim_error_t *err)
{
    const struct setup_target *t = j->target;
    char *line = NULL;
    int rc = master_check(t, job->mark, j->access, err);

    if (rc == SWIM_OK)
        rc = output_history(t->file, j->access, &line, err);
    if (rc == SWIM_OK)
        rc = output_create(t->file, true, specs, t->n,
                           line && line[0] ? line : j->history, job, j->access, err);
    free(line);
    return rc;
}

static int master_make(const struct shards_joining *j, const struct parts *parts,
                       const struct output_job *job, swim_error_t *err)
{
    const struct setup_target *t = j->target;
    struct output_pieces *pieces = calloc(t->n + 1, sizeof(*pieces));
    struct output_spec *specs = calloc(t->n + 1, sizeof(*specs));
    const char **files = calloc(t->shards->n + 1, sizeof(*files));
    int rc = SWIM_OK;

    if (!pieces || !specs || !files) {
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "join %s", t->file);
        goto out;
    }
    for (size_t i = 0; i < t->shards->n; i++)
        files[i] = shards_master(t->shards->list[i].file);
    for (size_t i = 0; rc == SWIM_OK && i < t->n; i++) {
        specs[i] = t->specs[i];
        specs[i].pieces = &pieces[i];
        rc =
            pieces_of(&j->setup->outputs[t->outputs[i]], parts, files, &pieces[i], err);
    }
    if (rc == SWIM_OK)
        rc = master_write(j, specs, job, err);
    for (size_t i = 0; i < t->n; i++)
        free((void *)pieces[i].ranges);
out:
    free((void *)files);
    free(specs);
    free(pieces);
    return rc;
}

int shards_join(const struct shards_joining *j, uint64_t *missing, swim_error_t *err)
{
    uint64_t n_blocks = j->job.n_blocks, n_done = 0;
    unsigned char *done = calloc((size_t)(n_blocks / 8 + 1), 1);
    struct parts parts = {.ndim = j->setup->blocks.ndim};
    struct output_job job = j->job;
    struct shards *shards = j->target->shards;

    *missing = n_blocks;
    if (!done)
        return swim_error_set(err, SWIM_ERR_NOMEM, "join %s", j->target->file);
    int rc = parts_find(&parts, j, done, err);
    for (uint64_t b = 0; rc == SWIM_OK && b < n_blocks; b++)
        n_done += done[b / 8] >> b % 8 & 1;
    job.done = done;
    const uint64_t hash = parts_hash(&parts);
    if (rc == SWIM_OK && !(shards->joined && shards->joined_hash == hash))
        rc = master_make(j, &parts, &job, err);
    if (rc == SWIM_OK) {
        shards->joined = true;
        shards->joined_hash = hash;
        *missing = n_blocks - n_done;
    }
    parts_free(&parts);
    free(done);
    return rc;
}
