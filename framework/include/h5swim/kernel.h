/* h5swim/kernel.h - what a compute kernel is, ABI version 1.
 *
 * A kernel is a shared object that exports one constant, defined with
 * SWIM_KERNEL_DEFINE().  The host (h5swim run) opens the datasets, cuts them into
 * blocks, calls the kernel with plain C arrays and writes what it computes.  A kernel
 * does no I/O, takes no lock and keeps no global variables; it may crash without harm
 * to any file.
 *
 * Order of calls, all in one thread of one process:
 *     open, plan, then any number of apply (map, stencil, window, filter)
 *     or of acc_bytes, partial, merge, finish (reduce), then close.
 * open and plan also run in processes that never see a block, always with the same
 * arguments, and must come to the same result each time.
 *
 * Missing values: in floating-point arrays a missing value is NaN, whatever the file
 * stores (_FillValue, missing_value, numbers beyond valid_range, valid_min or
 * valid_max); a NaN in an output is stored as the output's fill value.  In integer
 * arrays missing values stay as they are, and what is beyond the range becomes one, as
 * far as there is one: that which the file names, or netCDF's default where that is
 * beyond the range itself; see swim_array.missing.
 * An output's fill value is the job's "fill", else the first input's, unless that was
 * packed or converted to another unit; those, tables, and ports with an integer type of
 * their own, which are counts or the like, have netCDF's default.  A true value that is
 * equal to it reads as missing. Packed values (scale_factor, add_offset) arrive
 * unpacked, and integers whose attribute _Unsigned says so with, or without, a sign. An
 * input that is raw, by the job file or by SWIM_KERNEL_RAW, arrives as it is stored:
 * nothing is unpacked, and no value is missing.
 *
 * Versions: the host compares abi and struct_size before anything else.  New members
 * are only ever appended, and a member that a kernel's headers did not have reads as
 * zero. A change that does not keep to this raises SWIM_KERNEL_ABI and the symbol's
 * name.
 *
 * Threads: the host calls one state from one thread at a time.
 * Fork:    a state never crosses a fork.
 */
#ifndef SWIM_KERNEL_H
#define SWIM_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SWIM_KERNEL_ABI 1u /* what swim_kernel.abi is for kernels of these headers */
#define SWIM_NDIM_MAX 32   /* HDF5's own limit, H5S_MAX_RANK */

/* Element types of arrays.  The host converts between these and what files store. */
enum swim_type {
    SWIM_TYPE_ANY =
        0,         /* in a port: the type of the file (output: of the first input) */
    SWIM_TYPE_I8,  /* int8_t */
    SWIM_TYPE_U8,  /* uint8_t */
    SWIM_TYPE_I16, /* int16_t */
    SWIM_TYPE_U16, /* uint16_t */
    SWIM_TYPE_I32, /* int32_t */
    SWIM_TYPE_U32, /* uint32_t */
    SWIM_TYPE_I64, /* int64_t */
    SWIM_TYPE_U64, /* uint64_t */
    SWIM_TYPE_F32, /* float */
    SWIM_TYPE_F64, /* double */
    SWIM_TYPE_LDOUBLE, /* long double */
};

/* How outputs come from inputs: which functions a kernel has, and what its blocks are.
 */
enum swim_kernel_kind {
    SWIM_KERNEL_MAP = 1, /* an output element from the input elements at its place */
    SWIM_KERNEL_STENCIL, /* ... and from their neighbours, see swim_plan.halo_* */
    SWIM_KERNEL_REDUCE,  /* axes summed up: partial results, merged, finished */
    SWIM_KERNEL_WINDOW,  /* an output row from a window of rows along one axis */
    SWIM_KERNEL_FILTER,  /* a table of as many rows as the kernel finds */
};

/* What a halo holds beyond the edge of a dataset, named as in scipy.ndimage.  A halo
 * may be wider than the dataset: the rows below go on to both sides. */
