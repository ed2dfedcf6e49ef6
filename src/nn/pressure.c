/* A net in place of the pressure solve: from the divergence of a velocity to a pressure,
     y = u - grad p,  p = h net(h div u)
   The program: divergence, features, net, back to a cell field (added to the divergence, which is then taken off), gradient. */
#include "nn/impl.h"

typedef struct {
  WeftOp divergence, features, net, add, difference, gradient, subtract;
} Parts;

static PetscErrorCode BuildProgram(WeftSpace velocity, WeftSpace parameters, const Parts *p, WeftOp *op)
{
  WeftProgram program;
  PetscInt    u, weights, d, c, f, sum, pressure, gradient, y;

  PetscFunctionBegin;
  PetscCall(WeftProgramCreate(WeftSpaceGetInfo(velocity)->comm, &program));
  PetscCall(WeftProgramInput(program, "velocity", velocity, &u));
  PetscCall(WeftProgramInput(program, "parameters", parameters, &weights));
  PetscCall(WeftProgramCall(program, p->divergence, &u, &d));
  PetscCall(WeftProgramCall(program, p->features, &d, &c));
  PetscCall(WeftProgramCall(program, p->net, (PetscInt[]){c, weights}, &f));
  PetscCall(WeftProgramCall(program, p->add, (PetscInt[]){d, f}, &sum));
  PetscCall(WeftProgramCall(program, p->difference, (PetscInt[]){sum, d}, &pressure));
  PetscCall(WeftProgramCall(program, p->gradient, &pressure, &gradient));
  PetscCall(WeftProgramCall(program, p->subtract, (PetscInt[]){u, gradient}, &y));
  PetscCall(WeftProgramOutput(program, y));
  PetscCall(WeftProgramFinish(&program, "correction", op));
  PetscCall(WeftOpSetPhase(*op, WEFT_PHASE_NET));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPressureNetCreate(WeftSpace velocity, const WeftNetOptions *options, WeftNet *net, WeftOp *op)
{
  static const PetscReal minus[2] = {1.0, -1.0};
  const WeftSpaceInfo   *info     = WeftSpaceGetInfo(velocity);
  const PetscReal        h        = WeftGridLayout(info->grid)->h[0];
  PetscInt               width;
  WeftSpace              cells, features;
  Parts                  p;

  PetscFunctionBegin;
  PetscCall(WeftNetWidth(info->comm, options, &width));
  PetscCall(WeftSpaceCreatePlanes(info->grid, info->batch, 1, (const char *[]){"pressure"}, (WeftLocation[]){WEFT_CELL}, &cells));
  PetscCall(WeftSpaceCreateChannels(info->grid, info->batch, 1, width, options->single, &features));
  PetscCall(WeftNetCreate(features, options, net));
  p.net = WeftNetOp(*net);
  if (WeftSpaceGetInfo(WeftOpOutSpace(p.net, 0))->channels != 1)
    return WeftFailKey(info->comm, "net_layers", "line %" PetscInt_FMT " (%s) ends the net with %" PetscInt_FMT " outputs; a pressure is 1",
                       options->layers, options->layer[options->layers - 1], WeftSpaceGetInfo(WeftOpOutSpace(p.net, 0))->channels);
  PetscCall(WeftOpCreateDivergence(velocity, cells, &p.divergence));
  PetscCall(WeftOpCreateFeatures(cells, NULL, &h, NULL, features, &p.features));
  PetscCall(WeftOpCreateAddChannels(cells, WeftOpOutSpace(p.net, 0), &h, &p.add));
  PetscCall(WeftOpCreateSum(cells, 2, minus, &p.difference));
  PetscCall(WeftOpCreateGradient(cells, velocity, &p.gradient));
  PetscCall(WeftOpCreateSum(velocity, 2, minus, &p.subtract));
  PetscCall(BuildProgram(velocity, WeftNetParameterSpace(*net), &p, op));
  PetscCall(WeftOpDestroy(&p.divergence));
  PetscCall(WeftOpDestroy(&p.features));
  PetscCall(WeftOpDestroy(&p.add));
  PetscCall(WeftOpDestroy(&p.difference));
  PetscCall(WeftOpDestroy(&p.gradient));
  PetscCall(WeftOpDestroy(&p.subtract));
  PetscCall(WeftSpaceDestroy(&cells));
  PetscCall(WeftSpaceDestroy(&features));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftOpExample_PressureNet(WeftGrid grid, PetscInt batch, PetscInt variant, WeftOpExample *example)
{
  char                *lines[] = {(char *)"conv 3 3 tanh", (char *)"conv 1 1"};
  const WeftNetOptions options = {2, lines, WEFT_GHOST_ZERO, 1.0, PETSC_FALSE};
  WeftSpace            velocity;
  WeftNet              net;
  WeftOp               op;

  PetscFunctionBegin;
  (void)variant;
  PetscCall(WeftSpaceCreateVelocity(grid, batch, &velocity));
  PetscCall(WeftPressureNetCreate(velocity, &options, &net, &op));
  PetscCall(WeftOpExampleFill(op, example));
  example->amplitude[1] = 0.1; /* weights: the tanh is not saturated */
  PetscCall(WeftNetDestroy(&net));
  PetscCall(WeftSpaceDestroy(&velocity));
  PetscFunctionReturn(0);
}
