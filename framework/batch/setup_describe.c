/* setup_describe.c - everything that decides the result of a job, as a text.
 *
 * Lines "WHAT: VALUE", each WHAT once.  The digest of a job is the text's, so that
 * nothing is in one and not in the other. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "batch/setup.h"
#include "core/text.h"
#include "lock/resource.h"

#define SHAPE_TEXT 800

/* What people have chosen, on one line. */
static void put_value(FILE *to, const char *value)
{
    for (; *value; value++)
        if (*value == '\n')
            fputs("\\n", to);
        else if (*value == '\\')
            fputs("\\\\", to);
        else
            fputc(*value, to);
    fputc('\n', to);
}

static void put_shape(FILE *to, const uint64_t *shape, uint32_t ndim)
{
    char text[SHAPE_TEXT];

    fprintf(to, "%s\n", swim_text_shape(shape, ndim, text, sizeof(text)));
}

/* What is of one kernel of a chain says of which: "kernels.2.params.length: 5". */
static void put_number(const struct setup *setup, FILE *to)
{
    if (setup->before || setup->passes_on)
        fprintf(to, "kernels.%u.", setup_number(setup));
}

static void describe_edges(const struct setup *setup, FILE *to)
{
    static const char *const modes[] = {"nearest", "reflect", "wrap", "constant",
                                        "none"};

    put_number(setup, to);
    fputs("edges:", to);
    for (uint32_t a = 0; a < setup->blocks.ndim; a++)
        fprintf(to, " %s", modes[setup->plan.edge[a]]);
    fputc('\n', to);
    put_number(setup, to);
    fprintf(to, "edges.value: %.17g\n", setup->plan.edge_value);
}

static void describe_kernel(const struct setup *setup, FILE *to)
{
    if (setup->before)
        describe_kernel(setup->before, to);
    put_number(setup, to);
    fputs("kernel: ", to);
    put_value(to, setup->kernel->api.name);
    put_number(setup, to);
    fprintf(to, "kernel.binary: %016" PRIx64 "\n", setup->kernel->digest);
    put_number(setup, to);
    fprintf(to, "kernel.abi: %u\n", (unsigned)SWIM_KERNEL_ABI);
    for (size_t i = 0; i < setup->job->n_params; i++) {
        put_number(setup, to);
        fprintf(to, "params.%s: ", setup->job->params[i].name);
        put_value(to, setup->job->params[i].value);
    }
    if (setup->passes_on)
        describe_edges(setup, to);
}

static int describe_input(const struct setup *setup, uint32_t number, FILE *to,
                          swim_error_t *err)
{
    const struct setup_input *in = &setup->inputs[number];
    const char *port = in->field.port;
    char real[PATH_MAX];
    int rc = resource_real_path(in->info->file, real, sizeof(real), err);

    if (rc != SWIM_OK)
        return rc;
    fprintf(to, "input.%s.file: ", port);
    put_value(to, real);
    fprintf(to, "input.%s.dataset: ", port);
    put_value(to, in->info->path);
    if (in->info->units_from) {
        fprintf(to, "input.%s.units: ", port);
        put_value(to, in->info->units);
        if (in->info->packed)
            fprintf(to, "input.%s.becomes: * %.17g + %.17g\n", port, in->info->scale,
                    in->info->offset);
    }
    if (in->info->raw)
        fprintf(to, "input.%s.raw: yes\n", port);
    if (setup->job->follow) { /* states come and go */
        fprintf(to, "input.%s.inode: %" PRIu64 "\n", port,
                source_state_inode(&in->state));
        return rc;
    }
    fprintf(to, "input.%s.state: ", port);
    for (size_t i = 0; i < SOURCE_STATE_BYTES; i++)
        fprintf(to, "%02x", in->state.bytes[i]);
    fputc('\n', to);
    return rc;
}

static void describe_output(const struct setup *setup, uint32_t number, FILE *to)
{
    const struct output_spec *spec = &setup->outputs[number].spec;
    const char *port = setup->kernel->outputs[number].name;

    fprintf(to, "output.%s.file: ", port);
    put_value(to, spec->file);
    fprintf(to, "output.%s.dataset: ", port);
    put_value(to, spec->dataset);
    fprintf(to, "output.%s.type: %s\n", port, swim_type_name(spec->type));
    fprintf(to, "output.%s.shape: ", port);
    put_shape(to, spec->shape, spec->ndim);
    fprintf(to, "output.%s.chunks: ", port);
    put_shape(to, spec->chunk, spec->ndim);
    fprintf(to, "output.%s.filters: shuffle %s, deflate %d, fletcher32 %s\n", port,
            spec->shuffle ? "on" : "off", spec->deflate,
            spec->fletcher32 ? "on" : "off");
    fprintf(to, "output.%s.fill: %.17g\n", port, spec->fill);
    if (spec->packed)
        fprintf(to, "output.%s.pack: scale_factor %.17g, add_offset %.17g\n", port,
                spec->scale, spec->offset);
    fprintf(to, "output.%s.layout: %s\n", port,
            setup->outputs[number].sharded ? "sharded" : "single");
}

static void describe_blocks(const struct setup *setup, FILE *to)
{
    const struct blocks *b = &setup->blocks;

    describe_edges(setup, to);
    if (setup->window.step)
        fprintf(to, "window: axis %u, %u before, %u behind, step %" PRIu64 "%s\n",
                setup->window.axis, setup->plan.halo_lo[setup->window.axis],
                setup->plan.halo_hi[setup->window.axis], setup->window.step,
                setup->window.whole ? ", the whole axis" : "");
    if (setup->table.most_rows)
        fprintf(to, "table: parts of %" PRIu64 " rows of %" PRIu64 " bytes\n",
                setup->table.part_rows, setup->table.row_bytes);
    fputs("blocks: ", to);
    put_shape(to, b->size, b->ndim);
    fputs("slice: ", to);
    put_shape(to, setup->slice, b->ndim);
    fputs("reduced:", to);
    for (uint32_t a = 0; a < b->ndim; a++)
        fprintf(to, " %s", b->reduced[a] ? "yes" : "no");
    fprintf(to, "\npartial results: %" PRIu64 " bytes\n", setup->acc_bytes);
}

int setup_describe(struct setup *setup, swim_error_t *err)
{
    size_t size = 0;
    FILE *to = open_memstream(&setup->description, &size);
    int rc = SWIM_OK;

    if (!to)
        return swim_error_set(err, SWIM_ERR_NOMEM, "description of the job");
    fputs("description: 1\n", to);
    describe_kernel(setup, to);
    if (setup->job->follow)
        fputs("follow: yes\n", to);
    const struct setup *first = setup_first(setup);
    for (uint32_t i = 0; rc == SWIM_OK && i < first->n_inputs; i++)
        rc = describe_input(first, i, to, err);
    for (uint32_t i = 0; i < setup->n_outputs; i++)
        describe_output(setup, i, to);
    describe_blocks(setup, to);
    if (fclose(to) != 0 && rc == SWIM_OK)
        rc = swim_error_set(err, SWIM_ERR_NOMEM, "description of the job");
    if (rc != SWIM_OK)
        return rc;
    setup->digest = XXH3_64bits(setup->description, size);
    return setup_keep(setup, err);
}
