/* test_url.c - the address of a lock server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lock/url.h"

static void urls_are_read_in_their_parts(void **state)
{
    static const struct {
        const char *text, *place, *user, *password, *shown;
        int port, db;
    } table[] = {
        {"redis://h", "h", "", "", "redis://h:6379", 6379, 0},
        {"REDIS://h/", "h", "", "", "redis://h:6379", 6379, 0},
        {"redis://h:7000/3", "h", "", "", "redis://h:7000/3", 7000, 3},
        {"redis://:pw@h", "h", "", "pw", "redis://h:6379", 6379, 0},
        {"redis://me:p%40w%3a@h:1", "h", "me", "p@w:", "redis://h:1", 1, 0},
        {"redis://me:a@b@h", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://me@h", "h", "me", "", "redis://h:6379", 6379, 0},
        {"redis://[::1]:9/2", "::1", "", "", "redis://[::1]:9/2", 9, 2},
        {"unix:///run/r.sock", "/run/r.sock", "", "", "unix:///run/r.sock", 0, 0},
        {"unix://u:p@/r%20s?db=4", "/r s", "u", "p", "unix:///r s?db=4", 0, 4},
        {"", NULL, NULL, NULL, NULL, 0, 0},
        {"h:6379", NULL, NULL, NULL, NULL, 0, 0},
        {"http://h", NULL, NULL, NULL, NULL, 0, 0},
        {"rediss://h", "h", "", "", "rediss://h:6379", 6379, 0},
        {"rediss://me:p@[::1]:7/2", "::1", "me", "p", "rediss://[::1]:7/2", 7, 2},
        {"rediss://", NULL, NULL, NULL, NULL, 0, 0},
        {"rediss:///r.sock", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://@h", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h:", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h:0", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h:65536", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h:-1", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h/x", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h/1?x=2", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h%0a", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h%00", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://h%2", NULL, NULL, NULL, NULL, 0, 0},
        {"redis://[::1", NULL, NULL, NULL, NULL, 0, 0},
        {"unix://r.sock", NULL, NULL, NULL, NULL, 0, 0},
        {"unix:///r?d=1", NULL, NULL, NULL, NULL, 0, 0},
        {"unix:///r?db=", NULL, NULL, NULL, NULL, 0, 0},
        {"unix:///r#x", NULL, NULL, NULL, NULL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct lock_url url;
        swim_error_t err = {0};
        char shown[320];
        int rc = lock_url_parse(table[i].text, &url, &err);
        if (!table[i].place) {
            if (rc != SWIM_ERR_ARG)
                fail_msg("%s was taken", table[i].text);
            continue;
        }
        if (rc != SWIM_OK)
            fail_msg("%s: %s", table[i].text, err.text);
        assert_string_equal(url.is_unix ? url.path : url.host, table[i].place);
        assert_string_equal(url.user, table[i].user);
        assert_string_equal(url.password, table[i].password);
        assert_int_equal(url.port, table[i].port);
        assert_int_equal(url.db, table[i].db);
        assert_int_equal(url.is_tls, strncmp(table[i].text, "rediss", 6) == 0);
        assert_string_equal(lock_url_show(&url, shown, sizeof(shown)), table[i].shown);
    }
}

static void no_error_quotes_a_password(void **state)
{
    static const char *const table[] = {
        "redis://me:SECRET@h:port",
        "redis://:SECRET",
        "redis://me:SECRET@",
        "redis://me:SECRET%zz@h",
        "rediss://me:SECRET@h:port",
        "unix://u:SECRET@x",
        "me:SECRET@h",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct lock_url url;
        swim_error_t err = {0};
        assert_int_equal(lock_url_parse(table[i], &url, &err), SWIM_ERR_ARG);
        assert_null(strstr(err.text, "SECRET"));
        assert_int_equal(url.password[0], 0);
    }
}

static void a_socket_becomes_a_url_and_back(void **state)
{
    struct lock_url url;
    char text[400], path[120];

    (void)state;
    assert_int_equal(
        lock_url_of_socket("/a b/%?#@\xc3\xa4/r.sock", NULL, text, sizeof(text), NULL),
        SWIM_OK);
    assert_int_equal(lock_url_parse(text, &url, NULL), SWIM_OK);
    assert_string_equal(url.path, "/a b/%?#@\xc3\xa4/r.sock");
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[108] = '\0';
    assert_int_equal(lock_url_of_socket(path, NULL, text, sizeof(text), NULL),
                     SWIM_ERR_ARG);
    path[107] = '\0';
    assert_int_equal(lock_url_of_socket(path, NULL, text, sizeof(text), NULL), SWIM_OK);
    assert_int_equal(lock_url_parse(text, &url, NULL), SWIM_OK);
    assert_int_equal(lock_url_of_socket(path, NULL, text, 20, NULL), SWIM_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read_in_their_parts),
        cmocka_unit_test(no_error_quotes_a_password),
        cmocka_unit_test(a_socket_becomes_a_url_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
