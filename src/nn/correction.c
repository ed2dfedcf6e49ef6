/* The correction that a net gives to a velocity: faces to features, the net, its channels added at the faces. */
#include "nn/impl.h"

static PetscErrorCode BuildProgram(WeftSpace velocity, WeftSpace numbers, WeftSpace parameters, WeftOp features, WeftOp net,
                                   WeftOp add, WeftOp *op)
{
  WeftProgram program;
  PetscInt    in[2], p, c, correction, corrected;

  PetscFunctionBegin;
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(velocity)->comm, &program));
  PetscCall(WeftProgramInput(program, "velocity", velocity, &in[0]));
  if (numbers) PetscCall(WeftProgramInput(program, "numbers", numbers, &in[1]));
  PetscCall(WeftProgramInput(program, "parameters", parameters, &p));
  PetscCall(WeftProgramCall(program, features, in, &c));
  PetscCall(WeftProgramCall(program, net, (PetscInt[]){c, p}, &correction));
  PetscCall(WeftProgramCall(program, add, (PetscInt[]){in[0], correction}, &corrected));
  PetscCall(WeftProgramOutput(program, corrected));
  PetscCall(WeftProgramFinish(&program, "correction", op));
  PetscCall(WeftOpSetPhase(*op, WEFT_PHASE_NET));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCorrectionCreate(WeftSpace velocity, WeftSpace numbers, const PetscReal scale[],
                                    const PetscReal number_scale[], const WeftNetOptions *options, WeftNet *net, WeftOp *op)
{
  const WeftSpaceInfo *info     = WeftSpaceGetInfo(velocity);
  const PetscInt       channels = info->fields + (numbers ? WeftSpaceGetInfo(numbers)->count : 0);
  PetscReal            inverse[WEFT_MAX_FIELDS];
  PetscInt             width;
  WeftSpace            space;
  WeftOp               features, add;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscCheck(scale[f] > 0.0, info->comm, PETSC_ERR_ARG_OUTOFRANGE, "scale %g of field %s; it must be positive",
               (double)scale[f], info->name[f]);
    inverse[f] = 1.0 / scale[f];
  }
  PetscCall(WeftNetWidth(info->comm, options, &width));
  PetscCall(WeftSpaceCreateChannels(info->grid, info->batch, channels, width, options->single, &space));
  PetscCall(WeftNetCreate(space, options, net));
  if (WeftSpaceGetInfo(WeftOpOutSpace(WeftNetOp(*net), 0))->channels != info->fields)
    return WeftFailKey(info->comm, "net_layers",
                       "line %" PetscInt_FMT " (%s) ends the net with %" PetscInt_FMT
                       " outputs; the velocity that it corrects has %" PetscInt_FMT " components",
                       options->layers, options->layer[options->layers - 1],
                       WeftSpaceGetInfo(WeftOpOutSpace(WeftNetOp(*net), 0))->channels, info->fields);
  PetscCall(WeftOpCreateFeatures(velocity, numbers, inverse, number_scale, space, &features));
  PetscCall(WeftOpCreateAddChannels(velocity, WeftOpOutSpace(WeftNetOp(*net), 0), scale, &add));
  PetscCall(BuildProgram(velocity, numbers, WeftNetParameterSpace(*net), features, WeftNetOp(*net), add, op));
  PetscCall(WeftOpDestroy(&features));
  PetscCall(WeftOpDestroy(&add));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Correction(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const PetscReal scale[] = {0.5, 2.0, 1.5}, number_scale[] = {0.3};
  char                   last[16], first[]                         = "residual 3 4 tanh";
  char                  *lines[2] = {first, last};
  const WeftNetOptions   options  = {2, lines, variant ? WEFT_GHOST_COPY : WEFT_GHOST_ZERO, 1.0, PETSC_FALSE};
  WeftSpace              velocity, numbers;
  WeftNet                net;
  WeftOp                 op;

  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(last, sizeof(last), "conv 1 %" PetscInt_FMT, WeftGridLayout(grid)->dim));
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftSpaceCreateNumbers(WeftSpaceGetInfo(velocity)->comm, batch, 1, PETSC_TRUE, &numbers));
  PetscCall(WeftCorrectionCreate(velocity, numbers, scale, number_scale, &options, &net, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->amplitude[2] = 0.1; /* weights: the tanh is not saturated */
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscCall(WeftSpaceDestroy(&numbers));
  PetscFunctionReturn(0);
}
