/* test_setup_difference.c - in what a job differs from what it was, in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"

static const char base[] = "description: 1\n"
                           "kernel: wind_speed\n"
                           "kernel.binary: 1234567890abcdef\n"
                           "kernel.abi: 1\n"
                           "params.radius: 2\n"
                           "input.u.file: /d/winds.nc\n"
                           "input.u.dataset: /UWND\n"
                           "input.u.state: 8953575\n"
                           "output.speed.file: /d/out.nc\n"
                           "output.speed.chunks: 12 x 73 x 144\n"
                           "output.speed.fill: -1\n"
                           "edges: nearest wrap\n"
                           "blocks: 12 x 73\n"
                           "slice: 12 x 73\n";

/* The text with one line in the place of another; to NULL: without it. */
static char *with(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    size_t size = strlen(text) + (to ? strlen(to) : 0) + 1;
    char *changed = malloc(size);

    assert_non_null(at);
    snprintf(changed, size, "%.*s%s%s", (int)(at - text), text, to ? to : "",
             at + strlen(from));
    return changed;
}

static void says(const char *from, const char *to, const char *wanted)
{
    char text[600];
    char *now = with(base, from, to);

    size_t n = setup_difference(base, now, text, sizeof(text));
    assert_string_equal(text, wanted);
    assert_int_equal(n, wanted[0] ? 1 : 0);
    free(now);
}

static void one_difference_is_one_phrase(void **state)
{
    (void)state;
    says("radius: 2\n", "radius: 2\n", "");
    says("radius: 2\n", "radius: 3\n", "params.radius is 3, was 2");
    says("params.radius: 2\n", NULL, "params.radius is not given, was 2");
    says("params.radius: 2\n", "params.radius: 2\nparams.more: x\n",
         "params.more is x, was not given");
    says("state: 89", "state: 90", "input u (/d/winds.nc) was changed");
    says("file: /d/winds.nc", "file: /d/other.nc",
         "file of input u is /d/other.nc, was /d/winds.nc");
    says("/UWND", "/VWND", "dataset of input u is /VWND, was /UWND");
    says("binary: 12", "binary: 22", "kernel wind_speed was changed");
    says("kernel.abi: 1", "kernel.abi: 2", "the kernels' interface is 2, was 1");
    says("chunks: 12 x", "chunks: 24 x",
         "chunks of output speed are 24 x 73 x 144, were 12 x 73 x 144");
    says("fill: -1", "fill: nan", "fill of output speed is nan, was -1");
    says("nearest wrap", "wrap wrap", "edges are wrap wrap, were nearest wrap");
    says("blocks: 12", "blocks: 6",
         "blocks are 6 x 73, were 12 x 73 (memory or chunks of the job)");
    says("slice: 12", "slice: 6",
         "what is read at once is 6 x 73, was 12 x 73 (memory of the job)");
    says("description: 1", "description: 2",
         "it was begun by another version of h5swim");
}

/* The rest follows from it. */
static void what_follows_from_another_difference_is_not_said(void **state)
{
    char text[600];
    (void)state;

    char *other = with(base, "kernel: wind_speed\nkernel.binary: 12",
                       "kernel: slope\nkernel.binary: 77");
    setup_difference(base, other, text, sizeof(text));
    assert_string_equal(text, "kernel is slope, was wind_speed");
    free(other);
    other = with(base, "winds.nc\ninput.u.dataset: /UWND\ninput.u.state: 89",
                 "w.nc\ninput.u.dataset: /UWND\ninput.u.state: 77");
    setup_difference(base, other, text, sizeof(text));
    assert_string_equal(text, "file of input u is /d/w.nc, was /d/winds.nc");
    free(other);
    other = with(base, "blocks: 12 x 73\nslice: 12", "blocks: 6 x 73\nslice: 6");
    setup_difference(base, other, text, sizeof(text));
    assert_string_equal(text, "blocks are 6 x 73, were 12 x 73 (memory or chunks of "
                              "the job)");
    free(other);
}

static void several_are_joined_and_many_are_counted(void **state)
{
    char text[600];
    (void)state;

    char *one = with(base, "radius: 2", "radius: 3");
    char *two = with(one, "state: 89", "state: 99");
    assert_int_equal(setup_difference(base, two, text, sizeof(text)), 2);
    assert_string_equal(text,
                        "params.radius is 3, was 2; input u (/d/winds.nc) was changed");
    free(one);
    free(two);
    size_t n = setup_difference("", base, text, sizeof(text));
    assert_true(n > 6);
    assert_non_null(strstr(text, "; and "));
    assert_null(strstr(text, "8953575"));
    assert_null(strstr(text, "1234567890abcdef"));
}

/* It comes from a file. */
static void any_text_can_be_compared(void **state)
{
    static const char *const texts[] = {"",
                                        "\n\n: \n: : \n",
                                        "input.: x\ninput.u: y\ninput..state: z\n",
                                        "output.\033[2J.chunks: \033[2J\001\n",
                                        "kernel.binary: 1",
                                        "no colon at all",
                                        "params.radius: \xff\xfe"};
    char text[64];
    char *longest = calloc(1, 300000);
    (void)state;

    memset(longest, 'k', 200000);
    longest[100000] = ':';
    longest[100001] = ' ';
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        for (size_t size = 1; size <= sizeof(text); size++) {
            memset(text, 'x', sizeof(text));
            setup_difference(texts[i], base, text, size);
            assert_true(strlen(text) < size);
            assert_null(strchr(text, '\033'));
            setup_difference(base, texts[i], text, size);
            assert_true(strlen(text) < size);
            setup_difference(longest, texts[i], text, size);
            assert_true(strlen(text) < size);
        }
    free(longest);
}

static void of_a_chain_the_number_of_the_kernel_is_told(void **state)
{
    static const char then[] = "kernels.1.kernel: a\nkernels.1.kernel.binary: 1\n"
                               "kernels.1.params.r: 2\nkernels.1.edges: nearest\n"
                               "kernels.2.kernel: b\nkernels.2.kernel.binary: 5\n";
    static const char now[] = "kernels.1.kernel: a\nkernels.1.kernel.binary: 7\n"
                              "kernels.1.params.r: 3\nkernels.1.edges: wrap\n"
                              "kernels.2.kernel: c\nkernels.2.kernel.binary: 6\n";
    char text[600];

    (void)state;
    assert_int_equal(setup_difference(then, now, text, sizeof(text)), 4);
    assert_string_equal(text, "kernel a was changed; kernels.1.params.r is 3, was 2; "
                              "kernels.1.edges are wrap, were nearest; "
                              "kernels.2.kernel is c, was b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_difference_is_one_phrase),
        cmocka_unit_test(of_a_chain_the_number_of_the_kernel_is_told),
        cmocka_unit_test(what_follows_from_another_difference_is_not_said),
        cmocka_unit_test(several_are_joined_and_many_are_counted),
        cmocka_unit_test(any_text_can_be_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
