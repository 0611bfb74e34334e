/* setup_chain.c - a chain of kernels: what one gives is what the next one takes.
 *
 * Each kernel of a chain has a setup.  The inputs of all but the first one are not in a
 * file, but described as if they were: in one that the job before had made.  So to all
 * else a chain is its last kernel, with inputs that chain.c computes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "store/codec.h"

const struct setup *setup_first(const struct setup *setup)
{
    while (setup->before)
        setup = setup->before;
    return setup;
}

struct setup *setup_files(struct setup *setup)
{
    while (setup->before)
        setup = setup->before;
    return setup;
}

const struct setup *setup_back(const struct setup *setup, uint32_t back)
{
    while (back-- && setup->before)
        setup = setup->before;
    return setup;
}

uint32_t setup_number(const struct setup *setup)
{
    uint32_t n = 1;

    while ((setup = setup->before))
        n++;
    return n;
}

void setup_tell_found(const struct setup *setup, struct setup_found *found)
{
    for (; setup; setup = setup->before) {
        uint32_t i = setup_number(setup) - 1;
        if (i < SETUP_FOUND_MAX && strlen(setup->kernel->path) < sizeof(found->so[i]))
            snprintf(found->so[i], sizeof(found->so[i]), "%s", setup->kernel->path);
    }
}

/* --- what a kernel that others follow may be ----------------------------------------
 */

static int refuse(const struct setup *setup, const char *why, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG, "%s: kernels: %s (%s) %s",
                          setup->job->kernel_place.text, setup->kernel->api.name,
                          kernel_kind_name(setup->kernel->api.kind), why);
}

/* Numbers as they are stored have no meaning without the attributes of their file. */
int setup_chain_kernel(const struct setup *setup, swim_error_t *err)
{
    enum swim_kernel_kind kind = setup->kernel->api.kind;

    if (setup->kernel->api.flags & SWIM_KERNEL_RAW)
        return refuse(setup,
                      "works on numbers as they are stored in a file: it cannot "
                      "be in a chain",
                      err);
    for (size_t i = 0; i < setup->job->n_inputs; i++)
        if (setup->job->inputs[i].raw)
            return swim_error_set(err, SWIM_ERR_ARG,
                                  "%s: input \"%s\" of a chain of kernels cannot be "
                                  "raw: leave out \"raw\"",
                                  setup->job->inputs[i].place.text,
                                  setup->job->inputs[i].port);
    if (setup->passes_on && kind != SWIM_KERNEL_MAP && kind != SWIM_KERNEL_STENCIL)
        return refuse(setup,
                      "cannot come before another kernel: only maps and stencils "
                      "can, put it last",
                      err);
    return SWIM_OK;
}

static int check_axes(const struct setup *setup, uint32_t output, swim_error_t *err)
{
    const struct swim_output *planned = &setup->outputs[output].planned;
    char why[200];
    bool same = planned->ndim == setup->inputs[0].info->ndim;

    for (uint32_t d = 0; same && d < planned->ndim; d++)
        same = planned->from_axis[d] == (int32_t)d && planned->ratio[d] <= 1;
    if (same)
        return SWIM_OK;
    snprintf(why, sizeof(why),
             "cannot come before another kernel: its output %.64s has other axes than "
             "its inputs, put it last",
             setup->kernel->outputs[output].name);
    return refuse(setup, why, err);
}

int setup_chain_outputs(struct setup *setup, swim_error_t *err)
{
    const struct dataset_info *first = setup->inputs[0].info;
    int rc = setup_check_halo(setup, err);

    setup->blocks.ndim = first->ndim;
    memcpy(setup->blocks.extent, first->shape, first->ndim * sizeof(*first->shape));
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++) {
        struct setup_output *out = &setup->outputs[i];
        rc = setup_check_planned(setup, &out->planned, err);
        if (rc == SWIM_OK)
            rc = check_axes(setup, i, err);
        out->type = out->spec.type = out->planned.type;
        out->spec.ndim = out->planned.ndim;
        if (rc == SWIM_OK)
            out->missing = out->spec.fill =
                setup_fill_of(first, &setup->kernel->outputs[i], out->type);
    }
    return rc;
}

/* --- inputs that are outputs ---------------------------------------------------------
 */

