/* test_meter.c - what a process spends its time with adds up to its life. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/meter.h"

struct spans {
    unsigned n;
    enum swim_activity activity[8];
    int64_t start_ns[8], end_ns[8];
};

static void span(void *arg, enum swim_activity activity, int64_t start_ns,
                 int64_t end_ns)
{
    struct spans *spans = arg;

    spans->activity[spans->n] = activity;
    spans->start_ns[spans->n] = start_ns;
    spans->end_ns[spans->n++] = end_ns;
}

static int64_t sum_until(const struct swim_meter *meter, int64_t now)
{
    int64_t sum = 0;

    for (unsigned a = 0; a < SWIM_ACTIVITIES; a++)
        sum += swim_meter_spent_until_ns(meter, (enum swim_activity)a, now);
    return sum;
}

static void the_sums_are_the_life(void **state)
{
    struct swim_meter meter = {0};
    struct spans spans = {0};
    const int64_t start = swim_clock_mono_ns() - 1000000;

    (void)state;
    swim_meter_begin(&meter, SWIM_AT_READ, start, span, &spans);
    assert_int_equal(meter.pid, getpid());
    assert_int_equal(swim_meter_set(SWIM_AT_KERNEL), SWIM_AT_READ);
    assert_int_equal(swim_meter_set(SWIM_AT_KERNEL), SWIM_AT_KERNEL); /* no change */
    assert_int_equal(swim_meter_set(SWIM_AT_LOCK), SWIM_AT_KERNEL);
    const int64_t later = swim_clock_mono_ns() + 1000000;
    assert_int_equal(sum_until(&meter, later), later - start);
    assert_int_equal(swim_meter_set(SWIM_AT_READ), SWIM_AT_LOCK); /* once more */
    swim_meter_end();
    assert_int_equal(sum_until(&meter, INT64_MAX), meter.ended_ns - start);
    assert_int_equal(spans.n, 4);
    assert_int_equal(spans.activity[2], SWIM_AT_LOCK);
    assert_int_equal(spans.start_ns[0], start);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(spans.end_ns[i],
                         i < 3 ? spans.start_ns[i + 1] : (int64_t)meter.ended_ns);
    assert_int_equal(swim_meter_set(SWIM_AT_IDLE), SWIM_AT_IDLE); /* it has none now */
    swim_meter_clear(&meter);
    assert_int_equal(sum_until(&meter, 0), 0);
}

static void *other_thread(void *arg)
{
    struct swim_meter *meter = arg;

    (void)swim_meter_set(SWIM_AT_COMMIT);
    assert_int_equal(meter->at, SWIM_AT_WRITE);
    return NULL;
}

static void other_threads_do_not_count(void **state)
{
    struct swim_meter meter = {0};
    pthread_t thread;

    (void)state;
    swim_meter_begin(&meter, SWIM_AT_WRITE, swim_clock_mono_ns(), NULL, NULL);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &meter), 0);
    pthread_join(thread, NULL);
    assert_int_equal(swim_meter_set(SWIM_AT_IDLE), SWIM_AT_WRITE);
    swim_meter_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sums_are_the_life),
        cmocka_unit_test(other_threads_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
