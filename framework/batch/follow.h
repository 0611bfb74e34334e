/* follow.h - a job whose inputs are still being written: what its ranks do besides.
 *
 * Rank 0 waits for word of commits to the inputs, and looks; when all of them have more
 * rows it begins an epoch.  That may be in the middle of a pass, as long as no block
 * that is not full yet is outstanding: two versions of one could be written in the
 * wrong order.  What is said in job.h holds with ranks, readers and writers that die:
 * blocks that are not full have no bit in the outputs, so the last epoch, in which all
 * blocks count as full, does them once more.
 *
 * Rank 0 has the inputs open, at the states of the epoch, as long as a pass goes on,
 * and otherwise nobody has: so writers can copy their journals into the files. */
#ifndef SWIM_BATCH_FOLLOW_H
#define SWIM_BATCH_FOLLOW_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "batch/coordinator.h"

struct rank;
struct follow;

#define FOLLOW_FDS SETUP_INPUTS_MAX

/* --- all ranks ---------------------------------------------------------------------
 */

/* What orders say of the epoch; when all of it is known the workers are told. */
void follow_take_orders(struct rank *r, const struct rank_orders *orders);

/* --- rank 0 ------------------------------------------------------------------------
 */

/* The outputs are there.  The setup's inputs are closed. */
int follow_begin(struct rank *r, swim_error_t *err);

/* In each turn; over: the pass is over. */
int follow_turn(struct rank *r, bool over, swim_error_t *err);

/* What to wait for besides, at most FOLLOW_FDS, and when that was waited for. */
uint32_t follow_fds(const struct rank *r, struct pollfd *fds);
void follow_hear(struct rank *r, const struct pollfd *fds, uint32_t n);

/* Accepts a rank that has not begun. */
void follow_end(struct rank *r);

#endif /* SWIM_BATCH_FOLLOW_H */
