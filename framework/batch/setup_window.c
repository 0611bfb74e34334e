/* setup_window.c - windows along an axis: how many rows they give, of which rows of the
 * inputs, and with which coordinates.  Blocks are made of output rows. */
#include <inttypes.h>
#include <stdlib.h>

#include "batch/setup.h"

/* "none" is for the axis of the windows alone. */
static int check_edges(const struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;

    for (uint32_t a = 0; a < first->ndim; a++)
        if (setup->plan.edge[a] == SWIM_EDGE_NONE && setup->plan.edge_given[a] &&
            a != setup->plan.window_axis)
            return swim_error_set(
                err, SWIM_ERR_ARG,
                "%s: edges: axis %u (%s) cannot be without an edge: the windows of "
                "kernel %s are along axis %u: take another mode than \"none\"",
                setup->job->path, a, first->axes[a].name, setup->kernel->api.name,
                setup->plan.window_axis);
    return SWIM_OK;
}

static int check_window(const struct setup *setup, swim_error_t *err)
{
    const struct swim_plan *plan = &setup->plan;
    const char *name = setup->kernel->api.name;

    if (plan->window_step == 0 || plan->window_axis >= setup->inputs[0].info->ndim)
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "kernel %s plans windows along axis %u with step %u: "
                              "its plan() has to call swim_plan_window()",
                              name, plan->window_axis, plan->window_step);
    for (uint32_t a = 0; a < setup->inputs[0].info->ndim; a++)
        if ((plan->halo_lo[a] || plan->halo_hi[a]) &&
            (a != plan->window_axis || plan->window_whole))
            return swim_error_set(err, SWIM_ERR_KERNEL,
                                  "kernel %s plans neighbours along axis %u, its "
                                  "windows are along axis %u",
                                  name, a, plan->window_axis);
    return SWIM_OK;
}

static int count_rows(struct setup *setup, swim_error_t *err)
{
    const struct swim_plan *plan = &setup->plan;
    const struct dataset_info *info = setup->inputs[0].info;
    struct setup_window *w = &setup->window;
    uint32_t lo = plan->halo_lo[w->axis], hi = plan->halo_hi[w->axis];
    uint64_t n = info->shape[w->axis], length = (uint64_t)lo + hi + 1;

    w->rows = (n + w->step - 1) / w->step;
    if (plan->window_whole || plan->edge[w->axis] != SWIM_EDGE_NONE)
        return SWIM_OK;
    if (length > n)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: a window of %" PRIu64 " rows does not fit into axis "
                              "%u (%s) of %s:%s, which has %" PRIu64 ": take a shorter "
                              "one, or another edge mode than \"none\"",
                              setup->job->path, length, w->axis,
                              info->axes[w->axis].name, info->file, info->path, n);
    w->first = lo;
    w->rows = (n - length) / w->step + 1;
    return SWIM_OK;
}

/* Of the rows of a window that are within the axis, from the first of them, so that
 * large coordinates keep their last digits. */
static double mean_of(const double *values, uint64_t from, uint64_t to)
{
    double sum = 0;

    for (uint64_t i = from; i < to; i++)
        sum += values[i] - values[from];
    return values[from] + sum / (double)(to - from);
}

static int make_coordinates(struct setup *setup, swim_error_t *err)
{
    struct setup_window *w = &setup->window;
    const struct swim_axis *axis = &setup->inputs[0].info->axes[w->axis];
    uint64_t lo = setup->plan.halo_lo[w->axis], hi = setup->plan.halo_hi[w->axis];

    w->coordinates = *axis;
    w->coordinates.length = w->rows;
    w->coordinates.values = NULL;
    if (!axis->values)
        return SWIM_OK;
    w->values = calloc(w->rows, sizeof(*w->values));
    if (!w->values)
        return swim_error_set(err, SWIM_ERR_NOMEM, "coordinates of the windows");
    for (uint64_t k = 0; k < w->rows; k++) {
        uint64_t row = w->first + k * w->step;
        uint64_t end = row + hi + 1 < axis->length ? row + hi + 1 : axis->length;
        w->values[k] = mean_of(axis->values, row > lo ? row - lo : 0, end);
    }
    w->coordinates.values = w->values;
    return SWIM_OK;
}

int setup_plan_window(struct setup *setup, swim_error_t *err)
{
    struct setup_window *w = &setup->window;
    int rc;

    if (setup->kernel->api.kind != SWIM_KERNEL_WINDOW)
        return SWIM_OK;
    rc = check_window(setup, err);
    if (rc == SWIM_OK)
        rc = check_edges(setup, err);
    if (rc != SWIM_OK)
        return rc;
    w->axis = setup->plan.window_axis;
    w->step = setup->plan.window_step;
    w->whole = setup->plan.window_whole;
    rc = count_rows(setup, err);
    w->renamed = rc == SWIM_OK && w->rows != setup->inputs[0].info->shape[w->axis];
    return w->renamed ? make_coordinates(setup, err) : rc;
}

void setup_input_range(const struct setup *setup, const struct block_range *range,
                       struct block_range *out)
{
    const struct setup_window *w = &setup->window;

    *out = *range;
    if (w->step == 0)
        return;
    out->start[w->axis] = w->first + range->start[w->axis] * w->step;
    out->count[w->axis] = setup_input_length(setup, w->axis, range->count[w->axis]);
    out->elements = range->elements / range->count[w->axis] * out->count[w->axis];
}

uint64_t setup_input_length(const struct setup *setup, uint32_t axis, uint64_t count)
{
    const struct setup_window *w = &setup->window;

    return w->step && axis == w->axis && count ? (count - 1) * w->step + 1 : count;
}

/* Of all inputs and outputs, with one row of chunks along the axis and its windows;
 * axis of the output. */
static double bytes_of_chunks(const struct setup *setup, const struct output_spec *spec,
                              uint32_t axis)
{
    const struct setup_window *w = &setup->window;
    double rows = (double)setup->inputs[0].info->shape[w->axis], bytes = 0;

    if (!w->whole)
        rows = (double)setup_input_length(setup, w->axis, spec->chunk[axis]) +
               setup->plan.halo_lo[w->axis] + setup->plan.halo_hi[w->axis];
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        bytes += (double)swim_type_size(setup->inputs[i].type);
    for (uint32_t i = 0; i < setup->n_outputs; i++)
        bytes += 2 * (double)swim_type_size(setup->outputs[i].planned.type);
    for (uint32_t d = 0; d < spec->ndim; d++)
        bytes *= d == axis ? rows : (double)spec->chunk[d];
    return bytes;
}

void setup_window_chunks(const struct setup *setup, const struct swim_output *planned,
                         struct output_spec *spec)
{
    double most = (double)setup->job->memory_bytes / SETUP_BUDGET_SHARE;
    uint32_t axis = 0;

    while (planned->from_axis[axis] != (int32_t)setup->window.axis)
        axis++; /* check_planned() has seen it */
    for (uint32_t d = 0; d < spec->ndim; d++)
        while (d != axis && spec->chunk[d] > 1 &&
               bytes_of_chunks(setup, spec, axis) > most)
            spec->chunk[d] = (spec->chunk[d] + 1) / 2;
    while (spec->chunk[axis] > 1 && !setup->window.whole &&
           bytes_of_chunks(setup, spec, axis) > most)
        spec->chunk[axis] = (spec->chunk[axis] + 1) / 2;
}
