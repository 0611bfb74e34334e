/* test_job.c - job files: what they give, and what each mistake is answered with. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/job.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct scratch {
    char dir[64], path[96];
    struct job *job;
    swim_error_t err;
};

static const char minimal[] = "kernel: k\n"
                              "inputs: {u: {file: in.nc, dataset: U}}\n"
                              "outputs: {v: {file: out.nc, dataset: V}}\n";

static const char full[] = "kernel: {name: wind_speed}\n"
                           "params: {radius: 6371000, mode: fast}\n"
                           "inputs:\n"
                           "  u: &in {file: winds.nc, dataset: UWND}\n"
                           "  v: {file: /abs/winds.nc, dataset: VWND}\n"
                           "outputs:\n"
                           "  speed:\n"
                           "    file: out.nc\n"
                           "    dataset: WSPD\n"
                           "    type: float32\n"
                           "    chunks: [12, 73, 144]\n"
                           "    filters: {shuffle: true, deflate: 4}\n"
                           "    fill: -99.9\n"
                           "block: [24, 73, 144]\n"
                           "memory: 512 MiB\n"
                           "edges: {lon: wrap, lat: nearest}\n";

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s)
        return -1;
    strcpy(s->dir, "/tmp/swim-test-job-XXXXXX");
    if (!mkdtemp(s->dir))
        return -1;
    snprintf(s->path, sizeof(s->path), "%s/wind.yaml", s->dir);
    return 0;
}

static int teardown(void **state)
{
    struct scratch *s = *state;

    job_destroy(s->job);
    unlink(s->path);
    rmdir(s->dir);
    free(s);
    return 0;
}

static void bytes_write(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int load_sets(struct scratch *s, const char *text, const char *const *sets,
                     size_t n)
{
    bytes_write(s->path, text, strlen(text));
    job_destroy(s->job);
    s->job = NULL;
    swim_error_clear(&s->err);
    int rc = job_load(s->path, sets, n, &s->job, &s->err);
    assert_int_equal(rc == SWIM_OK, s->job != NULL);
    assert_int_equal(rc, s->err.code);
    return rc;
}

static int load(struct scratch *s, const char *text)
{
    return load_sets(s, text, NULL, 0);
}

static int load_set(struct scratch *s, const char *text, const char *set)
{
    return load_sets(s, text, &set, 1);
}

/* The minimal job with some lines more. */
static int load_more(struct scratch *s, const char *more)
{
    char text[8192];

    snprintf(text, sizeof(text), "%s%s", minimal, more);
    return load(s, text);
}

