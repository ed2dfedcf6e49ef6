/* Named arrays as safetensors: 8 bytes of header length, a JSON header, the values as float32; all little-endian. */
#include "io/impl.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

typedef struct {
  char  *text;
  size_t used, room;
} Text;

static PetscErrorCode Add(Text *t, const char *format, ...)
{
  char    piece[512];
  size_t  length;
  va_list arguments;

  PetscFunctionBegin;
  va_start(arguments, format);
  vsnprintf(piece, sizeof(piece), format, arguments);
  va_end(arguments);
  length = strlen(piece);
  if (t->used + length + 1 > t->room) {
    t->room = 2 * t->room + length + 1024;
    PetscCall(PetscRealloc(t->room, &t->text));
  }
  memcpy(t->text + t->used, piece, length + 1);
  t->used += length;
  PetscFunctionReturn(0);
}

/* A JSON string. PyTorch separates parts of a name by dots. */
static PetscErrorCode AddString(Text *t, const char *text, PetscBool dots)
{
  PetscFunctionBegin;
  PetscCall(Add(t, "\""));
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') PetscCall(Add(t, "\\%c", c));
    else if (c < 0x20) PetscCall(Add(t, "\\u%04x", c));
    else PetscCall(Add(t, "%c", dots && c == '/' ? '.' : c));
  }
  PetscCall(Add(t, "\""));
  PetscFunctionReturn(0);
}

static PetscErrorCode Header(WeftArrays arrays, Text *t)
{
  size_t offset = 0;

  PetscFunctionBegin;
  PetscCall(Add(t, "{\"__metadata__\":{\"format\":\"pt\",\"weft\":\"%s\"", WEFT_VERSION));
  for (PetscInt i = 0; i < arrays->entries; i++) {
    const WeftArrayEntry *e = &arrays->entry[i];
    if (!e->text) continue;
    PetscCall(Add(t, ","));
    PetscCall(AddString(t, e->name, PETSC_FALSE));
    PetscCall(Add(t, ":"));
    PetscCall(AddString(t, e->text, PETSC_FALSE));
  }
  PetscCall(Add(t, "}"));
  for (PetscInt i = 0; i < arrays->entries; i++) {
    const WeftArrayEntry *e = &arrays->entry[i];
    if (e->text) continue;
    PetscCall(Add(t, ","));
    PetscCall(AddString(t, e->name, PETSC_TRUE));
    PetscCall(Add(t, ":{\"dtype\":\"F32\",\"shape\":["));
    for (PetscInt n = 0; n < e->rank; n++) PetscCall(Add(t, "%s%" PetscInt_FMT, n ? "," : "", e->shape[n]));
    PetscCall(Add(t, "],\"data_offsets\":[%zu,%zu]}", offset, offset + 4 * (size_t)e->count));
    offset += 4 * (size_t)e->count;
  }
  PetscCall(Add(t, "}"));
  while (t->used % 8) PetscCall(Add(t, " "));
  PetscFunctionReturn(0);
}

static void PutLittle(FILE *file, int bytes, uint64_t value)
{
  for (int i = 0; i < bytes; i++) fputc((int)(value >> (8 * i) & 0xFF), file);
}

static void PutValues(FILE *file, const WeftArrayEntry *e)
{
  for (PetscInt n = 0; n < e->count; n++) {
    const float value = (float)e->values[n];
    uint32_t    bits;
    memcpy(&bits, &value, sizeof(bits));
    PutLittle(file, 4, bits);
  }
}

static PetscErrorCode Store(WeftArrays arrays, const char *path, char fault[], size_t room)
{
  char  part[PETSC_MAX_PATH_LEN];
  Text  header = {NULL, 0, 0};
  FILE *file;

  PetscFunctionBegin;
  PetscCall(WeftPartName(path, part, sizeof(part)));
  PetscCall(Header(arrays, &header));
  file = fopen(part, "wb");
  if (!file) WeftFaultText(fault, room, "cannot create %s: %s", part, strerror(errno));
  else {
    PutLittle(file, 8, header.used);
    fwrite(header.text, 1, header.used, file);
    for (PetscInt i = 0; i < arrays->entries; i++) {
      if (!arrays->entry[i].text) PutValues(file, &arrays->entry[i]);
    }
    if (ferror(file) | fclose(file)) WeftFaultText(fault, room, "cannot write %s: %s", part, strerror(errno));
    else WeftPublish(part, path, fault, room);
  }
  PetscCall(PetscFree(header.text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftArraysWriteSafetensors(WeftArrays arrays, const char *path)
{
  char        fault[1024] = "";
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  if (rank == 0) PetscCall(Store(arrays, path, fault, sizeof(fault)));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  return WeftAgree(PETSC_COMM_WORLD, fault[0] ? PETSC_TRUE : PETSC_FALSE, "%s", fault);
}
