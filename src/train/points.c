/* Points, what a dense net makes of them, and their share of the loss. */
#include <string.h>
#include "base/kernel.h"
#include "train/points.h"

enum { U, U_X, U_T, U_XX, FIELDS };

static PetscErrorCode Fill(WeftState state, PetscInt field, const double values[])
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(state))->grid);

  PetscFunctionBegin;
  memcpy(WeftStatePlaneWrite(state, field, 0) + WeftLayoutIndex(l, l->start[0], 0, 0), values + l->start[0], sizeof(double) * (size_t)l->count[0]);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPointsCreate(PetscInt layers, const PetscInt width[], PetscInt n, const double x[], const double t[], const double data[],
                                WeftPoints *p)
{
  static const WeftDerivative fields[FIELDS] = {{0, -1, -1}, {0, 0, -1}, {0, 1, -1}, {0, 0, 0}};
  static const char *const    names[FIELDS]  = {"u", "u_x", "u_t", "u_xx"}, *const inputs[] = {"x", "t"};
  WeftGridOptions             line;
  WeftGrid                    grid;
  WeftState                   place;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(p, sizeof(*p)));
  PetscCall(WeftGridOptionsDefault(&line));
  line.dim      = 1;
  line.halo     = 1;
  line.cells[0] = n;
  p->n          = n;
  PetscCall(WeftGridCreate(PETSC_COMM_WORLD, &line, &grid));
  PetscCall(WeftSpaceCreatePlanes(grid, 1, 2, inputs, (WeftLocation[]){WEFT_CELL, WEFT_CELL}, &p->inputs));
  PetscCall(WeftStateCreate(p->inputs, &place));
  PetscCall(Fill(place, 0, x));
  PetscCall(Fill(place, 1, t));
  PetscCall(WeftOpCreateDense(place, layers, width, data ? 1 : FIELDS, fields, names, &p->net));
  PetscCall(WeftStateDestroy(&place));
  PetscCall(WeftStateCreate(WeftOpOutSpace(p->net, 0), &p->value));
  PetscCall(WeftStateCreate(WeftOpOutSpace(p->net, 0), &p->bar));
  if (data) {
    PetscCall(WeftStateCreate(WeftOpOutSpace(p->net, 0), &p->data));
    PetscCall(Fill(p->data, 0, data));
  }
  PetscCall(WeftGridDestroy(&grid));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPointsDestroy(WeftPoints *p)
{
  PetscFunctionBegin;
  PetscCall(WeftStateDestroy(&p->value));
  PetscCall(WeftStateDestroy(&p->bar));
  PetscCall(WeftStateDestroy(&p->data));
  PetscCall(WeftOpDestroy(&p->net));
  PetscCall(WeftSpaceDestroy(&p->inputs));
  PetscFunctionReturn(0);
}

/* Sum of (u - d)^2 / total; bar: its slope. */
static double DataLoss(PetscInt n, double total, const double *u, const double *d, double *bar)
{
  double sum = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    sum += (u[i] - d[i]) * (u[i] - d[i]) / total;
    bar[i] = 2.0 * (u[i] - d[i]) / total;
  }
  return sum;
}

/* Sum of r^2 / total, r = u_t + u u_x - nu u_xx. */
static double ResidualLoss(PetscInt n, double total, double nu, double *const value[FIELDS], double *const bar[FIELDS])
{
  double sum = 0.0;
  for (PetscInt i = 0; i < n; i++) {
    const double r = value[U_T][i] + value[U][i] * value[U_X][i] - nu * value[U_XX][i], slope = 2.0 * r / total;
    sum += r * r / total;
    bar[U][i]    = slope * value[U_X][i];
    bar[U_X][i]  = slope * value[U][i];
    bar[U_T][i]  = slope;
    bar[U_XX][i] = -slope * nu;
  }
  return sum;
}

PetscErrorCode WeftPointsLoss(WeftPoints *p, PetscReal viscosity, WeftState parameters, PetscReal *loss, WeftState gradient)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftOpOutSpace(p->net, 0));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const PetscInt       at   = WeftLayoutIndex(l, l->start[0], 0, 0);
  double              *value[FIELDS], *bar[FIELDS];

  PetscFunctionBegin;
  PetscCall(WeftOpApply(p->net, &parameters, &p->value, NULL));
  for (PetscInt f = 0; f < info->fields; f++) {
    value[f] = (double *)WeftStatePlane(p->value, f, 0) + at;
    bar[f]   = WeftStatePlaneWrite(p->bar, f, 0) + at;
  }
  if (p->data) *loss = DataLoss(l->count[0], (double)p->n, value[U], WeftStatePlane(p->data, 0, 0) + at, bar[U]);
  else *loss = ResidualLoss(l->count[0], (double)p->n, viscosity, value, bar);
  if (gradient) PetscCall(WeftOpAdjoint(p->net, &parameters, &p->value, NULL, &p->bar, &gradient));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPointsEvaluate(WeftPoints *p, WeftState parameters, double u[])
{
  const WeftLayout *l = WeftGridLayout(WeftSpaceGetInfo(p->inputs)->grid);

  PetscFunctionBegin;
  PetscCall(WeftOpApply(p->net, &parameters, &p->value, NULL));
  PetscCall(PetscArrayzero(u, p->n));
  memcpy(u + l->start[0], WeftStatePlane(p->value, 0, 0) + WeftLayoutIndex(l, l->start[0], 0, 0), sizeof(double) * (size_t)l->count[0]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, u, (PetscMPIInt)p->n, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}
