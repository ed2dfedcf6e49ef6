/* Observations from a table of points. */
#include <stdlib.h>
#include "invert/observe.h"

/* The whole file, on every rank. */
static PetscErrorCode ReadText(const char *path, char **text)
{
  long long size = -1;

  PetscFunctionBegin;
  *text = NULL;
  if (!PetscGlobalRank) {
    FILE *file = fopen(path, "r");
    if (file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) >= 0) {
      PetscCall(PetscCalloc1((size_t)size + 1, text));
      rewind(file);
      if (fread(*text, 1, (size_t)size, file) != (size_t)size) size = -1;
    }
    if (file) fclose(file);
  }
  PetscCallMPI(MPI_Bcast(&size, 1, MPI_LONG_LONG, 0, PETSC_COMM_WORLD));
  if (size < 0) return WeftFailKey(PETSC_COMM_WORLD, "observe_file", "%s cannot be read", path);
  if (PetscGlobalRank) PetscCall(PetscCalloc1((size_t)size + 1, text));
  PetscCallMPI(MPI_Bcast(*text, (PetscMPIInt)size, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* The next cell of a line; *at moves behind its comma. */
static void Cell(char **at, char cell[], size_t room)
{
  size_t n = strcspn(*at, ",\r\n");
  while (n && **at == ' ') (*at)++, n--;
  (void)PetscStrncpy(cell, *at, PetscMin(n + 1, room));
  *at += n;
  if (**at == ',') (*at)++;
}

static PetscErrorCode ReadHeading(WeftInversion v, const char *path, char *line, WeftPointTable *t, WeftPoints *p)
{
  static const char *const axes[] = {"x", "y", "z"};

  PetscFunctionBegin;
  t->step = t->simulation = -1;
  for (PetscInt a = 0; a < 3; a++) t->place[a] = -1;
  while (*line && *line != '\n' && *line != '\r' && t->columns < 32) Cell(&line, t->name[t->columns++], sizeof(t->name[0]));
  for (PetscInt c = 0; c < t->columns; c++) {
    PetscInt a = 0;
    while (a < 3 && strcmp(t->name[c], axes[a])) a++;
    if (a < 3) t->place[a] = c;
    else if (!strcmp(t->name[c], "step")) t->step = c;
    else if (!strcmp(t->name[c], "simulation")) t->simulation = c;
    else {
      const PetscInt before = p->fields;
      PetscCall(WeftPointsFindFields(v, t->name[c], p));
      WeftCheck(p->fields == before + 1, PETSC_COMM_WORLD, "%s: the column '%s' must be one field, as velocity_x", path, t->name[c]);
      t->field[before] = c;
    }
  }
  for (PetscInt a = 0; a < WeftGridLayout(v->grid)->dim; a++) WeftCheck(t->place[a] >= 0, PETSC_COMM_WORLD, "%s has no column '%s': its first line names the columns x, y, z (as many as axes), step, simulation, and fields", path, axes[a]);
  WeftCheck(p->fields, PETSC_COMM_WORLD, "%s has no column of a field", path);
  PetscFunctionReturn(0);
}

static PetscErrorCode ReadTable(WeftInversion v, const char *path, WeftPointTable *t, WeftPoints *p)
{
  char *text, *line;

  PetscFunctionBegin;
  PetscCall(ReadText(path, &text));
  for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    char *at = line, *end, cell[64];
    if (*line == '#' || *line == '\n' || *line == '\r') continue;
    if (!t->columns) {
      PetscCall(ReadHeading(v, path, line, t, p));
      continue;
    }
    if (t->rows == t->room) {
      t->room = 2 * t->room + 256;
      PetscCall(PetscRealloc(sizeof(double) * (size_t)(t->room * t->columns), &t->values));
    }
    for (PetscInt c = 0; c < t->columns; c++) {
      Cell(&at, cell, sizeof(cell));
      t->values[t->rows * t->columns + c] = *cell ? strtod(cell, &end) : NAN;
      WeftCheck(!*cell || !*end, PETSC_COMM_WORLD, "%s: row %" PetscInt_FMT ", column '%s': '%s' is no number", path, t->rows + 1, t->name[c], cell);
    }
    t->rows++;
  }
  PetscCall(PetscFree(text));
  WeftCheck(t->rows, PETSC_COMM_WORLD, "%s holds no rows of observations", path);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPointTableRead(WeftInversion v, WeftPointTable *t, WeftPoints *p)
{
  char name[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(WeftGetString("observe_file", name, sizeof(name)));
  if (!name[0]) return WeftFailKey(PETSC_COMM_WORLD, "observe_from", "observe_file is missing; name a table of points");
  PetscCall(WeftCasePath(name, path, sizeof(path)));
  PetscCall(ReadTable(v, path, t, p));
  for (PetscInt r = 0; r < t->rows; r++) {
    PetscReal place[3] = {0.0, 0.0, 0.0};
    for (PetscInt a = 0; a < WeftGridLayout(v->grid)->dim; a++) place[a] = t->values[r * t->columns + t->place[a]];
    PetscCall(WeftPointsAddPlace(v, "observe_file", place, r, p));
  }
  p->values = 0;
  for (PetscInt n = 0; n < p->points; n++) p->values += isnan(t->values[n / p->fields * t->columns + t->field[n % p->fields]]) ? 0 : 1;
  PetscFunctionReturn(0);
}

/* Each row is a datum at its step alone (without that column: at the only observed step) of its simulation (else: of all). */
PetscErrorCode WeftPointTableSet(WeftInversion v, const WeftPointTable *t, const WeftPoints *p)
{
  PetscFunctionBegin;
  WeftCheck(t->step >= 0 || v->times == 1, PETSC_COMM_WORLD, "observe_file has no column 'step', so observe_steps must be one step, not %" PetscInt_FMT, v->times);
  for (PetscInt r = 0; r < t->rows; r++) {
    PetscInt time = 0;
    while (t->step >= 0 && time < v->times && (PetscReal)v->time[time] != t->values[r * t->columns + t->step]) time++;
    WeftCheck(time < v->times, PETSC_COMM_WORLD, "observe_file: row %" PetscInt_FMT " is of step %g, which is not among observe_steps", r + 1, t->values[r * t->columns + t->step]);
  }
  for (PetscInt k = 0; k < v->times; k++)
    for (PetscInt b = 0; b < v->count; b++) {
      PetscInt count;
      double  *data;
      PetscCall(WeftObserveData(v->observe, k, b, &count, &data));
      for (PetscInt n = 0; n < count; n++) data[n] = NAN;
      for (PetscInt n = 0; n < p->points; n++) {
        const double *row = &t->values[n / p->fields * t->columns];
        if (p->local[n] < 0 || (t->step >= 0 && row[t->step] != (PetscReal)v->time[k]) || (t->simulation >= 0 && row[t->simulation] != (PetscReal)(v->first + b))) continue;
        data[p->local[n]] = row[t->field[n % p->fields]];
      }
    }
  PetscFunctionReturn(0);
}
