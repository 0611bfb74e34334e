/* chain.c - the inputs of the last kernel of a chain, computed by those before it. */
#include "batch/chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batch/compute_private.h"
#include "batch/edges.h"
#include "core/clock.h"
#include "core/meter.h"
#include "store/box.h"
#include "store/codec.h"
#include "store/types.h"

#define ROW_MOST 512 /* elements that are converted at once */

/* A kernel before the last one: its buffers, for what is computed at once. */
struct stage {
    const struct setup *setup;
    struct work *work;
    void *in[KERNEL_PORTS_MAX];
    void *out[KERNEL_PORTS_MAX];
    unsigned char constants[KERNEL_PORTS_MAX][16]; /* of the kernel that it feeds */
};

struct chain {
    const struct setup *setup; /* of the last kernel */
    struct reader_shared *shared;
    struct region_counters *counters;
    uint32_t n; /* of stages: those before the last kernel, the nearest first */
    struct stage *stages;
    struct inputs *inputs; /* of the block that is computed */
    uint64_t block;
};

/* What a kernel wants of the stage before it. */
struct wish {
    struct chain *chain;
    uint32_t stage;
    const struct setup *taker;
    void *const *bufs;
};

/* --- buffers --------------------------------------------------------------------- */

static int stage_create(struct stage *s, const struct setup *taker, swim_error_t *err)
{
    const struct setup *setup = s->setup = taker->before;
    uint64_t in = 1, out = setup_chain_elements(setup);
    int rc = work_create(setup, &s->work, err);

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        in *= setup->slice[a] + setup->plan.halo_lo[a] + setup->plan.halo_hi[a];
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++) {
        s->in[i] = malloc(in * swim_type_size(setup->inputs[i].type));
        if (!s->in[i])
            rc = SWIM_ERR_NOMEM;
    }
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        s->out[i] = malloc(out * swim_type_size(setup->outputs[i].type));
        if (!s->out[i])
            rc = SWIM_ERR_NOMEM;
    }
    if (rc != SWIM_OK)
        return swim_error_set(err, SWIM_ERR_NOMEM, "buffers for kernel %s",
                              setup->kernel->api.name);
    for (uint32_t i = 0; rc == SWIM_OK && i < taker->n_inputs; i++)
        rc = codec_convert(SWIM_TYPE_F64, &taker->plan.edge_value,
                           taker->inputs[i].type, s->constants[i], 1, false, 0, err);
    return rc;
}

int chain_create(const struct setup *setup, struct region *region, uint32_t reader,
                 struct chain **out, swim_error_t *err)
{
    struct chain *chain;
    int rc = SWIM_OK;

    *out = NULL;
    if (!setup->before)
        return SWIM_OK;
    chain = calloc(1, sizeof(*chain));
    if (!chain)
        return swim_error_set(err, SWIM_ERR_NOMEM, "buffers of a chain");
    chain->setup = setup;
    chain->shared = region_reader(region, reader);
    chain->counters = &region->counters;
    chain->n = setup_number(setup) - 1;
    chain->stages = calloc(chain->n, sizeof(*chain->stages));
    if (!chain->stages) {
        chain_destroy(chain);
        return swim_error_set(err, SWIM_ERR_NOMEM, "buffers of a chain");
    }
    for (uint32_t i = 0; rc == SWIM_OK && i < chain->n; i++, setup = setup->before)
        rc = stage_create(&chain->stages[i], setup, err);
    if (rc == SWIM_OK)
        *out = chain;
    else
        chain_destroy(chain);
    return rc;
}

void chain_destroy(struct chain *chain)
{
    if (!chain)
        return;
    for (uint32_t i = 0; chain->stages && i < chain->n; i++) {
        struct stage *s = &chain->stages[i];
        for (uint32_t k = 0; k < KERNEL_PORTS_MAX; k++) {
            free(s->in[k]);
            free(s->out[k]);
        }
        work_destroy(s->work);
    }
    free(chain->stages);
    free(chain);
}

/* --- from one kernel's type to the next one's ------------------------------------- */

static bool is_nan(enum swim_type type, const void *at)
{
    if (type == SWIM_TYPE_F32)
        return isnan(*(const float *)at);
    if (type == SWIM_TYPE_F64)
        return isnan(*(const double *)at);
    return isnan(*(const long double *)at);
}

