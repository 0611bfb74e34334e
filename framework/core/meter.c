/* meter.c - what a process spends its time with. */
#include "core/meter.h"

#include <stddef.h>
#include <unistd.h>

#include "core/clock.h"

/* Written by one thread alone: no exchange is needed to add to one. */
#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

static _Thread_local struct {
    struct swim_meter *meter;
    swim_meter_span_fn span;
    void *arg;
} mine;

void swim_meter_begin(struct swim_meter *meter, enum swim_activity activity,
                      int64_t start_ns, swim_meter_span_fn span, void *arg)
{
    PUT(meter->at, activity);
    PUT(meter->since_ns, start_ns);
    PUT(meter->began_ns, start_ns);
    PUT(meter->pid, (int)getpid());
    mine.meter = meter;
    mine.span = span;
    mine.arg = arg;
}

void swim_meter_clear(struct swim_meter *meter)
{
    PUT(meter->began_ns, 0);
    PUT(meter->ended_ns, 0);
    PUT(meter->since_ns, 0);
    PUT(meter->pid, 0);
    for (unsigned a = 0; a < SWIM_ACTIVITIES; a++)
        PUT(meter->spent_ns[a], 0);
}

static void leave(enum swim_activity was, int64_t now)
{
    struct swim_meter *m = mine.meter;
    const int64_t since = GET(m->since_ns);

    PUT(m->spent_ns[was], GET(m->spent_ns[was]) + now - since);
    PUT(m->since_ns, now);
    if (mine.span)
        mine.span(mine.arg, was, since, now);
}

enum swim_activity swim_meter_set(enum swim_activity activity)
{
    if (!mine.meter)
        return activity;
    const enum swim_activity was = (enum swim_activity)GET(mine.meter->at);
    if (was != activity) {
        leave(was, swim_clock_mono_ns());
        PUT(mine.meter->at, activity);
    }
    return was;
}

void swim_meter_end(void)
{
    if (!mine.meter)
        return;
    const int64_t now = swim_clock_mono_ns();
    leave((enum swim_activity)GET(mine.meter->at), now);
    PUT(mine.meter->ended_ns, now);
    mine.meter = NULL;
}

int64_t swim_meter_spent_ns(const struct swim_meter *meter, enum swim_activity activity)
{
    return GET(meter->spent_ns[activity]);
}

int64_t swim_meter_spent_until_ns(const struct swim_meter *meter,
                                  enum swim_activity activity, int64_t now_ns)
{
    const int64_t spent = GET(meter->spent_ns[activity]);

    if (GET(meter->ended_ns) || GET(meter->at) != activity)
        return spent;
    return spent + now_ns - GET(meter->since_ns);
}
