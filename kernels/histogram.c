/* histogram.c - how many values there are in each of equal bins of a range.
 *
 * A reduce kernel: the axes that go give way to an axis of bins, the last one of each
 * output.  Bins are as numpy.histogram has them: their edges low + i * width, each
 * without its upper edge but the last.  Values outside are left out, or counted in the
 * first and last bin, or in two more; missing ones are never counted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define PIECE 512 /* elements at a time: they stay in the cache */

/* Counts of an output element: below, the bins, above, missing. */
enum { BELOW = 0, FIRST = 1, BESIDE_BINS = 3 };
enum outside { OUTSIDE_IGNORE, OUTSIDE_ENDS, OUTSIDE_BINS };

struct histogram {
    const swim_params_t *params;
    uint8_t reduced[SWIM_NDIM_MAX];
    double low, high;
    uint64_t bins;
    enum outside outside;
    double *from, *below; /* edges of bins, open to the outside; room for bins each */
    double *centres;
    struct swim_axis axis;
};

static void histogram_close(void *state)
{
    struct histogram *h = state;

    free(h->from);
    free(h->below);
    free(h->centres);
    free(h);
}

static enum outside outside_of(const char *text)
{
    if (strcmp(text, "ends") == 0)
        return OUTSIDE_ENDS;
    return strcmp(text, "bins") == 0 ? OUTSIDE_BINS : OUTSIDE_IGNORE;
}

static int histogram_edges(struct histogram *h, swim_error_t *err)
{
    const double width = (h->high - h->low) / (double)h->bins;
    const uint64_t beside = h->outside == OUTSIDE_BINS ? 1 : 0;

    h->from = malloc(h->bins * sizeof(double));
    h->below = malloc(h->bins * sizeof(double));
    h->centres = malloc((h->bins + 2) * sizeof(double));
    if (!h->from || !h->below || !h->centres)
        return swim_error_set(err, SWIM_ERR_NOMEM, "histogram: no memory");
    for (uint64_t i = 0; i < h->bins; i++) {
        h->from[i] = (double)i * width + h->low;
        h->below[i] = (double)(i + 1) * width + h->low;
    }
    h->from[0] = -(double)INFINITY;
    h->below[h->bins - 1] = (double)INFINITY;
    for (uint64_t i = 0; i < h->bins + 2 * beside; i++)
        h->centres[i] = h->low + ((double)i - (double)beside + 0.5) * width;
    h->axis = (struct swim_axis){.name = "bin",
                                 .units = "",
                                 .calendar = "",
                                 .standard_name = "",
                                 .length = h->bins + 2 * beside,
                                 .values = h->centres};
    return SWIM_OK;
}

/* As numpy has it: edges are of the type of the values, so that 0.7 is 0.7. */
static void histogram_round(struct histogram *h, enum swim_type type)
{
    h->low = swim_type_round(type, h->low);
    h->high = swim_type_round(type, h->high);
    for (uint64_t i = 0; i < h->bins; i++) {
        h->from[i] = swim_type_round(type, h->from[i]);
        h->below[i] = swim_type_round(type, h->below[i]);
    }
}

static int histogram_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct histogram *h = calloc(1, sizeof(*h));
    int rc = SWIM_OK;

    if (!h)
        return swim_error_set(err, SWIM_ERR_NOMEM, "histogram: no memory");
    h->params = params;
    h->low = swim_params_real(params, "low");
    h->high = swim_params_real(params, "high");
    h->bins = (uint64_t)swim_params_int(params, "bins");
    h->outside = outside_of(swim_params_text(params, "outside"));
    if (!(h->low < h->high) || !isfinite(h->high - h->low))
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "histogram: low (%g) is not below high (%g): give other "
                            "params",
                            h->low, h->high);
    if (rc == SWIM_OK)
        rc = histogram_edges(h, err);
    if (rc == SWIM_OK)
        *state = h;
    else
        histogram_close(h);
    return rc;
}

static int histogram_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct histogram *h = state;
    struct swim_output *counts = plan->outputs[0];
    int rc = swim_plan_reduce_axes(plan, swim_params_text(h->params, "axes"), err);

    if (rc != SWIM_OK)
        return rc;
    memcpy(h->reduced, plan->reduced, sizeof(h->reduced));
    histogram_round(h, plan->inputs[0]->type);
    h->axis.units = plan->inputs[0]->units;
    counts->from_axis[counts->ndim] = -1;
    counts->shape[counts->ndim] = h->axis.length;
    counts->axes[counts->ndim] = &h->axis;
    counts->ndim++;
    counts->units = "1";
    counts->long_name = "number of values in each bin";
    counts->cell_methods = "";
    return SWIM_OK;
}

static uint64_t slots_of(const struct histogram *h)
{
    return h->bins + BESIDE_BINS;
}

static uint64_t histogram_acc_bytes(void *state, const struct swim_block *block)
{
    const struct histogram *h = state;

    return block->outputs[0]->count / h->axis.length * slots_of(h) * sizeof(uint64_t);
}

