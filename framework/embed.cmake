# swim_embed(TARGET HEADER FOLDER PREFIX FILE...): the header, which the sources of the
# target can include, has each file of the folder as a C string PREFIX_NAME_ENDING.
function(swim_embed target header folder prefix)
    set(SWIM_TEXTS "/* Made from files; see swim_embed() in framework/embed.cmake. */\n")
    foreach(file ${ARGN})
        file(READ ${folder}/${file} text)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${file})
        get_filename_component(name ${file} NAME)
        string(MAKE_C_IDENTIFIER ${prefix}_${name} symbol)
        string(REPLACE "\\" "\\\\" text "${text}")
        string(REPLACE "\"" "\\\"" text "${text}")
        string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
        string(APPEND SWIM_TEXTS
            "static const char ${symbol}[] __attribute__((unused)) =\n    \"${text}\";\n")
    endforeach()
    file(CONFIGURE OUTPUT ${header} CONTENT "@SWIM_TEXTS@" @ONLY)
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
