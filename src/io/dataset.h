/* Inside the dataset files of src/io. */
#ifndef WEFT_IO_DATASET_H
#define WEFT_IO_DATASET_H
#include "io/impl.h"

typedef struct {
  char     name[80];
  PetscBool single;
  WeftPart part;
  hid_t    dataset;
  WeftSlab slab; /* [simulation][frame]... */
} WeftDataItem;

struct _n_WeftDataFile {
  WeftSpace    space;
  WeftFile     file;
  WeftDataInfo info;
  PetscBool    writing, any_value; /* any_value: reads values that are not finite too */
  PetscInt     items;
  WeftDataItem item[2 * WEFT_MAX_FIELDS];
  double      *numbers; /* [simulation][number] */
  double      *values;  /* packed block */
  float       *singles; /* the same, as it is written */
  signed char *written; /* [simulation][frame], by this rank; reading: NULL */
};

/* Groups and attributes as readers of "The Well" expect them; a negative result is a failure of HDF5. */
herr_t WeftWellDescribe(WeftDataFile data);
#endif
