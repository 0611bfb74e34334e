/* inspect_private.h - what looking and breaking share. */
#ifndef SWIM_LOCK_INSPECT_PRIVATE_H
#define SWIM_LOCK_INSPECT_PRIVATE_H

#include "inspect.h"
#include "lock_private.h"

struct inspector {
    struct lock_url url;
    char shown[320];
    struct redis_link *link;
    struct process_id self;
};

#define INSPECT_PAGE 128            /* sessions or resources asked about at once */
#define INSPECT_PAGE_TICKETS "1024" /* told at once, and those of one resource more */

/* A look in the making. */
struct look {
    struct inspector *in;
    struct inspection *out;
    void *sessions_by_key; /* trees of tsearch() */
    void *names_by_text;
    char **names;
    size_t n_names, names_room, resources_room, sessions_room;
    size_t n_asked; /* sessions up to here have been asked about */
};

/* Ask a script, once. */
int inspect_ask(struct inspector *inspector, const struct lock_script *script, int argc,
                const char *const *argv, struct redis_answer **answer,
                swim_error_t *err);

/* The same for a command. */
int inspect_ask_command(struct inspector *inspector, int argc, const char *const *argv,
                        struct redis_answer **answer, swim_error_t *err);

int inspect_no_memory(swim_error_t *err);

/* Room for one more in an array; false: no memory. */
bool inspect_grow(void *array, size_t n, size_t *room, size_t size);

/* A number that comes as text; other: it is not there. */
int64_t inspect_number(const struct redis_answer *text, int64_t other);

/* The session of that name, entered when it is new; NULL: no memory. */
struct inspect_session *look_session(struct look *look, const char *key);

/* Ask about the resources of look->names. */
int look_ask_resources(struct look *look, swim_error_t *err);

#endif /* SWIM_LOCK_INSPECT_PRIVATE_H */
