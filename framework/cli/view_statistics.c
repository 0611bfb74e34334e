/* view_statistics.c - what the values of a dataset are like.
 *
 * They are read in blocks of whole chunks, so that each chunk is decoded once.  Sums
 * are made over short runs and put together as Chan, Golub and LeVeque do, which loses
 * no digits where the mean is far from zero. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/view.h"
#include "core/signals.h"
#include "store/types.h"

#define BLOCK_MAX ((uint64_t)1 << 22) /* elements read at once */
#define RUN 4096

struct scan {
    const struct dataset_info *info;
    struct dataset *dataset;
    enum swim_type type; /* in memory: F64, or LDOUBLE for what that cannot hold */
    uint64_t block[SWIM_NDIM_MAX], blocks[SWIM_NDIM_MAX]; /* size, and how many */
    void *values;
    struct view_statistics s;
    long double n, square; /* those that count, and their squares from the mean */
};

static void run_take(struct scan *c, const long double *run, size_t n)
{
    long double sum = 0, square = 0;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        sum += run[i];
        c->s.min = run[i] < c->s.min ? run[i] : c->s.min;
        c->s.max = run[i] > c->s.max ? run[i] : c->s.max;
    }
    const long double many = (long double)n, mean = sum / many;
    for (size_t i = 0; i < n; i++)
        square += (run[i] - mean) * (run[i] - mean);
    const long double apart = mean - c->s.mean, all = c->n + many;
    c->square += square + apart * apart * c->n * many / all;
    c->s.mean += apart * many / all;
    c->n = all;
}

static long double value_at(const struct scan *c, size_t i)
{
    return c->type == SWIM_TYPE_F64 ? (long double)((const double *)c->values)[i]
                                    : ((const long double *)c->values)[i];
}

static void block_take(struct scan *c, size_t n)
{
    long double run[RUN];
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        const long double value = value_at(c, i);
        if (isnan(value))
            c->s.missing++;
        else if (isinf(value))
            c->s.infinite++;
        else
            run[used++] = value;
        if (used == RUN) {
            run_take(c, run, used);
            used = 0;
        }
    }
    run_take(c, run, used);
    c->s.seen += n;
}

/* --- blocks -------------------------------------------------------------------------
 */

/* Whole chunks, as many along the last axes as there is room for; part of one that is
 * larger. */
static void block_choose(struct scan *c)
{
    const struct dataset_info *info = c->info;
    uint64_t size = 1;

    for (uint32_t i = 0; i < info->ndim; i++) {
        c->block[i] = info->chunked ? info->chunk[i] : 1;
        if (c->block[i] > info->shape[i])
            c->block[i] = info->shape[i];
        if (c->block[i] == 0)
            c->block[i] = 1;
        size *= c->block[i];
    }
    for (uint32_t i = 0; i < info->ndim && size > BLOCK_MAX; i++) {
        uint64_t rest = size / c->block[i];
        c->block[i] = rest > 0 && rest < BLOCK_MAX ? BLOCK_MAX / rest : 1;
        size = rest * c->block[i];
    }
    for (uint32_t i = info->ndim; i-- > 0;) {
        uint64_t times = BLOCK_MAX / (size > 0 ? size : 1);
        uint64_t most = (info->shape[i] + c->block[i] - 1) / c->block[i];
        times = times < most ? times : most;
        if (times > 1) {
            size *= times;
            c->block[i] *= times;
        }
    }
    c->s.blocks = 1;
    for (uint32_t i = 0; i < info->ndim; i++) {
        c->blocks[i] = (info->shape[i] + c->block[i] - 1) / c->block[i];
        c->s.blocks *= c->blocks[i];
    }
}

static uint64_t block_size(const struct scan *c)
{
    uint64_t size = 1;

    for (uint32_t i = 0; i < c->info->ndim; i++)
        size *= c->block[i];
    return size;
}

static uint64_t element_count(const struct dataset_info *info)
{
    uint64_t n = 1;

    for (uint32_t i = 0; i < info->ndim; i++)
        n *= info->shape[i];
    return n;
}

