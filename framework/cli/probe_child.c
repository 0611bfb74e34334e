/* probe_child.c - the child's side of a run: loads the kernel, plans, computes. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "cli/probe_child.h"
#include "core/signals.h"

#define STACK_BYTES ((size_t)64 * 1024)
#define DIRT_BYTES 16384
#define CACHED_MOST 64 /* sizes of blocks that malloc() keeps at hand, ... */
#define CACHED_EACH 7  /* ... and how many of each (glibc's tcache) */
#define CACHED_STEP 16

/* Of this process: for the signal handler, and for calls that the host makes. */
static struct probe_shared *told;
static int (*kernel_plan)(void *state, struct swim_plan *plan, swim_error_t *err);

/* --- Faults -------------------------------------------------------------------------
 */

static enum probe_access access_of(const void *context)
{
#if defined(__x86_64__)
    const ucontext_t *u = context;

    /* The processor's page fault code: bit 1 says write. */
    return u->uc_mcontext.gregs[REG_ERR] & 2 ? PROBE_WRITES : PROBE_READS;
#else
    (void)context;
    return PROBE_TOUCHES;
#endif
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    told->signo = signo;
    told->address = (uintptr_t)info->si_addr;
    told->access = access_of(context);
    atomic_store(&told->end, PROBE_FAULT);
    _exit(1);
}

/* On a stack of its own: the kernel may have used up the other. */
static int faults_catch(swim_error_t *err)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_size = STACK_BYTES};

    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0 ||
        sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
        return swim_error_sys(err, errno, "catch faults of the kernel");
    return SWIM_OK;
}

/* --- Telling -------------------------------------------------------------------------
 */

/* What a kernel finds in variables that it does not set: something else in each run. */
static __attribute__((noinline)) void stack_dirty(int pattern)
{
    volatile char dirt[DIRT_BYTES];

    for (size_t i = 0; i < sizeof(dirt); i++)
        dirt[i] = (char)pattern;
}

/* The same for malloc(), which fills what it gives out, but not what it has at hand:
 * that is taken out first, and kept, in a process that will not live long. */
static void heap_dirty(int pattern)
{
    static void *volatile kept[CACHED_MOST][CACHED_EACH];

    for (size_t i = 0; i < CACHED_MOST; i++)
        for (size_t k = 0; k < CACHED_EACH && (k == 0 || kept[i][k - 1]); k++)
            kept[i][k] = malloc((i + 1) * CACHED_STEP + CACHED_STEP / 2);
    mallopt(M_PERTURB, pattern);
}

void child_calls(struct probe_child *c, enum probe_call call)
{
    stack_dirty(c->run->pattern);
    c->shared->call = call;
    atomic_fetch_add(&c->shared->steps, 1);
}

void child_at(struct probe_child *c, uint64_t block, uint64_t n,
              const struct block_range *range)
{
    c->shared->in_block = range != NULL;
    c->shared->block = block;
    c->shared->n_blocks = n;
    c->shared->ndim = c->p->ndim;
    if (range)
        c->shared->range = *range;
}

int child_returned(struct probe_child *c, int rc, const swim_error_t *said,
                   swim_error_t *err)
{
    char text[400];
    uintptr_t address = 0;

    for (uint32_t i = 0; i < c->shared->n_buffers; i++)
        if (c->shared->buffers[i].map &&
            !probe_buffer_intact(&c->shared->buffers[i], &address)) {
            probe_buffer_explain(c->shared->buffers, c->shared->n_buffers, address,
                                 PROBE_WRITES, text, sizeof(text));
            c->end = PROBE_WRONG;
            return swim_error_set(err, SWIM_ERR_KERNEL, "%s", text);
        }
    if (rc == SWIM_OK)
        return rc;
    return swim_error_set(err, SWIM_ERR_KERNEL, "fails: %s",
                          said->text[0] ? said->text : swim_status_name(rc));
}

/* --- Planning ------------------------------------------------------------------------
 */

static int plan_told(void *state, struct swim_plan *plan, swim_error_t *err)
{
    told->call = PROBE_CALL_PLAN;
    atomic_fetch_add(&told->steps, 1);
    return kernel_plan(state, plan, err);
}

