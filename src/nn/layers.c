/* Layers of a net from lines of text. What words a line takes stands in its kind (builder.h). */
#include "nn/builder.h"

#define KEY "net_layers"
#define MAX_WORDS 8

#define WEFT_OP(name, dims, sides, variants)
#define WEFT_LOSS(name)
#define WEFT_LAYER(name) extern const WeftLayerKind WeftLayer_##name;
#include "op/list.h"
#undef WEFT_LAYER
#define WEFT_LAYER(name) &WeftLayer_##name,
static const WeftLayerKind *const kinds[] = {
#include "op/list.h"
    NULL};
#undef WEFT_LAYER
#undef WEFT_OP

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

/* Place of a word among those of "a|b|c"; -1: not among them. */
static PetscInt Choice(const char *choices, const char *word)
{
  const size_t length = strlen(word);
  PetscInt     n      = 0;

  for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL, n++)
    if (!strncmp(at, word, length) && (!at[length] || at[length] == '|')) return n;
  return -1;
}

typedef struct { /* a line under way */
  MPI_Comm    comm;
  PetscInt    line;
  const char *text;
} Line;

static PetscErrorCode FailWord(const Line *line, const char *word, const char *what, const char *use)
{
  return WeftFailKey(line->comm, KEY, "line %" PetscInt_FMT " (%s): '%s' is no %s; use %s", line->line, line->text, word, what, use);
}

/* One word of a line against one of its kind; *taken FALSE: it may be meant for the next. */
static PetscErrorCode TakeWord(const Line *line, const char *slot, const char *word, WeftLayer *layer, PetscBool *taken)
{
  PetscInt value;

  PetscFunctionBegin;
  *taken = PETSC_TRUE;
  if (!strcmp(slot, "KERNEL")) {
    if (!WholeNumber(word, &layer->kernel) || (layer->kernel != 1 && layer->kernel != 3 && layer->kernel != 5))
      return FailWord(line, word, "kernel", "1, 3 or 5");
  } else if (!strcmp(slot, "OUTPUTS")) {
    if (!WholeNumber(word, &layer->outputs) || layer->outputs < 1 || layer->outputs > 4096)
      return FailWord(line, word, "number of outputs", "1 to 4096");
  } else if (!strcmp(slot, "GROUPS")) {
    if (!WholeNumber(word, &layer->groups) || layer->groups < 1) return FailWord(line, word, "number of groups", "1 or more");
  } else if (!strcmp(slot, "[ACTIVATION]")) {
    for (value = 0; value < 4 && strcmp(word, WeftActivations[value]); value++) {}
    *taken = value < 4 ? PETSC_TRUE : PETSC_FALSE;
    if (*taken) layer->activation = (WeftActivation)value;
  } else {
    layer->choice = Choice(slot, word);
    if (layer->choice < 0) return FailWord(line, word, "kind of it", slot);
  }
  PetscFunctionReturn(0);
}

/* `dilation N` at the end of a line. */
static PetscErrorCode TakeDilation(const Line *line, Words *words, WeftLayer *layer)
{
  PetscFunctionBegin;
  if (words->count < 3 || strcmp(words->word[words->count - 2], "dilation")) PetscFunctionReturn(0);
  if (!WholeNumber(words->word[words->count - 1], &layer->dilation) || layer->dilation < 1 || layer->dilation > 16)
    return FailWord(line, words->word[words->count - 1], "dilation", "1 to 16");
  words->count -= 2;
  PetscFunctionReturn(0);
}

