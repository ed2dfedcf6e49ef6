/* ctest: unit; ranks 1 2 4; timeout 60 */
/* Dense nets at points: derivatives by the inputs against differences of values, the gradient of a loss of derivatives against
   differences of the loss, values with the bits of one rank, gradients of one rank to 1e-11. */
#include <math.h>
#include "train/points.h"
#include "support.h"

#define N 150 /* points: blocks that are not full on every rank count */
static const PetscInt width[] = {2, 48, 50, 1}; /* a wide layer between narrow ones */
enum { LAYERS = 3, U = 0, U_X, U_T, U_XX };

static void MakePoints(double x[], double t[])
{
  for (PetscInt i = 0; i < N; i++) {
    x[i] = 2.0 * WeftRandomUniform(3, WEFT_STREAM_TEST, 2 * i) - 1.0;
    t[i] = WeftRandomUniform(3, WEFT_STREAM_TEST, 2 * i + 1);
  }
}

/* u at points moved by h along x and t. */
static PetscErrorCode Shifted(WeftState parameters, double hx, double ht, double u[])
{
  double     x[N], t[N];
  WeftPoints p;

  PetscFunctionBegin;
  MakePoints(x, t);
  for (PetscInt i = 0; i < N; i++) x[i] += hx, t[i] += ht;
  PetscCall(WeftPointsCreate(LAYERS, width, N, x, t, x, &p));
  PetscCall(WeftPointsEvaluate(&p, parameters, u));
  PetscCall(WeftPointsDestroy(&p));
  PetscFunctionReturn(0);
}

/* Central differences of order 2: with h = 1e-4 they are off by 1e-8 (first) and round-off over h^2 (second). */
static PetscErrorCode CheckDerivatives(WeftPoints *p, WeftState parameters)
{
  const PetscReal   h = 1e-4;
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(p->inputs)->grid);
  double            middle[N], right[N], left[N], later[N], before[N], whole[N];

  PetscFunctionBegin;
  PetscCall(WeftPointsEvaluate(p, parameters, whole));
  PetscCall(Shifted(parameters, 0.0, 0.0, middle));
  PetscCall(Shifted(parameters, h, 0.0, right));
  PetscCall(Shifted(parameters, -h, 0.0, left));
  PetscCall(Shifted(parameters, 0.0, h, later));
  PetscCall(Shifted(parameters, 0.0, -h, before));
  for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++) {
    const PetscInt at = WeftLayoutIndex(l, i, 0, 0);
    TestCheck(whole[i] == middle[i], "point %d: the value depends on what else is asked for", (int)i);
    PetscCall(TestClose(WeftStatePlane(p->value, U_X, 0)[at], (right[i] - left[i]) / (2.0 * h), 1e-6, "u_x"));
    PetscCall(TestClose(WeftStatePlane(p->value, U_T, 0)[at], (later[i] - before[i]) / (2.0 * h), 1e-6, "u_t"));
    PetscCall(TestClose(WeftStatePlane(p->value, U_XX, 0)[at], (right[i] - 2.0 * middle[i] + left[i]) / (h * h), 1e-5, "u_xx"));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Loss(WeftPoints set[2], WeftState parameters, WeftState gradient, PetscReal *loss)
{
  PetscFunctionBegin;
  *loss = 0.0;
  for (PetscInt s = 0; s < 2; s++) {
    PetscReal part;
    PetscCall(WeftPointsLoss(&set[s], 0.1, parameters, &part, gradient));
    *loss += part;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, loss, 1, MPIU_REAL, MPI_SUM, PETSC_COMM_WORLD));
  if (gradient)
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, WeftStateDataWrite(gradient), (PetscMPIInt)WeftDenseParameters(LAYERS, width), MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* Each parameter by central differences: h^2 = 1e-10 and round-off over h = 1e-11, of terms of order 1. */
static PetscErrorCode CheckGradient(WeftPoints set[2], WeftState parameters)
{
  const PetscReal h = 1e-5;
  WeftState       gradient;
  PetscReal       loss, up, down;
  double         *w;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(WeftStateSpace(parameters), &gradient));
  PetscCall(Loss(set, parameters, gradient, &loss));
  for (PetscInt i = 0; i < WeftDenseParameters(LAYERS, width); i += 37) {
    w = (double *)WeftStateDataWrite(parameters);
    w[i] += h;
    PetscCall(Loss(set, parameters, NULL, &up));
    w[i] -= 2.0 * h;
    PetscCall(Loss(set, parameters, NULL, &down));
    w[i] += h;
    PetscCall(TestClose(((const double *)WeftStateData(gradient))[i], (up - down) / (2.0 * h), 2e-8, "gradient of a weight"));
  }
  PetscCall(WeftStateDestroy(&gradient));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  double     x[N], t[N], u[N];
  WeftPoints set[2];
  WeftState  parameters;

  PetscFunctionBegin;
  TestCheck(WeftDenseParameters(9, (const PetscInt[]){2, 20, 20, 20, 20, 20, 20, 20, 20, 1}) == 3021, "the published net has another number of parameters");
  MakePoints(x, t);
  for (PetscInt i = 0; i < N; i++) u[i] = sin(3.0 * x[i]);
  PetscCall(WeftPointsCreate(LAYERS, width, N, x, t, u, &set[0]));
  PetscCall(WeftPointsCreate(LAYERS, width, N, x, t, NULL, &set[1]));
  PetscCall(WeftStateCreate(WeftOpInSpace(set[0].net, 0), &parameters));
  PetscCall(WeftDenseInitialise(LAYERS, width, 1.0, 5, (double *)WeftStateDataWrite(parameters)));
  PetscCall(CheckDerivatives(&set[1], parameters));
  PetscCall(CheckGradient(set, parameters));
  for (PetscInt s = 0; s < 2; s++) PetscCall(WeftPointsDestroy(&set[s]));
  PetscCall(WeftStateDestroy(&parameters));
  PetscFunctionReturn(0);
}

WEFT_TEST_MAIN(Test)
