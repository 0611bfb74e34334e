/* find.c - a filter: the values that a number divides, and where they are; it may break
 * as breaks.h says. */
#include "breaks.h"

static const struct swim_param params[] = {
    {.name = "where",
     .type = SWIM_PARAM_TEXT,
     .preset = "none",
     .description = "file of blocks"},
    {.name = "by", .type = SWIM_PARAM_INT, .preset = "7", .description = "divisor"},
    {.name = "wrong",
     .type = SWIM_PARAM_TEXT,
     .preset = "no",
     .choices = "no|many|uneven|axis|none",
     .description = "what it does that it must not"},
};

struct find {
    struct breaks breaks;
    int64_t by;
    char wrong[16];
    uint64_t shape[3];
};

static int find_open(const swim_params_t *given, void **state, swim_error_t *err)
{
    struct find *f = calloc(1, sizeof(*f));

    (void)breaks_params;
    (void)breaks_open;
    if (!f)
        return swim_error_set(err, SWIM_ERR_NOMEM, "find: no memory");
    f->by = swim_params_int(given, "by");
    snprintf(f->breaks.where, sizeof(f->breaks.where), "%s",
             swim_params_text(given, "where"));
    snprintf(f->wrong, sizeof(f->wrong), "%s", swim_params_text(given, "wrong"));
    *state = f;
    return SWIM_OK;
}

static int find_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct find *f = state;
    struct swim_output *pair = plan->outputs[1];

    (void)err;
    memcpy(f->shape, plan->inputs[0]->shape, sizeof(f->shape));
    pair->ndim = 2;
    pair->from_axis[1] = strcmp(f->wrong, "axis") == 0 ? 0 : -1;
    pair->shape[1] = 2;
    if (strcmp(f->wrong, "none") == 0)
        pair->ndim = 0;
    return SWIM_OK;
}

static int find_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct find *f = state;
    const struct swim_array *x = b->inputs[0];
    int64_t *place = b->outputs[0]->data;
    double *pair = b->outputs[1]->data;
    uint64_t rows = 0;
    int rc = breaks_look(&f->breaks, b->index, err);

    for (uint64_t i = 0; rc == SWIM_OK && i < x->count; i++) {
        const uint64_t k = x->shape[2], j = x->shape[1];
        double value = ((const double *)x->data)[i];
        uint64_t at =
            (x->offset[0] + i / (k * j)) * f->shape[1] + x->offset[1] + i / k % j;
        if ((int64_t)value % f->by != 0)
            continue;
        place[rows] = (int64_t)(at * f->shape[2] + x->offset[2] + i % k);
        pair[2 * rows] = value;
        pair[2 * rows + 1] = -value;
        rows++;
    }
    b->outputs[0]->rows = strcmp(f->wrong, "many") == 0 ? x->count + 1 : rows;
    b->outputs[1]->rows = b->outputs[0]->rows + (strcmp(f->wrong, "uneven") == 0);
    return rc;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_F64}};
static const struct swim_port out[] = {{.name = "place", .type = SWIM_TYPE_I64},
                                       {.name = "pair", .type = SWIM_TYPE_F64}};

SWIM_KERNEL_DEFINE(.name = "find", .kind = SWIM_KERNEL_FILTER, .n_inputs = 1,
                   .n_outputs = 2, .n_params = 3, .inputs = in, .outputs = out,
                   .params = params, .open = find_open, .plan = find_plan,
                   .apply = find_apply, .close = free);
