/* test_output.c - output files: what others read in them, and what failures leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch_dir.h"
#include "source_scene.h"
#include "store/codec.h"
#include "store/output.h"

static const char input_cdl[] =
    "netcdf input {\n"
    "dimensions: time = UNLIMITED; lat = 3; lon = 4; bnds = 2; y = 3; x = 4;\n"
    "variables:\n"
    " double time(time); time:units = \"days since 2000-01-01\";\n"
    "  time:standard_name = \"time\"; time:bounds = \"time_bnds\"; time:axis = \"T\";\n"
    " double time_bnds(time, bnds);\n"
    " float lat(lat); lat:units = \"degrees_north\"; lat:axis = \"Y\";\n"
    " float lon(lon); lon:units = \"degrees_east\"; lon:axis = \"X\";\n"
    " double height; height:units = \"m\";\n"
    " int crs; crs:grid_mapping_name = \"latitude_longitude\";\n"
    " double lat2(y, x); lat2:units = \"degrees_north\"; lat2:bounds = \"gone\";\n"
    " float t(time, lat, lon); t:units = \"K\"; t:long_name = \"temperature\";\n"
    "  t:standard_name = \"air_temperature\"; t:_FillValue = -1.f;\n"
    "  t:missing_value = -1.f; t:valid_min = 0.f; t:coordinates = \"height gone\";\n"
    "  t:grid_mapping = \"crs\"; t:cell_methods = \"time: point\"; t:count = 3;\n"
    " short p(y, x); p:scale_factor = 0.5; p:coordinates = \"lat2\";\n"
    ":Conventions = \"CF-1.8\"; :title = \"Tést\"; :history = \"made\";\n"
    "data:\n"
    " time = 0, 1; time_bnds = 0, 1, 1, 2; lat = -10, 0, 10; lon = 0, 90, 180, 270;\n"
    " height = 2; crs = 0; lat2 = 1,2,3,4,5,6,7,8,9,10,11,12;\n"
    " t = 0,1,2,3, 4,5,6,7, 8,9,10,11, 12,13,14,15, 16,17,18,19, 20,21,22,23;\n"
    "}\n";

/* HDF5 1.10 leaks when a creation fails. */
SWIM_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static int setup(void **state)
{
    return store_sample_make(state, "input", input_cdl);
}

static struct dataset_info *inspect(void **state, const char *file, const char *dataset)
{
    struct dataset_info *info = NULL;
    swim_error_t err = {0};

    if (store_inspect(scratch_dir_file(*state, file), dataset, &info, &err))
        fail_msg("%s", err.text);
    return info;
}

/* An output that is like an input in every dimension. */
static struct output_spec spec_like(const char *file, const char *dataset,
                                    const struct dataset_info *like)
{
    struct output_spec spec = {.file = file,
                               .dataset = dataset,
                               .type = SWIM_TYPE_F32,
                               .ndim = like->ndim,
                               .shuffle = true,
                               .deflate = 4,
                               .fletcher32 = true,
                               .fill = NAN,
                               .like = like,
                               .like_source = store_source_of(like)};

    for (uint32_t i = 0; i < like->ndim; i++) {
        spec.shape[i] = like->shape[i];
        spec.chunk[i] = like->shape[i] > 2 ? 2 : like->shape[i];
        spec.from_axis[i] = (int32_t)i;
    }
    return spec;
}

static const struct output_job job = {
    .mark = "digest-1", .description = "what: ever\n", .n_blocks = 1};

static void create(const char *file, const struct output_spec *specs, size_t n)
{
    swim_error_t err = {0};

    if (output_create(file, true, specs, n, "h5swim run job.yaml", &job, &store_now,
                      &err))
        fail_msg("%s", err.text);
}