/* filter: as many rows as a table can have. */
static uint64_t most_rows(const struct probe *p)
{
    uint64_t n = 1;

    for (uint32_t a = 0; a < p->ndim; a++)
        n *= p->shape[a];
    return n;
}

/* Places that blocks are cut of: windows may give fewer rows than there are. */
static uint64_t axis_extent(const struct probe_child *c, uint32_t axis)
{
    const struct setup_window *w = &c->setup->window;

    return w->step && axis == w->axis ? w->rows : c->p->shape[axis];
}

static void output_take(struct probe_child *c, uint32_t number)
{
    struct setup_output *out = &c->setup->outputs[number];

    out->type = out->planned.type;
    out->missing = probe_subject_missing_value(out->type);
    out->spec.type = out->type;
    out->spec.ndim = out->planned.ndim;
    for (uint32_t d = 0; d < out->planned.ndim; d++) {
        int32_t a = out->planned.from_axis[d];
        out->spec.from_axis[d] = a;
        uint64_t ratio = setup_output_ratio(&out->planned, d);
        out->spec.shape[d] = a < 0 ? out->planned.shape[d]
                                   : (axis_extent(c, (uint32_t)a) - 1) / ratio + 1;
    }
    out->table = c->setup->kernel->api.kind == SWIM_KERNEL_FILTER;
    if (out->table)
        out->spec.shape[0] = most_rows(c->p);
}

static void planned_copy(const struct setup *setup, struct probe_planned *to)
{
    const struct swim_plan *plan = &setup->plan;

    memset(to, 0, sizeof(*to));
    to->ndim = setup->inputs[0].info->ndim;
    to->n_outputs = setup->n_outputs;
    for (uint32_t a = 0; a < to->ndim; a++) {
        to->halo_lo[a] = plan->halo_lo[a];
        to->halo_hi[a] = plan->halo_hi[a];
        to->edge[a] = (int32_t)plan->edge[a];
        to->reduced[a] = plan->reduced[a];
    }
    to->window_axis = plan->window_axis;
    to->window_whole = plan->window_whole;
    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct output_spec *spec = &setup->outputs[i].spec;
        to->outputs[i].ndim = spec->ndim;
        to->outputs[i].type = (uint32_t)spec->type;
        for (uint32_t d = 0; d < spec->ndim; d++) {
            to->outputs[i].from_axis[d] = spec->from_axis[d];
            to->outputs[i].shape[d] = spec->shape[d];
        }
    }
}

/* The same shapes as before: memory for the results was taken by those. */
static int shapes_check(struct probe_child *c, swim_error_t *err)
{
    const struct probe_planned *before = &c->p->planned;

    for (uint32_t i = 0; i < c->setup->n_outputs; i++) {
        const struct output_spec *spec = &c->setup->outputs[i].spec;
        if (spec->ndim == before->outputs[i].ndim &&
            memcmp(spec->shape, before->outputs[i].shape,
                   spec->ndim * sizeof(*spec->shape)) == 0)
            continue;
        c->end = PROBE_WRONG;
        return swim_error_set(err, SWIM_ERR_KERNEL,
                              "plans another shape of output %s than before",
                              c->setup->kernel->outputs[i].name);
    }
    return SWIM_OK;
}

/* What the host checks of what the kernel planned.  SWIM_ERR_KERNEL is wrong with any
 * data, SWIM_ERR_ARG with these. */
static int planned_check(struct probe_child *c, swim_error_t *err)
{
    struct setup *setup = c->setup;
    int rc = setup_plan_window(setup, err);

    if (rc == SWIM_OK)
        rc = setup_check_halo(setup, err);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++)
        rc = setup_check_planned(setup, &setup->outputs[i].planned, err);
    if (rc == SWIM_ERR_KERNEL)
        c->end = PROBE_WRONG;
    return rc;
}

