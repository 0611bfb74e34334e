# Compiler flags live in one interface target, never in CMAKE_C_FLAGS.
add_library(swim_build_flags INTERFACE)
target_compile_features(swim_build_flags INTERFACE c_std_11)
target_compile_options(swim_build_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -fvisibility=hidden)
target_compile_definitions(swim_build_flags INTERFACE _GNU_SOURCE)

option(SWIM_WERROR "Treat warnings as errors" ON)
if(SWIM_WERROR)
    target_compile_options(swim_build_flags INTERFACE -Werror)
endif()

set(SWIM_SANITIZE "" CACHE STRING "e.g. address,undefined or thread")
if(SWIM_SANITIZE)
    target_compile_options(swim_build_flags INTERFACE
        -fsanitize=${SWIM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(swim_build_flags INTERFACE -fsanitize=${SWIM_SANITIZE})
endif()
