/* process.h - who a process is, and whether it still lives. */
#ifndef SWIM_LOCK_PROCESS_H
#define SWIM_LOCK_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process_id {
    char host[64];
    char boot[64]; /* boot id, pid and time namespace: where pid and start mean
                      something; "": not known */
    char user[64];
    int64_t pid;
    int64_t start;  /* in clock ticks since boot; 0: not known */
    char image[16]; /* which of its programs this is, after exec; "": not known */
};

enum process_state { PROCESS_ELSEWHERE, PROCESS_ALIVE, PROCESS_DEAD };

void process_self(struct process_id *self);

/* Whether it is this process before its last exec: of that program nothing is left. */
bool process_was_self(const struct process_id *self, const char *boot, int64_t pid,
                      int64_t start, const char *image);

/* Only where boot is the same as self->boot can anything be known.  *pidfd becomes
 * readable when a live one dies; -1: not to be had. */
enum process_state process_watch(const struct process_id *self, const char *boot,
                                 int64_t pid, int64_t start, int *pidfd);

#endif /* SWIM_LOCK_PROCESS_H */
