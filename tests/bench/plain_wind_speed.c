/* plain_wind_speed.c - the job wind_speed as a plain HDF5 program does it: one process,
 * H5Dread, sqrtf, H5Dwrite, one row of chunks at a time.  Usage: IN.nc OUT.nc.
 * The output has the chunks, filters and fill value of UWND; it is synced at the end,
 * as h5swim's outputs are.  HDF5 itself prints what goes wrong. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <hdf5.h>

#define NDIM 3

struct program {
    hid_t in, out, u, v, speed, space, like;
    hsize_t shape[NDIM], chunk[NDIM];
    float fill;
    float *a, *b;
};

static int program_open(struct program *p, const char *in, const char *out)
{
    p->in = H5Fopen(in, H5F_ACC_RDONLY, H5P_DEFAULT);
    p->out = H5Fcreate(out, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    p->u = H5Dopen2(p->in, "UWND", H5P_DEFAULT);
    p->v = H5Dopen2(p->in, "VWND", H5P_DEFAULT);
    p->space = H5Dget_space(p->u);
    p->like = H5Dget_create_plist(p->u);
    if (p->in < 0 || p->out < 0 || p->u < 0 || p->v < 0 || p->space < 0 || p->like < 0)
        return -1;
    if (H5Sget_simple_extent_dims(p->space, p->shape, NULL) != NDIM ||
        H5Pget_chunk(p->like, NDIM, p->chunk) != NDIM ||
        H5Pget_fill_value(p->like, H5T_NATIVE_FLOAT, &p->fill) < 0)
        return -1;
    p->speed = H5Dcreate2(p->out, "WSPD", H5T_NATIVE_FLOAT, p->space, H5P_DEFAULT,
                          p->like, H5P_DEFAULT);
    return p->speed < 0 ? -1 : 0;
}

static int program_row(struct program *p, hsize_t first)
{
    hsize_t start[NDIM] = {first, 0, 0};
    hsize_t count[NDIM] = {p->chunk[0], p->shape[1], p->shape[2]};
    int rc = -1;

    if (count[0] > p->shape[0] - first)
        count[0] = p->shape[0] - first;
    hid_t memory = H5Screate_simple(NDIM, count, NULL);
    if (memory < 0 ||
        H5Sselect_hyperslab(p->space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(p->u, H5T_NATIVE_FLOAT, memory, p->space, H5P_DEFAULT, p->a) < 0 ||
        H5Dread(p->v, H5T_NATIVE_FLOAT, memory, p->space, H5P_DEFAULT, p->b) < 0)
        goto out;
    size_t n = (size_t)(count[0] * count[1] * count[2]);
    const float fill = p->fill;
    for (size_t i = 0; i < n; i++) {
        float u = p->a[i], v = p->b[i];
        float speed = sqrtf(u * u + v * v);
        p->a[i] = u == fill || v == fill ? fill : speed;
    }
    rc = H5Dwrite(p->speed, H5T_NATIVE_FLOAT, memory, p->space, H5P_DEFAULT, p->a);
out:
    if (memory >= 0)
        H5Sclose(memory);
    return rc < 0 ? -1 : 0;
}

static int program_close(struct program *p)
{
    int rc = H5Pclose(p->like) | H5Sclose(p->space);

    rc |= H5Dclose(p->u) | H5Dclose(p->v) | H5Dclose(p->speed);
    return rc | H5Fclose(p->in) | H5Fclose(p->out);
}

static int file_sync(const char *name)
{
    int fd = open(name, O_RDWR | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? -1 : 0;

    if (rc < 0)
        perror(name);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int program_run(struct program *p)
{
    size_t row = (size_t)(p->chunk[0] * p->shape[1] * p->shape[2]);
    int rc = 0;

    p->a = malloc(row * sizeof(*p->a));
    p->b = malloc(row * sizeof(*p->b));
    if (!p->a || !p->b)
        rc = -1;
    for (hsize_t first = 0; rc == 0 && first < p->shape[0]; first += p->chunk[0])
        rc = program_row(p, first);
    free(p->a);
    free(p->b);
    return rc;
}

int main(int argc, char **argv)
{
    struct program p = {0};

    if (argc != 3) {
        fprintf(stderr, "usage: plain_wind_speed IN.nc OUT.nc\n");
        return 2;
    }
    if (program_open(&p, argv[1], argv[2]) < 0 || program_run(&p) < 0 ||
        program_close(&p) < 0 || file_sync(argv[2]) < 0)
        return 1;
    return 0;
}
