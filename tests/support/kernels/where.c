/* where.c - y = 2 * u, and the number at the end of the name of the host where a block
 * was computed; takes its time, until there is a file. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <h5swim/kernel.h>

#define NAP_MS 10

static const struct swim_param params[] = {
    {.name = "ms", .type = SWIM_PARAM_INT, .preset = "0", .description = "of a block"},
    {.name = "until",
     .type = SWIM_PARAM_TEXT,
     .preset = "",
     .description = "no longer than until there is this file"}};

struct where {
    int64_t ms;
    const char *until;
    float host;
};

static int where_open(const swim_params_t *given, void **state, swim_error_t *err)
{
    struct where *s = calloc(1, sizeof(*s));
    char host[65] = "";

    if (!s)
        return swim_error_set(err, SWIM_ERR_NOMEM, "where: no memory");
    gethostname(host, sizeof(host) - 1);
    s->host = strtof(host + strcspn(host, "0123456789"), NULL);
    s->ms = swim_params_int(given, "ms");
    s->until = swim_params_text(given, "until");
    *state = s;
    return SWIM_OK;
}

static int where_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const struct where *s = state;
    const struct timespec nap = {0, NAP_MS * 1000000L};
    const float *u = block->inputs[0]->data;

    (void)err;
    for (int64_t ms = s->ms; ms > 0 && access(s->until, F_OK) != 0; ms -= NAP_MS)
        nanosleep(&nap, NULL);
    for (uint64_t i = 0; i < block->inputs[0]->count; i++) {
        ((float *)block->outputs[0]->data)[i] = 2 * u[i];
        ((float *)block->outputs[1]->data)[i] = s->host;
    }
    return SWIM_OK;
}

static const struct swim_port inputs[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32},
                                           {.name = "host", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "where", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 2, .inputs = inputs, .outputs = outputs, .n_params = 2,
                   .params = params, .open = where_open, .apply = where_apply,
                   .close = free);
