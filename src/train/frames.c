/* Frames of a dataset: the first ones in memory, those beyond the budget on a node-local disk, fetched by its helper thread. */
#include <string.h>
#include "tape/disk.h"
#include "train/frames.h"

struct _n_WeftFrames {
  WeftGrid  grid;
  PetscInt  frames, values, resident, buffers;
  PetscBool single;
  size_t    bytes; /* of a frame */
  char     *value; /* [resident][values] */
  double   *wide;  /* a frame of float32 that was asked for */
  WeftDisk  disk;  /* of the others; NULL: there are none */
  char      folder[PETSC_MAX_PATH_LEN];
};

static PetscErrorCode Spill(WeftFrames f)
{
  PetscInt got = 0;
  int      error = 0;

  PetscFunctionBegin;
  PetscCall(WeftGetString("train_disk", f->folder, sizeof(f->folder)));
  if (f->resident < f->frames) PetscCall(WeftDiskCreate(f->folder, f->frames - f->resident, f->bytes, f->buffers, &got, &error, &f->disk));
  PetscCall(WeftAgree(PETSC_COMM_WORLD, got < f->frames - f->resident ? PETSC_TRUE : PETSC_FALSE, "train_disk: folder %s has room for %" PetscInt_FMT " of the %" PetscInt_FMT " frames of %.4g MB that train_memory leaves over on a rank (%s); name a folder on a larger disk of this node, or raise train_memory", f->folder, got, f->frames - f->resident, 1e-6 * (double)f->bytes, strerror(error)));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFramesCreate(WeftGrid grid, PetscInt frames, PetscInt values, PetscInt ahead, PetscBool single, WeftFrames *store)
{
  size_t       budget;
  WeftFrames   f;

  PetscFunctionBegin;
  PetscCall(WeftGetSize("train_memory", &budget));
  PetscCall(PetscNew(&f));
  PetscCall(WeftGridReference(grid));
  f->grid     = grid;
  f->frames   = frames;
  f->values   = values;
  f->resident = frames;
  f->buffers  = 2 * ahead + 1;
  f->single   = single;
  f->bytes    = (single ? sizeof(float) : sizeof(double)) * (size_t)PetscMax(values, 1);
  if (budget && (size_t)frames * f->bytes > budget) f->resident = (PetscInt)(budget / f->bytes) - f->buffers;
  PetscCall(WeftAgree(PETSC_COMM_WORLD, f->resident < 0 ? PETSC_TRUE : PETSC_FALSE, "train_memory: the frames of two updates alone take %.4g MB on a rank, more than the %.4g MB allowed; raise -train_memory, lower train_batch or train_unroll, or use more ranks", 1e-6 * (double)f->buffers * (double)f->bytes, 1e-6 * (double)budget));
  PetscCall(PetscMalloc1((size_t)f->resident * f->bytes, &f->value));
  if (single) PetscCall(PetscMalloc1(PetscMax(values, 1), &f->wide));
  PetscCall(Spill(f));
  *store = f;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftFramesPut(WeftFrames f, PetscInt frame, const double values[])
{
  const PetscBool stays = frame < f->resident ? PETSC_TRUE : PETSC_FALSE;
  char           *place = stays ? f->value + (size_t)frame * f->bytes : WeftDiskTake(f->disk, frame - f->resident);

  PetscFunctionBegin;
  if (f->single)
    for (PetscInt i = 0; i < f->values; i++) ((float *)(void *)place)[i] = (float)values[i];
  else memcpy(place, values, sizeof(double) * (size_t)f->values);
  if (!stays) WeftDiskWrite(f->disk, frame - f->resident);
  PetscFunctionReturn(0);
}

void WeftFramesFetch(WeftFrames f, PetscInt frame)
{
  if (frame >= f->resident) WeftDiskFetch(f->disk, frame - f->resident);
}

PetscErrorCode WeftFramesGet(WeftFrames f, PetscInt frame, const double **values)
{
  int         error = 0;
  const char *place = frame < f->resident ? f->value + (size_t)frame * f->bytes : WeftDiskRead(f->disk, frame - f->resident, &error);

  PetscFunctionBegin;
  if (error) PetscCall(WeftGridNote(f->grid, "train_disk: a frame of the dataset is lost in %s (%s); start the training again from its last checkpoint, with another folder", f->folder, strerror(error)));
  if (error) place = WeftDiskTake(f->disk, -1);
  for (PetscInt i = 0; i < f->values && f->single; i++) f->wide[i] = (double)((const float *)(const void *)place)[i];
  *values = f->single ? f->wide : (const double *)(const void *)place;
  PetscFunctionReturn(0);
}

void WeftFramesMemory(WeftFrames f, PetscInt *resident, size_t *bytes)
{
  *resident = f->resident;
  *bytes    = f->bytes * (size_t)(f->resident + (f->disk ? f->buffers : 0));
}

PetscErrorCode WeftFramesDestroy(WeftFrames *store)
{
  WeftFrames f = *store;

  PetscFunctionBegin;
  *store = NULL;
  if (!f) PetscFunctionReturn(0);
  PetscCall(WeftDiskDestroy(&f->disk));
  PetscCall(PetscFree(f->value));
  PetscCall(PetscFree(f->wide));
  PetscCall(WeftGridDestroy(&f->grid));
  PetscCall(PetscFree(f));
  PetscFunctionReturn(0);
}
