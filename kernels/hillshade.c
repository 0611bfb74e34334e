/* hillshade.c - a relief in the light of a low sun, 0 (dark) to 255.
 *
 * A stencil kernel.  Gradients are those of B. K. P. Horn, "Hill shading and the
 * reflectance map" (1981): differences of the neighbours in three rows, weighted 1, 2,
 * 1.  Distances come from the coordinates: on a sphere where there are latitudes and
 * longitudes, else along the last two axes, in their unit.  Where an axis ends and does
 * not wrap, the neighbour beyond the edge is the edge point itself, and the difference
 * is one-sided.  At the poles there is no east, and the zonal part is 0.  A missing
 * point or neighbour gives a missing value. */
#include <math.h>
#include <stdlib.h>

#include <h5swim/kernel.h>

#include "distances.h"

#define BRIGHTEST 255.0

struct hillshade {
    double radius, z_factor;
    double east, north, up; /* where the light comes from, a vector of length 1 */
    int y, x;               /* which axes */
    int sphere;             /* they are latitude and longitude */
    double *per_x;          /* by place along x: 1 / distance of its neighbours */
    double *per_cos;        /* by place along y, of a sphere alone */
    double *per_y;          /* by place along y: 1 / distance of its neighbours */
};

static int hillshade_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct hillshade *h = calloc(1, sizeof(*h));
    const double azimuth = swim_params_real(params, "azimuth") * DEGREE;
    const double altitude = swim_params_real(params, "altitude") * DEGREE;

    if (!h)
        return swim_error_set(err, SWIM_ERR_NOMEM, "hillshade: no memory");
    h->radius = swim_params_real(params, "radius");
    h->z_factor = swim_params_real(params, "z_factor");
    h->east = sin(azimuth) * cos(altitude);
    h->north = cos(azimuth) * cos(altitude);
    h->up = sin(altitude);
    *state = h;
    return SWIM_OK;
}

static void hillshade_close(void *state)
{
    struct hillshade *h = state;

    free(h->per_x);
    free(h->per_cos);
    free(h->per_y);
    free(h);
}

static int hillshade_axes(struct hillshade *h, const struct swim_field *height,
                          swim_error_t *err)
{
    h->y = swim_field_axis(height, SWIM_AXIS_LATITUDE);
    h->x = swim_field_axis(height, SWIM_AXIS_LONGITUDE);
    h->sphere = h->y >= 0 && h->x >= 0;
    if (!h->sphere && (h->y >= 0 || h->x >= 0 || height->ndim < 2))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "hillshade: %s needs a latitude and a longitude axis, or "
                              "neither and two axes of a plane at its end",
                              height->name);
    if (!h->sphere) {
        h->y = (int)height->ndim - 2;
        h->x = (int)height->ndim - 1;
    }
    for (int a = 0; a < (int)height->ndim; a++)
        if ((a == h->y || a == h->x) &&
            (!height->axes[a]->values || height->axes[a]->length < 2))
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "hillshade: axis %d (%s) of %s needs coordinates, "
                                  "and two points at least",
                                  a, height->axes[a]->name, height->name);
    return SWIM_OK;
}

static int hillshade_distances(struct hillshade *h, const struct swim_plan *plan,
                               swim_error_t *err)
{
    const struct swim_field *height = plan->inputs[0];
    const struct swim_axis *y = height->axes[h->y], *x = height->axes[h->x];
    const double degree = h->sphere ? h->radius * DEGREE : 0;
    int rc = axis_invert("hillshade", y, plan->edge[h->y], degree, &h->per_y, err);

    if (rc == SWIM_OK)
        rc = axis_invert("hillshade", x, plan->edge[h->x], degree, &h->per_x, err);
    if (rc == SWIM_OK && h->sphere)
        rc = axis_per_cos("hillshade", y, &h->per_cos, err);
    return rc;
}

static int hillshade_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct hillshade *h = state;
    const struct swim_field *height = plan->inputs[0];
    int rc = hillshade_axes(h, height, err);

    if (rc != SWIM_OK)
        return rc;
    plan->halo_lo[h->y] = plan->halo_hi[h->y] = 1;
    plan->halo_lo[h->x] = plan->halo_hi[h->x] = 1;
    if (!plan->edge_given[h->y])
        plan->edge[h->y] = SWIM_EDGE_NEAREST;
    if (!plan->edge_given[h->x])
        plan->edge[h->x] = h->sphere && axis_spans_globe(height->axes[h->x])
                               ? SWIM_EDGE_WRAP
                               : SWIM_EDGE_NEAREST;
    plan->outputs[0]->units = "1";
    plan->outputs[0]->long_name = "shaded relief, 0 (dark) to 255";
    return hillshade_distances(h, plan, err);
}

