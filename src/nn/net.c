/* Nets: programs of layers with one flat parameter vector. */
#include "nn/builder.h"

PetscErrorCode WeftNetWidth(MPI_Comm comm, const WeftNetOptions *options, PetscInt *width)
{
  WeftLayer *layer;

  PetscFunctionBegin;
  PetscCall(WeftLayersParse(comm, options, &layer));
  *width = WeftLayersWidth(options->layers, layer);
  PetscCall(PetscFree(layer));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetCreate(WeftSpace features, const WeftNetOptions *options, WeftNet *net)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(features);
  PetscErrorCode       ierr;
  WeftLayer           *layer;

  PetscFunctionBegin;
  PetscCheck(info->single == options->single, info->comm, PETSC_ERR_ARG_INCOMP,
             "the features have another precision than the net");
  PetscCall(WeftLayersParse(info->comm, options, &layer));
  PetscCall(PetscNew(net));
  ierr = WeftNetBuild(*net, features, options, layer);
  PetscCall(PetscFree(layer));
  if (ierr) PetscCall(WeftNetDestroy(net));
  PetscFunctionReturn(ierr);
}

PetscErrorCode WeftNetDestroy(WeftNet *net)
{
  WeftNet n = *net;

  PetscFunctionBegin;
  *net = NULL;
  if (!n) PetscFunctionReturn(0);
  for (PetscInt a = 0; a < n->averages; a++) PetscCall(WeftOpDestroy(&n->average[a].op));
  PetscCall(PetscFree(n->average));
  PetscCall(WeftOpDestroy(&n->op));
  PetscCall(WeftSpaceDestroy(&n->parameters));
  PetscCall(PetscFree(n->array));
  PetscCall(PetscFree(n->start));
  PetscCall(PetscFree(n->bound));
  PetscCall(PetscFree(n->layer));
  PetscCall(PetscFree(n));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetArrays(WeftNet net, PetscInt *count, const WeftNetArray **arrays)
{
  PetscFunctionBegin;
  *count  = net->arrays;
  *arrays = net->array;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetInitialise(WeftNet net, PetscInt64 seed, WeftState parameters)
{
  double *values = (double *)WeftStateDataWrite(parameters);

  PetscFunctionBegin;
  for (PetscInt a = 0; a < net->arrays; a++) {
    const PetscInt end = a + 1 < net->arrays ? net->array[a + 1].offset : net->count;
    for (PetscInt i = net->array[a].offset; i < end; i++)
      values[i] = net->start[a] + net->bound[a] * (2.0 * WeftRandomUniform(seed, WEFT_STREAM_WEIGHTS, i) - 1.0);
  }
  PetscFunctionReturn(0);
}

PetscBool WeftNetAverages(WeftNet net)
{
  return net->averages ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode WeftNetSetTraining(WeftNet net, MPI_Comm batch)
{
  PetscFunctionBegin;
  for (PetscInt a = 0; a < net->averages; a++) PetscCall((*net->average[a].averaging->train)(net->average[a].op, batch));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetFollow(WeftNet net, MPI_Comm replicas, double parameters[])
{
  PetscFunctionBegin;
  for (PetscInt a = 0; a < net->averages; a++)
    PetscCall((*net->average[a].averaging->follow)(net->average[a].op, replicas, parameters + net->average[a].offset));
  PetscFunctionReturn(0);
}

WeftOp WeftNetOp(WeftNet net)
{
  return net->op;
}
WeftSpace WeftNetParameterSpace(WeftNet net)
{
  return net->parameters;
}

PetscErrorCode WeftNetFlops(WeftNet net, PetscReal *flops_per_cell)
{
  PetscFunctionBegin;
  *flops_per_cell = net->flops;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetReceptiveField(WeftNet net, PetscInt *cells)
{
  PetscFunctionBegin;
  *cells = net->receptive_field;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftNetLayers(WeftNet net, PetscInt *count, const WeftNetLayer **layers)
{
  PetscFunctionBegin;
  *count  = net->layers;
  *layers = net->layer;
  PetscFunctionReturn(0);
}
