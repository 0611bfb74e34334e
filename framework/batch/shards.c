/* shards.c - the files of an output in several: their names, and what is in them. */
#include "batch/shards.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFIX ".shard-"
#define NUMBER_MOST 999999999u

/* --- names ------------------------------------------------------------------------ */

const char *shards_master(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? slash + 1 : file;
}

/* Where in the name of a master the number goes in: before ".h5". */
static size_t stem_of(const char *file)
{
    const char *name = shards_master(file), *dot = strrchr(name, '.');

    return dot && dot != name ? (size_t)(dot - file) : strlen(file);
}

/* HDF5 takes any file of that name which it finds, so that no other job has the same.
 */
static uint32_t job_of(const struct shards *shards)
{
    return (uint32_t)(shards->setup->digest >> 32);
}

static char *shard_file(const char *master, uint32_t number, uint32_t job)
{
    size_t stem = stem_of(master);
    char *file = NULL;

    if (asprintf(&file, "%.*s" INFIX "%04" PRIu32 "-%08" PRIx32 "%s", (int)stem, master,
                 number, job, master + stem) < 0)
        return NULL;
    return file;
}

/* Is name, without folder, that of a shard, of any job? */
static bool is_shard(const char *master, const char *name, uint32_t *number,
                     uint32_t *job)
{
    const char *base = shards_master(master);
    size_t stem = stem_of(base);
    char *end = NULL, *again = NULL;

    if (strncmp(name, base, stem) != 0 ||
        strncmp(name + stem, INFIX, strlen(INFIX)) != 0 ||
        !isdigit((unsigned char)name[stem + strlen(INFIX)]))
        return false;
    unsigned long n = strtoul(name + stem + strlen(INFIX), &end, 10);
    *number = (uint32_t)n;
    *job = *end == '-' ? (uint32_t)strtoul(end + 1, NULL, 16) : 0;
    if (n <= NUMBER_MOST)
        again = shard_file(base, *number, *job);
    bool is = again && strcmp(again, name) == 0;
    free(again);
    return is;
}

/* --- one shard -------------------------------------------------------------------- */

static void shard_end(struct shard *shard)
{
    free(shard->file);
    free(shard->target.specs);
    free(shard->target.outputs);
}

/* The data alone: all else is in the master. */
static void shard_spec(const struct shard *shard, const struct output_spec *master,
                       struct output_spec *spec)
{
    *spec = *master;
    spec->file = shard->file;
    spec->plain = true;
    spec->like = NULL;
    spec->like_source = NULL;
    spec->verbatim = false;
    spec->pieces = NULL;
    for (uint32_t d = 0; d < spec->ndim; d++) {
        spec->from_axis[d] = -1;
        spec->axes[d] = NULL;
    }
}

static int shard_make(const struct setup_target *master, uint32_t number, uint32_t job,
                      struct shard *shard, swim_error_t *err)
{
    size_t n = master->n;

    *shard = (struct shard){
        .number = number, .job = job, .file = shard_file(master->file, number, job)};
    shard->target = (struct setup_target){
        .file = shard->file,
        .specs = calloc(n, sizeof(*shard->target.specs)),
        .outputs = calloc(n, sizeof(*shard->target.outputs)),
        .n = n,
    };
    if (!shard->file || !shard->target.specs || !shard->target.outputs) {
        shard_end(shard);
        return swim_error_set(err, SWIM_ERR_NOMEM, "shards of %s", master->file);
    }
    for (size_t i = 0; i < n; i++) {
        shard_spec(shard, &master->specs[i], &shard->target.specs[i]);
        shard->target.outputs[i] = master->outputs[i];
    }
    return SWIM_OK;
}

/* --- all of a target ---------------------------------------------------------------
 */

int shards_plan(const struct setup *setup, struct setup_target *target,
                swim_error_t *err)
{
    static const struct output_pieces none = {.n = 0};
    const struct setup_output *output = &setup->outputs[target->outputs[0]];

    if (!output->sharded)
        return SWIM_OK;
    target->shards = calloc(1, sizeof(*target->shards));
    if (!target->shards)
        return swim_error_set(err, SWIM_ERR_NOMEM, "shards of %s", target->file);
    target->shards->setup = setup;
    target->shards->by_rank = output->by_rank;
    for (size_t i = 0; i < target->n; i++)
        target->specs[i].pieces = &none;
    return SWIM_OK;
}

