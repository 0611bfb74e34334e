/* cast.c - the same values in another element type, with what does not fit seen to.
 *
 * A map kernel.  For integers values are rounded first; then those beyond the range of
 * the type become its nearest value, or missing, or fail.  Infinity stays infinity in
 * floating-point types and is out of range of integers.  An integer that is the fill
 * value of the output reads as missing: choose a fill outside of the data. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

#define PIECE 512      /* elements at a time: they stay in the cache */
#define WHOLE 0x1p51   /* from here on doubles have no fraction that matters */
#define SHIFT 0x1.8p52 /* added and taken away, it rounds to even */
#define FAILED UINT64_MAX

enum rounding { ROUND_NEAREST, ROUND_ZERO, ROUND_DOWN, ROUND_UP };
enum outside { OUTSIDE_ERROR, OUTSIDE_CLAMP, OUTSIDE_MISSING };

struct cast {
    enum swim_type type;
    enum rounding rounding;
    enum outside outside;
    const char *name; /* of the input */
};

struct range {
    long double low, high;
};

static struct range range_of(enum swim_type type)
{
    static const struct range ranges[] = {
        [SWIM_TYPE_I8] = {INT8_MIN, INT8_MAX},
        [SWIM_TYPE_U8] = {0, UINT8_MAX},
        [SWIM_TYPE_I16] = {INT16_MIN, INT16_MAX},
        [SWIM_TYPE_U16] = {0, UINT16_MAX},
        [SWIM_TYPE_I32] = {INT32_MIN, INT32_MAX},
        [SWIM_TYPE_U32] = {0, UINT32_MAX},
        [SWIM_TYPE_I64] = {INT64_MIN, INT64_MAX},
        [SWIM_TYPE_U64] = {0, UINT64_MAX},
        [SWIM_TYPE_F32] = {-(long double)FLT_MAX, FLT_MAX},
        [SWIM_TYPE_F64] = {-(long double)DBL_MAX, DBL_MAX},
    };

    return ranges[type];
}

/* The place of a text in "one|two|three". */
static int choice_of(const char *choices, const char *text)
{
    size_t length = strlen(text);
    int place = 0;

    while (strncmp(choices, text, length) != 0 ||
           (choices[length] != '|' && choices[length])) {
        choices += strcspn(choices, "|");
        choices += *choices == '|';
        place++;
    }
    return place;
}

static const char types[] =
    "int8|uint8|int16|uint16|int32|uint32|int64|uint64|float32|float64";
static const char roundings[] = "nearest|zero|down|up";
static const char outsides[] = "error|clamp|missing";

static int cast_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct cast *c = calloc(1, sizeof(*c));

    if (!c)
        return swim_error_set(err, SWIM_ERR_NOMEM, "cast: no memory");
    c->type = (enum swim_type)(SWIM_TYPE_I8 +
                               choice_of(types, swim_params_text(params, "type")));
    c->rounding =
        (enum rounding)choice_of(roundings, swim_params_text(params, "rounding"));
    c->outside = (enum outside)choice_of(outsides, swim_params_text(params, "outside"));
    *state = c;
    return SWIM_OK;
}

static int cast_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct cast *c = state;

    (void)err;
    c->name = plan->inputs[0]->name;
    plan->outputs[0]->type = c->type;
    return SWIM_OK;
}

/* --- by way of double, which holds all values of most types ------------------------
 */

static void doubles_round(double *x, uint64_t n, enum rounding rounding)
{
    if (rounding == ROUND_NEAREST)
        for (uint64_t i = 0; i < n; i++)
            x[i] = fabs(x[i]) < WHOLE ? (x[i] + SHIFT) - SHIFT : x[i];
    else
        for (uint64_t i = 0; i < n; i++) {
            const double near = fabs(x[i]) < WHOLE ? (x[i] + SHIFT) - SHIFT : x[i];
            const int down =
                rounding == ROUND_DOWN || (rounding == ROUND_ZERO && x[i] > 0);
            const double over = near > x[i] ? 1 : 0, under = near < x[i] ? 1 : 0;
            x[i] = near + (down ? -over : under);
        }
}

/* The first one that does not fit, or FAILED when all do. */
static uint64_t doubles_find(const double *x, uint64_t n, double low, double high)
{
    uint64_t bad = 0;

    for (uint64_t i = 0; i < n; i++)
        bad += (x[i] < low) | (x[i] > high);
    for (uint64_t i = 0; bad && i < n; i++)
        if (x[i] < low || x[i] > high)
            return i;
    return FAILED;
}

static void doubles_limit(double *x, uint64_t n, double low, double high, int clamp)
{
    const double under = clamp ? low : (double)NAN, over = clamp ? high : (double)NAN;

    for (uint64_t i = 0; i < n; i++) {
        const double v = x[i] < low ? under : x[i];
        x[i] = v > high ? over : v;
    }
}