enum swim_edge {
    SWIM_EDGE_NEAREST = 0, /* a a a | a b c d | d d d */
    SWIM_EDGE_REFLECT,     /* c b a | a b c d | d c b */
    SWIM_EDGE_WRAP,        /* b c d | a b c d | a b c */
    SWIM_EDGE_CONSTANT,    /* swim_plan.edge_value */
    SWIM_EDGE_NONE, /* window, along its axis: nothing; only windows that lie whole
                       within the axis give an output row */
};

/* --- What a kernel declares ------------------------------------------------- */

/* The type of a parameter, each with its swim_params_...(). */
enum swim_param_type {
    SWIM_PARAM_INT = 1, /* int64_t */
    SWIM_PARAM_REAL,    /* double */
    SWIM_PARAM_BOOL,    /* int: 0 or 1 */
    SWIM_PARAM_TEXT,    /* const char * */
};

/* A parameter that job files may set.  All texts are static. */
struct swim_param {
    const char *name;          /* [a-z][a-z0-9_]* */
    enum swim_param_type type; /* of its value */
    const char *preset; /* the default, as one would write it; NULL: must be given */
    const char *unit;   /* NULL: none */
    const char *description; /* one line */
    const char *choices;     /* TEXT: "one|two|three"; NULL: any */
    double min;              /* INT, REAL: the range when min < max */
    double max;              /* the last value that is allowed */
};

/* An input or an output.
 *
 * unit of an input: one that udunits knows ("m s-1"), or that of an input before it, as
 * "=" and its name ("=u").  Data in another unit that is convertible arrive converted,
 * with it as swim_field.units; in one that is not, the job is refused.  Data without a
 * unit are taken to be in the kernel's.  Raw inputs are not looked at, and integers are
 * not converted but refused.
 * unit of an output: for people; what is stored is swim_output.units. */
struct swim_port {
    const char *name;        /* as in job files; [A-Za-z_][A-Za-z0-9_]* */
    enum swim_type type;     /* of the arrays that the kernel sees */
    const char *unit;        /* NULL: any, or known only after plan() */
    const char *description; /* one line */
};

/* --- What a kernel is told about the data ------------------------------------ */

/* One axis of a field, with its coordinates where the file has them. */
struct swim_axis {
    const char *name;     /* the dimension's name; "" when it has none */
    const char *units;    /* "" when there are none; CF: "hours since 1980-01-01" */
    const char *calendar; /* "" when there is none */
    const char *standard_name; /* CF; "" when there is none */
    uint64_t length;           /* elements along it */
    const double *values;      /* length coordinates; NULL: the file has none */
};

/* One dataset. */
struct swim_field {
    const char *port;                    /* the port it is bound to */
    const char *name;                    /* the dataset's own name, without path */
    const char *units;                   /* "" when there are none */
    const char *long_name;               /* "" when there is none */
    enum swim_type type;                 /* of the arrays that the kernel will see */
    enum swim_type stored_type;          /* of the file */
    uint32_t ndim;                       /* number of axes */
    uint32_t has_missing;                /* the file names a missing value */
    const uint64_t *shape;               /* ndim lengths, the last one varies fastest */
    const struct swim_axis *const *axes; /* ndim of them */
    double missing;                      /* rounded to double */
    /* What a port of SWIM_TYPE_ANY sees: stored_type; of packed values float32 or
     * float64, whichever holds them. */
    enum swim_type natural_type;
};

/* What an output will be.  The host sets it up as the kind suggests: map, stencil and
 * window like the first input; reduce: the first input without the reduced axes;
 * filter: one new axis, "row", of the rows that are found, to which plan() may add new
 * axes.
 *
 * Window: shape[] along the axis is set by the host after plan(), see
 * swim_plan_window(); all axes of the input stay.
 * Filter: axis 0 is the rows, whose number is known when all is done: shape[0] is not
 * looked at, and axes[0] gives its name alone. */