static void assert_says(const struct scratch *s, const char *words)
{
    if (!strstr(s->err.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, s->err.text);
}

static void every_key_arrives(void **state)
{
    struct scratch *s = *state;
    char path[128];

    assert_int_equal(load(s, full), SWIM_OK);
    const struct job *job = s->job;
    const struct job_output *o = &job->outputs[0];
    assert_string_equal(job->name, "wind");
    assert_string_equal(job->path, s->path);
    assert_string_equal(job->dir, s->dir);
    assert_string_equal(job->kernel, "wind_speed");
    assert_int_equal(job->n_params, 2);
    assert_string_equal(job->params[0].name, "radius");
    assert_string_equal(job->params[0].value, "6371000");
    assert_int_equal(job->n_inputs, 2);
    snprintf(path, sizeof(path), "%s/winds.nc", s->dir);
    assert_string_equal(job->inputs[0].file, path);
    assert_string_equal(job->inputs[0].dataset, "UWND");
    assert_string_equal(job->inputs[1].file, "/abs/winds.nc");
    assert_int_equal(job->n_outputs, 1);
    assert_string_equal(o->port, "speed");
    assert_int_equal(o->type, SWIM_TYPE_F32);
    assert_int_equal(o->n_chunks, 3);
    assert_int_equal(o->chunks[2], 144);
    assert_true(o->filters_set && o->shuffle && !o->fletcher32);
    assert_int_equal(o->deflate, 4);
    assert_true(o->has_fill && o->fill == -99.9);
    assert_int_equal(job->n_block, 3);
    assert_int_equal(job->block[0], 24);
    assert_int_equal(job->memory_bytes, 512u << 20);
    assert_int_equal(job->n_edges, 2);
    assert_string_equal(job->edges[0].axis, "lon");
    assert_int_equal(job->edges[0].mode, SWIM_EDGE_WRAP);
    snprintf(path, sizeof(path), "%s:2:18", s->path);
    assert_string_equal(job->params[0].place.text, path);
}

static void what_is_not_said_has_its_default(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(load(s, minimal), SWIM_OK);
    assert_int_equal(s->job->memory_bytes, 256u << 20);
    assert_int_equal(s->job->n_block, 0);
    assert_int_equal(s->job->n_params + s->job->n_edges, 0);
    assert_int_equal(s->job->outputs[0].type, SWIM_TYPE_ANY);
    assert_int_equal(s->job->outputs[0].n_chunks, 0);
    assert_false(s->job->outputs[0].filters_set || s->job->outputs[0].has_fill);
    assert_int_equal(load_more(s, "params:\nedges:\nblock: auto\n"), SWIM_OK);
}

static void mistakes_are_answered_with_place_and_advice(void **state)
{
    static const struct {
        const char *more, *says;
    } cases[] = {
        {"ouputs: 1\n", ":4:1: unknown key \"ouputs\"; did you mean \"outputs\"?"},
        {"zzzzzzzzzzz: 1\n", ":4:1: unknown key \"zzzzzzzzzzz\""},
        {"kernel: again\n", ":4:1: key \"kernel\" is here twice"},
        {"block: 12\n", ":4:8: \"block\": expected auto or a list of sizes"},
        {"block: []\n", "expected auto or a list"},
        {"block: [1, -2]\n", ":4:12: expected a whole number from 1 on, found \"-2\""},
        {"block: [0]\n", "found \"0\""},
        {"block: [9223372036854775808]\n", "expected a whole number"},
        {"block: [1.5]\n", "expected a whole number"},
        {"block: [0x10]\n", "expected a whole number"},
        {"block: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n",
         "33 sizes; HDF5 has at most 32"},
        {"memory: lots\n", ":4:9: \"memory\": expected a size"},
        {"memory: 1023 KiB\n", "at least 1 MiB"},
        {"memory: 999999999 TiB\n", "expected a size"},
        {"memory: -5 GiB\n", "expected a size"},
        {"memory: 5 XB\n", "expected a size"},
        {"memory: 5 Gx\n", "expected a size"},
        {"memory: 1.2.3 GiB\n", "expected a size"},
        {"memory: [1]\n", "found a list"},
        {"memory:\n", "found nothing"},
        {"edges: {lon: wrpa}\n", "(did you mean \"wrap\"?)"},
        {"edges: {lon: [wrap]}\n", "found a list"},
        {"edges: wrap\n", "expected a mapping"},
        {"params: 5\n", "expected a mapping of parameters, found \"5\""},
        {"params: {a: [1, 2]}\n", "parameter \"a\": expected one value, found a list"},
        {"params: {a: }\n", "found nothing"},
        {"params: {[a]: 1}\n", "a key must be a text"},
        {"params: {\"\": 1}\n", "an empty key"},
        {"params: {a: \"x\\0y\"}\n", "NUL character"},
        {"params: *nobody\n", "alias *nobody has no anchor"},
        {"params: &p {a: *p}\n", "alias *p has no anchor"},
        {"params: {a: 1\n", "flow mapping"},
        {"a: b: c\n", ":4:"},
        {"---\nkernel: k\n", "more than one YAML document"},
        {"params: {a: \x01}\n", "byte 0x01: this is not UTF-8 text"},
        {"params: {a: \xc3\xa4\xff}\n", ":4:14: byte 0xff"},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load_more(s, cases[i].more), SWIM_ERR_ARG);
        assert_says(s, cases[i].says);
        assert_says(s, s->path);
        assert_null(strchr(s->err.text, '\n'));
    }
}

