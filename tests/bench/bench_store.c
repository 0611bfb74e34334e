/* bench_store.c - the figures of the store, each beside its goal.
 *
 * A ratio compares the driver with plain HDF5 (sec2, and fsync at the close of what was
 * written) in one run, both in turn, medians of all turns.  Data are float64 in calls
 * of 1 MiB; files are in the page cache when they are read. */
#include <fcntl.h>
#include <h5swim/store.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "redis_fixture.h"
#include "store/vfd.h"

#define CALL (1U << 20)
#define N (CALL / sizeof(double))
#define OPENS 2000
#define COMMIT_EVERY_NS 100000000LL
#define SMALL_COMMITS 10000

static struct redis_fixture redis;
static char file_name[512];
static uint64_t calls; /* of 1 MiB, in a file */
static int turns;
static double data[N];
static unsigned syncs;
static const char *only = ""; /* part of the names of the figures that are wanted */

_Noreturn static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_store: %s: %s\n", what, why);
    exit(1);
}

static void need(bool done, const char *what)
{
    if (done)
        return;
    H5Eprint2(H5E_DEFAULT, stderr);
    fail(what, "HDF5 says why");
}

static void row(const char *figure, const char *goal, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void row(const char *figure, const char *goal, const char *fmt, ...)
{
    char seen[80];
    va_list args;

    va_start(args, fmt);
    vsnprintf(seen, sizeof(seen), fmt, args);
    va_end(args);
    printf("%-44s %-38s %s\n", figure, seen, goal);
    fflush(stdout);
}

static bool is_wanted(const char *figure)
{
    return strstr(figure, only) != NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

/* Also what a writer that was killed has left. */
static void file_remove(void)
{
    char journal[600];

    snprintf(journal, sizeof(journal), "%s.swimlog", file_name);
    (void)unlink(journal);
    (void)unlink(file_name);
}

/* --- one run: by the driver, or plain */

static hid_t fapl_of(bool driver)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    swim_error_t err = {0};

    if (driver && swim_fapl_set(fapl, NULL, &err) != SWIM_OK)
        fail("set the driver", err.text);
    return fapl;
}

static hid_t file_open(bool driver, unsigned flags)
{
    hid_t fapl = fapl_of(driver);
    hid_t file = flags & H5F_ACC_TRUNC ? H5Fcreate(file_name, flags, H5P_DEFAULT, fapl)
                                       : H5Fopen(file_name, flags, fapl);

    need(file >= 0, "open the file");
    H5Pclose(fapl);
    return file;
}

static void file_close(bool driver, hid_t file, bool wrote)
{
    void *handle = NULL;
    int fd = -1;

    if (wrote && !driver && H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0)
        fd = dup(*(int *)handle);
    need(H5Fclose(file) >= 0, "close the file");
    if (fd >= 0 && (fsync(fd) != 0 || close(fd) != 0))
        fail("fsync", file_name);
}

static hid_t set_make(hid_t file, bool chunked, hsize_t length)
{
    const hsize_t max = H5S_UNLIMITED, chunk = N;
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &length, chunked ? &max : NULL);

    if (chunked)
        H5Pset_chunk(dcpl, 1, &chunk);
    H5Pset_fill_time(dcpl, H5D_FILL_TIME_NEVER);
    hid_t set =
        H5Dcreate2(file, "x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    need(set >= 0, "create a dataset");
    H5Sclose(space);
    H5Pclose(dcpl);
    return set;
}

static void transfer(hid_t set, hsize_t at, bool writes)
{
    const hsize_t start = at * N, count = N;
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(1, &count, NULL);

    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    if (writes)
        need(H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, data) >= 0,
             "write");
    else
        need(H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, data) >= 0,
             "read");
    H5Sclose(memory);
    H5Sclose(space);
}

static void run_create(bool driver, bool chunked)
{
    hid_t file = file_open(driver, H5F_ACC_TRUNC);
    hid_t set = set_make(file, chunked, calls * N);

    for (uint64_t i = 0; i < calls; i++)
        transfer(set, i, true);
    H5Dclose(set);
    file_close(driver, file, true);
}

