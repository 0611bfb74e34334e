# cmake --install: command, library, headers, kernels, pkg-config file, CMake package,
# module file, manual pages, completions.  All of it finds the rest from where it is
# itself, so that the prefix may be moved; cpack makes packages of it.
include(CMakePackageConfigHelpers)

install(TARGETS h5swim_shared EXPORT h5swimTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS h5swim_command RUNTIME DESTINATION bin)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/framework/include/h5swim
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# Made with the command.
set(SWIM_BASH_DIR ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    CACHE STRING "Where the completion of bash is installed")
set(SWIM_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
    CACHE STRING "Where the completion of zsh is installed")
install(DIRECTORY ${PROJECT_BINARY_DIR}/manual/man/ DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${PROJECT_BINARY_DIR}/manual/completion/bash/h5swim
        DESTINATION ${SWIM_BASH_DIR})
install(FILES ${PROJECT_BINARY_DIR}/manual/completion/zsh/_h5swim
        DESTINATION ${SWIM_ZSH_DIR})

configure_file(${CMAKE_CURRENT_LIST_DIR}/h5swim.pc.in ${PROJECT_BINARY_DIR}/h5swim.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/h5swim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/h5swimConfig.cmake.in
    ${PROJECT_BINARY_DIR}/h5swimConfig.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/h5swim)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/h5swimConfigVersion.cmake
    COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/h5swimConfig.cmake
        ${PROJECT_BINARY_DIR}/h5swimConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/h5swim)
install(EXPORT h5swimTargets NAMESPACE h5swim::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/h5swim)

# PREFIX/share/modulefiles is what "module use" takes.
install(FILES ${CMAKE_CURRENT_LIST_DIR}/packaging/modulefile.lua
        DESTINATION ${CMAKE_INSTALL_DATADIR}/modulefiles/h5swim
        RENAME ${PROJECT_VERSION}.lua)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/h5swim)
# By the names that they have in the tree, and call each other by.
file(GLOB SWIM_DOCUMENTS CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
     ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/kernels/*.md
     ${PROJECT_SOURCE_DIR}/framework/*.md ${PROJECT_SOURCE_DIR}/framework/*/*.md)
foreach(document ${SWIM_DOCUMENTS})
    get_filename_component(folder ${document} DIRECTORY)
    install(FILES ${PROJECT_SOURCE_DIR}/${document}
            DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/h5swim/${folder})
endforeach()
include(packaging/debian.cmake)
