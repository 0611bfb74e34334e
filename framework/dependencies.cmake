# What h5swim is built on.  A missing package gives one line that says what to install.
find_program(SWIM_PKG_CONFIG NAMES pkg-config pkgconf)
if(NOT SWIM_PKG_CONFIG)
    message(FATAL_ERROR "pkg-config not found: install it with apt install pkgconf")
endif()
find_package(PkgConfig REQUIRED QUIET)

# swim_require(TARGET DEBIAN_PACKAGE MODULE...): the first pkg-config module that exists.
function(swim_require target package)
    pkg_search_module(${target} QUIET IMPORTED_TARGET GLOBAL ${ARGN})
    if(NOT ${target}_FOUND)
        message(FATAL_ERROR
            "${ARGV2} not found by pkg-config: install it with apt install ${package}")
    endif()
    message(STATUS "Found ${${target}_MODULE_NAME} ${${target}_VERSION}")
endfunction()

swim_require(HDF5 libhdf5-dev hdf5-serial hdf5)
swim_require(HIREDIS libhiredis-dev hiredis)
swim_require(OPENSSL libssl-dev openssl)
swim_require(FYAML libfyaml-dev libfyaml)
swim_require(JANSSON libjansson-dev jansson)
swim_require(DEFLATE libdeflate-dev libdeflate)
swim_require(XXHASH libxxhash-dev libxxhash)
swim_require(UDUNITS libudunits2-dev udunits udunits2)

# Faster than libdeflate at level 1; there is none for most processors.
option(SWIM_ISAL "Deflate with ISA-L at level 1, where it is installed" ON)
if(SWIM_ISAL)
    pkg_search_module(ISAL QUIET IMPORTED_TARGET GLOBAL libisal)
endif()
if(SWIM_ISAL AND ISAL_FOUND)
    message(STATUS "Found libisal ${ISAL_VERSION}")
    set(SWIM_DEFLATE PkgConfig::DEFLATE PkgConfig::ISAL)
    set(SWIM_DEFLATE_DEFINITIONS SWIM_HAVE_ISAL)
else()
    message(STATUS "No libisal (apt install libisal-dev): deflate 1 is slower")
    set(SWIM_DEFLATE PkgConfig::DEFLATE)
endif()

# A red-black tree as macros: nothing is linked.
find_path(SWIM_BSD_TREE bsd/sys/tree.h)
if(NOT SWIM_BSD_TREE)
    message(FATAL_ERROR "bsd/sys/tree.h not found: install it with apt install libbsd-dev")
endif()

# udunits has no pkg-config file everywhere, HDF5's high-level library nowhere.
find_library(SWIM_HDF5_HL NAMES hdf5_serial_hl hdf5_hl
             HINTS ${HDF5_LIBRARY_DIRS} ${HDF5_LIBDIR})
if(NOT SWIM_HDF5_HL)
    message(FATAL_ERROR "hdf5_hl not found: install it with apt install libhdf5-dev")
endif()

# MPI is needed to build plug-ins, of which one is loaded under an MPI launcher.  Open MPI
# and MPICH take no part in each other's jobs: where both are, each has its plug-in.
option(SWIM_MPI "Build the plug-in for mpirun and srun, where MPI is installed" ON)
if(SWIM_MPI)
    pkg_search_module(MPI QUIET IMPORTED_TARGET GLOBAL ompi-c mpich mpi-c mpi)
endif()
if(SWIM_MPI AND MPI_FOUND)
    message(STATUS "Found ${MPI_MODULE_NAME} ${MPI_VERSION}")
    if(MPI_MODULE_NAME STREQUAL ompi-c)
        pkg_search_module(MPICH QUIET IMPORTED_TARGET GLOBAL mpich)
    endif()
    if(MPICH_FOUND)
        message(STATUS "Found mpich ${MPICH_VERSION}")
    endif()
elseif(SWIM_MPI)
    message(WARNING "MPI not found, h5swim will not run under mpirun or srun: "
            "install it with apt install libopenmpi-dev")
endif()
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED QUIET)
