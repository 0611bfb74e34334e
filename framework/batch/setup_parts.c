/* setup_parts.c - what of a job was changed since its output was finished: a finished
 * file has digests alone, one for each part of the description. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "batch/setup.h"

enum { PART_KERNEL, PART_PARAMS, PART_INPUTS, PART_REST, N_PARTS };

_Static_assert(SETUP_PARTS_SIZE == N_PARTS * 9, "8 digits and what is behind them");

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

void setup_parts(const char *description, char text[SETUP_PARTS_SIZE])
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

bool setup_parts_differ(const char *then, const char *now, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    if (strlen(then) != SETUP_PARTS_SIZE - 1)
        return false;
    for (size_t i = 0; i < N_PARTS; i++) {
        const size_t used = strlen(text);
        if (memcmp(then + 9 * i, now + 9 * i, 8) != 0)
            snprintf(text + used, size - used, "%s%s", n++ ? ", " : "", names[i]);
    }
    return n > 0;
}
