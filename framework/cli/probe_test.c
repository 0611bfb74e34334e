/* probe_test.c - a test from its beginning to its end: what the kernel declares and
 * plans, the memory for what it computes, the checks, and the lines for the report. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/probe_checks.h"
#include "core/text.h"

#define SLOTS_MOST ((size_t)1 << 30)
#define LARGEST_TYPE 16 /* bytes: a slot has room whatever type an output becomes */

void probe_say(struct probe *p, const char *check, enum probe_result result,
               const char *fmt, ...)
{
    struct probe_line *line = &p->lines[p->n_lines];
    va_list args;

    if (p->n_lines == PROBE_LINES)
        return;
    p->n_lines++;
    line->check = check;
    line->result = result;
    va_start(args, fmt);
    vsnprintf(line->text, sizeof(line->text), fmt, args);
    va_end(args);
}

const char *probe_output_name(const struct probe *p, uint32_t number)
{
    return p->shared->outputs[number];
}

const char *probe_plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* --- Before the checks
 * ---------------------------------------------------------------- */

static int declare(struct probe *p)
{
    const struct probe_run run = {.goal = PROBE_DECLARE};
    const struct probe_shared *s = p->shared;
    char text[PROBE_TEXT];
    enum probe_end end = probe_run(p, &run, SLOT_OTHER, text);

    if (end == PROBE_USAGE || end == PROBE_REFUSED) {
        swim_error_set(&p->err, SWIM_ERR_ARG, "%s", s->text);
        return end == PROBE_USAGE ? 2 : 1;
    }
    if (end != PROBE_DONE) {
        probe_say(p, "load", PROBE_FAILED, "%s", text);
        return 1;
    }
    probe_say(p, "load", PROBE_OK,
              "%s kernel %s, %u input%s, %u output%s, %u parameter%s",
              kernel_kind_name(s->kind), s->name, s->n_inputs,
              probe_plural(s->n_inputs), s->n_outputs, probe_plural(s->n_outputs),
              s->n_params, probe_plural(s->n_params));
    return 0;
}

static void shape_set(struct probe *p, uint32_t ndim, const uint64_t *shape)
{
    p->ndim = ndim;
    memcpy(p->shape, shape, ndim * sizeof(*shape));
}

static void planned_said(struct probe *p)
{
    char text[600] = "", shape[200];

    for (uint32_t i = 0; i < p->shared->n_outputs; i++) {
        size_t used = strlen(text);
        swim_text_shape(p->planned.outputs[i].shape, p->planned.outputs[i].ndim, shape,
                        sizeof(shape));
        snprintf(text + used, sizeof(text) - used, "; %s: %s, %s%s",
                 probe_output_name(p, i),
                 swim_type_name((enum swim_type)p->planned.outputs[i].type),
                 p->shared->kind == SWIM_KERNEL_FILTER ? "up to " : "", shape);
    }
    swim_text_shape(p->shape, p->ndim, shape, sizeof(shape));
    probe_say(p, "plan", PROBE_OK, "of %s inputs, %s%s", shape,
              p->shared->any ? swim_type_name(p->type) : "types as declared", text);
}

/* Of data with three axes, else two, else one, unless a shape was asked for.  Windows
 * are along the first one mostly: that is the longest, and stays. */
static bool plan(struct probe *p)
{
    static const uint64_t shape[] = {4, 11, 37}, windows[] = {37, 4, 11};
    const struct probe_run run = {.goal = PROBE_PLAN, .type = p->type};
    char text[PROBE_TEXT], first[PROBE_TEXT] = "";
    enum probe_end end = PROBE_REFUSED;
    const uint32_t given = p->options->ndim;

    for (uint32_t drop = 0; drop < (given ? 1 : SWIM_COUNT_OF(shape)); drop++) {
        if (given)
            shape_set(p, given, p->options->shape);
        else if (p->shared->kind == SWIM_KERNEL_WINDOW)
            shape_set(p, SWIM_COUNT_OF(windows) - drop, windows);
        else
            shape_set(p, SWIM_COUNT_OF(shape) - drop, shape + drop);
        end = probe_run(p, &run, SLOT_OTHER, text);
        if (drop == 0 || end != PROBE_REFUSED)
            memcpy(first, text, sizeof(first));
        if (end != PROBE_REFUSED)
            break;
    }
    if (end == PROBE_DONE) {
        p->planned = p->shared->planned;
        planned_said(p);
        return true;
    }
    probe_say(p, "plan", PROBE_FAILED, "%s%s", first,
              end == PROBE_REFUSED ? "; --shape and --type make other data" : "");
    return false;
}