static void mistakes_in_outputs_are_answered(void **state)
{
    static const struct {
        const char *set, *says;
    } cases[] = {
        {"outputs.v.filters.deflate=10", "from 0 to 9, found \"10\""},
        {"outputs.v.filters.deflate=-1", "from 0 to 9"},
        {"outputs.v.filters.shuffle=maybe", "true or false"},
        {"outputs.v.filters.shufle=true", "did you mean \"shuffle\"?"},
        {"outputs.v.filters=zip", "expected none or a mapping"},
        {"outputs.v.fill=abc", "expected a number"},
        {"outputs.v.fill=1e999", "expected a number"},
        {"outputs.v.fill=", "expected a number, found nothing"},
        {"outputs.v.type=flot32", "one of int8, uint8"},
        {"outputs.v.chunks=[0]", "from 1 on"},
        {"outputs.v.chunks=auto", "expected a list of sizes"},
        {"outputs.v.file=", "\"file\": expected a text, found nothing"},
        {"outputs.v.file=\"\"", "expected a text"},
        {"outputs.v.dataset=[a]", "found a list"},
        {"outputs.w={file: out.nc, dataset: /V}", "are the same dataset"},
        {"outputs.w={file: out.nc}", "output \"w\" has no \"dataset\""},
        {"outputs.w={dataset: W}", "output \"w\" has no \"file\""},
        {"outputs.w=x", "expected a mapping of file"},
        {"inputs.w={file: x}", "input \"w\" has no \"dataset\""},
        {"inputs.u.fil=x", "--set inputs.u.fil=x: unknown key \"fil\"; did you mean"},
        {"kernel={path: x}", "unknown key \"path\""},
        {"kernel={}", "\"kernel\" has no \"name\""},
        {"kernel=[a]", "expected a text, found a list"},
        {"inputs=[]", "expected a mapping"},
        {"inputs={}", "no \"inputs\""},
        {"outputs={}", "no \"outputs\""},
        {"memory={a: b: c}", "--set memory={a: b: c}: "},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load_set(s, minimal, cases[i].set), SWIM_ERR_ARG);
        assert_says(s, cases[i].says);
    }
}

static void whole_files_that_are_no_jobs_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"\n# nothing\n", "empty"},
        {"--- \n", "empty"},
        {"- kernel\n", ":1:1: expected a mapping with kernel"},
        {"just words\n", "found \"just words\""},
        {"inputs: {u: {file: a, dataset: b}}\n", "no \"kernel\""},
        {"kernel: k\noutputs: {u: {file: a, dataset: b}}\n", "no \"inputs\""},
        {"kernel: k\ninputs: {u: {file: a, dataset: b}}\n", "no \"outputs\""},
        {"kernel:\n", "\"kernel\": expected a text, found nothing"},
        {"\x89HDF\r\n\x1a\n", "this is an HDF5 file, and no job file"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested more than 16"},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load(s, cases[i].text), SWIM_ERR_ARG);
        assert_says(s, cases[i].says);
    }
}

static void files_that_cannot_be_read_are_named(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(job_load(s->path, NULL, 0, &s->job, &s->err), SWIM_ERR_ARG);
    assert_says(s, "open job file ");
    assert_says(s, "wind.yaml: No such file or directory");
    swim_error_clear(&s->err);
    assert_int_equal(job_load(s->dir, NULL, 0, &s->job, &s->err), SWIM_ERR_ARG);
    assert_says(s, "Is a directory");
    assert_null(s->job);
    assert_int_equal(job_load(s->dir, NULL, 0, &s->job, NULL), SWIM_ERR_ARG);
}

static void a_file_of_more_than_a_mebibyte_is_refused(void **state)
{
    struct scratch *s = *state;
    size_t n = ((size_t)1 << 20) + 1;
    char *text = malloc(n);

    assert_non_null(text);
    memset(text, '\n', n);
    for (size_t i = 0; minimal[i]; i++)
        text[i] = minimal[i];
    bytes_write(s->path, text, n);
    assert_int_equal(job_load(s->path, NULL, 0, &s->job, &s->err), SWIM_ERR_ARG);
    assert_says(s, "larger than 1 MiB");
    bytes_write(s->path, text, n - 1);
    assert_int_equal(job_load(s->path, NULL, 0, &s->job, NULL), SWIM_OK);
    free(text);
}

static void names_come_from_the_path(void **state)
{
    struct scratch *s = *state;
    char other[160];

    assert_int_equal(load(s, minimal), SWIM_OK);
    assert_int_equal(chdir(s->dir), 0);
    job_destroy(s->job);
    assert_int_equal(job_load("wind.yaml", NULL, 0, &s->job, NULL), SWIM_OK);
    assert_string_equal(s->job->dir, ".");
    assert_string_equal(s->job->inputs[0].file, "in.nc");
    job_destroy(s->job);
    s->job = NULL;
    snprintf(other, sizeof(other), "%s/a.b.yml", s->dir);
    assert_int_equal(rename(s->path, other), 0);
    assert_int_equal(job_load(other, NULL, 0, &s->job, NULL), SWIM_OK);
    assert_string_equal(s->job->name, "a.b");
    unlink(other);
    assert_int_equal(chdir("/"), 0);
}

