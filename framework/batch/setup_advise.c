/* setup_advise.c - what of a job may well be meant, and most often is not; and whether
 * this machine has the room for it. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "batch/run.h"
#include "batch/setup.h"
#include "core/text.h"

#define CHUNK_BYTES_LEAST 1024 /* HDF5 has a tenth of that for each chunk besides */
#define CHUNKS_FEW 1000

/* --- chunks and filters --------------------------------------------------------------
 */

static void advise_chunks(struct problems *p, const struct job_output *given,
                          const struct output_spec *spec)
{
    uint64_t bytes = swim_type_size(spec->type);
    double chunks = 1;

    for (uint32_t d = 0; d < spec->ndim; d++) {
        bool grows = d == 0 && spec->grows;
        bytes *= spec->chunk[d];
        chunks *= (double)spec->shape[d] / (double)spec->chunk[d];
        if (given->n_chunks && !grows && given->chunks[d] > spec->shape[d])
            problems_warn(
                p, &given->place,
                "chunks: %" PRIu64 " on axis %u of output \"%s\", which has %" PRIu64
                " elements there: it is taken as %" PRIu64,
                given->chunks[d], d, given->port, spec->shape[d], spec->shape[d]);
    }
    if (given->n_chunks && bytes < CHUNK_BYTES_LEAST && chunks > CHUNKS_FEW)
        problems_warn(
            p, &given->place,
            "chunks of output \"%s\" have %" PRIu64
            " bytes each, and HDF5 needs 100 more for each: give larger ones, "
            "of 64 KiB to 4 MiB",
            given->port, bytes);
}

static void advise_filters(struct problems *p, const struct job_output *given,
                           const struct output_spec *spec)
{
    if (!given->filters_set || !given->shuffle)
        return;
    if (swim_type_size(spec->type) == 1)
        problems_warn(p, &given->place,
                      "filters: shuffle changes nothing in numbers of one byte (%s, "
                      "output \"%s\"): leave it out",
                      swim_type_name(spec->type), given->port);
    else if (!given->deflate)
        problems_warn(p, &given->place,
                      "filters: shuffle alone makes output \"%s\" no smaller: add "
                      "deflate: 1",
                      given->port);
}

/* --- blocks and edges ----------------------------------------------------------------
 */

static void advise_block(struct problems *p, const struct setup *setup)
{
    const struct job *job = setup->job;
    const struct blocks *b = &setup->blocks;

    for (uint32_t a = 0; a < job->n_block && a < b->ndim; a++)
        if (b->size[a] > job->block[a])
            problems_warn(p, &job->block_place,
                          "block: %" PRIu64 " on axis %u becomes %" PRIu64
                          ", as blocks are whole chunks of the outputs: give that, or "
                          "the outputs other \"chunks\"",
                          job->block[a], a, b->size[a]);
}

/* Of each kernel of a chain. */
static void advise_edges(struct problems *p, const struct setup *setup)
{
    const struct swim_plan *plan = &setup->plan;
    const struct dataset_info *info = setup->inputs[0].info;

    for (size_t e = 0; e < setup->job->n_edges; e++)
        for (uint32_t a = 0; a < info->ndim; a++)
            if (strcmp(info->axes[a].name, setup->job->edges[e].axis) == 0 &&
                plan->halo_lo[a] + plan->halo_hi[a] == 0 &&
                !(setup->window.step && setup->window.axis == a))
                problems_warn(p, &setup->job->edges[e].place,
                              "edges: kernel %s looks at no neighbours along \"%s\": "
                              "leave it out",
                              setup->kernel->api.name, setup->job->edges[e].axis);
}

/* --- room ----------------------------------------------------------------------------
 */

static void advise_memory(struct problems *p, const struct setup *setup)
{
    const struct job *job = setup->job;
    uint64_t has = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint32_t n_readers = run_processors(), slots_each = 1;
    char needs[32], is[32];

    if (setup_divide_memory(setup, &n_readers, true, &slots_each, NULL) != SWIM_OK)
        return;
    uint64_t bytes = setup_rank_bytes(setup, n_readers, slots_each);
    if (bytes > has)
        problems_warn(p, &job->memory_place,
                      "memory: a rank takes about %s, this machine has %s: give "
                      "\"memory\" less, or run it elsewhere",
                      swim_text_bytes(bytes, needs, sizeof(needs)),
                      swim_text_bytes(has, is, sizeof(is)));
}

static bool folder_of(const char *file, char dir[PATH_MAX], struct stat *st)
{
    const char *slash = strrchr(file, '/');

    snprintf(dir, PATH_MAX, "%.*s", slash ? (int)(slash - file) + 1 : 1,
             slash ? file : ".");
    return stat(dir, st) == 0;
}

