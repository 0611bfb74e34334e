/* told.c - U times two plus one; tells of each block by a byte in the file $WHO.  A
 * block takes $NAP_MS, or no time once there is the file UNTIL. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <h5swim/kernel.h>

static const struct swim_param params[] = {
    {.name = "until", .type = SWIM_PARAM_TEXT, .preset = "", .description = "file"},
    {.name = "plus",
     .type = SWIM_PARAM_INT,
     .preset = "1",
     .description = "what is added"}};

struct told {
    char until[200];
    float plus;
};

static int told_open(const swim_params_t *p, void **state, swim_error_t *err)
{
    struct told *t = calloc(1, sizeof(*t));

    if (!t)
        return swim_error_set(err, SWIM_ERR_NOMEM, "no memory");
    snprintf(t->until, sizeof(t->until), "%s", swim_params_text(p, "until"));
    t->plus = (float)swim_params_int(p, "plus");
    *state = t;
    return SWIM_OK;
}

static int tell(const char *who, swim_error_t *err)
{
    int fd = who ? open(who, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    ssize_t n = fd >= 0 ? write(fd, ".", 1) : 1;

    if (fd >= 0)
        close(fd);
    return n == 1 ? SWIM_OK : swim_error_set(err, SWIM_ERR_IO, "write %s", who);
}

static int told_apply(void *state, const struct swim_block *b, swim_error_t *err)
{
    const struct told *t = state;
    const char *ms = getenv("NAP_MS");
    const float *u = b->inputs[0]->data;
    float *y = b->outputs[0]->data;

    for (long left = ms ? atol(ms) : 0; left > 0; left -= 5) {
        const struct timespec nap = {0, 5000000};
        if (access(t->until, F_OK) == 0)
            break;
        nanosleep(&nap, NULL);
    }
    for (uint64_t i = 0; i < b->outputs[0]->count; i++)
        y[i] = 2 * u[i] + t->plus;
    return tell(getenv("WHO"), err);
}

static const struct swim_port in[] = {{.name = "u", .type = SWIM_TYPE_F32}};
static const struct swim_port out[] = {{.name = "y", .type = SWIM_TYPE_F32}};

SWIM_KERNEL_DEFINE(.name = "told", .kind = SWIM_KERNEL_MAP, .n_inputs = 1,
                   .n_outputs = 1, .inputs = in, .outputs = out, .n_params = 2,
                   .params = params, .open = told_open, .apply = told_apply,
                   .close = free);
