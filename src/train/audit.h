/* Inside src/train: what is watched in a run, and what stops it. */
#ifndef WEFT_TRAIN_AUDIT_H
#define WEFT_TRAIN_AUDIT_H
#include "train/flow.h"

/* From -audit_energy, -audit_divergence, -audit_courant; 0: no bound. */
typedef struct {
  PetscReal energy;     /* times the kinetic energy of the first step */
  PetscReal divergence; /* largest divergence */
  PetscReal courant;
} WeftAuditBounds;
PetscErrorCode WeftAuditBoundsFromKeys(WeftAuditBounds *bounds);
/* The key of a bound that the figures break, first_energy being that of the first step; "finite" if they are not finite; NULL: all
   is well. */
const char *WeftAuditBroken(const WeftAuditBounds *bounds, PetscReal first_energy, const WeftModelFigures *figures);

/* A table of figures per step (rank 0 of the grid), and of spectra. files NULL: nothing. */
void WeftAuditHead(FILE *file, PetscInt dim);
void WeftAuditRow(FILE *file, PetscInt dim, PetscInt step, PetscReal time, const WeftModelFigures *figures);

/* The same of a model that is no flow: mean, least and largest of every field. figures: [fields]. */
void WeftFieldsHead(FILE *file, const WeftSpaceInfo *info);
void WeftFieldsRow(FILE *file, const WeftSpaceInfo *info, PetscInt step, PetscReal time, const WeftFieldFigures figures[]);

/* Spectrum of the kinetic energy of a sample at cells: energy[b] of the wave numbers around (b + 1) * *width, so that
   width * sum of energy is the mean of u^2 / 2 without that of the mean flow. Periodic axes by the discrete Fourier transform, others
   by the cosine transform of the box. Gathered on every rank and computed there; *bins 0: the grid has more than WEFT_SPECTRUM_CELLS.
   energy: free with PetscFree. Collective on the grid. */
#define WEFT_SPECTRUM_CELLS 8388608
PetscErrorCode WeftFlowSpectrum(WeftState velocity, PetscInt sample, PetscInt *bins, PetscReal *width, PetscReal **energy);
void           WeftSpectrumHead(FILE *file);
/* Appends the spectrum of one step. file: of one rank, NULL on others. Collective on the grid. */
PetscErrorCode WeftSpectrumWrite(FILE *file, PetscInt step, PetscReal time, WeftState velocity, PetscInt sample);
#endif
