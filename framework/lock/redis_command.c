/* redis_command.c - the bytes of a question to Redis.
 *
 * hiredis would format each length with printf and the whole on the heap, which costs
 * more than all else that a process does for a lock. */
#include "redis_command.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 24 /* a sign, 20 digits, an end of line */

/* "*12\r\n" or "$12\r\n" at to; where it ends. */
static char *head_write(char *to, char sign, size_t number)
{
    char digits[HEAD_MAX];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *to++ = sign;
    while (n > 0)
        *to++ = digits[--n];
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

int redis_command_make(struct redis_command *command, int argc, const char *const *argv)
{
    size_t most = HEAD_MAX;

    for (int i = 0; i < argc; i++)
        most += HEAD_MAX + strlen(argv[i]) + 2;
    command->bytes = most <= sizeof(command->few) ? command->few : malloc(most);
    if (!command->bytes)
        return -1;
    char *to = head_write(command->bytes, '*', (size_t)argc);
    for (int i = 0; i < argc; i++) {
        size_t len = strlen(argv[i]);
        to = head_write(to, '$', len);
        memcpy(to, argv[i], len);
        to += len;
        *to++ = '\r';
        *to++ = '\n';
    }
    command->size = (size_t)(to - command->bytes);
    return 0;
}

void redis_command_drop(struct redis_command *command)
{
    /* It may have held a password. */
    explicit_bzero(command->bytes, command->size);
    if (command->bytes != command->few)
        free(command->bytes);
}
