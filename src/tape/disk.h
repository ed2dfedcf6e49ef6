/* Checkpoints on a node-local disk, written and fetched behind the computation. */
#ifndef WEFT_TAPE_DISK_H
#define WEFT_TAPE_DISK_H
#include <weft/base.h>

#define WEFT_DISK_BUFFERS 3 /* of checkpoints: one that is filled, one that is written, one that is fetched ahead */

typedef struct _n_WeftDisk *WeftDisk;
/* A file of this rank in `folder` with room for up to `slots` slots of `bytes` each; *got: those that fit, with *error (errno) the
   reason where they are fewer; none: *disk is NULL. buffers: slots in memory, for those that are written and fetched. The file has no name, so nothing of it outlives the process; files of earlier
   runs that did not come so far are removed. Not collective. */
PetscErrorCode WeftDiskCreate(const char *folder, PetscInt slots, size_t bytes, PetscInt buffers, PetscInt *got, int *error, WeftDisk *disk);
PetscErrorCode WeftDiskDestroy(WeftDisk *disk);
/* Memory that the caller fills with a slot's bytes and hands over with WeftDiskWrite. */
char *WeftDiskTake(WeftDisk disk, PetscInt slot);
void  WeftDiskWrite(WeftDisk disk, PetscInt slot);
/* Reads a slot ahead if a buffer is free. */
void WeftDiskFetch(WeftDisk disk, PetscInt slot);
/* The bytes of a slot, until the next Take or Fetch; NULL and errno: they are lost. */
const char *WeftDiskRead(WeftDisk disk, PetscInt slot, int *error);
#endif
