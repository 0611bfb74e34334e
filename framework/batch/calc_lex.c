/* calc_lex.c - cuts an expression into words, and says where in it something is wrong.
 *
 * Characters are ASCII, whatever the locale is: all else is refused, so that a column
 * is a byte and what is in front of it is seen as it is counted. */
#include "batch/calc_lex.h"

#include <stdio.h>
#include <string.h>

#include "batch/calc.h"
#include "batch/kernel_private.h"
#include "core/printable.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define BLANKS " \t\n\r"
#define BEFORE_MOST 50 /* characters of an excerpt in front of the column */
#define AROUND_MOST 70

/* The longer ones first. */
static const char *const signs[] = {"**", "<=", ">=", "==", "!=", "+", "-", "*", "/",
                                    "%",  "<",  ">",  "&",  "|",  "~", "(", ")", ","};

/* What others write, and what is meant. */
static const struct {
    const char *sign, *hint;
} foreign[] = {
    {"//", "write floor(a / b)"},
    {"&&", "write & or and"},
    {"||", "write | or or"},
    {"!", "write ~ or not"},
    {"^", "a power is written **"},
    {"=", "equality is written =="},
    {"?", "write where(c, a, b)"},
    {"[", "parts of an input cannot be taken"},
    {".", "names have no points in them"},
};

size_t calc_excerpt(const char *expression, size_t column,
                    char excerpt[CALC_EXCERPT_SIZE])
{
    size_t length = strlen(expression), from = 0, n = 0;
    char part[AROUND_MOST + 8], shown[CALC_EXCERPT_SIZE];
    const char *dots = "";

    if (length > AROUND_MOST && column > BEFORE_MOST) {
        from = column - BEFORE_MOST;
        dots = "...";
    }
    n = length - from < AROUND_MOST ? length - from : AROUND_MOST;
    snprintf(part, sizeof(part), "%s%.*s", dots, (int)n, expression + from);
    swim_printable(part, 0, shown, sizeof(shown));
    snprintf(excerpt, CALC_EXCERPT_SIZE, "%.*s%s", CALC_EXCERPT_SIZE - 8, shown,
             from + n < length ? "..." : "");
    part[strlen(dots) + column - 1 - from] = '\0';
    return (size_t)swim_printable(part, 0, shown, sizeof(shown));
}

int calc_fail(const struct calc_lexer *lexer, size_t column, swim_error_t *err,
              const char *fmt, ...)
{
    char why[200], excerpt[CALC_EXCERPT_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    calc_excerpt(lexer->expression, column, excerpt);
    *lexer->column = column;
    return swim_error_set(err, SWIM_ERR_ARG, "expression \"%s\", column %zu: %s",
                          excerpt, column, why);
}

bool calc_word_is(const struct calc_word *word, const char *sign)
{
    return word->kind == CALC_WORD_SIGN && strcmp(word->text, sign) == 0;
}

/* Bytes of the number at text; 0: there is none. */
static size_t number_length(const char *text)
{
    size_t whole = strspn(text, DIGITS), n = whole;

    if (text[n] == '.') {
        size_t part = strspn(text + n + 1, DIGITS);
        if (whole + part == 0)
            return 0;
        n += 1 + part;
    }
    if (n && (text[n] == 'e' || text[n] == 'E')) {
        size_t sign = text[n + 1] == '+' || text[n + 1] == '-';
        size_t digits = strspn(text + n + 1 + sign, DIGITS);
        n += digits ? 1 + sign + digits : 0;
    }
    return n;
}

static int lex_number(struct calc_lexer *lexer, size_t length, swim_error_t *err)
{
    const char *text = lexer->expression + lexer->at, *after = text + length;
    struct calc_word *word = &lexer->word;

    if (*after == '.' || (*after && strchr(LETTERS, *after)))
        return calc_fail(lexer, word->start + length, err,
                         "\"%c\" right behind a number; a product is written *",
                         *after);
    if (length > CALC_WORD_MAX)
        return calc_fail(lexer, word->start, err, "a number of more than %d characters",
                         CALC_WORD_MAX);
    memcpy(word->text, text, length);
    word->text[length] = '\0';
    if (!value_real(word->text, &word->number))
        return calc_fail(lexer, word->start, err, "\"%.64s\" is no number", word->text);
    if (word->number > 0x1.fffffffffffffp+1023)
        return calc_fail(lexer, word->start, err,
                         "%.64s is too large a number; write inf", word->text);
    word->kind = CALC_WORD_NUMBER;
    return SWIM_OK;
}

static int lex_name(struct calc_lexer *lexer, size_t length, swim_error_t *err)
{
    static const char *const words[] = {"and", "or", "not"};
    struct calc_word *word = &lexer->word;

    if (length > CALC_WORD_MAX)
        return calc_fail(lexer, word->start, err, "a name of more than %d characters",
                         CALC_WORD_MAX);
    memcpy(word->text, lexer->expression + lexer->at, length);
    word->text[length] = '\0';
    word->kind = CALC_WORD_NAME;
    for (size_t i = 0; i < SWIM_COUNT_OF(words); i++)
        if (strcmp(word->text, words[i]) == 0)
            word->kind = CALC_WORD_SIGN;
    return SWIM_OK;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static int lex_unknown(struct calc_lexer *lexer, swim_error_t *err)
{
    const char *text = lexer->expression + lexer->at;

    for (size_t i = 0; i < SWIM_COUNT_OF(foreign); i++)
        if (starts_with(text, foreign[i].sign))
            return calc_fail(lexer, lexer->word.start, err,
                             "\"%s\" means nothing here; %s", foreign[i].sign,
                             foreign[i].hint);
    if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
        return calc_fail(lexer, lexer->word.start, err,
                         "byte 0x%02x; expressions are of ASCII characters",
                         (unsigned char)*text);
    return calc_fail(lexer, lexer->word.start, err, "\"%c\" means nothing here", *text);
}

static int lex_sign(struct calc_lexer *lexer, size_t *length, swim_error_t *err)
{
    const char *text = lexer->expression + lexer->at;

    *length = 0;
    for (size_t i = 0; i < 3; i++) /* those that begin like one of ours */
        if (starts_with(text, foreign[i].sign))
            return lex_unknown(lexer, err);
    for (size_t i = 0; i < SWIM_COUNT_OF(signs); i++)
        if (starts_with(text, signs[i])) {
            *length = strlen(signs[i]);
            memcpy(lexer->word.text, signs[i], *length + 1);
            lexer->word.kind = CALC_WORD_SIGN;
            return SWIM_OK;
        }
    return lex_unknown(lexer, err);
}

int calc_lex(struct calc_lexer *lexer, swim_error_t *err)
{
    const char *text = lexer->expression;
    size_t length = 0;
    int rc = SWIM_OK;

    lexer->at += strspn(text + lexer->at, BLANKS);
    lexer->word = (struct calc_word){.start = lexer->at + 1};
    text += lexer->at;
    if (!*text)
        return SWIM_OK;
    if ((length = strspn(text, LETTERS)) > 0) {
        length = strspn(text, LETTERS DIGITS);
        rc = lex_name(lexer, length, err);
    } else if ((length = number_length(text)) > 0) {
        rc = lex_number(lexer, length, err);
    } else {
        rc = lex_sign(lexer, &length, err);
    }
    lexer->at += length;
    return rc;
}
