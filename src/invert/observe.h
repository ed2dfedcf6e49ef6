/* Inside the observations of src/invert. */
#ifndef WEFT_INVERT_OBSERVE_H
#define WEFT_INVERT_OBSERVE_H
#include "invert/impl.h"

typedef enum { WEFT_DATA_REFERENCE, WEFT_DATA_STATE, WEFT_DATA_FILE, WEFT_DATA_POINTS, WEFT_DATA_DATASET } WeftDataSource; /* of -observe_from */

/* What is observed, alike at every observed step. Points are in one order on all ranks of a domain: the whole fields' and the
   region's ones by field and place, so that a value has the same number, and the same noise, on every layout. */
typedef struct {
  PetscInt    fields, state[WEFT_MAX_FIELDS], field[WEFT_MAX_FIELDS];
  PetscInt    points, room;
  WeftPoint  *point;
  PetscInt64 *number;    /* of each point; of places: that of the place times fields, plus the field */
  PetscInt   *local;     /* place in this rank's data, -1: not there */
  PetscInt64  values;    /* points of all ranks */
  PetscBool   scattered; /* each place is observed at one of the steps */
} WeftPoints;

/* Columns of a table: x, y, z as many as axes; step and simulation if there; the others are fields. */
typedef struct {
  char     name[32][32];
  PetscInt columns, place[3], step, simulation, field[WEFT_MAX_FIELDS]; /* columns of each; -1: not there */
  double  *values;                                                      /* [rows][columns], NaN where empty */
  PetscInt rows, room;
} WeftPointTable;

/* observe.c. Fields of a name ("velocity", "velocity_x"); the fields at a place, which the key names. */
PetscErrorCode WeftPointsFindFields(WeftInversion v, const char *name, WeftPoints *p);
PetscErrorCode WeftPointsAddPlace(WeftInversion v, const char *key, const PetscReal place[3], PetscInt64 number, WeftPoints *p);
/* table.c: the table -observe_file, its points; its rows as data. */
PetscErrorCode WeftPointTableRead(WeftInversion v, WeftPointTable *table, WeftPoints *p);
PetscErrorCode WeftPointTableSet(WeftInversion v, const WeftPointTable *table, const WeftPoints *p);
/* data.c: the data of every other source, and noise on any. Collective on the world. */
PetscErrorCode WeftObservationsTake(WeftInversion v, WeftDataSource source, const WeftPoints *p);
PetscErrorCode WeftObservationsAddNoise(WeftInversion v, const WeftPoints *p);
#endif