void shards_end(struct shards *shards)
{
    for (size_t i = 0; i < shards->n; i++)
        shard_end(&shards->list[i]);
    free(shards->list);
    shards->list = NULL;
    shards->n = 0;
}

void shards_free(struct shards *shards)
{
    if (!shards)
        return;
    shards_end(shards);
    free(shards);
}

static int list_add(struct shards *shards, const struct setup_target *target,
                    uint32_t number, uint32_t job, swim_error_t *err)
{
    struct shard *list =
        reallocarray(shards->list, shards->n + 1, sizeof(*shards->list));

    if (!list)
        return swim_error_set(err, SWIM_ERR_NOMEM, "shards of %s", target->file);
    shards->list = list;
    int rc = shard_make(target, number, job, &list[shards->n], err);
    shards->n += rc == SWIM_OK;
    return rc;
}

bool shards_needs(const struct shards *shards, const struct shard *shard,
                  uint32_t n_least)
{
    return shard->number < n_least && shard->job == job_of(shards);
}

/* But those that are listed already, which are needed. */
static int list_folder(struct shards *shards, const struct setup_target *target,
                       uint32_t n_least, swim_error_t *err)
{
    size_t n = (size_t)(shards_master(target->file) - target->file);
    char *folder = n ? strndup(target->file, n) : strdup(".");
    DIR *dir = folder ? opendir(folder) : NULL;
    const struct dirent *entry;
    struct shard found = {.number = 0};
    int rc = SWIM_OK;

    if (!dir) {
        swim_error_sys(err, errno, "look for shards of %s: read the folder",
                       target->file);
        free(folder);
        return SWIM_ERR_IO;
    }
    while (rc == SWIM_OK && (entry = readdir(dir)) != NULL)
        if (is_shard(target->file, entry->d_name, &found.number, &found.job) &&
            !(n_least && shards_needs(shards, &found, n_least)))
            rc = list_add(shards, target, found.number, found.job, err);
    closedir(dir);
    free(folder);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    const struct shard *one = a, *two = b;

    if (one->number != two->number)
        return one->number < two->number ? -1 : 1;
    return (one->job > two->job) - (one->job < two->job);
}

int shards_find(const struct setup_target *target, uint32_t n_least,
                struct shards *shards, swim_error_t *err)
{
    int rc = SWIM_OK;

    shards_end(shards);
    for (uint32_t i = 0; rc == SWIM_OK && i < n_least; i++)
        rc = list_add(shards, target, i, job_of(shards), err);
    if (rc == SWIM_OK)
        rc = list_folder(shards, target, n_least, err);
    if (shards->n > 1)
        qsort(shards->list, shards->n, sizeof(*shards->list), by_number);
    return rc;
}

/* --- for a writer ----------------------------------------------------------------- */

static int take_one(struct setup_target *target, const struct shards_who *who,
                    swim_error_t *err)
{
    struct shards *shards = target->shards;
    int rc = list_add(shards, target, shards->by_rank ? who->rank : who->host,
                      job_of(shards), err);

    if (rc != SWIM_OK)
        return rc;
    struct setup_target mine = shards->list[0].target;
    free(target->specs);
    free(target->outputs);
    *target = mine;
    target->shards = shards; /* which has the name */
    shards->list[0].target = (struct setup_target){.n = 0};
    return rc;
}

int shards_take(struct setup *setup, const struct shards_who *who, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t p = 0; p < setup->n_phases; p++) {
        struct setup_targets *targets = &setup->targets[p];
        targets->alone = true;
        for (size_t i = 0; rc == SWIM_OK && i < targets->n; i++) {
            const struct shards *shards = targets->list[i].shards;
            targets->alone = targets->alone && shards &&
                             (shards->by_rank || who->n_ranks == who->n_hosts);
            if (shards)
                rc = take_one(&targets->list[i], who, err);
        }
    }
    return rc;
}