/* Write counting values, 100 at the first element, through the codec. */
static void write_all(const char *file, const struct output_spec *spec)
{
    const uint64_t *shape = spec->shape, *chunk = spec->chunk;
    const uint64_t zero[3] = {0};
    float data[24], plain[8];
    unsigned char coded[256];
    struct codec *codec = NULL;
    struct output *o = NULL;
    swim_error_t err = {0};

    for (int i = 0; i < 24; i++)
        data[i] = (float)(100 + i);
    if (codec_create(8 * sizeof(float), sizeof(float), spec->shuffle, spec->deflate,
                     spec->fletcher32, &codec, &err) ||
        output_open(file, spec, 1, &store_now, &o, &err))
        fail_msg("%s", err.text);
    assert_true(codec_bound(codec) <= sizeof(coded));
    for (uint64_t a = 0; a < shape[0]; a += chunk[0])
        for (uint64_t b = 0; b < shape[1]; b += chunk[1])
            for (uint64_t c = 0; c < shape[2]; c += chunk[2]) {
                const uint64_t coords[3] = {a, b, c};
                const float fill = NAN;
                size_t n = 0;
                codec_gather(data, 3, shape, zero, sizeof(float), coords, chunk, &fill,
                             plain);
                if (codec_encode(codec, plain, coded, &n, &err) ||
                    output_write_chunk(o, 0, coords, coded, n, &err))
                    fail_msg("%s", err.text);
            }
    if (output_close(o, false, &err))
        fail_msg("%s", err.text);
    codec_destroy(codec);
}

static void read_all(const struct dataset_info *info, float *buf)
{
    const uint64_t zero[SWIM_NDIM_MAX] = {0};
    struct dataset *ds = NULL;
    swim_error_t err = {0};

    if (dataset_open(store_source_of(info), info, SWIM_TYPE_F32, NULL, &ds, &err) ||
        dataset_read(ds, zero, info->shape, buf, info->shape, zero, &err))
        fail_msg("%s", err.text);
    dataset_close(ds);
}

/* The command's output has the given text. */
static bool says(void **state, const char *command, const char *text)
{
    char line[2048];

    snprintf(line, sizeof(line),
             "{ %s; } > said 2>&1 || { cat said; exit 1; }; grep -qF -- '%s' said ||"
             "{ cat said; exit 1; }",
             command, text);
    return scratch_dir_run(*state, line) == 0;
}

static void an_output_starts_all_missing_and_unfinished(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t"), *made;
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "r", like);
    swim_error_t err = {0};
    float values[24] = {0};

    spec.fill = 1e20;
    create(file, &spec, 1);
    made = inspect(state, "out.nc", "/r");
    assert_int_equal(made->deflate, 4);
    assert_true(made->shuffle && made->fletcher32 && !made->other_filters);
    assert_int_equal(made->chunk[2], 2);
    assert_int_equal(made->stored_type, SWIM_TYPE_F32);
    assert_true((float)made->missing == 1e20F);
    assert_string_equal(made->units, "K");
    assert_string_equal(made->long_name, "temperature");
    read_all(made, values);
    for (int i = 0; i < 24; i++)
        assert_true(isnan(values[i]));
    file = scratch_dir_file(*state, "out.nc");
    assert_int_equal(output_refuse_existing(file, &store_now, &err), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "unfinished"));
    assert_non_null(strstr(err.text, "digest-1"));
    assert_non_null(strstr(err.text, "--overwrite"));
    store_forget(made);
    store_forget(like);
}

static void written_chunks_are_read_back(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t"), *made;
    char file[512];
    struct output_spec spec;
    swim_error_t err = {0};
    float values[24] = {0};

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    spec = spec_like(file, "r", like);
    create(file, &spec, 1);
    write_all(file, &spec);
    assert_int_equal(output_finish(file, &spec, 1, &store_now, &err), SWIM_OK);
    made = inspect(state, "out.nc", "r");
    read_all(made, values);
    for (int i = 0; i < 24; i++)
        assert_true(values[i] == (float)(100 + i));
    assert_int_equal(output_refuse_existing(file, &store_now, &err), SWIM_ERR_ARG);
    assert_null(strstr(err.text, "is the unfinished"));
    assert_int_equal(
        output_refuse_existing(scratch_dir_file(*state, "no"), &store_now, NULL),
        SWIM_OK);
    store_forget(made);
    store_forget(like);
}

