/* selftest_death.c - checks of what becomes of the locks of those who die or hang. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "cli/selftest.h"
#include "core/clock.h"

#define GOAL_MS 50   /* from a holder's death to the next one, on the same host */
#define LATE_MS 2000 /* much less than the lease, which must not be what ended it */
#define SHORT_LEASE_MS 1000
#define WATCH_MS 200 /* by then a waiter watches the holder's process */

/* A holds WRITE, and with n = 2 B waits for it; false: f says why not. */
static bool start_pair(struct selftest *t, const char *resource, uint32_t lease_ms,
                       struct selftest_child **c, int n, struct selftest_finding *f)
{
    struct player_answer a;

    for (int i = 0; i < n; i++)
        if (!(c[i] = player_new(t, i == 0 ? lease_ms : SELFTEST_LEASE_MS, &a))) {
            finding_failed(f, "%s", a.text);
            return false;
        }
    if (player_take(c[0], SWIM_LOCK_WRITE, resource, SELFTEST_PATIENCE_MS, &a) !=
        SWIM_OK) {
        finding_failed(f, "%s", a.text);
        return false;
    }
    return n < 2 || player_queue(t, c[1], SWIM_LOCK_WRITE, resource, 1, f);
}

void check_killed(struct selftest *t, struct selftest_finding *f)
{
    struct selftest_child *c[2];
    char resource[SELFTEST_NAME_MAX];
    struct player_answer a;

    if (!start_pair(t, selftest_resource(t, resource), SELFTEST_LEASE_MS, c, 2, f))
        return;
    selftest_nap_ms(WATCH_MS);
    int64_t killed_ns = swim_clock_mono_ns();
    selftest_kill(c[0]);
    if (player_hear(c[1], SELFTEST_LEASE_MS + LATE_MS, &a) != SWIM_OK) {
        finding_failed(f, "a holder was killed, and the next did not get its lock: %s",
                       a.text);
        return;
    }
    double ms = (double)(a.at_ns - killed_ns) / 1e6;
    finding_figure(f, "ms", ms);
    if (ms < 0)
        finding_failed(f, "the next was let in %.1f ms before the holder was killed",
                       -ms);
    else if (ms > LATE_MS)
        finding_failed(
            f, "a killed holder of this host was replaced after %.0f ms only", ms);
    else
        finding_ok(f, "a holder killed with SIGKILL was replaced after %.1f ms%s", ms,
                   ms > GOAL_MS ? ", more than the goal of 50" : "");
}

/* --- told to go ----------------------------------------------------------------- */

/* Whether somebody holds it; true also when that cannot be seen. */
static bool is_held(struct selftest *t, const char *resource)
{
    struct inspection *seen = NULL;
    bool held = true;

    if (inspect_look(t->inspector, &resource, 1, &seen, NULL) == SWIM_OK)
        held = seen->n_resources > 0 && seen->resources[0].n_held > 0;
    inspection_free(seen);
    return held;
}

/* Nobody waits for it, so nobody else can have released it. */
void check_told(struct selftest *t, struct selftest_finding *f)
{
    struct selftest_child *c;
    char resource[SELFTEST_NAME_MAX];

    if (!start_pair(t, selftest_resource(t, resource), SELFTEST_LEASE_MS, &c, 1, f))
        return;
    if (!is_held(t, resource)) {
        finding_failed(f, "WRITE was granted, and the server does not know");
        return;
    }
    int64_t told_ns = swim_clock_mono_ns();
    c->doomed = true;
    kill(c->pid, SIGTERM);
    int64_t until_ns = told_ns + LATE_MS * 1000000LL;
    while (is_held(t, resource) && swim_clock_mono_ns() < until_ns &&
           !selftest_interrupted())
        selftest_nap_ms(1);
    double ms = (double)(swim_clock_mono_ns() - told_ns) / 1e6;
    finding_figure(f, "ms", ms);
    if (ms > LATE_MS)
        finding_failed(f, "a holder got SIGTERM, and its lock was not released");
    else
        finding_ok(f, "a holder that got SIGTERM released its lock after %.0f ms", ms);
}

/* --- stopped -------------------------------------------------------------------- */

/* It goes on: it must know, whatever it asks, and take nothing from who has it now. */
static bool stopped_knows(struct selftest_child *stopped, struct selftest_child *next,
                          struct selftest_finding *f)
{
    struct player_answer a;

    kill(stopped->pid, SIGCONT);
    if (player_check(stopped, &a) != SWIM_ERR_LOST)
        finding_failed(f, "a holder stopped for longer than its lease believes that it "
                          "still holds its lock");
    else if (player_release(stopped, &a) != SWIM_ERR_LOST)
        finding_failed(f, "a lock that was lost could be released");
    else if (player_check(next, &a) != SWIM_OK)
        finding_failed(f, "the next lost its lock, too: %s", a.text);
    else
        return true;
    return false;
}

void check_stopped(struct selftest *t, struct selftest_finding *f)
{
    struct selftest_child *c[2];
    char resource[SELFTEST_NAME_MAX];
    struct player_answer a;

    if (!start_pair(t, selftest_resource(t, resource), SHORT_LEASE_MS, c, 2, f))
        return;
    int64_t stopped_ns = swim_clock_mono_ns();
    kill(c[0]->pid, SIGSTOP);
    if (player_hear(c[1], SHORT_LEASE_MS + SELFTEST_PATIENCE_MS, &a) != SWIM_OK) {
        finding_failed(f, "a holder was stopped, and the next did not get its lock: %s",
                       a.text);
        return;
    }
    double ms = (double)(a.at_ns - stopped_ns) / 1e6;
    finding_figure(f, "ms", ms);
    if (!stopped_knows(c[0], c[1], f))
        return;
    if (ms > SHORT_LEASE_MS + LATE_MS)
        finding_failed(f,
                       "a stopped holder was replaced after %.0f ms only, its lease "
                       "was %d",
                       ms, SHORT_LEASE_MS);
    else
        finding_ok(f,
                   "a stopped holder was replaced after %.0f ms (lease %d) and found "
                   "its lock lost",
                   ms, SHORT_LEASE_MS);
}
