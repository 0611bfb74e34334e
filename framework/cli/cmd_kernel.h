/* cmd_kernel.h - h5swim kernel: which kernels there are, and what each declares;
 * new ones, and whether they keep to the rules. */
#ifndef SWIM_CLI_CMD_KERNEL_H
#define SWIM_CLI_CMD_KERNEL_H

#include "cli/command.h"

/* argv[0] is "kernel".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_kernel(int argc, char **argv);

/* The same of kernel new and kernel test: argv[0] is "new" or "test". */
int cmd_kernel_new(int argc, char **argv);
int cmd_kernel_test(int argc, char **argv);

extern const struct command command_kernel, command_kernel_new, command_kernel_test;

#endif /* SWIM_CLI_CMD_KERNEL_H */
