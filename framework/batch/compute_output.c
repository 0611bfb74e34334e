/* compute_output.c - what a kernel wrote, as the chunks of a file. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "batch/compute_private.h"
#include "store/box.h"

#define PACK_PART 1024 /* elements at a time: they stay in the cache */

void *record_begin(void *payload, uint64_t at, uint32_t output, const uint64_t *coords,
                   uint32_t n_coords)
{
    struct payload_record *record = (void *)((char *)payload + at);

    record->output = output;
    record->n_coords = n_coords;
    record->place = 0;
    for (uint32_t d = 0; d < n_coords; d++)
        record->coords[d] = coords[d];
    return record + 1;
}

void record_end(void *payload, uint64_t *at, uint64_t n_bytes)
{
    struct payload_record *record = (void *)((char *)payload + *at);

    record->n_bytes = n_bytes;
    *at += sizeof(*record) + payload_round(n_bytes);
}

static int slot_too_small(uint64_t room, const struct output_spec *spec,
                          swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_IO,
                          "a block's slot of %" PRIu64
                          " bytes is too small for output %s",
                          room, spec->dataset);
}

static const void *chunk_of(struct compute_output *o, const struct output_spec *spec,
                            const struct block_range *out, const uint64_t *coords)
{
    const void *in_place = codec_find(o->stored, spec->ndim, out->count, out->start,
                                      o->element_size, coords, spec->chunk);

    if (in_place)
        return in_place;
    codec_gather(o->stored, spec->ndim, out->count, out->start, o->element_size, coords,
                 spec->chunk, o->fill, o->chunk);
    return o->chunk;
}

/* Chunks that are whole rows lie in the slot as the kernel wrote them; the last one may
 * reach beyond the dataset. */
static int chunks_in_place(struct compute *c, uint32_t number,
                           const struct block_range *out, void *payload, uint64_t room,
                           uint64_t *at, swim_error_t *err)
{
    const struct setup_output *so = &c->setup->outputs[number];
    const struct output_spec *spec = &so->spec;
    struct compute_output *o = &c->out[number];
    uint64_t coords[SWIM_NDIM_MAX] = {out->start[0]}, done = 0;
    uint64_t bytes = out->elements * o->element_size;

    for (; done < bytes; done += o->chunk_bytes, coords[0] += spec->chunk[0]) {
        struct payload_record *record = (void *)((char *)payload + *at);
        if (room - *at < sizeof(*record))
            return slot_too_small(room, spec, err);
        record_begin(payload, *at, number, coords, spec->ndim);
        record->n_bytes = o->chunk_bytes;
        record->place = so->in_slot + done;
        *at += sizeof(*record);
    }
    box_fill((char *)o->stored + bytes, (done - bytes) / o->element_size, o->fill,
             o->element_size);
    return SWIM_OK;
}

int encode_chunks(struct compute *c, uint32_t number, const struct block_range *out,
                  void *payload, uint64_t room, uint64_t *at, swim_error_t *err)
{
    const struct output_spec *spec = &c->setup->outputs[number].spec;
    struct compute_output *o = &c->out[number];
    uint64_t coords[SWIM_NDIM_MAX];

    if (spec->ndim == 0) { /* HDF5 has no chunked scalars */
        memcpy(record_begin(payload, *at, number, NULL, 0), o->stored, o->element_size);
        record_end(payload, at, o->element_size);
        return SWIM_OK;
    }
    if (c->setup->outputs[number].in_slot)
        return chunks_in_place(c, number, out, payload, room, at, err);
    memcpy(coords, out->start, spec->ndim * sizeof(*coords));
    for (;;) {
        size_t n_bytes = 0;
        if (room - *at < sizeof(struct payload_record) + codec_bound(o->codec) + 8)
            return slot_too_small(room, spec, err);
        void *to = record_begin(payload, *at, number, coords, spec->ndim);
        int rc =
            codec_encode(o->codec, chunk_of(o, spec, out, coords), to, &n_bytes, err);
        if (rc != SWIM_OK)
            return rc;
        record_end(payload, at, n_bytes);
        uint32_t d = spec->ndim;
        while (d-- > 0) {
            coords[d] += spec->chunk[d];
            if (coords[d] < out->start[d] + out->count[d])
                break;
            coords[d] = out->start[d];
        }
        if (d == UINT32_MAX)
            return SWIM_OK;
    }
}

/* Missing values whose stored form the kernel's type could not hold. */
static void refill(struct compute_output *o, size_t kernel_size, uint64_t elements)
{
    const char *from = o->array;
    char *to = o->stored;

    for (uint64_t i = 0; i < elements; i++)
        if (memcmp(from + i * kernel_size, o->missing, kernel_size) == 0)
            memcpy(to + i * o->element_size, o->fill, o->element_size);
}

/* Rounded to the nearest, as numpy rounds; what is beyond the type is missing.  In
 * place where both types are the same. */
static int pack_elements(const struct setup_output *so, const struct compute_output *o,
                         uint64_t elements, swim_error_t *err)
{
    const size_t size = swim_type_size(so->type);
    double part[PACK_PART];
    int rc = SWIM_OK;

    for (uint64_t at = 0; rc == SWIM_OK && at < elements; at += PACK_PART) {
        const char *from = (const char *)o->array + at * size;
        size_t n = elements - at < PACK_PART ? (size_t)(elements - at) : PACK_PART;
        rc = codec_convert(so->type, from, SWIM_TYPE_F64, part, n, false, 0, err);
        for (size_t i = 0; i < n; i++) {
            bool gone = so->refill && memcmp(from + i * size, o->missing, size) == 0;
            part[i] = gone ? (double)NAN
                           : nearbyint((part[i] - so->spec.offset) / so->spec.scale);
        }
        if (rc == SWIM_OK)
            rc = codec_convert(SWIM_TYPE_F64, part, so->spec.type,
                               (char *)o->stored + at * o->element_size, n, true,
                               so->spec.fill, err);
    }
    return rc;
}

int store_elements(struct compute *c, uint32_t output, uint64_t elements,
                   swim_error_t *err)
{
    const struct setup_output *so = &c->setup->outputs[output];
    struct compute_output *o = &c->out[output];

    if (so->spec.packed)
        return pack_elements(so, o, elements, err);
    int rc = codec_convert(so->type, o->array, so->spec.type, o->stored, elements,
                           !so->spec.verbatim, so->spec.fill, err);

    if (rc == SWIM_OK && so->refill)
        refill(o, swim_type_size(so->type), elements);
    return rc;
}