/* The points of one place along y. */
struct row {
    const float *height;
    float *shade;
    ptrdiff_t x, y; /* from a height to its neighbours, in elements */
    ptrdiff_t shade_x;
    const double *per_x;
    double per_cos, per_y; /* with the z factor and Horn's 1/4 */
    uint64_t length;
};

/* In double: heights of neighbours are close to each other.  Not a branch: the pole's
 * neighbours count as missing where they are. */
static inline __attribute__((always_inline)) void
row_shade_by(const struct hillshade *h, const struct row *row, const ptrdiff_t x,
             const ptrdiff_t shade_x)
{
    const float *restrict z = row->height;
    float *restrict shade = row->shade;
    const double *restrict per_x = row->per_x;
    const double per_cos = row->per_cos, per_y = row->per_y;
    const double east = h->east, north = h->north, up = h->up;
    const ptrdiff_t y = row->y;
    const ptrdiff_t length = (ptrdiff_t)row->length;

    for (ptrdiff_t i = 0; i < length; i++) {
        const float *p = z + i * x;
        const double ne = (double)p[y + x], nw = (double)p[y - x];
        const double se = (double)p[-y + x], sw = (double)p[-y - x];
        const double rise_x =
            ((ne - nw) + 2 * ((double)p[x] - (double)p[-x]) + (se - sw)) *
            (per_x[i] * per_cos);
        const double rise_y =
            ((ne - se) + 2 * ((double)p[y] - (double)p[-y]) + (nw - sw)) * per_y;
        const double light = (up - east * rise_x - north * rise_y) /
                             sqrt(1 + rise_x * rise_x + rise_y * rise_y);
        const double lit = light < 0 ? 0 : light; /* NaN stays */
        shade[i * shade_x] = *p == *p ? (float)(BRIGHTEST * lit) : NAN;
    }
}

/* Where neighbours along x lie side by side, which is the rule, the compiler knows it.
 */
static void row_shade(const struct hillshade *h, const struct row *row)
{
    if (row->x == 1 && row->shade_x == 1)
        row_shade_by(h, row, 1, 1);
    else
        row_shade_by(h, row, row->x, row->shade_x);
}

static int hillshade_apply(void *state, const struct swim_block *block,
                           swim_error_t *err)
{
    const struct hillshade *h = state;
    const struct swim_array *in = block->inputs[0], *out = block->outputs[0];
    const uint64_t n_rows = in->count / in->shape[h->x];
    struct row row = {.x = in->strides[h->x],
                      .y = in->strides[h->y],
                      .shade_x = out->strides[h->x],
                      .per_x = h->per_x + in->offset[h->x],
                      .length = in->shape[h->x]};

    (void)err;
    for (uint64_t r = 0; r < n_rows; r++) {
        const struct row_place at = row_place(in, out, r, h->x, h->y);

        row.height = at.in;
        row.shade = at.out;
        row.per_cos = (h->sphere ? h->per_cos[at.across] : 1) * h->z_factor / 4;
        row.per_y = h->per_y[at.across] * h->z_factor / 4;
        row_shade(h, &row);
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"height", SWIM_TYPE_F32, NULL, "heights by latitude and longitude, or by y and x"},
};
static const struct swim_port outputs[] = {
    {"shade", SWIM_TYPE_F32, "1", "brightness, 0 (dark) to 255"},
};
static const struct swim_param params[] = {
    {.name = "altitude",
     .type = SWIM_PARAM_REAL,
     .preset = "45",
     .unit = "degrees",
     .description = "of the light above the horizon",
     .min = 0,
     .max = 90},
    {.name = "azimuth",
     .type = SWIM_PARAM_REAL,
     .preset = "315",
     .unit = "degrees",
     .description = "where the light comes from, clockwise from north",
     .min = -360,
     .max = 360},
    {.name = "z_factor",
     .type = SWIM_PARAM_REAL,
     .preset = "1",
     .description = "heights are multiplied by it, to exaggerate or change their unit",
     .min = -1e12,
     .max = 1e12},
    {.name = "radius",
     .type = SWIM_PARAM_REAL,
     .preset = "6371000",
     .unit = "m",
     .description = "radius of the sphere, in the unit of the heights",
     .min = 1e-3,
     .max = 1e12},
};

SWIM_KERNEL_DEFINE(.name = "hillshade", .summary = "a relief in the light of a low sun",
                   .kind = SWIM_KERNEL_STENCIL, .n_inputs = SWIM_COUNT_OF(inputs),
                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),
                   .outputs = outputs, .n_params = SWIM_COUNT_OF(params),
                   .params = params, .open = hillshade_open, .plan = hillshade_plan,
                   .apply = hillshade_apply, .close = hillshade_close);
