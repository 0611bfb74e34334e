/* openfile_begin.c - an open file is locked, and given free again.
 *
 * Two locks keep others away: that of the resource at the lock server, for which is
 * queued, and flock(2) on the file, which programs without h5swim may hold and which
 * is asked for again and again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/signals.h"
#include "lock/notice.h"
#include "lock/wanted.h"
#include "store/boot_id.h"
#include "store/file_locks.h"
#include "store/openfile_private.h"

#define NS_PER_MS 1000000LL
#define MARGIN_MS 200          /* of the lease, for a change that begins */
#define NAP_MIN_NS (1000000LL) /* between looks at a file that others have locked */
#define NAP_MAX_NS (50 * NS_PER_MS)
#define TELL_AFTER_MS 2000 /* who is waited for, and again ... */
#define TELL_AGAIN_MS 10000

static int may_change(void *arg, swim_error_t *err)
{
    const struct openfile *f = arg;

    return swim_lock_check(f->lock, MARGIN_MS, err);
}

/* States that others may open lie in the journal as it is. */
static int may_rewrite(void *arg)
{
    const struct openfile *f = arg;
    struct lock_pin *pins = NULL;
    size_t n = 0;

    int rc = lock_pin_list(f->session, f->resource, &pins, &n, NULL);
    free(pins);
    return rc == SWIM_OK && n > 0 ? SWIM_ERR_TIMEOUT : rc;
}

bool openfile_is_wanted(const struct openfile *f)
{
    return f->lock && lock_is_wanted(f->lock);
}

static bool is_wanted(void *arg)
{
    return openfile_is_wanted(arg);
}

static void tell_wait(void *arg, const char *text)
{
    const struct openfile *f = arg;

    if (!f->opt.quiet)
        fprintf(stderr, "h5swim: waiting: %s\n", text);
}

static int session_get(struct openfile *f, swim_error_t *err)
{
    f->session = f->opt.session;
    if (f->session)
        return SWIM_OK;
    int rc = process_session_use(&f->process_session, err);
    if (rc == SWIM_OK)
        f->session = process_session_of(f->process_session);
    return rc;
}

static void session_put(struct openfile *f)
{
    process_session_drop(f->process_session);
    f->process_session = NULL;
    f->session = NULL;
}

static int lock_once(struct openfile *f, enum swim_lock_mode mode, int64_t wait_ms,
                     swim_error_t *err)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = wait_ms,
                                          .progress = tell_wait,
                                          .progress_arg = f,
                                          .progress_ms = TELL_AFTER_MS};

    return swim_lock_acquire(f->session, f->resource, mode, &opt, &f->lock, err);
}

/* A process session whose lease has ended, and that may have been idle for days, is
 * followed by another. */
static int lock_take(struct openfile *f, enum swim_lock_mode mode, int64_t wait_ms,
                     swim_error_t *err)
{
    int rc = session_get(f, err);

    if (rc != SWIM_OK)
        return rc;
    swim_error_t first = {0};
    rc = lock_once(f, mode, wait_ms, &first);
    if (rc == SWIM_ERR_LOST && f->process_session) {
        process_session_retire(f->process_session);
        session_put(f);
        rc = session_get(f, err);
        return rc == SWIM_OK ? lock_once(f, mode, wait_ms, err) : rc;
    }
    return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", first.text);
}

static int txn_try(struct openfile *f, const struct txn_options *opt, swim_error_t *err)
{
    if (f->how == OPENFILE_READ || f->how == OPENFILE_WRITE)
        return txn_open(&f->txn, f->path, opt, err);
    return txn_create(&f->txn, f->path, opt, f->how == OPENFILE_CREATE_NEW, 0666, err);
}

/* The file is locked by a program that does not ask the lock server. */
static void say_busy(const struct openfile *f, swim_error_t *busy)
{
    static const char *const verb[] = {"open", "open", "create", "create"};
    static const char *const how[] = {" for reading", " for writing", "", ""};
    char who[128] = "another program";

    (void)file_locks_holder(f->path, who, sizeof(who));
    swim_error_clear(busy);
    (void)swim_error_set(busy, SWIM_ERR_TIMEOUT,
                         "%s %s%s: %s has it locked by flock, without a lock of h5swim",
                         verb[f->how], f->path, how[f->how], who);
}

