/* record.c - what a rank keeps of its run. */
#include "batch/record_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch/rank.h"
#include "core/clock.h"
#include "core/meter.h"
#include "lock/process.h"

#define JOB_TEXT_MOST ((size_t)1 << 20) /* as of a job file */
#define ROOM_FIRST 64u

/* --- lists ------------------------------------------------------------------------ */

void *record_add(struct record *record, unsigned list)
{
    struct record_list *l = &record->lists[list];

    if (l->n == l->room && l->room < l->most) {
        size_t room = l->room ? 2 * l->room : ROOM_FIRST;
        room = room < l->most ? room : l->most;
        void *more = realloc(l->items, room * l->size);
        if (more) {
            l->items = more;
            l->room = room;
        }
    }
    if (l->n == l->room) {
        record->dropped++;
        return NULL;
    }
    void *item = (char *)l->items + l->n++ * l->size;
    memset(item, 0, l->size);
    return item;
}

static void lists_begin(struct record *record)
{
    static const struct record_list lists[RECORD_LISTS] = {
        [RECORD_PROCESSES] = {.most = RECORD_PROCESSES_MOST,
                              .size = sizeof(struct record_process)},
        [RECORD_BLOCKS] = {.most = RECORD_BLOCKS_MOST,
                           .size = sizeof(struct record_block)},
        [RECORD_INTERVALS] = {.most = RECORD_SPANS_MOST,
                              .size = sizeof(struct record_interval)},
        [RECORD_WAITS] = {.most = RECORD_WAITS_MOST,
                          .size = sizeof(struct record_wait)},
        [RECORD_REPLACEMENTS] = {.most = RECORD_PROCESSES_MOST,
                                 .size = sizeof(struct record_replacement)},
    };

    memcpy(record->lists, lists, sizeof(lists));
}

/* --- processes -------------------------------------------------------------------- */

static struct record_process *process_at(const struct record *record, uint32_t number)
{
    return number < record->lists[RECORD_PROCESSES].n
               ? record_at(record, RECORD_PROCESSES, number)
               : NULL;
}

/* Its number; where there is no room for it, that of the one before in its place. */
static uint32_t process_add(struct record *record, enum record_role role,
                            uint32_t index, uint32_t before)
{
    struct record_process *process = record_add(record, RECORD_PROCESSES);

    if (!process)
        return before;
    process->rank = record->rank;
    process->role = role;
    process->index = index;
    snprintf(process->host, sizeof(process->host), "%s", record->host);
    return (uint32_t)record->lists[RECORD_PROCESSES].n - 1;
}

/* What its meter says; it has ended, or does so now. */
static void process_take(const struct record *record, uint32_t number,
                         struct swim_meter *meter)
{
    struct record_process *process = process_at(record, number);
    const int64_t now = swim_clock_mono_ns();
    const int64_t began = atomic_load(&meter->began_ns);
    const int64_t ended = atomic_load(&meter->ended_ns);

    if (!process)
        return;
    if (!began) { /* it was ended before it could begin */
        process->began_ns = process->began_ns ? process->began_ns : now;
        process->ended_ns = now;
        return;
    }
    for (unsigned a = 0; a < SWIM_ACTIVITIES; a++)
        process->spent_ns[a] +=
            swim_meter_spent_until_ns(meter, (enum swim_activity)a, now);
    process->pid = atomic_load(&meter->pid);
    if (!process->began_ns)
        process->began_ns = began;
    process->ended_ns = ended ? ended : now;
}

void record_workers(struct record *record)
{
    if (!record)
        return;
    for (uint32_t i = 0; i < record->region->n_readers; i++)
        region_reader(record->region, i)->process =
            process_add(record, RECORD_READER, i, 0);
    record->region->writer_process = process_add(record, RECORD_WRITER, 0, 0);
    record->has_workers = true;
}

