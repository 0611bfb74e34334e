/* calc_parse.c - from an expression to a list of what is to be computed, in order.
 *
 * Precedence climbing with the levels of Python: or, and, not, comparisons, |, &, + -,
 * * / %, signs and ~, **, which goes to the right.  A comparison of a comparison, which
 * Python reads as both, is refused: numpy does so, too.
 *
 * Nodes are appended when their arguments are there, so that none comes before what it
 * needs, and neither the tree nor the C made of it needs a stack.  The parser's own is
 * limited by CALC_DEPTH_MAX. */
#include <stdlib.h>
#include <string.h>

#include "batch/calc_lex.h"
#include "batch/calc_private.h"
#include "core/text.h"

#define NAMES_MAX 128

enum level {
    LEVEL_NONE,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_BIT_OR,
    LEVEL_BIT_AND,
    LEVEL_SUM,
    LEVEL_PRODUCT,
};

static const struct {
    const char *sign;
    enum level level;
} binary[] = {
    {"or", LEVEL_OR},      {"and", LEVEL_AND},    {"<", LEVEL_COMPARE},
    {"<=", LEVEL_COMPARE}, {">", LEVEL_COMPARE},  {">=", LEVEL_COMPARE},
    {"==", LEVEL_COMPARE}, {"!=", LEVEL_COMPARE}, {"|", LEVEL_BIT_OR},
    {"&", LEVEL_BIT_AND},  {"+", LEVEL_SUM},      {"-", LEVEL_SUM},
    {"*", LEVEL_PRODUCT},  {"/", LEVEL_PRODUCT},  {"%", LEVEL_PRODUCT},
};

struct parser {
    struct calc_lexer lexer;
    struct calc *calc;
    unsigned depth;
    struct calc_word before; /* the last one taken */
};

static int parse_level(struct parser *p, enum level level, size_t *out,
                       swim_error_t *err);

static int word_take(struct parser *p, swim_error_t *err)
{
    p->before = p->lexer.word;
    return calc_lex(&p->lexer, err);
}

static int enter(struct parser *p, swim_error_t *err)
{
    if (p->depth == CALC_DEPTH_MAX)
        return calc_fail(&p->lexer, p->lexer.word.start, err, "nested too deep");
    p->depth++;
    return SWIM_OK;
}

/* --- nodes ---------------------------------------------------------------------- */

static int node_add(struct parser *p, const struct calc_node *node, size_t *out,
                    swim_error_t *err)
{
    struct calc *calc = p->calc;

    if (calc->n_nodes == CALC_NODES_MAX)
        return calc_fail(&p->lexer, node->start, err,
                         "more than %d numbers, names and operators", CALC_NODES_MAX);
    *out = calc->n_nodes;
    calc->nodes[calc->n_nodes++] = *node;
    return SWIM_OK;
}

static bool param_is_condition(const struct calc *calc, const struct calc_node *call,
                               size_t arg)
{
    char param = call->function->params[arg];

    for (size_t i = 0; param == 'x' && call->function->params[i]; i++)
        if (call->function->params[i] == 'x' && !calc->nodes[call->args[i]].condition)
            return false;
    return param != 'n';
}

/* A number where a condition is wanted is refused rather than compared with 0: what is
 * meant by u > 0 & v > 0, where & comes first, would be silently something else. */
static int call_add(struct parser *p, struct calc_node *call, size_t *out,
                    swim_error_t *err)
{
    const char *params = call->function->params;

    call->kind = CALC_CALL;
    call->constant = true;
    call->condition = call->function->condition;
    for (size_t i = 0; params[i]; i++) {
        const struct calc_node *arg = &p->calc->nodes[call->args[i]];
        call->constant = call->constant && arg->constant;
        if (params[i] == 'c' && !arg->condition)
            return calc_fail(&p->lexer, arg->start, err,
                             "%s wants %s, and this is a number; compare it, in "
                             "parentheses: (x > 0)",
                             call->function->name,
                             params[1] == 'c' ? "conditions" : "a condition");
        if (params[i] == 'x')
            call->condition = param_is_condition(p->calc, call, i);
    }
    return node_add(p, call, out, err);
}

/* --- what stands alone ------------------------------------------------------------ */