static void txn_options_of(struct openfile *f, struct txn_options *opt)
{
    *opt = (struct txn_options){.io = f->opt.io,
                                .write = f->how != OPENFILE_READ,
                                .at = f->opt.at_snapshot ? &f->opt.snapshot : NULL,
                                .fence = swim_lock_fence(f->lock),
                                .may_change = may_change,
                                .may_rewrite = may_rewrite,
                                .is_wanted = is_wanted,
                                .arg = f};
    opt->flocks = f->flocks = file_locks_work(f->path);
    if (f->opt.boot)
        memcpy(opt->boot, f->opt.boot, JOURNAL_ID);
    else
        boot_id_read(opt->boot);
}

static int txn_begin(struct openfile *f, int64_t until_ns, swim_error_t *err)
{
    struct txn_options opt;
    int64_t nap_ns = NAP_MIN_NS,
            tell_ns = swim_clock_mono_ns() + TELL_AFTER_MS * NS_PER_MS;
    swim_error_t busy = {0};

    txn_options_of(f, &opt);
    int rc = SWIM_OK;
    while (rc == SWIM_OK) {
        swim_error_t now = {0};
        rc = txn_try(f, &opt, &now);
        if (rc != SWIM_ERR_TIMEOUT)
            return rc == SWIM_OK ? rc : swim_error_set(err, rc, "%s", now.text);
        say_busy(f, &busy);
        if (swim_clock_mono_ns() >= until_ns)
            return swim_error_set(err, rc, "%s", busy.text);
        if (swim_clock_mono_ns() >= tell_ns) {
            tell_wait(f, busy.text);
            tell_ns += TELL_AGAIN_MS * NS_PER_MS;
        }
        rc = swim_signals_check("wait for a file", err);
        swim_clock_nap_ns(nap_ns);
        nap_ns = nap_ns * 2 < NAP_MAX_NS ? nap_ns * 2 : NAP_MAX_NS;
    }
    return rc;
}

static int64_t wait_until(int64_t wait_ms)
{
    if (wait_ms == SWIM_LOCK_FOREVER)
        return INT64_MAX;
    return swim_clock_after_ms(swim_clock_mono_ns(), wait_ms > 0 ? wait_ms : 0);
}

int openfile_begin(struct openfile *f, swim_error_t *err)
{
    int64_t until_ns = wait_until(f->opt.wait_ms);
    enum swim_lock_mode mode =
        f->how == OPENFILE_READ ? SWIM_LOCK_READ : SWIM_LOCK_UPDATE;

    int rc = lock_take(f, mode, f->opt.wait_ms, err);
    if (rc == SWIM_OK)
        rc = txn_begin(f, until_ns, err);
    if (rc == SWIM_OK)
        return rc;
    openfile_leave(f);
    return rc;
}

int openfile_check(const struct openfile *f, swim_error_t *err)
{
    return swim_lock_check(f->lock, 0, err);
}

/* Under the lock that is held: one that waits for WRITE would not let another READ in,
 * and waits for this one. */
int openfile_is_there(struct openfile *f, swim_error_t *err)
{
    struct txn_snapshot is;
    struct txn_options opt;
    struct txn *again = NULL;

    txn_snapshot(f->txn, &is);
    txn_options_of(f, &opt);
    opt.at = &is;
    int rc = txn_open(&again, f->path, &opt, err);
    txn_close(again);
    return rc;
}

int openfile_pin(struct openfile *f, const struct txn_snapshot *state,
                 swim_error_t *err)
{
    if (f->pinned)
        return SWIM_OK;
    for (int i = 0; i < JOURNAL_ID; i++)
        snprintf(f->pin.lineage + 2 * (size_t)i, 3, "%02x", state->lineage[i]);
    f->pin.number = state->number;
    int rc = lock_pin_set(f->session, f->resource, f->pin.lineage, f->pin.number, err);
    f->pinned = rc == SWIM_OK;
    return rc;
}

