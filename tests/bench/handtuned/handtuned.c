/* handtuned.c - forked workers and their parent, which writes. */
#include "handtuned.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libdeflate.h>

#define PROCESSES_MOST 64
#define SLOTS 8 /* finished batches of a worker that wait for the parent */
#define BATCH_BYTES ((size_t)256 << 10)
#define BATCH_MOST 1024
#define WRITE_BACK ((off_t)32 << 20)

/* One worker's, used in turn: head is where it is, tail where the parent is. */
struct ring {
    sem_t free;
    _Atomic uint64_t head;
    uint64_t tail;
    struct handtuned_batch slots[SLOTS];
};

struct team {
    sem_t ready; /* batches of all that wait for the parent */
    _Atomic uint64_t next;
    uint32_t batch; /* chunks in one */
    size_t bound;   /* of an encoded chunk */
    const struct handtuned_job *job;
    struct ring rings[PROCESSES_MOST];
};

static pid_t parent;

_Noreturn void handtuned_die(const char *what)
{
    fprintf(stderr, "handtuned: %s%s%s\n", what, errno ? ": " : "",
            errno ? strerror(errno) : "");
    if (parent && parent != getpid())
        kill(parent, SIGTERM);
    _exit(1);
}

int handtuned_processes(const char *text)
{
    const int n = text ? atoi(text) : 2;

    if (n < 1 || n > PROCESSES_MOST)
        handtuned_die("the number of processes");
    return n;
}

void handtuned_map(const char *name, struct handtuned_file *file)
{
    const int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        handtuned_die(name);
    file->size = (size_t)st.st_size;
    void *p = mmap(NULL, file->size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        handtuned_die(name);
    file->bytes = p;
    close(fd);
}

void *handtuned_memory(size_t bytes)
{
    void *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        handtuned_die("memory");
    return p;
}

void *handtuned_buffer(size_t bytes)
{
    const size_t huge = (size_t)2 << 20;
    void *p = aligned_alloc(huge, (bytes + huge - 1) / huge * huge);

    if (!p)
        handtuned_die("memory");
    madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

void handtuned_fork(int n, void (*run)(void *state, int worker), void *state)
{
    parent = getpid();
    for (int i = 0; i < n; i++) {
        const pid_t pid = fork();
        if (pid < 0)
            handtuned_die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            run(state, i);
            _exit(0);
        }
    }
}

void handtuned_join(int n)
{
    int status;

    for (int i = 0; i < n; i++)
        if (wait(&status) < 0 || status != 0)
            handtuned_die("a worker");
}

void handtuned_sync(const char *name)
{
    const int fd = open(name, O_RDWR | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0 || close(fd) != 0)
        handtuned_die(name);
}

static void team_wait(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        if (errno != EINTR)
            handtuned_die("semaphore");
}

static struct team *team_make(const struct handtuned_job *job, int n)
{
    const size_t bytes = job->like->bytes;
    struct team *team = handtuned_memory(sizeof(*team));

    team->job = job;
    team->batch = (uint32_t)(BATCH_BYTES / bytes);
    team->batch = team->batch < 1            ? 1
                  : team->batch > BATCH_MOST ? BATCH_MOST
                                             : team->batch;
    team->bound = libdeflate_zlib_compress_bound(NULL, bytes);
    if (sem_init(&team->ready, 1, 0) != 0)
        handtuned_die("semaphore");
    for (int i = 0; i < n; i++) {
        struct ring *ring = &team->rings[i];
        if (sem_init(&ring->free, 1, SLOTS) != 0)
            handtuned_die("semaphore");
        for (int k = 0; k < SLOTS; k++) {
            ring->slots[k].sizes = handtuned_memory(team->batch * sizeof(uint32_t));
            ring->slots[k].data = handtuned_memory(team->batch * team->bound);
        }
    }
    return team;
}

static void team_work(void *state, int worker)
{
    struct team *team = state;
    const struct handtuned_job *job = team->job;
    struct ring *ring = &team->rings[worker];
    const uint64_t n = job->like->n_chunks;
    void *own = job->open(job->plan);
    uint64_t first;

    while ((first = atomic_fetch_add(&team->next, team->batch)) < n) {
        const uint64_t at = atomic_load(&ring->head);
        struct handtuned_batch *batch = &ring->slots[at % SLOTS];
        team_wait(&ring->free);
        batch->first = first;
        batch->n = (uint32_t)(n - first < team->batch ? n - first : team->batch);
        batch->bytes = 0;
        for (uint32_t i = 0; i < batch->n; i++) {
            batch->sizes[i] = (uint32_t)job->work(
                own, first + i, batch->data + batch->bytes, team->bound);
            batch->bytes += batch->sizes[i];
        }
        atomic_store(&ring->head, at + 1);
        sem_post(&team->ready);
    }
}

/* What is written is on its way to the disk while workers compute, so that less is left
 * for the fsync at the end. */
static void write_back(int fd, off_t *done)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size - *done < WRITE_BACK)
        return;
    sync_file_range(fd, *done, st.st_size - *done, SYNC_FILE_RANGE_WRITE);
    *done = st.st_size;
}

static void write_batch(const struct handtuned_set *like, hid_t out,
                        const struct handtuned_batch *batch)
{
    const unsigned char *data = batch->data;

    for (uint32_t i = 0; i < batch->n; i++) {
        uint64_t index = batch->first + i;
        hsize_t at[HANDTUNED_NDIM];
        for (int d = like->ndim; d-- > 0; index /= like->counts[d])
            at[d] = index % like->counts[d] * like->chunk[d];
        if (H5Dwrite_chunk(out, H5P_DEFAULT, 0, at, batch->sizes[i], data) < 0)
            handtuned_die("write a chunk");
        data += batch->sizes[i];
    }
}

static void team_collect(struct team *team, int n, hid_t out, int fd)
{
    const struct handtuned_set *like = team->job->like;
    off_t written = 0;

    for (uint64_t done = 0; done < like->n_chunks;) {
        int from = 0;
        team_wait(&team->ready);
        while (atomic_load(&team->rings[from].head) == team->rings[from].tail)
            from = (from + 1) % n;
        struct ring *ring = &team->rings[from];
        const struct handtuned_batch *batch = &ring->slots[ring->tail++ % SLOTS];
        write_batch(like, out, batch);
        done += batch->n;
        sem_post(&ring->free);
        write_back(fd, &written);
    }
}

/* The filters of another dataset with gzip 1. */
static hid_t gzip_1(hid_t like)
{
    const hid_t plist = H5Pcopy(like);

    if (H5Pmodify_filter(plist, H5Z_FILTER_DEFLATE, 0, 1, (unsigned[]){1}) < 0)
        handtuned_die("filters");
    return plist;
}

void handtuned_run(const struct handtuned_job *job, int n)
{
    struct team *team = team_make(job, n);

    handtuned_fork(n, team_work, team);
    const hid_t file = H5Fcreate(job->file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(job->like->ndim, job->like->shape, NULL);
    const hid_t plist = gzip_1(job->like->like);
    const hid_t out = H5Dcreate2(file, job->dataset, H5T_IEEE_F32LE, space, H5P_DEFAULT,
                                 plist, H5P_DEFAULT);
    const int fd = open(job->file, O_RDONLY | O_CLOEXEC);
    if (out < 0 || fd < 0)
        handtuned_die(job->file);
    team_collect(team, n, out, fd);
    if (H5Dclose(out) < 0 || H5Pclose(plist) < 0 || H5Sclose(space) < 0 ||
        H5Fclose(file) < 0)
        handtuned_die(job->file);
    handtuned_sync(job->file);
    handtuned_join(n);
}