static int name_unknown(struct parser *p, bool called, swim_error_t *err)
{
    const struct calc_word *word = &p->before;
    const char *names[NAMES_MAX];
    size_t n = 0;

    for (; !called && n < p->calc->n_names; n++)
        names[n] = p->calc->names[n];
    calc_function_names(names, &n, NAMES_MAX);
    if (!called)
        calc_constant_names(names, &n, NAMES_MAX);
    /* Of what is as short as "u", only another input is near: not the constant e. */
    if (!called && strlen(word->text) == 1)
        n = p->calc->n_names;
    const char *near = n > 0 ? swim_text_nearest(word->text, names, n) : NULL;
    if (!near && !called)
        return calc_fail(&p->lexer, word->start, err,
                         "unknown name \"%s\"; an input is given as %s=FILE:/DATASET",
                         word->text, word->text);
    return calc_fail(&p->lexer, word->start, err, "unknown %s \"%s\"%s%s%s",
                     called ? "function" : "name", word->text,
                     near ? "; did you mean \"" : "", near ? near : "",
                     near ? "\"?" : "");
}

static bool input_find(const struct calc *calc, const char *name, size_t *input)
{
    for (*input = 0; *input < calc->n_names; (*input)++)
        if (strcmp(calc->names[*input], name) == 0)
            return true;
    return false;
}

/* Up to the closing parenthesis, which *closed says there is. */
static int arguments_parse(struct parser *p, struct calc_node *call, size_t *n,
                           swim_error_t *err)
{
    int rc = word_take(p, err); /* ( */
    bool more = rc == SWIM_OK && !calc_word_is(&p->lexer.word, ")");

    *n = 0;
    while (rc == SWIM_OK && more) {
        size_t arg = 0;
        rc = parse_level(p, LEVEL_OR, &arg, err);
        if (*n < CALC_ARGS_MAX)
            call->args[*n] = arg;
        ++*n;
        more = rc == SWIM_OK && calc_word_is(&p->lexer.word, ",");
        if (more)
            rc = word_take(p, err);
    }
    return rc;
}

/* Takes a closing parenthesis; opened is the column of the other one. */
static int close_parse(struct parser *p, size_t opened, bool in_call, swim_error_t *err)
{
    if (calc_word_is(&p->lexer.word, ")"))
        return word_take(p, err);
    if (p->lexer.word.kind == CALC_WORD_END)
        return calc_fail(&p->lexer, opened, err, "this parenthesis is not closed");
    return calc_fail(&p->lexer, p->lexer.word.start, err,
                     "an operator%s is missing before \"%s\"",
                     in_call ? ", or a comma," : "", p->lexer.word.text);
}

static int call_parse(struct parser *p, size_t *out, swim_error_t *err)
{
    const struct calc_word name = p->before;
    struct calc_node call = {.start = name.start,
                             .function = calc_function_find(name.text)};
    size_t opened = p->lexer.word.start, n = 0, input = 0;
    double number = 0;

    if (!call.function && (input_find(p->calc, name.text, &input) ||
                           calc_constant_find(name.text, &number)))
        return calc_fail(&p->lexer, opened, err,
                         "\"%s\" is no function; a product is written *", name.text);
    if (!call.function)
        return name_unknown(p, true, err);
    size_t wanted = strlen(call.function->params);
    int rc = arguments_parse(p, &call, &n, err);
    if (rc == SWIM_OK)
        rc = close_parse(p, opened, true, err);
    if (rc != SWIM_OK)
        return rc;
    if (n != wanted)
        return calc_fail(&p->lexer, name.start, err,
                         "%s takes %zu argument%s, and is given %zu", name.text, wanted,
                         wanted == 1 ? "" : "s", n);
    return call_add(p, &call, out, err);
}

static int name_parse(struct parser *p, size_t *out, swim_error_t *err)
{
    struct calc_node node = {.start = p->lexer.word.start};
    int rc = word_take(p, err);

    if (rc != SWIM_OK)
        return rc;
    if (calc_word_is(&p->lexer.word, "("))
        return call_parse(p, out, err);
    if (input_find(p->calc, p->before.text, &node.input)) {
        node.kind = CALC_INPUT;
    } else if (calc_constant_find(p->before.text, &node.number)) {
        node.kind = CALC_NUMBER;
        node.constant = true;
    } else if (calc_function_find(p->before.text)) {
        return calc_fail(&p->lexer, p->before.start, err,
                         "%s is a function; its arguments go in parentheses",
                         p->before.text);
    } else {
        return name_unknown(p, false, err);
    }
    return node_add(p, &node, out, err);
}

