/* locks_break.c - h5swim locks --break: ask, end a session, say what that means. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/locks.h"
#include "core/printable.h"

#define HEARS_MS 1000 /* a process that runs has heard in this time */
#define NAME_SIZE 600

static const char *name_show(const char *id, char *buf)
{
    (void)swim_printable(id, 0, buf, NAME_SIZE);
    return buf;
}

static int break_unknown(const struct inspector *inspector, const char *name)
{
    char shown[NAME_SIZE];

    fprintf(stderr,
            "h5swim locks: break session %s: lock server %s does not know it: it has "
            "ended, or that is not its name (see h5swim locks --sessions)\n",
            name_show(name, shown), inspect_server(inspector));
    return LOCKS_FAILED;
}

static const struct inspect_session *session_of(const struct inspection *seen,
                                                const char *id)
{
    for (size_t i = 0; i < seen->n_sessions; i++)
        if (strcmp(seen->sessions[i]->id, id) == 0)
            return seen->sessions[i];
    return NULL;
}

/* The session that HOST:PID means: *id stays NULL when there is none. */
static int session_of_process(struct inspector *inspector, const char *name, char **id,
                              swim_error_t *err)
{
    struct inspection *seen = NULL;
    size_t len = strlen(name);
    char shown[NAME_SIZE];

    int rc = inspect_look(inspector, NULL, 0, &seen, err);
    for (size_t i = 0; rc == SWIM_OK && i < seen->n_sessions; i++) {
        const char *other = seen->sessions[i]->id;
        if (strncmp(other, name, len) != 0 || other[len] != ':')
            continue;
        if (*id && strcmp(*id, other) != 0)
            rc = swim_error_set(
                err, SWIM_ERR_ARG,
                "break session %s: several have names that begin so (give one "
                "whole, as h5swim locks --sessions shows it)",
                name_show(name, shown));
        else if (!*id && !(*id = strdup(other)))
            rc = swim_error_set(err, SWIM_ERR_NOMEM, "break session: no memory");
    }
    inspection_free(seen);
    return rc;
}

/* The session's full name, or NULL when it is not known. */
static int session_find(struct inspector *inspector, const char *name, char **id,
                        swim_error_t *err)
{
    struct inspection *seen = NULL;

    *id = NULL;
    int rc = inspect_look_at_session(inspector, name, &seen, err);
    if (rc != SWIM_OK)
        return rc;
    if (session_of(seen, name))
        *id = strdup(name);
    inspection_free(seen);
    if (!*id)
        rc = session_of_process(inspector, name, id, err);
    return rc;
}

/* Show what would go, and ask; false: no. */
static bool break_confirm(struct inspector *inspector, const char *id,
                          swim_error_t *err)
{
    struct inspection *seen = NULL;
    char shown[NAME_SIZE], answer[16] = "";

    if (inspect_look_at_session(inspector, id, &seen, err) != SWIM_OK)
        return false;
    const struct inspect_session *s = session_of(seen, id);
    if (s && s->tickets > 0)
        locks_show(stderr, seen, id);
    else
        fprintf(stderr, "It holds nothing and waits for nothing.\n");
    inspection_free(seen);
    fprintf(stderr,
            "Its process will find these locks lost, wherever it is in its work.\n"
            "End session %s? [y/N] ",
            name_show(id, shown));
    fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) &&
           (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
}

static int break_refused(void)
{
    fputs("nothing was changed\n", stderr);
    return LOCKS_FAILED;
}

static int break_ended(const char *id, const struct locks_options *options)
{
    char shown[NAME_SIZE];

    if (options->json)
        return locks_json_break(id, "ended", 0);
    if (!options->quiet)
        printf("session %s has ended, and what it held is free\n",
               name_show(id, shown));
    return LOCKS_DONE;
}

static int break_fenced(const char *id, int64_t left_ms,
                        const struct locks_options *options)
{
    char shown[NAME_SIZE];

    if (options->json)
        return locks_json_break(id, "fenced", left_ms);
    if (options->quiet)
        return LOCKS_DONE;
    printf("session %s gets no lock any more and cannot keep those it has, but its "
           "process did not answer, and may believe in them until its lease is over. "
           "They go on to others in %.1f s, or as soon as the process answers or is "
           "seen dead on its host.\n",
           name_show(id, shown), (double)left_ms / 1000);
    return LOCKS_DONE;
}

static int break_session(struct inspector *inspector, const char *id,
                         const struct locks_options *options, swim_error_t *err)
{
    enum inspect_break_result result = INSPECT_UNKNOWN;
    int64_t left_ms = 0;

    if (inspect_break(inspector, id, HEARS_MS, &result, &left_ms, err) != SWIM_OK)
        return locks_fail(err);
    if (result == INSPECT_UNKNOWN)
        return break_unknown(inspector, id);
    if (result == INSPECT_ENDED)
        return break_ended(id, options);
    return break_fenced(id, left_ms, options);
}

int locks_break(struct inspector *inspector, const struct locks_options *options)
{
    swim_error_t err = {0};
    char shown[NAME_SIZE];
    char *id = NULL;
    int status;

    if (!options->yes && !isatty(STDIN_FILENO)) {
        fprintf(stderr, "h5swim locks: --break: there is no terminal to ask on (give "
                        "--yes)\n");
        return LOCKS_USAGE;
    }
    if (!inspector) {
        fprintf(stderr,
                "h5swim locks: break session %s: no lock server runs, so there is no "
                "session\n",
                name_show(options->session, shown));
        return LOCKS_FAILED;
    }
    if (session_find(inspector, options->session, &id, &err) != SWIM_OK)
        status = locks_fail(&err);
    else if (!id)
        status = break_unknown(inspector, options->session);
    else if (options->yes || break_confirm(inspector, id, &err))
        status = break_session(inspector, id, options, &err);
    else
        status = err.code == SWIM_OK ? break_refused() : locks_fail(&err);
    free(id);
    return status;
}
