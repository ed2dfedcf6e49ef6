/* Audits of a run: figures of every step, bounds that stop it. */
#include "train/audit.h"

static const char *const keys[] = {"audit_energy", "audit_divergence", "audit_courant"};

PetscErrorCode WeftAuditBoundsFromKeys(WeftAuditBounds *bounds)
{
  PetscReal *const value[] = {&bounds->energy, &bounds->divergence, &bounds->courant};

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(WeftGetReal(keys[i], value[i]));
    if (!(*value[i] >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, keys[i], "a bound cannot be negative; 0: none");
  }
  PetscFunctionReturn(0);
}

const char *WeftAuditBroken(const WeftAuditBounds *bounds, PetscReal first_energy, const WeftModelFigures *f)
{
  if (!isfinite(f->kinetic_energy) || !isfinite(f->max_velocity)) return "finite";
  if (bounds->energy > 0.0 && f->kinetic_energy > bounds->energy * first_energy) return keys[0];
  if (bounds->divergence > 0.0 && f->max_divergence > bounds->divergence) return keys[1];
  if (bounds->courant > 0.0 && f->courant > bounds->courant) return keys[2];
  return NULL;
}

void WeftAuditHead(FILE *file, PetscInt dim)
{
  if (!file) return;
  fprintf(file, "step,time,kinetic_energy,max_velocity,courant,max_divergence");
  for (PetscInt a = 0; a < dim; a++) fprintf(file, ",force_%c", "xyz"[a]);
  for (PetscInt a = 0; a < dim; a++) fprintf(file, ",momentum_%c", "xyz"[a]);
  fprintf(file, ",outflow,smoke\n");
}

void WeftAuditRow(FILE *file, PetscInt dim, PetscInt step, PetscReal time, const WeftModelFigures *f)
{
  if (!file) return;
  fprintf(file, "%d,%.9g,%.12g,%.12g,%.6g,%.6g", (int)step, (double)time, f->kinetic_energy, f->max_velocity, f->courant, f->max_divergence);
  for (PetscInt a = 0; a < dim; a++) fprintf(file, ",%.12g", f->force[a]);
  for (PetscInt a = 0; a < dim; a++) fprintf(file, ",%.12g", f->momentum[a]);
  fprintf(file, ",%.6g,%.12g\n", f->outflow, f->smoke);
}

void WeftFieldsHead(FILE *file, const WeftSpaceInfo *info)
{
  if (!file) return;
  fprintf(file, "step,time");
  for (PetscInt f = 0; f < info->fields; f++) fprintf(file, ",%s_mean,%s_least,%s_largest", info->name[f], info->name[f], info->name[f]);
  fprintf(file, "\n");
}

void WeftFieldsRow(FILE *file, const WeftSpaceInfo *info, PetscInt step, PetscReal time, const WeftFieldFigures figures[])
{
  if (!file) return;
  fprintf(file, "%d,%.9g", (int)step, (double)time);
  for (PetscInt f = 0; f < info->fields; f++) fprintf(file, ",%.12g,%.12g,%.12g", (double)figures[f].mean, (double)figures[f].least, (double)figures[f].largest);
  fprintf(file, "\n");
}
