/* box.c - walking over a box of elements inside a C array, row by row. */
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
