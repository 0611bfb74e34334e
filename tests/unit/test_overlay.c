/* test_overlay.c - an overlay against an array that notes each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/overlay.h"

#define BYTES 256
#define BARE UINT64_MAX

static void assert_same(struct overlay *o, const uint64_t *sources)
{
    struct overlay_piece *piece = overlay_from(o, 0);
    uint64_t bytes = 0, place = 0;
    size_t count = 0;

    for (; piece; piece = overlay_next(piece), count++) {
        assert_true(piece->place >= place && piece->end > piece->place);
        for (; place < piece->place; place++)
            assert_int_equal(sources[place], BARE);
        for (; place < piece->end; place++)
            assert_int_equal(sources[place], piece->source + (place - piece->place));
        bytes += piece->end - piece->place;
    }
    for (; place < BYTES; place++)
        assert_int_equal(sources[place], BARE);
    assert_int_equal(o->count, count);
    assert_int_equal(o->bytes, bytes);
}

static void the_newest_covers_and_the_rest_stays(void **state)
{
    struct overlay o;
    uint64_t sources[BYTES];

    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        srand(seed);
        overlay_init(&o);
        memset(sources, 0xff, sizeof(sources));
        for (uint64_t n = 1; n <= 100; n++) {
            uint64_t place = (uint64_t)(rand() % BYTES);
            uint64_t size = 1 + (uint64_t)rand() % (uint64_t)(seed % 3 ? 16 : BYTES);
            size = size < BYTES - place ? size : BYTES - place;
            assert_int_equal(overlay_put(&o, place, size, n * 1000, NULL), 0);
            for (uint64_t i = 0; i < size; i++)
                sources[place + i] = n * 1000 + i;
            assert_same(&o, sources);
        }
        overlay_clear(&o);
        assert_int_equal(o.count + o.bytes, 0);
    }
}

static void a_piece_is_found_by_any_place_before_its_end(void **state)
{
    struct overlay o;

    (void)state;
    overlay_init(&o);
    assert_null(overlay_from(&o, 0));
    assert_int_equal(overlay_put(&o, 10, 10, 0, NULL), 0);
    assert_int_equal(overlay_put(&o, 30, 10, 0, NULL), 0);
    assert_int_equal(overlay_from(&o, 0)->place, 10);
    assert_int_equal(overlay_from(&o, 19)->place, 10);
    assert_int_equal(overlay_from(&o, 20)->place, 30);
    assert_null(overlay_from(&o, 40));
    assert_int_equal(overlay_put(&o, UINT64_MAX - 9, 9, 7, NULL), 0);
    assert_int_equal(overlay_from(&o, UINT64_MAX - 2)->source, 7);
    overlay_clear(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_covers_and_the_rest_stays),
        cmocka_unit_test(a_piece_is_found_by_any_place_before_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
