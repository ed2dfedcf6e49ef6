/* A model with the net in its step, and the file of its weights. */
#include <string.h>
#include "train/hybrid.h"

PetscErrorCode WeftHybridCreate(WeftGrid grid, PetscInt batch, const WeftScales *scales, PetscBool solver_gradient, WeftHybrid *hybrid)
{
  const PetscReal  reynolds_scale = 1.0 / scales->reynolds;
  WeftSpace        state, features;
  PetscBool        set;

  PetscFunctionBegin;
  PetscCall(WeftNetGiven(&set));
  WeftCheck(set, PETSC_COMM_WORLD, "net_layers is missing: this verb needs a net; a case names one as  net: {layers: [residual 3 32, conv 1 2]}");
  PetscCall(WeftModelCreateStateSpace(grid, batch, &state));
  PetscCall(WeftModelFeatureSpace(grid, batch, &features));
  PetscCall(WeftNetCreateFromKeys(state, features, scales->mean, scales->velocity, &reynolds_scale, &hybrid->net, &hybrid->correction));
  PetscCall(WeftModelCreateFromKeys(grid, batch, hybrid->correction, solver_gradient, &hybrid->model));
  PetscCall(WeftSpaceDestroy(&state));
  PetscCall(WeftSpaceDestroy(&features));
  if (WeftModelInput(hybrid->model, "weights") < 0) return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "the net is nowhere in the step; add the step 'correct'");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftHybridDestroy(WeftHybrid *hybrid)
{
  PetscFunctionBegin;
  PetscCall(WeftModelDestroy(&hybrid->model));
  PetscCall(WeftOpDestroy(&hybrid->correction));
  PetscCall(WeftNetDestroy(&hybrid->net));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCheckWaves(WeftModel model, const WeftDataInfo *info)
{
  PetscBool there = PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < info->numbers; n++)
    if (!strcmp(info->number[n], "waves")) there = PETSC_TRUE;
  if (WeftModelInput(model, "waves") >= 0 && !there) return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "the step 'waves' needs a dataset that tells the draw of each simulation, as the number 'waves'; make it again with this step");
  PetscFunctionReturn(0);
}

static PetscInt ArrayCount(const WeftNetArray *array)
{
  PetscInt count = 1;
  for (PetscInt a = 0; a < array->rank; a++) count *= array->shape[a];
  return count;
}

/* In files an array has at most four axes: the taps of a 3D kernel are one. */
static void FileShape(const WeftNetArray *array, PetscInt *rank, PetscInt shape[4])
{
  const PetscInt fold = PetscMax(array->rank - 4, 0);

  *rank    = array->rank - fold;
  shape[0] = 1;
  for (PetscInt a = 0; a <= fold; a++) shape[0] *= array->shape[a];
  for (PetscInt a = 1; a < *rank; a++) shape[a] = array->shape[a + fold];
}

