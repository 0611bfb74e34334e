/* wind_speed.c - the job wind_speed as one would write it by hand for these files and
 * nothing else.  Usage: wind_speed IN.nc OUT.nc [PROCESSES].
 *
 * UWND and VWND have the same chunks, float32, shuffled and deflated; so has WSPD.  The
 * chunks are computed as planes of bytes, which is how they come out of inflate and go
 * into deflate. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <libdeflate.h>

#include "handtuned.h"

#define PART 1024

struct plan {
    struct handtuned_file file;
    struct handtuned_set u, v;
};

struct worker {
    const struct plan *plan;
    struct libdeflate_decompressor *inflate;
    struct handtuned_deflate *deflate;
    unsigned char *u, *v, *out;
};

static inline float joined(const unsigned char *planes, size_t n)
{
    const uint32_t bits = (uint32_t)planes[0] | (uint32_t)planes[n] << 8 |
                          (uint32_t)planes[2 * n] << 16 | (uint32_t)planes[3 * n] << 24;
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* len elements of n, which is the distance of the planes. */
static inline void speeds_part(const unsigned char *restrict u,
                               const unsigned char *restrict v,
                               unsigned char *restrict out, size_t n, size_t len,
                               float fill)
{
    uint32_t bits[PART];

    for (size_t i = 0; i < len; i++) {
        const float a = joined(u + i, n), b = joined(v + i, n);
        float speed = sqrtf(a * a + b * b);
        speed = a == fill || b == fill ? fill : speed;
        memcpy(&bits[i], &speed, sizeof(speed));
    }
    for (size_t k = 0; k < sizeof(float); k++)
        for (size_t i = 0; i < len; i++)
            out[k * n + i] = (unsigned char)(bits[i] >> 8 * k);
}

static void inflate(const struct worker *w, const struct handtuned_set *set,
                    uint64_t chunk, unsigned char *out)
{
    const struct handtuned_chunk *c = &set->chunks[chunk];

    if (libdeflate_zlib_decompress(w->inflate, w->plan->file.bytes + c->address,
                                   c->bytes, out, set->bytes,
                                   NULL) != LIBDEFLATE_SUCCESS)
        handtuned_die("inflate a chunk");
}

static size_t work(void *state, uint64_t chunk, unsigned char *room, size_t most)
{
    const struct worker *w = state;
    const struct handtuned_set *set = &w->plan->u;
    const size_t n = set->n;

    inflate(w, &w->plan->u, chunk, w->u);
    inflate(w, &w->plan->v, chunk, w->v);
    for (size_t at = 0; at < n; at += PART)
        speeds_part(w->u + at, w->v + at, w->out + at, n, n - at < PART ? n - at : PART,
                    set->fill);
    return handtuned_deflate(w->deflate, w->out, room, most);
}

static void *open_worker(const void *plan)
{
    static struct worker w;
    const size_t bytes = ((const struct plan *)plan)->u.bytes;

    w = (struct worker){.plan = plan,
                        .inflate = libdeflate_alloc_decompressor(),
                        .deflate = handtuned_deflate_open(bytes),
                        .u = handtuned_buffer(bytes),
                        .v = handtuned_buffer(bytes),
                        .out = handtuned_buffer(bytes)};
    if (!w.inflate)
        handtuned_die("memory");
    return &w;
}

int main(int argc, char **argv)
{
    static struct plan plan;

    if (argc < 3) {
        fprintf(stderr, "usage: wind_speed IN.nc OUT.nc [PROCESSES]\n");
        return 2;
    }
    const hid_t file = H5Fopen(argv[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    handtuned_map(argv[1], &plan.file);
    handtuned_set_read(&plan.file, file, "UWND", &plan.u);
    handtuned_set_read(&plan.file, file, "VWND", &plan.v);
    H5Fclose(file);
    handtuned_run(&(struct handtuned_job){.file = argv[2],
                                          .dataset = "WSPD",
                                          .like = &plan.u,
                                          .open = open_worker,
                                          .work = work,
                                          .plan = &plan},
                  handtuned_processes(argc > 3 ? argv[3] : NULL));
    return 0;
}
