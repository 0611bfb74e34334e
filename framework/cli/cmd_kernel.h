/* cmd_kernel.h - h5swim kernel: which kernels there are, and what each declares. */
#ifndef SWIM_CLI_CMD_KERNEL_H
#define SWIM_CLI_CMD_KERNEL_H

/* argv[0] is "kernel".  Returns the exit status: 0 done, 1 failed, 2 usage. */
int cmd_kernel(int argc, char **argv);

#endif /* SWIM_CLI_CMD_KERNEL_H */
