/* server_check.c - refuse a server on which a lock may silently disappear. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock_private.h"

#define VERSION_MIN 6 /* BLPOP with fractions of a second */

const char *server_info_value(const char *info, const char *name, char *buf,
                              size_t size)
{
    char wanted[64];
    int len = snprintf(wanted, sizeof(wanted), "\n%s:", name);
    const char *at = strstr(info, wanted);

    buf[0] = '\0';
    if (at)
        snprintf(buf, size, "%.*s", (int)strcspn(at + len, "\r\n"), at + len);
    return buf;
}

static int info_check(const char *info, const char *shown, swim_error_t *err)
{
    char value[64], policy[64];

    server_info_value(info, "redis_version", value, sizeof(value));
    if (value[0] && atoi(value) < VERSION_MIN)
        return swim_error_set(err, SWIM_ERR_IO,
                              "use lock server %s: it is version %s, at least %d is "
                              "needed (install a newer redis-server)",
                              shown, value, VERSION_MIN);
    if (strcmp(server_info_value(info, "role", value, sizeof(value)), "slave") == 0)
        return swim_error_set(err, SWIM_ERR_IO,
                              "use lock server %s: it is a read-only replica (give the "
                              "URL of its primary)",
                              shown);
    server_info_value(info, "maxmemory_policy", policy, sizeof(policy));
    if (atoll(server_info_value(info, "maxmemory", value, sizeof(value))) > 0 &&
        strcmp(policy, "noeviction") != 0)
        return swim_error_set(err, SWIM_ERR_IO,
                              "use lock server %s: its maxmemory-policy %s may evict "
                              "locks (set it to noeviction, or maxmemory to 0)",
                              shown, policy);
    return SWIM_OK;
}

int server_check(swim_session_t *session, struct redis_link *link,
                 const struct redis_wait *wait, swim_error_t *err)
{
    const char *command[] = {"INFO"};
    struct redis_answer *answer = NULL;

    int rc = redis_link_call(link, 1, command, wait, &answer, err);
    if (rc != SWIM_OK)
        return rc;
    rc = info_check(redis_answer_text(answer), session->shown, err);
    redis_answer_free(answer);
    return rc;
}