static void slabs_of_every_type_are_read_back(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "lat");
    char file[512];

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    for (int t = SWIM_TYPE_I8; t <= SWIM_TYPE_LDOUBLE; t++) {
        const int8_t three[3] = {1, 2, 100};
        const uint64_t start = 0, count = 3;
        struct output_spec spec = spec_like(file, "r", like);
        struct output *o = NULL;
        unsigned char raw[48];
        float values[3] = {0};
        spec.type = (enum swim_type)t;
        spec.fill = 100;
        create(file, &spec, 1);
        codec_convert(SWIM_TYPE_I8, three, spec.type, raw, 3, false, 0, NULL);
        assert_int_equal(output_open(file, &spec, 1, &store_now, &o, NULL), SWIM_OK);
        assert_int_equal(output_write_slab(o, 0, &start, &count, raw, NULL), SWIM_OK);
        assert_int_equal(output_close(o, false, NULL), SWIM_OK);
        struct dataset_info *made = inspect(state, "out.nc", "r");
        assert_int_equal(made->stored_type, t);
        read_all(made, values);
        assert_true(values[0] == 1 && values[1] == 2 && isnan(values[2]));
        store_forget(made);
    }
    store_forget(like);
}

static void netcdf_cdo_and_xarray_read_it(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    char file[512];
    struct output_spec spec;

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    spec = spec_like(file, "r", like);
    create(file, &spec, 1);
    write_all(file, &spec);
    assert_int_equal(output_finish(file, &spec, 1, &store_now, NULL), SWIM_OK);
    assert_true(says(state, "ncdump -h out.nc", "float r(time, lat, lon)"));
    assert_true(says(state, "ncdump out.nc", "r:_FillValue = NaNf"));
    assert_true(says(state, "ncdump out.nc", "time_bnds ="));
    assert_true(says(state, "ncdump out.nc", "time:bounds = \"time_bnds\""));
    assert_true(says(state, "ncdump -h out.nc", "time = 2 ;"));
    assert_true(says(state, "ncdump -h out.nc", "r:coordinates = \"height\""));
    assert_true(says(state, "ncdump -h out.nc", "r:grid_mapping = \"crs\""));
    assert_true(says(state, "ncdump -h out.nc", "r:cell_methods = \"time: point\""));
    assert_true(
        says(state, "ncdump -h out.nc", "r:standard_name = \"air_temperature\""));
    assert_true(says(state, "ncdump -h out.nc", "r:count = 3"));
    assert_true(says(state, "ncdump -h out.nc", "int crs ;"));
    assert_true(says(state, "ncdump -h out.nc", ":title = \"Tést\""));
    assert_true(
        says(state, "ncdump -h out.nc", ":history = \"h5swim run job.yaml\\nmade\""));
    assert_false(scratch_dir_run(*state, "! ncdump -h out.nc | grep -q "
                                         "'valid_min\\|unfinished\\|_nc3'"));
    if (scratch_dir_run(*state, "command -v cdo > cdo-path") == 0) {
        assert_true(says(state, "cdo -s sinfo out.nc", "points=12 (4x3)"));
        assert_true(says(state, "cdo -s outputf,%g -timmean out.nc", "117"));
    }
    if (scratch_dir_run(*state, "/usr/bin/python3 -c 'import xarray' 2> no") == 0)
        assert_true(says(state,
                         "/usr/bin/python3 -c \"import xarray as x\n"
                         "d = x.open_dataset('out.nc')\n"
                         "print(d.r.sel(lat=10, lon=90, time='2000-01-02').item())\"",
                         "121.0"));
    store_forget(like);
}

/* netCDF can also write on, which it refuses without the order of creation. */
static void netcdf_can_change_it(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "/a/b/r", like);

    create(file, &spec, 1);
    assert_true(says(state,
                     "/usr/bin/python3 -c \"import netCDF4\n"
                     "d = netCDF4.Dataset('out.nc', 'a')\n"
                     "d['a/b/r'][0, 0, 0] = 5; d['a/b/r'].note = 'x'; d.close()\"; "
                     "ncdump -h out.nc",
                     "group: b {"));
    assert_true(says(state, "ncdump -h out.nc", "r:note"));
    store_forget(like);
}

