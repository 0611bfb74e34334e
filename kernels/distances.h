/* distances.h - how far grid points are from each other, by their coordinates: for
 * kernels that take differences of neighbours (slope, hillshade). */
#ifndef SWIM_KERNELS_DISTANCES_H
#define SWIM_KERNELS_DISTANCES_H

#include <math.h>
#include <stdlib.h>

#include <h5swim/kernel.h>

#define DEGREE (3.14159265358979323846 / 180)
#define TURN 360.0
#define POLE 89.9999

/* Whether the last point has the first one as its next neighbour. */
static int axis_spans_globe(const struct swim_axis *axis)
{
    double span = fabs(axis->values[axis->length - 1] - axis->values[0]);
    double step = span / (double)(axis->length - 1);

    return fabs(span + step - TURN) < step / 2;
}

/* The coordinate that stands for the point beyond the edge next to values[edge].  What
 * wraps without being a circle of longitudes has one more step from the last point to
 * the first. */
static double axis_beyond(const struct swim_axis *axis, enum swim_edge mode, int circle,
                          int high)
{
    const double *v = axis->values;
    uint64_t last = axis->length - 1;
    double span = v[last] - v[0], step = span / (double)last;
    double turn = circle ? copysign(TURN, span) : span + step;

    switch (mode) {
    case SWIM_EDGE_WRAP:
        return high ? v[0] + turn : v[last] - turn;
    case SWIM_EDGE_CONSTANT:
        return high ? 2 * v[last] - v[last - 1] : 2 * v[0] - v[1];
    case SWIM_EDGE_NEAREST:
    case SWIM_EDGE_REFLECT: /* of one neighbour: the edge point as well */
    case SWIM_EDGE_NONE:    /* of windows alone */
        break;
    }
    return high ? v[last] : v[0];
}

/* 1 / distance between the neighbours of each point, from south or west to north or
 * east; degree: how long one is, 0: the axis has a unit of length.  *out: what was
 * there is freed; kernel: its name, for messages. */
static int axis_invert(const char *kernel, const struct swim_axis *axis,
                       enum swim_edge mode, double degree, double **out,
                       swim_error_t *err)
{
    const double unit = degree > 0 ? degree : 1;
    const int circle = degree > 0;
    const double *v = axis->values;
    const uint64_t n = axis->length;
    const double sign = v[n - 1] > v[0] ? 1 : -1;

    free(*out);
    *out = malloc(n * sizeof(**out));
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "%s: no memory", kernel);
    for (uint64_t i = 0; i < n; i++) {
        double low = i ? v[i - 1] : axis_beyond(axis, mode, circle, 0);
        double high = i + 1 < n ? v[i + 1] : axis_beyond(axis, mode, circle, 1);

        if (!(sign * (v[i] - low) >= 0 && sign * (high - v[i]) >= 0 && high != low))
            return swim_error_set(
                err, SWIM_ERR_ARG,
                "%s: coordinate %g of axis %s is not between its neighbours %g "
                "and %g",
                kernel, v[i], axis->name, low, high);
        (*out)[i] = 1 / (unit * (high - low));
    }
    return SWIM_OK;
}

/* 1 / cos(latitude) of each point; at the poles, where there is no east, 0. */
static int axis_per_cos(const char *kernel, const struct swim_axis *latitude,
                        double **out, swim_error_t *err)
{
    free(*out);
    *out = malloc(latitude->length * sizeof(**out));
    if (!*out)
        return swim_error_set(err, SWIM_ERR_NOMEM, "%s: no memory", kernel);
    for (uint64_t i = 0; i < latitude->length; i++) {
        const double v = latitude->values[i];
        (*out)[i] = fabs(v) > POLE ? 0 : 1 / cos(v * DEGREE);
    }
    return SWIM_OK;
}

/* Row r of a block along axis `along`: where it begins in the arrays of input and
 * output, and which point of axis `across` it is at. */
struct row_place {
    const float *in;
    float *out;
    uint64_t across;
};

static struct row_place row_place(const struct swim_array *in,
                                  const struct swim_array *out, uint64_t r, int along,
                                  int across)
{
    struct row_place place = {in->data, out->data, in->offset[across]};

    for (int d = (int)in->ndim - 1; d >= 0; d--) {
        if (d == along)
            continue;
        const uint64_t i = r % in->shape[d];
        r /= in->shape[d];
        place.in += (ptrdiff_t)i * in->strides[d];
        place.out += (ptrdiff_t)i * out->strides[d];
        place.across += d == across ? i : 0;
    }
    return place;
}

#endif /* SWIM_KERNELS_DISTANCES_H */
