/* setup_parts.c - what finished outputs say of their job: whether it is this one, and
 * what was changed since.  They have digests, of the description and of its parts, and
 * the lines of it that may mean the same by other names later. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "batch/setup.h"

enum { PART_KERNEL, PART_PARAMS, PART_INPUTS, PART_REST, N_PARTS };

#define PARTS_SIZE (N_PARTS * 9) /* 8 digits and what is behind them */
#define KEY_MOST 200

static const char *const names[N_PARTS] = {
    "the kernel", "the parameters", "the inputs",
    "the outputs' settings, edges or blocks (memory)"};

static bool begins(const char *line, size_t size, const char *with)
{
    return size >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* Of a chain, lines begin with "kernels.2.". */
static int part_of(const char *line, size_t size)
{
    if (begins(line, size, "kernels.")) {
        const char *dot = memchr(line + 8, '.', size - 8);
        size -= dot ? (size_t)(dot + 1 - line) : 0;
        line = dot ? dot + 1 : line;
    }
    return begins(line, size, "kernel")    ? PART_KERNEL
           : begins(line, size, "params.") ? PART_PARAMS
           : begins(line, size, "input.")  ? PART_INPUTS
                                           : PART_REST;
}

/* The digests, with "-" between them. */
static void parts_of(const char *description, char text[PARTS_SIZE])
{
    XXH64_hash_t digests[N_PARTS] = {0};

    while (*description) {
        size_t size = strcspn(description, "\n");
        XXH64_hash_t *digest = &digests[part_of(description, size)];
        *digest = XXH3_64bits_withSeed(description, size, *digest);
        description += size + (description[size] == '\n');
    }
    for (size_t i = 0; i < N_PARTS; i++)
        snprintf(text + 9 * i, 10, "%08" PRIx32 "%s", (uint32_t)digests[i],
                 i + 1 < N_PARTS ? "-" : "");
}

/* The line of an input's state; NULL: the job names its inode. */
static const char *line_of(const struct setup *setup, const struct setup_input *in)
{
    char start[KEY_MOST];

    snprintf(start, sizeof(start), "\ninput.%s.state: ", in->field.port);
    return strstr(setup->description, start);
}

int setup_keep(struct setup *setup, swim_error_t *err)
{
    const struct setup *first = setup_first(setup);
    char parts[PARTS_SIZE];
    size_t size = 0;
    FILE *to = open_memstream(&setup->kept, &size);

    if (!to)
        return swim_error_set(err, SWIM_ERR_NOMEM, "description of the job");
    parts_of(setup->description, parts);
    fputs(parts, to);
    for (uint32_t i = 0; i < first->n_inputs; i++) {
        const char *line = line_of(setup, &first->inputs[i]);
        if (line && source_state_passes(&first->inputs[i].state))
            fprintf(to, "%.*s", 1 + (int)strcspn(line + 1, "\n"), line);
    }
    return fclose(to) == 0
               ? SWIM_OK
               : swim_error_set(err, SWIM_ERR_NOMEM, "description of the job");
}

bool setup_has_finished(const struct setup *setup, const char *finished)
{
    char *then = setup_translate_back(setup, finished);
    char digest[17];

    snprintf(digest, sizeof(digest), "%016" PRIx64,
             then ? XXH3_64bits(then, strlen(then)) : setup->digest);
    free(then);
    return output_same_job(digest, finished);
}

bool setup_parts_differ(const struct setup *setup, const char *finished, char *text,
                        size_t size)
{
    const char *parts = strchr(finished, '-');
    char *then = setup_translate_back(setup, finished);
    char now[PARTS_SIZE];
    size_t n = 0;

    text[0] = '\0';
    parts_of(then ? then : setup->description, now);
    free(then);
    if (!parts || strcspn(++parts, "\n") != PARTS_SIZE - 1)
        return false;
    for (size_t i = 0; i < N_PARTS; i++) {
        const size_t used = strlen(text);
        if (memcmp(parts + 9 * i, now + 9 * i, 8) != 0)
            snprintf(text + used, size - used, "%s%s", n++ ? ", " : "", names[i]);
    }
    return n > 0;
}