void record_replaced(struct record *record, const struct worker_event *event,
                     const char *why)
{
    const bool is_reader = event->role == WORKER_READER;
    const enum record_role role = is_reader ? RECORD_READER : RECORD_WRITER;
    const uint32_t index = (uint32_t)event->index;

    if (!record)
        return;
    struct region *region = record->region;
    uint32_t *number =
        is_reader ? &region_reader(region, index)->process : &region->writer_process;
    struct swim_meter *meter =
        is_reader ? &region_reader(region, index)->meter : &region->writer_meter;
    struct record_replacement *replaced = record_add(record, RECORD_REPLACEMENTS);
    if (replaced) {
        replaced->rank = record->rank;
        replaced->role = role;
        replaced->index = index;
        replaced->at_ns = swim_clock_mono_ns();
        snprintf(replaced->why, sizeof(replaced->why), "%s", why);
    }
    events_forget(&region->events, *number);
    process_take(record, *number, meter);
    swim_meter_clear(meter);
    *number = process_add(record, role, index, *number);
}

/* --- blocks and spans ------------------------------------------------------------- */

void record_block(struct record *record, uint32_t number)
{
    if (!record)
        return;
    const struct item *item = &record->region->items[number];
    const struct block_times *times = &record->region->times[number];
    struct record_process *reader = process_at(record, times->process);
    struct record_process *writer = process_at(record, record->region->writer_process);

    if (!reader || !writer)
        return;
    reader->blocks++;
    writer->blocks++;
    struct record_block *block = record_add(record, RECORD_BLOCKS);
    if (!block)
        return;
    block->block = item->block;
    block->times = *times;
    block->tries = item->tries + 1;
}

static void interval_add(struct record *record, uint32_t process,
                         enum record_activity activity, int64_t start_ns,
                         int64_t end_ns)
{
    struct record_interval *interval = record_add(record, RECORD_INTERVALS);

    if (!interval)
        return;
    interval->process = process;
    interval->activity = activity;
    interval->start_ns = start_ns;
    interval->end_ns = end_ns;
}

static void wait_add(struct record *record, const struct event *event)
{
    struct record_wait *wait = record_add(record, RECORD_WAITS);

    if (!wait)
        return;
    wait->process = event->process;
    wait->mode = event->mode;
    wait->start_ns = event->start_ns;
    wait->end_ns = event->end_ns;
    memcpy(wait->resource, event->resource, sizeof(wait->resource));
    wait->holder = event->holder;
}

static void event_take(void *arg, const struct event *event)
{
    struct record *record = arg;

    if (!process_at(record, event->process))
        return;
    if (event->is_lock_wait)
        wait_add(record, event);
    else
        interval_add(record, event->process,
                     event->activity == SWIM_AT_WRITE    ? RECORD_AT_WRITE
                     : event->activity == SWIM_AT_COMMIT ? RECORD_AT_COMMIT
                                                         : RECORD_AT_LOCK,
                     event->start_ns, event->end_ns);
}

void record_turn(struct record *record)
{
    if (record)
        events_drain(&record->region->events, event_take, record);
}

void record_span(struct record *record, enum record_span what, int64_t start_ns)
{
    if (record)
        interval_add(record, 0,
                     what == RECORD_BEGIN ? RECORD_AT_BEGIN : RECORD_AT_FINISH,
                     start_ns, swim_clock_mono_ns());
}

/* --- the rank itself -------------------------------------------------------------- */

static void own_span(void *arg, enum swim_activity activity, int64_t start_ns,
                     int64_t end_ns)
{
    if (activity == SWIM_AT_LOCK)
        interval_add(arg, 0, RECORD_AT_LOCK, start_ns, end_ns);
}

static void own_wait(void *arg, const struct lock_waited *waited)
{
    struct event event = {.process = 0};

    event_of_wait(&event, waited);
    wait_add(arg, &event);
}

/* As it is now: it may be changed while the job runs. */
static char *job_text(const char *path)
{
    FILE *from = fopen(path, "re");
    char *text = from ? malloc(JOB_TEXT_MOST + 1) : NULL;

    if (text) {
        size_t n = fread(text, 1, JOB_TEXT_MOST, from);
        text[n] = '\0';
        char *less = realloc(text, n + 1);
        text = less ? less : text;
    }
    if (from)
        fclose(from);
    return text;
}