struct swim_output {
    uint32_t ndim;                    /* number of axes */
    enum swim_type type;              /* of the array that the kernel fills */
    int32_t from_axis[SWIM_NDIM_MAX]; /* the input axis it runs along; -1: new */
    uint64_t shape[SWIM_NDIM_MAX];    /* lengths of new axes */
    const struct swim_axis *axes[SWIM_NDIM_MAX]; /* new axes; NULL: no coordinates */
    const char *units;        /* NULL: as the first input's; filter: none */
    const char *long_name;    /* likewise */
    const char *cell_methods; /* CF, e.g. "time: mean"; NULL: as the first input's; "":
                                 none; see SWIM_KERNEL_ADDS_METHODS.  reduce: "mean"
                                 alone is that of the axes which go */
    /* map: so many elements of from_axis[] are one of the output, the last of them
     * fewer; 0 and 1: one each.  The output axis has (shape + ratio - 1) / ratio
     * elements, and axes[] its coordinates; offset[] of the blocks are in the same
     * ratio. */
    uint64_t ratio[SWIM_NDIM_MAX];
};

/* Filled in by the host, changed by the kernel's plan().  Texts and axes that the
 * kernel puts here stay valid until close(). */
struct swim_plan {
    uint32_t struct_size; /* of the host's struct swim_plan */
    uint32_t n_inputs;    /* as the kernel declares */
    uint32_t n_outputs;   /* likewise */
    uint32_t
        edge_from_job; /* the job file set edge modes: plan() leaves edge[] alone */
    const struct swim_field *const *inputs; /* all of one shape */
    struct swim_output *const *outputs;     /* what they will be, to be changed */

    uint32_t halo_lo[SWIM_NDIM_MAX];    /* stencil: neighbours needed before, by axis */
    uint32_t halo_hi[SWIM_NDIM_MAX];    /* and behind */
    enum swim_edge edge[SWIM_NDIM_MAX]; /* what a halo holds beyond the edge */
    uint8_t edge_given[SWIM_NDIM_MAX];  /* the job set edge[]: plan() leaves it alone */
    double edge_value;                  /* of SWIM_EDGE_CONSTANT */

    /* reduce: which axes go; preset: all.  plan() says so with swim_plan_reduce(). */
    uint8_t reduced[SWIM_NDIM_MAX];

    /* window: plan() says so with swim_plan_window(), which also sets halo_*. */
    uint32_t window_axis;
    uint32_t window_step;  /* 0: not said */
    uint32_t window_whole; /* the window of each row is the whole axis */
};

/* --- What a kernel computes on ------------------------------------------------ */

/* A part of a dataset in memory. */
struct swim_array {
    void *data; /* the element at offset[]; neighbours lie around it, see halo_* */
    enum swim_type type;      /* of the elements */
    uint32_t ndim;            /* number of axes */
    uint64_t count;           /* product of shape[] */
    const uint64_t *shape;    /* without the halo */
    const ptrdiff_t *strides; /* in elements */
    const uint64_t *offset;   /* of data within the dataset */
    const uint32_t *halo_lo;  /* valid neighbours before, by axis */
    const uint32_t *halo_hi;  /* and behind */
    uint32_t contiguous;      /* data[0] ... data[count-1], C order */
    uint32_t has_missing;     /* integer types: missing holds the value */
    /* The value that means: missing. */
    union {
        int64_t i;  /* I8 to I64 */
        uint64_t u; /* U8 to U64 */
        double f;   /* floating point: NaN */
    } missing;
    uint64_t rows; /* filter: rows written, set by the kernel; 0 before apply() */
};