static int closing_extra(struct parser *p, swim_error_t *err)
{
    return calc_fail(&p->lexer, p->lexer.word.start, err,
                     "there is no opening parenthesis for this one");
}

static int operand_missing(struct parser *p, swim_error_t *err)
{
    const struct calc_word *word = &p->lexer.word, *before = &p->before;

    if (calc_word_is(word, "not"))
        return calc_fail(&p->lexer, word->start, err,
                         "not behind \"%s\" goes in parentheses", before->text);
    if (word->kind == CALC_WORD_END && !before->start)
        return calc_fail(&p->lexer, word->start, err, "there is nothing");
    if (!before->start && calc_word_is(word, ")"))
        return closing_extra(p, err);
    return calc_fail(&p->lexer, word->start, err,
                     "a number, name or parenthesis is missing %s \"%s\"",
                     before->start ? "after" : "before",
                     before->start ? before->text : word->text);
}

static int primary_parse(struct parser *p, size_t *out, swim_error_t *err)
{
    struct calc_node number = {.kind = CALC_NUMBER,
                               .constant = true,
                               .start = p->lexer.word.start,
                               .number = p->lexer.word.number};
    int rc = SWIM_OK;

    switch (p->lexer.word.kind) {
    case CALC_WORD_NUMBER:
        rc = word_take(p, err);
        return rc == SWIM_OK ? node_add(p, &number, out, err) : rc;
    case CALC_WORD_NAME:
        return name_parse(p, out, err);
    case CALC_WORD_SIGN:
    case CALC_WORD_END:
        break;
    }
    if (!calc_word_is(&p->lexer.word, "("))
        return operand_missing(p, err);
    rc = word_take(p, err);
    if (rc == SWIM_OK)
        rc = parse_level(p, LEVEL_OR, out, err);
    return rc == SWIM_OK ? close_parse(p, number.start, false, err) : rc;
}

/* --- operators ------------------------------------------------------------------- */

static int unary_parse(struct parser *p, size_t *out, swim_error_t *err);

static int power_parse(struct parser *p, size_t *out, swim_error_t *err)
{
    int rc = primary_parse(p, out, err);

    if (rc != SWIM_OK || !calc_word_is(&p->lexer.word, "**"))
        return rc;
    struct calc_node call = {.function = calc_operator_find("**", 2),
                             .start = p->calc->nodes[*out].start,
                             .args = {*out}};
    rc = word_take(p, err);
    if (rc == SWIM_OK)
        rc = unary_parse(p, &call.args[1], err);
    return rc == SWIM_OK ? call_add(p, &call, out, err) : rc;
}

typedef int (*operand_parser)(struct parser *p, size_t *out, swim_error_t *err);

/* A sign, and what it goes with.  A negative number is one number. */
static int sign_parse(struct parser *p, operand_parser operand, size_t *out,
                      swim_error_t *err)
{
    struct calc_node call = {.start = p->lexer.word.start,
                             .function = calc_operator_find(p->lexer.word.text, 1)};
    bool minus = calc_word_is(&p->lexer.word, "-");
    int rc = word_take(p, err);

    if (rc == SWIM_OK)
        rc = operand(p, &call.args[0], err);
    if (rc != SWIM_OK)
        return rc;
    struct calc_node *arg = &p->calc->nodes[call.args[0]];
    if (minus && arg->kind == CALC_NUMBER) {
        arg->number = -arg->number;
        arg->start = call.start;
        *out = call.args[0];
        return SWIM_OK;
    }
    return call_add(p, &call, out, err);
}

static int unary_parse(struct parser *p, size_t *out, swim_error_t *err)
{
    const struct calc_word *word = &p->lexer.word;
    int rc = enter(p, err);

    if (rc != SWIM_OK)
        return rc;
    if (calc_word_is(word, "-") || calc_word_is(word, "+") || calc_word_is(word, "~"))
        rc = sign_parse(p, unary_parse, out, err);
    else
        rc = power_parse(p, out, err);
    p->depth--;
    return rc;
}

static int not_parse(struct parser *p, size_t *out, swim_error_t *err)
{
    return parse_level(p, LEVEL_NOT, out, err);
}

static enum level binary_level(const struct calc_word *word)
{
    for (size_t i = 0; i < SWIM_COUNT_OF(binary); i++)
        if (calc_word_is(word, binary[i].sign))
            return binary[i].level;
    return LEVEL_NONE;
}

