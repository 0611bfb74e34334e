/* box.c - a box of elements inside a C array, walked over row by row. */
#include "store/box.h"

#include <string.h>

bool box_begin(struct box *box, uint32_t ndim, const uint64_t *shape,
               const uint64_t *start, const uint64_t *count)
{
    size_t step = 1;
    uint32_t i = ndim;

    memset(box, 0, sizeof(*box));
    box->row = 1;
    /* The innermost dimensions that are taken whole join the row, and one more. */
    while (i > 0) {
        i--;
        box->row *= (size_t)count[i];
        box->offset += (size_t)start[i] * step;
        step *= (size_t)shape[i];
        if (count[i] != shape[i])
            break;
    }
    box->ndim = i;
    while (i > 0) {
        i--;
        box->n[i] = count[i];
        box->step[i] = step;
        box->offset += (size_t)start[i] * step;
        step *= (size_t)shape[i];
        if (count[i] == 0)
            return false;
    }
    return box->row > 0;
}

bool box_next(struct box *box)
{
    box->done += box->row;
    for (uint32_t i = box->ndim; i > 0; i--) {
        box->offset += box->step[i - 1];
        if (++box->at[i - 1] < box->n[i - 1])
            return true;
        box->offset -= box->step[i - 1] * (size_t)box->n[i - 1];
        box->at[i - 1] = 0;
    }
    return false;
}

/* Rows of the two boxes may differ in length; the shorter one divides the other. */
void box_copy(uint32_t ndim, const uint64_t *count, size_t size, const void *src,
              const uint64_t *src_shape, const uint64_t *src_start, void *dst,
              const uint64_t *dst_shape, const uint64_t *dst_start)
{
    const unsigned char *from = (const unsigned char *)src;
    unsigned char *to = (unsigned char *)dst;
    size_t in_used = 0, out_used = 0;
    struct box in, out;

    bool more = box_begin(&in, ndim, src_shape, src_start, count) &&
                box_begin(&out, ndim, dst_shape, dst_start, count);
    while (more) {
        size_t in_left = in.row - in_used, out_left = out.row - out_used;
        size_t len = in_left < out_left ? in_left : out_left;
        memcpy(to + (out.offset + out_used) * size, from + (in.offset + in_used) * size,
               len * size);
        in_used = len == in_left ? 0 : in_used + len;
        out_used = len == out_left ? 0 : out_used + len;
        more = (in_used || box_next(&in)) && (out_used || box_next(&out));
    }
}

/* By doubling what is there already. */
void box_fill(void *dst, size_t n, const void *element, size_t size)
{
    unsigned char *to = (unsigned char *)dst;
    size_t have = 1;

    if (n == 0)
        return;
    memcpy(to, element, size);
    for (; have * 2 <= n; have *= 2)
        memcpy(to + have * size, to, have * size);
    memcpy(to + have * size, to, (n - have) * size);
}