/* open() and plan() as the host calls them, and the host's own checks. */
static int kernel_ask(struct probe_child *c, swim_error_t *err)
{
    struct setup *setup = c->setup;

    memset(&setup->plan, 0, sizeof(setup->plan));
    for (uint32_t i = 0; i < setup->n_outputs; i++)
        memset(&setup->outputs[i], 0, sizeof(setup->outputs[i]));
    free(setup->window.values);
    memset(&setup->window, 0, sizeof(setup->window));
    for (uint32_t a = 0; a < c->p->ndim && c->run->with_edge; a++) {
        if (c->run->edge == SWIM_EDGE_NONE && a != c->p->planned.window_axis)
            continue;
        setup->plan.edge[a] = c->run->edge;
        setup->plan.edge_given[a] = 1;
    }
    child_at(c, 0, 0, NULL);
    child_calls(c, PROBE_CALL_OPEN);
    int rc = setup_ask_kernel(setup, err);
    if (rc == SWIM_OK)
        rc = planned_check(c, err);
    for (uint32_t i = 0; rc == SWIM_OK && i < setup->n_outputs; i++)
        output_take(c, i);
    if (rc == SWIM_OK && c->run->goal == PROBE_BLOCKS)
        rc = shapes_check(c, err);
    return rc;
}

static void kernel_close(struct probe_child *c)
{
    struct setup *setup = c->setup;

    child_at(c, 0, 0, NULL);
    child_calls(c, PROBE_CALL_CLOSE);
    if (setup->opened && setup->kernel->api.close)
        setup->kernel->api.close(setup->state);
    setup->opened = false;
    setup->state = NULL;
}

int child_anew(struct probe_child *c, swim_error_t *err)
{
    kernel_close(c);
    return kernel_ask(c, err);
}

/* Elements along an axis that have to stay together: outputs may be coarser. */
static uint64_t cut_step(const struct setup *setup, uint32_t axis, uint64_t extent)
{
    uint64_t step = 1;

    for (uint32_t i = 0; i < setup->n_outputs; i++) {
        const struct swim_output *planned = &setup->outputs[i].planned;
        for (uint32_t d = 0; d < planned->ndim; d++)
            if (planned->from_axis[d] == (int32_t)axis)
                step = blocks_lcm(step, setup_output_ratio(planned, d), extent);
    }
    return step;
}

static void cut_blocks(struct probe_child *c)
{
    struct blocks *b = &c->setup->blocks;

    b->ndim = c->p->ndim;
    for (uint32_t a = 0; a < b->ndim; a++) {
        const struct setup_window *w = &c->setup->window;
        b->extent[a] = b->size[a] = axis_extent(c, a);
        b->reduced[a] = c->setup->plan.reduced[a] != 0;
        if (w->whole && a == w->axis)
            continue;
        if (c->run->cut == PROBE_THIRDS)
            b->size[a] = (b->extent[a] + 2) / 3;
        else if (c->run->cut == PROBE_SINGLE ||
                 (c->run->cut == PROBE_ROWS && a + 1 < b->ndim))
            b->size[a] = 1;
        uint64_t step = cut_step(c->setup, a, b->extent[a]);
        uint64_t size = ((b->size[a] - 1) / step + 1) * step;
        b->size[a] = size < b->extent[a] ? size : b->extent[a];
    }
}

/* --- Goals ---------------------------------------------------------------------------
 */

/* Required parameters that were not given, all in one line. */
static int params_missing(struct probe_child *c, const struct kernel_host *kernel,
                          swim_error_t *err)
{
    const struct probe_options *o = c->p->options;
    char names[400] = "";

    for (uint32_t i = 0; i < kernel->api.n_params; i++) {
        size_t g = 0, used = strlen(names);
        while (g < o->n_params &&
               strcmp(o->params[g].name, kernel->params[i].name) != 0)
            g++;
        if (g == o->n_params && !kernel->params[i].preset)
            snprintf(names + used, sizeof(names) - used, " --set %s=...",
                     kernel->params[i].name);
    }
    if (!names[0])
        return SWIM_OK;
    c->end = PROBE_USAGE;
    return swim_error_set(err, SWIM_ERR_ARG,
                          "test kernel %s: parameters without a default: give%s",
                          kernel->api.name, names);
}

static void declared_copy(const struct kernel_host *kernel, struct probe_shared *s)
{
    s->kind = kernel->api.kind;
    s->n_inputs = kernel->api.n_inputs;
    s->n_outputs = kernel->api.n_outputs;
    s->n_params = kernel->api.n_params;
    snprintf(s->name, sizeof(s->name), "%s", kernel->api.name);
    for (uint32_t i = 0; i < s->n_inputs; i++) {
        enum swim_type type = kernel->inputs[i].type;
        snprintf(s->inputs[i], PROBE_NAME, "%s", kernel->inputs[i].name);
        s->any |= type == SWIM_TYPE_ANY;
        s->integers |= type != SWIM_TYPE_ANY && type < SWIM_TYPE_F32;
    }
    for (uint32_t i = 0; i < s->n_outputs; i++)
        snprintf(s->outputs[i], PROBE_NAME, "%s", kernel->outputs[i].name);
}

