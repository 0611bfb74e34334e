/* metrics_text.c - the text format of Prometheus.
 *
 * A family has one HELP and one TYPE line and then its samples, and what is not known
 * has no sample: there is no NaN. */
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli/metrics.h"
#include "core/printable.h"

static const char *const mode_words[CENSUS_MODES] = {"", "read", "update", "write"};

static void family(FILE *to, const char *name, const char *help)
{
    fprintf(to, "# HELP h5swim_%s %s\n# TYPE h5swim_%s gauge\n", name, help, name);
}

/* What is not text becomes \xNN, and a backslash two, so that no two names become one;
 * then backslashes and quotes are escaped as the format wants it. */
static void value_write(FILE *to, const char *text)
{
    size_t size = 4 * strlen(text) + 1;
    char *shown = malloc(size);

    if (shown)
        (void)swim_printable(text, 0, shown, size);
    for (const char *c = shown ? shown : "?"; *c; c++) {
        if (*c == '\\' || *c == '"')
            putc('\\', to);
        putc(*c, to);
    }
    free(shown);
}

/* labels: names and values in turn, NULL at the end. */
static void labels_write(FILE *to, const char *name, const char *const *labels)
{
    fprintf(to, "h5swim_%s", name);
    for (size_t i = 0; labels && labels[i]; i += 2) {
        fprintf(to, "%s%s=\"", i ? "," : "{", labels[i]);
        value_write(to, labels[i + 1]);
        putc('"', to);
    }
    fputs(labels && labels[0] ? "} " : " ", to);
}

/* -1: not known. */
static void sample(FILE *to, const char *name, const char *const *labels, int64_t value)
{
    if (value < 0)
        return;
    labels_write(to, name, labels);
    fprintf(to, "%" PRId64 "\n", value);
}

static void sample_ms(FILE *to, const char *name, const char *const *labels, int64_t ms)
{
    if (ms < 0)
        return;
    labels_write(to, name, labels);
    fprintf(to, "%" PRId64 ".%03d\n", ms / 1000, (int)(ms % 1000));
}

static void single(FILE *to, const char *name, const char *help, int64_t value)
{
    family(to, name, help);
    sample(to, name, NULL, value);
}

/* --- the server ----------------------------------------------------------------------
 */

static void server_write(FILE *to, const struct metrics *m)
{
    const struct inspect_facts *f = &m->facts;
    const char *const labels[] = {"server", m->server, "version", f->version, NULL};

    family(to, "lock_server_info", "The lock server that was asked.");
    sample(to, "lock_server_info", labels, 1);
    single(to, "lock_server_uptime_seconds", "How long the lock server runs.", f->up_s);
    single(to, "lock_server_clients", "Connections to the lock server.", f->clients);
    single(to, "lock_server_memory_bytes", "Memory that the lock server uses.",
           f->memory_bytes);
    single(to, "lock_server_memory_limit_bytes",
           "Memory that the lock server may use; 0: no limit.", f->memory_limit_bytes);
    single(to, "lock_server_append_only",
           "1 if the lock server writes each change to its append-only file.",
           f->append_only);
    single(to, "lock_server_last_save_timestamp_seconds",
           "When the lock server saved its data last, or was started.", f->saved_s);
    single(to, "lock_server_persistence_ok",
           "0 if its last save, or last write to its append-only file, has failed.",
           f->saves_ok);
    family(
        to, "lock_server_grace_seconds",
        "How long nothing new is granted, after the server was new or lost its data.");
    sample_ms(to, "lock_server_grace_seconds", NULL, m->seen->grace_ms);
}

/* --- sessions and locks --------------------------------------------------------------
 */

static void sessions_write(FILE *to, const struct metrics *m)
{
    static const char *const words[] = {"live", "dead", "broken"};
    int64_t counts[3] = {0};

    for (size_t i = 0; i < m->seen->n_sessions; i++) {
        const struct inspect_session *s = m->seen->sessions[i];
        counts[s->broken ? 2 : s->dead ? 1 : 0]++;
    }
    family(to, "sessions",
           "Sessions by state; dead: its process was of this host and is gone.");
    for (int i = 0; i < 3; i++) {
        const char *const labels[] = {"state", words[i], NULL};
        sample(to, "sessions", labels, counts[i]);
    }
}