int chain_convert(enum swim_type from, const void *src, enum swim_type to, void *dst,
                  uint64_t n, double missing, swim_error_t *err)
{
    const size_t from_size = swim_type_size(from), to_size = swim_type_size(to);
    const bool from_float = swim_type_is_float(from), to_float = swim_type_is_float(to);
    const double nan = (double)NAN;
    _Alignas(16) unsigned char gone[16], instead[16];
    int rc = codec_convert(from, src, to, dst, n, false, 0, err);

    if (rc != SWIM_OK || from_float == to_float)
        return rc;
    rc = codec_convert(SWIM_TYPE_F64, &missing, from, gone, 1, false, 0, err);
    if (rc == SWIM_OK)
        rc = to_float
                 ? codec_convert(SWIM_TYPE_F64, &nan, to, instead, 1, false, 0, err)
                 : codec_convert(from, gone, to, instead, 1, false, 0, err);
    for (uint64_t i = 0; rc == SWIM_OK && i < n; i++) {
        const unsigned char *element = (const unsigned char *)src + i * from_size;
        if (from_float ? is_nan(from, element) : memcmp(element, gone, from_size) == 0)
            memcpy((unsigned char *)dst + i * to_size, instead, to_size);
    }
    return rc;
}

/* --- pieces ------------------------------------------------------------------------
 */

static int want(struct chain *c, uint32_t stage, const struct setup *taker,
                const struct block_range *range, void *const *bufs, swim_error_t *err);

static int get_inputs(struct chain *c, uint32_t stage, const struct block_range *range,
                      swim_error_t *err)
{
    struct stage *s = &c->stages[stage];
    uint64_t shape[SWIM_NDIM_MAX], elements;
    int rc = SWIM_OK;

    if (stage + 1 < c->n)
        return want(c, stage + 1, s->setup, range, s->in, err);
    (void)swim_meter_set(SWIM_AT_READ);
    (void)work_buffer_shape(s->work, s->setup, range, shape, &elements);
    for (uint32_t i = 0; rc == SWIM_OK && i < s->setup->n_inputs; i++) {
        rc = inputs_read(c->inputs, i, range, s->in[i], err);
        count_read(c->counters, c->shared,
                   elements * swim_type_size(s->setup->inputs[i].type));
    }
    (void)swim_meter_set(SWIM_AT_KERNEL); /* until the next one is read */
    return rc;
}

/* For who looks after this reader: from now on it is at that kernel. */
static void tell(struct chain *c, uint32_t back)
{
    atomic_store(&c->shared->busy_ns, swim_clock_mono_ns());
    atomic_store(&c->shared->back, back);
}

/* Whether the piece is all that is wanted of an input, in the type that it is made in:
 * then it is made in its place. */
static bool in_place(const struct wish *w, uint32_t input, const uint64_t *count,
                     const uint64_t *shape)
{
    const struct setup_input *in = &w->taker->inputs[input];

    return in->type == in->info->stored_type &&
           memcmp(count, shape, w->taker->blocks.ndim * sizeof(*count)) == 0;
}

static int apply(const struct wish *w, const struct block_range *range,
                 const uint64_t *buf_shape, swim_error_t *err)
{
    struct chain *c = w->chain;
    struct stage *s = &c->stages[w->stage];
    uint64_t shape[SWIM_NDIM_MAX], elements, first;
    swim_error_t said = {0};

    work_set_range(s->work, s->setup, c->block, range);
    first = work_buffer_shape(s->work, s->setup, range, shape, &elements);
    for (uint32_t i = 0; i < s->setup->n_inputs; i++)
        s->work->inputs[i].array.data =
            (char *)s->in[i] + first * swim_type_size(s->setup->inputs[i].type);
    for (uint32_t i = 0; i < w->taker->n_inputs; i++) {
        uint32_t from = w->taker->inputs[i].from;
        s->work->outputs[from].array.data =
            in_place(w, i, range->count, buf_shape) ? w->bufs[i] : s->out[from];
    }
    tell(c, w->stage + 1);
    int rc = s->setup->kernel->api.apply(s->setup->state, &s->work->block, &said);
    return rc == SWIM_OK ? rc : block_failed(s->setup, range, c->block, rc, &said, err);
}

/* Numbers of one kernel in the unit that the next one wants (setup_units.c): in
 * doubles, as those of a file are. */
