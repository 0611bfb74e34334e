/* test_store_sequences.c - after every short sequence of HDF5 calls, all that a power
 * failure may leave on the disk is the old state or the new one.
 *
 * A file with four datasets is on the disk.  One to three calls change it, in each of
 * several ways: a session that is closed, one that commits after each call, a new file
 * that takes the place of the old one, a transaction of h5swim/file.h.  It ends at each
 * call to the system.  Before each sync, and at the end, power fails: each write, each
 * size and each name since the last sync of its file or folder is there or is not, in
 * all combinations.  Only of a new file that has no name yet, which nobody reads, some
 * are looked at, and some where each sector of a write may be lost by itself.
 *
 * That is with SWIM_LONG.  In tests/run: all for one call; for two, and for some of
 * three, a few. */
#include "crash_scene.h"

#include <h5swim/file.h>

#define ALL_MAX 14   /* 2^n images are all looked at */
#define SAMPLE_MAX 5 /* of more, or where writes are torn, 2^n */
#define FEW_MAX 2    /* in tests/run */
#define FEW_STEP 17  /* of the sequences of three calls every nth */
#define VALUES 40
#define NAMES 8

enum op { CREATE, WRITE, EXTEND, OVERWRITE, DELETE, RENAME, ATTRIBUTE, GROUP, OPS };
enum way { SESSION, COMMITS, NEW_FILE, OBJECTS, WAYS };

static const char *const op_names[] = {"create", "write",  "extend",    "overwrite",
                                       "delete", "rename", "attribute", "group"};
static const char *const way_names[] = {"one session", "commits", "a new file",
                                        "objects"};

/* The datasets that there are, the newest last; names that were given; what was created
 * and not written. */
static struct {
    char sets[NAMES][8], unwritten[8];
    int n, given;
    int value; /* the next one */
    hid_t file;
    swim_file_t *objects; /* or this */
    enum way way;
    int ops[3], count;
    long named; /* where in the trace a new file has its name, which is read then */
} seq;

static unsigned long points, images, sampled;

static void done(int rc, const swim_error_t *err)
{
    if (rc != SWIM_OK)
        fail_msg("sequence %lu: %s", story.seed, err->text);
}

static const char *newest(void)
{
    return seq.sets[seq.n - 1];
}

static const char *give_name(char first)
{
    assert_true(seq.n < NAMES);
    snprintf(seq.sets[seq.n], sizeof(seq.sets[0]), "%c%d", first, seq.given++);
    return seq.sets[seq.n];
}

/* --- the calls */

static void create(bool chunked)
{
    const hsize_t size = VALUES, most = H5S_UNLIMITED, chunk = 16;
    const char *name = give_name('n');
    swim_error_t err = {0};

    seq.n++;
    snprintf(seq.unwritten, sizeof(seq.unwritten), "%s", name);
    if (seq.objects) {
        const uint64_t dims = VALUES, max = SWIM_UNLIMITED, chunks = 16;
        const struct swim_dataset_spec spec = {.struct_size = sizeof(spec),
                                               .type = SWIM_DATA_INT32,
                                               .rank = 1,
                                               .dims = &dims,
                                               .maxdims = &max,
                                               .chunks = &chunks,
                                               .compression = story.seed % 2};
        done(swim_dataset_create(seq.objects, name, &spec, &err), &err);
        return;
    }
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &size, chunked ? &most : NULL);
    if (chunked)
        H5Pset_chunk(dcpl, 1, &chunk);
    if (chunked && story.seed % 2)
        H5Pset_deflate(dcpl, 1);
    hid_t set = H5Dcreate2(seq.file, name, H5T_NATIVE_INT, space, H5P_DEFAULT, dcpl,
                           H5P_DEFAULT);
    must(set >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(dcpl);
}

