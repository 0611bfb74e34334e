/* record_json.c - the record of a run as a file: RUN.md says what is in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch/joined.h"
#include "batch/rank.h"
#include "batch/record_json.h"
#include "batch/record_private.h"
#include "core/json_out.h"

#define BEGINNING "{\n\"schema\":\"h5swim-run\"" /* of every record */
#define BUFFER ((size_t)1 << 18)

/* --- columns ---------------------------------------------------------------------- */

/* In microseconds since the run began. */
static int64_t since(const struct json_record *w, int64_t ns)
{
    return (ns - w->began_ns) / 1000;
}

static int64_t block_column(const struct json_record *w, const void *item,
                            unsigned column)
{
    const struct record_block *b = item;
    const struct block_times *t = &b->times;

    switch (column) {
    case 0:
        return (int64_t)b->block;
    case 1:
        return t->phase;
    case 2:
        return t->process;
    case 3:
        return since(w, t->start_ns);
    case 4:
        return t->read_ns / 1000;
    case 5:
        return t->decode_ns / 1000;
    case 6:
        return t->kernel_ns / 1000;
    case 7:
        return t->encode_ns / 1000;
    case 8:
        return since(w, t->end_ns);
    case 9:
        return since(w, t->written_ns);
    case 10:
        return since(w, t->committed_ns);
    case 11:
        return (int64_t)t->bytes_in;
    case 12:
        return (int64_t)t->bytes_out;
    default:
        return (int64_t)b->tries;
    }
}

static int64_t span_column(const struct json_record *w, const void *item,
                           unsigned column)
{
    const struct record_interval *s = item;

    switch (column) {
    case 0:
        return s->process;
    case 1:
        return s->activity;
    case 2:
        return since(w, s->start_ns);
    default:
        return (s->end_ns - s->start_ns) / 1000;
    }
}

static void put_columns(const struct json_record *w, unsigned list,
                        const char *const *names, unsigned n,
                        int64_t (*value)(const struct json_record *w, const void *item,
                                         unsigned column))
{
    json_out_open(w->j, '{');
    for (unsigned c = 0; c < n; c++) {
        json_out_key(w->j, names[c]);
        json_out_open(w->j, '[');
        for (size_t i = 0; i < w->record->lists[list].n; i++)
            json_out_number(w->j, value(w, record_at(w->record, list, i), c));
        json_out_close(w->j, ']');
    }
    json_out_close(w->j, '}');
}

static void put_blocks(const struct json_record *w)
{
    static const char *const names[] = {
        "block",        "phase",     "process",   "start_us", "read_us",
        "decode_us",    "kernel_us", "encode_us", "end_us",   "written_us",
        "committed_us", "bytes_in",  "bytes_out", "tries"};

    json_out_key(w->j, "blocks");
    put_columns(w, RECORD_BLOCKS, names, sizeof(names) / sizeof(*names), block_column);
}

static void put_spans(const struct json_record *w)
{
    static const char *const names[] = {"process", "activity", "start_us", "us"};
    static const char *const activities[] = {
        [RECORD_AT_WRITE] = "write",   [RECORD_AT_COMMIT] = "commit",
        [RECORD_AT_LOCK] = "lock",     [RECORD_AT_BEGIN] = "begin",
        [RECORD_AT_FINISH] = "finish",
    };

    json_out_key(w->j, "spans");
    put_columns(w, RECORD_INTERVALS, names, sizeof(names) / sizeof(*names),
                span_column);
    json_out_key(w->j, "activities");
    json_out_open(w->j, '[');
    for (size_t i = 0; i < sizeof(activities) / sizeof(*activities); i++)
        json_out_text(w->j, activities[i]);
    json_out_close(w->j, ']');
}

/* --- lists ------------------------------------------------------------------------ */

static const char *const roles[] = {
    [RECORD_RANK] = "rank", [RECORD_READER] = "reader", [RECORD_WRITER] = "writer"};

