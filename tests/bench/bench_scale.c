/* bench_scale.c - ten thousand sessions at one server, and chunks by plain HDF5.
 *
 *   bench_scale sessions COUNT SECONDS   prints lines "NAME NUMBER"
 *   bench_scale chunks COUNT FILE        seconds of COUNT calls of H5Dwrite_chunk
 *
 * A session is one of the library, with its thread and its two connections, by TCP, as
 * most of so many come from other hosts.  Where a process may not have enough
 * descriptors for the server, the last sessions have the connection of the heartbeat
 * alone, with the commands of the library on it (lock/pulse.c), and no library. */
#include <hdf5.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_lock.h"
#include "core/clock.h"

#define SESSIONS_EACH 500 /* in a process */
#define PROCESSES_MAX 64
#define LEASE_MS 10000 /* the library's default */
#define SPARE 96       /* descriptors of the server: its own, of those who acquire */
#define TAKERS 2
#define TAKES_PER_S 100

static struct redis_fixture redis;
static char url[64];
static int port;

/* --- heartbeats without the library */

struct beat {
    redisContext *link;
    char session[48];
    bool renewing;
};

static void beat_ask(struct beat *b)
{
    if (b->renewing)
        redisAppendCommand(b->link, "PEXPIRE {h5swim}:session:%s %d", b->session,
                           LEASE_MS);
    else
        redisAppendCommand(b->link, "BLPOP {h5swim}:notice:%s %.3f", b->session,
                           LEASE_MS / 3000.0);
    int done = 0;
    while (!done)
        if (redisBufferWrite(b->link, &done) != REDIS_OK)
            bench_fail("send a heartbeat", b->link->errstr);
}

static void beat_open(struct beat *b, int number)
{
    snprintf(b->session, sizeof(b->session), "beat:%d:%d", (int)getpid(), number);
    b->link = redisConnect("127.0.0.1", port);
    if (!b->link || b->link->err)
        bench_fail("connect", "for a heartbeat");
    freeReplyObject(
        redisCommand(b->link, "HSET {h5swim}:session:%s host h since 0", b->session));
    b->renewing = true;
    beat_ask(b);
}

static void beat_answer(struct beat *b)
{
    void *reply = NULL;

    if (redisBufferRead(b->link) != REDIS_OK ||
        redisGetReplyFromReader(b->link, &reply) != REDIS_OK)
        bench_fail("read a heartbeat", b->link->errstr);
    if (!reply)
        return;
    freeReplyObject(reply);
    b->renewing = !b->renewing;
    beat_ask(b);
}

_Noreturn static void beats_run(struct beat *beats, struct pollfd *fds, int count)
{
    for (;;) {
        if (poll(fds, (nfds_t)count, -1) < 0)
            bench_fail("heartbeats", "poll failed");
        for (int i = 0; i < count; i++)
            if (fds[i].revents)
                beat_answer(&beats[i]);
    }
}

/* --- processes with sessions */

_Noreturn static void sessions_child(int count, bool library, int ready)
{
    struct beat *beats = calloc((size_t)count, sizeof(*beats));
    struct pollfd *fds = calloc((size_t)count, sizeof(*fds));

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!beats || !fds)
        bench_fail("sessions", "no memory");
    for (int i = 0; i < count; i++) {
        if (library) {
            (void)bench_session(url, LEASE_MS);
            continue;
        }
        beat_open(&beats[i], i);
        fds[i] = (struct pollfd){beats[i].link->fd, POLLIN, 0};
        swim_clock_nap_ns(LEASE_MS / 3 * 1000000LL / count); /* spread, as others are */
    }
    if (write(ready, "r", 1) != 1)
        _exit(1);
    if (!library)
        beats_run(beats, fds, count);
    pause();
    _exit(0);
}

static int sessions_start(int sessions, int simulated, pid_t *pids)
{
    int ready[2], n = 0;
    char byte;

    if (pipe(ready) != 0)
        bench_fail("sessions", "no pipe");
    for (int left = sessions; left > 0 && n < PROCESSES_MAX; n++) {
        bool library = left > simulated;
        int most = library ? left - simulated : left;
        int count = most < SESSIONS_EACH ? most : SESSIONS_EACH;
        pids[n] = fork();
        if (pids[n] == 0)
            sessions_child(count, library, ready[1]);
        if (n % 2 == 1 && read(ready[0], &byte, 1) != 1) /* two at a time */
            bench_fail("sessions", "a process has ended");
        left -= count;
    }
    close(ready[1]);
    for (int i = n / 2; i < n; i++)
        if (read(ready[0], &byte, 1) != 1)
            bench_fail("sessions", "a process has ended");
    close(ready[0]);
    return n;
}

static int64_t cpu_of(const pid_t *pids, int n)
{
    int64_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += bench_cpu_ns(pids[i]);
    return sum;
}

/* --- locks meanwhile */

