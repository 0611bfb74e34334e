/* fork_mark.h - a number that a process does not share with its children.
 *
 * What getpid() would tell, without a call of the system: for what is asked before each
 * of a million reads.  Children of the bare clone(2) have another one, too.  Threads:
 * any. */
#ifndef SWIM_CORE_FORK_MARK_H
#define SWIM_CORE_FORK_MARK_H

#include <stdint.h>

/* Never 0. */
uint64_t fork_mark(void);

#endif /* SWIM_CORE_FORK_MARK_H */
