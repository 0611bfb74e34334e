/* setup_follow.c - jobs over inputs that are still being written.
 *
 * The plan is made for an axis without end, so that it does not depend on how many rows
 * there were when it was made: whoever joins later, or resumes, comes to the same one.
 * How many rows there are is said by epochs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"

#define ROWS_PLANNED ((uint64_t)1 << 32) /* job.h tells */

static int refuse(const struct setup *setup, const char *what, const char *why,
                  swim_error_t *err)
{
    return swim_error_set(
        err, SWIM_ERR_ARG,
        "%s: follow: %s %s: only maps, and stencils without a halo "
        "along the first axis, of datasets that can grow along it can "
        "be followed",
        setup->job->follow_place.text, what, why);
}

static int check_input(const struct setup *setup, const struct dataset_info *info,
                       swim_error_t *err)
{
    if (info->ndim == 0 || !info->chunked || !info->grows)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: follow: %s:%s cannot grow along its first axis: "
                              "create it with an unlimited first dimension, or leave "
                              "follow away",
                              setup->job->follow_place.text, info->file, info->path);
    return SWIM_OK;
}

/* As if there were no end to it. */
static void forget_rows(struct dataset_info *info)
{
    struct swim_axis *axis = &info->axes[0];

    info->shape[0] = axis->length = ROWS_PLANNED;
    free((double *)axis->values);
    axis->values = NULL;
}

int setup_follow_inputs(struct setup *setup, swim_error_t *err)
{
    enum swim_kernel_kind kind = setup->kernel->api.kind;

    if (kind != SWIM_KERNEL_MAP && kind != SWIM_KERNEL_STENCIL)
        return refuse(setup, "a kernel of the kind", kernel_kind_name(kind), err);
    if (setup->before) { /* its inputs are like those of the one before */
        setup->rows = setup->before->rows;
        return SWIM_OK;
    }
    setup->rows = UINT64_MAX;
    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        struct dataset_info *info = setup->inputs[i].info;
        int rc = check_input(setup, info, err);
        if (rc != SWIM_OK)
            return rc;
        if (info->shape[0] < setup->rows)
            setup->rows = info->shape[0];
        forget_rows(info);
    }
    return SWIM_OK;
}

/* Of each kernel, which all have the first axis of the inputs. */
static int take_kernel(struct setup *setup, swim_error_t *err)
{
    if (setup->plan.halo_lo[0] || setup->plan.halo_hi[0])
        return refuse(setup, "kernel",
                      "needs neighbours along the first axis, which are not there yet",
                      err);
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        setup->inputs[i].info->shape[0] = setup->rows;
    return SWIM_OK;
}

int setup_follow_outputs(struct setup *setup, swim_error_t *err)
{
    int rc = take_kernel(setup, err);

    for (struct setup *s = setup->before; rc == SWIM_OK && s; s = s->before)
        rc = take_kernel(s, err);
    if (rc != SWIM_OK)
        return rc;
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        struct output_spec *spec = &setup->outputs[i].spec;
        if (spec->ndim == 0 || spec->from_axis[0] != 0)
            return refuse(setup, setup->kernel->outputs[i].name,
                          "is an output that does not begin with the first axis", err);
        spec->grows = true;
        spec->shape[0] = 0;
    }
    return SWIM_OK;
}

/* As the job says, or one output chunk; whole ones in any case. */
uint64_t setup_follow_block(const struct setup *setup, const struct blocks_wish *wish)
{
    uint64_t base = wish->base[0], rows = base;

    if (setup->job->n_block && setup->job->block[0] < ROWS_PLANNED)
        rows = (setup->job->block[0] + base - 1) / base * base;
    return rows;
}

void setup_take_rows(struct setup *setup, uint64_t rows)
{
    struct setup_targets *targets = &setup->targets[0];

    for (uint32_t i = 0; i < setup->n_outputs; i++)
        setup->outputs[i].spec.shape[0] = rows;
    for (size_t t = 0; t < targets->n; t++)
        for (size_t s = 0; s < targets->list[t].n; s++)
            targets->list[t].specs[s].shape[0] = rows;
    blocks_set_rows(&setup->blocks, rows);
    setup->phase_blocks[0] = setup->blocks.n;
}

/* Inputs in one file share its source. */
static int open_at(struct setup *setup, uint32_t number,
                   const struct source_state *state, swim_error_t *err)
{
    struct setup_input *in = &setup->inputs[number];

    for (uint32_t i = 0; i < number; i++)
        if (strcmp(setup->inputs[i].info->file, in->info->file) == 0) {
            in->source = setup->inputs[i].source;
            return SWIM_OK;
        }
    return source_open(in->info->file, &setup->access, state, &in->source, err);
}

int setup_open_epoch(struct setup *setup, const struct setup_epoch *epoch,
                     swim_error_t *err)
{
    struct setup *first = setup_files(setup);
    int rc = SWIM_OK;

    setup_close_inputs(setup);
    for (uint32_t i = 0; rc == SWIM_OK && i < first->n_inputs; i++)
        rc = open_at(first, i, &epoch->states[i], err);
    if (rc == SWIM_OK)
        setup_take_rows(setup, epoch->rows);
    else
        setup_close_inputs(setup);
    return rc;
}
