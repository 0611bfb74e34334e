/* commands.c - the commands that there are. */
#include "cli/command.h"

#include <string.h>

#include "cli/cmd_calc.h"
#include "cli/cmd_check.h"
#include "cli/cmd_exec.h"
#include "cli/cmd_help.h"
#include "cli/cmd_kernel.h"
#include "cli/cmd_locks.h"
#include "cli/cmd_metrics.h"
#include "cli/cmd_recover.h"
#include "cli/cmd_report.h"
#include "cli/cmd_run.h"
#include "cli/cmd_selftest.h"
#include "cli/cmd_serve.h"
#include "cli/cmd_top.h"
#include "cli/cmd_view.h"

const struct command *const commands[] = {
    &command_run,    &command_calc,       &command_exec,        &command_view,
    &command_report, &command_check,      &command_recover,     &command_locks,
    &command_top,    &command_metrics,    &command_serve,       &command_selftest,
    &command_kernel, &command_kernel_new, &command_kernel_test, &command_help,
};
const size_t n_commands = sizeof(commands) / sizeof(*commands);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (!strchr(name, ' ') && strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}
