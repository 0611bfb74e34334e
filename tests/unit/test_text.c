/* test_text.c - the nearest word, bytes for people, the error record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include <h5swim/error.h>

#include "core/text.h"

static const char *const words[] = {"inputs", "outputs", "kernel", "params", "block"};

static void a_slip_of_the_pen_finds_its_word(void **state)
{
    (void)state;
    assert_string_equal(swim_text_nearest("ouputs", words, 5), "outputs");
    assert_string_equal(swim_text_nearest("kernle", words, 5), "kernel");
    assert_string_equal(swim_text_nearest("BLOCK", words, 5), "block");
    assert_string_equal(swim_text_nearest("param", words, 5), "params");
}

static void a_word_unlike_all_finds_none(void **state)
{
    char longest[1000];
    (void)state;

    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_null(swim_text_nearest("zebra", words, 5));
    assert_null(swim_text_nearest(longest, words, 5));
    assert_null(swim_text_nearest("inputs", words, 0));
}

static void bytes_are_rounded_to_their_unit(void **state)
{
    char buf[32];
    (void)state;

    assert_string_equal(swim_text_bytes(0, buf, sizeof(buf)), "0 bytes");
    assert_string_equal(swim_text_bytes(1536, buf, sizeof(buf)), "1.5 KiB");
    assert_string_equal(swim_text_bytes((uint64_t)256 << 20, buf, sizeof(buf)),
                        "256 MiB");
}

static void shapes_are_written_with_crosses(void **state)
{
    const uint64_t shape[] = {12, 73, 144};
    char buf[32], little[6];
    (void)state;

    assert_string_equal(swim_text_shape(shape, 3, buf, sizeof(buf)), "12 x 73 x 144");
    assert_string_equal(swim_text_shape(shape, 0, buf, sizeof(buf)), "a scalar");
    assert_string_equal(swim_text_shape(shape, 3, little, sizeof(little)), "12 x ");
}

static void the_first_error_is_kept_on_one_line(void **state)
{
    swim_error_t err = {0};
    (void)state;

    assert_int_equal(swim_error_set(&err, SWIM_ERR_ARG, "a\nb"), SWIM_ERR_ARG);
    assert_int_equal(swim_error_set(&err, SWIM_ERR_IO, "later"), SWIM_ERR_IO);
    assert_int_equal(err.code, SWIM_ERR_ARG);
    assert_string_equal(err.text, "a b");
    swim_error_clear(&err);
    swim_error_set(&err, SWIM_ERR_ARG, "\033[31m\t\303\244\r\x7f");
    assert_string_equal(err.text, "?[31m \303\244 ?");
    swim_error_clear(&err);
    assert_int_equal(swim_error_sys(&err, ENOSPC, "write %s", "x"), SWIM_ERR_IO);
    assert_string_equal(err.text, "write x: No space left on device");
    assert_int_equal(swim_error_set(NULL, SWIM_ERR_LOST, "nobody"), SWIM_ERR_LOST);
}

static void a_long_text_is_cut_not_overrun(void **state)
{
    char longest[2000];
    swim_error_t err = {0};
    (void)state;

    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    swim_error_sys(&err, EIO, "%s", longest);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_non_null(strstr(err.text, "xxx...xxx"));
    assert_non_null(strstr(err.text, "xxx: Input/output error"));
    swim_error_clear(&err);
    swim_error_set(&err, SWIM_ERR_ARG, "open %s: it is gone", longest);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_non_null(strstr(err.text, "xxx: it is gone"));
}

/* Whatever part of one is where it is cut. */
static void no_character_is_cut(void **state)
{
    char text[1000], buf[400];
    (void)state;

    for (size_t before = 0; before < 8; before++) {
        memset(text, 'x', before);
        for (size_t i = before; i + 4 < sizeof(text); i += 3)
            memcpy(text + i, "\342\202\254", 4); /* the sign of the euro */
        swim_text_fit(text, buf, sizeof(buf));
        assert_true(strlen(buf) < sizeof(buf) && strlen(buf) >= sizeof(buf) - 5);
        size_t left = strlen(buf) - before - 3;
        assert_int_equal(left % 3, 0);
        assert_non_null(strstr(buf, "\342\202\254...\342\202\254"));
    }
    swim_text_fit("it has room", buf, sizeof(buf));
    assert_string_equal(buf, "it has room");
    memset(text, 'x', 399);
    text[399] = '\0';
    swim_text_fit(text, buf, sizeof(buf));
    assert_string_equal(buf, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_of_the_pen_finds_its_word),
        cmocka_unit_test(a_word_unlike_all_finds_none),
        cmocka_unit_test(bytes_are_rounded_to_their_unit),
        cmocka_unit_test(shapes_are_written_with_crosses),
        cmocka_unit_test(the_first_error_is_kept_on_one_line),
        cmocka_unit_test(a_long_text_is_cut_not_overrun),
        cmocka_unit_test(no_character_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
