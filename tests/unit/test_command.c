/* test_command.c - where the library looks for the h5swim command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/command.h"
#include "scratch_dir.h"

/* Ask in a process of its own: the answer is found once in each.  NULL for setting:
 * SWIM_COMMAND is not set.  NULL for wanted: nothing is to be found. */
static void assert_found(const char *setting, const char *wanted)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        unsetenv("SWIM_COMMAND");
        if (setting)
            setenv("SWIM_COMMAND", setting, 1);
        const char *path = swim_command_path();
        bool good = wanted ? path && strcmp(path, wanted) == 0 : !path;
        if (!good)
            fprintf(stderr, "found %s\n", path ? path : "nothing");
        _exit(good && path == swim_command_path() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* This program holds the library's objects, and BUILD/bin is beside BUILD/tests. */
static void it_is_found_from_where_the_code_is(void **state)
{
    char wanted[PATH_MAX], real[PATH_MAX];

    (void)state;
    snprintf(wanted, sizeof(wanted), "%s/bin/h5swim", getenv("SWIM_BUILD"));
    assert_non_null(realpath(wanted, real));
    assert_found(NULL, real);
    assert_found("", real);
}

static void a_setting_goes_before_all(void **state)
{
    const struct scratch_dir *dir = *state;
    char real[PATH_MAX];

    assert_int_equal(scratch_dir_run(dir, "cp /bin/true mine; ln -s mine link"), 0);
    assert_non_null(realpath(scratch_dir_file(dir, "mine"), real));
    assert_found(scratch_dir_file(dir, "mine"), real);
    assert_found(scratch_dir_file(dir, "link"), real);
}

static void a_setting_that_leads_to_no_program_finds_nothing(void **state)
{
    const struct scratch_dir *dir = *state;

    assert_int_equal(scratch_dir_run(dir, "echo text >text; chmod 600 text"), 0);
    assert_found(scratch_dir_file(dir, "nothing"), NULL);
    assert_found(scratch_dir_file(dir, "text"), NULL);
    assert_found(dir->path, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_from_where_the_code_is),
        cmocka_unit_test_setup_teardown(a_setting_goes_before_all, scratch_dir_setup,
                                        scratch_dir_teardown),
        cmocka_unit_test_setup_teardown(
            a_setting_that_leads_to_no_program_finds_nothing, scratch_dir_setup,
            scratch_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
