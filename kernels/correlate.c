/* correlate.c - how far two fields go together: Pearson's correlation coefficient.
 *
 * A reduce kernel of two inputs, in one pass.  Means and sums of products of the
 * differences from them are kept, updated and merged by P. Pebay, "Formulas for robust,
 * one-pass parallel computation of covariances and arbitrary-order statistical moments"
 * (SAND2008-6212, 2008), section 3.  A pair of which one value is missing is left out;
 * where fewer pairs are left than min_pairs, or one of the fields is constant, r is
 * missing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define PIECE 512 /* elements at a time: they stay in the cache */
#define LANES 8   /* sums side by side, for vector instructions */
#define N_SUMS 6

enum { R, PAIRS };

struct correlate {
    const swim_params_t *params;
    uint8_t reduced[SWIM_NDIM_MAX];
    double min_pairs;
};

/* An accumulator: of each output element. */
struct sums {
    double *restrict count, *restrict x, *restrict y; /* the means */
    double *restrict xx, *restrict yy, *restrict xy;
};

static struct sums sums_of(const void *acc, uint64_t n, uint64_t first)
{
    double *at = (double *)(uintptr_t)acc + first;

    return (struct sums){at, at + n, at + 2 * n, at + 3 * n, at + 4 * n, at + 5 * n};
}

static int correlate_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct correlate *c = calloc(1, sizeof(*c));

    if (!c)
        return swim_error_set(err, SWIM_ERR_NOMEM, "correlate: no memory");
    c->params = params;
    c->min_pairs = (double)swim_params_int(params, "min_pairs");
    *state = c;
    return SWIM_OK;
}

static int correlate_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct correlate *c = state;
    int rc = swim_plan_reduce_axes(plan, swim_params_text(c->params, "axes"), err);

    memcpy(c->reduced, plan->reduced, sizeof(c->reduced));
    plan->outputs[R]->units = plan->outputs[PAIRS]->units = "1";
    plan->outputs[R]->long_name = "correlation coefficient";
    plan->outputs[PAIRS]->long_name = "number of pairs";
    plan->outputs[R]->cell_methods = plan->outputs[PAIRS]->cell_methods = "";
    return rc;
}

static uint64_t correlate_acc_bytes(void *state, const struct swim_block *block)
{
    (void)state;
    return block->outputs[0]->count * N_SUMS * sizeof(double);
}

/* One more pair for each of n accumulators, or none where a value is missing. */
static void sums_add_each(struct sums s, const double *restrict x,
                          const double *restrict y, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const int there = (x[i] == x[i]) & (y[i] == y[i]);
        const double count = s.count[i] + (there ? 1 : 0);
        const double per = 1 / (count > 0 ? count : 1);
        const double dx = there ? x[i] - s.x[i] : 0, dy = there ? y[i] - s.y[i] : 0;
        const double mean_x = s.x[i] + dx * per, mean_y = s.y[i] + dy * per;
        const double rest_x = there ? x[i] - mean_x : 0;
        const double rest_y = there ? y[i] - mean_y : 0;
        s.count[i] = count;
        s.x[i] = mean_x;
        s.y[i] = mean_y;
        s.xx[i] += dx * rest_x;
        s.yy[i] += dy * rest_y;
        s.xy[i] += dx * rest_y;
    }
}

/* What is in b is added to a.  The means of an accumulator without pairs are 0. */
static void sums_merge(struct sums a, struct sums b, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const double count = a.count[i] + b.count[i];
        const double share = b.count[i] / (count > 0 ? count : 1);
        const double dx = b.x[i] - a.x[i], dy = b.y[i] - a.y[i];
        const double both = a.count[i] * share;
        a.x[i] += dx * share;
        a.y[i] += dy * share;
        a.xx[i] += b.xx[i] + dx * dx * both;
        a.yy[i] += b.yy[i] + dy * dy * both;
        a.xy[i] += b.xy[i] + dx * dy * both;
        a.count[i] = count;
    }
}

/* Of n pairs (at most PIECE) the sums of what differs from the first of them, so that
 * the mean of a constant is that constant, then the products of what differs from the
 * means. */
static void piece_sums(double *restrict x, double *restrict y, uint64_t n,
                       struct sums out)
{
    double count[LANES] = {0}, sum_x[LANES] = {0}, sum_y[LANES] = {0};
    double xx[LANES] = {0}, yy[LANES] = {0}, xy[LANES] = {0};
    uint64_t whole = (n + LANES - 1) / LANES * LANES, first = 0;

