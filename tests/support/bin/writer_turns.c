/* writer_turns.c - a writer among many:
 *     writer_turns FILE NAME TURNS
 * In each turn it opens the file, counts own/NAME and total up by one, and closes it.
 * Prints a line for each: when it asked, had the file and had given it back, in ns of
 * CLOCK_MONOTONIC.  Exit status: 0 all turns committed, 1 not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <h5swim/file.h>

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int count_up(swim_file_t *file, const char *path, swim_error_t *err)
{
    const struct swim_dataset_spec spec = {.struct_size = sizeof(spec),
                                           .type = SWIM_DATA_INT64};
    int64_t value = 0;

    int rc = swim_dataset_require(file, path, &spec, err);
    if (rc == SWIM_OK)
        rc = swim_dataset_read(file, path, NULL, SWIM_DATA_INT64, 1, &value, err);
    value++;
    if (rc == SWIM_OK)
        rc = swim_dataset_write(file, path, NULL, SWIM_DATA_INT64, 1, &value, err);
    return rc;
}

static int turn(const char *name, const char *own, swim_error_t *err)
{
    swim_file_t *file = NULL;
    int64_t asked = now_ns(), had = 0;

    int rc = swim_file_open(name, "r+", NULL, &file, err);
    if (rc == SWIM_OK)
        rc = swim_file_begin(file, SWIM_LOCK_UPDATE, err);
    had = now_ns();
    if (rc == SWIM_OK)
        rc = count_up(file, own, err);
    if (rc == SWIM_OK)
        rc = count_up(file, "total", err);
    if (rc == SWIM_OK)
        rc = swim_file_commit(file, err);
    swim_file_free(file);
    if (rc == SWIM_OK)
        printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", asked, had, now_ns());
    return rc;
}

int main(int argc, char **argv)
{
    swim_error_t err = {0};
    char own[64];

    if (argc != 4)
        return 2;
    snprintf(own, sizeof(own), "own/%s", argv[2]);
    for (int i = 0; i < atoi(argv[3]); i++)
        if (turn(argv[1], own, &err) != SWIM_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    return 0;
}
