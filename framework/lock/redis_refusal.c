/* redis_refusal.c - errors that are no last word: those that pass, and those by which a
 * Redis Cluster sends its clients on. */
#include "redis_refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scripts may put other words before.  What a server that is the primary no more says
 * is said until the URL leads to the next one. */
enum redis_refusal redis_refusal_of(const char *reply)
{
    static const struct {
        const char *word;
        enum redis_refusal is;
    } passing[] = {
        {"LOADING", REDIS_REFUSED_NOW},     {"BUSY", REDIS_REFUSED_NOW},
        {"TRYAGAIN", REDIS_REFUSED_NOW},    {"CLUSTERDOWN", REDIS_REFUSED_HERE},
        {"MASTERDOWN", REDIS_REFUSED_HERE}, {"READONLY", REDIS_REFUSED_HERE},
        {"ASK ", REDIS_REFUSED_HERE},       {"MOVED ", REDIS_REFUSED_HERE}};

    for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++)
        if (strstr(reply, passing[i].word))
            return passing[i].is;
    return REDIS_REFUSED;
}

/* No host: the same one, another port. */
bool redis_refusal_moves(const char *reply, const struct lock_url *from,
                         struct lock_url *to)
{
    const char *place =
        strncmp(reply, "MOVED ", 6) == 0 ? strchr(reply + 6, ' ') : NULL;
    const char *colon = place ? strrchr(place, ':') : NULL;
    char *end = NULL;

    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (port <= 0 || port > 65535 || *end)
        return false;
    *to = *from;
    place++;
    if (colon > place) {
        int n =
            snprintf(to->host, sizeof(to->host), "%.*s", (int)(colon - place), place);
        if (n >= (int)sizeof(to->host))
            return false;
    } else if (to->is_unix) {
        return false;
    }
    to->is_unix = false;
    to->port = (int)port;
    return true;
}