/* What follows left, as far as it is of at least that level. */
static int binary_parse(struct parser *p, enum level level, size_t *left,
                        swim_error_t *err)
{
    enum level last = LEVEL_NONE, found = binary_level(&p->lexer.word);
    int rc = SWIM_OK;

    for (; rc == SWIM_OK && found >= level && found != LEVEL_NONE;
         found = binary_level(&p->lexer.word)) {
        struct calc_node call = {.function = calc_operator_find(p->lexer.word.text, 2),
                                 .start = p->calc->nodes[*left].start,
                                 .args = {*left}};
        if (found == LEVEL_COMPARE && last == LEVEL_COMPARE)
            return calc_fail(&p->lexer, p->lexer.word.start, err,
                             "comparisons cannot be chained; write (a < b) & (b < c)");
        last = found;
        rc = word_take(p, err);
        if (rc == SWIM_OK)
            rc = parse_level(p, (enum level)(found + 1), &call.args[1], err);
        if (rc == SWIM_OK)
            rc = call_add(p, &call, left, err);
    }
    return rc;
}

static int parse_level(struct parser *p, enum level level, size_t *out,
                       swim_error_t *err)
{
    int rc = enter(p, err);

    if (rc != SWIM_OK)
        return rc;
    if (level <= LEVEL_NOT && calc_word_is(&p->lexer.word, "not"))
        rc = sign_parse(p, not_parse, out, err);
    else
        rc = unary_parse(p, out, err);
    if (rc == SWIM_OK)
        rc = binary_parse(p, level, out, err);
    p->depth--;
    return rc;
}

static int all_parse(struct parser *p, swim_error_t *err)
{
    const struct calc_word *word = &p->lexer.word;
    size_t result = 0;
    int rc = calc_lex(&p->lexer, err);

    if (rc == SWIM_OK)
        rc = parse_level(p, LEVEL_OR, &result, err);
    if (rc != SWIM_OK || word->kind == CALC_WORD_END)
        return rc;
    if (calc_word_is(word, ")"))
        return closing_extra(p, err);
    if (calc_word_is(word, ","))
        return calc_fail(&p->lexer, word->start, err,
                         "a comma outside the arguments of a function");
    return calc_fail(&p->lexer, word->start, err,
                     "an operator is missing before \"%s\"", word->text);
}

int calc_parse(const char *expression, const char *const *names, size_t n_names,
               struct calc **out, size_t *column, swim_error_t *err)
{
    struct calc *calc = calloc(1, sizeof(*calc));
    struct parser p = {.lexer = {.expression = expression, .column = column},
                       .calc = calc};
    int rc = SWIM_ERR_NOMEM;

    *out = NULL;
    *column = 0;
    if (calc) {
        calc->names = names;
        calc->n_names = n_names;
        calc->nodes = calloc(CALC_NODES_MAX, sizeof(*calc->nodes));
    }
    if (calc && calc->nodes)
        rc = all_parse(&p, err);
    else
        swim_error_set(err, rc, "parse an expression: no memory");
    if (rc == SWIM_OK)
        *out = calc;
    else
        calc_destroy(calc);
    return rc;
}

void calc_destroy(struct calc *calc)
{
    if (!calc)
        return;
    free(calc->nodes);
    free(calc);
}

bool calc_uses(const struct calc *calc, size_t input)
{
    for (size_t i = 0; i < calc->n_nodes; i++)
        if (calc->nodes[i].kind == CALC_INPUT && calc->nodes[i].input == input)
            return true;
    return false;
}

bool calc_is_condition(const struct calc *calc)
{
    return calc->nodes[calc->n_nodes - 1].condition;
}

int calc_name_check(const char *name, swim_error_t *err)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char *const words[] = {"and", "or", "not"};
    const char *what = NULL;
    double number = 0;

    if (!*name || strlen(name) > CALC_WORD_MAX ||
        strspn(name, letters) != strlen(name) || strspn(name, "0123456789") > 0)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "\"%.80s\" is no name for an input: letters, digits and _, "
            "no digit first, at most %d of them",
            name, CALC_WORD_MAX);
    for (size_t i = 0; i < SWIM_COUNT_OF(words); i++)
        if (strcmp(name, words[i]) == 0)
            what = "an operator";
    if (calc_function_find(name))
        what = "a function";
    if (calc_constant_find(name, &number))
        what = "a constant";
    if (what)
        return swim_error_set(
            err, SWIM_ERR_ARG,
            "\"%s\" is %s of expressions: give the input another name", name, what);
    return SWIM_OK;
}
