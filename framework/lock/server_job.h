/* server_job.h - the lock server of one job whose ranks are on several hosts.
 *
 * A redis-server that listens by TCP where the job's hosts reach it, with a password
 * made up for it.  Nothing of it is ever in a file: the configuration goes through a
 * pipe, the log into memory.  A keeper ends it when the process that started it has
 * ended, however that was: as soon as nobody is connected any more, at the latest a
 * second later.  Should the server end before, the keeper starts it anew.  Signals
 * meant for the job do not reach it, since its ranks give their locks back on them; its
 * end takes no locks along that anybody could still use.
 *
 * The password travels in the clear, as all that is said to a redis:// server. */
#ifndef SWIM_LOCK_SERVER_JOB_H
#define SWIM_LOCK_SERVER_JOB_H

#include <stddef.h>
#include <stdint.h>

#include <h5swim/error.h>

#include "addresses.h"

#define SERVER_JOB_URL_MAX 128

/* Plain memory, with the password: hosts tell each other. */
struct server_job {
    struct host_addresses where; /* it listens there */
    uint32_t port;
    char password[33];
    char run_id[48];
};

/* Start one, at these addresses of this host; it ends with this process.
 * SWIM_ERR_IO: no redis-server, or it does not start; SWIM_ERR_CANCELLED: a signal.
 * Blocks for at most 6 s. */
int server_job_start(const struct host_addresses *where, struct server_job *out,
                     swim_error_t *err);

/* The URL by which this host reaches it: of the first address, those of networks that
 * it is in before others, where the server itself answers.  Addresses that are this
 * host's own lead nowhere and are not tried.  SWIM_ERR_IO: none does; the text names
 * those that were tried.  SWIM_ERR_CANCELLED: a signal.  Blocks for at most 2 s each.
 */
int server_job_reach(const struct server_job *job, const struct host_addresses *self,
                     char url[SERVER_JOB_URL_MAX], swim_error_t *err);

/* Be the keeper of one that is to be started, with descriptors as server_job_start()
 * leaves them; does not return unless it cannot. */
int server_job_keep(const char *program, unsigned port, swim_error_t *err);

#endif /* SWIM_LOCK_SERVER_JOB_H */
