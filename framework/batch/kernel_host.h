/* kernel_host.h - finding, compiling and loading kernels, and their parameters. */
#ifndef SWIM_BATCH_KERNEL_HOST_H
#define SWIM_BATCH_KERNEL_HOST_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

#include "batch/job.h"

#define KERNEL_PORTS_MAX 16 /* inputs, and outputs */

struct kernel_host {
    void *dl;
    char *path;             /* of the .so */
    uint64_t digest;        /* XXH3-64 of the .so's bytes */
    struct swim_kernel api; /* a copy; members its headers did not have are zero; ports
                               and params point to copies in this host's layout */
    struct swim_port *inputs, *outputs;
    struct swim_param *params;
};

/* Directories with NAME.so files, in the order they are searched, ended by NULL: those
 * of $SWIM_KERNEL_PATH (colons between them), then ../lib/h5swim/kernels beside the
 * command.  Free each string and the array: kernel_dirs_destroy(). */
int kernel_dirs(char ***out, swim_error_t *err);
void kernel_dirs_destroy(char **dirs);

/* The .so of a kernel given as in a job file: a name is searched, a path (it has a '/',
 * or ends in .so or .c) is taken relative to dir, a .c source is compiled unless the
 * cache has it.  *so is the caller's (free).  Errors: SWIM_ERR_ARG (unknown name, with
 * the nearest; no such file; the compiler's first message, with its line), SWIM_ERR_IO,
 * SWIM_ERR_NOMEM. */
int kernel_find(const char *kernel, const char *dir, char **so, swim_error_t *err);

/* Load a .so and check what it declares.  Errors: SWIM_ERR_ARG (cannot be loaded),
 * SWIM_ERR_ABI (no kernel, or of another version: both numbers), SWIM_ERR_KERNEL (what
 * it declares makes no sense), SWIM_ERR_NOMEM. */
int kernel_load(const char *so, struct kernel_host **out, swim_error_t *err);
void kernel_unload(struct kernel_host *kernel);

const char *kernel_kind_name(enum swim_kernel_kind kind);

/* Values for all declared parameters: what the job gives, checked, else the defaults.
 * Errors: SWIM_ERR_ARG (unknown name with the nearest known one, ill-typed, out of
 * range, missing; each with its place in the job file), SWIM_ERR_NOMEM. */
int params_create(const struct kernel_host *kernel, const struct job_param *given,
                  size_t n_given, swim_params_t **out, swim_error_t *err);
/* The same errors without the values: all of them, in problems, unless that is NULL; a
 * parameter that is missing, at the place of its kernel. */
int params_check_all(const struct kernel_host *kernel, const struct job_param *given,
                     size_t n_given, struct problems *problems,
                     const struct job_place *kernel_place, swim_error_t *err);
void params_destroy(swim_params_t *params);

#endif /* SWIM_BATCH_KERNEL_HOST_H */
