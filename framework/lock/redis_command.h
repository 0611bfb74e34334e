/* redis_command.h - the bytes of a question to Redis. */
#ifndef SWIM_LOCK_REDIS_COMMAND_H
#define SWIM_LOCK_REDIS_COMMAND_H

#include <stddef.h>

/* An array of bulk strings (RESP, "Redis serialization protocol").  A question of usual
 * length needs no memory from the heap. */
struct redis_command {
    char *bytes;
    size_t size;
    char few[1024];
};

/* 0, or -1: no memory. */
int redis_command_make(struct redis_command *command, int argc,
                       const char *const *argv);
void redis_command_drop(struct redis_command *command);

#endif /* SWIM_LOCK_REDIS_COMMAND_H */
