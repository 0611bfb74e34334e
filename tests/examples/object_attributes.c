/* object_attributes.c - a text is kept with a group or dataset, or all are listed.
 *
 *     object_attributes FILE PATH [NAME [VALUE]]
 *
 * With a value the attribute is set, with a name it is printed ("none" when it is not
 * there), else the names of all are.  An example of swim_attribute_set_text() and its
 * kin:
 *
 *     cc object_attributes.c $(pkg-config --cflags --libs h5swim)
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>

#include <h5swim/file.h>

static int show_all(swim_file_t *file, const char *path, swim_error_t *err)
{
    char **names = NULL;
    size_t count = 0;

    int rc = swim_attribute_list(file, path, &names, &count, err);
    for (size_t i = 0; i < count; i++)
        printf("%s\n", names[i]);
    swim_strings_free(names, count);
    return rc;
}

static int show_one(swim_file_t *file, const char *path, const char *name,
                    swim_error_t *err)
{
    char *value = NULL;

    int rc = swim_attribute_get_text(file, path, name, "none", &value, err);
    if (rc == SWIM_OK)
        printf("%s\n", value);
    free(value);
    return rc;
}

int main(int argc, char **argv)
{
    swim_file_t *file = NULL;
    swim_error_t err = {0};

    if (argc < 3 || argc > 5) {
        fprintf(stderr, "usage: object_attributes FILE PATH [NAME [VALUE]]\n");
        return 2;
    }
    int rc = swim_file_open(argv[1], argc == 5 ? "a" : "r", NULL, &file, &err);
    if (rc == SWIM_OK && argc == 5)
        rc = swim_attribute_set_text(file, argv[2], argv[3], argv[4], &err);
    if (rc == SWIM_OK && argc == 4)
        rc = show_one(file, argv[2], argv[3], &err);
    if (rc == SWIM_OK && argc == 3)
        rc = show_all(file, argv[2], &err);
    swim_file_free(file);
    if (rc != SWIM_OK)
        fprintf(stderr, "object_attributes: %s\n", err.text);
    return rc == SWIM_OK ? 0 : 1;
}
