/* mistakes.h - for kernels that make the mistake that they are asked for. */
#ifndef SWIM_TESTS_MISTAKES_H
#define SWIM_TESTS_MISTAKES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <h5swim/kernel.h>

struct mistakes {
    char name[32];
    uint64_t seen; /* of the blocks before */
    enum swim_edge edge;
};

static int is(const struct mistakes *m, const char *name)
{
    return strcmp(m->name, name) == 0;
}

static int mistakes_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    struct mistakes *m = calloc(1, sizeof(*m));

    if (!m)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    strncpy(m->name, swim_params_text(params, "mistake"), sizeof(m->name) - 1);
    *state = m;
    return SWIM_OK;
}

static const struct swim_param mistakes_params[] = {{.name = "mistake",
                                                     .type = SWIM_PARAM_TEXT,
                                                     .preset = "none",
                                                     .description = "which one"}};

#endif /* SWIM_TESTS_MISTAKES_H */
