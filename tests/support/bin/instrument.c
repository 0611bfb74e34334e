/* instrument FILE ROWS MS [end] - appends rows to /U of FILE, which has one unlimited
 * and one fixed dimension of float, and their numbers to /time if it is there, one
 * commit each, with MS between them.  Prints "ROW NS", by the monotonic clock, after
 * each commit.  With end the attribute h5swim_end follows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hdf5.h>

#include <h5swim/store.h>

#define COLUMNS_MOST 4096

static long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int append(hid_t set, hsize_t at, hsize_t columns, hid_t type, const void *data)
{
    const hsize_t dims[2] = {at + 1, columns}, start[2] = {at, 0},
                  count[2] = {1, columns};
    int ndim = columns ? 2 : 1;

    if (H5Dset_extent(set, dims) < 0)
        return -1;
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(ndim, count, NULL);
    herr_t rc = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (rc >= 0)
        rc = H5Dwrite(set, type, memory, space, H5P_DEFAULT, data);
    H5Sclose(memory);
    H5Sclose(space);
    return rc < 0 ? -1 : 0;
}

static int append_row(hid_t file, hid_t set, hsize_t *row)
{
    static float values[COLUMNS_MOST];
    hsize_t dims[2] = {0};
    hid_t space = H5Dget_space(set);
    int ndim = H5Sget_simple_extent_dims(space, dims, NULL), rc = 0;

    H5Sclose(space);
    if (ndim != 2 || dims[1] > COLUMNS_MOST)
        return -1;
    *row = dims[0];
    for (hsize_t i = 0; i < dims[1]; i++)
        values[i] = (float)(dims[0] + i);
    if (H5Lexists(file, "time", H5P_DEFAULT) > 0) {
        long long t = 10 * (long long)dims[0];
        hid_t time = H5Dopen2(file, "time", H5P_DEFAULT);
        rc = append(time, dims[0], 0, H5T_NATIVE_LLONG, &t);
        H5Dclose(time);
    }
    return rc == 0 ? append(set, dims[0], dims[1], H5T_NATIVE_FLOAT, values) : rc;
}

static int put_end(hid_t set)
{
    const int one = 1;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute =
        H5Acreate2(set, "h5swim_end", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t rc = H5Awrite(attribute, H5T_NATIVE_INT, &one);

    H5Aclose(attribute);
    H5Sclose(space);
    return rc < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    swim_error_t err = {0};
    int rc = 0;

    if (argc < 4)
        return 2;
    long rows = atol(argv[2]), ms = atol(argv[3]);
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (swim_fapl_set(fapl, NULL, &err) != SWIM_OK)
        return 1;
    hid_t file = H5Fopen(argv[1], H5F_ACC_RDWR, fapl);
    hid_t set = file < 0 ? H5I_INVALID_HID : H5Dopen2(file, "U", H5P_DEFAULT);
    for (long i = 0; rc == 0 && set >= 0 && i < rows; i++) {
        hsize_t row = 0;
        nanosleep(&pause, NULL);
        rc = append_row(file, set, &row);
        if (rc == 0)
            rc = swim_commit(file, &err);
        if (rc == 0)
            printf("%llu %lld\n", (unsigned long long)row, now_ns());
        fflush(stdout);
    }
    if (rc == 0 && set >= 0 && argc > 4 && strcmp(argv[4], "end") == 0)
        rc = put_end(set);
    H5Dclose(set);
    if (file < 0 || set < 0 || swim_close(file, &err) != SWIM_OK)
        rc = -1;
    if (err.code != SWIM_OK)
        fprintf(stderr, "instrument: %s\n", err.text);
    return rc == 0 ? 0 : 1;
}
