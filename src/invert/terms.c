/* Terms of the loss beside the misfit. One term is one row and its function: the value of a state of an unknown, and its derivative. */
#include "invert/impl.h"

/* ---- a sum over values ------------------------------------------------------------------------------------------------ */

/* Goes through the values of my samples that I own: sum of (x - y)^2 / 2, and bar += c (x - y); y NULL: 0. */
static PetscErrorCode SquareOfDifference(WeftInversion v, const WeftUnknown *u, WeftState x, WeftState y, PetscReal c, PetscReal *value, WeftState bar)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(x));
  PetscReal            sum  = 0.0;

  PetscFunctionBegin;
  if (info->kind == WEFT_NUMBERS) { /* counted once; what a rank adds is its part of a sum */
    const PetscBool mine = u->shared ? PetscGlobalRank == 0 : v->info.space_rank == 0;
    const PetscInt  n    = mine ? info->count * (u->shared ? 1 : v->count) : 0;
    const double   *a = (const double *)WeftStateData(x), *b = y ? (const double *)WeftStateData(y) : NULL;
    for (PetscInt i = 0; i < n; i++) {
      const double d = a[i] - (b ? b[i] : 0.0);
      sum += 0.5 * d * d;
      if (bar) ((double *)WeftStateDataWrite(bar))[i] += c * d;
    }
  }
  for (PetscInt f = 0; f < info->fields && info->kind == WEFT_PLANES; f++) {
    const WeftLayout *l = WeftGridLayout(info->grid);
    PetscInt          lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt s = 0; s < v->count; s++) {
      const double *a = WeftStatePlane(x, f, s), *b = y ? WeftStatePlane(y, f, s) : NULL;
      double       *to = bar ? WeftStatePlaneWrite(bar, f, s) : NULL;
      for (PetscInt k = lo[2]; k < hi[2]; k++)
        for (PetscInt j = lo[1]; j < hi[1]; j++)
          for (PetscInt i = WeftLayoutIndex(l, lo[0], j, k), end = i + hi[0] - lo[0]; i < end; i++) {
            const double d = a[i] - (b ? b[i] : 0.0);
            sum += 0.5 * d * d;
            if (to) to[i] += c * d;
          }
    }
  }
  *value += c * sum;
  PetscFunctionReturn(0);
}

/* 1/2 |x|^2 */
static PetscErrorCode Magnitude(WeftInversion v, const WeftUnknown *u, WeftState plain, WeftState first, PetscReal weight, PetscReal *value, WeftState bar)
{
  PetscFunctionBegin;
  (void)first;
  PetscCall(SquareOfDifference(v, u, plain, NULL, weight, value, bar));
  PetscFunctionReturn(0);
}

/* 1/2 |x - first guess|^2; of a smooth unknown in the norm of its covariance, which is that of the white noise (see WeftTermsAdd). */
static PetscErrorCode Prior(WeftInversion v, const WeftUnknown *u, WeftState plain, WeftState first, PetscReal weight, PetscReal *value, WeftState bar)
{
  PetscFunctionBegin;
  PetscCall(SquareOfDifference(v, u, plain, first, weight, value, bar));
  PetscFunctionReturn(0);
}

/* 1/2 sum over neighbours of (difference / spacing)^2; its derivative is minus the Laplacian with a slope of zero at the sides. */
static PetscErrorCode Smoothness(WeftInversion v, const WeftUnknown *u, WeftState plain, WeftState first, PetscReal weight, PetscReal *value, WeftState bar)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(plain));
  const WeftLayout    *l    = WeftGridLayout(info->grid);
  PetscReal            sum  = 0.0;

  PetscFunctionBegin;
  (void)u, (void)first;
  PetscCall(WeftStateHalo(plain, 1, WEFT_GHOST_COPY));
  for (PetscInt f = 0; f < info->fields; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutOwned(l, info->location[f], lo, hi);
    for (PetscInt s = 0; s < v->count; s++) {
      const double *x  = WeftStatePlane(plain, f, s);
      double       *to = bar ? WeftStatePlaneWrite(bar, f, s) : NULL;
      for (PetscInt a = 0; a < l->dim; a++) {
        const PetscInt step = l->stride[a];
        const double   c    = 1.0 / (l->h[a] * l->h[a]);
        for (PetscInt k = lo[2]; k < hi[2]; k++)
          for (PetscInt j = lo[1]; j < hi[1]; j++)
            for (PetscInt i = WeftLayoutIndex(l, lo[0], j, k), end = i + hi[0] - lo[0]; i < end; i++) {
              sum += 0.5 * c * (x[i + step] - x[i]) * (x[i + step] - x[i]);
              if (to) to[i] += weight * c * ((x[i] - x[i - step]) - (x[i + step] - x[i]));
            }
      }
    }
  }
  *value += weight * sum;
  PetscFunctionReturn(0);
}

static const WeftTermRow rows[] = {
  {"misfit", PETSC_FALSE, NULL},
  {"magnitude", PETSC_TRUE, Magnitude},
  {"smoothness", PETSC_TRUE, Smoothness},
  {"prior", PETSC_TRUE, Prior},
};

