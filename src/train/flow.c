/* What the verbs that play a flow share: states of a step, initial states, a picture. */
#include "train/flow.h"

PetscErrorCode WeftStepStates(WeftOp step, WeftState in[], WeftState out[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(step); i++) PetscCall(WeftStateCreate(WeftOpInSpace(step, i), &in[i]));
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) PetscCall(WeftStateCreate(WeftOpOutSpace(step, i), &out[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftStepStatesDestroy(WeftOp step, WeftState in[], WeftState out[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < WeftOpInputs(step); i++) PetscCall(WeftStateDestroy(&in[i]));
  for (PetscInt i = 0; i < WeftOpOutputs(step); i++) PetscCall(WeftStateDestroy(&out[i]));
  PetscFunctionReturn(0);
}

/* The states of a file that <prefix>_file and <prefix>_frame name. */
static PetscErrorCode ReadStates(WeftModel model, const char *prefix, const WeftState states[])
{
  char     path[PETSC_MAX_PATH_LEN], key[64];
  PetscInt frame;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(key, sizeof(key), "%s_frame", prefix));
  PetscCall(WeftGetInt(key, &frame));
  PetscCall(PetscSNPrintf(key, sizeof(key), "%s_file", prefix));
  PetscCall(WeftGetString(key, path, sizeof(path)));
  PetscCall(PetscSNPrintf(key, sizeof(key), "%s_type", prefix));
  if (!path[0]) return WeftFailKey(PETSC_COMM_WORLD, key, "%s_file is missing; name an HDF5 file with the fields", prefix);
  for (PetscInt s = 0; s < WeftModelStates(model); s++) PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, path, frame, states[s], -1));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftInitialStates(WeftModel model, const WeftState inputs[])
{
  PetscInt type;

  PetscFunctionBegin;
  PetscCall(WeftModelInitial(model, inputs));
  PetscCall(WeftGetEnum("initial_type", &type));
  if (type == WEFT_INITIAL_FILE) PetscCall(ReadStates(model, "initial", inputs));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTrueStates(WeftModel model, const WeftState states[])
{
  PetscInt type;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("truth_type", &type));
  if (!type) PetscCall(WeftInitialStates(model, states)); /* "initial" comes first among the choices, then those of initial_type */
  else PetscCall(WeftModelInitialStates(model, (WeftInitial)(type - 1), "truth", states));
  if (type - 1 == WEFT_INITIAL_FILE) PetscCall(ReadStates(model, "truth", states));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSolveSummary(WeftModel model, WeftSummary summary)
{
  WeftImplicitReport r;

  PetscFunctionBegin;
  if (!WeftModelImplicit(model)) PetscFunctionReturn(0);
  PetscCall(WeftImplicitGetReport(WeftModelImplicit(model), &r));
  PetscCall(WeftSummaryInt(summary, "solve/forward", r.solves));
  PetscCall(WeftSummaryInt(summary, "solve/newton", r.newton));
  PetscCall(WeftSummaryInt(summary, "solve/krylov", r.krylov));
  PetscCall(WeftSummaryInt(summary, "solve/matrices", r.assemblies));
  PetscCall(WeftLog("%d forward solves: %d Newton, %d Krylov iterations; %d matrices", (int)r.solves, (int)r.newton, (int)r.krylov, (int)r.assemblies));
  if (!r.adjoint_solves) PetscFunctionReturn(0);
  PetscCall(WeftSummaryInt(summary, "solve/adjoint", r.adjoint_solves));
  PetscCall(WeftSummaryInt(summary, "solve/adjoint_krylov", r.adjoint_krylov));
  PetscCall(WeftSummaryReal(summary, "solve/adjoint_residual", r.adjoint_residual));
  PetscCall(WeftLog("%d adjoint solves: %d Krylov iterations, largest true residual %.2g", (int)r.adjoint_solves, (int)r.adjoint_krylov, (double)r.adjoint_residual));
  PetscFunctionReturn(0);
}

/* ---- picture --------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftFlowAtCells(WeftState velocity, PetscInt sample, double *component[3])
{
  static const char *const  names[]     = {"x", "y", "z"};
  static const WeftLocation locations[] = {WEFT_CELL, WEFT_CELL, WEFT_CELL};
  const WeftSpaceInfo      *info        = WeftSpaceGetInfo(WeftStateSpace(velocity));
  const PetscInt            dim         = WeftGridLayout(info->grid)->dim;
  WeftSpace                 cells       = WeftStateSpace(velocity);
  WeftState                 value;
  WeftOp                    op;

  PetscFunctionBegin;
  if (info->location[0] == WEFT_CELL) {
    PetscInt shape[3];
    for (PetscInt f = 0; f < info->fields; f++) PetscCall(WeftStateGather(velocity, f, sample, shape, &component[f]));
    PetscFunctionReturn(0);
  }
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, dim, names, locations, &cells));
  PetscCall(WeftOpCreateFacesToCells(WeftStateSpace(velocity), cells, &op));
  PetscCall(WeftStateCreate(cells, &value));
  PetscCall(WeftOpApply(op, &velocity, &value, NULL));
  for (PetscInt a = 0; a < dim; a++) {
    PetscInt shape[3];
    PetscCall(WeftStateGather(value, a, sample, shape, &component[a]));
  }
  PetscCall(WeftStateDestroy(&value));
  PetscCall(WeftOpDestroy(&op));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscFunctionReturn(0);
}

/* Difference along an axis: central, one-sided at the ends. */
static double Slope(const double *f, PetscInt i, PetscInt n, PetscInt stride, double h)
{
  const PetscInt below = PetscMax(i - 1, 0), above = PetscMin(i + 1, n - 1);
  return n < 2 ? 0.0 : (f[(above - i) * stride] - f[(below - i) * stride]) / (h * (double)(above - below));
}

PetscErrorCode WeftFlowVorticity(WeftState velocity, PetscInt sample, double **speed, double **vorticity)
{
  const WeftLayout *l  = WeftGridLayout(WeftSpaceGetInfo(WeftStateSpace(velocity))->grid);
  const PetscInt    nx = l->cells[0], ny = l->cells[1], at = (l->cells[2] / 2) * nx * ny;
  double           *u[3] = {NULL, NULL, NULL};

  PetscFunctionBegin;
  PetscCall(WeftFlowAtCells(velocity, sample, u));
  PetscCall(PetscMalloc1(nx * ny, vorticity));
  if (speed) PetscCall(PetscMalloc1(nx * ny, speed));
  for (PetscInt j = 0; j < ny; j++) {
    for (PetscInt i = 0; i < nx; i++) {
      const PetscInt c   = at + i + nx * j;
      double         sum = 0.0;
      for (PetscInt a = 0; a < l->dim; a++) sum += u[a][c] * u[a][c];
      if (speed) (*speed)[i + nx * j] = sqrt(sum);
      (*vorticity)[i + nx * j] = l->dim > 1 ? Slope(u[1] + c, i, nx, 1, l->h[0]) - Slope(u[0] + c, j, ny, nx, l->h[1]) : 0.0;
    }
  }
  for (PetscInt a = 0; a < 3; a++) PetscCall(PetscFree(u[a]));
  PetscFunctionReturn(0);
}

/* Every field of a state at cells: panels of the middle layer, in one dimension lines. */
static PetscErrorCode FieldsPicture(const char *path, WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  const PetscInt       nx = l->cells[0], ny = l->cells[1], at = (l->cells[2] / 2) * nx * ny;
  double              *value[3] = {NULL, NULL, NULL}, *x;
  WeftPanel            panel[3];
  WeftLine             line[3];

  PetscFunctionBegin;
  PetscCall(WeftFlowAtCells(state, 0, value));
  PetscCall(PetscMalloc1(nx, &x));
  for (PetscInt i = 0; i < nx; i++) x[i] = l->lower[0] + l->h[0] * ((double)i + 0.5);
  for (PetscInt f = 0; f < info->fields; f++) {
    panel[f] = (WeftPanel){info->name[f], ny, nx, value[f] + at, 0.0, 0.0, PETSC_FALSE};
    line[f]  = (WeftLine){info->name[f], nx, x, value[f]};
  }
  if (l->dim > 1) PetscCall(WeftPictureWrite(path, info->fields, panel, info->fields, PetscMax(1, 512 / PetscMax(nx, ny))));
  else PetscCall(WeftPlotWrite(path, "", "x", "", PETSC_FALSE, info->fields, line));
  PetscCall(PetscFree(x));
  for (PetscInt f = 0; f < info->fields; f++) PetscCall(PetscFree(value[f]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFlowPicture(const char *path, WeftModel model, const WeftState states[])
{
  const WeftLayout *l  = WeftGridLayout(WeftSpaceGetInfo(WeftModelStateSpace(model, 0))->grid);
  const PetscInt    nx = l->cells[0], ny = l->cells[1];
  double           *speed, *vorticity, largest = 0.0;
  WeftPanel         panel[2];

  PetscFunctionBegin;
  if (!WeftModelIsFlow(model)) PetscFunctionReturn(FieldsPicture(path, states[0]));
  PetscCall(WeftFlowVorticity(states[0], 0, &speed, &vorticity));
  for (PetscInt c = 0; c < nx * ny; c++) largest = PetscMax(largest, fabs(vorticity[c]));
  panel[0] = (WeftPanel){"speed", ny, nx, speed, 0.0, 0.0, PETSC_FALSE};
  panel[1] = (WeftPanel){"vorticity", ny, nx, vorticity, -0.5 * largest, 0.5 * largest, PETSC_TRUE};
  PetscCall(WeftPictureWrite(path, l->dim > 1 ? 2 : 1, panel, 2, PetscMax(1, 512 / PetscMax(nx, ny))));
  PetscCall(PetscFree(speed));
  PetscCall(PetscFree(vorticity));
  PetscFunctionReturn(0);
}
