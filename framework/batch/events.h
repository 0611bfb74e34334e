/* events.h - what the processes of a rank tell it of their time, for its record.
 *
 * A few places in shared memory, each of which goes FREE -> claimed -> FULL -> FREE:
 * anybody claims one that is FREE, and the rank takes what is FULL.  Nobody waits:
 * where none is FREE the event is lost, and counted.  What a process that died had
 * claimed is FREE again once the rank says so. */
#ifndef SWIM_BATCH_EVENTS_H
#define SWIM_BATCH_EVENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/meter.h"
#include "lock/waits.h"

#define EVENTS 256u

struct event {
    atomic_uint state;
    uint32_t process;  /* the number that its record has for it */
    bool is_lock_wait; /* else a span of time at that activity */
    enum swim_activity activity;
    int64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    /* Of a wait: */
    enum swim_lock_mode mode;
    char resource[256]; /* of a long name the end */
    struct lock_holder holder;
};

struct events {
    atomic_ullong lost;
    atomic_uint next;        /* about where one is FREE */
    atomic_uint told, heard; /* how many were FULL so far, and when last looked at */
    struct event list[EVENTS];
};

/* One who tells: a worker, in its own memory. */
struct teller {
    struct events *events;
    uint32_t process;
    enum swim_activity activity; /* of the span that may go on yet: end_ns 0, none */
    int64_t start_ns, end_ns;
};

/* A swim_meter_span_fn for a teller: it was at that.  Of writing, committing and
 * waiting for locks it tells; spans at the same thing with next to nothing in between
 * are one. */
void teller_span(void *teller, enum swim_activity activity, int64_t start_ns,
                 int64_t end_ns);

/* The span that may go on yet is told. */
void teller_flush(struct teller *teller);

/* A lock_waits_fn. */
void teller_wait(void *teller, const struct lock_waited *waited);

/* What there is of a wait, without who it is of. */
void event_of_wait(struct event *event, const struct lock_waited *waited);

/* fn with each event that is FULL, which it may not keep. */
void events_drain(struct events *events,
                  void (*fn)(void *arg, const struct event *event), void *arg);

/* The process with that number is dead. */
void events_forget(struct events *events, uint32_t process);

#endif /* SWIM_BATCH_EVENTS_H */
