/* inputs.h - a reader's session on the input files: READ on each while they are open.
 *
 * For now these are plain HDF5 sessions, so a writer has to wait for them: they are
 * closed and opened again at least once a second, and when nothing is to be read. */
#ifndef SWIM_BATCH_INPUTS_H
#define SWIM_BATCH_INPUTS_H

#include <h5swim/lock.h>

#include "batch/setup.h"
#include "batch/worker.h"

struct inputs;

int inputs_create(const struct setup *setup, const struct worker *worker,
                  swim_session_t *session, struct inputs **out, swim_error_t *err);
void inputs_destroy(struct inputs *inputs);

/* Have the files open, and since not more than a second. */
int inputs_begin(struct inputs *inputs, swim_error_t *err);

/* Close the files and give the locks back.  SWIM_ERR_LOST: a lease had ended meanwhile,
 * so what was read since inputs_begin() may be a mixture of two states. */
int inputs_end(struct inputs *inputs, swim_error_t *err);

/* Read a range of one input, with the plan's halo, into buf. */
int inputs_read(struct inputs *inputs, uint32_t input, const struct block_range *range,
                void *buf, swim_error_t *err);

/* SWIM_OK while all locks are certain to be held. */
int inputs_check(const struct inputs *inputs, swim_error_t *err);

#endif /* SWIM_BATCH_INPUTS_H */