static void put_process(const struct json_record *w, const struct record_process *p)
{
    static const char *const names[SWIM_ACTIVITIES] = {
        [SWIM_AT_READ] = "read",     [SWIM_AT_DECODE] = "decode",
        [SWIM_AT_KERNEL] = "kernel", [SWIM_AT_ENCODE] = "encode",
        [SWIM_AT_WRITE] = "write",   [SWIM_AT_COMMIT] = "commit",
        [SWIM_AT_LOCK] = "lock",     [SWIM_AT_WAIT] = "wait",
        [SWIM_AT_IDLE] = "idle"};
    struct json_out *j = w->j;

    json_out_open(j, '{');
    json_out_number_of(j, "rank", p->rank);
    json_out_text_of(j, "role", roles[p->role % 3]);
    json_out_number_of(j, "index", p->index);
    json_out_text_of(j, "host", p->host);
    json_out_number_of(j, "pid", p->pid);
    json_out_number_of(j, "began_us", since(w, p->began_ns));
    json_out_number_of(j, "ended_us", since(w, p->ended_ns));
    json_out_key(j, "seconds");
    json_out_open(j, '{');
    for (unsigned a = 0; a < SWIM_ACTIVITIES; a++)
        json_out_real_of(j, names[a], (double)p->spent_ns[a] / 1e9);
    json_out_close(j, '}');
    json_out_number_of(j, "blocks", (int64_t)p->blocks);
    json_out_close(j, '}');
}

static void put_wait(const struct json_record *w, const struct record_wait *wait)
{
    static const char *const modes[] = {"?", "READ", "UPDATE", "WRITE"};
    struct json_out *j = w->j;

    json_out_open(j, '{');
    json_out_number_of(j, "process", wait->process);
    json_out_text_of(j, "resource", wait->resource);
    json_out_text_of(j, "mode", modes[wait->mode % 4]);
    json_out_number_of(j, "start_us", since(w, wait->start_ns));
    json_out_number_of(j, "us", (wait->end_ns - wait->start_ns) / 1000);
    json_out_key(j, "holder");
    if (wait->holder.session[0]) {
        json_out_open(j, '{');
        json_out_text_of(j, "session", wait->holder.session);
        json_out_text_of(j, "host", wait->holder.host);
        json_out_number_of(j, "pid", wait->holder.pid);
        json_out_text_of(j, "job", wait->holder.job);
        json_out_close(j, '}');
    } else {
        json_out_null(j);
    }
    json_out_close(j, '}');
}

static void put_replacement(const struct json_record *w,
                            const struct record_replacement *replaced)
{
    struct json_out *j = w->j;

    json_out_open(j, '{');
    json_out_number_of(j, "rank", replaced->rank);
    json_out_text_of(j, "role", roles[replaced->role % 3]);
    json_out_number_of(j, "index", replaced->index);
    json_out_number_of(j, "at_us", since(w, replaced->at_ns));
    json_out_text_of(j, "why", replaced->why);
    json_out_close(j, '}');
}

/* Ranks that died, or of which nothing was heard any more, and those that joined. */
static void put_ranks(const struct json_record *w)
{
    const struct coordinator *c = &w->rank->seen;
    const struct joined_sums joined = joined_sum_up(c, w->rank->ranks);
    struct json_out *j = w->j;

    json_out_key(j, "lost_ranks");
    json_out_open(j, '[');
    for (uint32_t i = 0; i < c->n_losses && i < COORDINATOR_LOSSES_MOST; i++) {
        const struct rank_loss *loss = &c->losses[i];
        json_out_open(j, '{');
        json_out_number_of(j, "rank", loss->rank);
        json_out_number_of(j, "pid", loss->pid);
        json_out_number_of(j, "at_us", since(w, loss->at_ns));
        json_out_text_of(j, "why", loss->why);
        json_out_close(j, '}');
    }
    json_out_close(j, ']');
    json_out_key(j, "joined");
    json_out_open(j, '{');
    json_out_number_of(j, "ranks", (int64_t)joined.ranks);
    json_out_number_of(j, "readers", (int64_t)joined.readers);
    json_out_number_of(j, "blocks", (int64_t)joined.blocks);
    json_out_close(j, '}');
}

