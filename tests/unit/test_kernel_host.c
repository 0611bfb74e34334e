/* test_kernel_host.c - finding, compiling, loading and refusing kernels. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "batch/kernel_host.h"
#include "batch/kernel_private.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ABI "__attribute__((visibility(\"default\"))) "

struct scratch {
    char dir[64], cache[96];
    char *so;
    struct kernel_host *kernel;
    swim_error_t err;
};

/* A kernel of which a test changes one thing: MORE goes into the table. */
static const char head[] =
    "#include <h5swim/kernel.h>\n"
    "static int apply(void *s, const struct swim_block *b, swim_error_t *e)\n"
    "{ (void)s; (void)b; (void)e; return 0; }\n"
    "static uint64_t bytes(void *s, const struct swim_block *b)\n"
    "{ (void)s; (void)b; return 8; }\n"
    "static int partial(void *s, const struct swim_block *b, void *a, swim_error_t "
    "*e)\n"
    "{ (void)s; (void)b; (void)a; (void)e; return 0; }\n"
    "static const struct swim_port in[] = {{\"u\", SWIM_TYPE_F64, \"m\", "
    "\"eastward\"},\n"
    "    {\"v\", 0, 0, 0}, {\"v\", 0, 0, 0}, {\"9bad\", 0, 0, 0}, {\"_Good_9\", 0, 0, "
    "0}};\n"
    "static const struct swim_param ps[] = {\n"
    "    {.name = \"count\", .type = SWIM_PARAM_INT, .preset = \"3\", .max = 9},\n"
    "    {.name = \"bad\", .type = SWIM_PARAM_INT, .preset = \"30\", .max = 9},\n"
    "    {.name = \"mode\", .type = SWIM_PARAM_TEXT, .preset = \"c\", .choices = "
    "\"a|b\"},\n"
    "    {.name = \"odd\", .type = 9},\n"
    "    {.name = \"real\", .type = SWIM_PARAM_REAL, .choices = \"1|2\"},\n"
    "    {.name = \"Upper\", .type = SWIM_PARAM_INT}};\n"
    "#define BASE .name = \"try_it\", .kind = SWIM_KERNEL_MAP, .n_inputs = 2, \\\n"
    "    .n_outputs = 1, .inputs = in, .outputs = in, .apply = apply, \\\n"
    "    .n_params = 1, .params = ps, .summary = \"tries\"\n";

static int setup(void **state)
{
    struct scratch *s = calloc(1, sizeof(*s));

    *state = s;
    if (!s)
        return -1;
    strcpy(s->dir, "/tmp/swim-test-kernel-XXXXXX");
    if (!mkdtemp(s->dir))
        return -1;
    snprintf(s->cache, sizeof(s->cache), "%s/cache", s->dir);
    setenv("SWIM_CACHE_DIR", s->cache, 1);
    unsetenv("SWIM_KERNEL_PATH");
    unsetenv("SWIM_KERNEL_CFLAGS");
    unsetenv("CC");
    return 0;
}

static void dir_remove(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *item = NULL;
    char path[512];

    while (d && (item = readdir(d))) {
        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, item->d_name);
        if (unlink(path) != 0)
            dir_remove(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static int teardown(void **state)
{
    struct scratch *s = *state;

    kernel_unload(s->kernel);
    free(s->so);
    dir_remove(s->dir);
    free(s);
    return 0;
}

static void source_write(const struct scratch *s, const char *name, const char *text,
                         const char *more)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "%s%s", text, more);
    assert_int_equal(fclose(f), 0);
}

static int find(struct scratch *s, const char *kernel)
{
    free(s->so);
    s->so = NULL;
    swim_error_clear(&s->err);
    int rc = kernel_find(kernel, s->dir, &s->so, &s->err);
    assert_int_equal(rc == SWIM_OK, s->so != NULL);
    assert_int_equal(rc, s->err.code);
    return rc;
}

