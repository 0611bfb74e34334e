/* test_object_crash.c - h5swim/file.h: processes that write, read and are killed.
 *
 * Writers count up "/n" and fill "/values" with the number in one transaction, and
 * say each number that was committed.  Readers look whether both go together.  Some are
 * killed at any moment, in turns with others that take their place. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "object_scene.h"

#define N 5000
#define WRITERS 3
#define READERS 2
#define KILLS 150
#define MOST 20000 /* commits */
#define DEADLINE_MS 120000

static const uint64_t size[] = {N};

static int write_next(swim_file_t *file, int32_t *values, int32_t *n, swim_error_t *e)
{
    int rc = swim_file_begin(file, SWIM_LOCK_UPDATE, e);

    if (rc == SWIM_OK)
        rc = swim_dataset_read(file, "/n", NULL, SWIM_DATA_INT32, 1, n, e);
    ++*n;
    for (int i = 0; i < N; i++)
        values[i] = *n;
    if (rc == SWIM_OK)
        rc = swim_dataset_write(file, "/n", NULL, SWIM_DATA_INT32, 1, n, e);
    if (rc == SWIM_OK)
        rc = swim_dataset_write(file, "/values", NULL, SWIM_DATA_INT32, N, values, e);
    if (rc == SWIM_OK)
        rc = swim_attribute_set_int(file, "/values", "n", *n, e);
    return rc == SWIM_OK ? swim_file_commit(file, e) : rc;
}

static int read_once(swim_file_t *file, int32_t *values, int32_t *n, swim_error_t *e)
{
    int64_t noted = -1;
    int rc = swim_file_begin(file, SWIM_LOCK_READ, e);

    if (rc == SWIM_OK)
        rc = swim_dataset_read(file, "/n", NULL, SWIM_DATA_INT32, 1, n, e);
    if (rc == SWIM_OK)
        rc = swim_dataset_read(file, "/values", NULL, SWIM_DATA_INT32, N, values, e);
    if (rc == SWIM_OK)
        rc = swim_attribute_get_int(file, "/values", "n", -1, &noted, e);
    if (rc == SWIM_OK)
        rc = swim_file_commit(file, e);
    for (int i = 0; rc == SWIM_OK && i < N; i++)
        if (values[i] != *n || noted != *n)
            return swim_error_set(e, SWIM_ERR_CORRUPT,
                                  "n is %d, values[%d] is %d, the attribute is %d", *n,
                                  i, values[i], (int)noted);
    return rc;
}

/* One of them; it ends by itself only when something failed. */
static void work(const struct object_scene *s, bool writes, int out)
{
    int32_t *values = malloc(N * sizeof(*values)), n = 0;
    swim_file_t *file = NULL;
    const struct swim_file_options opt = {.struct_size = sizeof(opt), .wait_ms = 60000};

    int rc = swim_file_open(s->at.path, writes ? "r+" : "r", &opt, &file, &err);
    while (rc == SWIM_OK) {
        rc = writes ? write_next(file, values, &n, &err)
                    : read_once(file, values, &n, &err);
        if (rc == SWIM_OK && writes && write(out, &n, sizeof(n)) != sizeof(n))
            _exit(1);
    }
    fprintf(stderr, "%s: %s\n", writes ? "writer" : "reader", err.text);
    _exit(1);
}

struct crowd {
    const struct object_scene *s;
    pid_t pids[WRITERS + READERS];
    int in, out, kills;
    int32_t last, heard;
    unsigned seed;
    bool told[MOST]; /* each number once: no commit is lost in another */
};

static void crowd_start(struct crowd *c, int i)
{
    c->pids[i] = fork();
    if (c->pids[i] == 0) {
        close(c->in);
        work(c->s, i < WRITERS, c->out);
    }
    assert_true(c->pids[i] > 0);
}

static void crowd_kill(struct crowd *c, int i)
{
    int status = 0;

    assert_int_equal(kill(c->pids[i], SIGKILL), 0);
    assert_int_equal(waitpid(c->pids[i], &status, 0), c->pids[i]);
    if (!WIFSIGNALED(status))
        fail_msg("process %d ended by itself with status %d (seed %u)", i,
                 WEXITSTATUS(status), c->seed);
    c->kills++;
}

/* Numbers that were committed. */
static void crowd_hear(struct crowd *c, int wait_ms)
{
    struct pollfd fd = {.fd = c->in, .events = POLLIN};
    int32_t n = 0;

    while (poll(&fd, 1, wait_ms) > 0 && read(c->in, &n, sizeof(n)) == sizeof(n)) {
        assert_in_range(n, 1, MOST - 1);
        assert_false(c->told[n]);
        c->told[n] = true;
        c->last = n > c->last ? n : c->last;
        c->heard++;
        wait_ms = 0;
    }
}

static void make_data(const struct object_scene *s)
{
    struct swim_dataset_spec spec = {.struct_size = sizeof(spec),
                                     .type = SWIM_DATA_INT32};

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    OK(swim_dataset_create(s->file, "/n", &spec, &err));
    spec.rank = 1;
    spec.dims = size;
    spec.compression = 1;
    OK(swim_dataset_create(s->file, "/values", &spec, &err));
    OK(swim_attribute_set_int(s->file, "/values", "n", 0, &err));
    OK(swim_file_commit(s->file, &err));
}

static void what_was_committed_stays_when_processes_are_killed(void **state)
{
    const struct object_scene *s = *state;
    struct crowd c = {.s = s, .seed = (unsigned)test_now_ms()};
    int ends[2];
    int32_t *values = malloc(N * sizeof(*values)), n = 0;
    int64_t end = test_now_ms() + DEADLINE_MS;

    make_data(s);
    assert_int_equal(pipe(ends), 0);
    c.in = ends[0];
    c.out = ends[1];
    for (int i = 0; i < WRITERS + READERS; i++)
        crowd_start(&c, i);
    while (c.kills < KILLS && test_now_ms() < end) {
        int32_t wanted = c.heard + 1 + (int32_t)(rand_r(&c.seed) % 5);
        while (c.heard < wanted && test_now_ms() < end)
            crowd_hear(&c, 100);
        test_nap_ms(rand_r(&c.seed) % 8); /* into the next one */
        int i = (int)(rand_r(&c.seed) % (WRITERS + READERS));
        crowd_kill(&c, i);
        crowd_start(&c, i);
    }
    for (int i = 0; i < WRITERS + READERS; i++)
        crowd_kill(&c, i);
    crowd_hear(&c, 0);
    OK(read_once(s->file, values, &n, &err));
    print_message("%d kills, %d commits told, the last %d, the file has %d\n", c.kills,
                  c.heard, c.last, n);
    assert_true(n >= c.last && n >= c.heard && n <= c.heard + c.kills);
    assert_true(c.kills >= KILLS);
    OK(write_next(s->file, values, &n, &err));
    assert_int_equal(scratch_dir_run(&s->at.dir,
                                     "test ! -e a.h5.swimlog && "
                                     "/usr/bin/python3 -c \"import h5py\n"
                                     "f = h5py.File('a.h5', 'r')\n"
                                     "assert (f['values'][:] == f['n'][()]).all()\""),
                     0);
    free(values);
    close(c.in);
    close(c.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_was_committed_stays_when_processes_are_killed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
