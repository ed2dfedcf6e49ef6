/* A summary as a JSON object: members by path, their text, the file. */
#include "base/impl.h"
#include <math.h>
#include <string.h>
#include <unistd.h>

/* A member of a JSON object: text is its value, or NULL for an object of members. */
typedef struct _Member {
  char           *name, *text;
  struct _Member *first, *next;
} Member;

struct _n_WeftSummary {
  Member root;
};

/* The member at a path such as "test/error_l1/corrected"; made if it is not there. */
static PetscErrorCode Find(Member *root, const char *path, Member **member)
{
  const size_t length = strcspn(path, "/");
  Member     **place;

  PetscFunctionBegin;
  PetscCheck(length, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "a summary key has an empty part before '%s'", path);
  PetscCheck(!root->text, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "'%s' of the summary is a value and cannot hold '%s'",
             root->name, path);
  for (place = &root->first; *place; place = &(*place)->next)
    if (!strncmp((*place)->name, path, length) && !(*place)->name[length]) break;
  if (!*place) {
    PetscCall(PetscNew(place));
    PetscCall(PetscCalloc1(length + 1, &(*place)->name));
    PetscCall(PetscArraycpy((*place)->name, path, length));
  }
  if (path[length])
    PetscCall(Find(*place, path + length + 1, member));
  else
    *member = *place;
  PetscFunctionReturn(0);
}

static PetscErrorCode Set(WeftSummary summary, const char *key, const char *text)
{
  Member *member;

  PetscFunctionBegin;
  PetscCall(Find(&summary->root, key, &member));
  PetscCheck(!member->first, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "'%s' of the summary holds others and cannot be a value",
             key);
  PetscCall(PetscFree(member->text));
  PetscCall(PetscStrallocpy(text, &member->text));
  PetscFunctionReturn(0);
}

/* JSON has no NaN or infinity: null. 17 digits give the same double back. */
static int PrintReal(char text[], size_t room, double value)
{
  return isfinite(value) ? snprintf(text, room, "%.17g", value) : snprintf(text, room, "null");
}

PetscErrorCode WeftSummaryReal(WeftSummary summary, const char *key, double value)
{
  char text[40];

  PetscFunctionBegin;
  PrintReal(text, sizeof(text), value);
  PetscCall(Set(summary, key, text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSummaryInt(WeftSummary summary, const char *key, PetscInt64 value)
{
  char text[32];

  PetscFunctionBegin;
  snprintf(text, sizeof(text), "%lld", (long long)value);
  PetscCall(Set(summary, key, text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSummaryString(WeftSummary summary, const char *key, const char *value)
{
  char *text, *to;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(6 * strlen(value) + 3, &text)); /* a control character takes six */
  to    = text;
  *to++ = '"';
  for (const char *c = value; *c; c++) {
    if ((unsigned char)*c < 0x20)
      to += snprintf(to, 7, "\\u%04x", (unsigned)*c);
    else {
      if (*c == '"' || *c == '\\') *to++ = '\\';
      *to++ = *c;
    }
  }
  *to++ = '"';
  *to   = 0;
  PetscCall(Set(summary, key, text));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSummaryRealList(WeftSummary summary, const char *key, PetscInt n, const double values[])
{
  const size_t room = 40 * (size_t)n + 3;
  size_t       used = 0;
  char        *text;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(room, &text));
  text[used++] = '[';
  for (PetscInt i = 0; i < n; i++) {
    if (i) used += (size_t)snprintf(text + used, room - used, ", ");
    used += (size_t)PrintReal(text + used, room - used, values[i]);
  }
  text[used++] = ']';
  text[used]   = 0;
  PetscCall(Set(summary, key, text));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSummaryNew(WeftSummary *summary)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(summary));
  PetscFunctionReturn(0);
}

static void Emit(FILE *file, const Member *member, int depth)
{
  fputs("{", file);
  for (const Member *child = member->first; child; child = child->next) {
    fprintf(file, "\n%*s\"%s\": ", 2 * depth + 2, "", child->name);
    if (child->text)
      fputs(child->text, file);
    else
      Emit(file, child, depth + 1);
    if (child->next) fputs(",", file);
  }
  if (member->first) fprintf(file, "\n%*s", 2 * depth, "");
  fputs("}", file);
}

PetscBool WeftSummaryStore(WeftSummary summary, const char *path)
{
  char      temporary[PETSC_MAX_PATH_LEN + 16];
  FILE     *file;
  PetscBool fine;

  snprintf(temporary, sizeof(temporary), "%s.part", path);
  file = fopen(temporary, "w");
  if (!file) return PETSC_FALSE;
  Emit(file, &summary->root, 0);
  fputs("\n", file);
  fine = !ferror(file) && !fflush(file) && !fsync(fileno(file)) ? PETSC_TRUE : PETSC_FALSE;
  if (fclose(file)) fine = PETSC_FALSE;
  if (fine && !rename(temporary, path)) return PETSC_TRUE;
  unlink(temporary);
  return PETSC_FALSE;
}

static PetscErrorCode DestroyMembers(Member *root)
{
  PetscFunctionBegin;
  while (root->first) {
    Member *member = root->first;
    root->first    = member->next;
    PetscCall(DestroyMembers(member));
    PetscCall(PetscFree(member->name));
    PetscCall(PetscFree(member->text));
    PetscCall(PetscFree(member));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode WeftSummaryDestroy(WeftSummary *summary)
{
  PetscFunctionBegin;
  if (!*summary) PetscFunctionReturn(0);
  PetscCall(DestroyMembers(&(*summary)->root));
  PetscCall(PetscFree(*summary));
  PetscFunctionReturn(0);
}
