/* ctest: unit; ranks 1 2; timeout 30 */
/* Expressions: values against C, precedence, faults that name the place, filling of staggered fields. */
#include <math.h>
#include <weft/model.h>
#include "support.h"

static PetscErrorCode Value(const char *text, double expected)
{
  const double   place[3] = {1.5, -2.0, 0.25};
  WeftExpression e;

  PetscFunctionBegin;
  PetscCall(WeftExpressionCreate("force", text, &e));
  PetscCall(TestClose(WeftExpressionEvaluate(e, place), expected, 1e-15 * fabs(expected), text));
  PetscCall(WeftExpressionDestroy(&e));
  PetscFunctionReturn(0);
}

static PetscErrorCode Values(void)
{
  const double x = 1.5, y = -2.0, z = 0.25;

  PetscFunctionBegin;
  PetscCall(Value("1 + 2 * 3", 7.0));
  PetscCall(Value("10 - 4 - 3", 3.0));
  PetscCall(Value("16 / 4 / 2", 2.0));
  PetscCall(Value("2 ^ 3 ^ 2", 512.0));
  PetscCall(Value("-3 ^ 2", -9.0));
  PetscCall(Value("2 ^ -1", 0.5));
  PetscCall(Value("--2", 2.0));
  PetscCall(Value("(1 + 2) * 3", 9.0));
  PetscCall(Value("1e-3 + .5", 0.501));
  PetscCall(Value("sin(pi * x) * cos(y) - tan(z)", sin(PETSC_PI * x) * cos(y) - tan(z)));
  PetscCall(Value("exp(x) + log(x) + sqrt(x) + abs(y) + tanh(z)", exp(x) + log(x) + sqrt(x) + fabs(y) + tanh(z)));
  PetscCall(Value("min(x, max(y, z))", z));
  PetscCall(Value("(x > 1) * (x < 2) * (y <= -2) + (z >= 1) + (z == 0.25) + (x != 1.5)", 2.0));
  PetscCall(Value("step(x) + step(y) + step(0)", 1.0));
  PetscCall(Value("1 < 2 + 3", 1.0));
  PetscFunctionReturn(0);
}

/* A mistake is told (to stderr) and returned, not computed. */
static PetscErrorCode Faults(void)
{
  const char *const texts[]   = {"",    "1 +",   "(1", "1)",   "foo(1)", "sin 1", "min(1)", "min(1, 2, 3)",
                                 "x y", "1 = 2", "w",  "1..2", "^2"};
  char              deep[400] = "";

  PetscFunctionBegin;
  for (int i = 0; i < 100; i++) strcat(deep, "(");
  strcat(deep, "1");
  for (int i = 0; i < 100; i++) strcat(deep, ")");
  for (size_t i = 0; i <= PETSC_STATIC_ARRAY_LENGTH(texts); i++) {
    const char    *text = i < PETSC_STATIC_ARRAY_LENGTH(texts) ? texts[i] : deep;
    WeftExpression e    = NULL;
    PetscCheck(WeftExpressionCreate("force", text, &e) == WEFT_ERR_USER, PETSC_COMM_SELF, PETSC_ERR_PLIB,
               "'%s' was taken for an expression", text);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Fill(void)
{
  WeftGridOptions box;
  WeftExpression  e;
  WeftGrid        grid;
  WeftSpace       space;
  WeftState       state;

  PetscFunctionBegin;
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.cells[0] = 12;
  box.cells[1] = 10;
  box.upper[0] = 6.0;
  box.upper[1] = 20.0;
  box.halo     = 2;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &box, &grid));
  PetscCall(WeftSpaceCreateVelocity(grid, 2, &space));
  PetscCall(WeftStateCreate(space, &state));
  PetscCall(WeftExpressionCreate("force", "x + 100 * y", &e));
  for (PetscInt f = 0; f < 2; f++) {
    const WeftLayout *l = WeftGridLayout(grid);
    PetscInt          lo[3], hi[3];
    PetscCall(WeftExpressionFill(e, state, f));
    WeftLayoutOwned(l, (WeftLocation)f, lo, hi);
    for (PetscInt j = lo[1]; j < hi[1]; j++)
      for (PetscInt i = lo[0]; i < hi[0]; i++) {
        const double x = 0.5 * (i + (f == 0 ? 0.0 : 0.5)), y = 2.0 * (j + (f == 1 ? 0.0 : 0.5));
        PetscCall(TestClose(WeftStatePlane(state, f, 1)[WeftLayoutIndex(l, i, j, 0)], x + 100 * y, 1e-11, "filled value"));
      }
  }
  PetscCall(WeftExpressionDestroy(&e));
  PetscCall(WeftStateDestroy(&state));
  PetscCall(WeftSpaceDestroy(&space));
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Values());
  PetscCall(Faults());
  PetscCall(Fill());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