static void the_new_attributes_win(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "r", like);

    spec.type = SWIM_TYPE_I16;
    spec.fill = -999;
    spec.units = "degC";
    spec.long_name = "";
    spec.cell_methods = "time: mean";
    create(file, &spec, 1);
    assert_true(says(state, "ncdump -h out.nc", "r:units = \"degC\""));
    assert_true(says(state, "ncdump -h out.nc", "r:cell_methods = \"time: mean\""));
    assert_true(says(state, "ncdump -h out.nc", "r:_FillValue = -999s"));
    assert_true(says(state, "ncdump -h out.nc", "r:missing_value = -999s"));
    assert_false(scratch_dir_run(*state, "! ncdump -h out.nc | grep -q long_name"));
    assert_false(
        scratch_dir_run(*state, "! ncdump -h out.nc | grep -q air_temperature"));
    store_forget(like);
}

static void new_axes_get_coordinates_or_a_name(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t"), *made;
    const char *file = scratch_dir_file(*state, "out.nc");
    const double months[3] = {1, 2, 3};
    const struct swim_axis month = {.name = "month",
                                    .units = "1",
                                    .calendar = "",
                                    .standard_name = "m",
                                    .length = 3,
                                    .values = months};
    const struct swim_axis named = {.name = "bin", .length = 2};
    struct output_spec spec = spec_like(file, "r", like);

    spec.ndim = 4;
    spec.from_axis[0] = spec.from_axis[1] = spec.from_axis[2] = -1;
    spec.shape[0] = 3;
    spec.axes[0] = &month;
    spec.shape[1] = 2;
    spec.axes[1] = &named;
    spec.shape[2] = 5;
    spec.shape[3] = 4;
    spec.from_axis[3] = 2;
    spec.chunk[0] = spec.chunk[1] = spec.chunk[2] = spec.chunk[3] = 1;
    create(file, &spec, 1);
    made = inspect(state, "out.nc", "r");
    assert_string_equal(made->axes[0].name, "month");
    assert_string_equal(made->axes[0].units, "1");
    assert_true(made->axes[0].values[2] == 3);
    assert_string_equal(made->axes[1].name, "bin");
    assert_null(made->axes[1].values);
    assert_string_equal(made->axes[2].name, "dim_2");
    assert_true(made->axes[3].values[1] == 90);
    assert_true(says(state, "ncdump -h out.nc", "float r(month, bin, dim_2, lon)"));
    store_forget(made);
    store_forget(like);
}

static void equal_scales_are_shared_and_others_renamed(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    const double other[3] = {-10, 0, 11};
    const struct swim_axis lat = {.name = "lat", .length = 3, .values = other};
    struct output_spec specs[3] = {spec_like(file, "a", like),
                                   spec_like(file, "b", like),
                                   spec_like(file, "c", like)};

    specs[2].from_axis[1] = -1;
    specs[2].axes[1] = &lat;
    create(file, specs, 3);
    assert_true(says(state, "ncdump -h out.nc", "float b(time, lat, lon)"));
    assert_true(says(state, "ncdump -h out.nc", "float c(time, lat_2, lon)"));
    assert_true(says(state, "ncdump -v lat_2 out.nc", "lat_2 = -10, 0, 11"));
    store_forget(like);
}

static void two_dimensional_coordinates_come_along(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "p");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "q", like);

    create(file, &spec, 1);
    assert_true(says(state, "ncdump -h out.nc", "double lat2(y, x)"));
    assert_true(says(state, "ncdump -h out.nc", "q:coordinates = \"lat2\""));
    assert_false(
        scratch_dir_run(*state, "! ncdump -h out.nc | grep -q 'scale_fac\\|bounds'"));
    /* Without one of its dimensions it cannot come. */
    spec.ndim = 1;
    create(scratch_dir_file(*state, "out.nc"), &spec, 1);
    assert_false(scratch_dir_run(*state, "! ncdump -h out.nc | grep -q lat2"));
    store_forget(like);
}