/* NOLINTBEGIN(bugprone-macro-parentheses): type cannot stand in parentheses */
/* By way of a signed type, for which there are vector instructions. */
#define STORE(name, type, way)                                                \
    static void store_##name(const double *restrict x, uint64_t n, type fill, \
                             type *restrict out)                              \
    {                                                                         \
        for (uint64_t i = 0; i < n; i++) {                                    \
            const type v = (type)(way)(x[i] == x[i] ? x[i] : 0.0);            \
            out[i] = x[i] == x[i] ? v : fill;                                 \
        }                                                                     \
    }
STORE(i8, int8_t, int32_t)
STORE(u8, uint8_t, int32_t)
STORE(i16, int16_t, int32_t)
STORE(u16, uint16_t, int32_t)
STORE(i32, int32_t, int32_t)
STORE(u32, uint32_t, int64_t)
/* NOLINTEND(bugprone-macro-parentheses) */

static void store_f32(const double *restrict x, uint64_t n, float *restrict out)
{
    for (uint64_t i = 0; i < n; i++)
        out[i] = (float)x[i];
}

static void doubles_store(const double *x, uint64_t n, struct swim_array *out,
                          uint64_t first)
{
    const int64_t fill = out->missing.i;
    char *at = (char *)out->data + first * swim_type_size(out->type);

    switch (out->type) {
    case SWIM_TYPE_I8:
        store_i8(x, n, (int8_t)fill, (int8_t *)at);
        break;
    case SWIM_TYPE_U8:
        store_u8(x, n, (uint8_t)fill, (uint8_t *)at);
        break;
    case SWIM_TYPE_I16:
        store_i16(x, n, (int16_t)fill, (int16_t *)(void *)at);
        break;
    case SWIM_TYPE_U16:
        store_u16(x, n, (uint16_t)fill, (uint16_t *)(void *)at);
        break;
    case SWIM_TYPE_I32:
        store_i32(x, n, (int32_t)fill, (int32_t *)(void *)at);
        break;
    case SWIM_TYPE_U32:
        store_u32(x, n, (uint32_t)fill, (uint32_t *)(void *)at);
        break;
    case SWIM_TYPE_F32:
        store_f32(x, n, (float *)(void *)at);
        break;
    default:
        memcpy(at, x, n * sizeof(*x));
        break;
    }
}

/* Of floating-point types: infinity fits. */
static uint64_t reals_find(const double *x, uint64_t n, double high)
{
    for (uint64_t i = 0; i < n; i++)
        if (fabs(x[i]) > high && fabs(x[i]) <= DBL_MAX)
            return i;
    return FAILED;
}

static void reals_limit(double *x, uint64_t n, double high, int clamp)
{
    for (uint64_t i = 0; i < n; i++) {
        const double limit = clamp ? copysign(high, x[i]) : (double)NAN;
        const int beyond = (fabs(x[i]) > high) & (fabs(x[i]) <= DBL_MAX);
        x[i] = beyond ? limit : x[i];
    }
}

/* Returns the place of what does not fit, or FAILED. */
static uint64_t cast_doubles(const struct cast *c, const struct swim_array *in,
                             struct swim_array *out)
{
    const struct range range = range_of(c->type);
    const double low = (double)range.low, high = (double)range.high;
    const int real = c->type >= SWIM_TYPE_F32, clamp = c->outside == OUTSIDE_CLAMP;
    double x[PIECE];

    for (uint64_t i = 0; i < in->count; i += PIECE) {
        uint64_t n = in->count - i < PIECE ? in->count - i : PIECE, bad = FAILED;
        swim_array_doubles(in, i, n, x);
        if (!real)
            doubles_round(x, n, c->rounding);
        if (c->outside == OUTSIDE_ERROR)
            bad = real ? reals_find(x, n, high) : doubles_find(x, n, low, high);
        else if (real)
            reals_limit(x, n, high, clamp);
        else
            doubles_limit(x, n, low, high, clamp);
        if (bad != FAILED)
            return i + bad;
        doubles_store(x, n, out, i);
    }
    return FAILED;
}

/* --- by way of long double, which holds all 64-bit integers ------------------------
 */

static void wide_load(const struct swim_array *in, uint64_t first, uint64_t n,
                      long double *x)
{
    double narrow[PIECE];

    if (in->type == SWIM_TYPE_LDOUBLE) {
        memcpy(x, (const long double *)in->data + first, n * sizeof(*x));
        return;
    }
    swim_array_doubles(in, first, n, narrow); /* knows what is missing */
    for (uint64_t i = 0; i < n; i++) {
        x[i] = narrow[i];
        if (narrow[i] == narrow[i] && in->type == SWIM_TYPE_I64)
            x[i] = ((const int64_t *)in->data)[first + i];
        else if (narrow[i] == narrow[i] && in->type == SWIM_TYPE_U64)
            x[i] = ((const uint64_t *)in->data)[first + i];
    }
}