/* As if nothing were compressed; a table and an output that grows have no size yet. */
static double output_bytes(const struct setup *setup, uint32_t number)
{
    const struct output_spec *spec = &setup->outputs[number].spec;
    double bytes = (double)swim_type_size(spec->type);

    if (spec->grows)
        return 0;
    for (uint32_t d = 0; d < spec->ndim; d++)
        bytes *= (double)spec->shape[d];
    for (uint32_t p = 0; number == 0 && p < setup->n_phases; p++)
        if (setup->phases[p] == SETUP_PARTIAL && !setup->table.most_rows)
            bytes += (double)setup->acc_bytes * (double)setup->blocks.n;
    return bytes;
}

/* Of the outputs up to that one in its file system: what they need, whether some of it
 * is compressed, and what files there are that they replace, each once. */
static double bytes_there(const struct setup *setup, uint32_t number, dev_t device,
                          bool *filtered, double *replaced)
{
    double bytes = 0;

    *filtered = false;
    *replaced = 0;
    for (uint32_t i = 0; i <= number; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        char dir[PATH_MAX];
        struct stat st;
        bool again = false;
        if (!folder_of(spec->file, dir, &st) || st.st_dev != device)
            continue;
        bytes += output_bytes(setup, i);
        *filtered = *filtered || spec->deflate;
        for (uint32_t k = 0; k < i; k++)
            again = again || strcmp(setup->outputs[k].spec.file, spec->file) == 0;
        if (!again && stat(spec->file, &st) == 0)
            *replaced += 512.0 * (double)st.st_blocks;
    }
    return bytes;
}

static void advise_space(struct problems *p, struct setup *setup, uint32_t number,
                         bool *said)
{
    const struct setup_output *out = &setup->outputs[number];
    const struct job_output *given =
        setup_output_of(setup->job, setup->kernel->outputs[number].name);
    char dir[PATH_MAX], needs[32], has[32];
    struct statvfs fs;
    struct stat st;
    double replaced;
    bool filtered;
    swim_error_t err = {0};

    if (*said || !folder_of(out->spec.file, dir, &st) || statvfs(dir, &fs) != 0)
        return;
    double bytes = bytes_there(setup, number, st.st_dev, &filtered, &replaced);
    double room = (double)fs.f_bavail * (double)fs.f_frsize + replaced;
    if (bytes <= room)
        return;
    *said = true;
    swim_text_bytes(bytes < 1e18 ? (uint64_t)bytes : (uint64_t)1e18, needs,
                    sizeof(needs));
    swim_text_bytes((uint64_t)room, has, sizeof(has));
    if (filtered)
        problems_warn(p, &given->place,
                      "the outputs up to \"%s\" are %s before compression, %s has %s: "
                      "they may not fit; make room, or give them another folder",
                      given->port, needs, dir, has);
    else
        setup_goes_on(
            setup, &given->place,
            swim_error_set(&err, SWIM_ERR_ARG,
                           "the outputs up to \"%s\" need %s, %s has %s: make "
                           "room, or give them another folder or filters",
                           given->port, needs, dir, has),
            &err);
}

/* --- inputs ----------------------------------------------------------------------- */

void setup_find_unfinished(const struct setup *setup,
                           void (*say)(void *arg, uint32_t input, const char *text),
                           void *arg)
{
    char text[1024];

    setup = setup_first(setup);
    for (uint32_t i = 0; !setup->job->follow && i < setup->n_inputs; i++) {
        const struct setup_input *in = &setup->inputs[i];
        if (!in->source || !in->info || !dataset_is_unfinished(in->source, in->info))
            continue;
        snprintf(
            text, sizeof(text),
            "input %s (%.200s:%.200s) is the unfinished output of a job: what that "
            "has not done is missing; --resume of that job finishes it",
            in->field.port, in->info->file, in->info->path);
        say(arg, i, text);
    }
}

static void advise_unfinished(void *arg, uint32_t input, const char *text)
{
    const struct setup *setup = setup_first((const struct setup *)arg);
    const struct job *job = setup->job;

    for (size_t i = 0; i < job->n_inputs; i++)
        if (strcmp(job->inputs[i].port, setup->inputs[input].field.port) == 0)
            problems_warn(job->problems, &job->inputs[i].place, "%s", text);
}

void setup_advise(struct setup *setup)
{
    struct problems *p = setup->job->problems;
    bool said = false;

    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct job_output *given =
            setup_output_of(setup->job, setup->kernel->outputs[i].name);
        advise_chunks(p, given, &setup->outputs[i].spec);
        advise_filters(p, given, &setup->outputs[i].spec);
        advise_space(p, setup, i, &said);
    }
    setup_find_unfinished(setup, advise_unfinished, setup);
    advise_block(p, setup);
    for (const struct setup *s = setup; s; s = s->before)
        advise_edges(p, s);
    advise_memory(p, setup);
}
