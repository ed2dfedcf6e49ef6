/* Layers of a net from lines of text. */
#include "nn/impl.h"

#define KEY "net_layers"
#define MAX_WORDS 5

typedef struct {
  PetscInt count;
  char     text[256], *word[MAX_WORDS];
} Words;

static void Split(const char *line, Words *words)
{
  char *rest;
  words->count = 0;
  snprintf(words->text, sizeof(words->text), "%s", line);
  for (char *word = strtok_r(words->text, " \t", &rest); word && words->count < MAX_WORDS; word = strtok_r(NULL, " \t", &rest))
    words->word[words->count++] = word;
}

static PetscBool WholeNumber(const char *word, PetscInt *value)
{
  char      *end;
  const long number = strtol(word, &end, 10);
  *value            = (PetscInt)PetscMin(number, (long)PETSC_MAX_INT);
  return *word && !*end ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode ParseLine(MPI_Comm comm, PetscInt line, const char *text, WeftLayer *layer)
{
  Words    words;
  PetscInt a;

  PetscFunctionBegin;
  Split(text, &words);
  if (!words.count)
    return WeftFailKey(comm, KEY,
                       "line %" PetscInt_FMT
                       " is empty; a layer is `conv KERNEL OUTPUTS [ACTIVATION]` or `residual KERNEL OUTPUTS [ACTIVATION]`",
                       line);
  layer->residual = (PetscBool)!strcmp(words.word[0], "residual");
  if (!layer->residual && strcmp(words.word[0], "conv"))
    return WeftFailKey(comm, KEY, "line %" PetscInt_FMT " (%s): no layer is called '%s'; use conv or residual", line, text,
                       words.word[0]);
  if (words.count < 3 || words.count > 4)
    return WeftFailKey(comm, KEY, "line %" PetscInt_FMT " (%s): %s; write `%s KERNEL OUTPUTS [ACTIVATION]`", line, text,
                       words.count < 3 ? "words are missing" : "too many words", words.word[0]);
  if (!WholeNumber(words.word[1], &layer->kernel) || (layer->kernel != 1 && layer->kernel != 3 && layer->kernel != 5))
    return WeftFailKey(comm, KEY, "line %" PetscInt_FMT " (%s): '%s' is no kernel; use 1, 3 or 5", line, text, words.word[1]);
  if (!WholeNumber(words.word[2], &layer->outputs) || layer->outputs < 1 || layer->outputs > 4096)
    return WeftFailKey(comm, KEY, "line %" PetscInt_FMT " (%s): '%s' is no number of outputs; use 1 to 4096", line, text,
                       words.word[2]);
  layer->activation = layer->residual ? WEFT_ACTIVATION_RELU : WEFT_ACTIVATION_NONE;
  if (words.count < 4) PetscFunctionReturn(0);
  for (a = 0; a < 4 && strcmp(words.word[3], WeftActivations[a]); a++) {}
  if (a == 4)
    return WeftFailKey(comm, KEY,
                       "line %" PetscInt_FMT " (%s): no activation is called '%s'; use none, relu, leaky_relu or tanh", line,
                       text, words.word[3]);
  layer->activation = (WeftActivation)a;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftLayersParse(MPI_Comm comm, const WeftNetOptions *options, WeftLayer **layers)
{
  PetscFunctionBegin;
  if (options->layers < 1) return WeftFailKey(comm, KEY, "a net needs at least one layer, as in `conv 3 32 relu`");
  PetscCall(PetscMalloc1(options->layers, layers));
  for (PetscInt i = 0; i < options->layers; i++) {
    const PetscErrorCode ierr = ParseLine(comm, i + 1, options->layer[i], &(*layers)[i]);
    if (!ierr) continue;
    PetscCall(PetscFree(*layers));
    return ierr;
  }
  PetscFunctionReturn(0);
}

PetscInt WeftLayersWidth(PetscInt layers, const WeftLayer layer[])
{
  PetscInt width = 0;
  for (PetscInt i = 0; i < layers; i++) width = PetscMax(width, layer[i].kernel / 2);
  return width;
}
