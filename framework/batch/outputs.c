/* outputs.c - the files that a job writes, made and finished. */
#include "batch/outputs_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/journal_format.h"

static uint64_t blocks_of(const struct outputs *o, uint32_t phase)
{
    return o->setup->job->follow ? OUTPUT_GROWS : o->setup->phase_blocks[phase];
}

struct output_job outputs_job(const struct outputs *o, uint32_t phase)
{
    const struct blocks *b = &o->setup->blocks;

    return (struct output_job){.mark = o->mark,
                               .description = o->setup->description,
                               .n_blocks = blocks_of(o, phase),
                               .band_rows = b->size[0],
                               .band_blocks = blocks_band(b)};
}

static bool is_partial(const struct outputs *o, uint32_t phase)
{
    return o->setup->phases[phase] == SETUP_PARTIAL;
}

/* --- what is to be done with each file ---------------------------------------------
 */

/* An unfinished output of this job; *then, allocated, is what it says of the job as it
 * is to be compared, "" when it says nothing. */
static bool is_ours(const struct outputs *o, uint32_t phase,
                    const struct output_found *found, char **then)
{
    *then = found->description ? setup_translate(o->setup, found->description)
                               : calloc(1, 1);
    return *then && found->n_blocks == blocks_of(o, phase) &&
           strcmp(*then, o->setup->description) == 0;
}

static int refuse_other_job(const struct outputs *o, const char *file, const char *then,
                            swim_error_t *err)
{
    char text[600];
    size_t n = setup_difference(then, o->setup->description, text, sizeof(text));

    if (!then[0])
        snprintf(text, sizeof(text), "it does not say of which");
    else if (n == 0)
        snprintf(text, sizeof(text), "its description was changed");
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s is the unfinished output of another job: %s; --overwrite "
                          "starts anew",
                          file, text);
}

/* A finished output, of this job or of another that was to be there. */
static int refuse_finished(const struct outputs *o, const char *file,
                           const char *digest, swim_error_t *err)
{
    char text[200];

    if (setup_has_finished(o->setup, digest))
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s exists already: it is the finished output of this "
                              "job; --resume leaves it as it is, --overwrite computes "
                              "it anew",
                              file);
    if (!setup_parts_differ(o->setup, digest, text, sizeof(text)))
        snprintf(text, sizeof(text), "what decides the result");
    return swim_error_set(err, SWIM_ERR_ARG,
                          "%s exists already: it is a finished output; changed "
                          "since: %s; --overwrite computes it anew, another file in "
                          "\"outputs\" keeps it",
                          file, text);
}

static int refuse_existing(const struct outputs *o, const struct setup_target *t,
                           swim_error_t *err)
{
    struct output_found found = {.state = OUTPUT_ABSENT};
    int rc = output_look(t->file, t->specs, t->n, &o->access, &found, NULL);

    if (rc == SWIM_OK && found.state == OUTPUT_FINISHED)
        rc = refuse_finished(o, t->file, found.digest, err);
    else
        rc = output_refuse_existing(t->file, &o->access, err);
    output_found_free(&found);
    return rc;
}

int plan_unfinished(const struct outputs *o, struct plan *plan,
                    struct output_found *found, swim_error_t *err)
{
    char *then = NULL;
    int rc = SWIM_OK;

    if (is_ours(o, plan->phase, found, &then)) {
        plan->action = PLAN_ADOPT;
        plan->mark = found->mark;
        found->mark = NULL;
    } else {
        rc = then ? refuse_other_job(o, plan->target->file, then, err)
                  : swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    }
    free(then);
    return rc;
}

int plan_refused(const struct outputs *o, struct plan *plan, enum plan_action action,
                 int rc, swim_error_t *err)
{
    if (rc != SWIM_ERR_ARG || !o->goes_on)
        return rc;
    swim_error_clear(err);
    plan->action = action;
    return SWIM_OK;
}

