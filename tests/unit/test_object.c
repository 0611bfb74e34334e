/* test_object.c - h5swim/file.h: files, groups and transactions of many processes. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "object_scene.h"

static enum swim_kind kind_of(swim_file_t *file, const char *path)
{
    enum swim_kind kind = SWIM_KIND_NONE;

    OK(swim_object_kind(file, path, &kind, &err));
    return kind;
}

/* What another process sees. */
static enum swim_kind kind_elsewhere(const struct object_scene *s, const char *path)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        swim_file_t *file = NULL;
        enum swim_kind kind = SWIM_KIND_NONE;
        if (swim_file_open(s->at.path, "r", NULL, &file, NULL) != SWIM_OK ||
            swim_object_kind(file, path, &kind, NULL) != SWIM_OK)
            _exit(255);
        _exit((int)kind);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return (enum swim_kind)WEXITSTATUS(status);
}

/* --- files */

static void each_mode_is_h5pys(void **state)
{
    const struct object_scene *s = *state;
    swim_file_t *file = NULL;

    OK(swim_group_create(s->file, "/old", &err));
    REFUSED(swim_file_open(s->at.path, "x", NULL, &file, &err), SWIM_ERR_ARG,
            "it is there already");
    REFUSED(swim_file_open(s->at.path, "rw", NULL, &file, &err), SWIM_ERR_ARG,
            "there is no mode \"rw\"");
    REFUSED(swim_file_open(s->at.other, "r", NULL, &file, &err), SWIM_ERR_IO,
            "No such file");
    REFUSED(swim_file_open(s->at.other, "r+", NULL, &file, &err), SWIM_ERR_IO,
            "No such file");
    assert_null(file);

    file = open_as(s->at.path, "r", 0);
    assert_int_equal(kind_of(file, "/old"), SWIM_KIND_GROUP);
    REFUSED(swim_group_create(file, "/new", &err), SWIM_ERR_ARG, "opened for reading");
    REFUSED(swim_file_begin(file, SWIM_LOCK_UPDATE, &err), SWIM_ERR_ARG,
            "opened for reading");
    swim_file_free(file);
    file = open_as(s->at.path, "a", 0);
    OK(swim_group_create(file, "new", &err));
    swim_file_free(file);
    file = open_as(s->at.path, "r+", 0);
    assert_int_equal(kind_of(file, "/old"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(file, "/new"), SWIM_KIND_GROUP);
    swim_file_free(file);
    file = open_as(s->at.other, "a", 0);
    assert_int_equal(kind_of(file, "/"), SWIM_KIND_GROUP);
    swim_file_free(file);
    file = open_as(s->at.path, "w", 0);
    assert_int_equal(kind_of(file, "/old"), SWIM_KIND_NONE);
    swim_file_free(file);
}

static void what_is_no_hdf5_file_is_refused(void **state)
{
    const struct object_scene *s = *state;
    swim_file_t *file = NULL;

    assert_int_equal(scratch_dir_run(&s->at.dir, "echo text > b.h5"), 0);
    REFUSED(swim_file_open(s->at.other, "r", NULL, &file, &err), SWIM_ERR_ARG,
            "not an HDF5 file");
    REFUSED(swim_file_open(s->at.other, "a", NULL, &file, &err), SWIM_ERR_ARG,
            "not an HDF5 file");
    REFUSED(swim_file_begin(file, SWIM_LOCK_READ, &err), SWIM_ERR_ARG, "NULL");
    REFUSED(swim_file_commit(file, &err), SWIM_ERR_ARG, "NULL");
    REFUSED(swim_object_visit(file, "/", NULL, NULL, &err), SWIM_ERR_ARG, "NULL");
    REFUSED(swim_group_create(file, "/", &err), SWIM_ERR_ARG, "NULL");
    REFUSED(swim_file_open("", "a", NULL, &file, &err), SWIM_ERR_ARG, "empty");
    assert_null(file);
}

/* --- groups */

static void groups_are_made_with_those_above(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;

    OK(swim_group_create(file, "/a/b//c/", &err));
    assert_int_equal(kind_of(file, "a/b/c"), SWIM_KIND_GROUP);
    REFUSED(swim_group_create(file, "/a/b", &err), SWIM_ERR_ARG,
            "there is a group of that name already");
    REFUSED(swim_group_create(file, "/", &err), SWIM_ERR_ARG, "there already");
    OK(swim_group_require(file, "/a/b", &err));
    OK(swim_group_require(file, "/", &err));
    OK(swim_group_require(file, "/a/d/e", &err));
    assert_int_equal(kind_of(file, "/a/d/e"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(file, "/a/x/e"), SWIM_KIND_NONE);
}

static void what_is_deleted_is_gone_with_all_in_it(void **state)
{
    swim_file_t *file = ((struct object_scene *)*state)->file;

    OK(swim_group_create(file, "/a/b/c", &err));
    OK(swim_object_delete(file, "/a/b", &err));
    assert_int_equal(kind_of(file, "/a/b/c"), SWIM_KIND_NONE);
    assert_int_equal(kind_of(file, "/a"), SWIM_KIND_GROUP);
    REFUSED(swim_object_delete(file, "/a/b", &err), SWIM_ERR_ARG, "no such object");
    REFUSED(swim_object_delete(file, "/x/b", &err), SWIM_ERR_ARG, "there is no /x");
    REFUSED(swim_object_delete(file, "/", &err), SWIM_ERR_ARG, "the root");
}

/* Made by plain HDF5: links of each kind. */
static void make_links(const struct object_scene *s)
{
    hid_t other = H5Fcreate(s->at.other, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t file = H5Fcreate(s->at.path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);

    H5Gclose(H5Gcreate2(other, "there", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "data", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT,
                        H5P_DEFAULT));
    H5Lcreate_soft("/group", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/none", file, "astray", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("b.h5", "/there", file, "outside", H5P_DEFAULT, H5P_DEFAULT);
    H5Sclose(space);
    H5Fclose(file);
    H5Fclose(other);
}

static void a_list_has_names_kinds_and_targets(void **state)
{
    const struct object_scene *s = *state;
    static const struct swim_entry wanted[] = {
        {"astray", SWIM_KIND_SOFT_LINK, "/none"},
        {"data", SWIM_KIND_DATASET, NULL},
        {"group", SWIM_KIND_GROUP, NULL},
        {"outside", SWIM_KIND_EXTERNAL_LINK, "b.h5:/there"},
        {"soft", SWIM_KIND_SOFT_LINK, "/group"}};
    struct swim_entry *list = NULL;
    size_t count = 0;

    make_links(s);
    OK(swim_group_list(s->file, "/", &list, &count, &err));
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(list[i].name, wanted[i].name);
        assert_int_equal(list[i].kind, wanted[i].kind);
        if (wanted[i].target)
            assert_string_equal(list[i].target, wanted[i].target);
        else
            assert_null(list[i].target);
    }
    assert_null(list[count].name);
    swim_entries_free(list);
    OK(swim_group_list(s->file, "/group", &list, &count, &err));
    assert_int_equal(count, 0);
    assert_null(list[0].name);
    swim_entries_free(list);
    REFUSED(swim_group_list(s->file, "/data", &list, &count, &err), SWIM_ERR_ARG,
            "is a dataset, not a group");
    REFUSED(swim_group_list(s->file, "/astray", &list, &count, &err), SWIM_ERR_ARG,
            "leads nowhere");
    assert_null(list);
}

static void external_links_are_followed_to_read_only(void **state)
{
    const struct object_scene *s = *state;

    make_links(s);
    assert_int_equal(kind_of(s->file, "/outside"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(s->file, "/soft"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(s->file, "/astray"), SWIM_KIND_SOFT_LINK);
    REFUSED(swim_group_create(s->file, "/outside/new", &err), SWIM_ERR_ARG,
            "in another file");
    REFUSED(swim_group_create(s->file, "/data/new", &err), SWIM_ERR_ARG,
            "is a dataset, not a group");
    OK(swim_group_create(s->file, "/soft/new", &err));
    assert_int_equal(kind_of(s->file, "/group/new"), SWIM_KIND_GROUP);
    OK(swim_object_delete(s->file, "/soft", &err));
    assert_int_equal(kind_of(s->file, "/group/new"), SWIM_KIND_GROUP);
}

/* --- visits */

struct visited {
    swim_file_t *file;
    char text[400];
    int left, rc; /* calls until it returns rc */
};

static int note_visit(void *arg, const struct swim_entry *entry, swim_error_t *e)
{
    struct visited *v = arg;

    (void)e;
    if (v->left-- == 0)
        return v->rc;
    size_t n = strlen(v->text);
    snprintf(v->text + n, sizeof(v->text) - n, "%s(%s) ", entry->name,
             swim_kind_name(entry->kind));
    return 0;
}

/* Made by plain HDF5: an object of two names, and groups that contain themselves. */
static void make_loops(const struct object_scene *s)
{
    hid_t file = H5Fopen(s->at.path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t group = H5Gopen2(file, "group", H5P_DEFAULT);

    H5Lcreate_hard(file, "data", group, "again", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/group", group, "self", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", group, "root", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(group, "inner", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Gclose(group);
    H5Fclose(file);
}

static void a_visit_comes_to_each_object_once(void **state)
{
    const struct object_scene *s = *state;
    struct visited v = {.left = 99};

    make_links(s);
    make_loops(s);
    OK(swim_object_visit(s->file, "/", note_visit, &v, &err));
    assert_string_equal(v.text, "/astray(soft link) /data(dataset) /group(group) "
                                "/group/inner(group) /outside(external link) "
                                "/soft(soft link) ");
    v = (struct visited){.left = 2, .rc = 1};
    OK(swim_object_visit(s->file, "/group", note_visit, &v, &err));
    assert_string_equal(v.text, "/group/again(dataset) /group/inner(group) ");
    v = (struct visited){.left = 1, .rc = SWIM_ERR_KERNEL};
    assert_int_equal(swim_object_visit(s->file, "/", note_visit, &v, &err),
                     SWIM_ERR_KERNEL);
    REFUSED(swim_object_visit(s->file, "/", NULL, NULL, &err), SWIM_ERR_ARG, "NULL");
    REFUSED(swim_object_visit(s->file, "/data", note_visit, &v, &err), SWIM_ERR_ARG,
            "not a group");
    OK(swim_group_create(s->file, "/after", &err));
}

static int change_in_visit(void *arg, const struct swim_entry *entry, swim_error_t *e)
{
    const struct visited *v = arg;
    char path[64];

    (void)e;
    REFUSED(swim_file_commit(v->file, &err), SWIM_ERR_ARG, "being visited");
    REFUSED(swim_file_abort(v->file, &err), SWIM_ERR_ARG, "being visited");
    snprintf(path, sizeof(path), "%s/new", entry->name);
    if (v->rc == SWIM_OK)
        OK(swim_group_create(v->file, path, &err));
    else
        REFUSED(swim_group_create(v->file, path, &err), v->rc, "begin UPDATE");
    assert_int_equal(kind_of(v->file, entry->name), SWIM_KIND_GROUP);
    return 0;
}

static void a_visit_may_use_its_handle(void **state)
{
    const struct object_scene *s = *state;
    struct visited v = {.file = s->file, .rc = SWIM_ERR_ARG};

    OK(swim_group_create(s->file, "/a", &err));
    OK(swim_object_visit(s->file, "/", change_in_visit, &v, &err));
    v.rc = SWIM_OK;
    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    OK(swim_object_visit(s->file, "/", change_in_visit, &v, &err));
    OK(swim_file_commit(s->file, &err));
    assert_int_equal(kind_of(s->file, "/a/new"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(s->file, "/a/new/new"), SWIM_KIND_NONE);
}

/* --- transactions */

static void what_is_grouped_is_seen_at_the_commit(void **state)
{
    const struct object_scene *s = *state;

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    OK(swim_group_create(s->file, "/a", &err));
    OK(swim_group_create(s->file, "/b", &err));
    assert_int_equal(kind_of(s->file, "/a"), SWIM_KIND_GROUP);
    assert_int_equal(kind_elsewhere(s, "/a"), SWIM_KIND_NONE);
    OK(swim_file_commit(s->file, &err));
    assert_int_equal(kind_elsewhere(s, "/a"), SWIM_KIND_GROUP);
    assert_int_equal(kind_elsewhere(s, "/b"), SWIM_KIND_GROUP);
    REFUSED(swim_file_commit(s->file, &err), SWIM_ERR_ARG, "no transaction");
}

static void what_is_aborted_or_freed_never_was(void **state)
{
    const struct object_scene *s = *state;
    swim_file_t *file = open_as(s->at.path, "a", 0);

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    OK(swim_group_create(s->file, "/a", &err));
    OK(swim_file_abort(s->file, &err));
    assert_int_equal(kind_of(s->file, "/a"), SWIM_KIND_NONE);
    OK(swim_file_begin(file, SWIM_LOCK_UPDATE, &err));
    OK(swim_group_create(file, "/a", &err));
    swim_file_free(file);
    assert_int_equal(kind_of(s->file, "/a"), SWIM_KIND_NONE);
    REFUSED(swim_file_abort(s->file, &err), SWIM_ERR_ARG, "no transaction");
}

/* In a child: make a group, by the handle of the parent. */
static int make_elsewhere(const struct object_scene *s, const char *path)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(-swim_group_create(s->file, path, NULL));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return -WEXITSTATUS(status);
}

static void a_transaction_that_reads_sees_one_state(void **state)
{
    const struct object_scene *s = *state;
    swim_file_t *reader = open_as(s->at.path, "r", 0);

    OK(swim_file_begin(reader, SWIM_LOCK_READ, &err));
    assert_int_equal(kind_of(reader, "/a"), SWIM_KIND_NONE);
    assert_int_equal(make_elsewhere(s, "/a"), SWIM_OK);
    assert_int_equal(kind_elsewhere(s, "/a"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(reader, "/a"), SWIM_KIND_NONE);
    OK(swim_file_commit(reader, &err));
    assert_int_equal(kind_of(reader, "/a"), SWIM_KIND_GROUP);
    swim_file_free(reader);
    OK(swim_file_begin(s->file, SWIM_LOCK_READ, &err));
    REFUSED(swim_group_create(s->file, "/b", &err), SWIM_ERR_ARG, "begin UPDATE");
    REFUSED(swim_file_begin(s->file, SWIM_LOCK_READ, &err), SWIM_ERR_ARG,
            "begun already");
}

/* A call that is refused before it changed anything does no harm to the others. */
static void a_refused_call_leaves_its_transaction(void **state)
{
    const struct object_scene *s = *state;

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    OK(swim_group_create(s->file, "/a", &err));
    REFUSED(swim_group_create(s->file, "/a", &err), SWIM_ERR_ARG, "already");
    REFUSED(swim_object_delete(s->file, "/b", &err), SWIM_ERR_ARG, "no such");
    OK(swim_file_commit(s->file, &err));
    assert_int_equal(kind_elsewhere(s, "/a"), SWIM_KIND_GROUP);
}

static void a_thread_is_told_that_it_would_wait_for_itself(void **state)
{
    const struct object_scene *s = *state;
    swim_file_t *other = open_as(s->at.path, "a", 0);

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    REFUSED(swim_group_create(other, "/a", &err), SWIM_ERR_DEADLOCK, "this thread");
    OK(swim_file_abort(s->file, &err));
    OK(swim_group_create(other, "/a", &err));
    swim_file_free(other);
}

struct turn {
    const char *path;
    int64_t wait_ms;
    int rc;
};

static void *make_in_thread(void *arg)
{
    struct turn *turn = arg;
    const struct swim_file_options opt = {.struct_size = sizeof(opt),
                                          .wait_ms = turn->wait_ms};
    swim_file_t *file = NULL;

    turn->rc = swim_file_open(turn->path, "r+", &opt, &file, NULL);
    if (turn->rc == SWIM_OK)
        turn->rc = swim_group_create(file, "/thread", NULL);
    swim_file_free(file);
    return NULL;
}

static void threads_take_turns(void **state)
{
    const struct object_scene *s = *state;
    struct turn turn = {s->at.path, SWIM_LOCK_TRY, 0};
    pthread_t thread;

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    pthread_create(&thread, NULL, make_in_thread, &turn);
    pthread_join(thread, NULL);
    assert_int_equal(turn.rc, SWIM_ERR_TIMEOUT);
    turn.wait_ms = 20000;
    pthread_create(&thread, NULL, make_in_thread, &turn);
    OK(swim_group_create(s->file, "/a", &err));
    OK(swim_file_commit(s->file, &err));
    pthread_join(thread, NULL);
    assert_int_equal(turn.rc, SWIM_OK);
    assert_int_equal(kind_of(s->file, "/thread"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(s->file, "/a"), SWIM_KIND_GROUP);
}

static void processes_wait_and_are_told_for_whom(void **state)
{
    const struct object_scene *s = *state;
    int status = 0;

    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    pid_t pid = fork();
    if (pid == 0) {
        swim_file_t *file = NULL;
        char who[32];
        const struct swim_file_options opt = {.struct_size = sizeof(opt),
                                              .wait_ms = SWIM_LOCK_TRY};
        snprintf(who, sizeof(who), "%ld", (long)getppid());
        int rc = swim_file_open(s->at.path, "a", &opt, &file, &err);
        if (rc == SWIM_OK)
            rc = swim_group_create(file, "/b", &err);
        _exit(rc == SWIM_ERR_TIMEOUT && strstr(err.text, who) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int child_with_a_transaction(const struct object_scene *s)
{
    if (swim_group_create(s->file, "/b", &err) != SWIM_ERR_ARG ||
        !strstr(err.text, "forked"))
        return 1;
    swim_error_clear(&err);
    if (swim_file_commit(s->file, &err) != SWIM_ERR_ARG)
        return 2;
    swim_error_clear(&err);
    if (swim_file_abort(s->file, &err) != SWIM_OK)
        return 3;
    if (swim_file_begin(s->file, SWIM_LOCK_READ, &err) != SWIM_OK)
        return 4;
    return kind_of(s->file, "/a") == SWIM_KIND_NONE ? 0 : 5;
}

static void a_child_has_the_handle_but_not_the_transaction(void **state)
{
    const struct object_scene *s = *state;
    int status = 0;

    assert_int_equal(make_elsewhere(s, "/child"), SWIM_OK);
    assert_int_equal(kind_of(s->file, "/child"), SWIM_KIND_GROUP);
    OK(swim_file_begin(s->file, SWIM_LOCK_UPDATE, &err));
    OK(swim_group_create(s->file, "/a", &err));
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_with_a_transaction(s));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    OK(swim_file_commit(s->file, &err));
    assert_int_equal(kind_elsewhere(s, "/a"), SWIM_KIND_GROUP);
}

static void a_file_that_hdf5_has_open_here_is_refused(void **state)
{
    const struct object_scene *s = *state;
    const struct swim_store_options opt = {.struct_size = sizeof(opt)};
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);

    assert_int_equal(swim_fapl_set(fapl, &opt, NULL), SWIM_OK);
    hid_t file = H5Fopen(s->at.path, H5F_ACC_RDWR, fapl);
    assert_true(file >= 0);
    H5Gclose(H5Gcreate2(file, "own", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    REFUSED(swim_group_create(s->file, "/a", &err), SWIM_ERR_ARG, "open by HDF5");
    H5Fclose(file);
    H5Pclose(fapl);
    OK(swim_group_create(s->file, "/b", &err));
    assert_int_equal(kind_of(s->file, "/own"), SWIM_KIND_GROUP);
    assert_int_equal(kind_of(s->file, "/a"), SWIM_KIND_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(each_mode_is_h5pys),
        TEST(what_is_no_hdf5_file_is_refused),
        TEST(groups_are_made_with_those_above),
        TEST(what_is_deleted_is_gone_with_all_in_it),
        TEST(a_list_has_names_kinds_and_targets),
        TEST(external_links_are_followed_to_read_only),
        TEST(a_visit_comes_to_each_object_once),
        TEST(a_visit_may_use_its_handle),
        TEST(what_is_grouped_is_seen_at_the_commit),
        TEST(what_is_aborted_or_freed_never_was),
        TEST(a_transaction_that_reads_sees_one_state),
        TEST(a_refused_call_leaves_its_transaction),
        TEST(a_thread_is_told_that_it_would_wait_for_itself),
        TEST(threads_take_turns),
        TEST(processes_wait_and_are_told_for_whom),
        TEST(a_child_has_the_handle_but_not_the_transaction),
        TEST(a_file_that_hdf5_has_open_here_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