static void memory_takes_the_usual_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"1048576", 1048576},   {"1048576 bytes", 1048576}, {"2M", 2u << 20},
        {"2 MiB", 2u << 20},    {"2MB", 2000000},           {"1.5 GiB", 3ull << 29},
        {"4096k", 4u << 20},    {"4096 KiB", 4u << 20},     {"4096 kb", 4096000},
        {"1G", 1u << 30},       {"1 GB", 1000000000},       {"1 TiB", 1ull << 40},
        {"2097152B", 2u << 20},
    };
    struct scratch *s = *state;
    char set[64];

    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(set, sizeof(set), "memory=%s", cases[i].text);
        assert_int_equal(load_set(s, minimal, set), SWIM_OK);
        assert_int_equal(s->job->memory_bytes, cases[i].bytes);
    }
}

static void fill_may_be_nan_infinite_and_the_default(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(load_set(s, minimal, "outputs.v.fill=.nan"), SWIM_OK);
    assert_true(s->job->outputs[0].has_fill && isnan(s->job->outputs[0].fill));
    assert_int_equal(load_set(s, minimal, "outputs.v.fill=NaN"), SWIM_OK);
    assert_true(isnan(s->job->outputs[0].fill));
    assert_int_equal(load_set(s, minimal, "outputs.v.fill=-.inf"), SWIM_OK);
    assert_true(isinf(s->job->outputs[0].fill) && s->job->outputs[0].fill < 0);
    assert_int_equal(load_set(s, minimal, "outputs.v.fill=-.5"), SWIM_OK);
    assert_true(s->job->outputs[0].fill == -.5);
    assert_int_equal(load_set(s, minimal, "outputs.v.fill=default"), SWIM_OK);
    assert_true(s->job->outputs[0].fill_default && !s->job->outputs[0].has_fill);
    assert_int_equal(load_set(s, minimal, "outputs.v.fill=1e20"), SWIM_OK);
    assert_true(s->job->outputs[0].fill == 1e20);
}

static void settings_go_over_the_file(void **state)
{
    static const char *const sets[] = {"inputs.u.file=other.nc",
                                       "params.radius=5",
                                       "kernel=./mine.c",
                                       "block=auto",
                                       "outputs.speed.filters=none",
                                       "outputs.speed.filters.deflate=9",
                                       "edges.time=constant",
                                       "outputs.speed.chunks.2=5",
                                       "params.radius=7"};
    struct scratch *s = *state;
    char path[128];

    assert_int_equal(load_sets(s, full, sets, COUNT(sets)), SWIM_OK);
    snprintf(path, sizeof(path), "%s/other.nc", s->dir);
    assert_string_equal(s->job->inputs[0].file, path);
    assert_string_equal(s->job->inputs[0].dataset, "UWND");
    assert_string_equal(s->job->params[0].value, "7");
    assert_string_equal(s->job->params[0].place.text, "--set params.radius=7");
    assert_string_equal(s->job->kernel, "./mine.c");
    assert_int_equal(s->job->n_block, 0);
    assert_int_equal(s->job->outputs[0].deflate, 9);
    assert_false(s->job->outputs[0].shuffle);
    assert_int_equal(s->job->outputs[0].chunks[1], 5);
    assert_int_equal(s->job->outputs[0].chunks[2], 144);
    assert_int_equal(s->job->n_edges, 3);
    assert_int_equal(s->job->edges[2].mode, SWIM_EDGE_CONSTANT);
}

static void settings_make_a_job_of_an_empty_file(void **state)
{
    static const char *const sets[] = {"kernel=k", "inputs.u={file: a, dataset: b}",
                                       "outputs.v.file=c", "outputs.v.dataset=d"};
    struct scratch *s = *state;

    assert_int_equal(load_sets(s, "", sets, COUNT(sets)), SWIM_OK);
    assert_string_equal(s->job->outputs[0].dataset, "d");
}

static void malformed_settings_are_refused(void **state)
{
    static const char *const sets[] = {"kernel", "=x",   ".=x", "a..b=x",
                                       ".a=x",   "a.=x", ""};
    struct scratch *s = *state;

    for (size_t i = 0; i < COUNT(sets); i++) {
        assert_int_equal(load_set(s, minimal, sets[i]), SWIM_ERR_ARG);
        assert_says(s, "write --set key=value");
    }
}

