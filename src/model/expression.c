/* Arithmetic from case files: a recursive descent into postfix code, and its evaluation. */
#include <ctype.h>
#include "model/impl.h"

#define STACK_ROOM 64 /* values an expression may hold at once; also the depth of its brackets */

typedef enum { PUSH, PLACE, CALL_ONE, CALL_TWO } Code;
typedef struct {
  Code   code;
  int    axis;  /* PLACE */
  double value; /* PUSH */
  double (*one)(double);
  double (*two)(double, double);
} Instruction;

struct _n_WeftExpression {
  Instruction *instruction;
  PetscInt     count, room;
};

typedef struct {
  WeftExpression expression;
  const char    *text, *at;
  const char    *fault; /* what is wrong; stands at `at` */
  PetscInt       depth, brackets;
} Parser;

/* ---- operations ---------------------------------------------------------------------------------------------- */

static double Add(double a, double b)
{
  return a + b;
}
static double Subtract(double a, double b)
{
  return a - b;
}
static double Multiply(double a, double b)
{
  return a * b;
}
static double Divide(double a, double b)
{
  return a / b;
}
static double Less(double a, double b)
{
  return a < b;
}
static double LessEqual(double a, double b)
{
  return a <= b;
}
static double Greater(double a, double b)
{
  return a > b;
}
static double GreaterEqual(double a, double b)
{
  return a >= b;
}
static double Equal(double a, double b)
{
  return a == b;
}
static double NotEqual(double a, double b)
{
  return a != b;
}
static double Negate(double a)
{
  return -a;
}
static double Step(double a)
{
  return a > 0.0;
}
static double Minimum(double a, double b)
{
  return a < b ? a : b;
}
static double Maximum(double a, double b)
{
  return a > b ? a : b;
}

static const struct {
  const char *name;
  double (*one)(double);
  double (*two)(double, double);
} functions[] = {
    {"sin", sin, NULL},   {"cos", cos, NULL},     {"tan", tan, NULL},     {"exp", exp, NULL},
    {"log", log, NULL},   {"sqrt", sqrt, NULL},   {"abs", fabs, NULL},    {"tanh", tanh, NULL},
    {"step", Step, NULL}, {"min", NULL, Minimum}, {"max", NULL, Maximum},
};

/* Longest spelling first. */
static const struct {
  const char *sign;
  double (*two)(double, double);
} comparisons[] = {{"<=", LessEqual}, {">=", GreaterEqual}, {"==", Equal}, {"!=", NotEqual}, {"<", Less}, {">", Greater}};

static PetscErrorCode Emit(Parser *p, Instruction instruction)
{
  WeftExpression e = p->expression;

  PetscFunctionBegin;
  if (e->count == e->room) {
    e->room = 2 * e->room + 16;
    PetscCall(PetscRealloc(sizeof(Instruction) * (size_t)e->room, &e->instruction));
  }
  e->instruction[e->count++] = instruction;
  p->depth += instruction.code == CALL_TWO ? -1 : instruction.code == CALL_ONE ? 0 : 1;
  if (p->depth > STACK_ROOM && !p->fault) p->fault = "the expression is nested too deeply";
  PetscFunctionReturn(0);
}

static PetscErrorCode EmitTwo(Parser *p, double (*two)(double, double))
{
  return Emit(p, (Instruction){CALL_TWO, 0, 0.0, NULL, two});
}

/* ---- grammar: comparison < sum < product < sign < power < primary ---------------------------------------------- */

static PetscErrorCode Comparison(Parser *p);

/* Passes over blanks; is the next sign c? Takes it. */
static PetscBool Take(Parser *p, char c)
{
  while (isspace((unsigned char)*p->at)) p->at++;
  if (*p->at != c) return PETSC_FALSE;
  p->at++;
  return PETSC_TRUE;
}

static PetscErrorCode Bracketed(Parser *p, int arguments)
{
  PetscFunctionBegin;
  if (++p->brackets > STACK_ROOM) p->fault = "the expression is nested too deeply";
  for (int i = 0; i < arguments && !p->fault; i++) {
    if (i && !Take(p, ',')) p->fault = "a ',' and a second value are missing";
    if (!p->fault) PetscCall(Comparison(p));
  }
  if (!p->fault && !Take(p, ')')) p->fault = "a ')' is missing";
  p->brackets--;
  PetscFunctionReturn(0);
}

static PetscErrorCode Name(Parser *p)
{
  const char *start = p->at;
  char        name[16];
  size_t      length = 0;

  PetscFunctionBegin;
  while (isalnum((unsigned char)*p->at) || *p->at == '_') p->at++;
  length = (size_t)(p->at - start);
  PetscCall(PetscStrncpy(name, start, PetscMin(length + 1, sizeof(name))));
  if (length == 1 && *start >= 'x' && *start <= 'z') {
    PetscCall(Emit(p, (Instruction){PLACE, *start - 'x', 0.0, NULL, NULL}));
    PetscFunctionReturn(0);
  }
  if (length == 2 && !strcmp(name, "pi")) {
    PetscCall(Emit(p, (Instruction){PUSH, 0, PETSC_PI, NULL, NULL}));
    PetscFunctionReturn(0);
  }
  for (size_t f = 0; f < PETSC_STATIC_ARRAY_LENGTH(functions); f++) {
    if (strcmp(name, functions[f].name)) continue;
    if (!Take(p, '('))
      p->fault = "a function needs its values in brackets";
    else
      PetscCall(Bracketed(p, functions[f].one ? 1 : 2));
    if (!p->fault)
      PetscCall(Emit(p, (Instruction){functions[f].one ? CALL_ONE : CALL_TWO, 0, 0.0, functions[f].one, functions[f].two}));
    PetscFunctionReturn(0);
  }
  p->at    = start;
  p->fault = "this name is not known; there are x, y, z, pi, sin, cos, tan, exp, log, sqrt, abs, tanh, step, min, max";
  PetscFunctionReturn(0);
}

