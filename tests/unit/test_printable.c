/* test_printable.c - nothing that a terminal could act on gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/printable.h"

static void shown_as(const char *text, int columns, const char *wanted, int width)
{
    char buf[256];

    assert_int_equal(swim_printable(text, columns, buf, sizeof(buf)), width);
    assert_string_equal(buf, wanted);
}

static void plain_names_stay(void **state)
{
    (void)state;
    shown_as("/data/winds 2.h5", 0, "/data/winds 2.h5", 16);
    shown_as("", 0, "", 0);
    shown_as("a\\b", 0, "a\\\\b", 4);
}

static void what_a_terminal_acts_on_is_escaped(void **state)
{
    (void)state;
    shown_as("\x1b[31mred", 0, "\\x1b[31mred", 11);
    shown_as("a\nb\tc\rd", 0, "a\\x0ab\\x09c\\x0dd", 16);
    shown_as("\x7f", 0, "\\x7f", 4);
    shown_as("\x9b" /* CSI of 8 bits */ "2J", 0, "\\x9b2J", 6);
    for (int c = 1; c < 256; c++) {
        const char text[] = {(char)c, '\0'};
        char buf[16];
        swim_printable(text, 0, buf, sizeof(buf));
        for (const char *at = buf; *at; at++)
            assert_true(*at >= ' ' && *at <= '~');
    }
}

static void letters_of_the_locale_stay_and_tricks_do_not(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    shown_as("Gr\xc3\xb6nland", 0, "Gr\xc3\xb6nland", 8);
    shown_as("\xe6\xb5\xb7", 0, "\xe6\xb5\xb7", 2); /* two columns wide */
    shown_as("a\xe2\x80\xae"
             "b",
             0, "a\\xe2\\x80\\xaeb", 14);       /* right to left */
    shown_as("o\xcc\x88", 0, "o\\xcc\\x88", 9); /* lies over the o */
    shown_as("\xc2\x9b"
             "2J",
             0, "\\xc2\\x9b2J", 10);                      /* CSI in UTF-8 */
    shown_as("\xe2\x80\xa8", 0, "\\xe2\\x80\\xa8", 12);   /* ends a line */
    shown_as("\xc3(\xff\xc3", 0, "\\xc3(\\xff\\xc3", 13); /* no text */
    shown_as("\xed\xa0\x80\xc0\xaf", 0, "\\xed\\xa0\\x80\\xc0\\xaf", 20);
    setlocale(LC_CTYPE, "C");
    shown_as("\xc3\xb6", 0, "\\xc3\\xb6", 8);
}

static void what_is_too_wide_is_cut(void **state)
{
    (void)state;
    shown_as("12345678", 8, "12345678", 8);
    shown_as("123456789", 8, "12345...", 8);
    shown_as("1234\x1b"
             "56789",
             8, "1234...", 7); /* no half of an escape */
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    shown_as("\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7", 8,
             "\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7", 8);
    shown_as("\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7\xe6\xb5\xb7x", 8,
             "\xe6\xb5\xb7\xe6\xb5\xb7...", 7);
    setlocale(LC_CTYPE, "C");
}

static void a_small_buffer_is_never_overrun(void **state)
{
    char buf[64];

    (void)state;
    for (size_t size = 1; size < 16; size++)
        for (int columns = 0; columns < 12; columns += 3) {
            memset(buf, '#', sizeof(buf));
            swim_printable("ab\x1b\\cdefghijklmnopqrst", columns, buf, size);
            assert_true(strlen(buf) < size);
            assert_int_equal(buf[size], '#');
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_stay),
        cmocka_unit_test(what_a_terminal_acts_on_is_escaped),
        cmocka_unit_test(letters_of_the_locale_stay_and_tricks_do_not),
        cmocka_unit_test(what_is_too_wide_is_cut),
        cmocka_unit_test(a_small_buffer_is_never_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