static int put_units(const struct setup_output *from, const void *src,
                     const struct setup_input *in, void *dst, uint64_t n,
                     swim_error_t *err)
{
    const size_t from_size = swim_type_size(from->type),
                 to_size = swim_type_size(in->type);
    double values[ROW_MOST];
    int rc = SWIM_OK;

    for (uint64_t at = 0; rc == SWIM_OK && at < n; at += ROW_MOST) {
        const uint64_t now = n - at < ROW_MOST ? n - at : ROW_MOST;
        rc = chain_convert(from->type, (const char *)src + at * from_size,
                           SWIM_TYPE_F64, values, now, from->missing, err);
        for (uint64_t i = 0; i < now; i++)
            values[i] = values[i] * in->info->scale + in->info->offset;
        if (rc == SWIM_OK)
            rc = codec_convert(SWIM_TYPE_F64, values, in->type,
                               (char *)dst + at * to_size, now, false, 0, err);
    }
    return rc;
}

/* What was computed, to where it is wanted. */
static int put(const struct wish *w, uint32_t input, const uint64_t *count,
               const uint64_t *buf_shape, const uint64_t *buf_start, swim_error_t *err)
{
    const struct stage *s = &w->chain->stages[w->stage];
    const struct setup_input *in = &w->taker->inputs[input];
    const struct setup_output *from = &s->setup->outputs[in->from];
    const uint32_t ndim = w->taker->blocks.ndim;
    const uint64_t zero[SWIM_NDIM_MAX] = {0};
    struct box box;
    int rc = SWIM_OK;

    const bool placed = in_place(w, input, count, buf_shape);

    if (placed && !in->info->packed)
        return rc;
    if (from->type == in->type && !in->info->packed) {
        box_copy(ndim, count, swim_type_size(in->type), s->out[in->from], count, zero,
                 w->bufs[input], buf_shape, buf_start);
        return rc;
    }
    for (bool more = box_begin(&box, ndim, buf_shape, buf_start, count);
         more && rc == SWIM_OK; more = box_next(&box)) {
        char *dst = (char *)w->bufs[input] + box.offset * swim_type_size(in->type);
        const char *src =
            (const char *)s->out[in->from] + box.done * swim_type_size(from->type);
        if (in->info->packed)
            rc = put_units(from, placed ? dst : src, in, dst, box.row, err);
        else
            rc = chain_convert(from->type, src, in->type, dst, box.row, from->missing,
                               err);
    }
    return rc;
}

/* An edges_read_fn: buf is that of the first input, a piece is put into all of them. */
static int piece_compute(void *wish, const uint64_t *start, const uint64_t *count,
                         void *buf, const uint64_t *buf_shape,
                         const uint64_t *buf_start, swim_error_t *err)
{
    const struct wish *w = wish;
    struct block_range range = {.elements = 1};

    (void)buf;
    for (uint32_t a = 0; a < w->taker->blocks.ndim; a++) {
        range.start[a] = start[a];
        range.count[a] = count[a];
        range.elements *= count[a];
    }
    int rc = get_inputs(w->chain, w->stage, &range, err);
    if (rc == SWIM_OK)
        rc = apply(w, &range, buf_shape, err);
    for (uint32_t i = 0; rc == SWIM_OK && i < w->taker->n_inputs; i++)
        rc = put(w, i, count, buf_shape, buf_start, err);
    return rc;
}

/* Of the other inputs the pieces are there already. */
static int piece_is_there(void *wish, const uint64_t *start, const uint64_t *count,
                          void *buf, const uint64_t *buf_shape,
                          const uint64_t *buf_start, swim_error_t *err)
{
    (void)wish;
    (void)start;
    (void)count;
    (void)buf;
    (void)buf_shape;
    (void)buf_start;
    (void)err;
    return SWIM_OK;
}

/* Fill the buffers of a kernel from the stage before it. */
static int want(struct chain *c, uint32_t stage, const struct setup *taker,
                const struct block_range *range, void *const *bufs, swim_error_t *err)
{
    struct wish w = {.chain = c, .stage = stage, .taker = taker, .bufs = bufs};
    uint64_t extent[SWIM_NDIM_MAX];
    struct block_range rows;
    struct edges edges;
    int rc = SWIM_OK;

    setup_input_range(taker, range, &rows);
    for (uint32_t i = 0; rc == SWIM_OK && i < taker->n_inputs; i++) {
        edges = inputs_edges(taker, i, c->stages[stage].constants[i], extent);
        rc = edges_read(&edges, &rows, bufs[i], i == 0 ? piece_compute : piece_is_there,
                        &w, err);
    }
    return rc;
}

int chain_read(struct chain *c, struct inputs *inputs, uint64_t block,
               const struct block_range *range, void *const *bufs, swim_error_t *err)
{
    c->inputs = inputs;
    c->block = block;
    atomic_store(&c->shared->back, c->n);
    int rc = want(c, 0, c->setup, range, bufs, err);
    tell(c, 0);
    return rc;
}
