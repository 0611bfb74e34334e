/* months.c - the mean of each calendar month over all years, of UWND, as one would
 * write it by hand for these files and nothing else.  Usage: months IN.nc OUT.nc
 * [PROCESSES].
 *
 * TIME is in hours since 1980-01-14 14:00.  A worker has the columns of chunks that it
 * takes for itself, from the first time to the last, so that nothing is merged. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "handtuned.h"

#define DATASET "UWND"
#define NDIM 3
#define MONTHS 12
#define HOURS_1970 (3665 * 24 + 14) /* from 1970-01-01 to 1980-01-14 14:00 */

struct plan {
    struct handtuned_file file;
    struct handtuned_set in, out;
    unsigned char *months; /* of each time, from 0 on */
};

struct worker {
    const struct plan *plan;
    struct libdeflate_decompressor *inflate;
    struct handtuned_deflate *deflate;
    unsigned char *bytes;
    double *sums;
    uint32_t *counts;
};

/* From days since 1970-01-01, Gregorian. */
static unsigned char month_of(int64_t days)
{
    const int64_t shifted = days + 719468; /* since 0000-03-01 */
    const int64_t of_era = shifted % 146097;
    const int64_t years =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * years + years / 4 - years / 100);

    return (unsigned char)(((5 * of_year + 2) / 153 + 2) % MONTHS); /* March is 2 */
}

static void read_months(hid_t file, struct plan *p)
{
    const hsize_t n = p->in.shape[0];
    const hid_t set = H5Dopen2(file, "TIME", H5P_DEFAULT);
    double *hours = malloc(n * sizeof(*hours));

    p->months = malloc(n);
    if (!hours || !p->months ||
        H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, hours) < 0)
        handtuned_die("TIME");
    for (hsize_t t = 0; t < n; t++)
        p->months[t] = month_of((int64_t)floor((hours[t] + HOURS_1970) / 24));
    free(hours);
    H5Dclose(set);
}

static inline float joined(const unsigned char *planes, size_t n)
{
    const uint32_t bits = (uint32_t)planes[0] | (uint32_t)planes[n] << 8 |
                          (uint32_t)planes[2 * n] << 16 | (uint32_t)planes[3 * n] << 24;
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void add(const unsigned char *restrict x, size_t n, size_t inner, float fill,
                double *restrict sum, uint32_t *restrict count)
{
    for (size_t i = 0; i < inner; i++) {
        const float value = joined(x + i, n);
        sum[i] += value == fill ? 0.0 : (double)value;
        count[i] += value == fill ? 0U : 1U;
    }
}

/* The times of one chunk, which begin with the first one. */
static void add_chunk(const struct worker *w, uint64_t chunk, hsize_t first)
{
    const struct handtuned_set *in = &w->plan->in;
    const struct handtuned_chunk *c = &in->chunks[chunk];
    const size_t inner = in->chunk[1] * in->chunk[2];

    if (libdeflate_zlib_decompress(w->inflate, w->plan->file.bytes + c->address,
                                   c->bytes, w->bytes, in->bytes,
                                   NULL) != LIBDEFLATE_SUCCESS)
        handtuned_die("inflate a chunk");
    for (hsize_t t = 0; t < in->chunk[0] && first + t < in->shape[0]; t++) {
        const size_t month = w->plan->months[first + t];
        add(w->bytes + t * inner, in->n, inner, in->fill, w->sums + month * inner,
            w->counts + month * inner);
    }
}

/* Means as planes of bytes. */
static void finish(const struct worker *w, unsigned char *out)
{
    const struct handtuned_set *set = &w->plan->out;
    const size_t n = set->n;

    for (size_t i = 0; i < n; i++) {
        const float mean =
            w->counts[i] ? (float)(w->sums[i] / (double)w->counts[i]) : set->fill;
        uint32_t bits;
        memcpy(&bits, &mean, sizeof(bits));
        for (size_t k = 0; k < sizeof(mean); k++)
            out[k * n + i] = (unsigned char)(bits >> 8 * k);
    }
}

/* The chunk of the output is the column of the input. */
static size_t work(void *state, uint64_t column, unsigned char *room, size_t most)
{
    struct worker *w = state;
    const struct handtuned_set *in = &w->plan->in, *out = &w->plan->out;

    memset(w->sums, 0, out->n * sizeof(*w->sums));
    memset(w->counts, 0, out->n * sizeof(*w->counts));
    for (hsize_t k = 0; k < in->counts[0]; k++)
        add_chunk(w, k * out->n_chunks + column, k * in->chunk[0]);
    finish(w, w->bytes);
    return handtuned_deflate(w->deflate, w->bytes, room, most);
}

static void *open_worker(const void *plan)
{
    static struct worker w;
    const struct plan *p = plan;
    const size_t bytes = p->in.bytes > p->out.bytes ? p->in.bytes : p->out.bytes;

    w = (struct worker){.plan = plan,
                        .inflate = libdeflate_alloc_decompressor(),
                        .deflate = handtuned_deflate_open(p->out.bytes),
                        .bytes = handtuned_buffer(bytes),
                        .sums = handtuned_buffer(p->out.n * sizeof(*w.sums)),
                        .counts = handtuned_buffer(p->out.n * sizeof(*w.counts))};
    if (!w.inflate)
        handtuned_die("memory");
    return &w;
}

/* 12 months, all in one chunk. */
static void plan_output(struct plan *p)
{
    p->out = p->in;
    p->out.shape[0] = p->out.chunk[0] = MONTHS;
    p->out.counts[0] = 1;
    p->out.n_chunks = p->in.n_chunks / p->in.counts[0];
    p->out.n = MONTHS * p->in.chunk[1] * p->in.chunk[2];
    p->out.bytes = p->out.n * sizeof(float);
    if (p->in.ndim != NDIM || H5Pset_chunk(p->out.like, NDIM, p->out.chunk) < 0)
        handtuned_die("the output");
}

int main(int argc, char **argv)
{
    static struct plan plan;

    if (argc < 3) {
        fprintf(stderr, "usage: months IN.nc OUT.nc [PROCESSES]\n");
        return 2;
    }
    const hid_t file = H5Fopen(argv[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    handtuned_map(argv[1], &plan.file);
    handtuned_set_read(&plan.file, file, DATASET, &plan.in);
    read_months(file, &plan);
    H5Fclose(file);
    plan_output(&plan);
    handtuned_run(&(struct handtuned_job){.file = argv[2],
                                          .dataset = DATASET,
                                          .like = &plan.out,
                                          .open = open_worker,
                                          .work = work,
                                          .plan = &plan},
                  handtuned_processes(argc > 3 ? argv[3] : NULL));
    return 0;
}