void openfile_leave(struct openfile *f)
{
    if (f->pinned) /* when it cannot be told it ends with the session */
        (void)lock_pin_clear(f->session, f->resource, f->pin.lineage, f->pin.number,
                             NULL);
    f->pinned = false;
    txn_close(f->txn);
    f->txn = NULL;
    /* If it is lost, those who come next know; if it cannot be told, its lease ends. */
    (void)swim_lock_release(f->lock, NULL);
    f->lock = NULL;
    session_put(f);
}

/* Nobody else may have it open: only tried.  Who gave up a transaction has most often
 * been told of the same already. */
static void checkpoint_try(struct openfile *f, bool tell)
{
    const struct swim_lock_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = SWIM_LOCK_TRY};

    if (!txn_has_journal(f->txn) || swim_lock_raise(f->lock, &opt, NULL) != SWIM_OK)
        return;
    swim_error_t why = {0};
    int rc = txn_checkpoint(f->txn, &why);
    if (tell && rc != SWIM_OK && rc != SWIM_ERR_TIMEOUT)
        fprintf(stderr, "h5swim: %s\n", why.text);
}

/* One that has read was perhaps the last to be in the way, also of a journal that was
 * begun after it came. */
static void checkpoint_after_reading(struct openfile *f)
{
    char journal[PATH_MAX + sizeof(JOURNAL_SUFFIX)];

    snprintf(journal, sizeof(journal), "%s" JOURNAL_SUFFIX, f->path);
    if (access(journal, F_OK) != 0 || access(f->path, W_OK) != 0)
        return;
    f->how = OPENFILE_WRITE;
    f->opt.at_snapshot = false;
    int rc = lock_take(f, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, NULL);
    if (rc == SWIM_OK)
        rc = txn_begin(f, 0, NULL);
    if (rc == SWIM_OK && txn_has_journal(f->txn))
        (void)txn_checkpoint(f->txn, NULL); /* else the next one says why not */
    openfile_leave(f);
}

/* Those who wait for it need not: they look themselves, from time to time. */
static void tell_commit(struct openfile *f)
{
    char number[32];

    snprintf(number, sizeof(number), "%" PRIu64, txn_number(f->txn));
    (void)lock_notice_send(f->session, f->resource, number, NULL);
}

int openfile_commit_now(struct openfile *f, bool later, swim_error_t *err)
{
    int rc = openfile_settle(f, err);
    uint64_t before = txn_number(f->txn);

    if (rc == SWIM_OK && later)
        rc = txn_commit_begin(f->txn, err);
    else if (rc == SWIM_OK)
        rc = txn_commit(f->txn, f->opt.sync, err);
    f->untold_commit = rc == SWIM_OK && (f->is_new || txn_number(f->txn) != before);
    return rc == SWIM_OK && !later ? openfile_settle(f, err) : rc;
}

int openfile_settle(struct openfile *f, swim_error_t *err)
{
    int rc = txn_commit_end(f->txn, err);

    if (rc == SWIM_OK && f->untold_commit)
        tell_commit(f);
    f->untold_commit = false;
    return rc;
}

/* Whoever was told why it is lost need not hear that an abort has failed for that. */
static int finish_writing(struct openfile *f, bool commit, swim_error_t *err)
{
    bool told = f->state == OPENFILE_LOST && !f->untold;
    int rc = commit ? openfile_commit_now(f, false, err)
                    : txn_abort(f->txn, told ? NULL : err);

    if (rc == SWIM_OK && (commit || !f->is_new) && !f->keep_journal)
        checkpoint_try(f, commit);
    return told ? SWIM_OK : rc;
}

int openfile_finish(struct openfile *f, bool commit, swim_error_t *err)
{
    int rc = SWIM_OK;

    if (f->how != OPENFILE_READ)
        rc = finish_writing(f, commit, err);
    openfile_leave(f);
    if (f->how == OPENFILE_READ && !f->keep_journal)
        checkpoint_after_reading(f);
    return rc;
}
