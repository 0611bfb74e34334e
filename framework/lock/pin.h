/* pin.h - commits that somebody still reads.
 *
 * Whoever works on a snapshot pins its number, so that others see that it is needed; a
 * lineage tells the numbers of one history from those of another.
 *
 * A pin is the session's and counts while that lives, as its locks do: after the
 * session's lease has ended others may have gone on, so ask swim_lock_check() of a lock
 * of the session.  A process that died keeps its pins until its lease is over, or
 * somebody here sees it dead in a queue, or reaps it.
 *
 * A server that lost its data is told the pins with the locks.  Until all had the time
 * to do so, the list is not to be had; a session with pins that comes later is lost, as
 * one with locks is.
 *
 * Threads: any.  Fork: a child must not use its parent's session: SWIM_ERR_ARG. */
#ifndef SWIM_LOCK_PIN_H
#define SWIM_LOCK_PIN_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/lock.h>

#define LOCK_LINEAGE_MAX 64

struct lock_pin {
    uint64_t number;
    char lineage[LOCK_LINEAGE_MAX + 1];
};

/* Pin a number; once more, if the session has: it is to be cleared as often.  On
 * SWIM_OK each list that is asked for from now on has it.  lineage_hex: 1 to 64 digits,
 * lower case.
 * Errors: SWIM_ERR_IO (not pinned), SWIM_ERR_LOST (the lease has ended), SWIM_ERR_ARG,
 * SWIM_ERR_NOMEM.  Blocks for at most 10 s and a question. */
int lock_pin_set(swim_session_t *session, const char *resource, const char *lineage_hex,
                 uint64_t number, swim_error_t *err);

/* SWIM_ERR_UNSURE: no answer; others may see it until the server answers again, or the
 * session ends.  SWIM_ERR_LOST: the lease had ended before.  SWIM_ERR_ARG: it is not
 * pinned by this session.  Blocks likewise. */
int lock_pin_clear(swim_session_t *session, const char *resource,
                   const char *lineage_hex, uint64_t number, swim_error_t *err);

/* All that is pinned on the resource by sessions that may be alive, this one too, once
 * for each of them; *pins is for free(), NULL when there are none.
 * Errors: SWIM_ERR_TIMEOUT (the server is new or lost its data and may not know all of
 * them yet; ask again later), SWIM_ERR_IO, SWIM_ERR_LOST, SWIM_ERR_ARG,
 * SWIM_ERR_NOMEM.  Blocks likewise. */
int lock_pin_list(swim_session_t *session, const char *resource, struct lock_pin **pins,
                  size_t *count, swim_error_t *err);

#endif /* SWIM_LOCK_PIN_H */
