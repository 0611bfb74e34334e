/* test_object_attribute.c - h5swim/file.h: attributes. */
#include <unistd.h>

#include "object_scene.h"

static void one_value_comes_back_or_the_default(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    int64_t i = 0;
    double d = 0;
    char *text = NULL;
    bool exists = true;

    OK(swim_group_create(file, "/g", &err));
    OK(swim_attribute_get_int(file, "/g", "i", 7, &i, &err));
    assert_int_equal(i, 7);
    OK(swim_attribute_get_double(file, "/g", "d", 0.5, &d, &err));
    assert_true(d == 0.5);
    OK(swim_attribute_get_text(file, "/g", "t", NULL, &text, &err));
    assert_null(text);
    OK(swim_attribute_get_text(file, "/g", "t", "none", &text, &err));
    assert_string_equal(text, "none");
    free(text);
    OK(swim_attribute_set_int(file, "/g", "i", INT64_MIN, &err));
    OK(swim_attribute_set_double(file, "/g", "d", 2.25, &err));
    OK(swim_attribute_set_text(file, "/g", "t", "gr\xc3\xbcn", &err));
    OK(swim_attribute_get_int(file, "/g", "i", 7, &i, &err));
    assert_true(i == INT64_MIN);
    OK(swim_attribute_get_double(file, "/g", "d", 0.5, &d, &err));
    assert_true(d == 2.25);
    OK(swim_attribute_get_double(file, "/g", "i", 0.5, &d, &err));
    assert_true(d == (double)INT64_MIN);
    OK(swim_attribute_get_text(file, "/g", "t", NULL, &text, &err));
    assert_string_equal(text, "gr\xc3\xbcn");
    free(text);
    OK(swim_attribute_exists(file, "/g", "i", &exists, &err));
    assert_true(exists);
    OK(swim_attribute_exists(file, "/", "i", &exists, &err));
    assert_false(exists);
}

static void set_replaces_whatever_it_was(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const float values[] = {1, 2, 3, 4, 5, 6};
    const struct swim_attribute array = {.type = SWIM_DATA_FLOAT32,
                                         .rank = 2,
                                         .dims = {2, 3},
                                         .values = (void *)(uintptr_t)values};
    struct swim_attribute *got = NULL;
    double d = 0;

    OK(swim_attribute_set_text(file, "/", "a", "text", &err));
    OK(swim_attribute_set(file, "/", "a", &array, &err));
    OK(swim_attribute_get(file, "/", "a", &got, &err));
    assert_int_equal(got->type, SWIM_DATA_FLOAT32);
    assert_int_equal(got->rank, 2);
    assert_true(got->dims[0] == 2 && got->dims[1] == 3 && got->count == 6);
    assert_memory_equal(got->values, values, sizeof(values));
    swim_attribute_free(got);
    REFUSED(swim_attribute_get_double(file, "/", "a", 0, &d, &err), SWIM_ERR_ARG,
            "a is not one number, but 6 of float32");
    OK(swim_attribute_set_int(file, "/", "a", 1, &err));
    OK(swim_attribute_get_double(file, "/", "a", 0, &d, &err));
    assert_true(d == 1);
}