static int block_read(struct scan *c, uint64_t number, swim_error_t *err)
{
    uint64_t start[SWIM_NDIM_MAX] = {0}, count[SWIM_NDIM_MAX] = {0};
    const uint64_t nowhere[SWIM_NDIM_MAX] = {0};
    uint64_t n = 1;

    for (uint32_t i = c->info->ndim; i-- > 0;) {
        start[i] = number % c->blocks[i] * c->block[i];
        number /= c->blocks[i];
        count[i] = c->info->shape[i] - start[i];
        if (count[i] > c->block[i])
            count[i] = c->block[i];
        n *= count[i];
    }
    int rc = dataset_read(c->dataset, start, count, c->values, count, nowhere, err);
    if (rc == SWIM_OK)
        block_take(c, (size_t)n);
    return rc;
}

/* One of every `step` blocks: a different one of them each time, so that what repeats
 * in the data does not hide; the same ones each time that the command is run. */
static uint64_t block_of_group(uint64_t group, uint64_t step)
{
    uint64_t x = group + UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return group * step + (x ^ (x >> 31)) % step;
}

static int blocks_read(struct scan *c, bool all, swim_error_t *err)
{
    const uint64_t at_most = VIEW_READ_MAX / block_size(c);
    uint64_t step = (c->s.blocks + at_most - 1) / at_most;
    int rc = SWIM_OK;

    if (all || element_count(c->info) <= VIEW_READ_MAX)
        step = 1;
    for (uint64_t group = 0; rc == SWIM_OK && group * step < c->s.blocks; group++) {
        uint64_t number = step > 1 ? block_of_group(group, step) : group;
        if (number >= c->s.blocks)
            break;
        rc = swim_signals_check("read the values", err);
        if (rc == SWIM_OK)
            rc = block_read(c, number, err);
        c->s.blocks_seen++;
    }
    return rc;
}

int view_statistics(const struct source *source, const struct dataset_info *info,
                    bool all, struct view_statistics *out, swim_error_t *err)
{
    struct scan c = {
        .info = info,
        .type = swim_type_fits(info->stored_type, SWIM_TYPE_F64) ? SWIM_TYPE_F64
                                                                 : SWIM_TYPE_LDOUBLE,
        .s = {.min = (long double)INFINITY, .max = -(long double)INFINITY}};

    block_choose(&c);
    c.values = calloc((size_t)block_size(&c), swim_type_size(c.type));
    if (!c.values)
        return swim_error_set(err, SWIM_ERR_NOMEM, "read %s: no memory", info->path);
    int rc = dataset_open(source, info, c.type, NULL, &c.dataset, err);
    if (rc == SWIM_OK)
        rc = blocks_read(&c, all, err);
    if (c.n > 0)
        c.s.std = sqrtl(c.square / c.n);
    dataset_close(c.dataset);
    free(c.values);
    *out = c.s;
    return rc;
}

void view_show_statistics(const struct dataset_info *info,
                          const struct view_statistics *s)
{
    const bool whole = !info->packed && !swim_type_is_float(info->stored_type);

    view_label("values");
    printf("%" PRIu64 ", missing %" PRIu64, s->seen, s->missing);
    if (s->infinite > 0)
        printf(", infinite %" PRIu64, s->infinite);
    if (s->blocks_seen < s->blocks)
        printf(" (a sample: %" PRIu64 " of %" PRIu64 " blocks, of %" PRIu64
               " values; --all reads all)\n",
               s->blocks_seen, s->blocks, element_count(info));
    else
        fputs(" (all were read)\n", stdout);
    if (s->seen == s->missing + s->infinite)
        return;
    view_label("");
    fputs("min ", stdout);
    view_put_number(s->min, whole);
    fputs(", max ", stdout);
    view_put_number(s->max, whole);
    fputs(", mean ", stdout);
    view_put_number(s->mean, false);
    fputs(", std ", stdout);
    view_put_number(s->std, false);
    view_put_units(info->units);
    putchar('\n');
}
