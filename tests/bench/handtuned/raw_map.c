/* raw_map.c - y = 2 x + 1 over a contiguous dataset of float32, as one would write it
 * by hand for these files and nothing else.  Usage: raw_map IN.h5 OUT.h5 [PROCESSES].
 *
 * The input is mapped, which saves a copy; each worker has a part of its own and writes
 * it in pieces that stay in the second cache (a mapped output is slower: its pages come
 * by faults). */
#include <fcntl.h>
#include <stdio.h>

#include "handtuned.h"

#define PIECE ((size_t)256 << 10) /* elements */

struct plan {
    const char *out_name;
    struct handtuned_file file;
    struct handtuned_raw in, out;
    int n;
};

static void linear(const float *restrict x, float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = 2.0F * x[i] + 1.0F;
}

static void work(void *state, int worker)
{
    const struct plan *p = state;
    const size_t n = p->in.shape[0] * p->in.shape[1];
    const size_t first = n / (size_t)p->n * (size_t)worker;
    const size_t end = worker == p->n - 1 ? n : first + n / (size_t)p->n;
    const float *x = (const float *)(const void *)(p->file.bytes + p->in.offset);
    float *y = handtuned_buffer(PIECE * sizeof(*y));
    struct handtuned_writer writer = {.fd = open(p->out_name, O_WRONLY | O_CLOEXEC)};

    if (writer.fd < 0)
        handtuned_die(p->out_name);
    for (size_t at = first; at < end; at += PIECE) {
        const size_t len = end - at < PIECE ? end - at : PIECE;
        linear(x + at, y, len);
        handtuned_put(&writer, y, len * sizeof(*y), p->out.offset + at * sizeof(*y));
    }
}

int main(int argc, char **argv)
{
    struct plan plan;

    if (argc < 3) {
        fprintf(stderr, "usage: raw_map IN.h5 OUT.h5 [PROCESSES]\n");
        return 2;
    }
    plan.n = handtuned_processes(argc > 3 ? argv[3] : NULL);
    plan.out_name = argv[2];
    handtuned_raw_read(argv[1], "X", &plan.in);
    handtuned_map(argv[1], &plan.file);
    handtuned_raw_create(argv[2], "Y", plan.in.shape, &plan.out);
    handtuned_fork(plan.n, work, &plan);
    handtuned_join(plan.n);
    handtuned_sync(argv[2]);
    return 0;
}