static int plan_resume(const struct outputs *o, struct plan *plan,
                       struct output_found *found, swim_error_t *err)
{
    switch (found->state) {
    case OUTPUT_ABSENT:
        plan->action = PLAN_CREATE;
        return SWIM_OK;
    case OUTPUT_UNFINISHED:
        return plan_unfinished(o, plan, found, err);
    case OUTPUT_FINISHED:
        plan->action = PLAN_KEEP;
        if (!setup_has_finished(o->setup, found->digest))
            return refuse_finished(o, plan->target->file, found->digest, err);
        plan->finished = found->digest;
        found->digest = NULL;
        return SWIM_OK;
    case OUTPUT_FOREIGN:
        break;
    }
    plan->action = PLAN_CREATE; /* if it is gone by now */
    return output_refuse_existing(plan->target->file, &o->access, err);
}

/* Nobody else has a use for the partial results of a job whose outputs are ours, or are
 * not there. */
static int plan_partials(const struct outputs *o, struct plan *plan,
                         struct output_found *found, swim_error_t *err)
{
    char *then = NULL;

    plan->action = PLAN_REPLACE;
    if (o->overwrite)
        return SWIM_OK;
    if (found->state == OUTPUT_ABSENT)
        plan->action = PLAN_CREATE;
    else if (found->state != OUTPUT_UNFINISHED)
        return output_refuse_existing(plan->target->file, &o->access, err);
    else if (o->resume && is_ours(o, plan->phase, found, &then)) {
        plan->action = PLAN_ADOPT;
        plan->mark = found->mark;
        found->mark = NULL;
    }
    free(then);
    return SWIM_OK;
}

/* One that is not readable is no shard, and may be overwritten. */
static int refuse_shard(const struct outputs *o, const char *file, swim_error_t *err)
{
    struct output_found found = {.state = OUTPUT_ABSENT};
    swim_error_t why = {0};
    int rc = output_look(file, NULL, 0, &o->access, &found, &why);

    if (found.shard_of)
        rc = swim_error_set(err, SWIM_ERR_ARG,
                            "%s has data of %s: it is a shard of that output; give the "
                            "job another file, or remove both",
                            file, found.shard_of);
    else if (rc == SWIM_ERR_CORRUPT)
        rc = SWIM_OK;
    else if (rc != SWIM_OK)
        rc = swim_error_set(err, rc, "%s", why.text);
    output_found_free(&found);
    return rc;
}

static int plan_file(const struct outputs *o, struct plan *plan, swim_error_t *err)
{
    const struct setup_target *t = plan->target;
    bool partial = is_partial(o, plan->phase);
    struct output_found found = {.state = OUTPUT_ABSENT};
    int rc = refuse_shard(o, t->file, err);

    plan->action = o->overwrite ? PLAN_REPLACE : PLAN_CREATE;
    /* Before the first of them is replaced. */
    if (rc == SWIM_OK && (o->overwrite || (!o->resume && !partial)))
        rc = output_replace_check(t->file, err);
    if (rc != SWIM_OK || o->overwrite)
        return rc;
    if (!o->resume && !partial)
        return refuse_existing(o, t, err);
    rc = output_look(t->file, t->specs, t->n, &o->access, &found, err);
    if (rc == SWIM_OK)
        rc = partial ? plan_partials(o, plan, &found, err)
                     : plan_resume(o, plan, &found, err);
    rc = plan_refused(o, plan, PLAN_REPLACE, rc, err);
    output_found_free(&found);
    return rc;
}

static size_t count_files(const struct outputs *o)
{
    size_t n = 0;

    for (uint32_t p = 0; p < o->setup->n_phases; p++)
        for (size_t i = 0; i < o->setup->targets[p].n; i++) {
            const struct shards *shards = o->setup->targets[p].list[i].shards;
            n += 1 + (shards ? shards->n : 0);
        }
    return n;
}

static int plan_target(const struct outputs *o, uint32_t phase, struct setup_target *t,
                       struct plan *plans, size_t *n, swim_error_t *err)
{
    struct plan *first = &plans[(*n)++];

    *first = (struct plan){.phase = phase, .target = t};
    int rc = plan_file(o, first, err);
    if (rc == SWIM_OK && t->shards && first->action == PLAN_KEEP)
        rc = plan_refused(o, first, PLAN_REPLACE,
                          output_look_shards(t->file, &o->access, err), err);
    for (size_t i = 0; rc == SWIM_OK && t->shards && i < t->shards->n; i++) {
        struct plan *plan = &plans[(*n)++];
        struct shard *shard = &t->shards->list[i];
        *plan = (struct plan){
            .phase = phase, .target = &shard->target, .shard = shard, .made = first};
        rc = plan_shard(o, plan, err);
    }
    return rc;
}

