/* late_close.h - closing a file that has no name any more.
 *
 * The last close of a removed file frees its blocks, which takes some file systems
 * seconds for a large one: nobody should wait for that, least of all with a lock.
 *
 * Threads: any.  A child that is forked in the moment before the closing begins has the
 * file open, too, and its blocks are free when it ends. */
#ifndef SWIM_STORE_LATE_CLOSE_H
#define SWIM_STORE_LATE_CLOSE_H

/* Close fd in a thread of its own; where there can be none, now.  0: errors have nobody
 * to be told to. */
int late_close(int fd);

#endif /* SWIM_STORE_LATE_CLOSE_H */
