/* The numbers of a step: viscosity and Reynolds number, diffusivity, buoyancy, inflow. */
#include <math.h>
#include "model/impl.h"

PetscErrorCode WeftModelViscosity(PetscReal reynolds, PetscReal *viscosity)
{
  PetscReal speed, length;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("model_speed", &speed));
  PetscCall(WeftGetReal("model_length", &length));
  WeftCheck(reynolds > 0.0, PETSC_COMM_WORLD, "a Reynolds number must be positive, not %g", (double)reynolds);
  *viscosity = speed * length / reynolds;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelFeature(PetscReal reynolds, PetscReal *feature)
{
  PetscInt kind;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("model_feature", &kind));
  *feature = kind == 1 ? log(1.0 + reynolds / 100.0) : kind == 2 ? reynolds / (reynolds + 300.0) : reynolds;
  PetscFunctionReturn(0);
}

/* Explicit diffusion: every coefficient of an Euler step's stencil stays positive while dt nu sum of 2 / h^2 is at most 1; Runge-Kutta
   is stable up to 2.78 / 2. */
PetscErrorCode WeftModelCheckDiffusion(WeftModel m, const char *what, PetscReal viscosity)
{
  const WeftLayout *l    = WeftGridLayout(m->grid);
  PetscReal         rate = 0.0, most = WeftModelIsFlow(m) ? 1.0 : 1.39;
  MPI_Comm          comm;

  PetscFunctionBegin;
  PetscCall(WeftGridGetComm(m->grid, &comm));
  WeftCheck(viscosity >= 0.0, comm, "a %s of %g is negative", what, (double)viscosity);
  for (PetscInt a = 0; a < l->dim; a++) rate += 2.0 * viscosity / (l->h[a] * l->h[a]);
  if (!m->options.implicit_diffusion && m->options.dt * rate > most)
    return WeftFailKey(comm, "model_dt",
                       "explicit diffusion with a %s of %g is unstable on this grid; the largest time step is %g (or %s)",
                       what, (double)viscosity, (double)(most / rate), WeftModelIsFlow(m) ? "model_diffusion implicit" : "an implicit model_scheme");
  PetscFunctionReturn(0);
}

static double *Number(WeftModel m, const WeftState inputs[], const char *name, PetscInt sample)
{
  const PetscInt at = WeftModelInput(m, name);
  if (at < 0) return NULL;
  return (double *)WeftStateDataWrite(inputs[at]) + sample * WeftSpaceGetInfo(WeftStateSpace(inputs[at]))->count;
}

