/* test_progress.c - the line that tells how far a job is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "batch/progress.h"

static const struct progress_numbers half = {
    .name = "wind_speed",
    .done = 20,
    .total = 40,
    .failed = 2,
    .gb_in = 1.25,
    .gb_out = 0.5,
    .left_s = 12,
    .lock_share = 0.031,
    .ranks = 4,
};

static void a_file_gets_all_of_it(void **state)
{
    char line[PROGRESS_LINE_SIZE];

    (void)state;
    progress_line(&half, 0, false, line);
    assert_string_equal(line, "wind_speed [==========..........] 20/40 blocks  2 failed"
                              "  1.25 GB/s in, 0.50 out  ETA 12 s  locks 3 %  4 ranks");
}

static void every_width_gets_a_line_that_fits(void **state)
{
    char line[PROGRESS_LINE_SIZE];

    (void)state;
    for (unsigned width = 1; width < 200; width++) {
        progress_line(&half, width, false, line);
        assert_true(strlen(line) <= width);
        if (width >= 12)
            assert_non_null(strstr(line, "20/40 blocks"));
        if (width >= 22)
            assert_non_null(strstr(line, "2 failed"));
        if (width >= 32)
            assert_non_null(strstr(line, "ETA 12 s"));
        if (width >= 60)
            assert_non_null(strstr(line, "[=="));
    }
    progress_line(&half, 160, false, line);
    assert_non_null(strstr(line, "[===============...............]"));
    assert_non_null(strstr(line, "4 ranks"));
}

/* Without the colours it is the same line. */
static void colours_take_no_room(void **state)
{
    char plain[PROGRESS_LINE_SIZE], colours[PROGRESS_LINE_SIZE],
        without[PROGRESS_LINE_SIZE];
    size_t n = 0;

    (void)state;
    progress_line(&half, 100, false, plain);
    progress_line(&half, 100, true, colours);
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(colours, "\033[31m2 failed\033[0m"));
    for (const char *c = colours; *c; c++)
        if (*c == '\033')
            c = strchr(c, 'm');
        else
            without[n++] = *c;
    without[n] = '\0';
    assert_string_equal(without, plain);
}

static void a_long_name_is_cut_between_letters(void **state)
{
    struct progress_numbers numbers = half;
    char line[PROGRESS_LINE_SIZE];

    (void)state;
    numbers.name = "abcdefghijklmnopqrs\xc3\xa4\xc3\xb6";
    progress_line(&numbers, 79, false, line);
    assert_memory_equal(line, "abcdefghijklmnopqrs ", 20);
}

static void what_is_not_known_is_not_made_up(void **state)
{
    struct progress_numbers numbers = {.name = "job", .total = 0, .left_s = -1};
    char line[PROGRESS_LINE_SIZE];

    (void)state;
    progress_line(&numbers, 0, false, line);
    assert_string_equal(line, "job [====================] 0/0 blocks  "
                              "0.00 GB/s in, 0.00 out  ETA ?  locks 0 %");
    numbers.done = 7; /* a job that grows */
    progress_line(&numbers, 0, false, line);
    assert_non_null(strstr(line, "[====================] 7/0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gets_all_of_it),
        cmocka_unit_test(every_width_gets_a_line_that_fits),
        cmocka_unit_test(colours_take_no_room),
        cmocka_unit_test(a_long_name_is_cut_between_letters),
        cmocka_unit_test(what_is_not_known_is_not_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
