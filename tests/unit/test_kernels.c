/* test_kernels.c - the kernels of this tree, loaded as the host loads them and called
 * block by block on small arrays whose results were worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <h5swim/kernel.h>

#include "batch/kernel_host.h"

#define NDIM 3
#define AREA_MAX 1024

/* What the kernels ask of the program that loads them: named here, the linker keeps
 * it. */
static int (*volatile const host_field_axis)(const struct swim_field *,
                                             enum swim_axis_kind) = swim_field_axis;
static int (*volatile const host_axis_months)(const struct swim_axis *, uint8_t *,
                                              swim_error_t *) = swim_axis_months;
static int (*volatile const host_plan_reduce)(struct swim_plan *, uint32_t, uint64_t,
                                              const struct swim_axis *,
                                              swim_error_t *) = swim_plan_reduce;

static enum swim_type (*volatile const host_type_floating)(enum swim_type) =
    swim_type_floating;
static void (*volatile const host_array_doubles)(const struct swim_array *, uint64_t,
                                                 uint64_t,
                                                 double *) = swim_array_doubles;

/* One kernel, opened and planned on up to two inputs of one shape. */
struct bench {
    struct kernel_host *host;
    swim_params_t *params;
    void *state;
    struct swim_axis axis[NDIM];
    const struct swim_axis *axes[NDIM];
    uint64_t shape[NDIM];
    struct swim_field field[2];
    const struct swim_field *fields[2];
    struct swim_output output;
    struct swim_output *outputs[1];
    struct swim_plan plan;
    swim_error_t err;
};

static void bench_load(struct bench *b, const char *name)
{
    char so[4096];
    const char *build = getenv("SWIM_BUILD");

    memset(b, 0, sizeof(*b));
    assert_non_null(build);
    assert_true(host_field_axis && host_axis_months && host_plan_reduce &&
                host_type_floating && host_array_doubles);
    snprintf(so, sizeof(so), "%s/lib/h5swim/kernels/%s.so", build, name);
    if (kernel_load(so, &b->host, &b->err) != SWIM_OK)
        fail_msg("%s", b->err.text);
    assert_string_equal(b->host->api.name, name);
}

static void bench_axis(struct bench *b, uint32_t i, const char *name, const char *units,
                       const double *values, uint64_t length)
{
    b->axis[i] = (struct swim_axis){.name = name,
                                    .units = units,
                                    .calendar = "",
                                    .standard_name = "",
                                    .length = length,
                                    .values = values};
    b->axes[i] = &b->axis[i];
    b->shape[i] = length;
}

/* As the host does it: params, open, plan. */
static int bench_plan(struct bench *b, uint32_t ndim)
{
    int rc = params_create(b->host, NULL, 0, &b->params, &b->err);

    assert_int_equal(rc, SWIM_OK);
    if (b->host->api.open)
        assert_int_equal(b->host->api.open(b->params, &b->state, &b->err), SWIM_OK);
    for (uint32_t i = 0; i < 2; i++) {
        struct swim_field *f = &b->field[i];
        f->port = f->name = i ? "v" : "u";
        f->units = f->units ? f->units : "m";
        f->long_name = "";
        f->type = f->stored_type = f->natural_type = SWIM_TYPE_F32;
        f->ndim = ndim;
        f->shape = b->shape;
        f->axes = b->axes;
        b->fields[i] = f;
    }
    b->output.ndim = ndim;
    b->output.type = SWIM_TYPE_F32;
    for (uint32_t i = 0; i < ndim; i++) {
        b->output.from_axis[i] = (int32_t)i;
        b->output.shape[i] = b->shape[i];
    }
    b->outputs[0] = &b->output;
    b->plan.struct_size = sizeof(b->plan);
    b->plan.n_inputs = b->host->api.n_inputs;
    b->plan.n_outputs = 1;
    b->plan.inputs = b->fields;
    b->plan.outputs = b->outputs;
    return b->host->api.plan ? b->host->api.plan(b->state, &b->plan, &b->err) : SWIM_OK;
}

static void bench_close(struct bench *b)
{
    if (b->host->api.close && b->state)
        b->host->api.close(b->state);
    params_destroy(b->params);
    kernel_unload(b->host);
}

/* A block's array: memory, shape, strides, place. */
struct box {
    struct swim_array a;
    uint64_t shape[NDIM], offset[NDIM];
    ptrdiff_t strides[NDIM];
    uint32_t halo[NDIM];
    float area[AREA_MAX];
};

