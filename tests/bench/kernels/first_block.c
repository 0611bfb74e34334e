/* first_block.c - writes down when the first block is done, by the clock that Python
 * calls time.monotonic(), into a file that it makes.  It writes a file, as no other
 * kernel may: this one measures the host. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <h5swim/kernel.h>

static int first_open(const swim_params_t *params, void **state, swim_error_t *err)
{
    *state = strdup(swim_params_text(params, "file"));
    return *state ? SWIM_OK
                  : swim_error_set(err, SWIM_ERR_NOMEM, "first_block: no memory");
}

static int first_apply(void *state, const struct swim_block *block, swim_error_t *err)
{
    const float *x = block->inputs[0]->data;
    float *y = block->outputs[0]->data;
    const int fd = open(state, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    struct timespec now;

    (void)err;
    memcpy(y, x, block->outputs[0]->count * sizeof(*y));
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (fd >= 0) {
        dprintf(fd, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
        close(fd);
    }
    return SWIM_OK;
}

static void first_close(void *state)
{
    free(state);
}

static const struct swim_port inputs[] = {{.name = "x", .type = SWIM_TYPE_F32}};
static const struct swim_port outputs[] = {{.name = "y", .type = SWIM_TYPE_F32}};
static const struct swim_param params[] = {
    {.name = "file", .type = SWIM_PARAM_TEXT, .description = "where the time goes"}};

SWIM_KERNEL_DEFINE(.name = "first_block", .summary = "when the first block is done",
                   .kind = SWIM_KERNEL_MAP, .n_inputs = 1, .n_outputs = 1,
                   .n_params = 1, .params = params, .inputs = inputs,
                   .outputs = outputs, .open = first_open, .apply = first_apply,
                   .close = first_close);
