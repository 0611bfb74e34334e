/* setup_targets.c - which files each phase of a job writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "batch/shards.h"

#define PARTIALS_SUFFIX ".h5swim-partials"
#define PARTIALS_DATASET "partials"
#define ROWS_DATASET "rows"
#define ROWS_CHUNK ((uint64_t)4096)
#define CHUNK_BYTES_LEAST ((uint64_t)64 << 10)
#define CHUNK_BYTES_MOST ((uint64_t)1 << 30)

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct setup_target *)a)->file,
                  ((const struct setup_target *)b)->file);
}

static struct setup_target *target_of(struct setup_targets *targets, const char *file)
{
    struct setup_target *t = targets->list;

    while (t < targets->list + targets->n && strcmp(t->file, file) != 0)
        t++;
    if (t == targets->list + targets->n) {
        t->file = file;
        targets->n++;
    }
    return t;
}

/* Room for n datasets in up to n files. */
static int targets_alloc(struct setup_targets *targets, size_t n, swim_error_t *err)
{
    targets->list = calloc(n ? n : 1, sizeof(*targets->list));
    for (size_t i = 0; targets->list && i < n; i++) {
        struct setup_target *t = &targets->list[i];
        targets->n = i + 1;
        t->specs = calloc(n, sizeof(*t->specs));
        t->outputs = calloc(n, sizeof(*t->outputs));
        if (!t->specs || !t->outputs)
            return swim_error_set(err, SWIM_ERR_NOMEM, "files of the outputs");
    }
    return targets->list ? SWIM_OK
                         : swim_error_set(err, SWIM_ERR_NOMEM, "files of the outputs");
}

static void targets_free(struct setup_target *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        shards_free(list[i].shards);
        free(list[i].specs);
        free(list[i].outputs);
    }
}

static int list_outputs(const struct setup *setup, struct setup_targets *targets,
                        swim_error_t *err)
{
    int rc = targets_alloc(targets, setup->n_outputs, err);

    if (rc != SWIM_OK)
        return rc;
    targets->n = 0;
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        struct setup_target *t = target_of(targets, spec->file);
        t->specs[t->n] = *spec;
        t->specs[t->n].kept = setup->kept;
        t->outputs[t->n++] = i;
    }
    targets_free(targets->list + targets->n, setup->n_outputs - targets->n);
    for (size_t i = 0; rc == SWIM_OK && i < targets->n; i++)
        rc = shards_plan(setup, &targets->list[i], err);
    qsort(targets->list, targets->n, sizeof(*targets->list), by_file);
    return rc;
}

/* A row for each block, as wide as the largest accumulator. */
static void partials_spec(const struct setup *setup, struct output_spec *spec)
{
    uint64_t rows = setup->blocks.n, bytes = setup->acc_bytes;
    uint64_t wide = bytes < CHUNK_BYTES_MOST ? bytes : CHUNK_BYTES_MOST;
    uint64_t deep = (CHUNK_BYTES_LEAST + wide - 1) / wide;

    *spec = (struct output_spec){
        .file = setup->partials_file,
        .dataset = PARTIALS_DATASET,
        .type = SWIM_TYPE_U8,
        .ndim = 2,
        .shape = {rows, bytes},
        .chunk = {deep < rows ? deep : rows, wide},
        .plain = true,
        .from_axis = {-1, -1},
    };
}

/* The rows that a filter found, and where those of each block are. */
static void rows_specs(const struct setup *setup, struct output_spec *specs)
{
    uint64_t n = setup->blocks.n;

    specs[0] = (struct output_spec){
        .file = setup->partials_file,
        .dataset = PARTIALS_DATASET,
        .type = SWIM_TYPE_U8,
        .ndim = 1,
        .shape = {INT64_MAX},
        .chunk = {CHUNK_BYTES_LEAST},
        .grows = true,
        .plain = true,
        .from_axis = {-1},
    };
    specs[1] = (struct output_spec){
        .file = setup->partials_file,
        .dataset = ROWS_DATASET,
        .type = SWIM_TYPE_U64,
        .ndim = 2,
        .shape = {n, 2},
        .chunk = {n < ROWS_CHUNK ? n : ROWS_CHUNK, 2},
        .plain = true,
        .from_axis = {-1, -1},
    };
}

/* Also of jobs that make none: another kind may have left some. */
static int name_partials(struct setup *setup, swim_error_t *err)
{
    int n = snprintf(setup->partials_file, sizeof(setup->partials_file),
                     "%s" PARTIALS_SUFFIX, setup->outputs[0].spec.file);

    if (n < 0 || (size_t)n >= sizeof(setup->partials_file))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "output %s: the name is too long for the file of partial "
                              "results beside it",
                              setup->outputs[0].spec.file);
    return SWIM_OK;
}

static int list_partials(struct setup *setup, struct setup_targets *targets,
                         swim_error_t *err)
{
    for (uint32_t i = 0; i < setup->n_outputs; i++)
        if (strcmp(setup->outputs[i].spec.file, setup->partials_file) == 0)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "output %s: the partial results of the job go to a "
                                  "file of that name: give it another",
                                  setup->partials_file);
    bool table = setup->table.most_rows > 0;
    int rc = targets_alloc(targets, table ? 2 : 1, err);
    if (rc != SWIM_OK)
        return rc;
    targets_free(targets->list + 1, targets->n - 1);
    targets->n = 1;
    targets->list[0].file = setup->partials_file;
    targets->list[0].n = table ? 2 : 1;
    if (table)
        rows_specs(setup, targets->list[0].specs);
    else
        partials_spec(setup, &targets->list[0].specs[0]);
    return rc;
}

int setup_plan_targets(struct setup *setup, swim_error_t *err)
{
    int rc = name_partials(setup, err);

    for (uint32_t p = 0; rc == SWIM_OK && p < setup->n_phases; p++)
        rc = setup->phases[p] == SETUP_PARTIAL
                 ? list_partials(setup, &setup->targets[p], err)
                 : list_outputs(setup, &setup->targets[p], err);
    return rc;
}

void setup_free_targets(struct setup *setup)
{
    for (uint32_t p = 0; p < SETUP_PHASES_MAX; p++) {
        targets_free(setup->targets[p].list, setup->targets[p].n);
        free(setup->targets[p].list);
    }
}

static void target_mark(const struct setup_target *t, const char *mark)
{
    for (size_t k = 0; k < t->n; k++)
        t->specs[k].mark = mark;
    for (size_t k = 0; t->shards && k < t->shards->n; k++)
        target_mark(&t->shards->list[k].target, mark);
}

void setup_targets_mark(const struct setup_targets *targets, const char *mark)
{
    for (size_t i = 0; i < targets->n; i++)
        target_mark(&targets->list[i], mark);
}
