/* driver.c - runs the fuzz target over files without libFuzzer, and with --make FOLDER
 * writes journals as transactions leave them, to begin from. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_journal.h"
#include "mem_disk.h"
#include "store/txn.h"

static void must(bool fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "fuzz driver: %s: it failed\n", what);
        exit(1);
    }
}

static struct txn *must_open(void)
{
    struct txn_options opt = {
        .io = &mem_disk_io, .write = true, .flocks = true, .fence = 1};
    struct txn *t = NULL;

    memcpy(opt.boot, fuzz_boot, JOURNAL_ID);
    must(txn_open(&t, FUZZ_PATH, &opt, NULL) == SWIM_OK, "open a transaction");
    return t;
}

static void must_write(struct txn *t, const char *text, uint64_t place)
{
    must(txn_write(t, text, strlen(text), place, NULL) == SWIM_OK, "write");
}

static void must_commit(struct txn *t)
{
    must(txn_commit(t, true, NULL) == SWIM_OK, "commit");
}

/* Which kinds there are: each leaves its transaction in the middle. */
enum { BEGUN, UNFINISHED, ONE, SEVERAL, CUT, COPIED, REPLACED, DAMAGED, KINDS };

static void play(struct txn *t, int kind)
{
    char seen[4];

    if (kind == BEGUN) { /* a read has small writes made at once */
        must_write(t, "more", FUZZ_BYTES);
        must(txn_read(t, seen, sizeof(seen), FUZZ_BYTES, NULL) == SWIM_OK, "read");
        return;
    }
    must_write(t, "first", 100);
    must_write(t, "in the middle", 5000);
    must_commit(t);
    if (kind == ONE || kind == UNFINISHED || kind == REPLACED)
        return;
    for (int i = 0; i < 3; i++) {
        must_write(t, i % 2 ? "odd" : "even, and longer", 98 + 2 * (uint64_t)i);
        must_write(t, "behind the end", FUZZ_BYTES + 100 * (uint64_t)i);
        must_commit(t);
    }
    if (kind == CUT) {
        must(txn_set_size(t, 3000, NULL) == SWIM_OK, "cut");
        must_commit(t);
        must_write(t, "again", 3100);
        must_commit(t);
    }
}

static unsigned char kept[MEM_FILE_MAX];
static size_t kept_size;

/* The last moment before the journal goes is when it says the most. */
static int keeping_unlink(const char *path)
{
    const unsigned char *bytes = mem_disk_get(FUZZ_JOURNAL, &kept_size);

    if (bytes && strcmp(path, FUZZ_JOURNAL) == 0)
        memcpy(kept, bytes, kept_size);
    return mem_disk_io.unlink(path);
}

static struct swim_io keeping;

static void make_one(const char *folder, int kind)
{
    static const char *const names[] = {"begun", "unfinished", "one",      "several",
                                        "cut",   "copied",     "replaced", "damaged"};
    char path[4096];
    size_t size = 0;

    fuzz_put_file();
    struct txn *t = must_open();
    play(t, kind);
    const unsigned char *bytes = mem_disk_get(FUZZ_JOURNAL, &size);
    must(bytes, "find the journal");
    if (kind == COPIED || kind == REPLACED) {
        txn_close(t);
        struct txn_options opt = {
            .io = &keeping, .write = true, .flocks = true, .fence = 2};
        memcpy(opt.boot, fuzz_boot, JOURNAL_ID);
        keeping = mem_disk_io;
        keeping.unlink = keeping_unlink;
        if (kind == COPIED) {
            must(txn_open(&t, FUZZ_PATH, &opt, NULL) == SWIM_OK, "open");
            must(txn_checkpoint(t, NULL) == SWIM_OK, "copy");
        } else {
            must(txn_create(&t, FUZZ_PATH, &opt, false, 0600, NULL) == SWIM_OK, "new");
            must_write(t, "new", 0);
            must_commit(t);
        }
        bytes = kept;
        size = kept_size;
    }
    memmove(kept, bytes, size);
    if (kind == UNFINISHED)
        size -= JOURNAL_COMMIT;
    if (kind == DAMAGED) /* its first frame */
        memset(kept + JOURNAL_HEADER, 0, JOURNAL_FRAME);
    snprintf(path, sizeof(path), "%s/%s", folder, names[kind]);
    FILE *f = fopen(path, "we");
    must(f && fwrite(kept, 1, size, f) == size && fclose(f) == 0, path);
}

/* *journals counts those whose header is one. */
static void run_one(const char *path, int *journals)
{
    static unsigned char bytes[MEM_FILE_MAX];
    struct journal_header header;
    FILE *f = fopen(path, "re");

    must(f, path);
    size_t size = fread(bytes, 1, sizeof(bytes), f);
    must(!ferror(f) && fclose(f) == 0, path);
    (void)LLVMFuzzerTestOneInput(bytes, size);
    *journals += journal_header_decode(bytes, size, &header) == HEADER_VALID;
    /* and near it, without libFuzzer */
    for (unsigned dice = 1; dice <= 200; dice++) {
        unsigned char *near = malloc(size + 1);
        must(near, "memory");
        memcpy(near, bytes, size);
        for (unsigned n = 0; size > 0 && n < dice % 5; n++)
            near[(dice * 7919U + n * 104729U) % size] ^=
                (unsigned char)(1U << (dice + n) % 8);
        fuzz_repair(near, size, dice);
        (void)LLVMFuzzerTestOneInput(near, size);
        free(near);
    }
}

int main(int argc, char **argv)
{
    int journals = 0;

    if (argc == 3 && strcmp(argv[1], "--make") == 0) {
        for (int kind = 0; kind < KINDS; kind++)
            make_one(argv[2], kind);
        return 0;
    }
    for (int i = 1; i < argc; i++)
        run_one(argv[i], &journals);
    printf("%d files\n", argc - 1);
    must(argc < 2 || journals >= KINDS, "find a journal of each kind (see --make)");
    return argc > 1 ? 0 : 2;
}