    for (uint64_t i = n; i < whole; i++)
        x[i] = y[i] = (double)NAN;
    while (first < n && (isnan(x[first]) || isnan(y[first])))
        first++;
    const double x0 = first < n ? x[first] : 0, y0 = first < n ? y[first] : 0;
    for (uint64_t i = 0; i < whole; i += LANES)
        for (uint64_t l = 0; l < LANES; l++) {
            const double a = x[i + l], b = y[i + l];
            const int there = (a == a) & (b == b);
            count[l] += there ? 1.0 : 0.0;
            sum_x[l] += there ? a - x0 : 0.0;
            sum_y[l] += there ? b - y0 : 0.0;
        }
    for (int k = 0; k < N_SUMS; k++)
        out.count[k] = 0; /* one accumulator: all six lie side by side */
    for (uint64_t l = 0; l < LANES; l++) {
        *out.count += count[l];
        *out.x += sum_x[l];
        *out.y += sum_y[l];
    }
    const double some = *out.count > 0 ? *out.count : 1;
    const double mean_x = *out.x = x0 + *out.x / some;
    const double mean_y = *out.y = y0 + *out.y / some;
    for (uint64_t i = 0; i < whole; i += LANES)
        for (uint64_t l = 0; l < LANES; l++) {
            const double a = x[i + l], b = y[i + l];
            const int there = (a == a) & (b == b);
            const double dx = there ? a - mean_x : 0.0, dy = there ? b - mean_y : 0.0;
            xx[l] += dx * dx;
            yy[l] += dy * dy;
            xy[l] += dx * dy;
        }
    for (uint64_t l = 0; l < LANES; l++) {
        *out.xx += xx[l];
        *out.yy += yy[l];
        *out.xy += xy[l];
    }
}

static int correlate_partial(void *state, const struct swim_block *block, void *acc,
                             swim_error_t *err)
{
    const struct correlate *c = state;
    const uint64_t n_outputs = block->outputs[0]->count;
    struct swim_rows rows;
    double x[PIECE], y[PIECE], one[N_SUMS];

    (void)err;
    for (int more = swim_rows_begin(&rows, block, c->reduced); more;
         more = swim_rows_next(&rows))
        for (uint64_t i = 0; i < rows.length; i += PIECE) {
            uint64_t n = rows.length - i < PIECE ? rows.length - i : PIECE;
            uint64_t output = rows.output + (rows.kept ? i : 0);
            struct sums to = sums_of(acc, n_outputs, output);
            swim_array_doubles(block->inputs[0], rows.input + i, n, x);
            swim_array_doubles(block->inputs[1], rows.input + i, n, y);
            if (rows.kept) {
                sums_add_each(to, x, y, n);
            } else {
                piece_sums(x, y, n, sums_of(one, 1, 0));
                sums_merge(to, sums_of(one, 1, 0), 1);
            }
        }
    return SWIM_OK;
}

static int correlate_merge(void *state, const struct swim_block *block, void *acc,
                           const void *other, swim_error_t *err)
{
    const uint64_t n = block->outputs[0]->count;

    (void)state;
    (void)err;
    sums_merge(sums_of(acc, n, 0), sums_of(other, n, 0), n);
    return SWIM_OK;
}

static int correlate_finish(void *state, const struct swim_block *block,
                            const void *acc, swim_error_t *err)
{
    const struct correlate *c = state;
    const uint64_t n = block->outputs[0]->count;
    const struct sums s = sums_of(acc, n, 0);
    double *r = block->outputs[R]->data;
    int64_t *pairs = block->outputs[PAIRS]->data;

    (void)err;
    for (uint64_t i = 0; i < n; i++) {
        /* Two roots: the product of the sums may be out of range.  Of a constant field
         * it is 0 / 0, which is NaN. */
        const double q = s.xy[i] / (sqrt(s.xx[i]) * sqrt(s.yy[i]));
        const double limited = q > 1 ? 1 : q < -1 ? -1 : q;
        r[i] = s.count[i] >= c->min_pairs ? limited : (double)NAN;
        pairs[i] = (int64_t)s.count[i];
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "one field"},
    {"y", SWIM_TYPE_ANY, NULL, "the other, of the same shape"},
};
static const struct swim_port outputs[] = {
    [R] = {"r", SWIM_TYPE_F64, "1", "correlation coefficient, -1 to 1"},
    [PAIRS] = {"n", SWIM_TYPE_I64, "1", "number of pairs without a missing value"},
};
static const struct swim_param params[] = {
    {.name = "axes",
     .type = SWIM_PARAM_TEXT,
     .preset = "all",
     .description = "axes that go: all, or names like \"time\" or \"lat, lon\""},
    {.name = "min_pairs",
     .type = SWIM_PARAM_INT,
     .preset = "2",
     .description = "with fewer pairs r is missing",
     .min = 2,
     .max = 1e15},
};

SWIM_KERNEL_DEFINE(.name = "correlate",
                   .summary = "correlation coefficient of two fields along axes",
                   .kind = SWIM_KERNEL_REDUCE, .n_inputs = SWIM_COUNT_OF(inputs),
                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),
                   .outputs = outputs, .n_params = SWIM_COUNT_OF(params),
                   .params = params, .open = correlate_open, .plan = correlate_plan,
                   .acc_bytes = correlate_acc_bytes, .partial = correlate_partial,
                   .merge = correlate_merge, .finish = correlate_finish, .close = free);
