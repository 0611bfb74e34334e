/* h5pyswmr.c - one handle, many processes: some write a dataset, others read it.
 *
 *     h5pyswmr FILE
 *
 * As a program of h5pySWMR would: the handle is made once, before the processes are,
 * and each call on it waits for its turn.  A reader finds all values equal, as each was
 * written whole:
 *
 *     cc h5pyswmr.c $(pkg-config --cflags --libs h5swim)
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <h5swim/file.h>

#define N 1000
#define PROCESSES 6
#define ROUNDS 20

static int write_all(swim_file_t *file, double value, swim_error_t *err)
{
    double values[N];

    for (int i = 0; i < N; i++)
        values[i] = value;
    return swim_dataset_write(file, "/data", NULL, SWIM_DATA_FLOAT64, N, values, err);
}

static int read_all(swim_file_t *file, swim_error_t *err)
{
    double values[N];

    int rc = swim_dataset_read(file, "/data", NULL, SWIM_DATA_FLOAT64, N, values, err);
    for (int i = 1; rc == SWIM_OK && i < N; i++)
        if (values[i] != values[0])
            return swim_error_set(err, SWIM_ERR_CORRUPT, "read /data: it is mixed");
    return rc;
}

/* The even ones write, the odd ones read. */
static int work(swim_file_t *file, int process)
{
    swim_error_t err = {0};
    int rc = SWIM_OK;

    for (int i = 0; rc == SWIM_OK && i < ROUNDS; i++)
        rc = process % 2 == 0 ? write_all(file, process * ROUNDS + i, &err)
                              : read_all(file, &err);
    if (rc != SWIM_OK)
        fprintf(stderr, "h5pyswmr: process %d: %s\n", process, err.text);
    return rc == SWIM_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const uint64_t dims[] = {N};
    const struct swim_dataset_spec spec = {.struct_size = sizeof(spec),
                                           .type = SWIM_DATA_FLOAT64,
                                           .rank = 1,
                                           .dims = dims};
    swim_file_t *file = NULL;
    swim_error_t err = {0};
    int failed = 0, status = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: h5pyswmr FILE\n");
        return 2;
    }
    int rc = swim_file_open(argv[1], "w", NULL, &file, &err);
    if (rc == SWIM_OK)
        rc = swim_dataset_create(file, "/data", &spec, &err);
    if (rc != SWIM_OK) {
        fprintf(stderr, "h5pyswmr: %s\n", err.text);
        swim_file_free(file);
        return 1;
    }
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(work(file, i));
        failed += pid < 0;
    }
    while (wait(&status) > 0)
        failed += status != 0;
    swim_file_free(file);
    return failed ? 1 : 0;
}
