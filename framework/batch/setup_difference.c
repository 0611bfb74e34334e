/* setup_difference.c - what of a job is different from what it was, in words. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/setup.h"
#include "core/printable.h"

#define SAID_MOST 4   /* more are counted */
#define VALUE_MOST 80 /* columns */
#define KEY_MOST 200

/* A line "WHAT: VALUE". */
struct line {
    const char *key, *value;
    size_t key_size, value_size;
};

/* The next line at *at; false: there is none.  What is not of that form is skipped. */
static bool line_next(const char **at, struct line *line)
{
    while (**at) {
        size_t n = strcspn(*at, "\n");
        const char *start = *at, *colon = memmem(start, n, ": ", 2);
        *at += n + (start[n] == '\n');
        if (!colon)
            continue;
        line->key = start;
        line->key_size = (size_t)(colon - start);
        line->value = colon + 2;
        line->value_size = n - line->key_size - 2;
        return true;
    }
    return false;
}

static bool line_find(const char *text, const char *key, size_t key_size,
                      struct line *line)
{
    while (line_next(&text, line))
        if (line->key_size == key_size && memcmp(line->key, key, key_size) == 0)
            return true;
    return false;
}

/* --- the same state by another name ------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool state_of(const struct line *line, struct source_state *state)
{
    if (line->value_size != 2 * sizeof(state->bytes))
        return false;
    for (size_t i = 0; i < sizeof(state->bytes); i++) {
        int high = hex_digit(line->value[2 * i]),
            low = hex_digit(line->value[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        state->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* Whether the line is the state of an input that is in it still. */
static bool is_still(const struct setup *setup, const struct line *line)
{
    struct source_state then;
    char key[KEY_MOST];

    setup = setup_first(setup);
    for (uint32_t i = 0; i < setup->n_inputs; i++) {
        const struct setup_input *in = &setup->inputs[i];
        int n = snprintf(key, sizeof(key), "input.%s.state", in->field.port);
        if (n > 0 && (size_t)n == line->key_size &&
            memcmp(key, line->key, line->key_size) == 0)
            return in->source && state_of(line, &then) &&
                   source_is_state(in->source, &then);
    }
    return false;
}

/* The text, with the states that those lines name as well, and mean the same by it, by
 * their names there. */
