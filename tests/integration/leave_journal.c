/* leave_journal.c - what a writer leaves that is killed: COMMITS commits to FILE, the
 * nth of which puts the double -n at PLACE + 4096 (n - 1) and as many bytes behind the
 * end, and some that are committed by none.  With "hold" it says "held" and goes when
 * its input ends. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/boot_id.h"
#include "store/txn.h"

static void must(int rc, const swim_error_t *err)
{
    if (rc != SWIM_OK) {
        fprintf(stderr, "leave_journal: %s\n", err->text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct txn_options opt = {.write = true, .flocks = true, .fence = 1};
    struct txn *t = NULL;
    swim_error_t err = {0};

    static char unfinished[20000]; /* so long that it does not stay in memory */
    char seen[10];

    if (argc < 4)
        return 2;
    const int commits = atoi(argv[2]);
    const uint64_t place = strtoull(argv[3], NULL, 10);
    boot_id_read(opt.boot);
    must(txn_open(&t, argv[1], &opt, &err), &err);
    for (int n = 1; n <= commits; n++) {
        const double value = -n;
        must(
            txn_write(t, &value, sizeof(value), place + 4096 * (uint64_t)(n - 1), &err),
            &err);
        must(txn_write(t, &value, sizeof(value), txn_size(t), &err), &err);
        must(txn_commit(t, true, &err), &err);
    }
    memset(unfinished, 'u', sizeof(unfinished));
    must(txn_write(t, unfinished, sizeof(unfinished), place + 16, &err), &err);
    must(txn_write(t, "unfinished", 10, txn_size(t), &err), &err);
    /* Nor do these when they have been read. */
    must(txn_read(t, seen, sizeof(seen), txn_size(t) - sizeof(seen), &err), &err);
    if (argc > 4 && strcmp(argv[4], "hold") == 0) {
        puts("held");
        fflush(stdout);
        while (getchar() != EOF)
            ;
    }
    _exit(0);
}