static int goal_declare(struct probe_child *c, swim_error_t *err)
{
    const struct probe_options *o = c->p->options;
    struct kernel_host *kernel = NULL;
    swim_params_t *params = NULL;

    child_calls(c, PROBE_CALL_LOAD);
    int rc = kernel_load(o->so, &kernel, err);
    if (rc != SWIM_OK)
        return rc;
    declared_copy(kernel, c->shared);
    if (kernel->api.n_inputs == 0)
        rc = swim_error_set(err, SWIM_ERR_KERNEL, "kernel %s has no inputs",
                            kernel->api.name);
    if (rc == SWIM_OK)
        rc = params_missing(c, kernel, err);
    if (rc == SWIM_OK) {
        c->end = PROBE_USAGE;
        rc = params_create(kernel, o->params, o->n_params, &params, err);
    }
    params_destroy(params);
    kernel_unload(kernel);
    return rc;
}

static int goal_begin(struct probe_child *c, swim_error_t *err)
{
    child_calls(c, PROBE_CALL_LOAD);
    int rc = probe_subject_create(c->p, c->run, &c->setup, err);
    if (rc != SWIM_OK)
        return rc;
    kernel_plan = c->setup->kernel->api.plan;
    if (kernel_plan)
        c->setup->kernel->api.plan = plan_told;
    return kernel_ask(c, err);
}

static int goal_plan(struct probe_child *c, swim_error_t *err)
{
    struct probe_planned again;
    int rc = goal_begin(c, err);

    if (rc != SWIM_OK)
        return rc;
    planned_copy(c->setup, &c->shared->planned);
    rc = child_anew(c, err);
    if (rc != SWIM_OK)
        return rc;
    planned_copy(c->setup, &again);
    if (memcmp(&again, &c->shared->planned, sizeof(again)) == 0)
        return SWIM_OK;
    c->end = PROBE_WRONG;
    return swim_error_set(err, SWIM_ERR_KERNEL,
                          "plans other outputs or halos the second time");
}

static int goal_blocks(struct probe_child *c, swim_error_t *err)
{
    int rc = goal_begin(c, err);

    if (rc != SWIM_OK)
        return rc;
    cut_blocks(c);
    rc = blocks_count(&c->setup->blocks, err);
    if (rc == SWIM_OK)
        rc = work_create(c->setup, &c->work, err);
    if (rc == SWIM_OK)
        rc = probe_compute_buffers(c, err);
    if (rc != SWIM_OK)
        return rc;
    return c->setup->kernel->api.kind == SWIM_KERNEL_REDUCE
               ? probe_compute_reduce(c, err)
               : probe_compute_apply(c, err);
}

static int goal_reach(struct probe_child *c, swim_error_t *err)
{
    int rc = faults_catch(err);

    if (rc != SWIM_OK)
        return rc;
    switch (c->run->goal) {
    case PROBE_DECLARE:
        return goal_declare(c, err);
    case PROBE_PLAN:
        rc = goal_plan(c, err);
        break;
    case PROBE_BLOCKS:
        rc = goal_blocks(c, err);
        break;
    }
    if (rc == SWIM_OK)
        kernel_close(c);
    return rc;
}

_Noreturn void probe_child(const struct probe *p, const struct probe_run *run,
                           char *results)
{
    struct probe_child c = {
        .p = p, .run = run, .shared = p->shared, .results = results};
    swim_error_t err = {0};

    told = p->shared;
    c.end = PROBE_REFUSED;
    dup2(STDERR_FILENO, STDOUT_FILENO); /* what the kernel prints is no report */
    heap_dirty(run->pattern);
    int rc = goal_reach(&c, &err);
    snprintf(p->shared->text, sizeof(p->shared->text), "%s", err.text);
    atomic_store(&p->shared->end, rc == SWIM_OK ? PROBE_DONE : c.end);
    _exit(0);
}