static long double wide_round(long double x, enum rounding rounding)
{
    switch (rounding) {
    case ROUND_NEAREST:
        return rintl(x);
    case ROUND_ZERO:
        return truncl(x);
    case ROUND_DOWN:
        return floorl(x);
    case ROUND_UP:
        break;
    }
    return ceill(x);
}

static void wide_store(long double x, struct swim_array *out, uint64_t at)
{
    double narrow = (double)x;

    if (out->type == SWIM_TYPE_I64)
        ((int64_t *)out->data)[at] = x == x ? (int64_t)x : out->missing.i;
    else if (out->type == SWIM_TYPE_U64)
        ((uint64_t *)out->data)[at] = x == x ? (uint64_t)x : out->missing.u;
    else if (out->type == SWIM_TYPE_F32)
        ((float *)out->data)[at] = (float)x; /* rounded once */
    else
        doubles_store(&narrow, 1, out, at);
}

static uint64_t cast_wide(const struct cast *c, const struct swim_array *in,
                          struct swim_array *out)
{
    const struct range range = range_of(c->type);
    const int real = c->type >= SWIM_TYPE_F32;
    long double x[PIECE];

    for (uint64_t i = 0; i < in->count; i++) {
        if (i % PIECE == 0)
            wide_load(in, i, in->count - i < PIECE ? in->count - i : PIECE, x);
        long double v = real ? x[i % PIECE] : wide_round(x[i % PIECE], c->rounding);
        int beyond = (v < range.low || v > range.high) && !(real && isinf(v));
        if (beyond && c->outside == OUTSIDE_ERROR)
            return i;
        if (beyond && c->outside == OUTSIDE_CLAMP)
            v = v < 0 ? range.low : range.high;
        else if (beyond)
            v = (long double)NAN;
        wide_store(v, out, i);
    }
    return FAILED;
}

static int is_wide(enum swim_type type)
{
    return type == SWIM_TYPE_I64 || type == SWIM_TYPE_U64 || type == SWIM_TYPE_LDOUBLE;
}

static int cast_refuse(const struct cast *c, const struct swim_array *in, uint64_t at,
                       swim_error_t *err)
{
    char place[160] = "";
    uint64_t below = in->count;
    double wrong = 0;

    for (uint32_t d = 0; d < in->ndim; d++) {
        size_t used = strlen(place);
        below /= in->shape[d];
        snprintf(place + used, sizeof(place) - used, "%s%" PRIu64, d ? ", " : "",
                 in->offset[d] + at / below % in->shape[d]);
    }
    swim_array_doubles(in, at, 1, &wrong);
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s[%s] is %.17g, which is no %s: give the parameter outside "
                          "as clamp or missing, or another type",
                          c->name, place, wrong, swim_type_name(c->type));
}

static int cast_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct cast *c = state;
    const struct swim_array *in = block->inputs[0];
    struct swim_array *out = block->outputs[0];
    uint64_t at = is_wide(in->type) || is_wide(out->type) ? cast_wide(c, in, out)
                                                          : cast_doubles(c, in, out);

    return at == FAILED ? SWIM_OK : cast_refuse(c, in, at, err);
}

static const struct swim_port inputs[] = {
    {"x", SWIM_TYPE_ANY, NULL, "values"},
};
static const struct swim_port outputs[] = {
    {"y", SWIM_TYPE_ANY, NULL, "the same, in the type that the parameter says"},
};
static const struct swim_param params[] = {
    {.name = "type",
     .type = SWIM_PARAM_TEXT,
     .description = "type of the output",
     .choices = types},
    {.name = "rounding",
     .type = SWIM_PARAM_TEXT,
     .preset = "nearest",
     .description = "of fractions, for integers; nearest: halves to even",
     .choices = roundings},
    {.name = "outside",
     .type = SWIM_PARAM_TEXT,
     .preset = "error",
     .description = "values out of range of the type: fail, nearest value, or missing",
     .choices = outsides},
};

SWIM_KERNEL_DEFINE(.name = "cast",
                   .summary = "the same values in another type, checked",
                   .kind = SWIM_KERNEL_MAP, .n_inputs = SWIM_COUNT_OF(inputs),
                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),
                   .outputs = outputs, .n_params = SWIM_COUNT_OF(params),
                   .params = params, .open = cast_open, .plan = cast_plan,
                   .apply = cast_apply, .close = free);