static void a_coordinate_variable_can_be_the_input(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "time");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "time", like);

    create(file, &spec, 1);
    assert_true(says(state, "ncdump -h out.nc", "float time(time_2)"));
    store_forget(like);
}

static void a_scalar_output(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t"), *made;
    char file[512];
    struct output_spec spec;
    struct output *o = NULL;
    const float value = 7;
    float back = 0;

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    spec = spec_like(file, "mean", like);
    spec.ndim = 0;
    create(file, &spec, 1);
    assert_int_equal(output_open(file, &spec, 1, &store_now, &o, NULL), SWIM_OK);
    assert_int_equal(output_write_slab(o, 0, NULL, NULL, &value, NULL), SWIM_OK);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    made = inspect(state, "out.nc", "mean");
    read_all(made, &back);
    assert_true(back == 7);
    store_forget(made);
    store_forget(like);
}

/* --- failures ------------------------------------------------------------------------
 */

/* Creation fails with code; the file of that name and the folder stay as they were. */
static void create_fails(void **state, const struct output_spec *specs, size_t n,
                         int code)
{
    swim_error_t err = {0};

    assert_int_equal(scratch_dir_run(*state, "echo precious > out.nc; ls -A > before"),
                     0);
    assert_int_equal(
        output_create(specs->file, true, specs, n, "h", &job, &store_now, &err), code);
    assert_true(err.text[0]);
    assert_int_equal(scratch_dir_run(*state,
                                     "grep -q precious out.nc && ls -A > after &&"
                                     "grep -vx after after | cmp - before"),
                     0);
    assert_int_equal(scratch_dir_run(*state, "rm -f after"), 0);
}

static void a_failed_creation_leaves_the_old_file(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec good = spec_like(file, "r", like), bad = good;
    struct output_spec twice[2] = {good, good}, below[2] = {good, good};

    create_fails(state, twice, 2, SWIM_ERR_IO);
    below[1].dataset = "r/x";
    create_fails(state, below, 2, SWIM_ERR_ARG);
    bad.dataset = "/";
    create_fails(state, &bad, 1, SWIM_ERR_ARG);
    bad = good;
    bad.type = SWIM_TYPE_U8;
    create_fails(state, &bad, 1, SWIM_ERR_ARG);
    bad.fill = -1;
    create_fails(state, &bad, 1, SWIM_ERR_ARG);
    bad = good;
    bad.chunk[0] = 3;
    create_fails(state, &bad, 1, SWIM_ERR_ARG);
    bad = good;
    bad.shape[1] = 4;
    create_fails(state, &bad, 1, SWIM_ERR_ARG);
    store_forget(like);
}

static void refuses_places_where_no_file_can_be(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    swim_error_t err = {0};
    struct output_spec spec = spec_like("x", "r", like);

    assert_int_equal(output_create(scratch_dir_file(*state, "no/out.nc"), true, &spec,
                                   1, "h", &job, &store_now, &err),
                     SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "no directory"));
    assert_int_equal(output_create(scratch_dir_file(*state, ""), true, &spec, 1, "h",
                                   &job, &store_now, NULL),
                     SWIM_ERR_ARG);
    assert_int_equal(
        output_create("/dev/null", true, &spec, 1, "h", &job, &store_now, NULL),
        SWIM_ERR_ARG);
    store_forget(like);
}

static void what_a_killed_creation_left_is_swept(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "r", like);

    assert_int_equal(
        scratch_dir_run(*state, "echo x > out.nc.swimnew; touch other.nc.swimnew"), 0);
    create(file, &spec, 1);
    assert_int_equal(scratch_dir_run(*state, "test ! -e out.nc.swimnew && "
                                             "test -e other.nc.swimnew"),
                     0);
    store_forget(like);
}

static void the_mode_of_a_replaced_file_is_kept(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "r", like);
    struct stat st;
    mode_t mask = umask(027);

    create(file, &spec, 1);
    umask(mask);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(chmod(file, 0604), 0);
    create(file, &spec, 1);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    store_forget(like);
}

