/* exec_program.h - whether a program can be run with a preloaded object. */
#ifndef SWIM_CLI_EXEC_PROGRAM_H
#define SWIM_CLI_EXEC_PROGRAM_H

#include <stddef.h>

#include <h5swim/error.h>

/* The file that execvp(name) would run.  SWIM_ERR_ARG: there is none; SWIM_ERR_IO:
 * there is one that may not be executed. */
int exec_program_find(const char *name, char *path, size_t size, swim_error_t *err);

/* Whether the dynamic linker would preload something for it, or for the interpreter
 * that its first line names.  SWIM_ERR_ARG: it would not. */
int exec_program_check(const char *path, swim_error_t *err);

#endif /* SWIM_CLI_EXEC_PROGRAM_H */
