/* command.h - where the h5swim command is, for a library that has to start it. */
#ifndef SWIM_CORE_COMMAND_H
#define SWIM_CORE_COMMAND_H

/* The absolute path of an executable h5swim, NULL when there is none.  Looked for in
 * the first call of a process, and from then on the same: $SWIM_COMMAND, after which
 * nothing else is tried, this program, when h5swim is its name,
 *   ../bin, ../../bin and ../../../bin as seen from the folder of libh5swim.so (lib,
 *   lib/MULTIARCH), or of the program that holds the objects of the library.
 *
 * Threads: any.  Fork: once called, a child may call it too, also between fork and
 * exec. */
const char *swim_command_path(void);

#endif /* SWIM_CORE_COMMAND_H */
