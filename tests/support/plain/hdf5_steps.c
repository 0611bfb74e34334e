/* hdf5_steps.c - a C program that knows HDF5 alone: does what its arguments say, in
 * order, on one file.
 *
 * Each step is one argument: create=F, open=F (to write), read=F, swmr=F, close,
 * core=F, multi=F, groups=N, put=N (dataset "x", int[1000]), get, external=FILE,
 * open-external, write-external, driver, chunk (256 MiB in one gzip chunk), say=TEXT,
 * wait (for a line on stdin), h5close, handle (SIGTERM), raise (it). A step that HDF5
 * refuses says "STEP failed: WHY" and the program goes on; its exit status is then 1.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hdf5.h>

#define N 1000
#define CHUNK (64UL * 1024 * 1024) /* floats */

static hid_t file = H5I_INVALID_HID, external = H5I_INVALID_HID;

static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *text)
{
    (void)n;
    snprintf(text, 640, "%s", entry->desc);
    return 1;
}

static int failed(const char *step)
{
    char why[640] = "";

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, why);
    printf("%s failed: %s\n", step, why);
    return 1;
}

static hid_t data_new(hid_t dcpl)
{
    const hsize_t dims = N;
    hid_t space = H5Screate_simple(1, &dims, NULL);
    hid_t set = H5Dcreate2(file, dcpl == H5P_DEFAULT ? "x" : "external", H5T_NATIVE_INT,
                           space, H5P_DEFAULT, dcpl, H5P_DEFAULT);

    if (set >= 0)
        H5Sclose(space); /* else it would empty the error stack */
    return set;
}

static int put(int value)
{
    int values[N];

    for (int i = 0; i < N; i++)
        values[i] = value;
    hid_t set = H5Lexists(file, "x", H5P_DEFAULT) > 0 ? H5Dopen2(file, "x", H5P_DEFAULT)
                                                      : data_new(H5P_DEFAULT);
    herr_t rc = H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (rc >= 0)
        H5Dclose(set);
    return rc < 0;
}

static int get(void)
{
    int values[N] = {-1};
    hid_t set = H5Dopen2(file, "x", H5P_DEFAULT);

    if (set < 0 ||
        H5Dread(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        return 1;
    H5Dclose(set);
    for (int i = 1; i < N; i++)
        if (values[i] != values[0])
            values[0] = -2;
    printf("x=%d\n", values[0]);
    return 0;
}

static int external_new(const char *raw)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);

    H5Pset_external(dcpl, raw, 0, H5S_UNLIMITED);
    external = data_new(dcpl);
    return external < 0;
}

/* Metadata, which HDF5 keeps until the file is closed. */
static int groups_make(int n)
{
    char name[16];

    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (group < 0 || H5Gclose(group) < 0)
            return 1;
    }
    return 0;
}

static int external_write(void)
{
    int values[N] = {0};

    return H5Dwrite(external, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) <
           0;
}

/* One chunk, so that one call takes seconds. */
static int chunk_write(void)
{
    const hsize_t dims = CHUNK;
    hid_t space = H5Screate_simple(1, &dims, NULL),
          dcpl = H5Pcreate(H5P_DATASET_CREATE);
    float *values = malloc(CHUNK * sizeof(*values));

    if (!values)
        return 1;
    for (size_t i = 0; i < CHUNK; i++)
        values[i] = (float)rand(); /* NOLINT: noise */
    H5Pset_chunk(dcpl, 1, &dims);
    H5Pset_deflate(dcpl, 4);
    hid_t set = H5Dcreate2(file, "chunk", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, dcpl,
                           H5P_DEFAULT);
    puts("chunk begins");
    fflush(stdout);
    herr_t rc = H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    rc = H5Dclose(set) < 0 ? -1 : rc;
    free(values);
    return rc < 0;
}

static int driver_show(void)
{
    hid_t fapl = H5Fget_access_plist(file);
    hid_t driver = H5Pget_driver(fapl);

    H5Pclose(fapl);
    puts(driver == H5FD_SEC2   ? "driver=sec2"
         : driver == H5FD_CORE ? "driver=core"
                               : "driver=another");
    return 0;
}

static int other_new(const char *name, int is_multi)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    if (is_multi)
        H5Pset_fapl_multi(fapl, NULL, NULL, NULL, NULL, 1);
    else
        H5Pset_fapl_core(fapl, 4096, 0);
    file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    H5Pclose(fapl);
    return file < 0;
}

static int file_open(const char *name, unsigned flags)
{
    file = H5Fopen(name, flags, H5P_DEFAULT);
    return file < 0;
}

static void note(int signo)
{
    (void)signo;
}

static int handle(void)
{
    const struct sigaction action = {.sa_handler = note};

    return sigaction(SIGTERM, &action, NULL);
}

static int library_close(void)
{
    herr_t rc = H5close();

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return rc < 0;
}

/* The part of step after "NAME=", or NULL. */
static const char *value_of(const char *step, const char *name)
{
    size_t n = strlen(name);

    return strncmp(step, name, n) == 0 && step[n] == '=' ? step + n + 1 : NULL;
}

static int take_named(const char *step)
{
    const char *v = NULL;

    if ((v = value_of(step, "create")))
        return (file = H5Fcreate(v, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) < 0;
    if ((v = value_of(step, "open")))
        return file_open(v, H5F_ACC_RDWR);
    if ((v = value_of(step, "read")))
        return file_open(v, H5F_ACC_RDONLY);
    if ((v = value_of(step, "swmr")))
        return file_open(v, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ);
    if ((v = value_of(step, "core")))
        return other_new(v, 0);
    if ((v = value_of(step, "multi")))
        return other_new(v, 1);
    if ((v = value_of(step, "put")))
        return put((int)strtol(v, NULL, 10));
    if ((v = value_of(step, "groups")))
        return groups_make((int)strtol(v, NULL, 10));
    if ((v = value_of(step, "external")))
        return external_new(v);
    if ((v = value_of(step, "say"))) {
        puts(v);
        return 0;
    }
    printf("no step %s\n", step);
    return 1;
}

static int take(const char *step)
{
    char line[8];

    if (strcmp(step, "close") == 0)
        return H5Fclose(file) < 0;
    if (strcmp(step, "get") == 0)
        return get();
    if (strcmp(step, "driver") == 0)
        return driver_show();
    if (strcmp(step, "chunk") == 0)
        return chunk_write();
    if (strcmp(step, "open-external") == 0)
        return (external = H5Dopen2(file, "external", H5P_DEFAULT)) < 0;
    if (strcmp(step, "write-external") == 0)
        return external_write();
    if (strcmp(step, "handle") == 0)
        return handle();
    if (strcmp(step, "raise") == 0)
        return raise(SIGTERM);
    if (strcmp(step, "h5close") == 0)
        return library_close();
    if (strcmp(step, "wait") == 0)
        return !fgets(line, sizeof(line), stdin);
    return take_named(step);
}

int main(int argc, char **argv)
{
    int status = 0;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (int i = 1; i < argc; i++) {
        if (take(argv[i]))
            status = failed(argv[i]);
        fflush(stdout);
    }
    return status;
}
