/* step.c - a map of any type to a type that is told: a number times the element, plus
 * another one times its place, so that an element computed at a wrong place is wrong.
 * Where BREAKS is an environment variable "NAME KIND" it breaks in block 2 if NAME is
 * its own: segv, refuse or loop. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/kernel.h>

#define PART 64
#ifndef NAME
#define NAME "step"
#endif

static const struct swim_param params[] = {
    {.name = "type",
     .type = SWIM_PARAM_TEXT,
     .preset = "float64",
     .description = "of the output"},
    {.name = "scale", .type = SWIM_PARAM_REAL, .preset = "1", .description = "of x"},
    {.name = "place", .type = SWIM_PARAM_REAL, .preset = "1", .description = "of it"},
    {.name = "units", .type = SWIM_PARAM_TEXT, .preset = "", .description = "units"},
};

struct step {
    enum swim_type type;
    double scale, place;
    char units[40];
};

static int step_open(const swim_params_t *given, void **state, swim_error_t *err)
{
    struct step *s = calloc(1, sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "step: no memory");
    for (int t = SWIM_TYPE_I8; t <= SWIM_TYPE_F64; t++)
        if (strcmp(swim_type_name((enum swim_type)t),
                   swim_params_text(given, "type")) == 0)
            s->type = (enum swim_type)t;
    s->scale = swim_params_real(given, "scale");
    s->place = swim_params_real(given, "place");
    snprintf(s->units, sizeof(s->units), "%s", swim_params_text(given, "units"));
    *state = s;
    return SWIM_OK;
}

static int step_plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    struct step *s = state;

    (void)err;
    plan->outputs[0]->type = s->type;
    if (s->units[0]) {
        plan->outputs[0]->units = s->units;
        plan->outputs[0]->long_name = "a step";
        plan->outputs[0]->cell_methods = "time: step";
    }
    return SWIM_OK;
}

static int step_break(const struct swim_block *b, swim_error_t *err)
{
    const char *breaks = getenv("BREAKS");
    size_t n = strlen(NAME);

    if (!breaks || b->index != 2 || strncmp(breaks, NAME, n) != 0 || breaks[n] != ' ')
        return SWIM_OK;
    if (strcmp(breaks + n + 1, "segv") == 0)
        *(volatile int *)8 = 1;
    while (strcmp(breaks + n + 1, "loop") == 0)
        usleep(1000);
    return swim_error_set(err, SWIM_ERR_ARG, "it does not like this block");
}

/* The element's number in the dataset, axis by axis. */
static double place_of(const struct swim_array *x, uint64_t element)
{
    double place = 0;

    for (uint32_t a = 0; a < x->ndim; a++) {
        uint64_t at = element / (uint64_t)x->strides[a] % x->shape[a];
        place += (double)(a + 1) * (double)(x->offset[a] + at);
    }
    return place;
}

static void put(const struct swim_array *y, uint64_t i, double value)
{
    int64_t whole = isnan(value) ? y->missing.i : (int64_t)value;

    switch (y->type) {
    case SWIM_TYPE_I8:
        ((int8_t *)y->data)[i] = (int8_t)whole;
        break;
    case SWIM_TYPE_U8:
        ((uint8_t *)y->data)[i] = (uint8_t)whole;
        break;
    case SWIM_TYPE_I16:
        ((int16_t *)y->data)[i] = (int16_t)whole;
        break;
    case SWIM_TYPE_I32:
        ((int32_t *)y->data)[i] = (int32_t)whole;
        break;
    case SWIM_TYPE_I64:
        ((int64_t *)y->data)[i] = whole;
        break;
    case SWIM_TYPE_F32:
        ((float *)y->data)[i] = (float)value;
        break;
    default:
        ((double *)y->data)[i] = value;
    }
}

static int step_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct step *s = state;
    const struct swim_array *x = b->inputs[0], *y = b->outputs[0];
    double part[PART];
    int rc = step_break(b, err);

    for (uint64_t at = 0; rc == SWIM_OK && at < x->count; at += PART) {
        uint64_t n = x->count - at < PART ? x->count - at : PART;
        swim_array_doubles(x, at, n, part);
        for (uint64_t i = 0; i < n; i++)
            put(y, at + i, s->scale * part[i] + s->place * place_of(x, at + i));
    }
    return rc;
}

static const struct swim_port in[] = {{.name = "x", .type = SWIM_TYPE_ANY}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_ANY}};

SWIM_KERNEL_DEFINE(.name = NAME, .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .n_params = 4, .inputs = in, .outputs = out, .params = params,
                   .open = step_open, .plan = step_plan, .apply = step_apply,
                   .close = free);
