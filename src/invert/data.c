/* The data of observations: a reference run, the true state, a series of fields, a dataset; and their noise. */
#include "invert/observe.h"

#define FRAMES_MAX 256

/* Plays the case from the true states and numbers. */
static PetscErrorCode TakeReference(WeftInversion v)
{
  WeftState in[WEFT_OP_MAX], out[WEFT_OP_MAX];
  PetscInt  t = 0;

  PetscFunctionBegin;
  PetscCall(WeftStepStates(WeftModelStep(v->model), in, out));
  for (PetscInt i = 0; i < v->inputs; i++) PetscCall(WeftStateCopy(v->truth[i], in[i]));
  if (v->time[0] == 0) PetscCall(WeftObserveTake(v->observe, t++, in));
  for (PetscInt n = 1; n <= v->steps && t < v->times; n++) {
    PetscCall(WeftOpApply(WeftModelStep(v->model), in, out, NULL));
    for (PetscInt s = 0; s < v->states; s++) PetscCall(WeftStateCopy(out[s], in[s]));
    if (n == v->time[t]) PetscCall(WeftObserveTake(v->observe, t++, in));
  }
  PetscCall(WeftGridAgreeAll(PETSC_COMM_WORLD, v->grid));
  PetscCall(WeftStepStatesDestroy(WeftModelStep(v->model), in, out));
  PetscFunctionReturn(0);
}

/* Path of -observe_file, and one of its frames for each observed step. */
static PetscErrorCode ReadFrames(WeftInversion v, char path[PETSC_MAX_PATH_LEN], PetscInt frame[FRAMES_MAX])
{
  char     name[PETSC_MAX_PATH_LEN];
  PetscInt frames = FRAMES_MAX;

  PetscFunctionBegin;
  PetscCall(WeftGetString("observe_file", name, sizeof(name)));
  if (!name[0]) return WeftFailKey(PETSC_COMM_WORLD, "observe_from", "observe_file is missing; name an HDF5 file with the fields");
  PetscCall(WeftCasePath(name, path, PETSC_MAX_PATH_LEN));
  PetscCall(WeftGetIntList("observe_frames", frame, &frames));
  if (!frames && v->times == 1) frame[frames++] = -1;
  if (frames != v->times) return WeftFailKey(PETSC_COMM_WORLD, "observe_frames", "one frame for each of the %" PetscInt_FMT " observe_steps is needed, not %" PetscInt_FMT, v->times, frames);
  PetscFunctionReturn(0);
}

/* Frames of a series, the same for every simulation. */
static PetscErrorCode TakeFile(WeftInversion v, WeftState state[])
{
  char     path[PETSC_MAX_PATH_LEN];
  PetscInt frame[FRAMES_MAX];

  PetscFunctionBegin;
  PetscCall(ReadFrames(v, path, frame));
  for (PetscInt t = 0; t < v->times; t++) {
    for (PetscInt s = 0; s < v->states; s++)
      if (v->observes[s]) PetscCall(WeftFieldsRead(PETSC_COMM_WORLD, path, frame[t], state[s], -1));
    PetscCall(WeftObserveTake(v->observe, t, state));
  }
  PetscFunctionReturn(0);
}

/* Which simulation of the dataset is whose data: that of -observe_simulation for all, or each its own. */
static PetscErrorCode CheckDataset(WeftInversion v, const char *path, const WeftDataInfo *info, PetscInt frame[FRAMES_MAX], PetscInt *which)
{
  PetscFunctionBegin;
  PetscCall(WeftGetInt("observe_simulation", which));
  if (*which < -1 || *which >= info->simulations) return WeftFailKey(PETSC_COMM_WORLD, "observe_simulation", "%s has the simulations 0 to %" PetscInt_FMT, path, info->simulations - 1);
  if (*which < 0 && v->simulations > info->simulations) return WeftFailKey(PETSC_COMM_WORLD, "invert_simulations", "%s has %" PetscInt_FMT " simulations for the data of %" PetscInt_FMT "; say with observe_simulation which one all shall take", path, info->simulations, v->simulations);
  for (PetscInt t = 0; t < v->times; t++) {
    if (frame[t] < -1 || frame[t] >= info->frames) return WeftFailKey(PETSC_COMM_WORLD, "observe_frames", "%s has no frame %" PetscInt_FMT "; frames are 0 to %" PetscInt_FMT ", or -1 for the last", path, frame[t], info->frames - 1);
    if (frame[t] < 0) frame[t] = info->frames - 1;
  }
  PetscFunctionReturn(0);
}