/* One unit of work.  Inputs and outputs are in the order of the ports.
 * Map: inputs and outputs are contiguous and of the same shape, but for ratio[].
 * Stencil: outputs are contiguous, inputs have the halo that was asked for.
 * Reduce: the inputs of a block share the kept axes with the outputs; offset[] says
 * where along the reduced axes they lie.  All contiguous.
 * Window: as stencil; along the window's axis, with m output rows in the block, shape[]
 * of the inputs is (m - 1) * step + 1, and output row k is made of input rows k * step
 * - lo to k * step + hi, counted from data: rows below 0 and from shape[] on are halo.
 * offset[] of the inputs is where data lies along the input's axis, offset[] of the
 * outputs along the output's.  A window of the whole axis: both have all of it.
 * Filter: inputs are contiguous.  Outputs have room for a row for each element of an
 * input: shape[0] of them; the kernel writes the first rows, one after the other, and
 * sets rows, the same in all outputs.  In the file rows stand in the order of the
 * blocks, and of each block as they were written.
 * A map or stencil that another kernel follows, in one job, computes what that one
 * needs for its block, in one call or several, and neighbours of the block again for
 * others: index is that of the block, offset[] says where each part lies. */
struct swim_block {
    uint32_t struct_size; /* of the host's struct swim_block */
    uint32_t n_inputs;    /* as the kernel declares */
    uint32_t n_outputs;   /* likewise */
    uint64_t index;       /* the number of the block in the job, from 0 */
    const struct swim_array *const *inputs; /* n_inputs of them, to be read */
    struct swim_array *const *outputs;      /* n_outputs of them, to be filled */
};

/* The parameters of a job, the host's; valid until close(). */
typedef struct swim_params swim_params_t;

/* What a kernel is; SWIM_KERNEL_DEFINE() fills in the first four.  All that it leads to
 * is static.  Functions return SWIM_OK or what swim_error_set() returns; their errors
 * are reported with the block. */
struct swim_kernel {
    uint32_t abi;         /* SWIM_KERNEL_ABI of the headers it was built with */
    uint32_t struct_size; /* sizeof(struct swim_kernel), same headers */
    uint32_t param_size;  /* sizeof(struct swim_param), same headers */
    uint32_t port_size;   /* sizeof(struct swim_port), same headers */

    const char *name;                /* as in job files; [a-z][a-z0-9_]* */
    const char *summary;             /* one line */
    enum swim_kernel_kind kind;      /* how outputs come from inputs */
    uint32_t n_inputs;               /* number of inputs, 1 at least */
    uint32_t n_outputs;              /* number of outputs, 1 at least */
    uint32_t n_params;               /* number of parameters */
    const struct swim_port *inputs;  /* n_inputs of them */
    const struct swim_port *outputs; /* n_outputs of them */
    const struct swim_param *params; /* n_params of them; NULL: none */

    /* Make a state (may be left NULL).  NULL function: nothing to open. */
    int (*open)(const swim_params_t *params, void **state, swim_error_t *err);

    /* Look at the inputs, say what is needed and what comes out.  NULL: the preset. */
    int (*plan)(void *state, struct swim_plan *plan, swim_error_t *err);

    /* Map, stencil, window, filter: fill the outputs of the block. */
    int (*apply)(void *state, const struct swim_block *block, swim_error_t *err);

    /* Reduce.  An accumulator is acc_bytes() bytes for the outputs of the block, all
     * zero at first, without pointers: the host may store it and merge it elsewhere.
     * The host calls these functions in one order that does not depend on the number
     * of processes. */
    uint64_t (*acc_bytes)(void *state, const struct swim_block *block);

    /* Add the block's inputs to acc. */
    int (*partial)(void *state, const struct swim_block *block, void *acc,
                   swim_error_t *err);

    /* Add other to acc; other comes from later along the reduced axes. */
    int (*merge)(void *state, const struct swim_block *block, void *acc,
                 const void *other, swim_error_t *err);

    /* Turn acc into the outputs. */
    int (*finish)(void *state, const struct swim_block *block, const void *acc,
                  swim_error_t *err);

    /* Once after each successful open(). */
    void (*close)(void *state);
    /* End of ABI 1.  New members go below. */

    uint32_t flags; /* of enum swim_kernel_flags */
};

