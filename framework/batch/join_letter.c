/* join_letter.c - what a joined rank and rank 0 write to each other, as text. */
#include "batch/join_letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD "h5swim-join"
#define BUILD_SIZE 64

_Static_assert(2 * sizeof(struct rank_report) + 1024 < JOIN_LETTER_SIZE,
               "a report fits into a letter");
_Static_assert(2 * sizeof(struct rank_orders) + 1024 < JOIN_LETTER_SIZE,
               "orders fit into a letter");

void join_letter_box(const char *session, char box[JOIN_BOX_SIZE])
{
    snprintf(box, JOIN_BOX_SIZE, "join:%s", session);
}

static void build_name(char build[BUILD_SIZE])
{
    const uint32_t order = 1;
    bool little = *(const unsigned char *)&order == 1;

    snprintf(build, BUILD_SIZE, "%d/%d/%zu/%zu/%s", JOIN_LETTER_FORMAT,
             COORDINATOR_EXCHANGE, sizeof(struct rank_report),
             sizeof(struct rank_orders), little ? "little" : "big");
}

/* --- bodies ------------------------------------------------------------------------
 */

static void hex_write(const void *bytes, size_t n, char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    size_t at = 0;

    for (size_t i = 0; i < n && at + 2 < size; i++) {
        text[at++] = digits[from[i] >> 4];
        text[at++] = digits[from[i] & 15];
    }
    text[at] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_read(const char *text, void *bytes, size_t n)
{
    unsigned char *to = bytes;

    if (strlen(text) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

/* What others rely on in what came from outside. */
static bool report_read(const char *body, struct rank_report *report)
{
    if (!hex_read(body, report, sizeof(*report)))
        return false;
    report->error.text[sizeof(report->error.text) - 1] = '\0';
    report->failure.text[sizeof(report->failure.text) - 1] = '\0';
    return report->n_states <= SETUP_INPUTS_MAX &&
           report->failure.phase < SETUP_PHASES_MAX;
}

static bool orders_read(const char *body, struct rank_orders *orders)
{
    return hex_read(body, orders, sizeof(*orders)) &&
           orders->n_states <= SETUP_INPUTS_MAX;
}

/* --- letters ------------------------------------------------------------------------
 */

void join_letter_write(const struct join_letter *letter, char text[JOIN_LETTER_SIZE])
{
    char build[BUILD_SIZE];

    build_name(build);
    snprintf(text, JOIN_LETTER_SIZE,
             WORD " %s %c %s %s %" PRIu32 " %" PRIu64 " %" PRIu32 " ", build,
             (char)letter->kind, letter->from, letter->boot[0] ? letter->boot : "-",
             letter->lease_ms, letter->seq, letter->rank);
    size_t used = strlen(text);
    if (letter->kind == JOIN_REPORT)
        hex_write(&letter->report, sizeof(letter->report), text + used,
                  JOIN_LETTER_SIZE - used);
    else if (letter->kind == JOIN_REFUSED || letter->kind == JOIN_DIFFERS)
        snprintf(text + used, JOIN_LETTER_SIZE - used, "%s", letter->text);
    else
        hex_write(&letter->orders, sizeof(letter->orders), text + used,
                  JOIN_LETTER_SIZE - used);
}

static bool body_read(const char *body, struct join_letter *letter)
{
    switch (letter->kind) {
    case JOIN_REPORT:
        return report_read(body, &letter->report);
    case JOIN_ORDERS:
    case JOIN_OVER:
        return orders_read(body, &letter->orders);
    case JOIN_REFUSED:
    case JOIN_DIFFERS:
        snprintf(letter->text, sizeof(letter->text), "%s", body);
        return true;
    default:
        return false;
    }
}

int join_letter_read(const char *text, struct join_letter *letter, swim_error_t *err)
{
    char build[BUILD_SIZE], mine[BUILD_SIZE], kind = 0;
    int at = 0;

    memset(letter, 0, sizeof(*letter));
    build_name(mine);
    if (sscanf(text, WORD " %63s %c %159s", build, &kind, letter->from) != 3)
        return swim_error_set(err, SWIM_ERR_CORRUPT, "not a letter of a job");
    letter->kind = (enum join_kind)kind;
    if (strcmp(build, mine) != 0)
        return swim_error_set(err, SWIM_ERR_ABI,
                              "the other side is another build of h5swim (%s there, %s "
                              "here)",
                              build, mine);
    if (sscanf(text, WORD " %*s %*c %*s %63s %" SCNu32 " %" SCNu64 " %" SCNu32 "%n",
               letter->boot, &letter->lease_ms, &letter->seq, &letter->rank,
               &at) != 4 ||
        text[at] != ' ' || !body_read(text + at + 1, letter))
        return swim_error_set(err, SWIM_ERR_CORRUPT, "not a letter of a job");
    return SWIM_OK;
}