/* Compile head and more, and load the result. */
static int load(struct scratch *s, const char *more)
{
    source_write(s, "try_it.c", head, more);
    if (find(s, "try_it.c") != SWIM_OK)
        fail_msg("%s", s->err.text);
    kernel_unload(s->kernel);
    s->kernel = NULL;
    int rc = kernel_load(s->so, &s->kernel, &s->err);
    assert_int_equal(rc == SWIM_OK, s->kernel != NULL);
    return rc;
}

static void assert_says(const struct scratch *s, const char *words)
{
    if (!strstr(s->err.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, s->err.text);
}

/* Files in the cache with that in their names. */
static size_t cached_with(const struct scratch *s, const char *part)
{
    char path[128];
    size_t n = 0;
    const struct dirent *item = NULL;

    snprintf(path, sizeof(path), "%s/kernels", s->cache);
    DIR *d = opendir(path);
    while (d && (item = readdir(d)))
        n += strstr(item->d_name, part) != NULL;
    if (d)
        closedir(d);
    return n;
}

static size_t cached(const struct scratch *s)
{
    return cached_with(s, ".so");
}

static void a_source_is_compiled_and_loaded(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(load(s, "SWIM_KERNEL_DEFINE(BASE);\n"), SWIM_OK);
    assert_string_equal(s->kernel->api.name, "try_it");
    assert_string_equal(s->kernel->api.summary, "tries");
    assert_int_equal(s->kernel->api.kind, SWIM_KERNEL_MAP);
    assert_string_equal(s->kernel->api.inputs[0].unit, "m");
    assert_string_equal(s->kernel->api.inputs[1].description, "");
    assert_string_equal(s->kernel->api.params[0].preset, "3");
    assert_true(s->kernel->digest != 0);
    assert_int_equal(s->kernel->api.apply(NULL, NULL, NULL), 0);
    struct stat st;
    assert_int_equal(stat(s->cache, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void the_cache_knows_text_headers_and_flags(void **state)
{
    struct scratch *s = *state;
    char first[256];

    source_write(s, "value.h", "#define VALUE 1\n", "");
    source_write(s, "a.c", "#include \"value.h\"\nint value = VALUE;\n", "");
    assert_int_equal(find(s, "./a.c"), SWIM_OK);
    snprintf(first, sizeof(first), "%s", s->so);
    source_write(s, "a.c", "#include \"value.h\"\nint value = VALUE; /* same */\n", "");
    assert_int_equal(find(s, "a.c"), SWIM_OK);
    assert_string_equal(s->so, first);
    assert_int_equal(cached(s), 1);
    source_write(s, "value.h", "#define VALUE 2\n", "");
    assert_int_equal(find(s, "a.c"), SWIM_OK);
    assert_string_not_equal(s->so, first);
    setenv("SWIM_KERNEL_CFLAGS", "-O1  -DX=1", 1);
    assert_int_equal(find(s, "a.c"), SWIM_OK);
    assert_int_equal(cached(s), 3);
    setenv("SWIM_KERNEL_CFLAGS", "-O1  -DX=1 -Wextra", 1); /* predefines nothing */
    assert_int_equal(find(s, "a.c"), SWIM_OK);
    assert_int_equal(cached(s), 4);
}

static void compiler_errors_come_with_their_line(void **state)
{
    struct scratch *s = *state;

    source_write(s, "bad.c", "int f(void)\n{\n    return nothing;\n}\n", "");
    assert_int_equal(find(s, "bad.c"), SWIM_ERR_ARG);
    assert_says(s, "compile ");
    assert_says(s, "bad.c:3:");
    assert_says(s, "error: ");
    source_write(s, "bad.c", "#include \"missing.h\"\n", "");
    assert_int_equal(find(s, "bad.c"), SWIM_ERR_ARG);
    assert_says(s, "missing.h");
    assert_int_equal(cached(s), 0);
}

static void a_missing_compiler_is_named(void **state)
{
    struct scratch *s = *state;

    source_write(s, "a.c", "int a;\n", "");
    setenv("CC", "no-such-cc -x", 1);
    assert_int_equal(find(s, "a.c"), SWIM_ERR_IO);
    assert_says(s, "a.c: no-such-cc not found: install it with apt install gcc");
}

static void an_unsafe_or_missing_cache_is_refused(void **state)
{
    struct scratch *s = *state;
    char dir[128];

    source_write(s, "a.c", "int a;\n", "");
    snprintf(dir, sizeof(dir), "%s/kernels", s->cache);
    assert_int_equal(mkdir(s->cache, 0700) | mkdir(dir, 0700) | chmod(dir, 0777), 0);
    assert_int_equal(find(s, "a.c"), SWIM_ERR_IO);
    assert_says(s, "others may write");
    setenv("SWIM_CACHE_DIR", "/proc/nowhere", 1);
    assert_int_equal(find(s, "a.c"), SWIM_ERR_IO);
    assert_says(s, "SWIM_CACHE_DIR");
}

static void processes_that_compile_at_once_all_get_it(void **state)
{
    struct scratch *s = *state;
    pid_t pids[4];

    source_write(s, "try_it.c", head, "SWIM_KERNEL_DEFINE(BASE);\n");
    for (size_t i = 0; i < COUNT(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct kernel_host *k = NULL;
            char *so = NULL;
            int rc = kernel_find("try_it.c", s->dir, &so, NULL);
            if (rc == SWIM_OK)
                rc = kernel_load(so, &k, NULL);
            _exit(rc == SWIM_OK ? 0 : 1);
        }
    }
    for (size_t i = 0; i < COUNT(pids); i++) {
        int status = 1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(cached(s), 1);
}

static void names_are_searched_in_order(void **state)
{
    struct scratch *s = *state;
    char path[256], so[128], **dirs = NULL;

    assert_int_equal(load(s, "SWIM_KERNEL_DEFINE(BASE);\n"), SWIM_OK);
    snprintf(so, sizeof(so), "%s/wind_speed.so", s->dir);
    assert_int_equal(symlink(s->so, so), 0);
    snprintf(path, sizeof(path), "/nowhere::%s", s->dir);
    setenv("SWIM_KERNEL_PATH", path, 1);
    assert_int_equal(find(s, "wind_speed"), SWIM_OK);
    assert_string_equal(s->so, so);
    assert_int_equal(find(s, "wind_sped"), SWIM_ERR_ARG);
    assert_string_equal(s->err.text,
                        "unknown kernel \"wind_sped\"; did you mean \"wind_speed\"? "
                        "(h5swim kernel list shows all)");
    assert_int_equal(find(s, "zzzzzzzzzzzz"), SWIM_ERR_ARG);
    assert_int_equal(find(s, ""), SWIM_ERR_ARG);
    assert_int_equal(kernel_dirs(&dirs, NULL), SWIM_OK);
    assert_string_equal(dirs[0], "/nowhere");
    assert_string_equal(dirs[1], s->dir);
    assert_non_null(strstr(dirs[2], "/../lib/h5swim/kernels"));
    assert_null(dirs[3]);
    kernel_dirs_destroy(dirs);
}

static void paths_that_lead_nowhere_are_refused(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(find(s, "none.c"), SWIM_ERR_ARG);
    assert_says(s, "none.c: No such file or directory");
    assert_int_equal(find(s, "./none.so"), SWIM_ERR_ARG);
    assert_int_equal(find(s, "/tmp"), SWIM_ERR_ARG);
    assert_int_equal(find(s, "./"), SWIM_ERR_ARG);
    source_write(s, "text.so", "no ELF", "");
    assert_int_equal(find(s, "text.so"), SWIM_OK);
    assert_int_equal(kernel_load(s->so, &s->kernel, &s->err), SWIM_ERR_ARG);
    assert_int_equal(kernel_load("none.so", &s->kernel, NULL), SWIM_ERR_ARG);
}

static void other_versions_are_refused_with_both_numbers(void **state)
{
    static const struct {
        const char *more, *says;
    } cases[] = {
        {"int nothing;\n", "exports no swim_kernel_v1"},
        {ABI "const unsigned swim_kernel_v2[64] = {2};\n",
         "is built for kernel ABI 2, this h5swim has ABI 1: rebuild"},
        {"SWIM_KERNEL_DEFINE(BASE, .abi = 7);\n",
         "kernel ABI 7, this h5swim has ABI 1"},
        {"SWIM_KERNEL_DEFINE(BASE, .struct_size = sizeof(struct swim_kernel) + 8);\n",
         "this h5swim knows"},
        {"SWIM_KERNEL_DEFINE(BASE, .struct_size = 40);\n", "a table of 40 bytes"},
        {"SWIM_KERNEL_DEFINE(BASE, .param_size = 8);\n", "parameters of 8"},
        {"SWIM_KERNEL_DEFINE(BASE, .port_size = 0);\n", "ports of 0 bytes"},
        {ABI "const char swim_kernel_v1[2] = {1};\n", "is no kernel table"},
        {ABI "const unsigned swim_kernel_v1[8] = {1, sizeof(struct swim_kernel)};\n",
         "this h5swim knows"},
    };
    struct scratch *s = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load(s, cases[i].more), SWIM_ERR_ABI);
        assert_says(s, cases[i].says);
    }
}

static void declarations_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *more, *says;
    } cases[] = {
        {".name = \"Try\"", "its name is not"},
        {".name = 0", "its name is not"},
        {".kind = 0", "unknown kind 0"},
        {".kind = 77", "unknown kind 77"},
        {".kind = SWIM_KERNEL_WINDOW, .apply = 0", "a window kernel needs apply"},
        {".kind = SWIM_KERNEL_FILTER, .apply = 0", "a filter kernel needs apply"},
        {".kind = SWIM_KERNEL_REDUCE", "a reduce kernel needs"},
        {".kind = SWIM_KERNEL_REDUCE, .acc_bytes = bytes, .partial = partial", "needs"},
        {".kind = SWIM_KERNEL_STENCIL, .apply = 0", "a stencil kernel needs apply"},
        {".apply = 0", "a map kernel needs apply"},
        {".n_inputs = 0", "0 inputs"},
        {".n_inputs = 17", "17 inputs"},
        {".inputs = 0", "2 inputs"},
        {".n_outputs = 0", "0 outputs"},
        {".n_inputs = 3", "two inputs named v"},
        {".n_outputs = 4, .outputs = in + 3", "output 1: its name is not"},
        {".params = 0", "1 parameters"},
        {".n_params = 2", "parameter bad: default \"30\" is not between 0 and 9"},
        {".params = ps + 2", "parameter mode: default \"c\" is none of a|b"},
        {".params = ps + 3", "parameter odd: unknown type 9"},
        {".params = ps + 4", "choices are for texts only"},
        {".params = ps + 5", "a parameter's name is not"},
    };
    struct scratch *s = *state;
    char more[256];

    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(more, sizeof(more), "SWIM_KERNEL_DEFINE(BASE, %s);\n", cases[i].more);
        assert_int_equal(load(s, more), SWIM_ERR_KERNEL);
        assert_says(s, cases[i].says);
    }
}

