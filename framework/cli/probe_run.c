/* probe_run.c - the parent's side of a run: starts it, watches it, and puts into words
 * how it ended. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/probe.h"

static const char *const call_names[] = {
    [PROBE_NOTHING] = "before the kernel was called",
    [PROBE_CALL_LOAD] = "loading it",
    [PROBE_CALL_OPEN] = "open()",
    [PROBE_CALL_PLAN] = "plan()",
    [PROBE_CALL_APPLY] = "apply()",
    [PROBE_CALL_ACC_BYTES] = "acc_bytes()",
    [PROBE_CALL_PARTIAL] = "partial()",
    [PROBE_CALL_MERGE] = "merge()",
    [PROBE_CALL_FINISH] = "finish()",
    [PROBE_CALL_CLOSE] = "close()",
};

const char *probe_cut_name(enum probe_cut cut)
{
    static const char *const names[] = {[PROBE_WHOLE] = "in one block",
                                        [PROBE_THIRDS] = "in thirds",
                                        [PROBE_ROWS] = "in rows",
                                        [PROBE_SINGLE] = "in single elements"};

    return names[cut];
}

/* "apply(), block 3 of 18 (offset+count 0+2, 4+4, 13+13)" */
static void where_text(const struct probe_shared *s, char *text, size_t size)
{
    snprintf(text, size, "%s", call_names[s->call]);
    if (!s->in_block)
        return;
    size_t used = strlen(text);
    snprintf(text + used, size - used, ", block %" PRIu64 " of %" PRIu64 "%s", s->block,
             s->n_blocks, s->ndim ? " (offset+count " : "");
    for (uint32_t a = 0; a < s->ndim; a++) {
        used = strlen(text);
        snprintf(text + used, size - used, "%s%" PRIu64 "+%" PRIu64 "%s", a ? ", " : "",
                 s->range.start[a], s->range.count[a], a + 1 == s->ndim ? ")" : "");
    }
}

static void what_text(const struct probe_shared *s, int status, char *text, size_t size)
{
    if (s->end == PROBE_FAULT)
        probe_buffer_explain(s->buffers, s->n_buffers, s->address, s->access, text,
                             size);
    else if (s->end != PROBE_VANISHED)
        snprintf(text, size, "%.590s", s->text);
    else if (WIFSIGNALED(status))
        snprintf(text, size, "ends by signal %d (%s)", WTERMSIG(status),
                 sigdescr_np(WTERMSIG(status)));
    else
        snprintf(text, size, "ends the process with exit(%d)", WEXITSTATUS(status));
}

/* Until it has ended, or a call has taken too long: false. */
static bool child_watch(pid_t pid, const struct probe *p, swim_error_t *err)
{
    struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    bool ended = false, late = false;

    if (end.fd < 0) {
        swim_error_sys(err, errno, "watch the process that runs the kernel");
        return false;
    }
    while (!ended && !late) {
        unsigned before = atomic_load(&p->shared->steps);
        int n = poll(&end, 1, (int)p->options->timeout_ms);
        ended = n > 0;
        late = n == 0 && atomic_load(&p->shared->steps) == before;
    }
    close(end.fd);
    return ended;
}

static void shared_clear(struct probe_shared *s)
{
    s->end = PROBE_VANISHED;
    s->steps = 0;
    s->call = PROBE_NOTHING;
    s->in_block = false;
    s->n_buffers = 0;
    s->rows = 0;
    s->text[0] = '\0';
}

static pid_t child_start(struct probe *p, const struct probe_run *run, char *results)
{
    pid_t parent = getpid();

    fflush(NULL); /* or the child has it to write, too */
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    probe_child(p, run, results);
}

enum probe_end probe_run(struct probe *p, const struct probe_run *run,
                         enum probe_slot slot, char text[PROBE_TEXT])
{
    struct probe_shared *s = p->shared;
    char where[300], what[600];
    int status = 0;

    text[0] = '\0';
    shared_clear(s);
    pid_t pid = child_start(p, run, p->slots[slot]);
    if (pid < 0) {
        swim_error_sys(&p->err, errno, "start a process for the kernel");
        return PROBE_VANISHED;
    }
    bool ended = child_watch(pid, p, &p->err);
    if (!ended)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    p->rows[slot] = s->rows;
    if (p->err.code != SWIM_OK || s->end == PROBE_DONE)
        return (enum probe_end)s->end;
    where_text(s, where, sizeof(where));
    if (ended || s->end != PROBE_VANISHED)
        what_text(s, status, what, sizeof(what));
    else
        snprintf(what, sizeof(what), "has not returned for %.3g s",
                 (double)p->options->timeout_ms / 1000);
    if (s->end == PROBE_USAGE)
        snprintf(text, PROBE_TEXT, "%s", what);
    else
        snprintf(text, PROBE_TEXT, "%s: %s", where, what);
    return (enum probe_end)s->end;
}
