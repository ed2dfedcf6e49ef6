/* Pictures of fields: panels with a title, a frame and a colour bar. */
#include "io/canvas.h"

#define MARGIN 14
#define TITLE 11.0 /* height of capitals, pixels */
#define LABEL 8.0
#define BAR 12

typedef struct {
  double   lower, upper;
  PetscInt width, height; /* of the field, pixels */
  PetscInt box_width, box_height; /* with title, bar and labels */
} Frame;

/* Range of the colours: as asked, or of the finite values; around 0 if diverging. */
static void Range(const WeftPanel *panel, double *lower, double *upper)
{
  double low = PETSC_MAX_REAL, high = -PETSC_MAX_REAL;

  *lower = panel->lower;
  *upper = panel->upper;
  if (panel->lower != panel->upper) return;
  for (PetscInt i = 0; i < panel->rows * panel->columns; i++) {
    if (!(PetscAbsReal(panel->values[i]) <= PETSC_MAX_REAL)) continue;
    low  = PetscMin(low, panel->values[i]);
    high = PetscMax(high, panel->values[i]);
  }
  if (low > high) low = high = 0.0;
  if (panel->diverging) {
    high = PetscMax(PetscAbsReal(low), PetscAbsReal(high));
    low  = -high;
  }
  *lower = low;
  *upper = high > low ? high : low + 1.0;
}

static void NumberText(double value, char text[16]) { snprintf(text, 16, "%.3g", value); }

static Frame Measure(const WeftPanel *panel, PetscInt pixels)
{
  Frame  f;
  char   text[16];
  double labels;

  Range(panel, &f.lower, &f.upper);
  f.width  = panel->columns * pixels;
  f.height = panel->rows * pixels;
  NumberText(f.lower, text);
  labels = WeftTextWidth(LABEL, text);
  NumberText(f.upper, text);
  labels       = PetscMax(labels, WeftTextWidth(LABEL, text));
  f.box_width  = PetscMax(f.width + 10 + BAR + 7 + (PetscInt)ceil(labels), (PetscInt)ceil(WeftTextWidth(TITLE, panel->title))) + 2;
  f.box_height = (PetscInt)(2.2 * TITLE) + f.height + 4;
  return f;
}

static void Draw(WeftCanvas *c, const WeftPanel *panel, const Frame *f, PetscInt pixels, PetscInt x, PetscInt y)
{
  const PetscInt top = y + (PetscInt)(2.2 * TITLE), bar = x + f->width + 10;
  char           text[16];

  WeftCanvasText(c, x, y + TITLE + 2.0, 0.0, TITLE, WeftBlack, panel->title);
  for (PetscInt j = 0; j < panel->rows; j++) {
    for (PetscInt i = 0; i < panel->columns; i++) {
      const double     value = panel->values[j * panel->columns + i], t = (value - f->lower) / (f->upper - f->lower);
      const WeftColour colour = !(PetscAbsReal(value) <= PETSC_MAX_REAL) ? WeftGrey : panel->diverging ? WeftDiverging(t) : WeftSequential(t);
      WeftCanvasFill(c, x + i * pixels, top + (panel->rows - 1 - j) * pixels, pixels, pixels, colour);
    }
  }
  WeftCanvasFrame(c, x, top, f->width, f->height, WeftGrey);
  for (PetscInt j = 0; j < f->height; j++) {
    const double t = 1.0 - ((double)j + 0.5) / (double)f->height;
    WeftCanvasFill(c, bar, top + j, BAR, 1, panel->diverging ? WeftDiverging(t) : WeftSequential(t));
  }
  WeftCanvasFrame(c, bar, top, BAR, f->height, WeftGrey);
  NumberText(f->upper, text);
  WeftCanvasText(c, bar + BAR + 7, top + LABEL, 0.0, LABEL, WeftBlack, text);
  NumberText(f->lower, text);
  WeftCanvasText(c, bar + BAR + 7, top + f->height - 1, 0.0, LABEL, WeftBlack, text);
}

static PetscErrorCode Paint(const char *path, PetscInt panels, const WeftPanel panel[], PetscInt per_row, PetscInt pixels, char fault[], size_t room)
{
  const PetscInt rows = (panels + per_row - 1) / per_row;
  PetscInt      *width, *height, total_width = MARGIN, total_height = MARGIN, x, y = MARGIN;
  Frame         *frame;
  WeftCanvas     canvas;

  PetscFunctionBegin;
  PetscCall(PetscCalloc3(per_row, &width, rows, &height, panels, &frame));
  for (PetscInt p = 0; p < panels; p++) {
    frame[p]            = Measure(&panel[p], pixels);
    width[p % per_row]  = PetscMax(width[p % per_row], frame[p].box_width);
    height[p / per_row] = PetscMax(height[p / per_row], frame[p].box_height);
  }
  for (PetscInt i = 0; i < per_row; i++) total_width += width[i] ? width[i] + MARGIN : 0;
  for (PetscInt j = 0; j < rows; j++) total_height += height[j] + MARGIN;
  PetscCall(WeftCanvasCreate(total_width, total_height, &canvas));
  for (PetscInt j = 0; j < rows; y += height[j] + MARGIN, j++) {
    x = MARGIN;
    for (PetscInt i = 0; i < per_row && j * per_row + i < panels; x += width[i] + MARGIN, i++) Draw(&canvas, &panel[j * per_row + i], &frame[j * per_row + i], pixels, x, y);
  }
  WeftCanvasWrite(&canvas, path, fault, room);
  PetscCall(WeftCanvasDestroy(&canvas));
  PetscCall(PetscFree3(width, height, frame));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPictureWrite(const char *path, PetscInt panels, const WeftPanel panel[], PetscInt per_row, PetscInt pixels_per_cell)
{
  char fault[1024] = "";

  PetscFunctionBegin;
  PetscCheck(panels >= 1 && per_row >= 1 && pixels_per_cell >= 1, PETSC_COMM_WORLD, PETSC_ERR_ARG_OUTOFRANGE, "a picture of %" PetscInt_FMT " panels", panels);
  PetscCall(WeftPhaseBegin(WEFT_PHASE_FILES));
  if (PetscGlobalRank == 0) PetscCall(Paint(path, panels, panel, per_row, pixels_per_cell, fault, sizeof(fault)));
  PetscCall(WeftPhaseEnd(WEFT_PHASE_FILES));
  return WeftAgree(PETSC_COMM_WORLD, fault[0] ? PETSC_TRUE : PETSC_FALSE, "%s", fault);
}