/* To a dataset that has one call's worth of data. */
static void run_append(bool driver, bool chunked)
{
    hid_t file = file_open(driver, H5F_ACC_RDWR),
          set = H5Dopen2(file, "x", H5P_DEFAULT);

    (void)chunked;
    for (uint64_t i = 1; i < calls; i++) {
        const hsize_t length = (i + 1) * N;
        need(H5Dset_extent(set, &length) >= 0, "extend");
        transfer(set, i, true);
    }
    H5Dclose(set);
    file_close(driver, file, true);
}

/* Each value another one than before: what is the same is not written. */
static void run_overwrite(bool driver, bool chunked)
{
    hid_t file = file_open(driver, H5F_ACC_RDWR),
          set = H5Dopen2(file, "x", H5P_DEFAULT);

    (void)chunked;
    for (size_t i = 0; i < N; i++)
        data[i] += 1;
    for (uint64_t i = 0; i < calls; i++)
        transfer(set, i, true);
    H5Dclose(set);
    file_close(driver, file, true);
}

static void run_read(bool driver, bool chunked)
{
    hid_t file = file_open(driver, H5F_ACC_RDONLY),
          set = H5Dopen2(file, "x", H5P_DEFAULT);

    (void)chunked;
    for (uint64_t i = 0; i < calls; i++)
        transfer(set, i, false);
    H5Dclose(set);
    file_close(driver, file, false);
}

/* --- what was there before a run */

static void prepare_none(bool chunked)
{
    (void)chunked;
    file_remove();
    sync();
}

static void prepare_whole(bool chunked)
{
    struct stat st;

    if (stat(file_name, &st) != 0 || (uint64_t)st.st_size < calls * CALL)
        run_create(false, chunked);
    sync();
}

static void prepare_short(bool chunked)
{
    (void)chunked;
    file_remove();
    hid_t file = file_open(false, H5F_ACC_TRUNC), set = set_make(file, true, N);
    transfer(set, 0, true);
    H5Dclose(set);
    file_close(false, file, true);
}

/* A virtual machine may have to be given memory by its host before it can hold what is
 * written, many times slower than the writing: it is, before the clock runs. */
static void memory_warm(void)
{
    char name[600];

    snprintf(name, sizeof(name), "%s.warm", file_name);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (uint64_t i = 0; fd >= 0 && i < 2 * calls; i++)
        if (write(fd, data, CALL) != CALL)
            fail("write", name);
    if (fd < 0 || unlink(name) != 0 || close(fd) != 0)
        fail("write and remove", name);
}

static int64_t timed(void (*run)(bool, bool), bool driver, bool chunked)
{
    int64_t begin = swim_clock_mono_ns();

    run(driver, chunked);
    return swim_clock_mono_ns() - begin;
}

static void ratio(const char *figure, const char *goal, void (*prepare)(bool),
                  void (*run)(bool, bool), bool chunked)
{
    int64_t plain[64], driver[64];

    if (!is_wanted(figure))
        return;
    file_remove();
    for (int i = 0; i < turns; i++) {
        prepare(chunked);
        memory_warm();
        plain[i] = timed(run, false, chunked);
        prepare(chunked);
        memory_warm();
        driver[i] = timed(run, true, chunked);
    }
    int64_t a = median(plain, (size_t)turns), b = median(driver, (size_t)turns);
    row(figure, goal, "%.3f x plain HDF5 (%.0f MB/s)", (double)b / (double)a,
        (double)(calls * CALL) / ((double)a / 1e3));
}

/* --- a reader beside a writer */

/* Ten commits a second, of a few bytes, until it is killed. */
static pid_t writer_start(void)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    hid_t file = file_open(true, H5F_ACC_RDWR);
    for (;;) {
        int64_t next = swim_clock_mono_ns() + COMMIT_EVERY_NS;
        hid_t space = H5Screate(H5S_SCALAR);
        int64_t now = next;
        if (H5Lexists(file, "tick", H5P_DEFAULT) <= 0)
            H5Dclose(H5Dcreate2(file, "tick", H5T_NATIVE_INT64, space, H5P_DEFAULT,
                                H5P_DEFAULT, H5P_DEFAULT));
        hid_t tick = H5Dopen2(file, "tick", H5P_DEFAULT);
        need(H5Dwrite(tick, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, &now) >= 0,
             "write");
        H5Dclose(tick);
        H5Sclose(space);
        swim_error_t err = {0};
        if (swim_commit(file, &err) != SWIM_OK)
            fail("commit", err.text);
        swim_clock_nap_ns(next - swim_clock_mono_ns());
    }
}