/* halo points on both sides of each axis; the first inner value lies behind them. */
static void box_shape(struct box *x, uint32_t ndim, const uint64_t *shape,
                      const uint64_t *offset, const uint32_t *halo)
{
    ptrdiff_t stride = 1, first = 0;

    memset(x, 0, sizeof(*x));
    x->a = (struct swim_array){.type = SWIM_TYPE_F32,
                               .ndim = ndim,
                               .count = 1,
                               .shape = x->shape,
                               .strides = x->strides,
                               .offset = x->offset,
                               .halo_lo = x->halo,
                               .halo_hi = x->halo,
                               .contiguous = 1};
    for (uint32_t i = ndim; i-- > 0;) {
        x->shape[i] = shape[i];
        x->offset[i] = offset ? offset[i] : 0;
        x->halo[i] = halo ? halo[i] : 0;
        x->strides[i] = stride;
        first += stride * (ptrdiff_t)x->halo[i];
        stride *= (ptrdiff_t)(shape[i] + 2 * (uint64_t)x->halo[i]);
        x->a.count *= shape[i];
        if (x->halo[i])
            x->a.contiguous = 0;
    }
    assert_true(stride <= AREA_MAX);
    x->a.data = x->area + first;
}

static struct swim_block block_of(const struct swim_array **in, uint32_t n_in,
                                  struct swim_array **out)
{
    return (struct swim_block){.struct_size = sizeof(struct swim_block),
                               .n_inputs = n_in,
                               .n_outputs = 1,
                               .inputs = in,
                               .outputs = out};
}

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-6 * fabs(want)) && !(isnan(got) && isnan(want)))
        fail_msg("got %.9g, not %.9g", got, want);
}

/* --- wind_speed ------------------------------------------------------------ */

static void wind_speed_is_the_length_of_the_vector(void **state)
{
    const uint64_t shape[1] = {5};
    const float u[5] = {3, -5, 0, NAN, 1}, v[5] = {4, 12, 0, 1, NAN};
    const double want[5] = {5, 13, 0, NAN, NAN};
    struct bench b;
    struct box x, y, z;

    (void)state;
    bench_load(&b, "wind_speed");
    bench_axis(&b, 0, "x", "", NULL, 5);
    b.field[0].units = b.field[1].units = "M/S";
    assert_int_equal(bench_plan(&b, 1), SWIM_OK);
    assert_string_equal(b.output.units, "M/S");
    assert_string_equal(b.output.long_name, "wind speed");

    box_shape(&x, 1, shape, NULL, NULL);
    box_shape(&y, 1, shape, NULL, NULL);
    box_shape(&z, 1, shape, NULL, NULL);
    memcpy(x.area, u, sizeof(u));
    memcpy(y.area, v, sizeof(v));
    const struct swim_array *in[2] = {&x.a, &y.a};
    struct swim_array *out[1] = {&z.a};
    struct swim_block block = block_of(in, 2, out);
    assert_int_equal(b.host->api.apply(b.state, &block, &b.err), SWIM_OK);
    for (int i = 0; i < 5; i++)
        assert_near(z.area[i], want[i]);
    bench_close(&b);
}

/* The host converts or refuses (integration.units). */
static void wind_speed_wants_components_in_one_unit(void **state)
{
    struct bench b;

    (void)state;
    bench_load(&b, "wind_speed");
    bench_axis(&b, 0, "x", "", NULL, 5);
    b.field[0].units = "m/s";
    b.field[1].units = "m/s";
    assert_int_equal(bench_plan(&b, 1), SWIM_OK);
    assert_string_equal(b.host->inputs[1].unit, "=u");
    assert_string_equal(b.output.units, "m/s");
    bench_close(&b);
}

/* --- climatology ----------------------------------------------------------- */

/* Days since 2001-01-01 of the 15th of Jan, Feb 2001, Jan, Feb, Mar 2002. */
static const double days[5] = {14, 45, 379, 410, 438};