static PetscErrorCode Primary(Parser *p)
{
  PetscFunctionBegin;
  if (p->fault) PetscFunctionReturn(0);
  if (Take(p, '('))
    PetscCall(Bracketed(p, 1));
  else if (isalpha((unsigned char)*p->at))
    PetscCall(Name(p));
  else if (isdigit((unsigned char)*p->at) || *p->at == '.') {
    char        *end;
    const double value = strtod(p->at, &end);
    if (end == p->at) p->fault = "this is no number";
    p->at = end;
    PetscCall(Emit(p, (Instruction){PUSH, 0, value, NULL, NULL}));
  } else
    p->fault = *p->at ? "a value was expected here" : "the expression ends too early";
  PetscFunctionReturn(0);
}

/* -x^2 is -(x^2), 2^-1 is one half, 2^3^2 is 2^(3^2). */
static PetscErrorCode Signed(Parser *p)
{
  PetscBool negative;

  PetscFunctionBegin;
  if (++p->brackets > STACK_ROOM && !p->fault) p->fault = "the expression is nested too deeply";
  if (p->fault) PetscFunctionReturn(0);
  negative = Take(p, '-');
  if (negative || Take(p, '+'))
    PetscCall(Signed(p));
  else {
    PetscCall(Primary(p));
    if (!p->fault && Take(p, '^')) {
      PetscCall(Signed(p));
      PetscCall(EmitTwo(p, pow));
    }
  }
  if (negative) PetscCall(Emit(p, (Instruction){CALL_ONE, 0, 0.0, Negate, NULL}));
  p->brackets--;
  PetscFunctionReturn(0);
}

static PetscErrorCode Product(Parser *p)
{
  PetscFunctionBegin;
  PetscCall(Signed(p));
  while (!p->fault) {
    double (*two)(double, double) = Take(p, '*') ? Multiply : Take(p, '/') ? Divide : NULL;
    if (!two) break;
    PetscCall(Signed(p));
    PetscCall(EmitTwo(p, two));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Sum(Parser *p)
{
  PetscFunctionBegin;
  PetscCall(Product(p));
  while (!p->fault) {
    double (*two)(double, double) = Take(p, '+') ? Add : Take(p, '-') ? Subtract : NULL;
    if (!two) break;
    PetscCall(Product(p));
    PetscCall(EmitTwo(p, two));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Comparison(Parser *p)
{
  PetscFunctionBegin;
  PetscCall(Sum(p));
  if (p->fault) PetscFunctionReturn(0);
  while (isspace((unsigned char)*p->at)) p->at++;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(comparisons); c++) {
    const size_t length = strlen(comparisons[c].sign);
    if (strncmp(p->at, comparisons[c].sign, length)) continue;
    p->at += length;
    PetscCall(Sum(p));
    PetscCall(EmitTwo(p, comparisons[c].two));
    break;
  }
  PetscFunctionReturn(0);
}

/* ---- public ---------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftExpressionCreate(const char *key, const char *text, WeftExpression *expression)
{
  Parser p = {NULL, text, text, NULL, 0, 0};

  PetscFunctionBegin;
  PetscCall(PetscNew(&p.expression));
  PetscCall(Comparison(&p));
  while (isspace((unsigned char)*p.at)) p.at++;
  if (!p.fault && *p.at) p.fault = "an operator (+ - * / ^ < >) was expected here";
  if (p.fault) {
    PetscCall(WeftExpressionDestroy(&p.expression));
    return WeftFailKey(PETSC_COMM_WORLD, key, "place %d of '%s': %s", (int)(p.at - p.text) + 1, text, p.fault);
  }
  *expression = p.expression;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftExpressionDestroy(WeftExpression *expression)
{
  PetscFunctionBegin;
  if (*expression) PetscCall(PetscFree((*expression)->instruction));
  PetscCall(PetscFree(*expression));
  PetscFunctionReturn(0);
}

double WeftExpressionEvaluate(WeftExpression e, const double place[3])
{
  double   stack[STACK_ROOM + 1];
  PetscInt top = -1;

  for (PetscInt i = 0; i < e->count; i++) {
    const Instruction *c = &e->instruction[i];
    switch (c->code) {
    case PUSH:
      stack[++top] = c->value;
      break;
    case PLACE:
      stack[++top] = place[c->axis];
      break;
    case CALL_ONE:
      stack[top] = (*c->one)(stack[top]);
      break;
    case CALL_TWO:
      top--;
      stack[top] = (*c->two)(stack[top], stack[top + 1]);
      break;
    }
  }
  return stack[0];
}

PetscErrorCode WeftExpressionFill(WeftExpression e, WeftState state, PetscInt field)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscInt             lo[3], hi[3];

  PetscFunctionBegin;
  WeftLayoutOwned(l, info->location[field], lo, hi);
  for (PetscInt b = 0; b < info->batch; b++) {
    double *plane = WeftStatePlaneWrite(state, field, b);
    for (PetscInt k = lo[2]; k < hi[2]; k++) {
      for (PetscInt j = lo[1]; j < hi[1]; j++) {
        for (PetscInt i = lo[0]; i < hi[0]; i++) {
          double place[3];
          WeftPlace(l, info->location[field], i, j, k, place);
          plane[WeftLayoutIndex(l, i, j, k)] = WeftExpressionEvaluate(e, place);
        }
      }
    }
  }
  PetscFunctionReturn(0);
}
