/* locks_json.c - who holds and who waits, for programs.
 *
 * JSON is UTF-8, names need not be: of one that is not, the bytes follow in hexadecimal
 * under its key with "_hex" at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/locks.h"
#include "core/json_text.h"

static int json_out(json_t *json)
{
    int rc = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

    putchar('\n');
    json_decref(json);
    if (rc == 0 && fflush(stdout) == 0)
        return LOCKS_DONE;
    fputs("h5swim locks: write JSON: it failed (is the disk full?)\n", stderr);
    return LOCKS_FAILED;
}

/* What is not ASCII replaced, so that it is UTF-8. */
static json_t *text_plain(const char *text)
{
    char *plain = strdup(text);

    for (char *c = plain; c && *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    json_t *value = plain ? json_string(plain) : NULL;
    free(plain);
    return value;
}

static json_t *text_hex(const char *text)
{
    size_t len = strlen(text);
    char *hex = malloc(2 * len + 1);

    for (size_t i = 0; hex && i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text[i]);
    json_t *value = hex ? json_string(hex) : NULL;
    free(hex);
    return value;
}

void locks_json_text(json_t *object, const char *key, const char *text)
{
    char hex_key[32];
    json_t *value = json_string(text);

    if (!value) {
        value = text_plain(text);
        snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
        json_object_set_new(object, hex_key, text_hex(text));
    }
    json_object_set_new(object, key, value);
}

void locks_json_number(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, value < 0 ? json_null() : json_integer(value));
}

static void set_session(json_t *object, const struct inspect_session *s)
{
    locks_json_text(object, "session", s->id);
    locks_json_text(object, "host", s->host);
    locks_json_number(object, "pid", s->pid > 0 ? s->pid : -1);
    locks_json_text(object, "user", s->user);
    locks_json_text(object, "job", s->job);
    locks_json_number(object, "rank", s->rank);
    locks_json_number(object, "lease_ms", s->lease_ms);
    json_object_set_new(object, "lease_left_ms",
                        json_integer(s->left_ms > 0 ? s->left_ms : 0));
    json_object_set_new(object, "broken", json_boolean(s->broken));
    json_object_set_new(object, "dead", json_boolean(s->dead));
}

static json_t *ticket_json(const struct inspect_ticket *t)
{
    json_t *object = json_object();

    locks_json_text(object, "mode", locks_mode(t->mode));
    json_object_set_new(object, "raised", json_boolean(t->raised));
    json_object_set_new(object, "preferred", json_boolean(t->preferred));
    json_object_set_new(object, "fence", json_integer((json_int_t)t->fence));
    locks_json_number(object, "for_ms", t->for_ms);
    set_session(object, t->session);
    return object;
}

static json_t *tickets_json(const struct inspect_ticket *tickets, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, ticket_json(&tickets[i]));
    return list;
}

static json_t *resource_json(const struct inspect_resource *r)
{
    json_t *object = json_object();

    locks_json_text(object, "resource", r->name);
    json_object_set_new(object, "held", tickets_json(r->tickets, r->n_held));
    json_object_set_new(object, "queue",
                        tickets_json(r->tickets + r->n_held, r->n_waiting));
    return object;
}

static json_t *sessions_json(const struct inspection *seen)
{
    json_t *list = json_array();

    for (size_t i = 0; seen && i < seen->n_sessions; i++) {
        const struct inspect_session *s = seen->sessions[i];
        json_t *object = json_object();
        set_session(object, s);
        locks_json_number(object, "age_ms", s->age_ms);
        json_object_set_new(object, "locks", json_integer((json_int_t)s->tickets));
        json_array_append_new(list, object);
    }
    return list;
}

json_t *locks_json_object(const struct inspection *seen, const char *server,
                          bool all_sessions)
{
    json_t *object = json_object(), *resources = json_array();

    json_object_set_new(object, "schema", json_integer(LOCKS_SCHEMA));
    json_object_set_new(object, "server", swim_json_text(server));
    json_object_set_new(object, "time_ms",
                        seen ? json_integer(seen->time_ms) : json_null());
    json_object_set_new(object, "grace_ms", json_integer(seen ? seen->grace_ms : 0));
    for (size_t i = 0; seen && i < seen->n_resources; i++)
        json_array_append_new(resources, resource_json(&seen->resources[i]));
    json_object_set_new(object, "resources", resources);
    if (all_sessions)
        json_object_set_new(object, "sessions", sessions_json(seen));
    return object;
}

int locks_json(const struct inspection *seen, const char *server, bool all_sessions)
{
    return json_out(locks_json_object(seen, server, all_sessions));
}

int locks_json_break(const char *id, const char *result, int64_t left_ms)
{
    json_t *object = json_object();

    json_object_set_new(object, "schema", json_integer(LOCKS_SCHEMA));
    locks_json_text(object, "session", id);
    locks_json_text(object, "result", result);
    locks_json_number(object, "left_ms", left_ms);
    return json_out(object);
}