static int64_t clock_difference_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - swim_clock_mono_ns();
}

struct record *record_create(const struct rank *r)
{
    const char *asked = r->options->record;
    struct process_id self;
    struct record *record;

    if (r->joining || (asked && strcmp(asked, "none") == 0))
        return NULL;
    record = calloc(1, sizeof(*record));
    if (!record)
        return NULL;
    process_self(&self);
    lists_begin(record);
    record->rank = r->link->rank;
    record->n_ranks = r->link->n_ranks;
    record->region = r->worker.region;
    record->clock_ns = clock_difference_ns();
    snprintf(record->host, sizeof(record->host), "%s", self.host);
    snprintf(record->path, sizeof(record->path), "%s", asked ? asked : "");
    if (record->rank == 0 && !r->options->job)
        record->job_text = job_text(r->job->path);
    (void)process_add(record, RECORD_RANK, 0, 0);
    swim_meter_begin(&record->region->rank_meter, SWIM_AT_READ, r->start_ns, own_span,
                     record);
    lock_waits_tell(own_wait, record);
    return record;
}

void record_destroy(struct record *record)
{
    if (!record)
        return;
    swim_meter_end();
    lock_waits_tell(NULL, NULL);
    for (unsigned i = 0; i < RECORD_LISTS; i++)
        free(record->lists[i].items);
    free(record->job_text);
    free(record);
}

/* OUT.run.json for OUT.nc. */
void record_name(struct record *record, const struct setup *setup)
{
    if (!record || record->path[0])
        return;
    const char *file = setup->outputs[0].spec.file;
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    const size_t len = dot && dot > name ? (size_t)(dot - file) : strlen(file);

    snprintf(record->path, sizeof(record->path), "%.*s.run.json", (int)len, file);
}

/* --- the end ---------------------------------------------------------------------- */

static void take_all(struct record *record)
{
    struct region *region = record->region;

    record_turn(record);
    record->dropped += atomic_load(&region->events.lost);
    for (uint32_t i = 0; record->has_workers && i < region->n_readers; i++)
        process_take(record, region_reader(region, i)->process,
                     &region_reader(region, i)->meter);
    if (record->has_workers)
        process_take(record, region->writer_process, &region->writer_meter);
    process_take(record, 0, &region->rank_meter);
}

void record_leave(struct record *record, uint64_t run_id)
{
    if (!record || record->rank == 0 || !record->path[0])
        return;
    take_all(record);
    /* What rank 0 does not find it says. */
    (void)record_part_write(record, run_id, NULL);
}

static void warn(const struct record *record, const swim_error_t *why)
{
    fprintf(
        stderr,
        "h5swim: the record of this run %s: %s; the result is not affected, --record "
        "FILE puts it elsewhere\n",
        record->path, why->text);
}

const char *record_write(struct record *record, const struct rank *r,
                         const struct run_result *result)
{
    struct record_missing missing = {NULL, 0};
    swim_error_t why = {0};

    if (!record || !record->path[0])
        return NULL;
    uint32_t *ranks = calloc(record->n_ranks, sizeof(*ranks));
    take_all(record);
    record->lists[RECORD_PROCESSES].most = RECORD_PROCESSES_ALL;
    record->lists[RECORD_REPLACEMENTS].most = RECORD_PROCESSES_ALL;
    /* Of a run that was refused there are none, but perhaps of one that still runs. */
    for (uint32_t k = 1; ranks && r->created && k < record->n_ranks; k++)
        if (!record_part_take(record, k, r->report.run_id))
            ranks[missing.n++] = k;
    missing.ranks = ranks;
    int rc = result ? record_json(record, r, result, &missing, &why) : SWIM_OK;
    free(ranks);
    if (result && rc == SWIM_OK)
        return record->path;
    /* A job that has failed has said why; that may be the reason here, too. */
    if (rc != SWIM_OK &&
        (result->exit_status == 0 || result->exit_status == RUN_FAILED_BLOCKS))
        warn(record, &why);
    return NULL;
}