PetscErrorCode WeftWeightsSet(WeftArrays arrays, PetscInt fields, WeftNet net, const WeftScales *scales, const double weights[])
{
  const PetscInt      count = WeftSpaceGetInfo(WeftNetParameterSpace(net))->count, one = 1;
  const WeftNetArray *array;
  const WeftNetLayer *layer;
  PetscInt            n, role;
  char                text[4096] = "";

  PetscFunctionBegin;
  PetscCall(WeftGetEnum("net_role", &role));
  PetscCall(WeftArraysSet(arrays, "/weights", 1, &count, weights));
  PetscCall(WeftNetArrays(net, &n, &array));
  for (PetscInt i = 0; i < n; i++) {
    PetscInt rank, shape[4];
    char     name[96];
    FileShape(&array[i], &rank, shape);
    PetscCall(PetscSNPrintf(name, sizeof(name), "/parameters/%s", array[i].name));
    PetscCall(WeftArraysSet(arrays, name, rank, shape, weights + array[i].offset));
  }
  PetscCall(WeftArraysSet(arrays, "/scales/velocity", 1, &fields, scales->velocity));
  if (role == WEFT_NET_REACTION) PetscCall(WeftArraysSet(arrays, "/scales/mean", 1, &fields, scales->mean));
  PetscCall(WeftArraysSet(arrays, "/scales/reynolds", 1, &one, &scales->reynolds));
  PetscCall(WeftNetLayers(net, &n, &layer));
  for (PetscInt i = 0; i < n; i++) {
    if (i) PetscCall(PetscStrlcat(text, ", ", sizeof(text)));
    PetscCall(PetscStrlcat(text, layer[i].text, sizeof(text)));
  }
  PetscCall(WeftArraysSetString(arrays, "net_layers", text));
  PetscCall(WeftArraysSetString(arrays, "case", WeftCaseName()));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftWeightsGetScales(WeftArrays arrays, const char *path, PetscInt fields, WeftScales *scales)
{
  const double *velocity, *mean, *reynolds;
  PetscInt      count, means, one;

  PetscFunctionBegin;
  PetscCall(WeftArraysGet(arrays, "/scales/velocity", &count, &velocity));
  PetscCall(WeftArraysGet(arrays, "/scales/mean", &means, &mean));
  PetscCall(WeftArraysGet(arrays, "/scales/reynolds", &one, &reynolds));
  WeftCheck(velocity && reynolds, PETSC_COMM_WORLD, "%s holds no /scales: it is no file of weights; give one that 'weft train' wrote", path);
  WeftCheck(count == fields, PETSC_COMM_WORLD, "%s belongs to a case whose state has %" PetscInt_FMT " fields, this one has %" PetscInt_FMT, path, count, fields);
  PetscCall(PetscMemzero(scales, sizeof(*scales)));
  PetscCall(PetscArraycpy(scales->velocity, velocity, fields));
  if (mean && means == fields) PetscCall(PetscArraycpy(scales->mean, mean, fields));
  scales->reynolds = reynolds[0];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftWeightsGet(WeftArrays arrays, const char *path, WeftNet net, double weights[])
{
  const PetscInt      count = WeftSpaceGetInfo(WeftNetParameterSpace(net))->count;
  const WeftNetArray *array;
  const double       *values;
  const char         *layers;
  PetscInt            n, have;

  PetscFunctionBegin;
  PetscCall(WeftArraysGetString(arrays, "net_layers", &layers));
  PetscCall(WeftNetArrays(net, &n, &array));
  for (PetscInt i = 0; i < n; i++) {
    PetscInt  rank, shape[4], file_rank, file_shape[4];
    PetscBool same = PETSC_TRUE;
    char      name[96];
    FileShape(&array[i], &rank, shape);
    PetscCall(PetscSNPrintf(name, sizeof(name), "/parameters/%s", array[i].name));
    PetscCall(WeftArraysGetShape(arrays, name, &file_rank, file_shape));
    for (PetscInt a = 0; a < rank && file_rank == rank; a++) same = same && shape[a] == file_shape[a] ? PETSC_TRUE : PETSC_FALSE;
    WeftCheck(file_rank >= 0, PETSC_COMM_WORLD, "%s holds the weights of another net (%s): it has no array %s of %" PetscInt_FMT " values; set net_layers as that net has them, or give its own weights", path, layers ? layers : "layers unknown", array[i].name, ArrayCount(&array[i]));
    WeftCheck(file_rank == rank && same, PETSC_COMM_WORLD, "%s holds the weights of another net (%s): array %s has another shape than the net of this case; set net_layers as that net has them, or give its own weights", path, layers ? layers : "layers unknown", array[i].name);
  }
  PetscCall(WeftArraysGet(arrays, "/weights", &have, &values));
  WeftCheck(values && have == count, PETSC_COMM_WORLD, "%s holds %" PetscInt_FMT " weights, the net of this case has %" PetscInt_FMT, path, values ? have : 0, count);
  PetscCall(PetscArraycpy(weights, values, count));
  PetscFunctionReturn(0);
}
