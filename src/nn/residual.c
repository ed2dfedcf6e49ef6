/* The residual block: y = activation(conv(activation(conv(x))) + shortcut(x)). */
#include "nn/builder.h"

static PetscErrorCode Build(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  const PetscInt         in = WeftSpaceGetInfo(WeftBuilderSpace(b, *x))->channels, out = layer->outputs;
  WeftConvolutionOptions options = {layer->kernel, out, layer->activation, WeftBuilderEdges(b), PETSC_FALSE, 1}, projection = options;
  WeftValue              first, second, third, hidden, shortcut = *x;

  PetscFunctionBegin;
  PetscCall(WeftBuilderWeights(b, "residual.first", layer->kernel, in, out, &first));
  PetscCall(WeftBuilderWeights(b, "residual.second", layer->kernel, out, out, &second));
  PetscCall(WeftBuilderConvolution(b, &options, *x, first, -1, &hidden));
  if (in != out) {
    projection.kernel     = 1;
    projection.activation = WEFT_ACTIVATION_NONE;
    PetscCall(WeftBuilderWeights(b, "residual.shortcut", 1, in, out, &third));
    PetscCall(WeftBuilderConvolution(b, &projection, *x, third, -1, &shortcut));
  }
  options.residual = PETSC_TRUE;
  PetscCall(WeftBuilderConvolution(b, &options, hidden, second, shortcut, x));
  PetscFunctionReturn(0);
}
const WeftLayerKind WeftLayer_Residual = {
    .name = "residual", .words = "KERNEL OUTPUTS [ACTIVATION]", .build = Build, .activation = WEFT_ACTIVATION_RELU};