/* About which bin, from 0 on: rounding may have made it the next one. */
static void bins_guess(const struct histogram *h, const double *restrict x,
                       int32_t *restrict bin, uint64_t n)
{
    const double low = h->low, most = (double)(h->bins - 1);
    const double per = (double)h->bins / (h->high - h->low);

    for (uint64_t i = 0; i < n; i++) {
        double at = (x[i] - low) * per;
        at = at > 0 ? at : 0; /* also of NaN */
        bin[i] = (int32_t)(at < most ? at : most);
    }
}

/* step: from the counts of one value to those of the next; 0: all in the same. */
static void counts_add(const struct histogram *h, const double *restrict x,
                       const int32_t *restrict guess, uint64_t n,
                       uint64_t *restrict counts, uint64_t step)
{
    const double *restrict from = h->from, *restrict below = h->below;
    const double low = h->low, high = h->high;
    const int32_t above = (int32_t)h->bins + FIRST, missing = above + 1;

    for (uint64_t i = 0; i < n; i++) {
        const double v = x[i];
        int32_t slot = guess[i];
        slot += (v >= below[slot]) - (v < from[slot]);
        slot += FIRST;
        slot = v < low ? BELOW : slot;
        slot = v > high ? above : slot;
        slot = v == v ? slot : missing;
        counts[i * step + (uint64_t)slot]++;
    }
}

static int histogram_partial(void *state, const struct swim_block *block, void *acc,
                             swim_error_t *err)
{
    const struct histogram *h = state;
    const uint64_t slots = slots_of(h);
    struct swim_rows rows;
    double x[PIECE];
    int32_t guess[PIECE];

    (void)err;
    for (int more = swim_rows_begin(&rows, block, h->reduced); more;
         more = swim_rows_next(&rows))
        for (uint64_t i = 0; i < rows.length; i += PIECE) {
            uint64_t n = rows.length - i < PIECE ? rows.length - i : PIECE;
            uint64_t output = rows.output + (rows.kept ? i : 0);
            swim_array_doubles(block->inputs[0], rows.input + i, n, x);
            bins_guess(h, x, guess, n);
            counts_add(h, x, guess, n, (uint64_t *)acc + output * slots,
                       rows.kept ? slots : 0);
        }
    return SWIM_OK;
}

static int histogram_merge(void *state, const struct swim_block *block, void *acc,
                           const void *other, swim_error_t *err)
{
    const uint64_t n = histogram_acc_bytes(state, block) / sizeof(uint64_t);
    uint64_t *restrict a = acc;
    const uint64_t *restrict b = other;

    (void)err;
    for (uint64_t i = 0; i < n; i++)
        a[i] += b[i];
    return SWIM_OK;
}

static int histogram_finish(void *state, const struct swim_block *block,
                            const void *acc, swim_error_t *err)
{
    const struct histogram *h = state;
    const uint64_t n = block->outputs[0]->count / h->axis.length;
    const uint64_t *from = acc;
    int64_t *to = block->outputs[0]->data;

    (void)err;
    for (uint64_t o = 0; o < n; o++, from += slots_of(h), to += h->axis.length) {
        const uint64_t *bins = h->outside == OUTSIDE_BINS ? from : from + FIRST;
        for (uint64_t i = 0; i < h->axis.length; i++)
            to[i] = (int64_t)bins[i];
        if (h->outside != OUTSIDE_ENDS)
            continue;
        to[0] += (int64_t)from[BELOW];
        to[h->bins - 1] += (int64_t)from[h->bins + FIRST];
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "values"},
};
static const struct swim_port outputs[] = {
    {"counts", SWIM_TYPE_I64, "1",
     "values in each bin; its last axis, bin, has the centres of the bins"},
};
static const struct swim_param params[] = {
    {.name = "axes",
     .type = SWIM_PARAM_TEXT,
     .preset = "all",
     .description = "axes that go: all, or names like \"time\" or \"lat, lon\""},
    {.name = "low",
     .type = SWIM_PARAM_REAL,
     .unit = "as x",
     .description = "lower edge of the first bin"},
    {.name = "high",
     .type = SWIM_PARAM_REAL,
     .unit = "as x",
     .description = "upper edge of the last bin, which is in it"},
    {.name = "bins",
     .type = SWIM_PARAM_INT,
     .preset = "10",
     .description = "number of bins, all of one width",
     .min = 1,
     .max = 1e6},
    {.name = "outside",
     .type = SWIM_PARAM_TEXT,
     .preset = "ignore",
     .choices = "ignore|ends|bins",
     .description = "what lies outside: left out, in the first and last bin, or in two "
                    "more bins"},
};

SWIM_KERNEL_DEFINE(.name = "histogram",
                   .summary = "number of values in each bin of a range",
                   .kind = SWIM_KERNEL_REDUCE, .n_inputs = SWIM_COUNT_OF(inputs),
                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),
                   .outputs = outputs, .n_params = SWIM_COUNT_OF(params),
                   .params = params, .open = histogram_open, .plan = histogram_plan,
                   .acc_bytes = histogram_acc_bytes, .partial = histogram_partial,
                   .merge = histogram_merge, .finish = histogram_finish,
                   .close = histogram_close);
