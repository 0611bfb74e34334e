/* verdict_show.c - a verdict on a file, for people. */
#include "cli/verdict_show.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/text.h"
#include "lock/resource.h"
#include "store/boot_id.h"
#include "store/recover.h"

#define STATUS_DAMAGED 5

int verdict_of(const char *file, struct verdict **out, swim_error_t *err)
{
    struct verdict_options options = {0};
    char real[PATH_MAX];

    *out = NULL;
    boot_id_read(options.boot);
    int rc = resource_real_path(file, real, sizeof(real), err);
    return rc == SWIM_OK ? verdict_open(out, real, &options, err) : rc;
}

int verdict_with_shards(const char *file, struct verdict **out, swim_error_t *err)
{
    struct verdict_options options = {0};
    int rc = verdict_of(file, out, err);

    boot_id_read(options.boot);
    if (rc == SWIM_OK)
        rc = verdict_look_at_shards(*out, &options, err);
    if (rc != SWIM_OK) {
        verdict_close(*out);
        *out = NULL;
    }
    return rc;
}

int verdict_status(const struct verdict *v)
{
    return v->is == VERDICT_FOREIGN || v->is == VERDICT_DAMAGED ? STATUS_DAMAGED
                                                                : VERDICT_DONE;
}

int verdict_fail(const char *command, const swim_error_t *err)
{
    fprintf(stderr, "h5swim %s: %s\n", command, err->text);
    if (err->code == SWIM_ERR_TIMEOUT)
        return VERDICT_BUSY;
    return err->code == SWIM_ERR_CORRUPT ? STATUS_DAMAGED : VERDICT_FAILED;
}

const char *verdict_file(const char *command, int argc, char **argv, int at)
{
    if (argc - at == 1 && argv[at][0])
        return argv[at];
    fprintf(stderr, "h5swim %s: %s (see h5swim %s --help)\n", command,
            argc - at <= 1 ? "name a file" : "name one file, not several", command);
    return NULL;
}

