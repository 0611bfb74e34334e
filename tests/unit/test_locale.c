/* test_locale.c - the library in a program whose numbers have a decimal comma. */
#include "comma_locale.h"
#include "core/json_out.h"
#include "core/text.h"
#include "lock_tools.h"
#include "store/store_wait.h"

#define WAIT_MS 1000
#define POLLING 12 /* questions in WAIT_MS; two or three are meant */

static struct scratch_dir dir;

static int setup(void **state)
{
    (void)state;
    return scratch_dir_make(&dir);
}

static int teardown(void **state)
{
    (void)state;
    comma_locale_unset();
    return scratch_dir_remove(&dir);
}

static void want_the_comma(void)
{
    if (comma_locale_set(&dir))
        return;
    print_message("a locale with a decimal comma cannot be made of C.UTF-8 here\n");
    skip();
}

static void a_wait_is_a_sleep(void **state)
{
    struct redis_fixture redis;
    swim_session_t *a = NULL, *b = NULL;
    swim_lock_t *held = NULL, *wanted = NULL;
    (void)state;

    want_the_comma();
    assert_int_equal(pair_open(&redis, 60000, &a, &b), 0);
    assert_int_equal(take(a, SWIM_LOCK_WRITE, SWIM_LOCK_TRY, &held), SWIM_OK);
    long before = redis_fixture_calls(&redis, "evalsha");
    assert_int_equal(take(b, SWIM_LOCK_WRITE, WAIT_MS, &wanted), SWIM_ERR_TIMEOUT);
    long asked = redis_fixture_calls(&redis, "evalsha") - before;
    assert_int_equal(swim_lock_release(held, NULL), SWIM_OK);
    pair_close(&redis, a, b);
    if (asked >= POLLING)
        fail_msg("%ld questions in %d ms", asked, WAIT_MS);
}

static void numbers_are_read_with_a_point(void **state)
{
    int64_t wait_ms = 0;
    double value = 0;
    (void)state;

    want_the_comma();
    assert_true(swim_text_real("0.5", &value));
    assert_true(value == 0.5);
    assert_false(swim_text_real("0,5", &value));
    assert_false(swim_text_real("", &value));
    setenv("SWIM_WAIT", "0.5", 1);
    assert_int_equal(store_wait_ms(0, &wait_ms, NULL), SWIM_OK);
    assert_int_equal(wait_ms, 500);
    setenv("SWIM_WAIT", "0,5", 1);
    assert_int_equal(store_wait_ms(0, &wait_ms, NULL), SWIM_ERR_ARG);
    unsetenv("SWIM_WAIT");
}

static void json_is_written_with_a_point(void **state)
{
    char *text = NULL, number[8];
    size_t size = 0;
    (void)state;

    want_the_comma();
    struct json_out j = {.to = open_memstream(&text, &size)};
    assert_non_null(j.to);
    json_out_real(&j, 0.25);
    assert_int_equal(fclose(j.to), 0);
    assert_string_equal(text, "0.250000");
    free(text);
    snprintf(number, sizeof(number), "%.1f", 0.5);
    assert_string_equal(number, "0,5"); /* the program's locale is as it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wait_is_a_sleep),
        TEST(numbers_are_read_with_a_point),
        TEST(json_is_written_with_a_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
