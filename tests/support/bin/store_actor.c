/* store_actor.c - a process with FILE open by the driver, which does what it is told.
 *
 * Lines of its input: "create", "open r", "open w", "put N" (all of /x, 8192 integers,
 * is N, and /grown gets one element more), "commit", "abort", "close", "die".  It
 * answers each with "done" or "failed: WHY". */
#include <h5swim/store.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define N 8192

static const char *path;
static hid_t file = H5I_INVALID_HID;

static bool file_open(const char *how, swim_error_t *err)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    H5Pset_libver_bounds(fapl, H5F_LIBVER_V110, H5F_LIBVER_LATEST);
    if (swim_fapl_set(fapl, NULL, err) != SWIM_OK)
        return false;
    if (strcmp(how, "create") == 0)
        file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    else
        file = H5Fopen(path, *how == 'w' ? H5F_ACC_RDWR : H5F_ACC_RDONLY, fapl);
    H5Pclose(fapl);
    return file >= 0;
}

static hid_t set_of(const char *name, hsize_t length, bool grows)
{
    const hsize_t max = H5S_UNLIMITED, chunk = 16;
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &length, grows ? &max : NULL);
    hid_t set;

    if (grows)
        H5Pset_chunk(dcpl, 1, &chunk);
    if (H5Lexists(file, name, H5P_DEFAULT) > 0)
        set = H5Dopen2(file, name, H5P_DEFAULT);
    else
        set = H5Dcreate2(file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, dcpl,
                         H5P_DEFAULT);
    H5Sclose(space);
    H5Pclose(dcpl);
    return set;
}

static bool put(int value)
{
    static int values[N];
    hsize_t length = 0;

    for (int i = 0; i < N; i++)
        values[i] = value;
    hid_t set = set_of("x", N, false), grown = set_of("grown", 0, true);
    bool done =
        H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    hid_t space = H5Dget_space(grown);
    H5Sget_simple_extent_dims(space, &length, NULL);
    length++;
    done = done && H5Dset_extent(grown, &length) >= 0;
    H5Sclose(space);
    H5Dclose(set);
    H5Dclose(grown);
    return done && H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
}

static bool obey(const char *line, swim_error_t *err)
{
    int value = 0;

    if (strcmp(line, "create") == 0 || strncmp(line, "open ", 5) == 0)
        return file_open(*line == 'c' ? line : line + 5, err);
    if (sscanf(line, "put %d", &value) == 1)
        return put(value);
    if (strcmp(line, "commit") == 0)
        return swim_commit(file, err) == SWIM_OK;
    if (strcmp(line, "abort") == 0)
        return swim_abort(file, err) == SWIM_OK;
    if (strcmp(line, "close") == 0)
        return H5Fclose(file) >= 0;
    if (strcmp(line, "die") == 0)
        raise(SIGKILL);
    return false;
}

int main(int argc, char **argv)
{
    char line[100];

    if (argc != 2)
        return 2;
    path = argv[1];
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    while (fgets(line, sizeof(line), stdin)) {
        swim_error_t err = {0};
        line[strcspn(line, "\n")] = '\0';
        if (obey(line, &err))
            puts("done");
        else
            printf("failed: %s\n", err.text);
        fflush(stdout);
    }
    return 0;
}