static PetscErrorCode TakeWords(const Line *line, Words *words, WeftLayer *layer)
{
  char     slots[128], *rest, *slot;
  PetscInt at = 1;

  PetscFunctionBegin;
  snprintf(slots, sizeof(slots), "%s", layer->kind->words);
  for (slot = strtok_r(slots, " ", &rest); slot; slot = strtok_r(NULL, " ", &rest)) {
    PetscBool taken = PETSC_FALSE;
    if (!strcmp(slot, "[DILATION]")) continue;
    if (at < words->count) PetscCall(TakeWord(line, slot, words->word[at], layer, &taken));
    else if (slot[0] != '[')
      return WeftFailKey(line->comm, KEY, "line %" PetscInt_FMT " (%s): words are missing; write `%s %s`", line->line, line->text,
                         layer->kind->name, layer->kind->words);
    if (taken) at++;
  }
  if (at < words->count && strstr(layer->kind->words, "[ACTIVATION]") && at == words->count - 1)
    return WeftFailKey(line->comm, KEY, "line %" PetscInt_FMT " (%s): no activation is called '%s'; use none, relu, leaky_relu or tanh",
                       line->line, line->text, words->word[at]);
  if (at < words->count)
    return WeftFailKey(line->comm, KEY, "line %" PetscInt_FMT " (%s): too many words; write `%s%s%s`", line->line, line->text,
                       layer->kind->name, layer->kind->words[0] ? " " : "", layer->kind->words);
  PetscFunctionReturn(0);
}

static PetscErrorCode ParseLine(const Line *line, WeftLayer *layer)
{
  char     names[256] = "";
  Words    words;
  PetscInt k;

  PetscFunctionBegin;
  Split(line->text, &words);
  for (k = 0; kinds[k] && words.count && strcmp(words.word[0], kinds[k]->name); k++) {}
  if (!words.count || !kinds[k]) {
    for (k = 0; kinds[k]; k++) {
      if (k) PetscCall(PetscStrlcat(names, kinds[k + 1] ? ", " : " or ", sizeof(names)));
      PetscCall(PetscStrlcat(names, kinds[k]->name, sizeof(names)));
    }
    if (!words.count) return WeftFailKey(line->comm, KEY, "line %" PetscInt_FMT " is empty; a layer is %s", line->line, names);
    return WeftFailKey(line->comm, KEY, "line %" PetscInt_FMT " (%s): no layer is called '%s'; use %s", line->line, line->text,
                       words.word[0], names);
  }
  *layer = (WeftLayer){.kind = kinds[k], .text = line->text, .dilation = 1, .activation = kinds[k]->activation};
  if (strstr(kinds[k]->words, "[DILATION]")) PetscCall(TakeDilation(line, &words, layer));
  PetscCall(TakeWords(line, &words, layer));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftLayersParse(MPI_Comm comm, const WeftNetOptions *options, WeftLayer **layers)
{
  PetscFunctionBegin;
  if (options->layers < 1) return WeftFailKey(comm, KEY, "a net needs at least one layer, as in `conv 3 32 relu`");
  PetscCall(PetscMalloc1(options->layers, layers));
  for (PetscInt i = 0; i < options->layers; i++) {
    const Line           line = {comm, i + 1, options->layer[i]};
    const PetscErrorCode ierr = ParseLine(&line, &(*layers)[i]);
    if (!ierr) continue;
    PetscCall(PetscFree(*layers));
    return ierr;
  }
  PetscFunctionReturn(0);
}

PetscInt WeftLayersWidth(PetscInt layers, const WeftLayer layer[])
{
  PetscInt width = 0;
  for (PetscInt i = 0; i < layers; i++)
    width = PetscMax(width, PetscMax(layer[i].kernel / 2 * layer[i].dilation, layer[i].kind->width));
  return width;
}

PetscInt WeftLayersLevels(PetscInt layers, const WeftLayer layer[])
{
  PetscInt level = 0, levels = 0;
  for (PetscInt i = 0; i < layers; i++) {
    level += layer[i].kind->levels;
    levels = PetscMax(levels, level);
  }
  return levels;
}

/* ---- features put aside ----------------------------------------------------------------------------------------------- */

static PetscErrorCode Keep(WeftBuilder b, const WeftLayer *layer, WeftValue *x)
{
  (void)layer;
  return WeftBuilderKeep(b, *x);
}
const WeftLayerKind WeftLayer_Keep = {.name = "keep", .words = "", .build = Keep};