/* Two blocks along time, in two accumulators that are merged, or in one. */
static void climatology_run(struct bench *b, const float *values, int merged,
                            float *mean)
{
    const uint64_t first[3] = {2, 2, 2}, second[3] = {2, 3, 2}, whole[3] = {2, 12, 2};
    const uint64_t at[3] = {0, 2, 0};
    struct box x1, x2, y;

    box_shape(&x1, 3, first, NULL, NULL);
    box_shape(&x2, 3, second, at, NULL);
    box_shape(&y, 3, whole, NULL, NULL);
    for (ptrdiff_t o = 0; o < 2; o++)
        for (ptrdiff_t t = 0; t < 5; t++)
            for (ptrdiff_t i = 0; i < 2; i++) {
                float *area =
                    t < 2 ? x1.area + (o * 2 + t) * 2 : x2.area + (o * 3 + t - 2) * 2;
                area[i] = values[(o * 5 + t) * 2 + i];
            }
    const struct swim_array *in1[1] = {&x1.a}, *in2[1] = {&x2.a};
    struct swim_array *out[1] = {&y.a};
    struct swim_block block1 = block_of(in1, 1, out), block2 = block_of(in2, 1, out);
    const struct swim_kernel *api = &b->host->api;
    size_t bytes = api->acc_bytes(b->state, &block1);
    void *acc = calloc(1, bytes), *other = calloc(1, bytes);

    assert_non_null(acc);
    assert_non_null(other);
    assert_int_equal(api->partial(b->state, &block1, acc, &b->err), SWIM_OK);
    assert_int_equal(api->partial(b->state, &block2, merged ? other : acc, &b->err),
                     SWIM_OK);
    assert_int_equal(api->merge(b->state, &block1, acc, other, &b->err), SWIM_OK);
    assert_int_equal(api->finish(b->state, &block1, acc, &b->err), SWIM_OK);
    memcpy(mean, y.area, 48 * sizeof(*mean));
    free(acc);
    free(other);
}

static void climatology_is_the_mean_of_each_month(void **state)
{
    /* [2][5 times][2]; the time axis lies between the two others */
    const float values[20] = {1,  10, 2,  NAN, 3,  30, 6,  NAN, 7,  70,
                              -1, 0,  -2, 5,   -3, 0,  -6, NAN, -7, NAN};
    const double january[4] = {2, 20, -2, 0}, february[4] = {4, NAN, -4, 5};
    const double march[4] = {7, 70, -7, NAN};
    struct bench b;
    float mean[48];

    (void)state;
    bench_load(&b, "climatology");
    bench_axis(&b, 0, "y", "", NULL, 2);
    bench_axis(&b, 1, "TIME", "days since 2001-01-01", days, 5);
    bench_axis(&b, 2, "x", "", NULL, 2);
    assert_int_equal(bench_plan(&b, 3), SWIM_OK);
    assert_int_equal(b.output.ndim, 3);
    assert_int_equal(b.output.shape[1], 12);
    assert_int_equal(b.output.from_axis[1], -1);
    assert_string_equal(b.output.axes[1]->name, "month");
    assert_true(b.output.axes[1]->values[11] == 12);
    assert_string_equal(b.output.cell_methods,
                        "TIME: mean within years TIME: mean over years");
    for (int merged = 0; merged < 2; merged++) {
        climatology_run(&b, values, merged, mean);
        for (ptrdiff_t o = 0; o < 2; o++)
            for (ptrdiff_t i = 0; i < 2; i++) {
                const float *m = mean + o * 24 + i;
                assert_near(m[0], january[o * 2 + i]);
                assert_near(m[2], february[o * 2 + i]);
                assert_near(m[4], march[o * 2 + i]);
                for (ptrdiff_t month = 3; month < 12; month++)
                    assert_true(isnan(m[month * 2]));
            }
    }
    bench_close(&b);
}

static void climatology_needs_a_time_axis(void **state)
{
    struct bench b;

    (void)state;
    bench_load(&b, "climatology");
    bench_axis(&b, 0, "y", "degrees_north", NULL, 2);
    assert_int_equal(bench_plan(&b, 1), SWIM_ERR_ARG);
    assert_true(b.err.text[0] != '\0');
    bench_close(&b);
}

/* --- slope ----------------------------------------------------------------- */

#define RADIUS 6371000.0
#define DEGREE (3.14159265358979323846 / 180)

/* The whole sphere in one box with its halo filled as the plan's edges say. */
static void slope_fill(const struct bench *b, struct box *x, const float *z)
{
    const int64_t ny = (int64_t)b->shape[0], nx = (int64_t)b->shape[1];
    const uint32_t halo[2] = {1, 1};

    box_shape(x, 2, b->shape, NULL, halo);
    for (int64_t j = -1; j <= ny; j++)
        for (int64_t i = -1; i <= nx; i++) {
            int64_t jj = j < 0 ? 0 : j == ny ? ny - 1 : j;
            int64_t ii = i < 0 ? 0 : i == nx ? nx - 1 : i;
            if (b->plan.edge[1] == SWIM_EDGE_WRAP)
                ii = (i + nx) % nx;
            x->area[(j + 1) * (nx + 2) + i + 1] = z[jj * nx + ii];
        }
}

