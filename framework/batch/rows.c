/* rows.c - what a reduce kernel walks along: rows of its blocks, and elements of any
 * type as double. */
#include <math.h>
#include <string.h>

#include <h5swim/kernel.h>

/* Axes that lie side by side and are both kept, or both reduced, are one; those of
 * length 1 are none. */
static uint32_t axes_join(const struct swim_array *in, const uint8_t *reduced,
                          uint64_t *shape, uint8_t *gone)
{
    uint32_t n = 0;

    for (uint32_t a = 0; a < in->ndim; a++) {
        uint8_t goes = reduced[a] != 0;
        if (in->shape[a] == 1)
            continue;
        if (n > 0 && gone[n - 1] == goes) {
            shape[n - 1] *= in->shape[a];
        } else {
            shape[n] = in->shape[a];
            gone[n++] = goes;
        }
    }
    return n;
}

int swim_rows_begin(struct swim_rows *rows, const struct swim_block *block,
                    const uint8_t *reduced)
{
    const struct swim_array *in = block->inputs[0];
    uint8_t gone[SWIM_NDIM_MAX];
    uint64_t outputs = 1;

    memset(rows, 0, sizeof(*rows));
    rows->ndim = axes_join(in, reduced, rows->shape, gone);
    for (uint32_t i = rows->ndim; i-- > 0;) {
        rows->step[i] = gone[i] ? 0 : outputs;
        outputs *= gone[i] ? 1 : rows->shape[i];
    }
    rows->length = rows->ndim ? rows->shape[rows->ndim - 1] : 1;
    rows->kept = rows->ndim && !gone[rows->ndim - 1];
    return in->count > 0;
}

int swim_rows_next(struct swim_rows *rows)
{
    rows->input += rows->length;
    for (uint32_t i = rows->ndim; i-- > 0;) {
        if (i + 1 == rows->ndim)
            continue;
        rows->output += rows->step[i];
        if (++rows->at[i] < rows->shape[i])
            return 1;
        rows->output -= rows->step[i] * rows->shape[i];
        rows->at[i] = 0;
    }
    return 0;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): type cannot stand in parentheses */
/* One pass without a branch, and none for missing values where there are none. */
#define INTEGERS(name, type, member)                                           \
    static void doubles_##name(const struct swim_array *array, uint64_t first, \
                               uint64_t n, double *restrict out)               \
    {                                                                          \
        const type *restrict x = (const type *)array->data + first;            \
        const type missing = (type)array->missing.member;                      \
        if (array->has_missing)                                                \
            for (uint64_t i = 0; i < n; i++)                                   \
                out[i] = x[i] == missing ? (double)NAN : (double)x[i];         \
        else                                                                   \
            for (uint64_t i = 0; i < n; i++)                                   \
                out[i] = (double)x[i];                                         \
    }
#define REALS(name, type)                                                      \
    static void doubles_##name(const struct swim_array *array, uint64_t first, \
                               uint64_t n, double *restrict out)               \
    {                                                                          \
        const type *restrict x = (const type *)array->data + first;            \
        for (uint64_t i = 0; i < n; i++)                                       \
            out[i] = (double)x[i];                                             \
    }
INTEGERS(i8, int8_t, i)
INTEGERS(u8, uint8_t, u)
INTEGERS(i16, int16_t, i)
INTEGERS(u16, uint16_t, u)
INTEGERS(i32, int32_t, i)
INTEGERS(u32, uint32_t, u)
INTEGERS(i64, int64_t, i)
INTEGERS(u64, uint64_t, u)
REALS(f32, float)
REALS(f64, double)
REALS(ldouble, long double)
/* NOLINTEND(bugprone-macro-parentheses) */

void swim_array_doubles(const struct swim_array *array, uint64_t first, uint64_t n,
                        double *out)
{
    switch (array->type) {
    case SWIM_TYPE_ANY:
        break;
    case SWIM_TYPE_I8:
        doubles_i8(array, first, n, out);
        break;
    case SWIM_TYPE_U8:
        doubles_u8(array, first, n, out);
        break;
    case SWIM_TYPE_I16:
        doubles_i16(array, first, n, out);
        break;
    case SWIM_TYPE_U16:
        doubles_u16(array, first, n, out);
        break;
    case SWIM_TYPE_I32:
        doubles_i32(array, first, n, out);
        break;
    case SWIM_TYPE_U32:
        doubles_u32(array, first, n, out);
        break;
    case SWIM_TYPE_I64:
        doubles_i64(array, first, n, out);
        break;
    case SWIM_TYPE_U64:
        doubles_u64(array, first, n, out);
        break;
    case SWIM_TYPE_F32:
        doubles_f32(array, first, n, out);
        break;
    case SWIM_TYPE_F64:
        doubles_f64(array, first, n, out);
        break;
    case SWIM_TYPE_LDOUBLE:
        doubles_ldouble(array, first, n, out);
        break;
    }
}
