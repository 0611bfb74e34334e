/* stencil.c - the mean of 3 x 3 elements, the nearest one beyond the edges, over a
 * contiguous dataset of float32, as one would write it by hand for these files and
 * nothing else.  Usage: stencil IN.h5 OUT.h5 [PROCESSES].
 *
 * The sums of three along each row are kept for three rows; a row of the input is read
 * once.  It adds up in the same order as tests/bench/kernels/mean3x3.c. */
#include "handtuned.h"

#define PIECE ((size_t)256 << 10) /* elements, about */

static void sum_row(const float *restrict x, float *restrict sum, size_t n)
{
    sum[0] = x[0] + x[0] + x[n > 1];
    for (size_t i = 1; i + 1 < n; i++)
        sum[i] = x[i - 1] + x[i] + x[i + 1];
    if (n > 1)
        sum[n - 1] = x[n - 2] + x[n - 1] + x[n - 1];
}

static void mean_row(const float *restrict a, const float *restrict b,
                     const float *restrict c, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (a[i] + b[i] + c[i]) * (1.0F / 9.0F);
}

static void work(void *state, int worker)
{
    const struct handtuned_raw_job *p = state;
    const size_t rows = p->in.shape[0], n = p->in.shape[1];
    const size_t first = rows * (size_t)worker / (size_t)p->n;
    const size_t end = rows * ((size_t)worker + 1) / (size_t)p->n;
    const size_t most = PIECE / n ? PIECE / n : 1;
    const float *x = (const float *)(const void *)(p->file.bytes + p->in.offset);
    float *sums = handtuned_buffer(3 * n * sizeof(*sums));
    float *y = handtuned_buffer(most * n * sizeof(*y));
    struct handtuned_writer writer = {.fd = p->fd};
    size_t kept = 0;

    if (first < end) {
        sum_row(x + (first > 0 ? first - 1 : 0) * n, sums + (first + 2) % 3 * n, n);
        sum_row(x + first * n, sums + first % 3 * n, n);
    }
    for (size_t r = first; r < end; r++) {
        const size_t next = r + 1 < rows ? r + 1 : r;
        sum_row(x + next * n, sums + (r + 1) % 3 * n, n);
        mean_row(sums + (r + 2) % 3 * n, sums + r % 3 * n, sums + (r + 1) % 3 * n,
                 y + kept * n, n);
        if (++kept == most || r + 1 == end) {
            handtuned_put(&writer, y, kept * n * sizeof(*y),
                          p->out.offset + (r + 1 - kept) * n * sizeof(*y));
            kept = 0;
        }
    }
}

int main(int argc, char **argv)
{
    return handtuned_raw_main(argc, argv, work);
}