static void slope_run(struct bench *b, const float *z, float *slope)
{
    struct box x, y;

    slope_fill(b, &x, z);
    box_shape(&y, 2, b->shape, NULL, NULL);
    const struct swim_array *in[1] = {&x.a};
    struct swim_array *out[1] = {&y.a};
    struct swim_block block = block_of(in, 1, out);
    assert_int_equal(b->host->api.apply(b->state, &block, &b->err), SWIM_OK);
    memcpy(slope, y.area, b->shape[0] * b->shape[1] * sizeof(*slope));
}

static const double globe_lat[5] = {-90, -60, 0, 60, 90};
static const double globe_lon[4] = {0, 90, 180, 270};

static void globe_plan(struct bench *b)
{
    bench_load(b, "slope");
    bench_axis(b, 0, "lat", "degrees_north", globe_lat, 5);
    bench_axis(b, 1, "lon", "degrees_east", globe_lon, 4);
    assert_int_equal(bench_plan(b, 2), SWIM_OK);
}

static void slope_wraps_around_the_globe_and_ends_at_the_poles(void **state)
{
    struct bench b;

    (void)state;
    globe_plan(&b);
    assert_int_equal(b.plan.edge[0], SWIM_EDGE_NEAREST);
    assert_int_equal(b.plan.edge[1], SWIM_EDGE_WRAP);
    assert_int_equal(b.plan.halo_lo[0], 1);
    assert_int_equal(b.plan.halo_hi[1], 1);
    assert_string_equal(b.output.units, "1");
    assert_string_equal(b.output.long_name, "slope (gradient magnitude)");
    bench_close(&b);
}

static void slope_leaves_an_edge_mode_of_the_job_alone(void **state)
{
    struct bench b;

    (void)state;
    bench_load(&b, "slope");
    bench_axis(&b, 0, "lat", "degrees_north", globe_lat, 5);
    bench_axis(&b, 1, "lon", "degrees_east", globe_lon, 4);
    b.plan.edge[1] = SWIM_EDGE_REFLECT;
    b.plan.edge_given[1] = 1;
    assert_int_equal(bench_plan(&b, 2), SWIM_OK);
    assert_int_equal(b.plan.edge[1], SWIM_EDGE_REFLECT);
    bench_close(&b);
}

static void slope_east_is_zero_at_the_poles_and_grows_towards_them(void **state)
{
    /* rises to the east by 1000 a quarter turn, on every latitude */
    const double quarter = RADIUS * 90 * DEGREE;
    struct bench b;
    float z[20], slope[20];

    (void)state;
    globe_plan(&b);
    for (int i = 0; i < 20; i++)
        z[i] = (float)(i % 4 * 1000);
    slope_run(&b, z, slope);
    for (int i = 0; i < 4; i++) {
        /* at both ends of the axis the wrapped neighbour is 3000 away, not 1000 */
        double rise = (i == 0 || i == 3) ? -1000 : 1000;
        assert_near(slope[i], 0);
        assert_near(slope[8 + i], fabs(rise) / quarter);
        assert_near(slope[4 + i], fabs(rise) / quarter / cos(60 * DEGREE));
        assert_near(slope[12 + i], fabs(rise) / quarter / 0.5);
        assert_near(slope[16 + i], 0);
    }
    bench_close(&b);
}

static void slope_north_is_one_sided_at_the_poles(void **state)
{
    const double metre = RADIUS * DEGREE; /* one degree */
    const float by_lat[5] = {0, 600, 1200, 3000, 3030};
    const double want[5] = {600 / (30 * metre), 1200 / (90 * metre),
                            2400 / (120 * metre), 1830 / (90 * metre),
                            30 / (30 * metre)};
    struct bench b;
    float z[20], slope[20];

    (void)state;
    globe_plan(&b);
    for (int i = 0; i < 20; i++)
        z[i] = by_lat[i / 4];
    slope_run(&b, z, slope);
    for (int i = 0; i < 20; i++)
        assert_near(slope[i], want[i / 4]);
    bench_close(&b);
}

static void slope_is_missing_at_a_missing_point_and_around_it(void **state)
{
    struct bench b;
    float z[20] = {0}, slope[20];

    (void)state;
    globe_plan(&b);
    z[8] = NAN; /* equator, first longitude */
    slope_run(&b, z, slope);
    for (int i = 0; i < 20; i++) {
        int near = i == 8 || i == 9 || i == 11 || i == 4 || i == 12;
        assert_int_equal(isnan(slope[i]) != 0, near);
        if (!near)
            assert_near(slope[i], 0);
    }
    bench_close(&b);
}

