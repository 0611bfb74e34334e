/* test_json_out.c - JSON that every reader takes, whatever bytes are given. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/json_out.h"

static json_t *read_back(void (*write)(struct json_out *j))
{
    char *text = NULL;
    size_t size = 0;
    struct json_out j = {.to = open_memstream(&text, &size)};
    json_error_t error;

    json_out_open(&j, '{');
    write(&j);
    json_out_close(&j, '}');
    assert_int_equal(fclose(j.to), 0);
    json_t *read = json_loads(text, JSON_ALLOW_NUL, &error);
    if (!read)
        fail_msg("%s in %s", error.text, text);
    free(text);
    return read;
}

static void write_numbers(struct json_out *j)
{
    const uint64_t three[] = {1, 2, 3};

    json_out_number_of(j, "low", INT64_MIN);
    json_out_number_of(j, "high", INT64_MAX);
    json_out_number_of(j, "zero", 0);
    json_out_real_of(j, "real", 1.25);
    json_out_real_of(j, "none", 0.0 / (j->depth - 1.0)); /* no number at all */
    json_out_numbers_of(j, "three", three, 3);
    json_out_numbers_of(j, "empty", three, 0);
}

static void numbers_are_what_they_were(void **state)
{
    json_t *r = read_back(write_numbers);

    (void)state;
    assert_int_equal(json_integer_value(json_object_get(r, "low")), INT64_MIN);
    assert_int_equal(json_integer_value(json_object_get(r, "high")), INT64_MAX);
    assert_int_equal(json_integer_value(json_object_get(r, "zero")), 0);
    assert_true(json_real_value(json_object_get(r, "real")) == 1.25);
    assert_true(json_real_value(json_object_get(r, "none")) == 0);
    assert_int_equal(json_array_size(json_object_get(r, "three")), 3);
    assert_int_equal(json_array_size(json_object_get(r, "empty")), 0);
    json_decref(r);
}

static const char every_byte[] = "\x01\x1f\"\\/\n\t\x7f";
static const char letters[] = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8a";

static void write_texts(struct json_out *j)
{
    json_out_text_of(j, "bytes", every_byte);
    json_out_text_of(j, "letters", letters);
    json_out_text_of(j, "null", NULL);
    /* A byte that stands alone, one too many, too long a form, a surrogate, too far, an
     * end within a letter. */
    json_out_text_of(j, "broken",
                     "a\xff"
                     "b\x80"
                     "c\xc0\x80"
                     "d\xed\xa0\x80"
                     "e\xf4\x90\x80\x80"
                     "f\xe2\x82");
    json_out_key(j, "list");
    json_out_open(j, '[');
    json_out_text(j, "x");
    json_out_null(j);
    json_out_open(j, '{');
    json_out_close(j, '}');
    json_out_close(j, ']');
}

static void texts_of_any_bytes_are_texts(void **state)
{
    json_t *r = read_back(write_texts);
    const char *broken = json_string_value(json_object_get(r, "broken"));

    (void)state;
    assert_string_equal(json_string_value(json_object_get(r, "bytes")), every_byte);
    assert_string_equal(json_string_value(json_object_get(r, "letters")), letters);
    assert_true(json_is_null(json_object_get(r, "null")));
    assert_memory_equal(broken,
                        "a\xef\xbf\xbd"
                        "b\xef\xbf\xbd"
                        "c\xef\xbf\xbd\xef\xbf\xbd"
                        "d",
                        16);
    assert_int_equal(json_array_size(json_object_get(r, "list")), 3);
    json_decref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_what_they_were),
        cmocka_unit_test(texts_of_any_bytes_are_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
