/* inputs.c - a reader's session on the input files. */
#include "batch/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "batch/edges.h"
#include "core/clock.h"
#include "store/codec.h"
#include "store/session.h"

#define SESSION_NS 1000000000LL

struct inputs {
    const struct setup *setup;
    const struct worker *worker;
    swim_session_t *session;
    const char **files; /* each once, in order: two jobs lock in the same order */
    uint32_t n_files;
    swim_lock_t **locks;
    struct dataset **datasets;
    unsigned char (*constants)[16];
    bool open;
    int64_t opened_ns;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_files(struct inputs *in)
{
    for (uint32_t i = 0; i < in->setup->n_inputs; i++)
        in->files[i] = in->setup->inputs[i].info->file;
    qsort(in->files, in->setup->n_inputs, sizeof(*in->files), by_name);
    for (uint32_t i = 0; i < in->setup->n_inputs; i++)
        if (i == 0 || strcmp(in->files[i], in->files[in->n_files - 1]) != 0)
            in->files[in->n_files++] = in->files[i];
}

int inputs_create(const struct setup *setup, const struct worker *worker,
                  swim_session_t *session, struct inputs **out, swim_error_t *err)
{
    struct inputs *in = calloc(1, sizeof(*in));
    int rc = SWIM_OK;

    *out = NULL;
    if (!in)
        return swim_error_set(err, SWIM_ERR_NOMEM, "inputs");
    in->setup = setup;
    in->worker = worker;
    in->session = session;
    in->files = calloc(setup->n_inputs, sizeof(*in->files));
    in->locks = calloc(setup->n_inputs, sizeof(*in->locks));
    in->datasets = calloc(setup->n_inputs, sizeof(*in->datasets));
    in->constants = calloc(setup->n_inputs, sizeof(*in->constants));
    if (!in->files || !in->locks || !in->datasets || !in->constants) {
        inputs_destroy(in);
        return swim_error_set(err, SWIM_ERR_NOMEM, "inputs");
    }
    list_files(in);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_inputs; i++)
        rc = codec_convert(SWIM_TYPE_F64, &setup->plan.edge_value,
                           setup->inputs[i].type, in->constants[i], 1, false, 0, err);
    if (rc != SWIM_OK) {
        inputs_destroy(in);
        return rc;
    }
    *out = in;
    return SWIM_OK;
}

void inputs_destroy(struct inputs *inputs)
{
    if (!inputs)
        return;
    if (inputs->open)
        inputs_end(inputs, NULL);
    free(inputs->files);
    free(inputs->locks);
    free(inputs->datasets);
    free(inputs->constants);
    free(inputs);
}

int inputs_begin(struct inputs *in, swim_error_t *err)
{
    int rc = SWIM_OK;

    if (in->open && swim_clock_mono_ns() - in->opened_ns > SESSION_NS)
        rc = inputs_end(in, err);
    if (rc != SWIM_OK || in->open)
        return rc;
    in->open = true;
    for (uint32_t i = 0; rc == SWIM_OK && i < in->n_files; i++)
        rc = store_lock_file(in->session, in->files[i], SWIM_LOCK_READ,
                             in->worker->wait_ms, &in->locks[i], err);
    for (uint32_t i = 0; rc == SWIM_OK && i < in->setup->n_inputs; i++)
        rc = dataset_open(in->setup->inputs[i].info, in->setup->inputs[i].type,
                          &in->datasets[i], err);
    in->opened_ns = swim_clock_mono_ns();
    if (rc != SWIM_OK)
        inputs_end(in, NULL);
    return rc;
}

int inputs_end(struct inputs *in, swim_error_t *err)
{
    int rc = SWIM_OK;

    if (!in->open)
        return SWIM_OK;
    for (uint32_t i = 0; i < in->setup->n_inputs; i++) {
        dataset_close(in->datasets[i]);
        in->datasets[i] = NULL;
    }
    for (uint32_t i = 0; i < in->n_files; i++) {
        int released = swim_lock_release(in->locks[i], err);
        /* No answer to the release takes nothing away from what was read under it. */
        if (released == SWIM_ERR_LOST && rc == SWIM_OK)
            rc = released;
        in->locks[i] = NULL;
    }
    if (rc == SWIM_OK)
        swim_error_clear(err);
    in->open = false;
    return rc;
}

static int read_inside(void *from, const uint64_t *start, const uint64_t *count,
                       void *buf, const uint64_t *buf_shape, const uint64_t *buf_start,
                       swim_error_t *err)
{
    return dataset_read(from, start, count, buf, buf_shape, buf_start, err);
}

int inputs_read(struct inputs *in, uint32_t input, const struct block_range *range,
                void *buf, swim_error_t *err)
{
    const struct setup *setup = in->setup;
    const struct edges edges = {
        .ndim = setup->blocks.ndim,
        .extent = setup->blocks.extent,
        .halo_lo = setup->plan.halo_lo,
        .halo_hi = setup->plan.halo_hi,
        .mode = setup->plan.edge,
        .constant = in->constants[input],
        .element_size = (uint32_t)swim_type_size(setup->inputs[input].type),
    };

    return edges_read(&edges, range, buf, read_inside, in->datasets[input], err);
}

int inputs_check(const struct inputs *in, swim_error_t *err)
{
    int rc = SWIM_OK;

    for (uint32_t i = 0; rc == SWIM_OK && i < in->n_files; i++)
        rc = swim_lock_check(in->locks[i], 0, err);
    return rc;
}
