/* notice.h - word of a change, from one session to all that listen for a resource.
 *
 * A notice saves polling and is no more than that: it is lost when nobody listens at
 * that moment, when a connection breaks, a listener is slow by far (the server then
 * ends its connection) or the server is exchanged; it may come twice, and before what
 * it tells of is seen by a network file system.  So look at the thing itself: once
 * after lock_notice_open(), after each notice, and from time to time.
 *
 * A server with users must let ours publish and subscribe: &{h5swim}:*.
 *
 * Threads: a notice belongs to one thread at a time; its session may be used meanwhile.
 * Fork:    a child must not use its parent's: SWIM_ERR_ARG; the parent's goes on. */
#ifndef SWIM_LOCK_NOTICE_H
#define SWIM_LOCK_NOTICE_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/lock.h>

struct lock_notice;

/* Tell those who listen for the resource.  Sent once.  Errors: SWIM_ERR_IO (perhaps
 * nobody was told), SWIM_ERR_LOST, SWIM_ERR_ARG, SWIM_ERR_NOMEM.  Blocks as long as a
 * question to the server takes, some seconds at most. */
int lock_notice_send(swim_session_t *session, const char *resource, const char *text,
                     swim_error_t *err);

/* Listen for a resource, over a connection of its own that is made as the session's
 * are; what is sent from its return on is heard.  *out is the caller's, to be closed
 * before the session.  Errors: as of lock_notice_send().  Blocks likewise. */
int lock_notice_open(swim_session_t *session, const char *resource,
                     struct lock_notice **out, swim_error_t *err);

/* Wait for one notice at most wait_ms (0: only look; SWIM_LOCK_FOREVER), the oldest
 * first; text is cut to size.
 * Errors: SWIM_ERR_TIMEOUT (none came), SWIM_ERR_CANCELLED (a signal came, or cancel,
 * which may be NULL, was raised; nothing is lost by it), SWIM_ERR_IO (the connection
 * broke: close it, look at the thing itself, and open another), SWIM_ERR_LOST (the
 * session's lease has ended), SWIM_ERR_ARG.  text is "" after an error. */
int lock_notice_wait(struct lock_notice *notice, int64_t wait_ms, swim_cancel_t *cancel,
                     char *text, size_t size, swim_error_t *err);

/* For poll(): readable when there is something to be waited for, with a wait_ms of 0
 * until that finds no more.  -1: the connection broke. */
int lock_notice_fd(const struct lock_notice *notice);

/* Accepts NULL.  Keeps errno. */
void lock_notice_close(struct lock_notice *notice);

#endif /* SWIM_LOCK_NOTICE_H */
