/* Initial states from the case file. */
#include "model/impl.h"

/* An expression per component; fields whose key is not set stay zero. */
static PetscErrorCode FromExpressions(const char *key, WeftState state)
{
  const PetscInt fields = WeftSpaceGetInfo(WeftStateSpace(state))->fields;
  WeftExpression expression[3];
  PetscBool      set;

  PetscFunctionBegin;
  PetscCall(WeftExpressionsFromKey(key, fields, expression, &set));
  for (PetscInt f = 0; f < fields && set; f++) PetscCall(WeftExpressionFill(expression[f], state, f));
  PetscCall(WeftExpressionsDestroy(expression));
  PetscFunctionReturn(0);
}

/* state += expressions: what random fields vary about. */
static PetscErrorCode AddExpressions(const char *key, WeftState state)
{
  WeftState about;

  PetscFunctionBegin;
  PetscCall(WeftStateCreate(WeftStateSpace(state), &about));
  PetscCall(FromExpressions(key, about));
  PetscCall(WeftStateAXPY(state, 1.0, about));
  PetscCall(WeftStateDestroy(&about));
  PetscFunctionReturn(0);
}

/* One vortex per box length (Taylor, Green 1937): u = sin X cos Y cos Z, v = -cos X sin Y cos Z, w = 0 with X = 2 pi (x - lower)
   / length; without Z in two dimensions, where it decays as exp(-2 nu k^2 t). The amplitude of v keeps it free of divergence
   in boxes that are not square. */
static void TaylorGreen(WeftState state)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(state));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  double               k[3];

  for (PetscInt a = 0; a < 3; a++) k[a] = a < l->dim ? 2.0 * PETSC_PI / (l->cells[a] * l->h[a]) : 0.0;
  for (PetscInt f = 0; f < 2 && f < l->dim; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt b = 0; b < info->batch; b++) {
      double *plane = WeftStatePlaneWrite(state, f, b);
      for (PetscInt n = lo[2]; n < hi[2]; n++) {
        for (PetscInt j = lo[1]; j < hi[1]; j++) {
          for (PetscInt i = lo[0]; i < hi[0]; i++) {
            double place[3], z;
            WeftPlace(l, info->location[f], i, j, n, place);
            for (PetscInt a = 0; a < l->dim; a++) place[a] = k[a] * (place[a] - l->lower[a]);
            z = l->dim > 2 ? cos(place[2]) : 1.0;
            plane[WeftLayoutIndex(l, i, j, n)] =
                f == 0 ? sin(place[0]) * cos(place[1]) * z : -k[0] / k[1] * cos(place[0]) * sin(place[1]) * z;
          }
        }
      }
    }
  }
}

PetscErrorCode WeftModelInitialStates(WeftModel m, WeftInitial type, const char *prefix, const WeftState states[])
{
  char     key[64];
  PetscInt seed;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < WeftModelStates(m); s++) PetscCall(WeftStateZero(states[s]));
  if (m->options.equation == WEFT_EQUATION_DARCY) PetscFunctionReturn(0); /* steady: no state comes before */
  if (type == WEFT_INITIAL_TAYLOR_GREEN) {
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s_type", prefix));
    if (WeftGridLayout(m->grid)->dim < 2 || !WeftModelIsFlow(m)) return WeftFailKey(PETSC_COMM_WORLD, key, "Taylor-Green vortices are for a flow in two or three dimensions");
    TaylorGreen(states[0]);
  }
  PetscCall(PetscSNPrintf(key, sizeof(key), "%s_%s", prefix, WeftModelInputName(m, 0)));
  if (type == WEFT_INITIAL_EXPRESSION) PetscCall(FromExpressions(key, states[0]));
  PetscCall(PetscSNPrintf(key, sizeof(key), "%s_seed", prefix));
  PetscCall(WeftGetInt(key, &seed));
  for (PetscInt s = 0; s < WeftModelStates(m) && type == WEFT_INITIAL_RANDOM; s++) {
    PetscCall(WeftRandomInitial(states[s], 3 * s, seed, m->options.first_sample));
    PetscCall(PetscSNPrintf(key, sizeof(key), "%s_%s", prefix, WeftModelInputName(m, s)));
    if (!WeftModelIsFlow(m)) PetscCall(AddExpressions(key, states[s]));
  }
  PetscCall(PetscSNPrintf(key, sizeof(key), "%s_smoke", prefix));
  if (type != WEFT_INITIAL_FILE && type != WEFT_INITIAL_RANDOM && m->smoke) PetscCall(FromExpressions(key, states[1]));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelInitial(WeftModel m, const WeftState inputs[])
{
  PetscInt type;

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("initial_type", &type));
  PetscCall(WeftModelInitialStates(m, (WeftInitial)type, "initial", inputs));
  if (WeftModelIsFlow(m)) PetscCall(WeftModelSmokeNumbers(m, inputs));
  else PetscCall(WeftModelEquationInputs(m, inputs));
  for (PetscInt b = 0; b < m->batch; b++) PetscCall(WeftModelDrawWaves(m, inputs, b, m->options.first_sample + b));
  PetscCall(WeftModelSetTime(m, inputs, -1, 0.0));
  PetscFunctionReturn(0);
}
