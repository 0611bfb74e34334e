/* minmax_mean_std.c - smallest and largest value, mean, standard deviation and count.
 *
 * A reduce kernel, in one pass.  Means and sums of squared differences from them are
 * kept, never sums of squares, so that a small spread around a large mean is not lost:
 * updated by B. P. Welford, "Note on a method for calculating corrected sums of squares
 * and products" (1962), merged by T. F. Chan, G. H. Golub and R. J. LeVeque,
 * "Algorithms for computing the sample variance" (1983), formulas 1.5.  Missing values
 * are left out; where there are none else, all but the count is missing.  With an
 * infinite value the mean is infinite and the deviation missing, as numpy has it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define PIECE 512 /* elements at a time: they stay in the cache */
#define LANES 8   /* sums side by side, for vector instructions */

enum { MIN, MAX, MEAN, STD, COUNT, N_OUTPUTS };

struct stats {
    const swim_params_t *params;
    uint8_t reduced[SWIM_NDIM_MAX];
    double ddof;
};

/* An accumulator: of each output element. */
struct sums {
    double *restrict count, *restrict mean, *restrict square, *restrict low,
                                                                  *restrict high;
};

static struct sums sums_of(void *acc, uint64_t n, uint64_t first)
{
    double *at = (double *)acc + first;

    return (struct sums){at, at + n, at + 2 * n, at + 3 * n, at + 4 * n};
}

static int stats_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct stats *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "minmax_mean_std: no memory");
    s->params = params;
    s->ddof = (double)swim_params_int(params, "ddof");
    *state = s;
    return SWIM_OK;
}

/* float32 where that holds each value of the input. */
static enum swim_type stats_type(enum swim_type type)
{
    return type == SWIM_TYPE_F32 || type <= SWIM_TYPE_U16 ? SWIM_TYPE_F32
                                                          : SWIM_TYPE_F64;
}

static int stats_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    static const char *const methods[] = {"minimum", "maximum", "mean",
                                          "standard_deviation"};
    struct stats *s = state;
    const struct swim_field *x = plan->inputs[0];
    int rc = swim_plan_reduce_axes(plan, swim_params_text(s->params, "axes"), err);

    if (rc != SWIM_OK)
        return rc;
    memcpy(s->reduced, plan->reduced, sizeof(s->reduced));
    for (int i = 0; i < COUNT; i++) {
        plan->outputs[i]->type = stats_type(x->type);
        plan->outputs[i]->cell_methods = methods[i];
    }
    plan->outputs[COUNT]->units = "1";
    plan->outputs[COUNT]->long_name = "number of values";
    plan->outputs[COUNT]->cell_methods = "";
    return SWIM_OK;
}

static uint64_t stats_acc_bytes(void *state, const struct swim_block *block)
{
    (void)state;
    return block->outputs[0]->count * 5 * sizeof(double);
}

/* Whether an infinite value, or a mean of some, is among a and b, which then have no
 * difference to be updated by. */
static inline int any_infinite(double a, double b)
{
    return (a - a) + (b - b) != 0;
}

/* One more value for each of n accumulators, or none where it is missing. */
static void sums_add_each(struct sums s, const double *restrict x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const int there = x[i] == x[i];
        const double before = s.count[i], after = before + (there ? 1 : 0);
        const int endless = there & any_infinite(x[i], s.mean[i]);
        const double delta = there ? x[i] - s.mean[i] : 0;
        const double mean =
            endless ? s.mean[i] + x[i] : s.mean[i] + delta / (after > 0 ? after : 1);
        const double rest = there ? x[i] - mean : 0;
        const double low = before > 0 ? s.low[i] : x[i];
        const double high = before > 0 ? s.high[i] : x[i];
        s.count[i] = after;
        s.mean[i] = mean;
        s.square[i] += endless ? (double)NAN : delta * rest;
        s.low[i] = after > 0 ? (x[i] < low ? x[i] : low) : 0;
        s.high[i] = after > 0 ? (x[i] > high ? x[i] : high) : 0;
    }
}

/* What is in b is added to a. */
static void sums_merge(struct sums a, struct sums b, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const double count = a.count[i] + b.count[i];
        const double share = b.count[i] / (count > 0 ? count : 1);
        const double delta = b.mean[i] - a.mean[i];
        const int none = a.count[i] == 0, some = b.count[i] > 0;
        const int endless = any_infinite(a.mean[i], b.mean[i]);
        const double mean = endless ? a.mean[i] + b.mean[i] : a.mean[i] + delta * share;
        const double square =
            endless ? (double)NAN : delta * delta * a.count[i] * share;
        const double low = none ? b.low[i] : a.low[i];
        const double high = none ? b.high[i] : a.high[i];
        a.mean[i] = none ? b.mean[i] : some ? mean : a.mean[i];
        a.square[i] += (none | !some) ? b.square[i] : b.square[i] + square;
        a.low[i] = (some & (b.low[i] < low)) ? b.low[i] : low;
        a.high[i] = (some & (b.high[i] > high)) ? b.high[i] : high;
        a.count[i] = count;
    }
}