/* Frames of simulations of a dataset. Replicas read side by side, equally often. */
static PetscErrorCode TakeDataset(WeftInversion v, WeftState state[])
{
  const PetscInt most = (v->simulations + v->info.replicas - 1) / v->info.replicas;
  char           path[PETSC_MAX_PATH_LEN];
  PetscInt       frame[FRAMES_MAX], which;
  WeftDataInfo   info;
  WeftDataFile   file[WEFT_OP_MAX] = {NULL};

  PetscFunctionBegin;
  PetscCall(ReadFrames(v, path, frame));
  for (PetscInt s = 0; s < v->states; s++) {
    if (!v->observes[s]) continue;
    PetscCall(WeftDataOpen(PETSC_COMM_WORLD, WeftStateSpace(state[s]), path, &info, &file[s]));
    PetscCall(CheckDataset(v, path, &info, frame, &which));
  }
  for (PetscInt t = 0; t < v->times; t++) {
    for (PetscInt b = 0; b < most; b++) {
      const PetscInt mine = PetscMax(PetscMin(b, v->count - 1), 0), simulation = which < 0 ? PetscMin(v->first + mine, v->simulations - 1) : which;
      for (PetscInt s = 0; s < v->states; s++)
        if (file[s]) PetscCall(WeftDataRead(file[s], simulation, frame[t], state[s], mine));
    }
    PetscCall(WeftObserveTake(v->observe, t, state));
  }
  for (PetscInt s = 0; s < v->states; s++)
    if (file[s]) PetscCall(WeftDataDestroy(&file[s]));
  PetscFunctionReturn(0);
}

/* Each place keeps the datum of one step, drawn by its number; the others are missing. */
static PetscErrorCode Scatter(WeftInversion v, const WeftPoints *p)
{
  const PetscInt64 behind_places = (PetscInt64)1 << 40; /* counters of -observe_seed that draw no place */
  PetscInt         seed;

  PetscFunctionBegin;
  PetscCall(WeftGetInt("observe_seed", &seed));
  for (PetscInt t = 0; t < v->times; t++)
    for (PetscInt b = 0; b < v->count; b++) {
      PetscInt count;
      double  *data;
      PetscCall(WeftObserveData(v->observe, t, b, &count, &data));
      for (PetscInt n = 0; n < p->points; n++)
        if (p->local[n] >= 0 && (PetscInt)((PetscReal)v->times * WeftRandomUniform(seed, WEFT_STREAM_INITIAL, behind_places + p->number[n] / p->fields)) != t) data[p->local[n]] = NAN;
    }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftObservationsTake(WeftInversion v, WeftDataSource source, const WeftPoints *p)
{
  WeftState state[WEFT_OP_MAX];

  PetscFunctionBegin;
  for (PetscInt s = 0; s < v->states; s++) PetscCall(WeftStateCreate(WeftStateSpace(v->input[s]), &state[s]));
  if (source == WEFT_DATA_REFERENCE) PetscCall(TakeReference(v));
  for (PetscInt t = 0; t < v->times && source == WEFT_DATA_STATE; t++) PetscCall(WeftObserveTake(v->observe, t, v->truth));
  if (source == WEFT_DATA_FILE) PetscCall(TakeFile(v, state));
  if (source == WEFT_DATA_DATASET) PetscCall(TakeDataset(v, state));
  for (PetscInt s = 0; s < v->states; s++) PetscCall(WeftStateDestroy(&state[s]));
  if (p->scattered) PetscCall(Scatter(v, p));
  PetscFunctionReturn(0);
}

/* Normal noise, keyed by the number of the value, its simulation and its time. */
PetscErrorCode WeftObservationsAddNoise(WeftInversion v, const WeftPoints *p)
{
  PetscReal size;
  PetscInt  seed;

  PetscFunctionBegin;
  PetscCall(WeftGetReal("observe_noise", &size));
  PetscCall(WeftGetInt("observe_seed", &seed));
  if (!(size >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "observe_noise", "a size of noise is not negative");
  if (size == 0.0) PetscFunctionReturn(0);
  for (PetscInt t = 0; t < v->times; t++)
    for (PetscInt b = 0; b < v->count; b++) {
      PetscInt count;
      double  *data;
      PetscCall(WeftObserveData(v->observe, t, b, &count, &data));
      for (PetscInt n = 0; n < p->points; n++)
        if (p->local[n] >= 0) data[p->local[n]] += size * WeftRandomNormal(seed, WEFT_STREAM_NOISE, (p->number[n] * v->times + t) * v->simulations + v->first + b);
    }
  PetscFunctionReturn(0);
}
