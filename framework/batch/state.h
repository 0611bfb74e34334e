/* state.h - what a running job says of itself on SIGUSR1, on stderr, and goes on.
 *
 * The driver passes the signal on to its ranks; mpirun and srun do so by themselves.
 * Each rank says what its readers are at, and rank 0 how far the job is, and who holds
 * the locks of its files and who waits for them.  Readers and writers do not hear it.
 */
#ifndef SWIM_BATCH_STATE_H
#define SWIM_BATCH_STATE_H

#include <stdbool.h>

struct rank;

/* In the main thread of driver or rank: take the signal from here on; its calls that
 * wait are interrupted by it. */
void state_listen(void);

/* Ignore it, here and in children: for the spawner, and for a job that cannot answer
 * yet. */
void state_deafen(void);

/* Has it come since this was asked last? */
bool state_asked(void);

void state_print(const struct rank *r);

#endif /* SWIM_BATCH_STATE_H */