static char *translate(const struct setup *setup, const char *from, const char *lines)
{
    const char *done = from, *at = from;
    struct line line, there;
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    if (!to)
        return NULL;
    while (line_next(&at, &line))
        if (is_still(setup, &line) &&
            line_find(lines, line.key, line.key_size, &there) &&
            is_still(setup, &there)) {
            fwrite(done, 1, (size_t)(line.value - done), to);
            fwrite(there.value, 1, there.value_size, to);
            done = line.value + line.value_size;
        }
    fputs(done, to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

char *setup_translate(const struct setup *setup, const char *then)
{
    return translate(setup, then, setup->description);
}

char *setup_translate_back(const struct setup *setup, const char *then)
{
    return translate(setup, setup->description, then);
}

/* --- differences in words ------------------------------------------------------ */

struct saying {
    const char *then, *now;
    char *text;
    size_t size, n;
};

static bool same_value(const struct line *a, const struct line *b)
{
    return a->value_size == b->value_size &&
           memcmp(a->value, b->value, a->value_size) == 0;
}

/* Whether a line of the same name says the same then and now. */
static bool same_there(const struct saying *s, const char *key)
{
    struct line then, now;

    return line_find(s->then, key, strlen(key), &then) &&
           line_find(s->now, key, strlen(key), &now) && same_value(&then, &now);
}

/* A value for people; NULL: it was, or is, not given. */
static const char *shown(const struct line *line, char *buf, size_t size)
{
    char value[1024];

    if (!line)
        return "not given";
    snprintf(
        value, sizeof(value), "%.*s",
        (int)(line->value_size < sizeof(value) ? line->value_size : sizeof(value) - 1),
        line->value);
    swim_printable(value, VALUE_MOST, buf, size);
    return buf[0] ? buf : "empty";
}

static void say(struct saying *s, const char *fmt, ...) SWIM_PRINTF(2, 3);
static void say(struct saying *s, const char *fmt, ...)
{
    size_t used = strlen(s->text);
    va_list args;

    if (++s->n > SAID_MOST)
        return;
    if (s->n > 1) {
        snprintf(s->text + used, s->size - used, "; ");
        used = strlen(s->text);
    }
    va_start(args, fmt);
    vsnprintf(s->text + used, s->size - used, fmt, args);
    va_end(args);
}

/* "WHAT is A, was B". */
static void say_values(struct saying *s, const char *what, const char *verb,
                       const struct line *then, const struct line *now,
                       const char *hint)
{
    char a[4 * VALUE_MOST + 8], b[4 * VALUE_MOST + 8];
    bool are = strcmp(verb, "are") == 0;

    say(s, "%s %s %s, %s %s%s", what, verb, shown(now, a, sizeof(a)),
        are ? "were" : "was", shown(then, b, sizeof(b)), hint);
}

/* The state of an input, or its inode: that says nothing to people. */
static void say_state(struct saying *s, const char *port, const char *was)
{
    char key[KEY_MOST + 40], file[4 * VALUE_MOST + 8];
    struct line now;

    snprintf(key, sizeof(key), "input.%s.file", port);
    if (!same_there(s, key) || !line_find(s->now, key, strlen(key), &now))
        return; /* another file, which is said by itself */
    say(s, "input %s (%s) was %s", port, shown(&now, file, sizeof(file)), was);
}

static void say_port(struct saying *s, const char *key, const struct line *then,
                     const struct line *now)
{
    bool input = strncmp(key, "input.", 6) == 0;
    const char *name = strchr(key, '.') + 1, *dot = strrchr(name, '.');
    char port[KEY_MOST], what[2 * KEY_MOST + 20];

    if (!dot) {
        say_values(s, key, "is", then, now, "");
        return;
    }
    snprintf(port, sizeof(port), "%.*s", (int)(dot - name), name);
    snprintf(what, sizeof(what), "%s of %s %s", dot + 1, input ? "input" : "output",
             port);
    if (input && strcmp(dot, ".state") == 0)
        say_state(s, port, "changed");
    else if (input && strcmp(dot, ".inode") == 0)
        say_state(s, port, "replaced");
    else
        say_values(s, what,
                   strcmp(dot, ".chunks") == 0 || strcmp(dot, ".filters") == 0 ? "are"
                                                                               : "is",
                   then, now, "");
}

/* Of a chain, what a key says behind "kernels.2.". */
static const char *key_alone(const char *key)
{
    const char *dot = strncmp(key, "kernels.", 8) == 0 ? strchr(key + 8, '.') : NULL;

    return dot ? dot + 1 : key;
}

static void say_kernel(struct saying *s, const char *key, const struct line *then,
                       const struct line *now)
{
    const char *alone = key_alone(key);
    char name[4 * VALUE_MOST + 8], of[KEY_MOST];
    struct line kernel;

    snprintf(of, sizeof(of), "%.*skernel", (int)(alone - key), key);
    if (strcmp(alone, "kernel.binary") != 0)
        say_values(s, strcmp(alone, "kernel") == 0 ? key : "the kernels' interface",
                   "is", then, now, "");
    else if (same_there(s, of) && line_find(s->now, of, strlen(of), &kernel))
        say(s, "kernel %s was changed", shown(&kernel, name, sizeof(name)));
}

/* then or now is NULL: there is no such line. */
static void say_line(struct saying *s, const struct line *then, const struct line *now)
{
    const struct line *either = now ? now : then;
    char raw[KEY_MOST / 4 + 1], key[KEY_MOST + 8];

    snprintf(raw, sizeof(raw), "%.*s",
             (int)(either->key_size < sizeof(raw) ? either->key_size : sizeof(raw) - 1),
             either->key);
    swim_printable(raw, 0, key, sizeof(key));
    if (strncmp(key, "input.", 6) == 0 || strncmp(key, "output.", 7) == 0)
        say_port(s, key, then, now);
    else if (strncmp(key_alone(key), "kernel", 6) == 0)
        say_kernel(s, key, then, now);
    else if (strcmp(key, "description") == 0)
        say(s, "it was begun by another version of h5swim");
    else if (strcmp(key, "blocks") == 0)
        say_values(s, key, "are", then, now, " (memory or chunks of the job)");
    else if (strcmp(key, "slice") != 0)
        say_values(s, key, strcmp(key_alone(key), "edges") == 0 ? "are" : "is", then,
                   now, "");
    else if (same_there(s, "blocks"))
        say_values(s, "what is read at once", "is", then, now, " (memory of the job)");
}

size_t setup_difference(const char *then, const char *now, char *text, size_t size)
{
    struct saying s = {.then = then, .now = now, .text = text, .size = size};
    struct line here, there;
    const char *at = now;

    text[0] = '\0';
    while (line_next(&at, &here)) {
        bool had = line_find(then, here.key, here.key_size, &there);
        if (!had || !same_value(&here, &there))
            say_line(&s, had ? &there : NULL, &here);
    }
    at = then;
    while (line_next(&at, &there))
        if (!line_find(now, there.key, there.key_size, &here))
            say_line(&s, &there, NULL);
    size_t used = strlen(text);
    if (s.n > SAID_MOST)
        snprintf(text + used, size - used, "; and %zu more", s.n - SAID_MOST);
    return s.n;
}
