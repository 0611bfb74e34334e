/* inspect_facts.c - what the lock server tells of itself. */
#include <stdlib.h>
#include <string.h>

#include "inspect_private.h"

static int64_t fact(const char *info, const char *name)
{
    char value[32];

    return server_info_value(info, name, value, sizeof(value))[0] ? atoll(value) : -1;
}

/* 1: "ok"; 0: not; -1: it is not told. */
static int64_t fact_ok(const char *info, const char *name)
{
    char value[32];

    if (!server_info_value(info, name, value, sizeof(value))[0])
        return -1;
    return strcmp(value, "ok") == 0;
}

static int64_t both_ok(int64_t a, int64_t b)
{
    if (a == 0 || b == 0)
        return 0;
    return a == 1 || b == 1 ? 1 : -1;
}

int inspect_facts(struct inspector *inspector, struct inspect_facts *out,
                  swim_error_t *err)
{
    const char *const command[] = {"INFO"};
    struct redis_answer *answer = NULL;

    memset(out, 0, sizeof(*out));
    int rc = inspect_ask_command(inspector, 1, command, &answer, err);
    if (rc != SWIM_OK) /* nothing was to change, so nothing is unsure */
        return redis_unsure_is_io(rc, err);
    const char *info = redis_answer_text(answer);
    server_info_value(info, "redis_version", out->version, sizeof(out->version));
    out->up_s = fact(info, "uptime_in_seconds");
    out->clients = fact(info, "connected_clients");
    out->memory_bytes = fact(info, "used_memory");
    out->memory_limit_bytes = fact(info, "maxmemory");
    out->append_only = fact(info, "aof_enabled");
    out->saved_s = fact(info, "rdb_last_save_time");
    out->saves_ok = both_ok(fact_ok(info, "rdb_last_bgsave_status"),
                            fact_ok(info, "aof_last_write_status"));
    redis_answer_free(answer);
    return SWIM_OK;
}