/* ---- the list: NAME [UNKNOWN] [sum|mean] [weight W] ---------------------------------------------------------------------- */

static PetscErrorCode ReadWords(WeftInversion v, PetscInt words, char **word, WeftTerm *term)
{
  PetscInt at = 1;

  PetscFunctionBegin;
  term->weight = 1.0;
  for (size_t r = 0; r < PETSC_STATIC_ARRAY_LENGTH(rows); r++)
    if (!strcmp(word[0], rows[r].name)) term->row = &rows[r];
  if (!term->row) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "'%s' is no term of a loss; there are: misfit, magnitude, smoothness, prior", word[0]);
  if (term->row->of_unknown) {
    for (PetscInt u = 0; u < v->unknowns && words > 1; u++)
      if (!strcmp(word[1], v->unknown[u].name)) term->unknown = &v->unknown[u];
    if (!term->unknown) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "'%s' needs the name of an unknown, for example '%s %s weight 1e-3'; '%s' is none", word[0], word[0], v->unknown[0].name, words > 1 ? word[1] : "");
    if (term->row->add == Smoothness && term->unknown->width) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "smoothness is for fields; %s is a number", term->unknown->name);
    at = 2;
  }
  for (; at < words; at++) {
    if (!strcmp(word[at], "mean")) term->mean = PETSC_TRUE;
    else if (!strcmp(word[at], "sum")) term->mean = PETSC_FALSE;
    else if (!strcmp(word[at], "weight") && at + 1 < words && sscanf(word[at + 1], "%lf", &term->weight) == 1) at++;
    else return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "%s: '%s' is not understood; there are: sum, mean, weight W", word[0], word[at]);
  }
  if (!(term->weight >= 0.0)) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "%s: a weight is not negative", word[0]);
  PetscCall(PetscSNPrintf(term->name, sizeof(term->name), term->unknown ? "%s_%s" : "%s%s", word[0], term->unknown ? term->unknown->name : ""));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTermsCreate(WeftInversion v)
{
  char   **text;
  PetscInt count, misfits = 0;

  PetscFunctionBegin;
  PetscCall(WeftGetStringList("invert_loss", &text, &count));
  if (count > WEFT_TERMS_MAX) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "at most %d terms", WEFT_TERMS_MAX);
  for (v->terms = 0; v->terms < count; v->terms++) {
    char **word;
    int    words;
    PetscCall(PetscStrToArray(text[v->terms], ' ', &words, &word));
    if (!words) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "an empty line; a term begins with its name");
    PetscCall(ReadWords(v, words, word, &v->term[v->terms]));
    PetscCall(PetscStrToArrayDestroy(words, word));
    misfits += v->term[v->terms].unknown ? 0 : 1;
  }
  if (misfits != 1) return WeftFailKey(PETSC_COMM_WORLD, "invert_loss", "a loss has one misfit, not %" PetscInt_FMT, misfits);
  PetscCall(WeftFreeStringList(&text, count));
  PetscFunctionReturn(0);
}

/* Values of an unknown over all simulations and steps. */
static PetscErrorCode CountValues(WeftInversion v, const WeftUnknown *u, PetscReal *count)
{
  const WeftSpaceInfo *info = WeftSpaceGetInfo(WeftStateSpace(u->plain[0]));

  PetscFunctionBegin;
  *count = u->width ? (PetscReal)(u->width * (u->shared ? 1 : v->simulations)) : 0.0;
  for (PetscInt f = 0; f < info->fields && !u->width; f++) {
    PetscInt lo[3], hi[3];
    WeftLayoutUnknowns(WeftGridLayout(info->grid), info->location[f], lo, hi);
    *count += (PetscReal)v->simulations * (PetscReal)(hi[0] - lo[0]) * (PetscReal)(hi[1] - lo[1]) * (PetscReal)(hi[2] - lo[2]);
  }
  *count *= (PetscReal)u->steps;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftTermsAdd(WeftInversion v, PetscBool gradient)
{
  PetscFunctionBegin;
  for (PetscInt t = 0; t < v->terms; t++) {
    WeftTerm *term   = &v->term[t];
    PetscReal weight = term->weight, values;
    if (!term->unknown) continue;
    if (term->mean) {
      PetscCall(CountValues(v, term->unknown, &values));
      weight *= 2.0 / values;
    }
    if (term->row->add == Prior && term->unknown->smooth[0] > 0.0) {
      for (PetscInt s = 0; s < term->unknown->slices; s++) PetscCall(Magnitude(v, term->unknown, term->unknown->control[s], NULL, weight, &term->value, gradient ? term->unknown->control_bar[s] : NULL));
      continue;
    }
    for (PetscInt n = 0; n < term->unknown->steps; n++) PetscCall((*term->row->add)(v, term->unknown, term->unknown->plain[n], term->unknown->first[n], weight, &term->value, gradient ? term->unknown->plain_bar[n] : NULL));
  }
  PetscFunctionReturn(0);
}
