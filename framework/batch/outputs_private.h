/* outputs_private.h - what the files about the outputs of a job share. */
#ifndef SWIM_BATCH_OUTPUTS_PRIVATE_H
#define SWIM_BATCH_OUTPUTS_PRIVATE_H

#include "batch/outputs.h"
#include "batch/shards.h"

enum plan_action {
    PLAN_CREATE,
    PLAN_REPLACE, /* whatever is there */
    PLAN_ADOPT,
    PLAN_KEEP,   /* finished */
    PLAN_REMOVE, /* a shard that is not one of those to be */
    PLAN_NONE,   /* a shard that is not there, and need not be */
};

/* One file of one phase. */
struct plan {
    uint32_t phase;
    struct setup_target *target;
    enum plan_action action;
    char *mark;              /* to be adopted: as it was found */
    char *finished;          /* to be kept: what h5swim_job says; a shard: NULL */
    struct shard *shard;     /* NULL: a master, or an output in one file */
    const struct plan *made; /* of a shard: that of its master */
    bool left; /* a shard that this job has finished, and its master is to be adopted */
};

/* --- outputs.c -------------------------------------------------------------------- */

/* To be adopted, or refused as another job's. */
int plan_unfinished(const struct outputs *o, struct plan *plan,
                    struct output_found *found, swim_error_t *err);

/* What is refused though it is to be overwritten is not; rc: of that. */
int plan_refused(const struct outputs *o, struct plan *plan, enum plan_action action,
                 int rc, swim_error_t *err);

/* The line for the history of files that this run makes: the same in all of them,
 * whenever each is made. */
#define HISTORY_SIZE 1024
void outputs_history(const struct outputs *o, char line[HISTORY_SIZE]);

struct output_job outputs_job(const struct outputs *o, uint32_t phase);

/* --- outputs_anew.c --------------------------------------------------------------- */

/* Once all is planned: finished files of this job beside unfinished ones that lack
 * blocks are made anew.  A finished shard of a master that is not is refused. */
int plan_anew(const struct outputs *o, struct plan *plans, size_t n, swim_error_t *err);

/* --- outputs_shards.c ------------------------------------------------------------- */

/* Find the shards of all outputs, before the first plan is made. */
int find_shards(const struct outputs *o, swim_error_t *err);

/* What is to be done with one, once it is known of its master. */
int plan_shard(const struct outputs *o, struct plan *plan, swim_error_t *err);

/* The same, once its master is to be made anew, or goes on without what was left. */
void shard_anew(const struct outputs *o, struct plan *plan);

/* Shards of the outputs before, where there are none now. */
int remove_old_shards(const struct outputs *o, swim_error_t *err);

/* One that is unfinished beside its finished master. */
int finish_left_shard(const struct outputs *o, const struct plan *plan,
                      swim_error_t *err);

/* The parts of outputs_finish() and outputs_settle() for a target with shards. */
int finish_sharded(const struct outputs *o, const struct setup_target *target,
                   swim_error_t *err);
void settle_sharded(const struct outputs *o, const struct setup_target *target);

#endif /* SWIM_BATCH_OUTPUTS_PRIVATE_H */