/* For swim_kernel.flags. */
enum swim_kernel_flags {
    /* The inputs are raw.  Outputs that store the type of the first one keep its fill
     * value and the attributes that say what its numbers mean, and NaN in them stays.
     */
    SWIM_KERNEL_RAW = 1,
    /* With SWIM_KERNEL_RAW: elements are copied, and nothing is computed of them.  The
     * first input may then be of any type of 1, 2, 4, 8 or 16 bytes that holds all it
     * means itself: enumerations and booleans, complex and other compound numbers,
     * texts of fixed length.  It arrives as numbers of as many bytes, and an output of
     * the same type is stored as what the input is. */
    SWIM_KERNEL_COPIES = 2,
    /* swim_output.cell_methods is what the kernel does.  It is stored behind what the
     * first input says was done before, as the CF conventions have it (section 7.3: in
     * the order in which it was done).  Without this it stands alone. */
    SWIM_KERNEL_ADDS_METHODS = 4,
};

/* Elements of an array whose size the compiler knows. */
#define SWIM_COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Exports the kernel:  SWIM_KERNEL_DEFINE(.name = "scale", .kind = SWIM_KERNEL_MAP,
 * ...); */
#define SWIM_KERNEL_DEFINE(...)                              \
    SWIM_API extern const struct swim_kernel swim_kernel_v1; \
    const struct swim_kernel swim_kernel_v1 = {              \
        .abi = SWIM_KERNEL_ABI,                              \
        .struct_size = sizeof(struct swim_kernel),           \
        .param_size = sizeof(struct swim_param),             \
        .port_size = sizeof(struct swim_port),               \
        __VA_ARGS__}

/* --- What the host offers to kernels ------------------------------------------ */

/* The value of a declared parameter: what the job file says, or its default.  Asking
 * for one that is not declared with that type is a mistake in the kernel: the result is
 * 0, NaN, 0 or "", and it is logged. */
SWIM_API int64_t swim_params_int(const swim_params_t *params, const char *name);

/* The same of a SWIM_PARAM_REAL. */
SWIM_API double swim_params_real(const swim_params_t *params, const char *name);

/* The same of a SWIM_PARAM_BOOL: 0 or 1. */
SWIM_API int swim_params_bool(const swim_params_t *params, const char *name);

/* The same of a SWIM_PARAM_TEXT; valid until close(). */
SWIM_API const char *swim_params_text(const swim_params_t *params, const char *name);

/* Bytes of one element; 0 for SWIM_TYPE_ANY. */
SWIM_API size_t swim_type_size(enum swim_type type);

/* "float32", "int8", ...: as in job files; never NULL. */
SWIM_API const char *swim_type_name(enum swim_type type);

/* The smallest floating-point type of kernels that holds all values of another exactly,
 * as far as one does: SWIM_TYPE_F32 up to 16 bits and for itself, else SWIM_TYPE_F64.
 */
SWIM_API enum swim_type swim_type_floating(enum swim_type type);

/* A number as values of the type have it: for SWIM_TYPE_F32 the nearest float, so that
 * a limit of 0.7 is equal to a stored 0.7; for others as it is. */
SWIM_API double swim_type_round(enum swim_type type, double value);

/* What an axis runs along. */
enum swim_axis_kind {
    SWIM_AXIS_TIME = 1,  /* time */
    SWIM_AXIS_LATITUDE,  /* degrees north */
    SWIM_AXIS_LONGITUDE, /* degrees east */
};

/* The axis of a field that is its time, latitude or longitude by the CF conventions
 * (section 4: units, else standard_name, else name); -1: none. */
SWIM_API int swim_field_axis(const struct swim_field *field, enum swim_axis_kind kind);

/* The calendar month, 1 to 12, of each coordinate of a time axis (CF section 4.4: units
 * "UNIT since DATE" and the calendar).  months: axis->length bytes of the caller's.
 * Errors: SWIM_ERR_ARG (no coordinates, units that are no time, unknown calendar). */
SWIM_API int swim_axis_months(const struct swim_axis *axis, uint8_t *months,
                              swim_error_t *err);

