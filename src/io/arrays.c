/* Named arrays in memory, the same on every rank: the table, its checksum, its way between rank 0 and the others. */
#include "io/impl.h"

/* Table k advances a byte through k more bytes: eight are taken at once. */
unsigned long long WeftChecksum(unsigned long long sum, size_t bytes, const void *data)
{
  static unsigned long long table[8][256];
  const unsigned char      *byte = (const unsigned char *)data;

  if (!table[0][1]) {
    for (unsigned long long i = 0; i < 256; i++) {
      unsigned long long entry = i;
      for (int bit = 0; bit < 8; bit++) entry = (entry >> 1) ^ (entry & 1 ? 0xC96C5795D7870F42ULL : 0);
      table[0][i] = entry;
    }
    for (int k = 1; k < 8; k++)
      for (int i = 0; i < 256; i++) table[k][i] = table[0][table[k - 1][i] & 0xFF] ^ (table[k - 1][i] >> 8);
  }
  sum = ~sum;
  for (; bytes >= 8; bytes -= 8, byte += 8) {
    unsigned long long next = 0;
    for (int k = 0; k < 8; k++) next ^= table[7 - k][((sum >> (8 * k)) & 0xFF) ^ byte[k]];
    sum = next;
  }
  for (; bytes; bytes--) sum = table[0][(sum ^ *byte++) & 0xFF] ^ (sum >> 8);
  return ~sum;
}

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

/* ---- files ------------------------------------------------------------------------------------------------------- */

PetscErrorCode WeftArraysWrite(WeftArrays arrays, const char *path)
{
  char        fault[1024] = "";
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  if (rank == 0) WeftArraysStore(arrays, path, fault, sizeof(fault));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  return WeftAgree(PETSC_COMM_WORLD, fault[0] ? PETSC_TRUE : PETSC_FALSE, "%s", fault);
}

/* Text or name from rank 0 to all. */
static PetscErrorCode BroadcastText(char **text)
{
  PetscMPIInt rank, length = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (rank == 0) PetscCall(PetscMPIIntCast((PetscInt)strlen(*text) + 1, &length));
  PetscCallMPI(MPI_Bcast(&length, 1, MPI_INT, 0, PETSC_COMM_WORLD));
  if (rank) PetscCall(PetscMalloc1(length, text));
  PetscCallMPI(MPI_Bcast(*text, length, MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

static PetscErrorCode Broadcast(WeftArrays a)
{
  PetscMPIInt rank, count;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Bcast(&a->entries, 1, MPIU_INT, 0, PETSC_COMM_WORLD));
  if (rank) {
    a->room = a->entries;
    PetscCall(PetscCalloc1(a->room, &a->entry));
  }
  for (PetscInt i = 0; i < a->entries; i++) {
    WeftArrayEntry *e                         = &a->entry[i];
    PetscInt        numbers[2 + WEFT_ARRAY_RANK] = {e->rank, e->count, e->shape[0], e->shape[1], e->shape[2], e->shape[3]};
    PetscCallMPI(MPI_Bcast(numbers, 2 + WEFT_ARRAY_RANK, MPIU_INT, 0, PETSC_COMM_WORLD));
    e->rank  = numbers[0];
    e->count = numbers[1];
    PetscCall(PetscArraycpy(e->shape, numbers + 2, WEFT_ARRAY_RANK));
    PetscCall(BroadcastText(&e->name));
    if (e->rank < 0) PetscCall(BroadcastText(&e->text));
    else {
      PetscCall(PetscMPIIntCast(e->count, &count));
      if (rank) PetscCall(PetscMalloc1(PetscMax(e->count, 1), &e->values));
      PetscCallMPI(MPI_Bcast(e->values, count, MPI_DOUBLE, 0, PETSC_COMM_WORLD));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysTry(const char *path, WeftArrays *arrays, char reason[], size_t room)
{
  PetscMPIInt rank, count;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftArraysCreate(arrays));
  PetscCall(PetscMPIIntCast((PetscInt)room, &count));
  reason[0] = 0;
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  if (rank == 0) WeftArraysLoad(*arrays, path, reason, room);
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  PetscCallMPI(MPI_Bcast(reason, count, MPI_CHAR, 0, PETSC_COMM_WORLD));
  if (reason[0]) PetscCall(WeftArraysDestroy(arrays));
  else PetscCall(Broadcast(*arrays));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysRead(const char *path, WeftArrays *arrays)
{
  char reason[1024];

  PetscFunctionBegin;
  PetscCall(WeftArraysTry(path, arrays, reason, sizeof(reason)));
  WeftCheck(*arrays, PETSC_COMM_WORLD, "%s", reason);
  PetscFunctionReturn(0);
}