static void modes_write(FILE *to, const char *name, const uint64_t counts[CENSUS_MODES])
{
    for (int mode = SWIM_LOCK_READ; mode < CENSUS_MODES; mode++) {
        const char *const labels[] = {"mode", mode_words[mode], NULL};
        sample(to, name, labels, (int64_t)counts[mode]);
    }
}

static void locks_write(FILE *to, const struct metrics *m)
{
    const struct census_count *all = &m->census->all;

    single(to, "resources", "Files and other resources that are locked or waited for.",
           (int64_t)m->seen->n_resources);
    family(to, "locks_held", "Locks that are held, by mode.");
    modes_write(to, "locks_held", all->held);
    family(to, "lock_waiters", "Locks that are waited for, by mode.");
    modes_write(to, "lock_waiters", all->waiting);
    family(to, "lock_longest_wait_seconds",
           "How long the first of those who wait now has waited.");
    sample_ms(to, "lock_longest_wait_seconds", NULL, all->longest_wait_ms);
}

/* --- jobs ----------------------------------------------------------------------------
 */

static int64_t job_sessions(const struct census_job *j)
{
    return (int64_t)j->sessions;
}

static int64_t job_ranks(const struct census_job *j)
{
    return (int64_t)j->ranks;
}

static int64_t job_readers(const struct census_job *j)
{
    return (int64_t)j->readers;
}

static int64_t job_waiters(const struct census_job *j)
{
    return (int64_t)census_sum(j->count.waiting);
}

static void job_family(FILE *to, const struct census *c, const char *name,
                       const char *help, int64_t (*number)(const struct census_job *))
{
    family(to, name, help);
    for (size_t i = 0; i < c->n_jobs; i++) {
        const char *const labels[] = {"job", c->jobs[i].name, "user", c->jobs[i].user,
                                      NULL};
        sample(to, name, labels, number(&c->jobs[i]));
    }
}

static void job_locks(FILE *to, const struct census *c)
{
    family(to, "job_locks_held", "Locks that a job holds, by mode.");
    for (size_t i = 0; i < c->n_jobs; i++)
        for (int mode = SWIM_LOCK_READ; mode < CENSUS_MODES; mode++) {
            const char *const labels[] = {
                "job",  c->jobs[i].name,  "user", c->jobs[i].user,
                "mode", mode_words[mode], NULL};
            sample(to, "job_locks_held", labels, (int64_t)c->jobs[i].count.held[mode]);
        }
}

static void jobs_write(FILE *to, const struct census *c)
{
    job_family(to, c, "job_sessions", "Sessions of a job, by job name and user.",
               job_sessions);
    job_family(to, c, "job_ranks", "Ranks of a job that have sessions.", job_ranks);
    job_family(to, c, "job_readers", "Sessions of a job that hold READ.", job_readers);
    job_family(to, c, "job_waiters", "Locks that a job waits for.", job_waiters);
    job_locks(to, c);
    family(to, "job_longest_wait_seconds",
           "How long the first of a job's waits that last now has lasted.");
    for (size_t i = 0; i < c->n_jobs; i++) {
        const char *const labels[] = {"job", c->jobs[i].name, "user", c->jobs[i].user,
                                      NULL};
        sample_ms(to, "job_longest_wait_seconds", labels,
                  c->jobs[i].count.longest_wait_ms);
    }
}

void metrics_write(FILE *to, const struct metrics *m)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;

    single(to, "lock_server_up", "1 if the lock server was there and answered.",
           m->server != NULL);
    if (m->server) {
        server_write(to, m);
        sessions_write(to, m);
        locks_write(to, m);
        jobs_write(to, m->census);
    }
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
}
