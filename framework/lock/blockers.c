/* blockers.c - who is in the way: named for people, and ended when they are dead.
 *
 * A process of this host that is dead cannot come back, so its session may be ended by
 * anybody who sees that; of other hosts only the lease tells.  Dead is also what this
 * process was before it became another program, and who had its number before it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "lock_private.h"

static const char *mode_name(const char *ticket)
{
    switch (ticket[0]) {
    case 'R':
        return "READ";
    case 'U':
        return "UPDATE";
    default:
        return "WRITE";
    }
}

static void session_reap(swim_session_t *s, const char *ticket,
                         struct blocker_list *list)
{
    char id[SESSION_ID_MAX];
    const char *end = strrchr(ticket, '/');
    const char *argv[] = {id};
    struct redis_answer *answer = NULL;
    bool unsure = false;

    if (!end || end - ticket < 2)
        return;
    snprintf(id, sizeof(id), "%.*s", (int)(end - ticket - 2), ticket + 2);
    if (session_ask(s, &script_close, 1, argv, swim_clock_mono_ns(), &answer, &unsure,
                    NULL) == SWIM_OK &&
        redis_answer_number(answer) == 1) {
        swim_log(SWIM_LOG_INFO, "lock",
                 "ended the session of a dead process session=%s", id);
        list->reaped++;
    }
    redis_answer_free(answer);
}

static void text_add(struct blocker_list *list, const struct redis_answer *who)
{
    size_t used = strlen(list->text);
    const char *state = redis_answer_text(redis_answer_at(who, 1));
    const char *job = redis_answer_text(redis_answer_at(who, 7));
    const char *user = redis_answer_text(redis_answer_at(who, 8));
    double since = atof(redis_answer_text(redis_answer_at(who, 2))) / 1000;

    if (used > sizeof(list->text) / 2) {
        if (strcmp(list->text + used - 5, ", ...") != 0)
            snprintf(list->text + used, sizeof(list->text) - used, ", ...");
        return;
    }
    used += (size_t)snprintf(list->text + used, sizeof(list->text) - used,
                             "%s%s %s by %.63s:%.20s", used ? ", " : "",
                             mode_name(redis_answer_text(redis_answer_at(who, 0))),
                             state, redis_answer_text(redis_answer_at(who, 3)),
                             redis_answer_text(redis_answer_at(who, 5)));
    if ((user[0] || job[0]) && used < sizeof(list->text))
        used += (size_t)snprintf(
            list->text + used, sizeof(list->text) - used, " (%.32s%s%s%.40s)", user,
            user[0] && job[0] ? ", " : "", job[0] ? "job " : "", job);
    if (strcmp(state, "held") == 0 && used < sizeof(list->text))
        snprintf(list->text + used, sizeof(list->text) - used, " for %.1f s", since);
}

static void holder_read(const swim_session_t *s, const struct redis_answer *who,
                        struct lock_holder *holder)
{
    const char *ticket = redis_answer_text(redis_answer_at(who, 0));
    const char *end = strrchr(ticket, '/');

    if (!end || end - ticket < 2)
        return;
    snprintf(holder->session, sizeof(holder->session), "%.*s", (int)(end - ticket - 2),
             ticket + 2);
    if (strcmp(holder->session, s->id) == 0) { /* the UPDATE that is raised */
        holder->session[0] = '\0';
        return;
    }
    snprintf(holder->host, sizeof(holder->host), "%s",
             redis_answer_text(redis_answer_at(who, 3)));
    snprintf(holder->job, sizeof(holder->job), "%s",
             redis_answer_text(redis_answer_at(who, 7)));
    holder->pid = atoll(redis_answer_text(redis_answer_at(who, 5)));
}

/* Whether the process that has the ticket lives; this one is not watched. */
static enum process_state blocker_watch(const swim_session_t *s,
                                        const struct redis_answer *who, int *fd)
{
    const char *boot = redis_answer_text(redis_answer_at(who, 4));
    int64_t pid = atoll(redis_answer_text(redis_answer_at(who, 5)));
    int64_t start = atoll(redis_answer_text(redis_answer_at(who, 6)));
    const char *image = redis_answer_text(redis_answer_at(who, 10));

    if (process_was_self(&s->self, boot, pid, start, image))
        return PROCESS_DEAD;
    if (strcmp(boot, s->self.boot) == 0 && pid == s->self.pid && start == s->self.start)
        return PROCESS_ALIVE;
    return process_watch(&s->self, boot, pid, start, fd);
}

void blockers_read(swim_session_t *s, const struct redis_answer *answer,
                   struct blocker_list *list)
{
    memset(list, 0, sizeof(*list));
    list->lease_ms = redis_answer_number(redis_answer_at(answer, 1));
    for (size_t i = 3; i < redis_answer_count(answer); i++) {
        const struct redis_answer *who = redis_answer_at(answer, i);
        const char *ticket = redis_answer_text(redis_answer_at(who, 0));
        int fd = -1;

        text_add(list, who);
        if (!list->first.session[0]) /* holders come before those that wait */
            holder_read(s, who, &list->first);
        if (blocker_watch(s, who, &fd) == PROCESS_DEAD)
            session_reap(s, ticket, list);
        if (fd >= 0 && list->fds_count < BLOCKERS_MAX)
            list->fds[list->fds_count++] = fd;
        else if (fd >= 0)
            close(fd);
    }
}

void blockers_drop(struct blocker_list *list)
{
    while (list->fds_count > 0)
        close(list->fds[--list->fds_count]);
}