/* Elements of an output, however its edges are: windows have a row for each at most. */
static uint64_t elements_most(const struct probe *p, uint32_t number)
{
    const struct probe_planned *planned = &p->planned;
    uint64_t n = probe_output_count(planned, number);

    for (uint32_t d = 0; d < planned->outputs[number].ndim; d++)
        if (p->shared->kind == SWIM_KERNEL_WINDOW &&
            planned->outputs[number].from_axis[d] == (int32_t)planned->window_axis)
            n = n / planned->outputs[number].shape[d] * p->shape[planned->window_axis];
    return n;
}

/* Bytes of the results of what is planned; 0: more than a slot may have. */
static size_t results_bytes(const struct probe *p)
{
    const size_t most = SLOTS_MOST / PROBE_SLOTS;
    size_t bytes = 0;

    for (uint32_t i = 0; i < p->shared->n_outputs && bytes <= most; i++) {
        const uint64_t n = elements_most(p, i);
        bytes += n < most ? (n + 1) * LARGEST_TYPE : most + 1;
    }
    return bytes <= most ? bytes : 0;
}

static void slot_unmap(struct probe *p, int slot)
{
    if (p->slots[slot])
        munmap(p->slots[slot], p->slot_bytes[slot]);
    p->slots[slot] = NULL;
}

static bool slot_map(struct probe *p, int slot, size_t bytes)
{
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED) {
        swim_error_sys(&p->err, errno, "map memory for outputs");
        return false;
    }
    slot_unmap(p, slot);
    p->slots[slot] = map;
    p->slot_bytes[slot] = bytes;
    return true;
}

static bool slots_map(struct probe *p)
{
    const size_t bytes = results_bytes(p);
    bool good = true;

    if (!bytes) {
        swim_error_set(&p->err, SWIM_ERR_ARG,
                       "test kernel %s: the outputs of such data are too large: give a "
                       "smaller --shape",
                       p->shared->name);
        return false;
    }
    for (int slot = 0; slot < PROBE_SLOTS && good; slot++)
        good = slot_map(p, slot, bytes);
    char *accs = mmap(NULL, PROBE_ACCS, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    p->accs = accs == MAP_FAILED ? NULL : accs;
    if (good && !p->accs)
        swim_error_sys(&p->err, errno, "map memory for accumulators");
    return good && p->accs;
}

bool probe_plan_take(struct probe *p)
{
    p->planned = p->shared->planned;
    const size_t bytes = results_bytes(p);
    bool good = bytes > 0;

    for (int slot = SLOT_OTHER; slot < PROBE_SLOTS && good; slot++)
        good = bytes <= p->slot_bytes[slot] || slot_map(p, slot, bytes);
    return good;
}

static void checks_run(struct probe *p, const struct probe_check *checks)
{
    bool go = true;

    for (const struct probe_check *check = checks; check->name; check++) {
        if (go)
            go = check->run(p, check->name);
        else
            probe_say(p, check->name, PROBE_SKIPPED, "not looked at after that");
        if (p->err.code != SWIM_OK)
            return;
    }
}

int probe_all(struct probe *p)
{
    p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p->shared == MAP_FAILED) {
        p->shared = NULL;
        swim_error_sys(&p->err, errno, "map memory");
        return 1;
    }
    p->type = p->options->type ? p->options->type : SWIM_TYPE_F32;
    int status = declare(p);
    if (status != 0)
        return status;
    if (!plan(p))
        return 1;
    if (!slots_map(p))
        return 2;
    checks_run(p, probe_checks_of(p->shared->kind));
    if (p->err.code != SWIM_OK)
        return 1;
    for (uint32_t i = 0; i < p->n_lines; i++)
        if (p->lines[i].result == PROBE_FAILED)
            status = 1;
    return status;
}

void probe_free(struct probe *p)
{
    for (int slot = 0; slot < PROBE_SLOTS; slot++)
        slot_unmap(p, slot);
    if (p->accs)
        munmap(p->accs, PROBE_ACCS);
    if (p->shared)
        munmap(p->shared, sizeof(*p->shared));
}
