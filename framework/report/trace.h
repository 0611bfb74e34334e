/* trace.h - a run in the Trace Event Format, for Perfetto and chrome://tracing. */
#ifndef SWIM_REPORT_TRACE_H
#define SWIM_REPORT_TRACE_H

#include <stdio.h>

#include "report/runfile.h"

/* Of each process of the run a track, below its rank: blocks, with what was done for
 * them inside, and spans as complete events (X), lock waits as asynchronous ones (b,
 * e), processes that were replaced as instants (i).  Whether all was written is for the
 * caller to ask the file. */
void trace_write(const struct runfile *record, FILE *to);

#endif /* SWIM_REPORT_TRACE_H */