static void slope_of_a_region_is_one_sided_at_all_edges(void **state)
{
    const double lat[3] = {11, 10, 9}; /* from north to south */
    const double lon[3] = {20, 21, 23};
    const double metre = RADIUS * DEGREE;
    struct bench b;
    float z[9], slope[9];

    (void)state;
    bench_load(&b, "slope");
    bench_axis(&b, 0, "lat", "degrees_north", lat, 3);
    bench_axis(&b, 1, "lon", "degrees_east", lon, 3);
    assert_int_equal(bench_plan(&b, 2), SWIM_OK);
    assert_int_equal(b.plan.edge[1], SWIM_EDGE_NEAREST);
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < 3; i++)
            z[j * 3 + i] = (float)(100 * lon[i] + 400 * lat[j]);
    slope_run(&b, z, slope); /* a plane: its steepness has one value a latitude */
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < 3; i++)
            assert_near(slope[j * 3 + i],
                        hypot(100 / (metre * cos(lat[j] * DEGREE)), 400 / metre));
    bench_close(&b);
}

/* Longitude need not come last, nor the block be the whole dataset. */
static void slope_finds_its_axes_in_any_order_and_at_any_place(void **state)
{
    const uint64_t shape[3] = {2, 2, 2}, at[3] = {1, 3, 0};
    const uint32_t halo[3] = {1, 1, 0};
    const double lon[4] = {0, 60, 180, 270}, time[2] = {0, 1};
    const double apart[2] = {180, 210}; /* neighbours of the second and third */
    struct bench b;
    struct box x, y;

    (void)state;
    bench_load(&b, "slope");
    bench_axis(&b, 0, "lon", "degrees_east", lon, 4);
    bench_axis(&b, 1, "lat", "degrees_north", globe_lat, 5);
    bench_axis(&b, 2, "time", "days since 2000-01-01", time, 2);
    assert_int_equal(bench_plan(&b, 3), SWIM_OK);
    assert_int_equal(b.plan.halo_lo[2], 0);
    box_shape(&x, 3, shape, at, halo);
    box_shape(&y, 3, shape, at, NULL);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int t = 0; t < 2; t++)
                x.area[(i * 4 + j) * 2 + t] = (float)((t + 1) * 1000 * i);
    const struct swim_array *in[1] = {&x.a};
    struct swim_array *out[1] = {&y.a};
    struct swim_block block = block_of(in, 1, out);
    assert_int_equal(b.host->api.apply(b.state, &block, &b.err), SWIM_OK);
    for (ptrdiff_t i = 0; i < 2; i++)
        for (ptrdiff_t t = 0; t < 2; t++) {
            const float *slope = y.area + i * 4 + t;
            double rise = t ? 4000 : 2000;
            assert_near(slope[0], rise / (RADIUS * apart[i] * DEGREE * 0.5));
            assert_near(slope[2], 0); /* 90 degrees north */
        }
    bench_close(&b);
}

static void slope_refuses_axes_it_cannot_use(void **state)
{
    const double folded[4] = {0, 90, 80, 270}, flat[2] = {5, 5};
    const double lat[2] = {0, 1};
    const struct {
        const char *units;
        const double *lon;
        uint64_t n;
    } cases[] = {{"degrees_east", folded, 4},
                 {"degrees_east", flat, 2},
                 {"degrees_east", lat, 1},
                 {"degrees_east", NULL, 4},
                 {"km", lat, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;
        bench_load(&b, "slope");
        bench_axis(&b, 0, "y", "degrees_north", lat, 2);
        bench_axis(&b, 1, "x", cases[i].units, cases[i].lon, cases[i].n);
        assert_int_equal(bench_plan(&b, 2), SWIM_ERR_ARG);
        assert_true(b.err.text[0] != '\0');
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wind_speed_is_the_length_of_the_vector),
        cmocka_unit_test(wind_speed_wants_components_in_one_unit),
        cmocka_unit_test(climatology_is_the_mean_of_each_month),
        cmocka_unit_test(climatology_needs_a_time_axis),
        cmocka_unit_test(slope_wraps_around_the_globe_and_ends_at_the_poles),
        cmocka_unit_test(slope_leaves_an_edge_mode_of_the_job_alone),
        cmocka_unit_test(slope_east_is_zero_at_the_poles_and_grows_towards_them),
        cmocka_unit_test(slope_north_is_one_sided_at_the_poles),
        cmocka_unit_test(slope_is_missing_at_a_missing_point_and_around_it),
        cmocka_unit_test(slope_of_a_region_is_one_sided_at_all_edges),
        cmocka_unit_test(slope_finds_its_axes_in_any_order_and_at_any_place),
        cmocka_unit_test(slope_refuses_axes_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