/* Each on a resource of its own, so that nobody waits but for the server. */
static void take_locks(int number, int seconds, int64_t *took)
{
    static const enum swim_lock_mode modes[] = {SWIM_LOCK_READ, SWIM_LOCK_UPDATE,
                                                SWIM_LOCK_WRITE};
    swim_session_t *session = bench_session(url, LEASE_MS);
    char resource[32];

    snprintf(resource, sizeof(resource), "/bench/scale/%d", number);
    for (int i = 0; i < seconds * TAKES_PER_S; i++) {
        int64_t begin = bench_now_ns();
        swim_lock_t *lock = bench_take(session, resource, modes[i % 3]);
        took[i] = bench_now_ns() - begin;
        bench_give(lock);
        swim_clock_nap_ns(begin + 1000000000LL / TAKES_PER_S - bench_now_ns());
    }
    swim_session_close(session);
}

static void bench_takers(int seconds)
{
    size_t each = (size_t)seconds * TAKES_PER_S, all = TAKERS * each;
    int64_t *took = bench_shared(all * sizeof(*took));
    pid_t pids[TAKERS];
    int status = 0;

    for (int i = 0; i < TAKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            take_locks(i, seconds, took + (size_t)i * each);
            _exit(0);
        }
    }
    for (int i = 0; i < TAKERS; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0)
            bench_fail("take locks", "a process failed");
    size_t middle = all / 2, most = all * 99 / 100;
    (void)bench_median(took, all); /* sorts */
    printf("acquire_p50_ms %.3f\n", (double)took[middle] / 1e6);
    printf("acquire_p99_ms %.3f\n", (double)took[most] / 1e6);
    printf("acquire_longest_ms %.3f\n", (double)took[all - 1] / 1e6);
}

/* --- the server */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        bench_fail("find a port", "bind failed");
    close(fd);
    return ntohs(address.sin_port);
}

/* As many descriptors as the server may have. */
static int descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        bench_fail("descriptors", "getrlimit failed");
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max > 1000000 ? 1000000 : (int)limit.rlim_max;
}

static void server_open(int sessions)
{
    static char clients[16], number[16];
    static const char *const extra[] = {"--maxclients", clients,     "--port", number,
                                        "--bind",       "127.0.0.1", NULL};

    port = free_port();
    snprintf(number, sizeof(number), "%d", port);
    snprintf(clients, sizeof(clients), "%d", 2 * sessions + SPARE);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", port);
    if (redis_fixture_open(&redis, extra) != 0)
        bench_fail("start redis-server", "it does not answer");
}

/* Nothing but heartbeats. */
static void bench_beats(int seconds, const pid_t *pids, int n)
{
    long beats = redis_fixture_calls(&redis, "pexpire");
    int64_t server = bench_cpu_ns(redis.pid), clients = cpu_of(pids, n);
    int64_t begin = bench_now_ns();

    swim_clock_nap_ns(seconds * 1000000000LL);
    server = bench_cpu_ns(redis.pid) - server;
    clients = cpu_of(pids, n) - clients;
    double took = (double)(bench_now_ns() - begin);
    beats = redis_fixture_calls(&redis, "pexpire") - beats;
    printf("beats_per_s %.0f\n", (double)beats * 1e9 / took);
    printf("server_percent %.2f\n", 100.0 * (double)server / took);
    printf("clients_percent %.2f\n", 100.0 * (double)clients / took);
}

static void bench_sessions(int sessions, int seconds)
{
    int left = descriptors() - SPARE;
    int simulated = 2 * sessions > left ? 2 * sessions - left : 0;
    pid_t pids[PROCESSES_MAX];

    if (simulated > sessions || sessions > PROCESSES_MAX * SESSIONS_EACH / 2)
        bench_fail("sessions", "too many for one process's descriptors (ulimit -Hn)");
    server_open(sessions);
    int n = sessions_start(sessions, simulated, pids);
    swim_clock_nap_ns(1000000000LL); /* the last ones have had their first heartbeat */
    printf("sessions %d\nsimulated %d\n", sessions, simulated);
    bench_beats(seconds, pids, n);
    bench_takers(seconds);
    for (int i = 0; i < n; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    redis_fixture_close(&redis);
}

/* --- chunks by plain HDF5 */

static void bench_chunks(int count, const char *file)
{
    const hsize_t size = (hsize_t)count * 16, chunk = 16;
    float data[16] = {0};
    int64_t begin = bench_now_ns();
    hid_t f = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &size, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_chunk(dcpl, 1, &chunk);
    hid_t set =
        H5Dcreate2(f, "y", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    for (int i = 0; i < count; i++) {
        const hsize_t at = (hsize_t)i * 16;
        if (H5Dwrite_chunk(set, H5P_DEFAULT, 0, &at, sizeof(data), data) < 0)
            bench_fail("write a chunk", "HDF5 says why");
    }
    H5Dclose(set);
    H5Pclose(dcpl);
    H5Sclose(space);
    if (H5Fclose(f) < 0)
        bench_fail("close the file", "HDF5 says why");
    printf("chunks_seconds %.6f\n", (double)(bench_now_ns() - begin) / 1e9);
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 0;

    if (argc == 4 && count > 0 && strcmp(argv[1], "sessions") == 0)
        bench_sessions(count, atoi(argv[3]));
    else if (argc == 4 && count > 0 && strcmp(argv[1], "chunks") == 0)
        bench_chunks(count, argv[3]);
    else
        bench_fail("arguments", "tests/bench/scale runs it");
    return 0;
}
