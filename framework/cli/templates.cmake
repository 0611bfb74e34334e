# templates.h: each file of framework/cli/templates as a C string, template_NAME_ENDING.
set(SWIM_TEMPLATES "/* Made from framework/cli/templates. */\n")
foreach(name test.sh map.c map.yaml map.data stencil.c stencil.yaml stencil.data reduce.c
        reduce.yaml reduce.data window.c window.yaml window.data filter.c filter.yaml
        filter.data)
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
