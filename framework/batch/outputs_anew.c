/* outputs_anew.c - finished files beside unfinished ones: --overwrite replaces file by
 * file, and outputs_finish() finishes file by file; a run may have died in either. */
#include <stdlib.h>
#include <string.h>

#include "batch/outputs_private.h"

/* Those of the last phase that are, by their names, there to be written. */
static bool is_first(const struct outputs *o, const struct plan *plan)
{
    return !plan->shard && plan->phase == o->setup->n_phases - 1;
}

/* Of a file that is to be adopted, whose mark is not that of this run yet. */
static int add_progress(const struct outputs *o, const struct plan *plan,
                        unsigned char *bits, swim_error_t *err)
{
    const struct setup_target *t = plan->target;
    uint64_t n_blocks = o->setup->phase_blocks[plan->phase];
    size_t n = (size_t)((n_blocks + 7) / 8);
    unsigned char *one = malloc(n + 1);
    const char *was = t->specs[0].mark;

    if (!one)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    for (size_t i = 0; i < t->n; i++)
        t->specs[i].mark = plan->mark;
    int rc = output_progress(t->file, t->specs, t->n, &o->access, n_blocks, one, err);
    for (size_t i = 0; i < t->n; i++)
        t->specs[i].mark = was;
    for (size_t k = 0; rc == SWIM_OK && k < n; k++)
        bits[k] |= one[k];
    free(one);
    return rc;
}

static int lacks_blocks(const struct outputs *o, const struct plan *plans, size_t n,
                        const struct plan *first, bool *lacks, swim_error_t *err)
{
    uint64_t n_blocks = o->setup->phase_blocks[first->phase];
    unsigned char *bits = calloc((size_t)(n_blocks / 8 + 1), 1);
    int rc = SWIM_OK;

    if (!bits)
        return swim_error_set(err, SWIM_ERR_NOMEM, "look at the outputs");
    if (!first->target->shards)
        rc = add_progress(o, first, bits, err);
    for (size_t i = 0; rc == SWIM_OK && i < n; i++)
        if (plans[i].made == first && plans[i].action == PLAN_ADOPT)
            rc = add_progress(o, &plans[i], bits, err);
    for (uint64_t b = 0; rc == SWIM_OK && b < n_blocks; b++)
        *lacks = *lacks || !(bits[b / 8] >> b % 8 & 1);
    free(bits);
    return rc;
}

static void make_anew(const struct outputs *o, struct plan *plan)
{
    if (plan->shard)
        shard_anew(o, plan);
    else if (is_first(o, plan) && plan->action == PLAN_KEEP)
        plan->action = PLAN_REPLACE;
}

int plan_anew(const struct outputs *o, struct plan *plans, size_t n, swim_error_t *err)
{
    const struct plan *left = NULL;
    bool finished = false, lacks = false;
    int rc = SWIM_OK;

    for (size_t i = 0; i < n; i++) {
        lacks = lacks || (is_first(o, &plans[i]) && plans[i].action == PLAN_REPLACE &&
                          !o->overwrite);
        left = plans[i].left ? &plans[i] : left;
        finished = finished || (is_first(o, &plans[i]) && plans[i].action == PLAN_KEEP);
    }
    if (o->setup->job->follow) /* its blocks have no end */
        finished = false;
    if (!left && !finished)
        return rc;
    for (size_t i = 0; rc == SWIM_OK && !lacks && i < n; i++)
        if (is_first(o, &plans[i]) && plans[i].action == PLAN_ADOPT)
            rc = lacks_blocks(o, plans, n, &plans[i], &lacks, err);
    /* Shards after their masters, whose plans they go by. */
    for (size_t i = 0; rc == SWIM_OK && lacks && i < n; i++)
        make_anew(o, &plans[i]);
    if (rc == SWIM_OK && !lacks && left)
        rc = output_refuse_existing(left->target->file, &o->access, err);
    return rc;
}
