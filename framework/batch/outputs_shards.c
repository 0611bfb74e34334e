/* outputs_shards.c - outputs in several files: begun, joined and finished. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "batch/outputs_private.h"
#include "core/clock.h"
#include "core/log.h"

#define CHECKPOINT_NS 1000000000LL
#define CHECKPOINT_SHARE 50 /* of the time goes into them, at most */

static struct setup_targets *targets_of(const struct outputs *o)
{
    return (struct setup_targets *)&o->setup->targets[o->setup->n_phases - 1];
}

static uint32_t shards_now(const struct outputs *o, const struct shards *shards)
{
    uint32_t n = shards->by_rank ? o->n_ranks : o->n_hosts;

    return n ? n : 1;
}

int find_shards(const struct outputs *o, swim_error_t *err)
{
    const struct setup_targets *targets = targets_of(o);
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < targets->n; i++) {
        struct shards *shards = targets->list[i].shards;
        if (shards)
            rc = shards_find(&targets->list[i], shards_now(o, shards), shards, err);
    }
    return rc;
}

/* --- beginning -------------------------------------------------------------------- */

static bool is_input(const struct setup *setup, const char *file)
{
    struct stat mine, theirs;

    if (stat(file, &mine) != 0)
        return false;
    setup = setup_first(setup);
    for (uint32_t i = 0; i < setup->n_inputs; i++)
        if (stat(setup->inputs[i].info->file, &theirs) == 0 &&
            mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino)
            return true;
    return false;
}

static int refuse_foreign(const struct plan *plan, const char *what, swim_error_t *err)
{
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s is in the way of a shard of %s: it is %s; move it, or "
                          "give the output another file",
                          plan->target->file, plan->made->target->file, what);
}

static int plan_found(const struct outputs *o, struct plan *plan,
                      struct output_found *found, bool needed, swim_error_t *err)
{
    const struct plan *made = plan->made;

    if (o->overwrite) {
        plan->action = needed ? PLAN_REPLACE : PLAN_REMOVE;
        return SWIM_OK;
    }
    if (o->resume && found->state == OUTPUT_UNFINISHED)
        return plan_unfinished(o, plan, found, err);
    if (o->resume && found->state == OUTPUT_FINISHED &&
        setup_has_finished(o->setup, found->digest) &&
        (made->action == PLAN_KEEP || made->action == PLAN_ADOPT)) {
        plan->action = PLAN_KEEP;
        plan->left = made->action == PLAN_ADOPT;
        return SWIM_OK;
    }
    return output_refuse_existing(plan->target->file, &o->access, err);
}

void shard_anew(const struct outputs *o, struct plan *plan)
{
    const struct shards *shards = plan->made->target->shards;
    bool needed = shards_needs(shards, plan->shard, shards_now(o, shards));

    if (plan->left || plan->made->action == PLAN_REPLACE) {
        if (plan->action == PLAN_NONE)
            plan->action = needed ? PLAN_CREATE : PLAN_NONE;
        else
            plan->action = needed ? PLAN_REPLACE : PLAN_REMOVE;
    }
    plan->shard->unused = plan->action == PLAN_REMOVE || plan->action == PLAN_NONE;
}

/* Of a job whose outputs are finished no shard is made. */
int plan_shard(const struct outputs *o, struct plan *plan, swim_error_t *err)
{
    const struct setup_target *t = plan->target, *master = plan->made->target;
    bool needed =
        shards_needs(master->shards, plan->shard, shards_now(o, master->shards));
    struct output_found found = {.state = OUTPUT_ABSENT};

    plan->action = PLAN_NONE;
    int rc = output_look(t->file, t->specs, t->n, &o->access, &found, err);
    bool ours =
        found.shard_of && strcmp(found.shard_of, shards_master(master->file)) == 0;
    if (rc != SWIM_OK)
        return rc;
    if (found.state == OUTPUT_ABSENT)
        plan->action =
            needed && plan->made->action != PLAN_KEEP ? PLAN_CREATE : PLAN_NONE;
    else if (!ours)
        rc = needed ? refuse_foreign(plan, "none", err) : SWIM_OK;
    else if (is_input(o->setup, t->file))
        rc = refuse_foreign(plan, "an input of the job", err);
    else
        rc = plan_refused(o, plan, needed ? PLAN_REPLACE : PLAN_REMOVE,
                          plan_found(o, plan, &found, needed, err), err);
    plan->shard->unused = plan->action == PLAN_REMOVE || plan->action == PLAN_NONE;
    output_found_free(&found);
    return rc;
}

static int remove_old(const struct outputs *o, const struct setup_target *t,
                      swim_error_t *err)
{
    struct shards old = {.n = 0};
    int rc = shards_find(t, 0, &old, err);

    for (size_t i = 0; rc == SWIM_OK && i < old.n; i++) {
        struct output_found found = {.state = OUTPUT_ABSENT};
        const char *file = old.list[i].file;
        rc = output_look(file, NULL, 0, &o->access, &found, err);
        if (rc == SWIM_OK && found.shard_of &&
            strcmp(found.shard_of, shards_master(t->file)) == 0 &&
            !is_input(o->setup, file))
            rc = output_remove(file, &o->access, err);
        output_found_free(&found);
    }
    shards_end(&old);
    return rc;
}