PetscErrorCode WeftModelSetNumbers(WeftModel m, const WeftState inputs[], PetscInt sample, PetscInt count,
                                   const char (*names)[32], const PetscReal values[])
{
  double   *viscosity = Number(m, inputs, "viscosity", sample), *features = Number(m, inputs, "features", sample);
  PetscReal given = -1.0, reynolds = -1.0;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < count; n++) {
    if (!strcmp(names[n], "viscosity"))
      given = values[n];
    else if (!strcmp(names[n], "reynolds"))
      reynolds = values[n];
    else if (!strcmp(names[n], "waves"))
      PetscCall(WeftModelDrawWaves(m, inputs, sample, (PetscInt)values[n]));
  }
  if (given < 0.0 && reynolds > 0.0) PetscCall(WeftModelViscosity(reynolds, &given));
  if (features) {
    WeftCheck(reynolds > 0.0, WeftSpaceGetInfo(WeftStateSpace(inputs[0]))->comm,
              "the dataset has no number 'reynolds', which the correction is told");
    PetscCall(WeftModelFeature(reynolds, features));
  }
  if (viscosity) {
    WeftCheck(given >= 0.0, WeftSpaceGetInfo(WeftStateSpace(inputs[0]))->comm,
              "the dataset has neither a number 'viscosity' nor 'reynolds', and the step diffuses velocity");
    *viscosity = given / m->options.viscosity_ratio;
    PetscCall(WeftModelCheckDiffusion(m, "viscosity", *viscosity));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelPerSample(WeftModel m, const char *key, PetscInt width, PetscReal values[], PetscBool *set)
{
  const PetscInt samples = m->options.samples ? m->options.samples : m->batch;
  PetscReal     *all;
  PetscInt       count = samples * width;

  PetscFunctionBegin;
  PetscCall(WeftHasKey(key, set));
  if (!*set) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(count, &all));
  PetscCall(WeftGetRealList(key, all, &count));
  if (count != width && count != samples * width)
    return WeftFailKey(PETSC_COMM_WORLD, key, "needs %" PetscInt_FMT " value%s, or %" PetscInt_FMT ", %" PetscInt_FMT " per sample", width, width > 1 ? "s" : "", samples * width, width);
  for (PetscInt b = 0; b < m->batch; b++) {
    const PetscInt sample = count == width ? 0 : PetscMin(m->options.first_sample + b, samples - 1); /* a replica without samples has one */
    PetscCall(PetscArraycpy(values + b * width, all + sample * width, width));
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelSetNumbersFromKeys(WeftModel m, const WeftState inputs[])
{
  static const char names[][32] = {"viscosity", "reynolds"};
  PetscReal        *viscosity, *reynolds, speed, length;
  PetscBool         has_viscosity, has_reynolds;

  PetscFunctionBegin;
  if (WeftModelInput(m, "viscosity") < 0 && WeftModelInput(m, "features") < 0) PetscFunctionReturn(0);
  PetscCall(PetscMalloc2(m->batch, &viscosity, m->batch, &reynolds));
  PetscCall(WeftModelPerSample(m, "model_viscosity", 1, viscosity, &has_viscosity));
  PetscCall(WeftModelPerSample(m, "model_reynolds", 1, reynolds, &has_reynolds));
  if (has_viscosity && has_reynolds)
    return WeftFailKey(PETSC_COMM_WORLD, "model_reynolds", "model_viscosity is given too; say one of them");
  WeftCheck(has_viscosity || has_reynolds, PETSC_COMM_WORLD,
            "model_viscosity or model_reynolds is missing; the steps of model_steps read one of them");
  PetscCall(WeftGetReal("model_speed", &speed));
  PetscCall(WeftGetReal("model_length", &length));
  for (PetscInt b = 0; b < m->batch; b++) {
    PetscReal values[2];
    if (has_reynolds)
      PetscCall(WeftModelViscosity(reynolds[b], &viscosity[b]));
    else
      reynolds[b] = viscosity[b] > 0.0 ? speed * length / viscosity[b] : PETSC_MAX_REAL;
    values[0] = viscosity[b];
    values[1] = reynolds[b];
    PetscCall(WeftModelSetNumbers(m, inputs, b, 2, names, values));
  }
  PetscCall(PetscFree2(viscosity, reynolds));
  PetscFunctionReturn(0);
}

/* Centre of the round inflow, and the conductivity. */
static PetscErrorCode SetFields(WeftModel m, const WeftState inputs[])
{
  const PetscInt centre = WeftModelInput(m, "inflow_centre"), conductivity = WeftModelInput(m, "conductivity");
  WeftExpression expression[3];
  PetscReal      largest;
  PetscBool      set;

  PetscFunctionBegin;
  if (centre >= 0) PetscCall(WeftModelPerSample(m, "inflow_centre", WeftGridLayout(m->grid)->dim, (PetscReal *)WeftStateDataWrite(inputs[centre]), &set));
  if (conductivity < 0) PetscFunctionReturn(0);
  PetscCall(WeftExpressionsFromKey("model_conductivity", 1, expression, &set));
  PetscCall(WeftExpressionFill(expression[0], inputs[conductivity], 0));
  PetscCall(WeftExpressionsDestroy(expression));
  PetscCall(WeftStateNorm(inputs[conductivity], NORM_INFINITY, &largest));
  PetscCall(WeftModelCheckDiffusion(m, "conductivity", largest));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelSmokeNumbers(WeftModel m, const WeftState inputs[])
{
  const PetscInt dim = WeftGridLayout(m->grid)->dim;
  PetscReal      diffusivity, rate, buoyancy[3];
  PetscInt       count = 3;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("model_diffusivity", &diffusivity));
  PetscCall(WeftGetReal("inflow_rate", &rate));
  PetscCall(WeftGetRealList("model_buoyancy", buoyancy, &count));
  if (Number(m, inputs, "diffusivity", 0)) PetscCall(WeftModelCheckDiffusion(m, "diffusivity", diffusivity));
  if (Number(m, inputs, "buoyancy", 0) && count != dim)
    return WeftFailKey(PETSC_COMM_WORLD, "model_buoyancy", "needs %" PetscInt_FMT " components", dim);
  for (PetscInt b = 0; b < m->batch; b++) {
    double *d = Number(m, inputs, "diffusivity", b), *i = Number(m, inputs, "inflow", b), *f = Number(m, inputs, "buoyancy", b);
    if (d) *d = diffusivity;
    if (i) *i = rate * m->options.dt;
    if (f) PetscCall(PetscArraycpy(f, buoyancy, dim));
  }
  PetscCall(SetFields(m, inputs));
  PetscFunctionReturn(0);
}