static void put_lists(const struct json_record *w)
{
    const struct record *r = w->record;
    struct json_out *j = w->j;

    json_out_key(j, "processes");
    json_out_open(j, '[');
    for (size_t i = 0; i < r->lists[RECORD_PROCESSES].n; i++)
        put_process(w, record_at(r, RECORD_PROCESSES, i));
    json_out_close(j, ']');
    put_blocks(w);
    put_spans(w);
    json_out_number_of(j, "dropped", (int64_t)w->dropped);
    json_out_key(j, "lock_waits");
    json_out_open(j, '[');
    for (size_t i = 0; i < r->lists[RECORD_WAITS].n; i++)
        put_wait(w, record_at(r, RECORD_WAITS, i));
    json_out_close(j, ']');
    record_json_failures(w);
    json_out_key(j, "replaced");
    json_out_open(j, '[');
    for (size_t i = 0; i < r->lists[RECORD_REPLACEMENTS].n; i++)
        put_replacement(w, record_at(r, RECORD_REPLACEMENTS, i));
    json_out_close(j, ']');
    json_out_key(j, "missing_ranks");
    json_out_open(j, '[');
    for (uint32_t i = 0; i < w->missing->n; i++)
        json_out_number(j, w->missing->ranks[i]);
    json_out_close(j, ']');
    put_ranks(w);
}

/* --- the file --------------------------------------------------------------------- */

/* The earliest of all, as ranks begin by themselves; that one may have died. */
static int64_t began_first(const struct record *record, const struct rank *r)
{
    const struct record_process *own = record_at(record, RECORD_PROCESSES, 0);
    int64_t first = own->began_ns;

    if (r->seen.n_losses && r->seen.began_ns)
        first = r->seen.began_ns < first ? r->seen.began_ns : first;

    for (size_t i = 1; i < record->lists[RECORD_PROCESSES].n; i++) {
        const struct record_process *p = record_at(record, RECORD_PROCESSES, i);
        first = p->began_ns < first ? p->began_ns : first;
    }
    return first;
}

static void put_all(const struct json_record *w)
{
    json_out_open(w->j, '{');
    json_out_text_of(w->j, "schema", "h5swim-run");
    record_json_run(w);
    put_lists(w);
    fputc('\n', w->j->to);
    json_out_close(w->j, '}');
}

/* What has the name is an earlier record, or nothing; real: where it is. */
static int look_at_place(const char *path, char real[PATH_MAX], swim_error_t *err)
{
    char begins[sizeof(BEGINNING)] = "";
    struct stat st;

    snprintf(real, PATH_MAX, "%s", path);
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? SWIM_OK : swim_error_sys(err, errno, "look at it");
    if (!realpath(path, real))
        return swim_error_sys(err, errno, "look at it");
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return swim_error_sys(err, errno, "look at what is there");
    bool is_record = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                     (st.st_size == 0 || (read(fd, begins, sizeof(begins) - 1) > 0 &&
                                          strcmp(begins, BEGINNING) == 0));
    close(fd);
    return is_record
               ? SWIM_OK
               : swim_error_set(err, SWIM_ERR_ARG,
                                "something else is there, which is left as it is");
}

static int write_to(const char *path, const struct json_record *w, swim_error_t *err)
{
    FILE *to = record_file(path);

    if (!to)
        return swim_error_sys(err, errno, "create %s", path);
    (void)setvbuf(to, NULL, _IOFBF, BUFFER);
    w->j->to = to;
    put_all(w);
    bool whole = !ferror(to);
    whole = fclose(to) == 0 && whole;
    return whole ? SWIM_OK : swim_error_sys(err, errno, "write %s", path);
}

int record_json(const struct record *record, const struct rank *r,
                const struct run_result *result, const struct record_missing *missing,
                swim_error_t *err)
{
    struct json_out out = {0};
    const struct json_record w = {.j = &out,
                                  .record = record,
                                  .rank = r,
                                  .result = result,
                                  .missing = missing,
                                  .began_ns = began_first(record, r),
                                  .dropped = record_json_dropped(record, r)};
    char real[PATH_MAX], fresh[PATH_MAX + 8];
    int rc = look_at_place(record->path, real, err);

    if (rc != SWIM_OK)
        return rc;
    const char *slash = strrchr(real, '/'), *name = slash ? slash + 1 : real;
    snprintf(fresh, sizeof(fresh), "%.*s.%s.new", (int)(name - real), real, name);
    rc = write_to(fresh, &w, err);
    if (rc == SWIM_OK && rename(fresh, real) < 0)
        rc = swim_error_sys(err, errno, "rename %s", fresh);
    if (rc != SWIM_OK)
        (void)unlink(fresh);
    return rc;
}