/* The plan of all files, none of which has been changed; *n of them. */
static int plan_all(const struct outputs *o, struct plan **plans, size_t *n,
                    swim_error_t *err)
{
    int rc = find_shards(o, err);

    *n = 0;
    *plans = calloc(count_files(o) + 1, sizeof(**plans));
    if (!*plans)
        return swim_error_set(err, SWIM_ERR_NOMEM, "outputs");
    for (uint32_t p = 0; rc == SWIM_OK && p < o->setup->n_phases; p++)
        for (size_t i = 0; rc == SWIM_OK && i < o->setup->targets[p].n; i++)
            rc = plan_target(o, p, &o->setup->targets[p].list[i], *plans, n, err);
    return rc;
}

/* Blocks of a finished output are not computed again for one that is missing. */
static int judge_plan(const struct outputs *o, const struct plan *plans, size_t n,
                      enum outputs_begun *how, swim_error_t *err)
{
    const char *kept = NULL, *missing = NULL;
    bool adopted = false;

    for (size_t i = 0; i < n; i++) {
        if (is_partial(o, plans[i].phase))
            continue;
        if (plans[i].shard)
            adopted = adopted || (plans[i].action == PLAN_ADOPT &&
                                  plans[i].made->action != PLAN_KEEP);
        else if (plans[i].action == PLAN_KEEP)
            kept = plans[i].target->file;
        else if (plans[i].action == PLAN_ADOPT)
            adopted = true;
        else
            missing = plans[i].target->file;
    }
    if (kept && missing)
        return swim_error_set(err, SWIM_ERR_ARG,
                              "%s is the finished output of this job and %s is not "
                              "there; --overwrite makes both anew",
                              kept, missing);
    *how = adopted ? OUTPUTS_RESUMED : kept ? OUTPUTS_COMPLETE : OUTPUTS_CREATED;
    return SWIM_OK;
}

/* --- doing it ----------------------------------------------------------------------
 */

void outputs_history(const struct outputs *o, char line[HISTORY_SIZE])
{
    char date[64];
    const time_t began = (time_t)o->began_s;
    struct tm tm;

    strftime(date, sizeof(date), "%a %b %d %H:%M:%S %Y", localtime_r(&began, &tm));
    snprintf(line, HISTORY_SIZE, "%s: %s", date, o->command);
}

static int create_file(const struct outputs *o, const struct plan *plan,
                       swim_error_t *err)
{
    const struct setup_target *t = plan->target;
    struct output_job job = outputs_job(o, plan->phase);
    char history[HISTORY_SIZE];

    outputs_history(o, history);
    if (plan->shard)
        job.shard_of = shards_master(plan->made->target->file);
    return output_create(t->file, plan->action == PLAN_REPLACE, t->specs, t->n,
                         is_partial(o, plan->phase) || plan->shard ? NULL : history,
                         &job, &o->access, err);
}

/* A run died in outputs_finish() when the master of the shard was finished. */
static bool is_left(const struct plan *plan)
{
    return plan->shard && plan->action == PLAN_ADOPT && plan->made->action == PLAN_KEEP;
}

static int carry_out(const struct outputs *o, const struct plan *plan,
                     swim_error_t *err)
{
    const struct setup_target *t = plan->target;
    struct output_job job = outputs_job(o, plan->phase);

    job.taken = plan->mark;
    switch (plan->action) {
    case PLAN_CREATE:
    case PLAN_REPLACE:
        return create_file(o, plan, err);
    case PLAN_ADOPT:
        return is_left(plan)
                   ? finish_left_shard(o, plan, err)
                   : output_adopt(t->file, t->specs, t->n, &job, &o->access, err);
    case PLAN_REMOVE:
        return output_remove(t->file, &o->access, err);
    case PLAN_KEEP:
    case PLAN_NONE:
        break;
    }
    return SWIM_OK;
}

/* Remove the file of partial results if it is one: of this job, or of any. */
static int remove_partials(const struct outputs *o, bool any, swim_error_t *err)
{
    const char *file = o->setup->partials_file;
    struct output_found found = {.state = OUTPUT_ABSENT};
    char *then = NULL;
    int rc = output_look(file, NULL, 0, &o->access, &found, err);

    if (rc == SWIM_OK && found.state == OUTPUT_UNFINISHED &&
        (any || is_ours(o, 0, &found, &then)))
        rc = output_remove(file, &o->access, err);
    free(then);
    output_found_free(&found);
    return rc;
}

