/* object_append.c - any number of processes append to one dataset.
 *
 *     object_append FILE DATASET NUMBER...
 *
 * The dataset grows, and is made when it is not there.  An example of
 * swim_dataset_require(), resize and write of a part:
 *
 *     cc object_append.c $(pkg-config --cflags --libs h5swim)
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>

#include <h5swim/file.h>

/* How many there are; the dataset is made when it is not there. */
static int length(swim_file_t *file, const char *path, uint64_t *n, swim_error_t *err)
{
    static const uint64_t none[] = {0}, any[] = {SWIM_UNLIMITED};
    const struct swim_dataset_spec spec = {.struct_size = sizeof(spec),
                                           .type = SWIM_DATA_FLOAT64,
                                           .rank = 1,
                                           .dims = none,
                                           .maxdims = any,
                                           .compression = 1};
    enum swim_kind kind = SWIM_KIND_NONE;
    struct swim_dataset_info info = {0};

    int rc = swim_object_kind(file, path, &kind, err);
    if (rc == SWIM_OK && kind == SWIM_KIND_NONE)
        rc = swim_dataset_create(file, path, &spec, err);
    if (rc == SWIM_OK)
        rc = swim_dataset_info(file, path, &info, err);
    *n = info.dims[0];
    return rc;
}

static int append(swim_file_t *file, const char *path, const double *values,
                  uint64_t count, swim_error_t *err)
{
    uint64_t n = 0;

    int rc = swim_file_begin(file, SWIM_LOCK_UPDATE, err);
    if (rc != SWIM_OK)
        return rc;
    rc = length(file, path, &n, err);
    const uint64_t grown[] = {n + count};
    const struct swim_slab end = {.rank = 1, .start = &n};
    if (rc == SWIM_OK)
        rc = swim_dataset_resize(file, path, 1, grown, err);
    if (rc == SWIM_OK)
        rc =
            swim_dataset_write(file, path, &end, SWIM_DATA_FLOAT64, count, values, err);
    if (rc == SWIM_OK)
        return swim_file_commit(file, err);
    (void)swim_file_abort(file, NULL);
    return rc;
}

int main(int argc, char **argv)
{
    swim_file_t *file = NULL;
    swim_error_t err = {0};

    if (argc < 4) {
        fprintf(stderr, "usage: object_append FILE DATASET NUMBER...\n");
        return 2;
    }
    size_t count = (size_t)argc - 3;
    double *values = malloc(count * sizeof(*values));
    if (!values)
        return 1;
    for (size_t i = 0; i < count; i++)
        values[i] = strtod(argv[i + 3], NULL);
    int rc = swim_file_open(argv[1], "a", NULL, &file, &err);
    if (rc == SWIM_OK)
        rc = append(file, argv[2], values, count, &err);
    swim_file_free(file);
    free(values);
    if (rc != SWIM_OK)
        fprintf(stderr, "object_append: %s\n", err.text);
    return rc == SWIM_OK ? 0 : 1;
}
