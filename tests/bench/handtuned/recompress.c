/* recompress.c - a dataset in gzip 1 instead of gzip 4, as one would write it by hand
 * for these files and nothing else: what is shuffled stays so. Usage: recompress IN.h5
 * OUT.h5 [PROCESSES]. */
#include <stdio.h>

#include <libdeflate.h>

#include "handtuned.h"

#define DATASET "UWND"

struct plan {
    struct handtuned_file file;
    struct handtuned_set set;
};

struct worker {
    const struct plan *plan;
    struct libdeflate_decompressor *inflate;
    struct handtuned_deflate *deflate;
    unsigned char *bytes;
};

static size_t work(void *state, uint64_t chunk, unsigned char *room, size_t most)
{
    const struct worker *w = state;
    const struct handtuned_set *set = &w->plan->set;
    const struct handtuned_chunk *c = &set->chunks[chunk];

    if (libdeflate_zlib_decompress(w->inflate, w->plan->file.bytes + c->address,
                                   c->bytes, w->bytes, set->bytes,
                                   NULL) != LIBDEFLATE_SUCCESS)
        handtuned_die("inflate a chunk");
    return handtuned_deflate(w->deflate, w->bytes, room, most);
}

static void *open_worker(const void *plan)
{
    static struct worker w;

    w = (struct worker){
        .plan = plan,
        .inflate = libdeflate_alloc_decompressor(),
        .deflate = handtuned_deflate_open(((const struct plan *)plan)->set.bytes),
        .bytes = handtuned_buffer(((const struct plan *)plan)->set.bytes),
    };
    if (!w.inflate)
        handtuned_die("memory");
    return &w;
}

int main(int argc, char **argv)
{
    static struct plan plan;

    if (argc < 3) {
        fprintf(stderr, "usage: recompress IN.h5 OUT.h5 [PROCESSES]\n");
        return 2;
    }
    const hid_t file = H5Fopen(argv[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    handtuned_map(argv[1], &plan.file);
    handtuned_set_read(&plan.file, file, DATASET, &plan.set);
    H5Fclose(file);
    handtuned_run(&(struct handtuned_job){.file = argv[2],
                                          .dataset = DATASET,
                                          .like = &plan.set,
                                          .open = open_worker,
                                          .work = work,
                                          .plan = &plan},
                  handtuned_processes(argc > 3 ? argv[3] : NULL));
    return 0;
}
