/* The model's keys. */
#include "model/impl.h"

PetscErrorCode WeftModelOptionsFromKeys(WeftModelOptions *options)
{
  PetscInt  equation, scheme, scaling, refine, diffusion;
  PetscBool set, listed;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(options, sizeof(*options)));
  PetscCall(WeftGetEnum("model_equation", &equation));
  PetscCall(WeftGetEnum("model_scheme", &scheme));
  options->equation = (WeftEquation)equation;
  options->scheme   = (WeftScheme)scheme;
  PetscCall(WeftHasKey("model_steps", &listed));
  if (listed && equation != WEFT_EQUATION_FLOW) return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "a list of operators is for model_equation flow; the step of %s is its scheme", WeftEquations[equation]);
  PetscCall(WeftHasKey("model_dt", &set));
  WeftCheck(set || equation == WEFT_EQUATION_DARCY, PETSC_COMM_WORLD, "model_dt is missing; a case needs a time step, for example  model: {dt: 1.0}");
  options->dt = 1.0;
  if (set) PetscCall(WeftGetReal("model_dt", &options->dt));
  if (!(options->dt > 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "model_dt", "a time step must be positive");
  PetscCall(WeftGetStringList("model_steps", &options->step, &options->steps));
  if (!options->steps)
    return WeftFailKey(PETSC_COMM_WORLD, "model_steps",
                       "the list is empty; a time step needs at least one operator, for example [advect velocity, project]");
  PetscCall(WeftGetEnum("model_advect_velocity", &scheme));
  options->convect         = scheme > WEFT_ADVECT_MACCORMACK ? PETSC_TRUE : PETSC_FALSE;
  options->advect_velocity = options->convect ? WEFT_ADVECT_SEMI_LAGRANGIAN : (WeftAdvectScheme)scheme;
  PetscCall(WeftGetEnum("model_advect_smoke", &scheme));
  options->advect_smoke = (WeftAdvectScheme)scheme;
  PetscCall(WeftGetEnum("model_diffusion", &diffusion));
  options->implicit_diffusion = equation == WEFT_EQUATION_FLOW ? diffusion != 0 : options->scheme != WEFT_SCHEME_RUNGE_KUTTA4;
  PetscCall(WeftGetEnum("model_viscosity_scaling", &scaling));
  PetscCall(WeftGetInt("dataset_refine", &refine));
  options->viscosity_ratio = scaling ? (PetscReal)(refine * refine) : 1.0;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelOptionsDestroy(WeftModelOptions *options)
{
  PetscFunctionBegin;
  PetscCall(WeftFreeStringList(&options->step, options->steps));
  options->steps = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftExpressionsFromKey(const char *key, PetscInt components, WeftExpression expression[3], PetscBool *set)
{
  char   **text;
  PetscInt count;

  PetscFunctionBegin;
  for (PetscInt c = 0; c < 3; c++) expression[c] = NULL;
  PetscCall(WeftHasKey(key, set));
  if (!*set) PetscFunctionReturn(0);
  PetscCall(WeftGetStringList(key, &text, &count));
  if (count != components)
    return WeftFailKey(PETSC_COMM_WORLD, key, "needs %" PetscInt_FMT " expression%s, not %" PetscInt_FMT, components,
                       components > 1 ? "s, one per axis" : "", count);
  for (PetscInt c = 0; c < components; c++) PetscCall(WeftExpressionCreate(key, text[c], &expression[c]));
  PetscCall(WeftFreeStringList(&text, count));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftExpressionsDestroy(WeftExpression expression[3])
{
  PetscFunctionBegin;
  for (PetscInt c = 0; c < 3; c++) PetscCall(WeftExpressionDestroy(&expression[c]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelCreateFromKeys(WeftGrid grid, PetscInt batch, WeftOp correction, PetscBool solver_gradient, WeftModel *model)
{
  WeftModelOptions options;
  PetscInt         role;

  PetscFunctionBegin;
  PetscCall(WeftModelOptionsFromKeys(&options));
  PetscCall(WeftGetEnum("net_role", &role)); /* its third choice is a reaction */
  if (correction && (role == 2) != (options.equation == WEFT_EQUATION_REACTION_DIFFUSION))
    return WeftFailKey(PETSC_COMM_WORLD, "net_role", "%s has no place for this net; set net_role reaction with model_equation reaction_diffusion, correction or pressure with flow", WeftEquations[options.equation]);
  PetscCall(WeftModelCreate(grid, batch, &options, correction, solver_gradient, model));
  PetscCall(WeftModelOptionsDestroy(&options));
  PetscFunctionReturn(0);
}
