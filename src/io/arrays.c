/* Named arrays in memory: the table and its checksum. */
#include "io/impl.h"

unsigned long long WeftArraysChecksum(WeftArrays arrays)
{
  unsigned long long sum = 0;

  for (PetscInt i = 0; i < arrays->entries; i++) {
    const WeftArrayEntry *e        = &arrays->entry[i];
    long long             shape[5] = {e->rank, 0, 0, 0, 0};
    for (PetscInt n = 0; n < e->rank; n++) shape[n + 1] = e->shape[n];
    sum = WeftChecksum(sum, strlen(e->name) + 1, e->name);
    sum = WeftChecksum(sum, sizeof(shape), shape);
    if (e->text) sum = WeftChecksum(sum, strlen(e->text), e->text);
    else sum = WeftChecksum(sum, sizeof(double) * (size_t)e->count, e->values);
  }
  return sum;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftArraysCreate(WeftArrays *arrays)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(arrays));
  PetscFunctionReturn(0);
}

static PetscErrorCode Empty(WeftArrayEntry *entry)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(entry->values));
  PetscCall(PetscFree(entry->text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysDestroy(WeftArrays *arrays)
{
  WeftArrays a = *arrays;

  PetscFunctionBegin;
  *arrays = NULL;
  if (!a) PetscFunctionReturn(0);
  for (PetscInt i = 0; i < a->entries; i++) {
    PetscCall(Empty(&a->entry[i]));
    PetscCall(PetscFree(a->entry[i].name));
  }
  PetscCall(PetscFree(a->entry));
  PetscCall(PetscFree(a));
  PetscFunctionReturn(0);
}

static WeftArrayEntry *Find(WeftArrays a, const char *name, PetscBool text, PetscInt *place)
{
  PetscInt i = 0;

  if (name[0] == '/') name++;
  for (; i < a->entries; i++) {
    const PetscBool is_text = a->entry[i].text ? PETSC_TRUE : PETSC_FALSE;
    const int       order   = is_text == text ? strcmp(a->entry[i].name, name) : is_text ? 1 : -1;
    if (!order) return &a->entry[i];
    if (order > 0) break;
  }
  if (place) *place = i;
  return NULL;
}

/* The entry of that name, made or emptied. */
static PetscErrorCode Renew(WeftArrays a, const char *name, PetscBool text, WeftArrayEntry **entry)
{
  PetscInt place = 0;

  PetscFunctionBegin;
  *entry = Find(a, name, text, &place);
  if (*entry) {
    PetscCall(Empty(*entry));
    PetscFunctionReturn(0);
  }
  if (a->entries == a->room) {
    a->room = PetscMax(16, 2 * a->room);
    PetscCall(PetscRealloc(sizeof(*a->entry) * (size_t)a->room, &a->entry));
  }
  for (PetscInt i = a->entries++; i > place; i--) a->entry[i] = a->entry[i - 1];
  *entry = &a->entry[place];
  PetscCall(PetscMemzero(*entry, sizeof(**entry)));
  PetscCall(PetscStrallocpy(name[0] == '/' ? name + 1 : name, &(*entry)->name));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysSet(WeftArrays arrays, const char *name, PetscInt rank, const PetscInt shape[], const double values[])
{
  WeftArrayEntry *e;

  PetscFunctionBegin;
  PetscCheck(rank >= 0 && rank <= WEFT_ARRAY_RANK, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "array %s has %" PetscInt_FMT " axes; at most %d", name, rank, WEFT_ARRAY_RANK);
  PetscCall(Renew(arrays, name, PETSC_FALSE, &e));
  e->rank  = rank;
  e->count = 1;
  for (PetscInt n = 0; n < rank; n++) {
    e->shape[n] = shape[n];
    e->count *= shape[n];
  }
  PetscCall(PetscMalloc1(PetscMax(e->count, 1), &e->values));
  if (values) PetscCall(PetscArraycpy(e->values, values, e->count));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysSetString(WeftArrays arrays, const char *name, const char *text)
{
  WeftArrayEntry *e;

  PetscFunctionBegin;
  PetscCall(Renew(arrays, name, PETSC_TRUE, &e));
  e->rank = -1;
  PetscCall(PetscStrallocpy(text, &e->text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysGet(WeftArrays arrays, const char *name, PetscInt *count, const double **values)
{
  const WeftArrayEntry *e = Find(arrays, name, PETSC_FALSE, NULL);

  PetscFunctionBegin;
  if (count) *count = e ? e->count : 0;
  *values = e ? e->values : NULL;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysGetShape(WeftArrays arrays, const char *name, PetscInt *rank, PetscInt shape[4])
{
  const WeftArrayEntry *e = Find(arrays, name, PETSC_FALSE, NULL);

  PetscFunctionBegin;
  *rank = e ? e->rank : -1;
  for (PetscInt n = 0; n < *rank; n++) shape[n] = e->shape[n];
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysGetString(WeftArrays arrays, const char *name, const char **text)
{
  const WeftArrayEntry *e = Find(arrays, name, PETSC_TRUE, NULL);

  PetscFunctionBegin;
  *text = e ? e->text : NULL;
  PetscFunctionReturn(0);
}
