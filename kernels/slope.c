/* slope.c - how steep a surface on a sphere is: the length of its gradient.
 *
 * A stencil kernel: central differences over the real coordinates, in longitude and in
 * latitude.  Where an axis ends and does not wrap, the neighbour beyond the edge is the
 * edge point itself: the difference is one-sided, and so is its distance.  At the poles
 * there is no east, and the zonal part is 0.  A missing point or neighbour gives a
 * missing value. */
#include <math.h>
#include <stdlib.h>

#include <h5swim/kernel.h>

#include "distances.h"

struct slope {
    double radius;
    int lat, lon;    /* which axes */
    double *per_lon; /* by longitude: 1 / distance of its neighbours at the equator */
    double *per_cos; /* by latitude: 1 / cos(latitude); at the poles 0 */
    double *per_lat; /* by latitude: 1 / distance of its neighbours */
};

static int slope_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct slope *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "slope: no memory");
    s->radius = swim_params_real(params, "radius");
    *state = s;
    return SWIM_OK;
}

static void slope_close(void *state)
{
    struct slope *s = state;

    free(s->per_lon);
    free(s->per_cos);
    free(s->per_lat);
    free(s);
}

static int slope_axis(const struct swim_field *height, enum swim_axis_kind kind,
                      const char *what, int *out, swim_error_t *err)
{
    *out = swim_field_axis(height, kind);
    if (*out < 0)
        return swim_error_set(err, SWIM_ERR_ARG, "slope: %s has no %s axis",
                              height->name, what);
    if (!height->axes[*out]->values || height->axes[*out]->length < 2)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "slope: the %s axis of %s needs coordinates, and two "
                              "points at least",
                              what, height->name);
    return SWIM_OK;
}

static int slope_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct slope *s = state;
    const struct swim_field *height = plan->inputs[0];
    int rc = slope_axis(height, SWIM_AXIS_LATITUDE, "latitude", &s->lat, err);

    if (rc == SWIM_OK)
        rc = slope_axis(height, SWIM_AXIS_LONGITUDE, "longitude", &s->lon, err);
    if (rc != SWIM_OK)
        return rc;

    const struct swim_axis *lat = height->axes[s->lat], *lon = height->axes[s->lon];
    plan->halo_lo[s->lat] = plan->halo_hi[s->lat] = 1;
    plan->halo_lo[s->lon] = plan->halo_hi[s->lon] = 1;
    if (!plan->edge_given[s->lat])
        plan->edge[s->lat] = SWIM_EDGE_NEAREST;
    if (!plan->edge_given[s->lon])
        plan->edge[s->lon] = axis_spans_globe(lon) ? SWIM_EDGE_WRAP : SWIM_EDGE_NEAREST;
    plan->outputs[0]->units = "1";
    plan->outputs[0]->long_name = "slope (gradient magnitude)";

    const double degree = s->radius * DEGREE;
    rc = axis_invert("slope", lat, plan->edge[s->lat], degree, &s->per_lat, err);
    if (rc == SWIM_OK)
        rc = axis_invert("slope", lon, plan->edge[s->lon], degree, &s->per_lon, err);
    if (rc == SWIM_OK)
        rc = axis_per_cos("slope", lat, &s->per_cos, err);
    return rc;
}

/* The points of one latitude. */
struct row {
    const float *height;
    float *slope;
    ptrdiff_t east, north; /* from a height to its neighbours, in elements */
    ptrdiff_t slope_east;
    const double *per_lon;
    double per_cos, per_lat;
    uint64_t length;
};

/* In double: heights of neighbours are close to each other. */
static void row_slope(const struct row *row)
{
    const float *restrict z = row->height;
    float *restrict slope = row->slope;
    const double *restrict per_lon = row->per_lon;
    const double per_cos = row->per_cos, per_lat = row->per_lat;
    const ptrdiff_t east = row->east, north = row->north, slope_east = row->slope_east;
    const ptrdiff_t length = (ptrdiff_t)row->length;

    for (ptrdiff_t i = 0; i < length; i++) {
        const float *p = z + i * east;
        double x = ((double)p[east] - (double)p[-east]) * (per_lon[i] * per_cos);
        double y = ((double)p[north] - (double)p[-north]) * per_lat;
        float steep = (float)sqrt(x * x + y * y);
        slope[i * slope_east] = isnan(*p) ? NAN : steep;
    }
}

static int slope_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct slope *s = state;
    const struct swim_array *in = block->inputs[0], *out = block->outputs[0];
    const uint64_t n_rows = in->count / in->shape[s->lon];
    struct row row = {.east = in->strides[s->lon],
                      .north = in->strides[s->lat],
                      .slope_east = out->strides[s->lon],
                      .per_lon = s->per_lon + in->offset[s->lon],
                      .length = in->shape[s->lon]};

    (void)err;
    for (uint64_t r = 0; r < n_rows; r++) {
        const struct row_place at = row_place(in, out, r, s->lon, s->lat);

        row.height = at.in;
        row.slope = at.out;
        row.per_cos = s->per_cos[at.across];
        row.per_lat = s->per_lat[at.across];
        row_slope(&row);
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {
    {"height", SWIM_TYPE_F32, NULL, "heights by latitude and longitude, in metres"},
};
static const struct swim_port outputs[] = {
    {"slope", SWIM_TYPE_F32, "1", "length of the gradient, rise over run"},
};
static const struct swim_param params[] = {
    {.name = "radius",
     .type = SWIM_PARAM_REAL,
     .preset = "6371000",
     .unit = "m",
     .description = "radius of the sphere, in the unit of the heights",
     .min = 1e-3,
     .max = 1e12},
};

SWIM_KERNEL_DEFINE(.name = "slope",
                   .summary = "steepness of a surface by latitude and longitude",
                   .kind = SWIM_KERNEL_STENCIL, .n_inputs = SWIM_COUNT_OF(inputs),
                   .inputs = inputs, .n_outputs = SWIM_COUNT_OF(outputs),
                   .outputs = outputs, .n_params = SWIM_COUNT_OF(params),
                   .params = params, .open = slope_open, .plan = slope_plan,
                   .apply = slope_apply, .close = slope_close);