static void ports_have_names_with_capitals(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(load(s, "SWIM_KERNEL_DEFINE(BASE, .outputs = in + 4);\n"),
                     SWIM_OK);
    assert_string_equal(s->kernel->api.outputs[0].name, "_Good_9");
}

static void a_text_is_compiled_once(void **state)
{
    struct scratch *s = *state;
    struct stat first, second;
    char text[4096];

    snprintf(text, sizeof(text), "%s%s", head, "SWIM_KERNEL_DEFINE(BASE);\n");
    assert_int_equal(kernel_compile_text("tried", text, &s->so, &s->err), SWIM_OK);
    assert_non_null(strstr(s->so, "/kernels/tried-"));
    assert_int_equal(kernel_load(s->so, &s->kernel, &s->err), SWIM_OK);
    assert_int_equal(stat(s->so, &first), 0);
    free(s->so);
    assert_int_equal(kernel_compile_text("tried", text, &s->so, &s->err), SWIM_OK);
    assert_int_equal(stat(s->so, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    free(s->so);
    assert_int_equal(kernel_compile_text("tried", "int f(", &s->so, &s->err),
                     SWIM_ERR_ARG);
    assert_null(s->so);
    assert_says(s, "error: ");
    assert_int_equal(cached(s), 1);
    assert_int_equal(cached_with(s, "source"), 0);
}

/* Longer elements: fine while what is appended is not used. */
static const char wide[] =
    "struct wide { struct swim_param p; long more; };\n"
    "static const struct wide wides[] = {{{.name = \"one\", .type = 1}, 0},\n"
    "    {{.name = \"two\", .type = 2}, MORE}};\n"
    "SWIM_KERNEL_DEFINE(BASE, .param_size = sizeof(struct wide), .n_params = 2,\n"
    "    .params = (const struct swim_param *)wides);\n";

static void tables_are_walked_with_the_kernels_own_sizes(void **state)
{
    struct scratch *s = *state;

    setenv("SWIM_KERNEL_CFLAGS", "-DMORE=0", 1);
    assert_int_equal(load(s, wide), SWIM_OK);
    assert_string_equal(s->kernel->params[0].name, "one");
    assert_string_equal(s->kernel->params[1].name, "two");
    setenv("SWIM_KERNEL_CFLAGS", "-DMORE=5", 1);
    assert_int_equal(load(s, wide), SWIM_ERR_ABI);
}

static void kernels_can_call_the_host(void **state)
{
    struct scratch *s = *state;
    swim_params_t *params = NULL;
    void *value = NULL;

    assert_int_equal(load(s,
                          "static int get(const swim_params_t *p, void **state,"
                          " swim_error_t *e)\n"
                          "{ (void)e; *state = (void *)swim_params_int(p, \"count\");"
                          " return SWIM_OK; }\n"
                          "SWIM_KERNEL_DEFINE(BASE, .open = get);\n"),
                     SWIM_OK);
    assert_int_equal(params_create(s->kernel, NULL, 0, &params, NULL), SWIM_OK);
    assert_int_equal(s->kernel->api.open(params, &value, NULL), SWIM_OK);
    assert_ptr_equal(value, (void *)3);
    params_destroy(params);
}

static void undefined_symbols_are_named(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(load(s, "int swim_nobody(void);\n" ABI "int call(void)\n"
                             "{ return swim_nobody(); }\n"
                             "SWIM_KERNEL_DEFINE(BASE);\n"),
                     SWIM_ERR_ARG);
    assert_says(s, "swim_nobody");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_source_is_compiled_and_loaded),
        TEST(the_cache_knows_text_headers_and_flags),
        TEST(compiler_errors_come_with_their_line),
        TEST(a_missing_compiler_is_named),
        TEST(an_unsafe_or_missing_cache_is_refused),
        TEST(processes_that_compile_at_once_all_get_it),
        TEST(names_are_searched_in_order),
        TEST(paths_that_lead_nowhere_are_refused),
        TEST(other_versions_are_refused_with_both_numbers),
        TEST(declarations_that_make_no_sense_are_refused),
        TEST(ports_have_names_with_capitals),
        TEST(a_text_is_compiled_once),
        TEST(tables_are_walked_with_the_kernels_own_sizes),
        TEST(kernels_can_call_the_host),
        TEST(undefined_symbols_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