static void an_output_does_not_replace_the_input_that_is_read(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    struct output_spec spec = spec_like(like->file, "t", like);
    swim_error_t err = {0};

    assert_int_equal(
        output_create(like->file, true, &spec, 1, "h", &job, &store_now, &err),
        SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "has it open"));
    assert_true(says(state, "ncdump -h input.nc", "short p(y, x)"));
    store_forget(like);
}

static void without_replace_an_existing_file_is_refused(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "out.nc");
    struct output_spec spec = spec_like(file, "r", like);
    swim_error_t err = {0};

    assert_int_equal(output_create(file, false, &spec, 1, "h", &job, &store_now, &err),
                     SWIM_OK);
    assert_int_equal(output_create(file, false, &spec, 1, "h", &job, &store_now, &err),
                     SWIM_ERR_ARG);
    assert_non_null(
        strstr(err.text, "unfinished output of a job (dataset /r, job digest-1)"));
    store_forget(like);
}

/* Others see whole commits, and what is after the last one never, when it is killed. */
static void others_see_what_is_committed(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "lat"), *made;
    char file[512];
    const uint64_t at = 0, count = 2;
    const float one[2] = {1, 1}, two[2] = {2, 2};
    float values[3] = {0};
    struct output *o = NULL;
    swim_error_t err = {0};

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    struct output_spec spec = spec_like(file, "r", like);
    create(file, &spec, 1);
    assert_int_equal(output_open(file, &spec, 1, &store_now, &o, NULL), SWIM_OK);
    assert_int_equal(output_write_slab(o, 0, &at, &count, one, NULL), SWIM_OK);
    assert_int_equal(output_commit(o, &err), SWIM_OK);
    assert_int_equal(output_write_slab(o, 0, &at, &count, two, NULL), SWIM_OK);
    /* Another process reads; this one is the writer. */
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        made = inspect(state, "out.nc", "r");
        read_all(made, values);
        _exit(values[0] == 1 && values[1] == 1 && isnan(values[2]) ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    made = inspect(state, "out.nc", "r");
    read_all(made, values);
    assert_true(values[0] == 2 && values[1] == 2);
    store_forget(made);
    store_forget(like);
}

static void a_symbolic_link_stays_and_its_target_is_replaced(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    const char *file = scratch_dir_file(*state, "link.nc");
    struct output_spec spec = spec_like(file, "r", like);

    assert_int_equal(
        scratch_dir_run(*state, "mkdir d; touch d/out.nc; ln -s d/out.nc link.nc"), 0);
    create(file, &spec, 1);
    assert_int_equal(scratch_dir_run(*state, "test -L link.nc"), 0);
    assert_true(says(state, "ncdump -h d/out.nc", "float r(time, lat, lon)"));
    store_forget(like);
}

static void what_does_not_fit_is_not_opened(void **state)
{
    struct dataset_info *like = inspect(state, "input.nc", "t");
    char file[512];
    struct output_spec spec, other;
    struct output *o = NULL;

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    spec = other = spec_like(file, "r", like);
    create(file, &spec, 1);
    other.chunk[2] = 3;
    assert_int_equal(output_open(file, &other, 1, &store_now, &o, NULL), SWIM_ERR_ARG);
    other = spec;
    other.type = SWIM_TYPE_F64;
    assert_int_equal(output_open(file, &other, 1, &store_now, &o, NULL), SWIM_ERR_ARG);
    other = spec;
    other.shuffle = false;
    assert_int_equal(output_open(file, &other, 1, &store_now, &o, NULL), SWIM_ERR_ARG);
    other = spec;
    other.dataset = "s";
    assert_int_equal(output_open(file, &other, 1, &store_now, &o, NULL), SWIM_ERR_IO);
    assert_null(o);
    assert_int_equal(output_finish(file, &spec, 1, &store_now, NULL), SWIM_OK);
    assert_int_equal(output_open(file, &spec, 1, &store_now, &o, NULL), SWIM_ERR_ARG);
    store_forget(like);
}

/* --- disk full: in a child, whose exit must not crash
 * ---------------------------------- */

