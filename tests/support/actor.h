/* actor.h - a process of its own that holds a lock and does what it is told.
 *
 * It is this test program again, started with --actor: main() must give
 * actor_main() its arguments first. */
#ifndef SWIM_ACTOR_H
#define SWIM_ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <h5swim/lock.h>

struct actor {
    pid_t pid;
    int in, out; /* its stdin, its stdout */
};

/* Not an actor: false.  Else it does not return. */
bool actor_main(int argc, char **argv);

/* Start one that asks for a lock at once and says with which result (actor_hear). */
int actor_start(struct actor *a, const char *url, uint32_t lease_ms,
                enum swim_lock_mode mode, const char *resource, int64_t wait_ms);
/* Say a letter: c check, r release, x close the session and exit with 0. */
void actor_tell(struct actor *a, char what);
/* What it says, at most 10 s: a status; *fence may be NULL.  1: nothing came. */
int actor_hear(struct actor *a, uint64_t *fence);
/* Wait for its end, at most 10 s: its wait status, -1 when it goes on. */
int actor_reap(struct actor *a);
void actor_kill(struct actor *a);

#endif /* SWIM_ACTOR_H */
