/* raw.c - contiguous outputs that several processes write at once. */
#include "handtuned.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define WRITE_BACK ((size_t)16 << 20)

void handtuned_raw_read(const char *name, const char *dataset,
                        struct handtuned_raw *raw)
{
    const hid_t file = H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, dataset, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);

    raw->offset = H5Dget_offset(set);
    if (raw->offset == HADDR_UNDEF ||
        H5Sget_simple_extent_dims(space, raw->shape, NULL) != HANDTUNED_RAW_NDIM)
        handtuned_die(name);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
}

void handtuned_raw_create(const char *name, const char *dataset, const hsize_t *shape,
                          struct handtuned_raw *raw)
{
    const hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(HANDTUNED_RAW_NDIM, shape, NULL);
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);

    /* Nothing is written that is overwritten afterwards. */
    if (H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY) < 0 ||
        H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) < 0)
        handtuned_die("properties");
    const hid_t set = H5Dcreate2(file, dataset, H5T_IEEE_F32LE, space, H5P_DEFAULT,
                                 plist, H5P_DEFAULT);
    *raw = (struct handtuned_raw){.shape = {shape[0], shape[1]},
                                  .offset = H5Dget_offset(set)};
    if (raw->offset == HADDR_UNDEF || H5Dclose(set) < 0 || H5Pclose(plist) < 0 ||
        H5Sclose(space) < 0 || H5Fclose(file) < 0)
        handtuned_die(name);
}

static void raw_work(void *state, int worker)
{
    struct handtuned_raw_job *job = state;

    job->fd = open(job->out_name, O_WRONLY | O_CLOEXEC);
    if (job->fd < 0)
        handtuned_die(job->out_name);
    job->work(job, worker);
}

int handtuned_raw_main(int argc, char **argv, void (*work)(void *job, int worker))
{
    struct handtuned_raw_job job = {.work = work};

    if (argc < 3) {
        fprintf(stderr, "usage: %s IN.h5 OUT.h5 [PROCESSES]\n", argv[0]);
        return 2;
    }
    job.n = handtuned_processes(argc > 3 ? argv[3] : NULL);
    job.out_name = argv[2];
    handtuned_raw_read(argv[1], "X", &job.in);
    handtuned_map(argv[1], &job.file);
    handtuned_raw_create(argv[2], "Y", job.in.shape, &job.out);
    handtuned_fork(job.n, raw_work, &job);
    handtuned_join(job.n);
    handtuned_sync(argv[2]);
    return 0;
}

void handtuned_put(struct handtuned_writer *w, const void *bytes, size_t n, uint64_t at)
{
    const unsigned char *p = bytes;

    for (size_t put = 0; put < n;) {
        const ssize_t done = pwrite(w->fd, p + put, n - put, (off_t)(at + put));
        if (done <= 0)
            handtuned_die("write");
        put += (size_t)done;
    }
    if (w->waiting == 0)
        w->from = at;
    w->waiting += n;
    if (w->waiting >= WRITE_BACK) {
        sync_file_range(w->fd, (off_t)w->from, (off_t)(at + n - w->from),
                        SYNC_FILE_RANGE_WRITE);
        w->waiting = 0;
    }
}