#define FULL_CHUNK 65536

/* Many dimensions make the index of the chunks take more than a page. */
static struct output_spec big_spec(const char *file)
{
    struct output_spec spec = {
        .file = file, .dataset = "r", .type = SWIM_TYPE_F32, .ndim = 30, .fill = NAN};

    for (uint32_t i = 0; i < spec.ndim; i++) {
        spec.shape[i] = i ? 1 : FULL_CHUNK * 64 / 4;
        spec.chunk[i] = i ? 1 : FULL_CHUNK / 4;
        spec.from_axis[i] = -1;
    }
    return spec;
}

/* Chunks until one fails; then all calls fail with that, and the close, too. */
static int write_until_full(const char *file)
{
    static const unsigned char chunk[FULL_CHUNK];
    struct output_spec spec = big_spec(file);
    struct output *o = NULL;
    swim_error_t err = {0}, closing = {0};
    int rc = output_open(file, &spec, 1, &store_now, &o, &err);

    for (uint64_t i = 0; i < 64 && rc == SWIM_OK; i++) {
        const uint64_t at[SWIM_NDIM_MAX] = {i * FULL_CHUNK / 4};
        rc = output_write_chunk(o, 0, at, chunk, sizeof(chunk), &err);
    }
    if (rc != SWIM_ERR_IO || !strstr(err.text, "No space left on device"))
        return 2;
    if (output_close(o, false, &closing) != SWIM_ERR_IO ||
        !strstr(closing.text, "No space left on device"))
        return 3;
    return 0;
}

/* Take what space is left, in a file beside. */
static void fill_up(const char *file)
{
    static const char page[4096];
    char ballast[1200];
    FILE *rest;

    snprintf(ballast, sizeof(ballast), "%s.ballast", file);
    rest = fopen(ballast, "w");
    while (rest && fwrite(page, 1, sizeof(page), rest) == sizeof(page) &&
           fflush(rest) == 0)
        ;
    if (rest)
        fclose(rest);
}

/* All chunks fit, but not the metadata that lead to them. */
static int close_when_full(const char *file)
{
    static const unsigned char chunk[FULL_CHUNK];
    struct output_spec spec = big_spec(file);
    struct output *o = NULL;
    swim_error_t err = {0};
    const uint64_t at[SWIM_NDIM_MAX] = {0};

    if (output_open(file, &spec, 1, &store_now, &o, &err) ||
        output_write_chunk(o, 0, at, chunk, sizeof(chunk), &err))
        return 4;
    fill_up(file);
    if (output_close(o, false, &err) != SWIM_ERR_IO ||
        !strstr(err.text, "No space left on device"))
        return 5;
    return 0;
}

static int create_when_full(const char *file)
{
    struct output_spec spec = big_spec(file);
    swim_error_t err = {0};

    fill_up(file);
    if (output_create(file, true, &spec, 1, "h", &job, &store_now, &err) != SWIM_ERR_IO)
        return 6;
    return strstr(err.text, "No space left on device") ? 0 : 7;
}

static int in_child(int (*body)(const char *file), const char *file)
{
    int status = -1;
    pid_t pid;

    fflush(NULL); /* or both would write what is buffered */
    pid = fork();

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* not cmocka's handler, which would go on here */
        exit(body(file)); /* NOLINT(concurrency-mt-unsafe): HDF5's exit handler runs */
    }
    waitpid(pid, &status, 0);
    return status;
}

