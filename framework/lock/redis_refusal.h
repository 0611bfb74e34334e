/* redis_refusal.h - what a server's refusal says of when and where to ask again. */
#ifndef SWIM_LOCK_REDIS_REFUSAL_H
#define SWIM_LOCK_REDIS_REFUSAL_H

#include <stdbool.h>

#include "url.h"

enum redis_refusal {
    REDIS_REFUSED,      /* the same question gets the same answer */
    REDIS_REFUSED_NOW,  /* it passes by itself */
    REDIS_REFUSED_HERE, /* so does this, but the URL may lead to another server then */
};

enum redis_refusal redis_refusal_of(const char *reply);

/* "MOVED SLOT HOST:PORT", as a Redis Cluster sends on whoever asks at from: where to,
 * or false, also for what leads nowhere. */
bool redis_refusal_moves(const char *reply, const struct lock_url *from,
                         struct lock_url *to);

#endif /* SWIM_LOCK_REDIS_REFUSAL_H */
