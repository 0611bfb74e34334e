/* test_chain.c - chains of kernels: the list in a job file, and numbers from one kernel
 * to the next.  tests/integration/test_chain.sh runs them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/chain.h"
#include "batch/job.h"

/* --- job files ---------------------------------------------------------------------
 */

static const char text[] = "kernels:\n"
                           "  - kernel: {name: first, timeout: 2}\n"
                           "    params: {a: 1}\n"
                           "  - kernel: second\n"
                           "    edges: {lon: wrap}\n"
                           "  - kernel: third\n"
                           "    params: {a: 3, b: 4}\n"
                           "inputs: {u: {file: in.nc, dataset: U}}\n"
                           "outputs: {v: {file: out.nc, dataset: V}}\n"
                           "memory: 7 MiB\n";

static struct job *job;
static swim_error_t err;

static int load(const char *yaml, const char *const *sets, size_t n_sets)
{
    char name[] = "/tmp/swim-test-chain-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    close(fd);
    job_destroy(job);
    swim_error_clear(&err);
    int rc = job_load(name, sets, n_sets, &job, &err);
    unlink(name);
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    job_destroy(job);
    job = NULL;
    return 0;
}

static void a_list_of_kernels_is_a_list_of_jobs(void **state)
{
    (void)state;
    assert_int_equal(load(text, NULL, 0), SWIM_OK);
    assert_string_equal(job->kernel, "third");
    assert_string_equal(job->params[1].value, "4");
    assert_int_equal(job->n_outputs, 1);
    assert_int_equal(job->n_inputs, 0);
    const struct job *second = job->before;
    assert_string_equal(second->kernel, "second");
    assert_int_equal(second->n_params, 0);
    assert_int_equal(second->edges[0].mode, SWIM_EDGE_WRAP);
    assert_int_equal(second->memory_bytes, 7 << 20);
    const struct job *first = second->before;
    assert_string_equal(first->kernel, "first");
    assert_int_equal(first->timeout_ms, 2000);
    assert_string_equal(first->inputs[0].dataset, "U");
    assert_null(first->before);
    assert_int_equal(job->timeout_ms, 0);
}

static void one_kernel_in_the_list_is_no_chain(void **state)
{
    (void)state;
    assert_int_equal(load("kernels: [{kernel: k}]\n"
                          "inputs: {u: {file: in.nc, dataset: U}}\n"
                          "outputs: {v: {file: out.nc, dataset: V}}\n",
                          NULL, 0),
                     SWIM_OK);
    assert_string_equal(job->kernel, "k");
    assert_null(job->before);
    assert_int_equal(job->n_inputs, 1);
}

static void set_reaches_kernels_by_their_numbers(void **state)
{
    (void)state;
    static const char *const sets[] = {"kernels.1.params.a=9", "kernels.2.params.c=8",
                                       "kernels.3.kernel=other"};
    assert_int_equal(load(text, sets, 3), SWIM_OK);
    assert_string_equal(job->kernel, "other");
    assert_string_equal(job->before->params[0].value, "8");
    assert_string_equal(job->before->before->params[0].value, "9");
    for (int i = 0; i < 3; i++) {
        static const char *const wrong[] = {"kernels.0.kernel=x", "kernels.4.kernel=x",
                                            "kernels.99999999999999999999.kernel=x"};
        assert_int_equal(load(text, &wrong[i], 1), SWIM_ERR_ARG);
        assert_non_null(strstr(err.text, "the list has 1 to 3"));
        assert_null(job);
    }
}

static void too_many_kernels_are_refused(void **state)
{
    char list[512], many[1024];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < JOB_KERNELS_MAX; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, " - {kernel: k}\n");
    snprintf(many, sizeof(many), "kernels:\n%s%s", list, strstr(text, "inputs:"));
    assert_int_equal(load(many, NULL, 0), SWIM_OK);
    snprintf(many, sizeof(many), "kernels:\n - {kernel: k}\n%s%s", list,
             strstr(text, "inputs:"));
    assert_int_equal(load(many, NULL, 0), SWIM_ERR_ARG);
    assert_non_null(strstr(err.text, "more than 16 kernels"));
}

/* --- from one kernel to the next -----------------------------------------------------
 */

static void missing_values_stay_missing_from_type_to_type(void **state)
{
    const int16_t whole[4] = {-99, 7, -300, 300};
    const float real[4] = {NAN, 7.75F, -300.5F, 1e30F};
    float f[4];
    double d[4];
    int32_t i[4];
    uint8_t u[4];

    (void)state;
    assert_int_equal(
        chain_convert(SWIM_TYPE_I16, whole, SWIM_TYPE_F32, f, 4, -99, &err), SWIM_OK);
    assert_true(isnan(f[0]) && f[1] == 7 && f[2] == -300 && f[3] == 300);
    assert_int_equal(
        chain_convert(SWIM_TYPE_I16, whole, SWIM_TYPE_I32, i, 4, -99, &err), SWIM_OK);
    assert_true(i[0] == -99 && i[1] == 7 && i[2] == -300);
    assert_int_equal(chain_convert(SWIM_TYPE_I16, whole, SWIM_TYPE_U8, u, 4, -99, &err),
                     SWIM_OK);
    assert_true(u[0] == 0 && u[1] == 7 && u[2] == 0 && u[3] == 255);
    assert_int_equal(chain_convert(SWIM_TYPE_F32, real, SWIM_TYPE_F64, d, 4, -99, &err),
                     SWIM_OK);
    assert_true(isnan(d[0]) && d[1] == 7.75 && d[3] == (double)1e30F);
    assert_int_equal(chain_convert(SWIM_TYPE_F32, real, SWIM_TYPE_I32, i, 4, -99, &err),
                     SWIM_OK);
    assert_true(i[0] == -99 && i[1] == 7 && i[2] == -300 && i[3] == INT32_MAX);
    assert_int_equal(
        chain_convert(SWIM_TYPE_F32, real, SWIM_TYPE_I32, i, 4, 1e36, &err), SWIM_OK);
    assert_int_equal(i[0], INT32_MAX);
}

/* Rounding a number that stands for none to double must not lose it. */
static void sixty_four_bits_are_kept(void **state)
{
    const int64_t whole[2] = {INT64_MAX - 1, -9223372036854774784};
    int64_t same[2];
    double d[2];

    (void)state;
    assert_int_equal(chain_convert(SWIM_TYPE_I64, whole, SWIM_TYPE_I64, same, 2,
                                   -9223372036854774784.0, &err),
                     SWIM_OK);
    assert_memory_equal(whole, same, sizeof(whole));
    assert_int_equal(chain_convert(SWIM_TYPE_I64, whole, SWIM_TYPE_F64, d, 2,
                                   -9223372036854774784.0, &err),
                     SWIM_OK);
    assert_true(d[0] == 0x1p63 && isnan(d[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_list_of_kernels_is_a_list_of_jobs, teardown),
        cmocka_unit_test_teardown(one_kernel_in_the_list_is_no_chain, teardown),
        cmocka_unit_test_teardown(set_reaches_kernels_by_their_numbers, teardown),
        cmocka_unit_test_teardown(too_many_kernels_are_refused, teardown),
        cmocka_unit_test(missing_values_stay_missing_from_type_to_type),
        cmocka_unit_test(sixty_four_bits_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
