/* kernel_private.h - what the parts of the kernel host share. */
#ifndef SWIM_BATCH_KERNEL_PRIVATE_H
#define SWIM_BATCH_KERNEL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <h5swim/kernel.h>

/* Numbers and switches as people write them: the whole text, in the C locale whatever
 * the program's locale is.  false: it is none. */
bool value_int(const char *text, int64_t *out);
bool value_real(const char *text, double *out); /* also nan and inf */
bool value_bool(const char *text, bool *out);   /* true false yes no on off */

struct param_value {
    char *name;
    enum swim_param_type type;
    int64_t i;
    double r;
    bool b;
    char *text; /* as written */
};

/* Read text as a value of param, into value's number.  false: why says what is wrong,
 * e.g. "\"abc\" is not a number". */
bool param_parse(const struct swim_param *param, const char *text,
                 struct param_value *value, char *why, size_t size);

const char *param_type_name(enum swim_param_type type);

/* [a-z][a-z0-9_]*, at most 64 characters; of a port: letters of either case, or _ at
 * the start, too. */
bool kernel_name_ok(const char *name);
bool kernel_port_name_ok(const char *name);

/* The .so of a source: from the cache, or compiled into it.  *so: the caller's. */
int kernel_compile(const char *source, char **so, swim_error_t *err);

/* The same of a source in memory; name, without points and slashes, is what the .so's
 * begins with. */
int kernel_compile_text(const char *name, const char *text, char **so,
                        swim_error_t *err);

/* The directory that holds the running program; the caller's, NULL: not known. */
char *kernel_command_dir(void);

/* Run a program without a shell and wait for it.  Its stdout goes to sink (may be
 * NULL), the first bytes of its stderr to *text (the caller's).  *status is as
 * waitpid() gives it.  SWIM_ERR_ARG: there is no such program. */
struct kernel_run {
    void (*sink)(void *arg, const void *bytes, size_t n);
    void *arg;
    char *text;
    int status;
};
int kernel_run(char *const *argv, struct kernel_run *run, swim_error_t *err);

#endif /* SWIM_BATCH_KERNEL_PRIVATE_H */