static void reader_beside_writer(const char *figure)
{
    int64_t plain[64], driver[64];

    if (!is_wanted(figure))
        return;
    file_remove();
    prepare_whole(false);
    for (int i = 0; i < turns; i++) {
        plain[i] = timed(run_read, false, false);
        pid_t writer = writer_start();
        swim_clock_nap_ns(2 * COMMIT_EVERY_NS);
        driver[i] = timed(run_read, true, false);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
    }
    int64_t a = median(plain, (size_t)turns), b = median(driver, (size_t)turns);
    row(figure, "1.05", "%.3f x plain HDF5", (double)b / (double)a);
}

/* --- sessions that do little */

static void sessions(const char *figure)
{
    redisContext *context = redisConnectUnix(redis.socket);
    static int64_t pings[OPENS], plain[OPENS], driver[OPENS];

    if (!is_wanted(figure)) {
        redisFree(context);
        return;
    }
    if (!context || context->err)
        fail("PING", "no connection");
    prepare_whole(false);
    for (int i = 0; i < OPENS; i++) {
        int64_t begin = swim_clock_mono_ns();
        freeReplyObject(redisCommand(context, "PING"));
        pings[i] = swim_clock_mono_ns() - begin;
        for (int d = 0; d < 2; d++) {
            begin = swim_clock_mono_ns();
            file_close(d, file_open(d, H5F_ACC_RDONLY), false);
            (d ? driver : plain)[i] = swim_clock_mono_ns() - begin;
        }
    }
    redisFree(context);
    double ping = (double)median(pings, OPENS) / 1e3;
    double a = (double)median(plain, OPENS) / 1e3,
           b = (double)median(driver, OPENS) / 1e3;
    row(figure, "plain + 2 PINGs", "%.0f us, plain + %.1f PINGs", b, (b - a) / ping);
}

static int counted_fdatasync(int fd)
{
    syncs++;
    return fdatasync(fd);
}

static int counted_fsync(int fd)
{
    syncs++;
    return fsync(fd);
}