static void a_full_disk_is_reported_and_the_file_stays(void **state)
{
    char folder[512], file[600], other[600];
    struct output_spec spec;
    struct dataset_info *made = NULL;

    snprintf(folder, sizeof(folder), "%s", scratch_dir_file(*state, "full"));
    snprintf(file, sizeof(file), "%s/out.nc", folder);
    snprintf(other, sizeof(other), "%s/other.nc", folder);
    if (mkdir(folder, 0700) < 0 || mount("h5swim", folder, "tmpfs", 0, "size=1m") < 0) {
        print_message("skipped: may not mount a tmpfs\n");
        skip();
    }
    spec = big_spec(file);
    create(file, &spec, 1);
    int full = in_child(write_until_full, file);
    int cut = scratch_dir_run(*state, "test `stat -c %s full/out.nc` -lt 65536");
    int readable = store_inspect(file, "r", &made, NULL);
    store_forget(made);
    made = NULL;
    int closing = in_child(close_when_full, file);
    int readable_again = store_inspect(file, "r", &made, NULL);
    store_forget(made);
    int creating = in_child(create_when_full, other);
    int left = scratch_dir_run(*state, "test -z \"$(ls -A full | grep swim)\" && "
                                       "test ! -e full/other.nc");
    umount(folder);
    assert_int_equal(full, 0);
    assert_int_equal(cut, 0);
    assert_int_equal(readable, SWIM_OK);
    assert_int_equal(closing, 0);
    assert_int_equal(readable_again, SWIM_OK);
    assert_int_equal(creating, 0);
    assert_int_equal(left, 0);
}

/* A session killed before its commit leaves the file as it was opened, however much
 * metadata there was: more than HDF5's cache would hold by itself. */
#define MANY_CHUNKS 10000

static struct output_spec many_spec(const char *file)
{
    struct output_spec spec = big_spec(file);

    spec.shape[0] = MANY_CHUNKS;
    spec.chunk[0] = 1;
    return spec;
}

static int write_and_die(const char *file)
{
    static const float value = 5;
    struct output_spec spec = many_spec(file);
    struct output *o = NULL;

    if (output_open(file, &spec, 1, &store_now, &o, NULL))
        _exit(1);
    for (uint64_t i = 0; i < MANY_CHUNKS; i++) {
        const uint64_t at[SWIM_NDIM_MAX] = {i};
        if (output_write_chunk(o, 0, at, &value, sizeof(value), NULL))
            _exit(1);
    }
    _exit(0);
}

static void a_killed_session_leaves_the_file_as_it_was(void **state)
{
    char file[512];
    struct output_spec spec;
    struct output *o = NULL;

    snprintf(file, sizeof(file), "%s", scratch_dir_file(*state, "out.nc"));
    spec = many_spec(file);
    create(file, &spec, 1);
    assert_int_equal(scratch_dir_run(*state, "cp out.nc before.nc"), 0);
    assert_int_equal(in_child(write_and_die, file), 0);
    assert_int_equal(scratch_dir_run(*state, "test `stat -c %s out.nc` -gt "
                                             "`stat -c %s before.nc`"),
                     0);
    assert_int_equal(output_open(file, &spec, 1, &store_now, &o, NULL), SWIM_OK);
    assert_int_equal(output_close(o, false, NULL), SWIM_OK);
    assert_int_equal(scratch_dir_run(*state, "cmp out.nc before.nc"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, store_sample_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_output_starts_all_missing_and_unfinished),
        TEST(written_chunks_are_read_back),
        TEST(slabs_of_every_type_are_read_back),
        TEST(netcdf_cdo_and_xarray_read_it),
        TEST(netcdf_can_change_it),
        TEST(the_new_attributes_win),
        TEST(new_axes_get_coordinates_or_a_name),
        TEST(equal_scales_are_shared_and_others_renamed),
        TEST(two_dimensional_coordinates_come_along),
        TEST(a_coordinate_variable_can_be_the_input),
        TEST(a_scalar_output),
        TEST(a_failed_creation_leaves_the_old_file),
        TEST(refuses_places_where_no_file_can_be),
        TEST(what_a_killed_creation_left_is_swept),
        TEST(the_mode_of_a_replaced_file_is_kept),
        TEST(an_output_does_not_replace_the_input_that_is_read),
        TEST(without_replace_an_existing_file_is_refused),
        TEST(others_see_what_is_committed),
        TEST(a_symbolic_link_stays_and_its_target_is_replaced),
        TEST(what_does_not_fit_is_not_opened),
        TEST(a_full_disk_is_reported_and_the_file_stays),
        TEST(a_killed_session_leaves_the_file_as_it_was),
    };
    return cmocka_run_group_tests(tests, store_server_start, store_server_end);
}
