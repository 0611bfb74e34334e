/* progress.h - progress on stderr: one line for the job, however many ranks it has. */
#ifndef SWIM_BATCH_PROGRESS_H
#define SWIM_BATCH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch/coordinator.h"

/* On a terminal a line that is rewritten, in colours unless NO_COLOR is set; else (a
 * file, a pipe, TERM=dumb) lines now and then, ever less often; nothing when quiet. */
struct progress {
    const char *name;
    bool quiet, terminal, colours;
    int64_t start_ns, shown_ns;
    bool begun; /* there was something to be done */
    uint64_t done_first;
    int64_t first_ns; /* when so much was done */
    bool line_open;
};

void progress_begin(struct progress *progress, const char *name, bool quiet);
void progress_show(struct progress *progress, const struct coordinator *c,
                   const struct coordinator_rank *ranks);
void progress_end(struct progress *progress);

/* What a line says. */
struct progress_numbers {
    const char *name;
    uint64_t done, total, failed;
    double gb_in, gb_out; /* per second */
    double left_s;        /* until the end; negative: not known yet */
    double lock_share;    /* of the time of all processes, that they wait for locks */
    uint32_t ranks;
};

#define PROGRESS_LINE_SIZE 400

/* The line.  width: of the terminal, less where things are left out; 0: as for a file,
 * where it may be of any length. */
void progress_line(const struct progress_numbers *numbers, unsigned width, bool colours,
                   char line[PROGRESS_LINE_SIZE]);

#endif /* SWIM_BATCH_PROGRESS_H */