static void session_without_change(const char *figure, H5F_libver_t low)
{
    static struct swim_io io;

    if (!is_wanted(figure))
        return;
    io = swim_io_system;
    io.fdatasync = counted_fdatasync;
    io.fsync = counted_fsync;
    hid_t fapl = fapl_of(true);
    H5Pset_libver_bounds(fapl, low, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(file_name, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    need(file >= 0 && H5Fclose(file) >= 0, "create");
    vfd_use_io(&io, NULL);
    syncs = 0;
    file = H5Fopen(file_name, H5F_ACC_RDWR, fapl);
    need(file >= 0 && H5Fclose(file) >= 0, "open and close");
    vfd_use_io(NULL, NULL);
    H5Pclose(fapl);
    row(figure, "no fsync", "%u fsync", syncs);
}

/* --- memory and disk */

static long peak_kib(void)
{
    char line[128];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");

    while (f && fgets(line, sizeof(line), f))
        (void)sscanf(line, "VmHWM: %ld", &kib);
    if (f)
        fclose(f);
    return kib;
}

/* Eight times over a whole file, in one transaction. */
static void memory_of_a_writer(const char *figure)
{
    int status = 0;

    if (!is_wanted(figure))
        return;
    file_remove();
    prepare_whole(false);
    pid_t pid = fork();
    if (pid == 0) {
        hid_t file = file_open(true, H5F_ACC_RDWR),
              set = H5Dopen2(file, "x", H5P_DEFAULT);
        long before = peak_kib();
        for (int pass = 0; pass < 8; pass++) {
            for (size_t i = 0; i < N; i++)
                data[i] += 1;
            for (uint64_t i = 0; i < calls; i++)
                transfer(set, i, true);
        }
        H5Dclose(set);
        file_close(true, file, true);
        long after = peak_kib();
        row(figure, "64 MiB for 8 GiB", "%.1f MiB for %.1f GiB",
            (double)(after - before) / 1024.0, (double)calls / 128.0);
        exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail("overwrite", "the writer failed");
}

static uint64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* A reader is always there. */
static void journal_of_small_commits(const char *figure)
{
    char journal[600];
    const hsize_t places = 16 * N;
    uint64_t largest = 0;

    if (!is_wanted(figure))
        return;
    snprintf(journal, sizeof(journal), "%s.swimlog", file_name);
    file_remove();
    hid_t file = file_open(false, H5F_ACC_TRUNC);
    hid_t set = set_make(file, false, places);
    for (uint64_t i = 0; i < 16; i++)
        transfer(set, i, true);
    H5Dclose(set);
    file_close(false, file, true);
    hid_t fapl = fapl_of(true);
    const struct swim_store_options opt = {.struct_size = sizeof(opt),
                                           .sync = SWIM_SYNC_NONE};
    if (swim_fapl_set(fapl, &opt, NULL) != SWIM_OK)
        fail("set the driver", "refused");
    pid_t reader = fork();
    if (reader == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)file_open(true, H5F_ACC_RDONLY);
        pause();
    }
    swim_clock_nap_ns(300000000);
    file = H5Fopen(file_name, H5F_ACC_RDWR, fapl);
    need(file >= 0, "open");
    set = H5Dopen2(file, "x", H5P_DEFAULT);
    /* 256 places of 4 KiB, again and again: 1 MiB differs. */
    for (int i = 0; i < SMALL_COMMITS; i++) {
        const hsize_t start = (hsize_t)(i % 256) * 8 * 512, count = 512;
        hid_t space = H5Dget_space(set), memory = H5Screate_simple(1, &count, NULL);
        for (size_t k = 0; k < count; k++)
            data[k] = i + 0.5;
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
        need(H5Dwrite(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, data) >= 0,
             "write");
        H5Sclose(memory);
        H5Sclose(space);
        swim_error_t err = {0};
        if (swim_commit(file, &err) != SWIM_OK)
            fail("commit", err.text);
        uint64_t now = size_of(journal);
        largest = now > largest ? now : largest;
    }
    H5Dclose(set);
    uint64_t last = size_of(journal);
    file_close(true, file, true);
    kill(reader, SIGKILL);
    waitpid(reader, NULL, 0);
    H5Pclose(fapl);
    row(figure, "4 x what differs", "%.2f x (at most %.2f x)", (double)last / CALL,
        (double)largest / CALL);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fail("arguments", "tests/bench/store runs it");
    snprintf(file_name, sizeof(file_name), "%s/bench_store.h5", argv[1]);
    calls = strtoull(argv[2], NULL, 10);
    turns = atoi(argv[3]);
    only = argv[4];
    if (redis_fixture_open(&redis, NULL) != 0)
        fail("start a server", "see redis-server");
    setenv("SWIM_REDIS_URL", redis.url, 1);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (size_t i = 0; i < N; i++)
        data[i] = (double)i;
    printf("%llu MiB in calls of 1 MiB, medians of %d\n\n%-44s %-38s %s\n",
           (unsigned long long)calls, turns, "figure", "seen", "goal");
    ratio("read, contiguous", "1.02", prepare_whole, run_read, false);
    ratio("read, chunked", "1.02", prepare_whole, run_read, true);
    reader_beside_writer("read beside 10 commits a second");
    ratio("create", "1.05", prepare_none, run_create, false);
    ratio("append", "1.05", prepare_short, run_append, true);
    ratio("overwrite, contiguous", "2.2", prepare_whole, run_overwrite, false);
    ratio("overwrite, chunked", "2.2", prepare_whole, run_overwrite, true);
    sessions("open and close, read-only");
    session_without_change("open to write and close", H5F_LIBVER_EARLIEST);
    session_without_change("open to write, close, libver latest", H5F_LIBVER_LATEST);
    memory_of_a_writer("memory of a writer overwriting");
    journal_of_small_commits("journal after 10,000 small commits");
    file_remove();
    H5close();
    redis_fixture_close(&redis);
    return 0;
}