/* Sums of n values (at most PIECE), then their differences from the mean. */
static void piece_sums(const double *x, uint64_t n, struct sums out)
{
    double count[LANES] = {0}, sum[LANES] = {0}, low[LANES], high[LANES];
    double square[LANES] = {0};
    double padded[PIECE];
    uint64_t whole = (n + LANES - 1) / LANES * LANES;

    memcpy(padded, x, n * sizeof(*x));
    for (uint64_t i = n; i < whole; i++)
        padded[i] = (double)NAN;
    for (uint64_t l = 0; l < LANES; l++) {
        low[l] = (double)INFINITY;
        high[l] = -(double)INFINITY;
    }
    for (uint64_t i = 0; i < whole; i += LANES)
        for (uint64_t l = 0; l < LANES; l++) {
            const double v = padded[i + l];
            count[l] += v == v ? 1.0 : 0.0;
            sum[l] += v == v ? v : 0.0;
            low[l] = v < low[l] ? v : low[l];
            high[l] = v > high[l] ? v : high[l];
        }
    *out.count = *out.mean = *out.square = 0;
    *out.low = low[0];
    *out.high = high[0];
    for (uint64_t l = 0; l < LANES; l++) {
        *out.count += count[l];
        *out.mean += sum[l];
        *out.low = low[l] < *out.low ? low[l] : *out.low;
        *out.high = high[l] > *out.high ? high[l] : *out.high;
    }
    *out.mean /= *out.count > 0 ? *out.count : 1;
    const double mean = *out.mean;
    for (uint64_t i = 0; i < whole; i += LANES)
        for (uint64_t l = 0; l < LANES; l++) {
            const double d = padded[i + l] - mean;
            square[l] += d == d ? d * d : 0.0;
        }
    for (uint64_t l = 0; l < LANES; l++)
        *out.square += square[l];
    if (any_infinite(mean, 0))
        *out.square = (double)NAN;
}

static int stats_partial(void *state, const struct swim_block *block, void *acc,
                         swim_error_t *err)
{
    const struct stats *s = state;
    const uint64_t n_outputs = block->outputs[0]->count;
    struct swim_rows rows;
    double x[PIECE], one[5];

    (void)err;
    for (int more = swim_rows_begin(&rows, block, s->reduced); more;
         more = swim_rows_next(&rows))
        for (uint64_t i = 0; i < rows.length; i += PIECE) {
            uint64_t n = rows.length - i < PIECE ? rows.length - i : PIECE;
            uint64_t output = rows.output + (rows.kept ? i : 0);
            struct sums to = sums_of(acc, n_outputs, output);
            swim_array_doubles(block->inputs[0], rows.input + i, n, x);
            if (rows.kept) {
                sums_add_each(to, x, n);
            } else {
                piece_sums(x, n, sums_of(one, 1, 0));
                sums_merge(to, sums_of(one, 1, 0), 1);
            }
        }
    return SWIM_OK;
}

static int stats_merge(void *state, const struct swim_block *block, void *acc,
                       const void *other, swim_error_t *err)
{
    const uint64_t n = block->outputs[0]->count;

    (void)state;
    (void)err;
    sums_merge(sums_of(acc, n, 0), sums_of((void *)(uintptr_t)other, n, 0), n);
    return SWIM_OK;
}

static void stats_put(struct swim_array *out, uint64_t i, double value)
{
    if (out->type == SWIM_TYPE_F32)
        ((float *)out->data)[i] = (float)value;
    else
        ((double *)out->data)[i] = value;
}

static int stats_finish(void *state, const struct swim_block *block, const void *acc,
                        swim_error_t *err)
{
    const struct stats *s = state;
    const uint64_t n = block->outputs[0]->count;
    const struct sums sums = sums_of((void *)(uintptr_t)acc, n, 0);
    const double nan = (double)NAN;
    int64_t *count = block->outputs[COUNT]->data;

    (void)err;
    for (uint64_t i = 0; i < n; i++) {
        const double c = sums.count[i];
        stats_put(block->outputs[MIN], i, c > 0 ? sums.low[i] : nan);
        stats_put(block->outputs[MAX], i, c > 0 ? sums.high[i] : nan);
        stats_put(block->outputs[MEAN], i, c > 0 ? sums.mean[i] : nan);
        stats_put(block->outputs[STD], i,
                  c > s->ddof ? sqrt(sums.square[i] / (c - s->ddof)) : nan);
        count[i] = (int64_t)c;
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "values"},
};
static const struct swim_port outputs[] = {
    [MIN] = {"min", SWIM_TYPE_ANY, NULL, "smallest value, in the unit of x"},
    [MAX] = {"max", SWIM_TYPE_ANY, NULL, "largest value"},
    [MEAN] = {"mean", SWIM_TYPE_ANY, NULL, "arithmetic mean"},
    [STD] = {"std", SWIM_TYPE_ANY, NULL, "standard deviation"},
    [COUNT] = {"count", SWIM_TYPE_I64, "1", "number of values that are not missing"},
};
static const struct swim_param params[] = {
    {.name = "axes",
     .type = SWIM_PARAM_TEXT,
     .preset = "all",
     .description = "axes that go: all, or names like \"time\" or \"lat, lon\""},
    {.name = "ddof",
     .type = SWIM_PARAM_INT,
     .preset = "0",
     .description = "the std divides by count - ddof: 1 for that of a sample",
     .min = 0,
     .max = 1000},
};

SWIM_KERNEL_DEFINE(.name = "minmax_mean_std",
                   .summary = "minimum, maximum, mean, standard deviation and count",
                   .kind = SWIM_KERNEL_REDUCE, .flags = SWIM_KERNEL_ADDS_METHODS,
                   .n_inputs = SWIM_COUNT_OF(inputs), .inputs = inputs,
                   .n_outputs = SWIM_COUNT_OF(outputs), .outputs = outputs,
                   .n_params = SWIM_COUNT_OF(params), .params = params,
                   .open = stats_open, .plan = stats_plan, .acc_bytes = stats_acc_bytes,
                   .partial = stats_partial, .merge = stats_merge,
                   .finish = stats_finish, .close = free);
