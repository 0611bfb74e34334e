/* calc_lex.h - the words of an expression. */
#ifndef SWIM_BATCH_CALC_LEX_H
#define SWIM_BATCH_CALC_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include <h5swim/error.h>

#define CALC_WORD_MAX 64

enum calc_word_kind {
    CALC_WORD_END,
    CALC_WORD_NUMBER,
    CALC_WORD_NAME,
    CALC_WORD_SIGN, /* an operator, also and, or, not; ( ) , */
};

struct calc_word {
    enum calc_word_kind kind;
    size_t start; /* column, from 1 */
    double number;
    char text[CALC_WORD_MAX + 1];
};

struct calc_lexer {
    const char *expression;
    size_t at; /* behind the word */
    struct calc_word word;
    size_t *column; /* of an error */
};

/* Read the next word into lexer->word; at the end that is CALC_WORD_END, again and
 * again. SWIM_ERR_ARG: what is there is no word. */
int calc_lex(struct calc_lexer *lexer, swim_error_t *err);

bool calc_word_is(const struct calc_word *word, const char *sign);

/* SWIM_ERR_ARG with the expression, the column and the text. */
int calc_fail(const struct calc_lexer *lexer, size_t column, swim_error_t *err,
              const char *fmt, ...) SWIM_PRINTF(4, 5);

#endif /* SWIM_BATCH_CALC_LEX_H */
