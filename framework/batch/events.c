/* events.c - what the processes of a rank tell it of their time, for its record. */
#include "batch/events.h"

#include <stdio.h>
#include <string.h>

#define GAP_NS 1000000LL /* shorter ones do not end a span */

/* Of a place; CLAIMED: plus the process. */
enum { PLACE_FREE, PLACE_FULL, PLACE_CLAIMED };

static void place_fill(struct events *events, struct event *event)
{
    atomic_store(&event->state, PLACE_FULL);
    atomic_fetch_add(&events->told, 1);
}

static struct event *place_claim(struct events *events, uint32_t process)
{
    const unsigned first = atomic_load_explicit(&events->next, memory_order_relaxed);

    for (unsigned i = 0; i < EVENTS; i++) {
        struct event *event = &events->list[(first + i) % EVENTS];
        unsigned expected = PLACE_FREE;
        if (atomic_compare_exchange_strong(&event->state, &expected,
                                           PLACE_CLAIMED + process)) {
            atomic_store_explicit(&events->next, first + i + 1, memory_order_relaxed);
            event->process = process;
            return event;
        }
    }
    atomic_fetch_add(&events->lost, 1);
    return NULL;
}

void teller_flush(struct teller *t)
{
    struct event *event = t->end_ns ? place_claim(t->events, t->process) : NULL;

    if (event) {
        event->is_lock_wait = false;
        event->activity = t->activity;
        event->start_ns = t->start_ns;
        event->end_ns = t->end_ns;
        place_fill(t->events, event);
    }
    t->end_ns = 0;
}

void teller_span(void *teller, enum swim_activity activity, int64_t start_ns,
                 int64_t end_ns)
{
    struct teller *t = teller;

    if (activity != SWIM_AT_WRITE && activity != SWIM_AT_COMMIT &&
        activity != SWIM_AT_LOCK)
        return;
    if (t->end_ns && t->activity == activity && start_ns - t->end_ns < GAP_NS) {
        t->end_ns = end_ns;
        return;
    }
    teller_flush(t);
    t->activity = activity;
    t->start_ns = start_ns;
    t->end_ns = end_ns;
}

void event_of_wait(struct event *event, const struct lock_waited *waited)
{
    const size_t len = strlen(waited->resource), most = sizeof(event->resource) - 1;

    event->is_lock_wait = true;
    event->activity = SWIM_AT_LOCK;
    event->start_ns = waited->start_ns;
    event->end_ns = waited->end_ns;
    event->mode = waited->mode;
    snprintf(event->resource, sizeof(event->resource), "%s",
             waited->resource + (len > most ? len - most : 0));
    event->holder = *waited->holder;
}

void teller_wait(void *teller, const struct lock_waited *waited)
{
    struct teller *t = teller;
    struct event *event = place_claim(t->events, t->process);

    if (!event)
        return;
    event_of_wait(event, waited);
    place_fill(t->events, event);
}

void events_drain(struct events *events,
                  void (*fn)(void *arg, const struct event *event), void *arg)
{
    const unsigned told = atomic_load(&events->told);

    if (told == atomic_load_explicit(&events->heard, memory_order_relaxed))
        return;
    atomic_store_explicit(&events->heard, told, memory_order_relaxed);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct event *event = &events->list[i];
        if (atomic_load(&event->state) != PLACE_FULL)
            continue;
        fn(arg, event);
        atomic_store(&event->state, PLACE_FREE);
    }
}

void events_forget(struct events *events, uint32_t process)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned expected = PLACE_CLAIMED + process;
        atomic_compare_exchange_strong(&events->list[i].state, &expected, PLACE_FREE);
    }
}
