/* mistakes.c - y = u + v and z = u - v, with the mistake that is asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/kernel.h>

static uint64_t opens;

struct state {
    char mistake[32];
    uint64_t calls, number;
    float never_set;
};

static int is(const void *state, const char *mistake)
{
    return strcmp(((const struct state *)state)->mistake, mistake) == 0;
}

static int open_state(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct state *s = malloc(sizeof(*s));

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    memset(s->mistake, 0, sizeof(s->mistake));
    s->calls = 0;
    s->number = opens++;
    strncpy(s->mistake, swim_params_text(params, "mistake"), sizeof(s->mistake) - 1);
    if (is(s, "open_exit"))
        exit(5);
    *state = s;
    return SWIM_OK;
}

static int plan(void *state, struct swim_plan *plan, swim_error_t *err)
{
    static int planned;

    (void)plan;
    if (is(state, "plan_crash"))
        *(volatile int *)8 = 1;
    if (is(state, "plan_refuses"))
        return swim_error_set(err, SWIM_ERR_ARG, "these winds are upside down");
    if (is(state, "plan_changes") && planned++)
        plan->outputs[1]->type = SWIM_TYPE_F64;
    return SWIM_OK;
}

/* What a function that calls itself needs of the stack. */
static int deep(volatile int *down)
{
    volatile int here[256] = {*down};

    return deep(here) + here[1];
}

static int breaks(struct state *s, const struct swim_block *b, swim_error_t *err)
{
    volatile float *u = (volatile float *)b->inputs[0]->data;
    volatile float *v = (volatile float *)b->inputs[1]->data;
    volatile float *y = (volatile float *)b->outputs[0]->data;
    const uint64_t n = b->inputs[0]->count;
    volatile int start = 1;

    if (is(s, "overrun"))
        y[n] = 1;
    if (is(s, "underrun"))
        y[-1] = 1;
    if (is(s, "over_late") && n == 1 && b->inputs[0]->offset[0] == 2)
        y[n + 1] = 1;
    if (is(s, "reads_over"))
        s->calls += u[n] > 0;
    if (is(s, "reads_under"))
        s->calls += v[-2] > 0;
    if (is(s, "writes_input") && n > 5)
        v[5] = 0;
    if (is(s, "null"))
        *(volatile int *)0 = 1;
    if (is(s, "deep"))
        s->calls += (uint64_t)deep(&start);
    if (is(s, "aborts"))
        abort();
    if (is(s, "exits"))
        exit(3);
    if (is(s, "exits_well") && b->index == 1)
        exit(0);
    while (is(s, "loops"))
        usleep(1000);
    if (is(s, "refuses") && b->index == 2)
        return swim_error_set(err, SWIM_ERR_KERNEL, "no wind at all");
    return SWIM_OK;
}

/* What one block leaves to another. */
static float leaves(struct state *s, const struct swim_block *b)
{
    static float first, sum;
    const float *u = b->inputs[0]->data;
    volatile float local[100];

    s->calls++;
    if (is(s, "unset_state"))
        return s->never_set;
    if (is(s, "unset_local"))
        return local[50];
    local[50] = 0;
    if (is(s, "counts"))
        return (float)s->calls;
    if (is(s, "sums"))
        return sum += u[0];
    if (is(s, "keeps_first"))
        return first = first != 0 ? first : u[0];
    if (is(s, "numbers_opens"))
        return (float)s->number;
    if (is(s, "knows_block"))
        return (float)b->index;
    return 0;
}

static int apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const float *u = b->inputs[0]->data, *v = b->inputs[1]->data;
    float *y = b->outputs[0]->data, *z = b->outputs[1]->data;
    const float left = leaves(state, b);
    int rc = breaks(state, b, err);

    for (uint64_t i = 0; rc == SWIM_OK && i < b->inputs[0]->count; i++) {
        if (is(state, "forgets") && b->inputs[0]->offset[0] == 0 && i == 40)
            continue;
        if (is(state, "adds"))
            y[i] += u[i];
        else
            y[i] = u[i] + v[i] + left;
        z[i] = is(state, "loses") && isnan(u[i]) ? 0 : u[i] - v[i];
    }
    return rc;
}

static void close_state(void *state)
{
    if (is(state, "close_crash"))
        *(volatile int *)16 = 1;
    free(state);
}

static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32},
                                      {.name = "v", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32},
                                       {.name = "z", .type = SWIM_TYPE_F32}};
static const struct swim_param params[] = {
    {.name = "mistake", .type = SWIM_PARAM_TEXT, .description = "which one"},
    {.name = "level",
     .type = SWIM_PARAM_INT,
     .description = "not used",
     .min = 0,
     .max = 9}};

SWIM_KERNEL_DEFINE(.name = "mistakes", .kind = SWIM_KERNEL_MAP, .n_inputs = 2,
                   .n_outputs = 2, .inputs = in, .outputs = out, .n_params = 2,
                   .params = params, .open = open_state, .plan = plan, .apply = apply,
                   .close = close_state);
