/* rank_late.c - what rank 0 does when the result is there already.
 *
 * The lock server may have been killed meanwhile, with the session of the rank.  A
 * job's own is started again by its keeper, the private one of a user by the next
 * program that opens a session: here by another one of this rank. */
#include <stdio.h>

#include "batch/rank.h"
#include "core/clock.h"
#include "core/signals.h"
#include "lock/inspect.h"

#define NAP_NS 100000000LL

/* Outputs by a session of their own, for as long as it is needed. */
struct late {
    const struct rank *rank;
    struct outputs outputs;
    swim_session_t *own; /* NULL: that of the rank will do */
};

/* Another session, if there is a server. */
static int late_anew(struct late *late, swim_error_t *err)
{
    swim_session_t *session = NULL;
    int rc = worker_session_open(&late->rank->worker, &session, err);

    if (rc != SWIM_OK)
        return rc;
    swim_session_close(late->own);
    late->own = late->outputs.access.session = session;
    return SWIM_OK;
}

/* Whether the server knows the session, and grants: one that is new does not at first.
 */
static bool server_serves(const struct late *late, bool *grants)
{
    struct inspector *inspector = NULL;
    struct inspection *seen = NULL;
    const char *session = swim_session_id(late->outputs.access.session);
    bool serves =
        inspect_open(worker_server(&late->rank->worker), &inspector, NULL) == SWIM_OK &&
        inspector &&
        inspect_look_at_session(inspector, session, &seen, NULL) == SWIM_OK &&
        seen->n_sessions > 0;

    *grants = serves && seen->grace_ms == 0;
    inspection_free(seen);
    inspect_close(inspector);
    return serves;
}

void late_copy(const struct rank *r, const struct outputs *outputs)
{
    struct late late = {.rank = r, .outputs = *outputs};
    int64_t until = swim_clock_mono_ns() + 3 * r->lease_ms * 1000000;
    bool done = outputs_are_copied(outputs), grants;

    while (!done) {
        if (!server_serves(&late, &grants))
            (void)late_anew(&late, NULL);
        outputs_copy(&late.outputs);
        done = grants || outputs_are_copied(outputs) || /* else others have it open */
               swim_clock_mono_ns() >= until || swim_signals_pending();
        if (!done)
            swim_clock_nap_ns(NAP_NS);
    }
    swim_session_close(late.own);
}

void late_clear(const struct rank *r, const struct outputs *outputs,
                enum outputs_begun how)
{
    struct late late = {.rank = r, .outputs = *outputs};
    swim_error_t why = {0};
    int rc = outputs_clear(outputs, how, &why);

    if (rc != SWIM_OK && !swim_signals_pending()) {
        swim_error_clear(&why);
        rc = late_anew(&late, &why);
        if (rc == SWIM_OK)
            rc = outputs_clear(&late.outputs, how, &why);
    }
    if (rc != SWIM_OK)
        fprintf(stderr, "h5swim: partial results are left behind: %s\n", why.text);
    swim_session_close(late.own);
}
