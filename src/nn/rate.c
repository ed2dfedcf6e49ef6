/* A net as the rates of fields, each place by itself if its layers have kernel 1: from fields c to
     rate scale net((c - mean) / scale)
   The program: shift, features, net, its channels added to nothing. */
#include "nn/impl.h"

typedef struct {
  WeftOp shift, features, net, nothing, add;
} Parts;

static PetscErrorCode BuildProgram(WeftSpace fields, WeftSpace parameters, const Parts *p, WeftOp *op)
{
  WeftProgram program;
  PetscInt    in[2], shifted, channels, values, zero, out;

  PetscFunctionBegin;
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(fields)->comm, &program));
  PetscCall(WeftProgramInput(program, "fields", fields, &in[0]));
  PetscCall(WeftProgramInput(program, "parameters", parameters, &in[1]));
  PetscCall(WeftProgramCall(program, p->shift, &in[0], &shifted));
  PetscCall(WeftProgramCall(program, p->features, &shifted, &channels));
  PetscCall(WeftProgramCall(program, p->net, (PetscInt[]){channels, in[1]}, &values));
  PetscCall(WeftProgramCall(program, p->nothing, &in[0], &zero));
  PetscCall(WeftProgramCall(program, p->add, (PetscInt[]){zero, values}, &out));
  PetscCall(WeftProgramOutput(program, out));
  PetscCall(WeftProgramFinish(&program, "rate", op));
  PetscCall(WeftOpSetPhase(*op, WEFT_PHASE_NET));
  PetscFunctionReturn(0);
}

/* (c - mean) / scale */
static PetscErrorCode CreateShift(WeftSpace fields, const PetscReal mean[], const PetscReal scale[], WeftOp *op)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(fields);
  const PetscInt       plane = WeftGridLayout(info->grid)->plane;
  WeftSpace            one;
  WeftState            factor, offset;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreatePlanes(info->grid, 1, info->fields, (const char *const *)info->name, info->location, &one));
  PetscCall(WeftStateCreate(one, &factor));
  PetscCall(WeftStateCreate(one, &offset));
  for (PetscInt f = 0; f < info->fields; f++) {
    double *by = WeftStatePlaneWrite(factor, f, 0), *from = WeftStatePlaneWrite(offset, f, 0);
    PetscCheck(scale[f] > 0.0, info->comm, PETSC_ERR_ARG_OUTOFRANGE, "scale %g of field %s; it must be positive", (double)scale[f], info->name[f]);
    for (PetscInt i = 0; i < plane; i++) {
      by[i]   = 1.0 / scale[f];
      from[i] = mean ? -mean[f] / scale[f] : 0.0;
    }
  }
  PetscCall(WeftOpCreateAffine(fields, factor, offset, op));
  PetscCall(WeftStateDestroy(&factor));
  PetscCall(WeftStateDestroy(&offset));
  PetscCall(WeftSpaceDestroy(&one));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftRateCreate(WeftSpace fields, const PetscReal mean[], const PetscReal scale[], PetscReal rate, const WeftNetOptions *options, WeftNet *net, WeftOp *op)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(fields);
  const PetscReal      zero = 0.0;
  PetscReal            one[WEFT_MAX_FIELDS], back[WEFT_MAX_FIELDS];
  PetscInt             width;
  WeftSpace            features;
  Parts                p;

  PetscFunctionBegin;
  for (PetscInt f = 0; f < info->fields; f++) {
    one[f]  = 1.0;
    back[f] = rate * scale[f];
  }
  PetscCall(WeftNetWidth(info->comm, options, &width));
  PetscCall(WeftSpaceCreateChannels(info->grid, info->batch, info->fields, width, options->single, &features));
  PetscCall(WeftNetCreate(features, options, net));
  p.net = WeftNetOp(*net);
  if (WeftSpaceGetInfo(WeftOpOutSpace(p.net, 0))->channels != info->fields)
    return WeftFailKey(info->comm, "net_layers", "line %" PetscInt_FMT " (%s) ends the net with %" PetscInt_FMT " outputs; it gives the rates of %" PetscInt_FMT " fields", options->layers, options->layer[options->layers - 1], WeftSpaceGetInfo(WeftOpOutSpace(p.net, 0))->channels, info->fields);
  PetscCall(CreateShift(fields, mean, scale, &p.shift));
  PetscCall(WeftOpCreateFeatures(fields, NULL, one, NULL, features, &p.features));
  PetscCall(WeftOpCreateSum(fields, 1, &zero, &p.nothing));
  PetscCall(WeftOpCreateAddChannels(fields, WeftOpOutSpace(p.net, 0), back, &p.add));
  PetscCall(BuildProgram(fields, WeftNetParameterSpace(*net), &p, op));
  PetscCall(WeftOpDestroy(&p.shift));
  PetscCall(WeftOpDestroy(&p.features));
  PetscCall(WeftOpDestroy(&p.nothing));
  PetscCall(WeftOpDestroy(&p.add));
  PetscCall(WeftSpaceDestroy(&features));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_Rate(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  static const PetscReal mean[2] = {0.1, -0.2}, scale[2] = {0.5, 2.0};
  char                  *layers[] = {(char *)"dense 4 tanh", (char *)"dense 2"};
  const WeftNetOptions   options  = {2, layers, WEFT_GHOST_ZERO, 1.0, PETSC_FALSE};
  WeftSpace              space;
  WeftNet                net;
  WeftOp                 op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftOpExampleCells(grid, batch, 2, &space));
  PetscCall(WeftRateCreate(space, mean, scale, 0.3, &options, &net, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->amplitude[1] = 0.3; /* weights: the tanh is not saturated */
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&space));
  PetscFunctionReturn(0);
}