static int port_of(const struct swim_port *ports, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(ports[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* By their names, if these are the same on both sides, else in their order. */
static int connect(struct setup *setup, swim_error_t *err)
{
    const struct kernel_host *from = setup->before->kernel, *to = setup->kernel;
    uint32_t n = to->api.n_inputs;
    bool named = true;

    if (from->api.n_outputs != n)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s: kernels: %s takes %u input%s, %s before it gives %u "
                              "output%s: they must be as many",
                              setup->job->kernel_place.text, to->api.name, n,
                              n == 1 ? "" : "s", from->api.name, from->api.n_outputs,
                              from->api.n_outputs == 1 ? "" : "s");
    for (uint32_t i = 0; i < n; i++)
        named = named && port_of(from->outputs, n, to->inputs[i].name) >= 0;
    for (uint32_t i = 0; i < n; i++)
        setup->inputs[i].from =
            named ? (uint32_t)port_of(from->outputs, n, to->inputs[i].name) : i;
    return SWIM_OK;
}

static int axis_copy(const struct swim_axis *from, struct swim_axis *to)
{
    double *values = NULL;

    to->length = from->length;
    to->name = strdup(from->name ? from->name : "");
    to->units = strdup(from->units ? from->units : "");
    to->calendar = strdup(from->calendar ? from->calendar : "");
    to->standard_name = strdup(from->standard_name ? from->standard_name : "");
    if (from->values) {
        values = calloc(from->length + 1, sizeof(*values));
        if (values)
            memcpy(values, from->values, from->length * sizeof(*values));
    }
    to->values = values;
    return to->name && to->units && to->calendar && to->standard_name &&
                   (values || !from->values)
               ? SWIM_OK
               : SWIM_ERR_NOMEM;
}

/* As dataset_inspect() would find it in a file of the kernel before. */
static int describe(const struct setup *before, uint32_t output,
                    struct dataset_info *info)
{
    const struct setup_output *out = &before->outputs[output];
    const struct dataset_info *like = before->inputs[0].info;
    const char *units = out->planned.units, *long_name = out->planned.long_name;
    int rc = SWIM_OK;

    info->file = strdup(before->kernel->api.name);
    info->path = strdup(before->kernel->outputs[output].name);
    info->name = strdup(before->kernel->outputs[output].name);
    info->units = strdup(units ? units : like->units);
    info->long_name = strdup(long_name ? long_name : like->long_name);
    info->axes = calloc(like->ndim + 1, sizeof(*info->axes));
    if (!info->file || !info->path || !info->name || !info->units || !info->long_name ||
        !info->axes)
        return SWIM_ERR_NOMEM;
    info->ndim = like->ndim;
    for (uint32_t a = 0; rc == SWIM_OK && a < like->ndim; a++)
        rc = axis_copy(&like->axes[a], &info->axes[a]);
    memcpy(info->shape, like->shape, sizeof(info->shape));
    memcpy(info->chunk, like->chunk, sizeof(info->chunk));
    info->chunked = like->chunked;
    info->grows = like->grows;
    info->shuffle = like->shuffle;
    info->deflate = like->deflate;
    info->fletcher32 = like->fletcher32;
    info->other_filters = like->other_filters;
    info->stored_type = out->type;
    info->native = true;
    info->has_missing = true;
    info->n_missing = 1;
    return rc;
}

int setup_chain_input(struct setup *setup, uint32_t number, swim_error_t *err)
{
    struct setup_input *in = &setup->inputs[number];
    int rc = number == 0 ? connect(setup, err) : SWIM_OK;

    if (rc != SWIM_OK)
        return rc;
    in->info = calloc(1, sizeof(*in->info));
    if (!in->info || describe(setup->before, in->from, in->info) != SWIM_OK)
        return swim_error_set(err, SWIM_ERR_NOMEM, "setup of kernel %s",
                              setup->kernel->api.name);
    struct dataset_info *info = in->info;
    rc = codec_convert(SWIM_TYPE_F64, &setup->before->outputs[in->from].spec.fill,
                       info->stored_type, info->missing_raw[0], 1, false, 0, err);
    return rc == SWIM_OK
               ? codec_convert(info->stored_type, info->missing_raw[0], SWIM_TYPE_F64,
                               &info->missing, 1, false, 0, err)
               : rc;
}

/* What the file in between would have had from the first input, for the last one. */
void setup_chain_spec(const struct setup *setup, struct output_spec *spec)
{
    const struct setup *first = setup_first(setup);

    spec->like = first->inputs[0].info;
    spec->like_source = first->inputs[0].source;
    if (setup == first || setup->kernel->api.kind == SWIM_KERNEL_FILTER)
        return; /* a table has none of them */
    if (!spec->units)
        spec->units = setup->inputs[0].info->units;
    if (!spec->long_name)
        spec->long_name = setup->inputs[0].info->long_name;
}

/* --- memory --------------------------------------------------------------------------
 */

uint64_t setup_chain_element_bytes(const struct setup *setup)
{
    uint64_t bytes = 0;

    while ((setup = setup->before)) {
        for (uint32_t i = 0; i < setup->n_inputs; i++)
            bytes += swim_type_size(setup->inputs[i].type);
        for (uint32_t i = 0; i < setup->n_outputs; i++)
            bytes += swim_type_size(setup->outputs[i].type);
    }
    return bytes;
}

/* The largest part of its outputs that the kernel behind it wants at once. */
static void take_slice(struct setup *setup, const struct setup *taker)
{
    for (uint32_t a = 0; a < setup->blocks.ndim; a++) {
        uint64_t length = setup_input_length(taker, a, taker->slice[a]) +
                          taker->plan.halo_lo[a] + taker->plan.halo_hi[a];
        uint64_t extent = setup->inputs[0].info->shape[a];
        setup->slice[a] = setup->blocks.size[a] = length < extent ? length : extent;
    }
}

double setup_chain_slices(struct setup *setup)
{
    double all = 0;

    for (struct setup *taker = setup; taker->before; taker = taker->before) {
        struct setup *s = taker->before;
        double in = 1, out = 1;
        take_slice(s, taker);
        for (uint32_t a = 0; a < s->blocks.ndim; a++) {
            out *= (double)s->slice[a];
            in *= (double)s->slice[a] + s->plan.halo_lo[a] + s->plan.halo_hi[a];
        }
        for (uint32_t i = 0; i < s->n_inputs; i++)
            all += in * (double)swim_type_size(s->inputs[i].type);
        for (uint32_t i = 0; i < s->n_outputs; i++)
            all += out * (double)swim_type_size(s->outputs[i].type);
    }
    return all;
}

uint64_t setup_chain_elements(const struct setup *setup)
{
    uint64_t elements = 1;

    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        elements *= setup->slice[a];
    return elements;
}