static void put(const char *name, hsize_t start, hsize_t count)
{
    int values[VALUES];
    swim_error_t err = {0};

    for (int i = 0; i < VALUES; i++)
        values[i] = ++seq.value;
    if (seq.objects) {
        const uint64_t from = start, n = count;
        const struct swim_slab slab = {.rank = 1, .start = &from, .count = &n};
        done(swim_dataset_write(seq.objects, name, &slab, SWIM_DATA_INT32, count,
                                values, &err),
             &err);
        return;
    }
    hid_t set = H5Dopen2(seq.file, name, H5P_DEFAULT);
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(1, &count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    must(H5Dwrite(set, H5T_NATIVE_INT, memory, space, H5P_DEFAULT, values) >= 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
}

/* What has no values yet, else all values of the newest. */
static void write_all(void)
{
    put(seq.unwritten[0] ? seq.unwritten : newest(), 0, VALUES);
    seq.unwritten[0] = 0;
}

/* The newest that can be. */
static void extend(void)
{
    swim_error_t err = {0};
    hsize_t size = 0, most = 0;

    for (int n = seq.n; most != H5S_UNLIMITED; n--) {
        const char *name = seq.sets[n - 1];
        if (seq.objects) {
            struct swim_dataset_info info;
            done(swim_dataset_info(seq.objects, name, &info, &err), &err);
            most = info.maxdims[0] == SWIM_UNLIMITED ? H5S_UNLIMITED : 0;
            info.dims[0] += 30;
            if (most == H5S_UNLIMITED)
                done(swim_dataset_resize(seq.objects, name, 1, info.dims, &err), &err);
            continue;
        }
        hid_t set = H5Dopen2(seq.file, name, H5P_DEFAULT);
        hid_t space = H5Dget_space(set);
        H5Sget_simple_extent_dims(space, &size, &most);
        size += 30;
        if (most == H5S_UNLIMITED)
            must(H5Dset_extent(set, &size) >= 0);
        H5Sclose(space);
        H5Dclose(set);
    }
}

static void delete_newest(void)
{
    swim_error_t err = {0};

    if (seq.objects)
        done(swim_object_delete(seq.objects, newest(), &err), &err);
    else
        must(H5Ldelete(seq.file, newest(), H5P_DEFAULT) >= 0);
    if (strcmp(newest(), seq.unwritten) == 0)
        seq.unwritten[0] = 0;
    seq.n--;
}

/* Not in h5swim/file.h. */
static void rename_newest(void)
{
    char old[8];

    memcpy(old, newest(), sizeof(old));
    seq.n--;
    const char *name = give_name('r');
    must(H5Lmove(seq.file, old, seq.file, name, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    if (strcmp(old, seq.unwritten) == 0)
        snprintf(seq.unwritten, sizeof(seq.unwritten), "%s", name);
    seq.n++;
}

/* Of the newest: set, or set anew. */
static void set_attribute(void)
{
    swim_error_t err = {0};
    int value = ++seq.value;

    if (seq.objects) {
        done(swim_attribute_set_int(seq.objects, newest(), "u", value, &err), &err);
        return;
    }
    hid_t scalar = H5Screate(H5S_SCALAR),
          set = H5Dopen2(seq.file, newest(), H5P_DEFAULT);
    if (H5Aexists(set, "u") > 0)
        must(H5Adelete(set, "u") >= 0);
    hid_t u = H5Acreate2(set, "u", H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT);
    must(H5Awrite(u, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(u);
    H5Dclose(set);
    H5Sclose(scalar);
}

static void make_group(void)
{
    swim_error_t err = {0};
    char name[8];

    snprintf(name, sizeof(name), "g%d", seq.given++);
    if (seq.objects) {
        done(swim_group_create(seq.objects, name, &err), &err);
        return;
    }
    hid_t group = H5Gcreate2(seq.file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    must(group >= 0);
    H5Gclose(group);
}

static void call(enum op op)
{
    switch (op) {
    case CREATE:
        create(true);
        break;
    case WRITE:
        write_all();
        break;
    case EXTEND:
        extend();
        break;
    case OVERWRITE:
        put(newest(), 10, 12);
        break;
    case DELETE:
        delete_newest();
        break;
    case RENAME:
        rename_newest();
        break;
    case ATTRIBUTE:
        set_attribute();
        break;
    default:
        make_group();
    }
}

/* --- the story */

static void make_first(void)
{
    hid_t fapl = driver();

    seq.file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    must(seq.file >= 0);
    H5Pclose(fapl);
    seq.n = 0;
    for (int i = 0; i < 4; i++) {
        create(i != 2);
        if (i > 0)
            put(newest(), 0, VALUES);
        if (i == 3)
            set_attribute();
    }
    memcpy(seq.unwritten, seq.sets[0], sizeof(seq.unwritten));
}

static void commit(bool closes)
{
    swim_error_t err = {0};

    note(digest_of(seq.file), io_trace_length());
    if (closes)
        must(H5Fclose(seq.file) >= 0);
    else
        done(swim_commit(seq.file, &err), &err);
    acknowledge();
}

static void change_by_hdf5(void)
{
    if (seq.way == NEW_FILE)
        make_first();
    else
        seq.file = open_by_driver(H5F_ACC_RDWR);
    must(seq.file >= 0);
    for (int i = 0; i < seq.count; i++) {
        call((enum op)seq.ops[i]);
        if (seq.way == COMMITS && i < seq.count - 1)
            commit(false);
    }
    commit(true);
}

/* What the state is called can be looked at only when it is there. */
static void change_objects(void)
{
    swim_error_t err = {0};

    done(swim_file_open(path, "r+", NULL, &seq.objects, &err), &err);
    done(swim_file_begin(seq.objects, SWIM_LOCK_UPDATE, &err), &err);
    for (int i = 0; i < seq.count; i++)
        call((enum op)seq.ops[i]);
    note(0, io_trace_length());
    done(swim_file_commit(seq.objects, &err), &err);
    acknowledge();
    swim_file_free(seq.objects);
    seq.objects = NULL;
    hid_t file = open_by_driver(H5F_ACC_RDONLY);
    story.states[story.n - 1].digest = digest_of(file);
    H5Fclose(file);
}

/* Where in the trace it begins. */
static long sequence_tell(void)
{
    story.n = 0;
    seq.given = seq.value = 0;
    memset(story.boot, 1, sizeof(story.boot));
    sim_disk_reset();
    io_trace_reset();
    vfd_use_io(&io_trace_io, story.boot);
    make_first();
    commit(true);
    long begin = io_trace_length();
    if (seq.way == OBJECTS)
        change_objects();
    else
        change_by_hdf5();
    vfd_use_io(&sim_disk_io, story.boot);
    seq.named = begin;
    while (seq.way == NEW_FILE && !io_trace_is_rename(seq.named))
        seq.named++;
    return begin;
}

/* --- power failures */

#define SEEN_MAX (1U << 16)
static uint64_t seen[SEEN_MAX]; /* of one sequence */

/* Whether the disk has been looked at as it is, at the same moment of the story. */
static bool is_seen(void)
{
    uint64_t sum = sim_disk_sum();

    for (int n = 0; n < story.n; n++) {
        sum = sum * 31 + (story.states[n].asked <= story.call);
        sum = sum * 31 + (story.states[n].acknowledged <= story.call);
    }
    sum += sum == 0;
    for (unsigned at = (unsigned)sum % SEEN_MAX, tries = 0; tries < 64; tries++) {
        uint64_t *one = &seen[(at + tries) % SEEN_MAX];
        if (*one == sum)
            return true;
        if (*one == 0) {
            *one = sum;
            return false;
        }
    }
    return false;
}

static void look_unless_seen(void)
{
    images++;
    if (is_seen())
        return;
    look();
    points++;
}

static bool looks_at_all(void)
{
    return getenv("SWIM_LONG") || seq.count == 1;
}

/* Power fails behind the first n calls. */
static void fail_power(long n, bool torn)
{
    uint64_t random = story.seed * 2654435761U + (uint64_t)n;

    story.call = n;
    io_trace_replay_in_sectors(n, torn);
    unsigned loose = sim_disk_loose();
    unsigned most = torn || n < seq.named ? SAMPLE_MAX : ALL_MAX;
    most = looks_at_all() ? most : FEW_MAX;
    bool all = loose <= most;
    sampled += !all && !torn;
    unsigned bits = all ? loose : most < SAMPLE_MAX ? most : SAMPLE_MAX;
    for (uint64_t image = 0; image < 1ULL << bits; image++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        io_trace_replay_in_sectors(n, torn);
        sim_disk_restart_with(all ? image : random ^ random >> 32);
        look_unless_seen();
    }
}

/* The program ends behind the nth call, or in it. */
static void kill_at(long n)
{
    story.call = n;
    for (unsigned torn = 0; torn < 2; torn++) {
        io_trace_replay(n, torn, (unsigned)(story.seed * 31 + (unsigned long)n));
        sim_disk_restart(false, 0);
        look_unless_seen();
    }
}

static void each_call(long begin, unsigned char boot, void (*stop)(long n))
{
    long only = (long)from_environment("SWIM_CRASH_CALL", 0);

    memset(seen, 0, sizeof(seen));
    memset(story.boot, boot, sizeof(story.boot));
    for (long n = begin + 1; n <= io_trace_length(); n++)
        if (!only || only == n)
            stop(n);
}

/* What is lost before the next sync may be lost at it. */
static void fail_power_at_sync(long n)
{
    if (n < io_trace_length() && !io_trace_is_sync(n + 1))
        return;
    fail_power(n, false);
    if (looks_at_all())
        fail_power(n, true);
}

static void sequence_try(void)
{
    long begin = sequence_tell();

    if (looks_at_all())
        each_call(begin, 1, kill_at);
    each_call(begin, 2, fail_power_at_sync);
}

static bool has_rename(void)
{
    for (int i = 0; i < seq.count; i++)
        if (seq.ops[i] == RENAME)
            return true;
    return false;
}

/* Each has a number: its ways, and its calls as digits, the count of them in front. */
static bool sequence_is(unsigned long number)
{
    seq.way = (enum way)(number % WAYS);
    number /= WAYS;
    seq.count = 1;
    for (unsigned long n = OPS; number >= n; n *= OPS) {
        number -= n;
        seq.count++;
    }
    for (int i = 0; i < seq.count && i < 3; i++, number /= OPS)
        seq.ops[i] = (int)(number % OPS);
    return seq.count <= 3;
}

static void after_every_sequence_it_is_old_or_new(void **state)
{
    unsigned long first = from_environment("SWIM_CRASH_SEED", 0), sequences = 0;
    unsigned long step = getenv("SWIM_LONG") ? 1 : FEW_STEP;

    (void)state;
    for (unsigned long number = first; sequence_is(number); number++) {
        if ((seq.way == OBJECTS && has_rename()) || (seq.count == 3 && number % step))
            continue;
        story.seed = number;
        sequence_try();
        sequences++;
        if (from_environment("SWIM_CRASH_CALL", 0))
            break;
    }
    print_message("%lu sequences from %lu on: %lu images, %lu of them different; at "
                  "%lu moments some\n",
                  sequences, first, images, points, sampled);
    assert_true(first > 0 || points >= 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_every_sequence_it_is_old_or_new),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);

    if (failed) {
        fprintf(stderr, "in %s:", way_names[seq.way]);
        for (int i = 0; i < seq.count && i < 3; i++)
            fprintf(stderr, " %s", op_names[seq.ops[i]]);
        fprintf(stderr, "; again: SWIM_CRASH_SEED=%lu SWIM_CRASH_CALL=%ld\n",
                story.seed, story.call);
    }
    return failed;
}
