# cpack: h5swim_VERSION_ARCHITECTURE.deb, and a package for each MPI, which the command
# needs only under its launcher.  They fit the Debian that they are built on.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME h5swim)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "the h5swim authors")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian_ways.cmake)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

get_property(components GLOBAL PROPERTY SWIM_COMPONENTS)
set(CPACK_COMPONENTS_ALL h5swim ${components})
foreach(component ${components})
    install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright EXCLUDE_FROM_ALL
            DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/h5swim-${component}
            COMPONENT ${component})
endforeach()
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "h5swim authors <h5swim@example.org>")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)

set(CPACK_COMPONENT_H5SWIM_DESCRIPTION
"Compute kernels run over HDF5 datasets with many processes, and any number of
programs read and write the same HDF5 files at once: under readers/writer
locks that a Redis server keeps, and in transactions. Here are the command,
the library with its headers, and the kernels.")
set(CPACK_DEBIAN_H5SWIM_PACKAGE_NAME h5swim)
set(CPACK_DEBIAN_H5SWIM_PACKAGE_DEPENDS redis-server)
set(CPACK_DEBIAN_H5SWIM_PACKAGE_RECOMMENDS "gcc, libc6-dev") # for kernels of one's own
set(CPACK_DEBIAN_H5SWIM_PACKAGE_SUGGESTS "h5swim-openmpi, h5swim-mpich, libhdf5-dev")
set(CPACK_DEBIAN_H5SWIM_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/triggers)

set(CPACK_COMPONENT_OPENMPI_DESCRIPTION
    "What the command h5swim loads under the launcher of Open MPI.")
set(CPACK_DEBIAN_OPENMPI_PACKAGE_NAME h5swim-openmpi)
set(CPACK_DEBIAN_OPENMPI_PACKAGE_DEPENDS "h5swim (= ${PROJECT_VERSION}), openmpi-bin")
set(CPACK_COMPONENT_MPICH_DESCRIPTION
    "What the command h5swim loads under the launcher of MPICH.")
set(CPACK_DEBIAN_MPICH_PACKAGE_NAME h5swim-mpich)
set(CPACK_DEBIAN_MPICH_PACKAGE_DEPENDS "h5swim (= ${PROJECT_VERSION}), mpich")

include(CPack)
