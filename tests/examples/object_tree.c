/* object_tree.c - groups are made, and all that is in a file is shown.
 *
 *     object_tree FILE [GROUP...]
 *
 * makes the groups that are not there and prints what the file has, with the shape of
 * each dataset: one state of the file, also while others write.  An example of
 * swim_group_require() and swim_object_visit():
 *
 *     cc object_tree.c $(pkg-config --cflags --libs h5swim)
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage. */
#include <inttypes.h>
#include <stdio.h>

#include <h5swim/file.h>

static int show(void *arg, const struct swim_entry *entry, swim_error_t *err)
{
    swim_file_t *file = arg;
    struct swim_dataset_info info;

    printf("%s  %s", entry->name, swim_kind_name(entry->kind));
    if (entry->target)
        printf(" to %s", entry->target);
    if (entry->kind == SWIM_KIND_DATASET) {
        int rc = swim_dataset_info(file, entry->name, &info, err);
        if (rc != SWIM_OK)
            return rc;
        printf(" of %s", swim_data_name(info.type));
        for (uint32_t i = 0; i < info.rank; i++)
            printf("%s%" PRIu64, i ? " x " : ", ", info.dims[i]);
    }
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    swim_file_t *file = NULL;
    swim_error_t err = {0};

    if (argc < 2) {
        fprintf(stderr, "usage: object_tree FILE [GROUP...]\n");
        return 2;
    }
    int rc = swim_file_open(argv[1], argc > 2 ? "a" : "r", NULL, &file, &err);
    for (int i = 2; rc == SWIM_OK && i < argc; i++)
        rc = swim_group_require(file, argv[i], &err);
    if (rc == SWIM_OK)
        rc = swim_object_visit(file, "/", show, file, &err);
    swim_file_free(file);
    if (rc != SWIM_OK)
        fprintf(stderr, "object_tree: %s\n", err.text);
    return rc == SWIM_OK ? 0 : 1;
}
