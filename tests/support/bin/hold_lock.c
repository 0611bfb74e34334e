/* hold_lock.c - takes the lock of a file for tests:
 *     hold_lock FILE read|update|write [WAIT_MS]
 * prints "held" once it has it (or the error, exit status 4) and gives it back when its
 * standard input ends.  WAIT_MS 0: only tries. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/lock.h>

static enum swim_lock_mode mode_of(const char *name)
{
    if (strcmp(name, "read") == 0)
        return SWIM_LOCK_READ;
    return strcmp(name, "update") == 0 ? SWIM_LOCK_UPDATE : SWIM_LOCK_WRITE;
}

int main(int argc, char **argv)
{
    struct swim_session_options so = {
        .struct_size = sizeof(so), .job = "hold", .rank = -1};
    struct swim_lock_options lo = {.struct_size = sizeof(lo), .wait_ms = 60000};
    char resource[PATH_MAX], byte;
    swim_session_t *session = NULL;
    swim_lock_t *lock = NULL;
    swim_error_t err = {0};

    if (argc < 3)
        return 2;
    if (argc > 3)
        lo.wait_ms = strcmp(argv[3], "0") == 0 ? SWIM_LOCK_TRY : atoll(argv[3]);
    if (swim_session_open(&so, &session, &err) == SWIM_OK &&
        swim_resource_of_file(argv[1], resource, sizeof(resource), &err) == SWIM_OK &&
        swim_lock_acquire(session, resource, mode_of(argv[2]), &lo, &lock, &err) ==
            SWIM_OK) {
        puts("held");
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
        swim_lock_release(lock, NULL);
    }
    swim_session_close(session);
    if (err.code != SWIM_OK)
        fprintf(stderr, "%s\n", err.text);
    return err.code == SWIM_ERR_TIMEOUT ? 4 : err.code != SWIM_OK;
}