int remove_old_shards(const struct outputs *o, swim_error_t *err)
{
    const struct setup_targets *targets = targets_of(o);
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < targets->n; i++)
        if (!targets->list[i].shards)
            rc = remove_old(o, &targets->list[i], err);
    return rc;
}

/* --- the end ---------------------------------------------------------------------- */

static int join(const struct outputs *o, const struct setup_target *target,
                const struct store_access *access, uint64_t *missing, swim_error_t *err)
{
    char history[HISTORY_SIZE];
    const struct shards_joining joining = {
        .setup = o->setup,
        .target = target,
        .job = outputs_job(o, o->setup->n_phases - 1),
        .history = history,
        .access = access,
    };

    outputs_history(o, history);
    return shards_join(&joining, missing, err);
}

static int finish_shards(const struct outputs *o, const struct shards *shards,
                         swim_error_t *err)
{
    int rc = SWIM_OK;

    for (size_t i = 0; rc == SWIM_OK && i < shards->n; i++) {
        const struct setup_target *t = &shards->list[i].target;
        if (!shards->list[i].unused)
            rc = output_finish(t->file, t->specs, t->n, &o->access, err);
    }
    return rc;
}

/* The master first: that it is finished says that all is in it, and shards that are
 * finished do not say any more what they have. */
int finish_sharded(const struct outputs *o, const struct setup_target *t,
                   swim_error_t *err)
{
    struct output_found found = {.state = OUTPUT_ABSENT};
    uint64_t missing = 0;

    int rc = output_look(t->file, t->specs, t->n, &o->access, &found, err);
    bool finished = rc == SWIM_OK && found.state == OUTPUT_FINISHED &&
                    output_same_job(found.digest, o->mark);
    output_found_free(&found);
    if (rc == SWIM_OK && !finished)
        rc = join(o, t, &o->access, &missing, err);
    if (rc == SWIM_OK && missing)
        rc = swim_error_set(err, SWIM_ERR_IO,
                            "%llu blocks that were committed are in no shard of %s: "
                            "was one changed by another program?",
                            (unsigned long long)missing, t->file);
    if (rc == SWIM_OK && !finished)
        rc = output_finish(t->file, t->specs, t->n, &o->access, err);
    return rc == SWIM_OK ? finish_shards(o, t->shards, err) : rc;
}

/* Under the digest that the master has, which may not be that of now. */
int finish_left_shard(const struct outputs *o, const struct plan *plan,
                      swim_error_t *err)
{
    const struct setup_target *t = plan->target;
    const char *kept = strchr(plan->made->finished, '-');

    for (size_t i = 0; i < t->n; i++) {
        t->specs[i].mark = plan->mark;
        t->specs[i].kept = kept ? kept + 1 : NULL;
    }
    int rc = output_finish(t->file, t->specs, t->n, &o->access, err);
    for (size_t i = 0; i < t->n; i++) {
        t->specs[i].mark = o->mark;
        t->specs[i].kept = o->setup->kept;
    }
    return rc;
}

static void join_or_say(const struct outputs *o, const struct setup_target *t)
{
    const struct store_access access = {.session = o->access.session,
                                        .wait_ms = SWIM_LOCK_TRY};
    swim_error_t why = {0};
    uint64_t missing;

    if (t->finished)
        return;
    int rc = join(o, t, &access, &missing, &why);
    if (rc != SWIM_OK && rc != SWIM_ERR_TIMEOUT)
        swim_log(SWIM_LOG_WARN, "batch", "the newest blocks are not in %s: %s", t->file,
                 why.text);
}

void settle_sharded(const struct outputs *o, const struct setup_target *target)
{
    join_or_say(o, target);
    for (size_t i = 0; i < target->shards->n; i++)
        if (!target->shards->list[i].unused)
            output_settle(target->shards->list[i].file, o->access.session);
}

void outputs_checkpoint(const struct outputs *o, int64_t *next_ns)
{
    const struct setup_targets *targets = targets_of(o);
    int64_t begun_ns = swim_clock_mono_ns();
    bool joined = false;

    if (begun_ns < *next_ns)
        return;
    setup_targets_mark(targets, o->mark);
    for (size_t i = 0; *next_ns && i < targets->n; i++)
        if (targets->list[i].shards) {
            join_or_say(o, &targets->list[i]);
            joined = true;
        }
    int64_t now_ns = swim_clock_mono_ns(), pause_ns = CHECKPOINT_NS;
    if (joined && (now_ns - begun_ns) * CHECKPOINT_SHARE > pause_ns)
        pause_ns = (now_ns - begun_ns) * CHECKPOINT_SHARE;
    *next_ns = now_ns + pause_ns;
}
