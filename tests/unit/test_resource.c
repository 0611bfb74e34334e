/* test_resource.c - one name for a file, however it is reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/lock.h>

static char dir[64];
static const char *const names[] = {"link", "dangling", "loop", "a.h5"};

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/swim-test-XXXXXX");
    if (!mkdtemp(dir) || chdir(dir) != 0)
        return -1;
    int fd = open("a.h5", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    return fd < 0 || symlink("a.h5", "link") != 0 || symlink("none", "dangling") != 0 ||
           symlink("loop", "loop") != 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unlink(names[i]);
    return chdir("/") || rmdir(dir);
}

static void all_ways_to_a_file_are_one_resource(void **state)
{
    const char *ways[] = {"a.h5", "./a.h5", "link", ".//./link", "../%s/a.h5"};
    char wanted[100], way[100], got[PATH_MAX];

    (void)state;
    snprintf(wanted, sizeof(wanted), "%s/a.h5", dir);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        if (i == 4)
            snprintf(way, sizeof(way), "../%s/a.h5", dir + strlen("/tmp/"));
        else
            snprintf(way, sizeof(way), "%s", ways[i]);
        assert_int_equal(swim_resource_of_file(way, got, sizeof(got), NULL), SWIM_OK);
        assert_string_equal(got, wanted);
    }
}

static void a_new_file_has_the_name_that_it_will_have(void **state)
{
    char wanted[100], got[PATH_MAX];

    (void)state;
    snprintf(wanted, sizeof(wanted), "%s/new.h5", dir);
    assert_int_equal(swim_resource_of_file("./new.h5", got, sizeof(got), NULL),
                     SWIM_OK);
    assert_string_equal(got, wanted);
    assert_int_equal(swim_resource_of_file("new.h5", got, sizeof(got), NULL), SWIM_OK);
    assert_string_equal(got, wanted);
    assert_int_equal(swim_resource_of_file("/new.h5", got, sizeof(got), NULL), SWIM_OK);
    assert_string_equal(got, "/new.h5");
}

static void what_leads_nowhere_is_refused(void **state)
{
    const char *bad[] = {"dangling", "loop", "no/dir/a.h5", "no/", "a.h5/b", "a.h5/"};
    char got[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        swim_error_t err = {0};
        if (swim_resource_of_file(bad[i], got, sizeof(got), &err) != SWIM_ERR_IO)
            fail_msg("%s was taken as %s", bad[i], got);
        assert_non_null(strstr(err.text, bad[i]));
        assert_int_equal(got[0], 0);
    }
    assert_int_equal(swim_resource_of_file("", got, sizeof(got), NULL), SWIM_ERR_ARG);
    assert_int_equal(swim_resource_of_file("a.h5", got, 8, NULL), SWIM_ERR_ARG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_ways_to_a_file_are_one_resource),
        TEST(a_new_file_has_the_name_that_it_will_have),
        TEST(what_leads_nowhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