__attribute__((format(printf, 2, 3))) static void fact(const char *name,
                                                       const char *form, ...)
{
    va_list args;

    printf("  %-9s ", name);
    va_start(args, form);
    vprintf(form, args);
    va_end(args);
    putchar('\n');
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void show_headline(const struct verdict *v)
{
    printf("%s: %s", verdict_name(v->is), v->path);
    if (v->is == VERDICT_RECOVERABLE)
        printf(": %" PRIu64 " commit%s in its journal, to be copied into it",
               v->commits, plural(v->commits));
    else if (v->is != VERDICT_CLEAN)
        printf(": %s", v->why.text);
    putchar('\n');
}

static void show_file(const struct verdict *v)
{
    const struct superblock *s = &v->superblock;
    char size[32], committed[32];

    swim_text_bytes((uint64_t)v->main_st.st_size, size, sizeof(size));
    swim_text_bytes(v->journal.last.size, committed, sizeof(committed));
    if (v->has == JOURNAL_VALID || v->has == JOURNAL_BROKEN)
        fact("file", "%s; in its committed state %s", size, committed);
    else
        fact("file", "%s", size);
    if (v->file_tail > 0)
        fact("tail",
             "%" PRIu64
             " byte%s at the end of the file belong to no commit and are cut "
             "off by the next writer",
             v->file_tail, plural(v->file_tail));
    if (v->main_st.st_nlink > 1)
        fact("names", "it has %ju (hard links): h5swim does not write to it",
             (uintmax_t)v->main_st.st_nlink);
    const char *of = v->foreign ? "the file itself, without its journal, " : "it ";
    if (s->is == SUPERBLOCK_WHOLE)
        fact("HDF5", "%shas a superblock of version %u that is whole", of, s->version);
    else if (s->is == SUPERBLOCK_NONE)
        fact("HDF5", "%shas no signature of HDF5", of);
    else
        fact("HDF5", "%scannot be opened: %s", of, s->problem);
    if (s->marked)
        fact("mark", "it is marked as open for writing: by a program that is at it, or "
                     "that ended without closing it (h5clear -s takes the mark away)");
}

static void show_commits(const struct verdict *v)
{
    const struct journal_commit *last = &v->journal.last;
    time_t seconds = (time_t)(last->when_ns / 1000000000);
    char bytes[32], when[64] = "";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
    fact("commits",
         "%" PRIu64 " up to number %" PRIu64 ", which cover %s in %zu place%s",
         v->commits, last->number,
         swim_text_bytes(v->journal.overlay.bytes, bytes, sizeof(bytes)),
         v->journal.overlay.count, plural(v->journal.overlay.count));
    fact("last", "%s, fence %" PRIu64, when, last->fence);
    if (v->journal.may_be_copied)
        fact("copying", "has begun, and was not finished");
}

static void show_journal(const struct verdict *v)
{
    static const char *const says[] = {
        [JOURNAL_NONE] = "none",
        [JOURNAL_EMPTY] = "nothing is committed in it; the next writer removes it",
        [JOURNAL_OVER] =
            "its file has lost the name to this one; the next writer removes it",
        [JOURNAL_VALID] = "all that is committed in it can be read",
        [JOURNAL_BROKEN] = "part of what is committed in it can be read",
        [JOURNAL_UNREADABLE] = "nothing in it can be read",
    };
    char size[32];

    if (v->has == JOURNAL_NONE)
        return;
    swim_text_bytes((uint64_t)v->log_st.st_size, size, sizeof(size));
    fact("journal", "%s, %s: %s", v->journal_path, size, says[v->has]);
    if (v->commits > 0 && v->has != JOURNAL_OVER)
        show_commits(v);
    if (v->has == JOURNAL_BROKEN)
        fact("readable", "%" PRIu64 " bytes of the journal, up to commit %" PRIu64,
             v->journal.end, v->journal.last.number);
    else if (v->unfinished > 0)
        fact("behind", "%" PRIu64 " byte%s in the journal belong to no commit%s",
             v->unfinished, plural(v->unfinished),
             v->stopped_by_power ? " (one was being made when the power failed)" : "");
    if (v->changed_frames > 0)
        fact("changed",
             "the file below %" PRIu64 " frame%s, the first at byte %" PRIu64,
             v->changed_frames, plural(v->changed_frames), v->changed_at);
}

static void show_holder(const char *name, const struct verdict_holder *h,
                        const char *what)
{
    if (!h->is)
        return;
    if (h->pid > 0)
        fact(name, "process %" PRId64 " %s", h->pid, what);
    else
        fact(name, "a process that is not seen from here %s", what);
}

static void show_plan(const struct verdict *v, const char *name,
                      enum recover_action action)
{
    struct recover_plan plan;

    recover_plan(v, action, &plan);
    fact(name, "%s%s", plan.how == RECOVER_CANNOT ? "cannot be done: " : "", plan.text);
}

static void show_shard(const struct verdict_shard *s)
{
    if (s->is > VERDICT_RECOVERABLE)
        fact("shard", "%s: %s: %s", s->path, verdict_name(s->is), s->found.text);
    else if (s->why)
        fact("shard", "%s %s", s->path, s->why);
    else if (s->is == VERDICT_RECOVERABLE)
        fact("shard", "%s: recoverable: %" PRIu64 " commit%s in its journal", s->path,
             s->commits, plural(s->commits));
    else
        fact("shard", "%s: clean", s->path);
}

void verdict_show(const struct verdict *v, bool plans)
{
    show_headline(v);
    show_file(v);
    show_journal(v);
    show_holder("writer", &v->writer, "is writing in a session");
    if (!v->writer.is)
        show_holder("in use", &v->user,
                    v->user.alone ? "has it open, and keeps others out"
                                  : "has it open");
    for (int i = 0; i < SIDES; i++)
        if (v->sides[i])
            fact("beside", "%s%s", v->path, verdict_side_suffixes[i]);
    for (size_t i = 0; i < v->n_shards; i++)
        show_shard(&v->shards[i]);
    if (plans || v->is == VERDICT_FOREIGN || (v->is == VERDICT_DAMAGED && v->has)) {
        show_plan(v, "--apply", RECOVER_APPLY);
        show_plan(v, "--discard", RECOVER_DISCARD);
    } else if (v->is == VERDICT_RECOVERABLE) {
        fact("next", "the next session that writes, or h5swim recover --apply, goes on "
                     "from it; sessions that read see it now");
    }
}
