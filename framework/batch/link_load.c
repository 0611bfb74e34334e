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

/* mpirun in a job of Slurm sets what is its own besides. */
const char *link_launcher(void)
{
    return getenv("SLURM_STEP_NUM_TASKS") && !getenv("OMPI_COMM_WORLD_SIZE") ? "slurm"
                                                                             : "mpi";
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

/* Beside the command: bin/../lib/h5swim/NAME.so. */
static void plugin_path(char *path, size_t size, const char *name)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    exe[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
    }
    snprintf(path, size, "%s/lib/h5swim/%s.so", exe, name);
}

/* MPICH has a plug-in of its own where the other one is Open MPI's, whose launcher
 * always tells a name of its own as well. */
static void plugin_choose(char *path, size_t size)
{
    if (getenv("PMI_SIZE") && !getenv("OMPI_COMM_WORLD_SIZE")) {
        plugin_path(path, size, "h5swim_mpich");
        if (access(path, R_OK) == 0)
            return;
    }
    plugin_path(path, size, "h5swim_mpi");
}

/* Under the launcher of another MPI each process would believe that it is alone. */
static int check_ranks(struct link **link, const char *path, swim_error_t *err)
{
    const uint32_t told = link_mpi_ranks(), are = (*link)->n_ranks;

    if (told <= 1 || are == told)
        return SWIM_OK;
    (*link)->ops->close(*link, 0, true);
    *link = NULL;
    return swim_error_set(err, SWIM_ERR_IO,
                          "started as one of %u ranks, but the MPI of %s sees %u: use "
                          "the mpirun of the MPI that h5swim was built with",
                          told, path, are);
}

int link_mpi_load(struct link **out, swim_error_t *err)
{
    char path[PATH_MAX + 32];
    link_mpi_open_fn open_link = NULL;

    *out = NULL;
    plugin_choose(path, sizeof(path));
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
    int rc = open_link(out, err);
    return rc == SWIM_OK ? check_ranks(out, path, err) : rc;
}
