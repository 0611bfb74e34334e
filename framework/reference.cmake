# cmake --build BUILD --target reference: the public headers as HTML, in reference/html, by
# Doxygen where that is installed.
configure_file(${CMAKE_CURRENT_LIST_DIR}/reference/Doxyfile.in
    ${PROJECT_BINARY_DIR}/reference/Doxyfile @ONLY)
find_program(SWIM_DOXYGEN doxygen)
mark_as_advanced(SWIM_DOXYGEN)
if(SWIM_DOXYGEN)
    add_custom_target(reference
        COMMAND ${SWIM_DOXYGEN} ${PROJECT_BINARY_DIR}/reference/Doxyfile VERBATIM)
endif()
