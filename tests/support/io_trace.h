/* io_trace.h - the calls of struct swim_io that change something, written down once and
 * made again as often as wanted, up to any one of them.
 *
 * All go to the simulated disk (sim_disk.h).  One program at a time; all is global. */
#ifndef SWIM_SUPPORT_IO_TRACE_H
#define SWIM_SUPPORT_IO_TRACE_H

#include "store/io.h"

extern const struct swim_io io_trace_io;

/* Forget what was written down. */
void io_trace_reset(void);
/* How many calls were written down: where in the trace a program is. */
long io_trace_length(void);

/* An empty disk, and on it the first n calls again; the last of them may be made in
 * part, by the seed, when it is a write. */
void io_trace_replay(long n, bool torn, unsigned seed);
/* The same, whole; in sectors: each write is one for each sector that it touches. */
void io_trace_replay_in_sectors(long n, bool in_sectors);

/* Whether the nth call is a sync, of a file or of the folder. */
bool io_trace_is_sync(long n);
bool io_trace_is_rename(long n);

#endif /* SWIM_SUPPORT_IO_TRACE_H */
