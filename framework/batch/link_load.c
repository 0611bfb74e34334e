/* link_load.c - finds out whether MPI started this process, and loads the plug-in then.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/link.h"

/* mpirun of Open MPI, PMIx launchers such as srun --mpi=pmix, mpirun of MPICH. */
uint32_t link_mpi_ranks(void)
{
    const char *ompi = getenv("OMPI_COMM_WORLD_SIZE");
    const char *pmi = getenv("PMI_SIZE");
    const char *slurm = getenv("SLURM_STEP_NUM_TASKS");
    unsigned long n = 0;

    if (ompi)
        n = strtoul(ompi, NULL, 10);
    else if (pmi)
        n = strtoul(pmi, NULL, 10);
    else if (getenv("PMIX_RANK"))
        n = slurm ? strtoul(slurm, NULL, 10) : 1;
    return (uint32_t)n;
}

uint32_t link_mpi_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                        "PMI_RANK"};
    const char *rank = NULL;

    for (size_t i = 0; !rank && i < sizeof(names) / sizeof(*names); i++)
        rank = getenv(names[i]);
    return rank ? (uint32_t)strtoul(rank, NULL, 10) : 0;
}

/* Beside the command: bin/../lib/h5swim/h5swim_mpi.so. */
static void plugin_path(char *path, size_t size)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    exe[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
    }
    snprintf(path, size, "%s/lib/h5swim/h5swim_mpi.so", exe);
}

int link_mpi_load(struct link **out, swim_error_t *err)
{
    char path[PATH_MAX + 32];
    link_mpi_open_fn open_link = NULL;

    *out = NULL;
    plugin_path(path, sizeof(path));
    /* GLOBAL: Open MPI's own components look for the symbols of libmpi. */
    void *dl = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!dl)
        return swim_error_set(
            err, SWIM_ERR_IO,
            "started by an MPI launcher, but MPI cannot be loaded: %s", dlerror());
    *(void **)&open_link = dlsym(dl, LINK_MPI_SYMBOL);
    if (!open_link)
        return swim_error_set(err, SWIM_ERR_ABI, "%s is of another version of h5swim",
                              path);
    return open_link(out, err);
}
