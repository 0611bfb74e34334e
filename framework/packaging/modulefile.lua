-- Lmod: "module use PREFIX/share/modulefiles", then "module load h5swim".  The prefix is
-- three folders above this file, wherever that has been moved to.
local prefix = pathJoin(myFileName():match("^(.*)/share/modulefiles/"), "")

whatis("Name: h5swim")
whatis("Version: " .. myModuleVersion())
whatis("Description: batch kernels, locks and transactions for HDF5 files")
help([[
h5swim run JOB.yaml runs a job, also under mpirun and srun; h5swim exec -- PROGRAM runs
an HDF5 program in transactions.  For jobs on several nodes give all of them one lock
server: SWIM_REDIS_URL, see h5swim serve --help.]])

setenv("H5SWIM_ROOT", prefix)
prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("MANPATH", pathJoin(prefix, "share/man"))
prepend_path("LD_LIBRARY_PATH", pathJoin(prefix, "lib"))
prepend_path("PKG_CONFIG_PATH", pathJoin(prefix, "lib/pkgconfig"))
prepend_path("CMAKE_PREFIX_PATH", prefix)
