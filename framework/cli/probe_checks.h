/* probe_checks.h - what the files about checks share. */
#ifndef SWIM_CLI_PROBE_CHECKS_H
#define SWIM_CLI_PROBE_CHECKS_H

#include "cli/probe.h"

/* A check of a kind; false: the next ones would only say the same again. */
struct probe_check {
    const char *name;
    bool (*run)(struct probe *p, const char *name);
};

/* The last one has no name. */
const struct probe_check *probe_checks_of(enum swim_kernel_kind kind);

/* What was planned just now is planned from here on, and SLOT_OTHER and SLOT_ANOTHER
 * have room for it; what they held is gone.  false: it has no room anywhere. */
bool probe_plan_take(struct probe *p);

const char *probe_output_name(const struct probe *p, uint32_t number);
const char *probe_plural(uint64_t n);

#endif /* SWIM_CLI_PROBE_CHECKS_H */