int outputs_clear(const struct outputs *o, enum outputs_begun how, swim_error_t *err)
{
    bool complete = how == OUTPUTS_COMPLETE;

    if (complete || ((o->overwrite || o->goes_on) && o->setup->n_phases == 1))
        return remove_partials(o, !complete, err);
    return SWIM_OK;
}

/* *plans is allocated in any case. */
static int plan_and_judge(const struct outputs *o, struct plan **plans, size_t *n,
                          enum outputs_begun *how, swim_error_t *err)
{
    int rc = plan_all(o, plans, n, err);

    *how = OUTPUTS_CREATED;
    if (rc == SWIM_OK)
        rc = plan_anew(o, *plans, *n, err);
    return rc == SWIM_OK ? judge_plan(o, *plans, *n, how, err) : rc;
}

static void plans_free(struct plan *plans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(plans[i].mark);
        free(plans[i].finished);
    }
    free(plans);
}

int outputs_check(const struct outputs *o, enum outputs_begun *how, swim_error_t *err)
{
    struct plan *plans = NULL;
    size_t n = 0;
    int rc = plan_and_judge(o, &plans, &n, how, err);

    plans_free(plans, n);
    return rc;
}

int outputs_begin(const struct outputs *o, enum outputs_begun *how, swim_error_t *err)
{
    const bool overwrite = o->overwrite || o->goes_on;
    struct plan *plans = NULL;
    size_t n = 0;
    int rc = plan_and_judge(o, &plans, &n, how, err);
    bool complete = rc == SWIM_OK && *how == OUTPUTS_COMPLETE;
    for (size_t i = 0; rc == SWIM_OK && i < n; i++) {
        plans[i].target->finished = plans[i].action == PLAN_KEEP;
        if (!complete || is_left(&plans[i]))
            rc = carry_out(o, &plans[i], err);
    }
    if (rc == SWIM_OK && overwrite)
        rc = remove_old_shards(o, err);
    plans_free(plans, n);
    return rc;
}

/* --- what is done ------------------------------------------------------------------
 */

static int file_progress(const struct outputs *o, uint32_t phase,
                         const struct setup_target *t, unsigned char *bits,
                         swim_error_t *err)
{
    uint64_t n_blocks = o->setup->phase_blocks[phase];
    struct output_found found = {.state = OUTPUT_ABSENT};

    int rc = output_look(t->file, t->specs, t->n, &o->access, &found, err);
    bool finished = rc == SWIM_OK && found.state == OUTPUT_FINISHED &&
                    output_same_job(found.digest, o->mark);
    output_found_free(&found);
    if (finished || t->finished)
        memset(bits, 0xff, (size_t)((n_blocks + 7) / 8));
    else if (rc == SWIM_OK && t->shards)
        rc = shards_progress(t, &o->access, n_blocks, bits, err);
    else if (rc == SWIM_OK)
        rc = output_progress(t->file, t->specs, t->n, &o->access, n_blocks, bits, err);
    return rc;
}

static bool bit_of(const unsigned char *bits, uint64_t at)
{
    return bits[at / 8] >> at % 8 & 1;
}

/* Each part of a table is made of rows of any block: none is wanted once all parts are
 * there. */
static int add_table(const struct outputs *o, unsigned char *bits, swim_error_t *err)
{
    uint64_t n = o->setup->phase_blocks[1];
    unsigned char *parts = calloc((size_t)(n / 8 + 1), 1);
    bool all = true;

    if (!parts)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    int rc = outputs_progress(o, 1, parts, err);
    for (uint64_t i = 0; i < n; i++)
        all = all && bit_of(parts, i);
    if (rc == SWIM_OK && all)
        memset(bits, 0xff, (size_t)((o->setup->blocks.n + 7) / 8));
    free(parts);
    return rc;
}

