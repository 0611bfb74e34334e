/* redis_fixture.h - a redis-server, or $SWIM_TEST_SERVER, of a test's own, on a socket
 * in a folder of its own.
 */
#ifndef SWIM_REDIS_FIXTURE_H
#define SWIM_REDIS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redis_fixture {
    char dir[64];
    char socket[96];
    char url[128];
    pid_t pid;                /* 0: not running */
    const char *const *extra; /* options after the usual ones, NULL at the end */
};

/* Make the folder, start the server and vouch for database 0; 0 when it answers. */
int redis_fixture_open(struct redis_fixture *f, const char *const *extra);
/* End the server and remove the folder. */
void redis_fixture_close(struct redis_fixture *f);
int redis_fixture_start(struct redis_fixture *f);
void redis_fixture_kill(struct redis_fixture *f);
/* Say that no earlier lock can be alive: the first session of the database need not
 * wait for a grace to pass.  0: done. */
int redis_fixture_vouch(const struct redis_fixture *f, int db);

/* An inline command: its answer as text, into buf; false when there is none in 30 s. */
bool redis_fixture_say(const struct redis_fixture *f, const char *command, char *buf,
                       size_t size);
/* The same for an answer that is a number. */
long redis_fixture_number(const struct redis_fixture *f, const char *command);
/* How often a command was called: INFO commandstats. */
long redis_fixture_calls(const struct redis_fixture *f, const char *command);
/* Poll until the command answers with this number, at most 30 s. */
bool redis_fixture_await(const struct redis_fixture *f, const char *command,
                         long value);

int64_t test_now_ms(void);
void test_nap_ms(int64_t ms);

#endif /* SWIM_REDIS_FIXTURE_H */
