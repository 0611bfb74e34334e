/* meter.h - what a process spends its time with.
 *
 * A meter adds up for how long its process is at each activity, one at a time, so that
 * the sums are all of its life.  It lies in memory that others may read meanwhile; the
 * thread that uses it is the only one that writes.  Layers below tell what they are at
 * and need not know whether anybody counts: without a meter that costs nothing.
 *
 * Threads: a meter belongs to the thread that began it; others have none.
 * Fork:    a child has its parent's, until it begins its own. */
#ifndef SWIM_CORE_METER_H
#define SWIM_CORE_METER_H

#include <stdatomic.h>
#include <stdint.h>

enum swim_activity {
    SWIM_AT_READ,   /* getting bytes of inputs, and all that goes before */
    SWIM_AT_DECODE, /* filters and conversion of what was read */
    SWIM_AT_KERNEL,
    SWIM_AT_ENCODE, /* conversion and filters of what the kernel made */
    SWIM_AT_WRITE,
    SWIM_AT_COMMIT, /* bringing what was written to the disk, and waiting for that */
    SWIM_AT_LOCK,   /* waiting for one */
    SWIM_AT_WAIT,   /* for others of the job to take what is finished */
    SWIM_AT_IDLE,   /* nothing is to be done */
};
#define SWIM_ACTIVITIES 9u

struct swim_meter {
    atomic_llong began_ns, ended_ns; /* CLOCK_MONOTONIC; 0: not yet */
    atomic_llong since_ns;           /* at what it is at */
    atomic_llong spent_ns[SWIM_ACTIVITIES];
    atomic_uint at; /* enum swim_activity */
    atomic_int pid;
};

/* Called when an activity was left for another. */
typedef void (*swim_meter_span_fn)(void *arg, enum swim_activity activity,
                                   int64_t start_ns, int64_t end_ns);

/* This thread is at an activity from start_ns on, and the meter, all zero, is its own.
 * span may be NULL. */
void swim_meter_begin(struct swim_meter *meter, enum swim_activity activity,
                      int64_t start_ns, swim_meter_span_fn span, void *arg);

/* All zero again, for the next one; its process has ended. */
void swim_meter_clear(struct swim_meter *meter);

/* From now on it is at that.  Returns what it was at, to go back to. */
enum swim_activity swim_meter_set(enum swim_activity activity);

/* It has no meter any more, which says so. */
void swim_meter_end(void);

/* What was spent with an activity, as far as it was left, or, for others, up to now_ns
 * when the meter has not ended. */
int64_t swim_meter_spent_ns(const struct swim_meter *meter,
                            enum swim_activity activity);
int64_t swim_meter_spent_until_ns(const struct swim_meter *meter,
                                  enum swim_activity activity, int64_t now_ns);

#endif /* SWIM_CORE_METER_H */
