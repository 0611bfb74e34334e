/* handtuned.h - what the programs share that h5swim is measured against: where chunks
 * lie, and forked workers that leave finished chunks in shared memory for their parent.
 * Whatever goes wrong ends the program.
 *
 * A program is for the files of tests/bench alone: x86, float32, every chunk is there.
 */
#ifndef SWIM_BENCH_HANDTUNED_H
#define SWIM_BENCH_HANDTUNED_H

#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

#define HANDTUNED_NDIM 4

/* What a file is mapped as. */
struct handtuned_file {
    const unsigned char *bytes;
    size_t size;
};

struct handtuned_chunk {
    uint64_t address;
    uint32_t bytes;
};

/* A chunked dataset. */
struct handtuned_set {
    int ndim;
    hsize_t shape[HANDTUNED_NDIM], chunk[HANDTUNED_NDIM], counts[HANDTUNED_NDIM];
    size_t n, bytes;                /* of a chunk, decoded */
    uint64_t n_chunks;              /* in the order of their grid */
    struct handtuned_chunk *chunks; /* NULL: not asked for */
    hid_t like;                     /* how it was created */
    float fill;
};

/* Chunks that a worker has finished: n of them from first on, one behind the other. */
struct handtuned_batch {
    uint64_t first, bytes;
    uint32_t n;
    uint32_t *sizes;
    unsigned char *data;
};

/* What a worker does for each chunk: decode, compute, encode into room, return the
 * bytes. */
typedef size_t (*handtuned_work)(void *state, uint64_t chunk, unsigned char *room,
                                 size_t most);

_Noreturn void handtuned_die(const char *what);

/* The number of processes, from the text of an argument (NULL: 2). */
int handtuned_processes(const char *text);

void handtuned_map(const char *name, struct handtuned_file *file);

/* Memory that children share. */
void *handtuned_memory(size_t bytes);

/* Of its own, on huge pages where there are some. */
void *handtuned_buffer(size_t bytes);

/* Chunks of so many bytes to streams of level 1 of at most `most` bytes. */
struct handtuned_deflate;
struct handtuned_deflate *handtuned_deflate_open(size_t bytes);
size_t handtuned_deflate(struct handtuned_deflate *deflate, unsigned char *bytes,
                         unsigned char *room, size_t most);

/* Fork n workers: run(state, i) in each, which then end. */
void handtuned_fork(int n, void (*run)(void *state, int worker), void *state);

/* Wait for them. */
void handtuned_join(int n);

void handtuned_sync(const char *name);

/* Where the chunks of a dataset lie, and how it was created. */
void handtuned_set_read(const struct handtuned_file *map, hid_t file, const char *name,
                        struct handtuned_set *set);

/* Make an output of one dataset with the chunks and filters of another, but gzip 1, by
 * n workers that do open() and then work() chunk by chunk; this process writes what
 * they have finished, and syncs it. */
struct handtuned_job {
    const char *file, *dataset;
    const struct handtuned_set *like;
    void *(*open)(const void *plan);
    handtuned_work work;
    const void *plan;
};
void handtuned_run(const struct handtuned_job *job, int n);

/* --- contiguous datasets of two dimensions --------------------------------------- */

#define HANDTUNED_RAW_NDIM 2

struct handtuned_raw {
    uint64_t offset; /* in the file */
    hsize_t shape[HANDTUNED_RAW_NDIM];
};

void handtuned_raw_read(const char *name, const char *dataset,
                        struct handtuned_raw *raw);
void handtuned_raw_create(const char *name, const char *dataset, const hsize_t *shape,
                          struct handtuned_raw *raw);

/* A program that makes Y of OUT.h5 of X of IN.h5: main() with PROCESSES workers, each
 * of which has an output of its own open; work(job, i) runs in each. */
struct handtuned_raw_job {
    struct handtuned_file file; /* the input, mapped */
    struct handtuned_raw in, out;
    int n, fd;
    const char *out_name;
    void (*work)(void *job, int worker);
};
int handtuned_raw_main(int argc, char **argv, void (*work)(void *job, int worker));

/* What a worker writes, in ascending order, is on its way to the disk while it
 * computes: less is left for the fsync at the end. */
struct handtuned_writer {
    int fd;
    uint64_t from;
    size_t waiting;
};

void handtuned_put(struct handtuned_writer *w, const void *bytes, size_t n,
                   uint64_t at);

#endif /* SWIM_BENCH_HANDTUNED_H */