static void aliases_are_resolved(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(load(s, "kernel: k\n"
                             "inputs: {u: &a {file: &f in.nc, dataset: U}, w: *a}\n"
                             "outputs: {v: {file: *f, dataset: V}}\n"),
                     SWIM_OK);
    assert_string_equal(s->job->inputs[1].dataset, "U");
    assert_string_equal(s->job->outputs[0].file, s->job->inputs[0].file);
}

/* Twelve lines that stand for 10^11 values. */
static void an_alias_bomb_is_refused_at_once(void **state)
{
    struct scratch *s = *state;
    char text[4096];
    size_t used = (size_t)snprintf(text, sizeof(text), "a0: &a0 [x]\n");
    time_t start = time(NULL);

    for (int i = 1; i < 12; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,"
                                 "*a%d,*a%d]\n",
                                 i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
                                 i - 1, i - 1, i - 1);
    assert_int_equal(load(s, text), SWIM_ERR_ARG);
    assert_says(s, "at most 10000 values");
    assert_true(time(NULL) - start <= 5);
}

static void a_long_path_keeps_line_and_column(void **state)
{
    struct scratch *s = *state;
    char dir[400], path[450];

    snprintf(dir, sizeof(dir), "%s/", s->dir);
    size_t n = strlen(dir);
    memset(dir + n, 'd', 250);
    dir[n + 250] = '\0';
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(path, sizeof(path), "%s/x.yaml", dir);
    bytes_write(path, "kernell: x\n", 11);
    assert_int_equal(job_load(path, NULL, 0, &s->job, &s->err), SWIM_ERR_ARG);
    assert_says(s, "d/x.yaml:1:1: unknown key");
    unlink(path);
    rmdir(dir);
}

/* Random damage to a valid job: it is loaded or refused with a text, no more; and
 * libfyaml prints nothing. */
static void mutated_jobs_never_crash_nor_print(void **state)
{
    static const char bits[] = "{}[]:,-#&*!|>'\"%@` \n\t\\~?0a\x80\xff\x01";
    struct scratch *s = *state;
    unsigned seed = 20240607;
    char text[2 * sizeof(full)], printed[128];
    size_t valid = 0, refused = 0;

    snprintf(printed, sizeof(printed), "%s/stderr", s->dir);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    int fd = open(printed, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    for (int round = 0; round < 4000; round++) {
        size_t n = sizeof(full) - 1;
        memcpy(text, full, n + 1);
        for (int hits = 1 + rand_r(&seed) % 4; hits > 0; hits--) {
            size_t at = (size_t)rand_r(&seed) % n;
            char c = bits[(size_t)rand_r(&seed) % (sizeof(bits) - 1)];
            switch (rand_r(&seed) % 4) {
            case 0:
                text[at] = c;
                break;
            case 1:
                memmove(text + at + 1, text + at, n - at);
                text[at] = c;
                n++;
                break;
            case 2:
                memmove(text + at, text + at + 1, n - at - 1);
                n--;
                break;
            default:
                if (rand_r(&seed) % 8 == 0)
                    n = at + 1;
            }
        }
        bytes_write(s->path, text, n);
        swim_error_clear(&s->err);
        int rc = job_load(s->path, NULL, 0, &s->job, &s->err);
        valid += rc == SWIM_OK;
        refused += rc == SWIM_ERR_ARG && *s->err.text;
        job_destroy(s->job);
        s->job = NULL;
    }
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    off_t bytes = lseek(fd, 0, SEEK_END);
    close(fd);
    close(saved);
    unlink(printed);
    assert_int_equal(valid + refused, 4000);
    assert_true(valid > 50 && refused > 1000);
    assert_int_equal(bytes, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_key_arrives),
        TEST(what_is_not_said_has_its_default),
        TEST(mistakes_are_answered_with_place_and_advice),
        TEST(mistakes_in_outputs_are_answered),
        TEST(whole_files_that_are_no_jobs_are_refused),
        TEST(files_that_cannot_be_read_are_named),
        TEST(a_file_of_more_than_a_mebibyte_is_refused),
        TEST(names_come_from_the_path),
        TEST(memory_takes_the_usual_units),
        TEST(fill_may_be_nan_infinite_and_the_default),
        TEST(settings_go_over_the_file),
        TEST(settings_make_a_job_of_an_empty_file),
        TEST(malformed_settings_are_refused),
        TEST(aliases_are_resolved),
        TEST(an_alias_bomb_is_refused_at_once),
        TEST(a_long_path_keeps_line_and_column),
        TEST(mutated_jobs_never_crash_nor_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