/* Partial results of tiles that are in the outputs are not wanted any more. */
static int add_merged(const struct outputs *o, unsigned char *bits, swim_error_t *err)
{
    const struct blocks *b = &o->setup->blocks;
    unsigned char *tiles = calloc((size_t)(b->n_tiles / 8 + 1), 1);

    if (!tiles)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    int rc = outputs_progress(o, 1, tiles, err);
    for (uint64_t i = 0; rc == SWIM_OK && i < b->n; i++)
        if (bit_of(tiles, i / b->n_segments))
            bits[i / 8] = (unsigned char)(bits[i / 8] | 1U << i % 8);
    free(tiles);
    return rc;
}

int outputs_progress(const struct outputs *o, uint32_t phase, unsigned char *bits,
                     swim_error_t *err)
{
    const struct setup_targets *targets = &o->setup->targets[phase];
    uint64_t n_blocks = o->setup->phase_blocks[phase];
    size_t n = (size_t)((n_blocks + 7) / 8);
    unsigned char *one = malloc(n + 1);
    int rc = SWIM_OK;

    if (!one)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    setup_targets_mark(targets, o->mark);
    memset(bits, 0xff, n);
    for (size_t i = 0; rc == SWIM_OK && i < targets->n; i++) {
        rc = file_progress(o, phase, &targets->list[i], one, err);
        for (size_t k = 0; rc == SWIM_OK && k < n; k++)
            bits[k] &= one[k];
    }
    free(one);
    if (rc == SWIM_OK && is_partial(o, phase))
        rc = o->setup->table.most_rows ? add_table(o, bits, err)
                                       : add_merged(o, bits, err);
    if (n_blocks % 8)
        bits[n - 1] &= (unsigned char)((1U << n_blocks % 8) - 1);
    return rc;
}

/* --- the end -----------------------------------------------------------------------
 */

size_t outputs_difference(const struct outputs *o, char *text, size_t size)
{
    const struct setup_targets *t = &o->setup->targets[o->setup->n_phases - 1];
    struct output_found found = {.description = NULL};
    size_t n = 0;

    text[0] = '\0';
    (void)output_look(t->list[0].file, t->list[0].specs, t->list[0].n, &o->access,
                      &found, NULL);
    if (found.description)
        n = setup_difference(found.description, o->setup->description, text, size);
    output_found_free(&found);
    return n;
}

int outputs_finish(const struct outputs *o, swim_error_t *err)
{
    const struct setup_targets *targets = &o->setup->targets[o->setup->n_phases - 1];
    int rc = SWIM_OK;

    setup_targets_mark(targets, o->mark);
    for (size_t i = 0; rc == SWIM_OK && i < targets->n; i++) {
        const struct setup_target *t = &targets->list[i];
        if (t->finished)
            continue;
        rc = t->shards ? finish_sharded(o, t, err)
                       : output_finish(t->file, t->specs, t->n, &o->access, err);
    }
    return rc;
}

static bool is_copied(const char *file)
{
    char journal[PATH_MAX];

    return (size_t)snprintf(journal, sizeof(journal), "%s" JOURNAL_SUFFIX, file) >=
               sizeof(journal) ||
           access(journal, F_OK) != 0;
}

/* How many of them have a journal; copy: try to copy it. */
static size_t count_journals(const struct outputs *o, bool copy)
{
    const struct setup_targets *targets = &o->setup->targets[o->setup->n_phases - 1];
    size_t n = 0;

    for (size_t i = 0; i < targets->n; i++) {
        const struct setup_target *t = &targets->list[i];
        for (size_t k = 0; k <= (t->shards ? t->shards->n : 0); k++) {
            const char *file = k ? t->shards->list[k - 1].file : t->file;
            if (copy && !is_copied(file))
                output_settle(file, o->access.session);
            n += !is_copied(file);
        }
    }
    return n;
}

bool outputs_are_copied(const struct outputs *o)
{
    return count_journals(o, false) == 0;
}

void outputs_copy(const struct outputs *o)
{
    (void)count_journals(o, true);
}

void outputs_settle(const struct outputs *o)
{
    for (uint32_t p = 0; p < o->setup->n_phases; p++) {
        const struct setup_targets *targets = &o->setup->targets[p];
        setup_targets_mark(targets, o->mark);
        for (size_t i = 0; i < targets->n; i++) {
            if (targets->list[i].shards)
                settle_sharded(o, &targets->list[i]);
            output_settle(targets->list[i].file, o->access.session);
        }
    }
}