static void strings_may_be_many_or_none(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    const char *given[] = {"", "b", "gr\xc3\xbcn"};
    struct swim_attribute text = {.type = SWIM_DATA_STRING,
                                  .rank = 1,
                                  .dims = {3},
                                  .values = (void *)(uintptr_t)given};
    struct swim_attribute *got = NULL;

    OK(swim_attribute_set(file, "/", "t", &text, &err));
    OK(swim_attribute_get(file, "/", "t", &got, &err));
    assert_int_equal(got->count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(((char **)got->values)[i], given[i]);
    swim_attribute_free(got);
    text.dims[0] = 0;
    OK(swim_attribute_set(file, "/", "t", &text, &err));
    OK(swim_attribute_get(file, "/", "t", &got, &err));
    assert_int_equal(got->count, 0);
    swim_attribute_free(got);
}

static void what_cannot_be_is_refused(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    struct swim_attribute value = {.type = SWIM_DATA_INT8, .rank = 1, .dims = {3}};
    struct swim_attribute *got = NULL;
    int64_t i = 0;
    char *text = NULL;

    REFUSED(swim_attribute_get(file, "/", "a", &got, &err), SWIM_ERR_ARG,
            "has no attribute a");
    assert_null(got);
    REFUSED(swim_attribute_delete(file, "/", "a", &err), SWIM_ERR_ARG,
            "has no attribute a");
    REFUSED(swim_attribute_set_int(file, "/none", "a", 1, &err), SWIM_ERR_ARG,
            "there is no /none");
    REFUSED(swim_attribute_set_int(file, "/", "", 1, &err), SWIM_ERR_ARG, "empty");
    REFUSED(swim_attribute_set(file, "/", "a", &value, &err), SWIM_ERR_ARG, "NULL");
    REFUSED(swim_attribute_set_text(file, "/", "a", NULL, &err), SWIM_ERR_ARG, "NULL");
    value.type = SWIM_DATA_OTHER;
    REFUSED(swim_attribute_set(file, "/", "a", &value, &err), SWIM_ERR_ARG, "no type");
    OK(swim_attribute_set_double(file, "/", "d", 1, &err));
    REFUSED(swim_attribute_get_int(file, "/", "d", 0, &i, &err), SWIM_ERR_ARG,
            "not one integer");
    REFUSED(swim_attribute_get_text(file, "/", "d", NULL, &text, &err), SWIM_ERR_ARG,
            "not one string");
}

static void names_are_listed_in_order_and_deleted(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;
    char **names = NULL;
    size_t count = 1;

    OK(swim_attribute_list(file, "/", &names, &count, &err));
    assert_int_equal(count, 0);
    swim_strings_free(names, count);
    for (char name[] = "t"; name[0] >= 'a'; name[0]--)
        OK(swim_attribute_set_int(file, "/", name, name[0], &err));
    OK(swim_attribute_delete(file, "/", "b", &err));
    OK(swim_attribute_list(file, "/", &names, &count, &err));
    assert_int_equal(count, 19);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "c");
    assert_string_equal(names[18], "t");
    swim_strings_free(names, count);
}

static void h5py_and_this_read_each_others(void **state)
{
    const struct object_scene *s = *state;
    int64_t i = 0;
    char *text = NULL;
    struct swim_attribute *got = NULL;

    OK(swim_attribute_set_text(s->file, "/", "t", "gr\xc3\xbcn", &err));
    OK(swim_attribute_set_int(s->file, "/", "i", -3, &err));
    assert_int_equal(scratch_dir_run(&s->at.dir,
                                     "/usr/bin/python3 -c \"import h5py, numpy as np\n"
                                     "f = h5py.File('a.h5', 'r+')\n"
                                     "assert f.attrs['t'] == 'gr\\xfcn', f.attrs['t']\n"
                                     "assert f.attrs['i'] == -3\n"
                                     "f.attrs['t'] = 'other'\n"
                                     "f.attrs['f'] = np.bytes_(b'fixed')\n"
                                     "f.attrs['b'] = True\n"
                                     "f.attrs['e'] = h5py.Empty('f8')\n"
                                     "f.attrs['u'] = np.uint64(2**64 - 1)\n"
                                     "f.attrs['c'] = np.zeros(1, dtype='i4,f8')\n"
                                     "f.close()\""),
                     0);
    OK(swim_attribute_get_text(s->file, "/", "t", NULL, &text, &err));
    assert_string_equal(text, "other");
    free(text);
    OK(swim_attribute_get_text(s->file, "/", "f", NULL, &text, &err));
    assert_string_equal(text, "fixed");
    free(text);
    OK(swim_attribute_get_int(s->file, "/", "b", 0, &i, &err));
    assert_int_equal(i, 1);
    OK(swim_attribute_get(s->file, "/", "e", &got, &err));
    assert_true(got->count == 0 && got->rank == 0);
    swim_attribute_free(got);
    REFUSED(swim_attribute_get_int(s->file, "/", "u", 0, &i, &err), SWIM_ERR_ARG,
            "not one integer of 64 bits, but 1 of uint64");
    REFUSED(swim_attribute_get(s->file, "/", "c", &got, &err), SWIM_ERR_ARG,
            "compound");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(one_value_comes_back_or_the_default),
        TEST(set_replaces_whatever_it_was),
        TEST(strings_may_be_many_or_none),
        TEST(what_cannot_be_is_refused),
        TEST(names_are_listed_in_order_and_deleted),
        TEST(h5py_and_this_read_each_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
