/* The travelling sines of the step `waves`: each simulation's own, drawn from waves_seed and its number alone. */
#include "model/impl.h"

PetscErrorCode WeftModelWaves(PetscInt *count)
{
  PetscFunctionBegin;
  PetscCall(WeftGetInt("waves_count", count));
  if (*count < 1 || *count > 1000) return WeftFailKey(PETSC_COMM_WORLD, "waves_count", "use 1 to 1000 waves");
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelDrawWaves(WeftModel m, const WeftState inputs[], PetscInt sample, PetscInt number)
{
  const PetscInt at = WeftModelInput(m, "waves");
  PetscInt       count, seed, range[2], ends = 2;
  PetscReal      amplitude, frequency;
  double        *wave;

  PetscFunctionBegin;
  if (at < 0) PetscFunctionReturn(0);
  PetscCall(WeftModelWaves(&count));
  PetscCall(WeftGetReal("waves_amplitude", &amplitude));
  PetscCall(WeftGetReal("waves_frequency", &frequency));
  PetscCall(WeftGetInt("waves_seed", &seed));
  PetscCall(WeftGetIntList("waves_numbers", range, &ends));
  if (ends != 2 || range[0] < 0 || range[1] < range[0]) return WeftFailKey(PETSC_COMM_WORLD, "waves_numbers", "give the fewest and the most waves along the box, as 3, 6");
  wave = (double *)WeftStateDataWrite(inputs[at]) + WEFT_WAVE_NUMBERS * sample * count;
  for (PetscInt w = 0; w < count; w++, wave += WEFT_WAVE_NUMBERS) {
    const PetscInt64 draw     = WEFT_WAVE_NUMBERS * ((PetscInt64)number * count + w);
    wave[WEFT_WAVE_AMPLITUDE] = amplitude * (2.0 * WeftRandomUniform(seed, WEFT_STREAM_WAVES, draw) - 1.0);
    wave[WEFT_WAVE_NUMBER]    = (double)range[0] + floor(WeftRandomUniform(seed, WEFT_STREAM_WAVES, draw + 1) * (double)(range[1] - range[0] + 1));
    wave[WEFT_WAVE_FREQUENCY] = frequency * (2.0 * WeftRandomUniform(seed, WEFT_STREAM_WAVES, draw + 2) - 1.0);
    wave[WEFT_WAVE_PHASE]     = 2.0 * PETSC_PI * WeftRandomUniform(seed, WEFT_STREAM_WAVES, draw + 3);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelSetTime(WeftModel m, const WeftState inputs[], PetscInt sample, PetscReal time)
{
  const PetscInt at = WeftModelInput(m, "time");

  PetscFunctionBegin;
  if (at < 0) PetscFunctionReturn(0);
  for (PetscInt b = PetscMax(sample, 0); b < (sample < 0 ? m->batch : sample + 1); b++) ((double *)WeftStateDataWrite(inputs[at]))[b] = time;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftModelCheckSteady(WeftModel m, const char *what)
{
  PetscFunctionBegin;
  if (WeftModelInput(m, "time") >= 0) return WeftFailKey(PETSC_COMM_WORLD, "model_steps", "%s plays the same step all along, and 'waves' changes with time; leave it out", what);
  PetscFunctionReturn(0);
}
