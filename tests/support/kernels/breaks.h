/* breaks.h - breaking in the blocks that the file WHERE lists, one "INDEX HOW" in each
 * line: segv, abort, exit (also exit143), loop, refuse; latin, long: refuse it with
 * words that are not UTF-8, or have no room; wait: until there is a file WHERE.go;
 * once: killed, but the first time only; over: map writes 64 KiB too much. Each block
 * takes $NAP_MS.  If WHERE is exit143, open() ends the process. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <h5swim/kernel.h>

struct breaks {
    char where[200];
    int over;
};

static int breaks_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct breaks *b = calloc(1, sizeof(*b));

    if (!b)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    if (strcmp(swim_params_text(params, "where"), "exit143") == 0)
        exit(143);
    snprintf(b->where, sizeof(b->where), "%s", swim_params_text(params, "where"));
    *state = b;
    return SWIM_OK;
}

/* The first process that makes the file. */
static int breaks_first(const char *where, unsigned long long block)
{
    char name[256];
    FILE *f;

    snprintf(name, sizeof(name), "%s.%llu", where, block);
    f = fopen(name, "wx");
    if (f)
        fclose(f);
    return f != NULL;
}

static void breaks_wait(const char *where)
{
    char name[256];

    snprintf(name, sizeof(name), "%s.go", where);
    while (access(name, F_OK) != 0)
        usleep(1000);
}

/* Characters of two bytes, begun at an even place and at an odd one. */
static int breaks_long(swim_error_t *err)
{
    char words[512] = "";

    for (int i = 0; i < 240; i++)
        strcat(words, i == 120 ? "-\u00e9" : "\u00e9");
    return swim_error_set(err, SWIM_ERR_ARG, "%s, it is not", words);
}

static int breaks_now(const char *how, swim_error_t *err)
{
    if (strcmp(how, "segv") == 0)
        *(volatile int *)8 = 1;
    if (strcmp(how, "abort") == 0)
        abort();
    if (strncmp(how, "exit", 4) == 0)
        exit(atoi(how + 4));
    while (strcmp(how, "loop") == 0)
        usleep(1000);
    if (strcmp(how, "latin") == 0)
        return swim_error_set(err, SWIM_ERR_ARG, "caf\xe9");
    if (strcmp(how, "long") == 0)
        return breaks_long(err);
    return swim_error_set(err, SWIM_ERR_ARG, "it does not like this block");
}

static int breaks_look(struct breaks *b, unsigned long long block, swim_error_t *err)
{
    unsigned long long index;
    FILE *f = fopen(b->where, "r");
    const char *ms = getenv("NAP_MS");
    char how[32];
    int rc = SWIM_OK;

    b->over = 0;
    if (ms)
        usleep((useconds_t)atoi(ms) * 1000);
    while (f && rc == SWIM_OK && fscanf(f, "%llu %31s", &index, how) == 2) {
        if (index != block)
            continue;
        if (strcmp(how, "wait") == 0)
            breaks_wait(b->where);
        else if (strcmp(how, "over") == 0)
            b->over = 1;
        else if (strcmp(how, "once") != 0)
            rc = breaks_now(how, err);
        else if (breaks_first(b->where, block))
            raise(SIGKILL);
    }
    if (f)
        fclose(f);
    return rc;
}

static const struct swim_param breaks_params[] = {{.name = "where",
                                                   .type = SWIM_PARAM_TEXT,
                                                   .preset = "none",
                                                   .description = "file of blocks"}};
