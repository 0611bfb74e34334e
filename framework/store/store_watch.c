/* store_watch.c - waiting for the next commit. */
#include <limits.h>
#include <string.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock/notice.h"
#include "store/openfile.h"
#include "store/process_session.h"
#include "store/store_wait.h"

#include <h5swim/store.h>

#define LOOK_MS 1000 /* when no word comes */
#define NS_PER_MS 1000000LL

struct watch {
    const char *path;
    char resource[PATH_MAX];
    struct txn_snapshot known;
    swim_session_t *session;
    swim_cancel_t *cancel;
    struct lock_notice *notice; /* NULL: there is no word to be had */
    int64_t until_ns;
};

/* *is: another state than the known one is committed. */
static int watch_look(const struct watch *w, bool *is, swim_error_t *err)
{
    const struct openfile_options opt = {.wait_ms = LOOK_MS, .session = w->session};
    struct txn_snapshot now;

    int rc = openfile_look(w->path, &opt, &now, err);
    *is = rc == SWIM_OK && memcmp(&now, &w->known, sizeof(now)) != 0;
    return rc;
}

/* For a word, or until it is time for a look. */
static int watch_word(struct watch *w, int64_t ms, swim_error_t *err)
{
    char text[64];

    if (!w->notice &&
        lock_notice_open(w->session, w->resource, &w->notice, NULL) != SWIM_OK) {
        int rc = swim_signals_check("wait for a commit", err);
        swim_clock_nap_ns(ms * NS_PER_MS);
        return rc;
    }
    swim_error_t why = {0};
    int rc = lock_notice_wait(w->notice, ms, w->cancel, text, sizeof(text), &why);
    if (rc == SWIM_ERR_CANCELLED)
        return swim_error_set(err, rc, "%s", why.text);
    if (rc != SWIM_OK && rc != SWIM_ERR_TIMEOUT) {
        lock_notice_close(w->notice);
        w->notice = NULL;
    }
    return SWIM_OK;
}

/* A look follows each word, and the opening of the notice: what came before it is not
 * missed. */
static int watch_run(struct watch *w, swim_error_t *err)
{
    bool is = false;

    (void)lock_notice_open(w->session, w->resource, &w->notice, NULL);
    for (;;) {
        int rc = watch_look(w, &is, err);
        if (rc != SWIM_OK || is)
            return rc;
        int64_t left_ms = (w->until_ns - swim_clock_mono_ns()) / NS_PER_MS;
        if (left_ms <= 0)
            return swim_error_set(err, SWIM_ERR_TIMEOUT,
                                  "wait for a commit to %s: there was none", w->path);
        rc = watch_word(w, left_ms < LOOK_MS ? left_ms : LOOK_MS, err);
        if (rc != SWIM_OK)
            return rc;
    }
}

int swim_commit_wait(const char *path, const swim_snapshot_t *snapshot, int64_t wait_ms,
                     swim_cancel_t *cancel, swim_session_t *session, swim_error_t *err)
{
    struct watch w = {.path = path, .session = session, .cancel = cancel};
    struct process_session *own = NULL;

    int rc = txn_snapshot_decode(snapshot->bytes, SWIM_SNAPSHOT_BYTES, &w.known, err);
    if (rc == SWIM_OK)
        rc = store_wait_ms(wait_ms, &wait_ms, err);
    if (rc == SWIM_OK)
        rc = swim_resource_of_file(path, w.resource, sizeof(w.resource), err);
    if (rc == SWIM_OK && !session)
        rc = process_session_use(&own, err);
    if (own)
        w.session = process_session_of(own);
    w.until_ns = INT64_MAX;
    if (wait_ms != SWIM_LOCK_FOREVER)
        w.until_ns =
            swim_clock_after_ms(swim_clock_mono_ns(), wait_ms > 0 ? wait_ms : 0);
    if (rc == SWIM_OK)
        rc = watch_run(&w, err);
    lock_notice_close(w.notice);
    process_session_drop(own);
    return rc;
}
