/* cmd_kernel.h - h5swim kernel: which kernels there are, and what each declares; and
 * whether they keep to the rules. */
#ifndef SWIM_CLI_CMD_KERNEL_H
#define SWIM_CLI_CMD_KERNEL_H

/* argv[0] is "kernel".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_kernel(int argc, char **argv);

/* The same of kernel test: argv[0] is "test". */
int cmd_kernel_test(int argc, char **argv);

#endif /* SWIM_CLI_CMD_KERNEL_H */
