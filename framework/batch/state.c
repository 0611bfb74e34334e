/* state.c - what a running job says of itself when it is asked. */
#include "batch/state.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/rank.h"
#include "core/clock.h"
#include "lock/inspect.h"

static volatile sig_atomic_t asked;
static pthread_t listener;

/* Whatever thread it comes to, it is the main one that waits. */
static void on_signal(int signo)
{
    asked = 1;
    if (!pthread_equal(pthread_self(), listener))
        pthread_kill(listener, signo);
}

void state_listen(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    listener = pthread_self();
    sigaction(SIGUSR1, &action, NULL);
}

void state_deafen(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};

    sigaction(SIGUSR1, &action, NULL);
}

bool state_asked(void)
{
    bool was = asked;

    asked = 0;
    return was;
}

/* --- the rank --------------------------------------------------------------------- */

static void print_reader(const struct rank *r, uint32_t reader, FILE *to)
{
    struct region *region = r->worker.region;
    int64_t since = atomic_load(&region_reader(region, reader)->busy_ns);

    for (uint32_t i = 0; since && i < REGION_ITEMS; i++) {
        struct item *item = &region->items[i];
        if (atomic_load(&item->state) != item_by(ITEM_TAKEN, reader) ||
            region_item_finished(region, reader, i))
            continue;
        fprintf(to, "; reader %u at block %" PRIu64 " for %.2f s", reader, item->block,
                (double)(swim_clock_mono_ns() - since) / 1e9);
        return;
    }
    fprintf(to, "; reader %u waits", reader);
}

static void print_rank(const struct rank *r, FILE *to)
{
    struct region *region = r->worker.region;
    uint32_t ready = 0;

    for (uint32_t s = 0; s < region_slots(region); s++)
        ready += atomic_load(&region_slot(region, s)->state) == SLOT_READY;
    for (uint32_t i = 0; i < REGION_ITEMS; i++)
        ready += atomic_load(&region->items[i].state) == ITEM_WRITTEN;
    fprintf(to,
            "h5swim: rank %u: %" PRIu64 " blocks committed, %u queued, %u finished and "
            "not yet committed",
            r->link->rank, r->report.done, r->queued, ready);
    for (uint32_t i = 0; i < region->n_readers; i++)
        print_reader(r, i, to);
    fputc('\n', to);
}

/* --- the job ---------------------------------------------------------------------- */

static void print_job(const struct rank *r, FILE *to)
{
    double seconds = (double)(swim_clock_mono_ns() - r->start_ns) / 1e9;
    uint64_t done = 0, bytes = 0;

    for (uint32_t i = 0; i < r->link->n_ranks; i++) {
        done += r->ranks[i].report.done;
        bytes += r->ranks[i].report.bytes_read + r->ranks[i].report.bytes_written;
    }
    fprintf(to,
            "h5swim: job %s: %" PRIu64 " of %" PRIu64 " blocks done, %" PRIu64
            " failed; %.1f blocks/s, %.3f GB/s for %.1f s\n",
            r->job->name, coordinator_done(&r->seen), coordinator_total(&r->seen),
            r->seen.n_failed, (double)done / seconds, (double)bytes / 1e9 / seconds,
            seconds);
}

static void print_ticket(const struct inspect_ticket *ticket, const char *before,
                         bool held, FILE *to)
{
    static const char *const modes[] = {"?", "READ", "UPDATE", "WRITE"};
    const struct inspect_session *s = ticket->session;

    fprintf(to, "%s%s %s by %s:%" PRId64, before, modes[ticket->mode],
            held ? "held" : "wanted", s->host, s->pid);
    if (s->job[0])
        fprintf(to, " (job %s, rank %d)", s->job, s->rank);
    fprintf(to, " for %.2f s", (double)ticket->for_ms / 1000);
}

static void print_locks_of(const struct inspection *inspection, FILE *to)
{
    for (size_t i = 0; i < inspection->n_resources; i++) {
        const struct inspect_resource *resource = &inspection->resources[i];
        fprintf(to, "h5swim: locks of %s", resource->name);
        for (size_t t = 0; t < resource->n_held + resource->n_waiting; t++)
            print_ticket(&resource->tickets[t], t ? "; " : ": ", t < resource->n_held,
                         to);
        fputc('\n', to);
    }
}

/* The resources of the files of the job; returns how many. */
static size_t list_resources(const struct rank *r, char (*names)[PATH_MAX])
{
    size_t n = 0;

    for (uint32_t i = 0; i < setup_first(r->setup)->n_inputs; i++)
        n += swim_resource_of_file(setup_first(r->setup)->inputs[i].info->file,
                                   names[n], PATH_MAX, NULL) == SWIM_OK;
    for (uint32_t i = 0; i < r->setup->n_outputs; i++)
        n += swim_resource_of_file(r->setup->outputs[i].spec.file, names[n], PATH_MAX,
                                   NULL) == SWIM_OK;
    return n;
}

static void print_locks(const struct rank *r, FILE *to)
{
    size_t most = setup_first(r->setup)->n_inputs + r->setup->n_outputs;
    char(*names)[PATH_MAX] = calloc(most, sizeof(*names));
    const char **list = calloc(most, sizeof(*list));
    struct inspector *inspector = NULL;
    struct inspection *inspection = NULL;
    swim_error_t err = {0};
    size_t n = names && list ? list_resources(r, names) : 0;

    for (size_t i = 0; i < n; i++)
        list[i] = names[i];
    if (n && inspect_open(worker_server(&r->worker), &inspector, &err) == SWIM_OK &&
        inspector && inspect_look(inspector, list, n, &inspection, &err) == SWIM_OK)
        print_locks_of(inspection, to);
    if (err.code != SWIM_OK)
        fprintf(to, "h5swim: locks: %s\n", err.text);
    inspection_free(inspection);
    inspect_close(inspector);
    free(list);
    free(names);
}

void state_print(const struct rank *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size); /* lines of ranks must not mix */

    if (!to)
        return;
    if (r->link->rank == 0)
        print_job(r, to);
    print_rank(r, to);
    if (r->link->rank == 0)
        print_locks(r, to);
    if (fclose(to) == 0)
        fwrite(text, 1, size, stderr);
    free(text);
}
