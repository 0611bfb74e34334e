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
static const char *const names[] = {"link", "dangling", "loop",  "a.h5",
                                    "b.h5", "hard",     "hard_b"};

static int file_make(const char *name)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    return fd < 0 ? -1 : close(fd);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/swim-test-XXXXXX");
    if (!mkdtemp(dir) || chdir(dir) != 0)
        return -1;
    return file_make("a.h5") != 0 || symlink("a.h5", "link") != 0 ||
           symlink("none", "dangling") != 0 || symlink("loop", "loop") != 0;
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

static const char *resource_of(const char *path)
{
    static char got[2][PATH_MAX];
    static int turn;
    swim_error_t err = {0};

    turn = !turn;
    if (swim_resource_of_file(path, got[turn], sizeof(got[turn]), &err) != SWIM_OK)
        fail_msg("%s: %s", path, err.text);
    return got[turn];
}

static void hard_links_are_one_resource(void **state)
{
    char alone[PATH_MAX];

    (void)state;
    snprintf(alone, sizeof(alone), "%s", resource_of("a.h5"));
    assert_int_equal(link("a.h5", "hard"), 0);
    assert_string_equal(resource_of("a.h5"), resource_of("hard"));
    assert_string_equal(resource_of("link"), resource_of("hard"));
    assert_string_not_equal(resource_of("hard"), alone);
    assert_int_equal(strncmp(resource_of("hard"), "inode:", 6), 0);
    /* Another pair is another resource. */
    file_make("b.h5");
    assert_int_equal(link("b.h5", "hard_b"), 0);
    assert_string_not_equal(resource_of("hard"), resource_of("hard_b"));
    assert_int_equal(unlink("hard"), 0);
    assert_string_equal(resource_of("a.h5"), alone);
}

/* Hosts that mount the same export agree on its name. */
static void a_hard_link_names_what_is_mounted(void **state)
{
    char source[PATH_MAX] = "", wanted[PATH_MAX + 16];
    FILE *f = popen("findmnt -nvo SOURCE -T .", "re");

    (void)state;
    assert_non_null(f);
    /* Nothing: in a chroot the mount is out of sight. */
    if (fscanf(f, "%4095s", source) != 1)
        source[0] = '\0';
    pclose(f);
    assert_int_equal(link("a.h5", "hard"), 0);
    snprintf(wanted, sizeof(wanted), "inode:%s%c", source,
             strchr(source, '/') ? ':' : '#');
    if (strncmp(resource_of("hard"), wanted, strlen(wanted)) != 0)
        fail_msg("%s does not begin with %s", resource_of("hard"), wanted);
}

static void a_directory_has_its_path(void **state)
{
    (void)state;
    assert_string_equal(resource_of("."), dir); /* its links are no other names */
}

static void a_file_replaced_by_rename_keeps_its_resource(void **state)
{
    char before[PATH_MAX];

    (void)state;
    snprintf(before, sizeof(before), "%s", resource_of("a.h5"));
    file_make("b.h5");
    assert_int_equal(rename("b.h5", "a.h5"), 0);
    assert_string_equal(resource_of("a.h5"), before);
}

/* On another host the root is elsewhere: only what is below it counts. */
static void names_below_the_root_do_not_tell_where_it_is(void **state)
{
    char root[100], outside[100];

    (void)state;
    snprintf(root, sizeof(root), "%s/.", dir);
    setenv("SWIM_RESOURCE_ROOT", root, 1);
    assert_string_equal(resource_of("a.h5"), "root:/a.h5");
    assert_string_equal(resource_of("new.h5"), "root:/new.h5");
    assert_int_equal(link("a.h5", "hard"), 0);
    assert_int_equal(strncmp(resource_of("hard"), "root:inode:", 11), 0);
    assert_string_equal(resource_of("a.h5"), resource_of("hard"));
    assert_int_equal(unlink("hard"), 0);
    /* A name that only begins like the root is not below it. */
    snprintf(outside, sizeof(outside), "%sx", dir);
    assert_string_equal(resource_of(outside), outside);
    setenv("SWIM_RESOURCE_ROOT", "/", 1);
    assert_int_equal(strncmp(resource_of("a.h5"), dir, strlen(dir)), 0);
    unsetenv("SWIM_RESOURCE_ROOT");
}

static void a_root_that_is_no_directory_is_refused(void **state)
{
    static const char *const roots[] = {"none", "a.h5"};
    char got[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
        swim_error_t err = {0};
        setenv("SWIM_RESOURCE_ROOT", roots[i], 1);
        int rc = swim_resource_of_file("a.h5", got, sizeof(got), &err);
        unsetenv("SWIM_RESOURCE_ROOT");
        assert_int_equal(rc, SWIM_ERR_IO);
        assert_non_null(strstr(err.text, "SWIM_RESOURCE_ROOT="));
        assert_non_null(strstr(err.text, roots[i]));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_ways_to_a_file_are_one_resource),
        TEST(a_new_file_has_the_name_that_it_will_have),
        TEST(what_leads_nowhere_is_refused),
        TEST(hard_links_are_one_resource),
        TEST(a_hard_link_names_what_is_mounted),
        TEST(a_directory_has_its_path),
        TEST(a_file_replaced_by_rename_keeps_its_resource),
        TEST(names_below_the_root_do_not_tell_where_it_is),
        TEST(a_root_that_is_no_directory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
