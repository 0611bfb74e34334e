/* object_transaction.c - money is moved from one account to another.
 *
 *     object_transaction FILE FROM TO AMOUNT
 *
 * Accounts are datasets of one number each, made with 0 when they are not there.  Both
 * are changed in one transaction: whoever reads sees the same sum, and so does who
 * comes after this process was killed.  An example of swim_file_begin() and commit:
 *
 *     cc object_transaction.c $(pkg-config --cflags --libs h5swim)
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>

#include <h5swim/file.h>

static int change(swim_file_t *file, const char *account, int64_t by, swim_error_t *err)
{
    const struct swim_dataset_spec spec = {.struct_size = sizeof(spec),
                                           .type = SWIM_DATA_INT64};
    int64_t value = 0;

    int rc = swim_dataset_require(file, account, &spec, err);
    if (rc == SWIM_OK)
        rc = swim_dataset_read(file, account, NULL, SWIM_DATA_INT64, 1, &value, err);
    value += by;
    if (rc == SWIM_OK)
        rc = swim_dataset_write(file, account, NULL, SWIM_DATA_INT64, 1, &value, err);
    return rc;
}

static int move(swim_file_t *file, char **accounts, int64_t amount, swim_error_t *err)
{
    int rc = swim_file_begin(file, SWIM_LOCK_UPDATE, err);

    if (rc != SWIM_OK)
        return rc;
    rc = change(file, accounts[0], -amount, err);
    if (rc == SWIM_OK)
        rc = change(file, accounts[1], amount, err);
    if (rc == SWIM_OK)
        return swim_file_commit(file, err);
    (void)swim_file_abort(file, NULL);
    return rc;
}

int main(int argc, char **argv)
{
    swim_file_t *file = NULL;
    swim_error_t err = {0};

    if (argc != 5) {
        fprintf(stderr, "usage: object_transaction FILE FROM TO AMOUNT\n");
        return 2;
    }
    int rc = swim_file_open(argv[1], "a", NULL, &file, &err);
    if (rc == SWIM_OK)
        rc = move(file, argv + 2, strtoll(argv[4], NULL, 10), &err);
    swim_file_free(file);
    if (rc != SWIM_OK)
        fprintf(stderr, "object_transaction: %s\n", err.text);
    return rc == SWIM_OK ? 0 : 1;
}
