# templates.h: each file of framework/cli/templates as a C string, template_NAME_ENDING.
set(SWIM_TEMPLATES "/* Made from framework/cli/templates. */\n")
foreach(name map.c map.yaml map.sh stencil.c stencil.yaml stencil.sh reduce.c reduce.yaml
        reduce.sh)
    file(READ templates/${name} text)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS templates/${name})
    string(MAKE_C_IDENTIFIER template_${name} symbol)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
    string(APPEND SWIM_TEMPLATES "static const char ${symbol}[] =\n    \"${text}\";\n")
endforeach()
file(CONFIGURE OUTPUT templates.h CONTENT "@SWIM_TEMPLATES@" @ONLY)
target_include_directories(swim_cli PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
