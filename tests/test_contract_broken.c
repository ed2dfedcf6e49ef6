/* ctest: contract; ranks 1 2 4; timeout 60 */
/* The contract check finds what is broken: operators that each break one promise, and a right one that passes. */
#include <weft/op.h>
#include "support.h"

/* y = a x^2 + b (x one cell to the left), periodic; one promise is broken on purpose. */
typedef enum { RIGHT, WRONG_ADJOINT, WRONG_TANGENT, OVERWRITES, ADDS, NO_EXCHANGE, CHANGES_INPUT, UNDECLARED_NEED, KINDS } Kind;
static const char *const found_by[] = {"",        "dot product",  "Taylor",        "add to what is there",
                                       "not set", "did not fill", "changes input", "declare to need"};

typedef void (*Point)(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result);
static void ForPoints(WeftState x, WeftState v, WeftState result, Point point)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(v));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  for (PetscInt b = 0; b < info->batch; b++) {
    const double *px = WeftStatePlane(x, 0, b), *pv = WeftStatePlane(v, 0, b);
    double       *pr = WeftStatePlaneWrite(result, 0, b);
    for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) (*point)(l, WeftLayoutIndex(l, i, 0, 0), px, pv, pr);
  }
}

static void Value(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  (void)v;
  result[at] = x[at] * x[at] + 0.5 * x[at - 1];
}

static void Added(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  (void)v;
  result[at] += x[at] * x[at] + 0.5 * x[at - 1];
}

static void Tangent(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  result[at] = 2.0 * x[at] * v[at] + 0.5 * v[at - 1];
}

static void Adjoint(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  result[at] += 2.0 * x[at] * v[at] + 0.5 * v[at + 1];
}

/* Wrong by one part in a billion, in one cell of the box. */
static void AdjointWrong(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  result[at] += 2.0 * x[at] * v[at] * (at == WeftLayoutIndex(l, 0, 0, 0) ? 1.0 + 1e-9 : 1.0) + 0.5 * v[at + 1];
}

static void AdjointOverwrites(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  result[at] = 2.0 * x[at] * v[at] + 0.5 * v[at + 1];
}

/* Tangent and adjoint of another function: they agree with each other, and not with the values. */
static void TangentOther(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  result[at] = 2.0 * x[at] * v[at] + 0.5001 * v[at - 1];
}

static void AdjointOther(const WeftLayout *l, PetscInt at, const double *x, const double *v, double *result)
{
  (void)l;
  result[at] += 2.0 * x[at] * v[at] + 0.5001 * v[at + 1];
}

static PetscErrorCode BrokenApply(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record)
{
  const Kind kind = *(Kind *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)record;
  if (kind != NO_EXCHANGE) PetscCall(WeftStateHalo(x[0], 1, WEFT_GHOST_VALUE));
  ForPoints(x[0], x[0], y[0], kind == ADDS ? Added : Value);
  if (kind == CHANGES_INPUT) PetscCall(WeftStateAXPY(x[0], 1e-15, y[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode BrokenTangent(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record,
                                    const WeftState dx[], const WeftState dy[])
{
  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(WeftStateHalo(dx[0], 1, WEFT_GHOST_LINEAR));
  ForPoints(x[0], dx[0], dy[0], *(Kind *)WeftOpContext(op) == WRONG_TANGENT ? TangentOther : Tangent);
  PetscFunctionReturn(0);
}

static PetscErrorCode BrokenAdjoint(WeftOp op, const WeftState x[], const WeftState y[], WeftRecord record,
                                    const WeftState y_bar[], const WeftState x_bar[])
{
  const Kind kind = *(Kind *)WeftOpContext(op);

  PetscFunctionBegin;
  (void)y;
  (void)record;
  PetscCall(WeftStateHalo(y_bar[0], 1, WEFT_GHOST_ZERO));
  ForPoints(x[0], y_bar[0], x_bar[0],
            kind == WRONG_ADJOINT   ? AdjointWrong
            : kind == OVERWRITES    ? AdjointOverwrites
            : kind == WRONG_TANGENT ? AdjointOther
                                    : Adjoint);
  PetscFunctionReturn(0);
}

static PetscErrorCode BrokenDestroy(void *context)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(context));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  static const WeftOpMaps   maps     = {BrokenApply, BrokenTangent, BrokenAdjoint, BrokenDestroy, NULL};
  static const char *const  names[]  = {"u"};
  static const WeftLocation places[] = {WEFT_CELL};
  WeftGridOptions           options;
  WeftGrid                  grid;
  WeftSpace                 space;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&options));
  options.dim      = 1;
  options.cells[0] = 17;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &options, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 2, 1, names, places, &space));
  for (PetscInt kind = RIGHT; kind < KINDS; kind++) {
    const WeftOpCheckOptions check   = {.seed = 5, .assemble = PETSC_TRUE};
    WeftOpExample            example = {.amplitude = {1.0}};
    WeftOpReport             report;
    Kind                    *context;
    char                    *found;
    PetscCall(PetscNew(&context));
    *context = (Kind)kind;
    PetscCall(WeftOpCreate("broken", &maps, context, kind == UNDECLARED_NEED ? WEFT_NEEDS_NOTHING : WEFT_NEEDS_INPUTS, 1,
                           &space, 1, &space, &example.op));
    PetscCall(WeftOpCheck(&example, &check, &report));
    TestCheck(report.passed == (kind == RIGHT), "kind %" PetscInt_FMT ": the check %s: %s", kind,
              report.passed ? "passed" : "failed", report.message);
    PetscCall(PetscStrstr(report.message, found_by[kind], &found));
    TestCheck(found, "kind %" PetscInt_FMT " was found by another check: %s", kind, report.message);
    PetscCall(WeftOpDestroy(&example.op));
  }
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