/* In plan() of a reduce kernel: reduce only the given axis, and shape the outputs
 * accordingly.  length 0: the axis goes; else it is replaced, in its place, by a new
 * axis of that length, which may have coordinates (axis->length must agree) or not
 * (axis NULL).  Errors: SWIM_ERR_ARG (no such axis). */
SWIM_API int swim_plan_reduce(struct swim_plan *plan, uint32_t input_axis,
                              uint64_t length, const struct swim_axis *axis,
                              swim_error_t *err);

/* In plan() of a reduce kernel: reduce the axes that a text names, and take them from
 * the outputs.  "all", or names with commas between them: that of a dimension, dim_N
 * for the Nth of those without one, else time, latitude or longitude for what
 * swim_field_axis() finds.  Errors: SWIM_ERR_ARG (no such axis: with those there are;
 * one that is named twice). */
SWIM_API int swim_plan_reduce_axes(struct swim_plan *plan, const char *axes,
                                   swim_error_t *err);

/* The axis of a field that a name means, as above; -1: none. */
SWIM_API int swim_field_axis_named(const struct swim_field *field, const char *name);

/* The rows of a reduce block: runs of its inputs, in order, that are added up alike.
 *
 *     for (more = swim_rows_begin(&rows, block, reduced); more;
 *          more = swim_rows_next(&rows))
 *         ... rows.length elements of the inputs from rows.input on
 */
struct swim_rows {
    uint64_t input;  /* the first element */
    uint64_t output; /* what it goes to: a number among the kept axes, in C order */
    uint64_t length; /* elements of each input */
    int kept;      /* the next elements go to the next outputs; 0: all go to the same */
    uint32_t ndim; /* this and what follows is the library's alone */
    uint64_t shape[SWIM_NDIM_MAX]; /* of the axes, taken together */
    uint64_t at[SWIM_NDIM_MAX];    /* where the run is */
    uint64_t step[SWIM_NDIM_MAX];  /* in outputs */
};

/* reduced: as in struct swim_plan.  Neighbouring axes are taken together where they can
 * be, so that rows are long.  0: there is no row. */
SWIM_API int swim_rows_begin(struct swim_rows *rows, const struct swim_block *block,
                             const uint8_t *reduced);

/* The next one; 0: there is none. */
SWIM_API int swim_rows_next(struct swim_rows *rows);

/* n elements of a contiguous array of any type, from element first on, as double;
 * missing ones are NaN.  64-bit integers and long double are rounded. */
SWIM_API void swim_array_doubles(const struct swim_array *array, uint64_t first,
                                 uint64_t n, double *out);

#define SWIM_WINDOW_WHOLE UINT32_MAX /* lo and hi of swim_plan_window(): all rows */

/* In plan() of a window kernel: windows along the given axis, of lo rows before and hi
 * rows behind a row, which is the next one or, with a larger step, the step-th next
 * one: step 1 makes windows roll, step lo + hi + 1 makes them follow each other.  lo
 * and hi SWIM_WINDOW_WHOLE, both, with step 1: the whole axis is the window of each
 * row.
 *
 * With an axis of n rows the output has, along it,
 *     ceil(n / step) rows, for input rows 0, step, 2 step ...: what windows have beyond
 *         the edge is as edge[] says, or
 *     floor((n - lo - hi - 1) / step) + 1 rows, for input rows lo, lo + step ..., where
 *         edge[] is SWIM_EDGE_NONE, of the job or of the kernel.
 * Where there is an output row for each input row, coordinates stay as they are; else
 * each is the mean of those that its window has within the axis.
 * Errors: SWIM_ERR_ARG (no such axis, step 0, the whole axis on one side alone). */
SWIM_API int swim_plan_window(struct swim_plan *plan, uint32_t axis, uint32_t lo,
                              uint32_t hi, uint32_t step, swim_error_t *err);

#ifdef __cplusplus
}
#endif

#endif /* SWIM_KERNEL_H */
