# swim_embed(HEADER PREFIX FILE...): C strings PREFIX_NAME_ENDING of files, in a header.
function(swim_embed header prefix)
    set(SWIM_EMBEDDED "/* Made by templates.cmake. */\n")
    foreach(file ${ARGN})
        file(READ ${file} text)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
        get_filename_component(name ${file} NAME)
        string(MAKE_C_IDENTIFIER ${prefix}_${name} symbol)
        string(REPLACE "\\" "\\\\" text "${text}")
        string(REPLACE "\"" "\\\"" text "${text}")
        string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
        string(APPEND SWIM_EMBEDDED
            "static const char ${symbol}[] __attribute__((unused)) =\n    \"${text}\";\n")
    endforeach()
    file(CONFIGURE OUTPUT ${header} CONTENT "@SWIM_EMBEDDED@" @ONLY)
endfunction()

# What h5swim kernel new writes.
set(SWIM_TEMPLATES test.sh)
foreach(kind map stencil reduce window filter)
    list(APPEND SWIM_TEMPLATES ${kind}.c ${kind}.yaml ${kind}.data)
endforeach()
list(TRANSFORM SWIM_TEMPLATES PREPEND templates/)
swim_embed(templates.h template ${SWIM_TEMPLATES})

# What h5swim help shows.
set(SWIM_TEXTS manual/job.txt manual/environment.txt)
foreach(header error kernel lock store file signals)
    list(APPEND SWIM_TEXTS ../include/h5swim/${header}.h)
endforeach()
swim_embed(texts.h text ${SWIM_TEXTS})
target_include_directories(swim_cli PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
