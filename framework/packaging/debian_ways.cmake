# Run by cpack before it packs, for what Debian has in its own way: manual pages are
# compressed, and zsh looks for completions in another folder.
set(usr "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/usr")
file(GLOB_RECURSE pages "${usr}/share/man/man*/*")
if(pages)
    execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)
endif()
file(GLOB completions "${usr}/share/zsh/site-functions")
foreach(folder ${completions})
    file(RENAME ${folder} ${folder}/../vendor-completions)
endforeach()
