/* Plots of lines over x, on a linear or logarithmic y axis. */
#include "io/canvas.h"

#define WIDTH 860
#define HEIGHT 480
#define TITLE 12.0
#define LABEL 9.0

typedef struct {
  double   lower, upper; /* of the values, or of their logarithms */
  PetscBool log;
  PetscInt begin, end; /* pixels; end < begin upwards */
} Axis;

static double Place(const Axis *axis, double value) { return (double)axis->begin + ((axis->log ? log10(value) : value) - axis->lower) / (axis->upper - axis->lower) * (double)(axis->end - axis->begin); }

static PetscBool Shown(const Axis *axis, double value) { return PetscAbsReal(value) <= PETSC_MAX_REAL && (!axis->log || value > 0.0) ? PETSC_TRUE : PETSC_FALSE; }

/* Range of all values that can be shown. */
static void Fit(Axis *axis, PetscBool vertical, PetscInt lines, const WeftLine line[])
{
  double low = PETSC_MAX_REAL, high = -PETSC_MAX_REAL, room;

  for (PetscInt k = 0; k < lines; k++) {
    for (PetscInt i = 0; i < line[k].n; i++) {
      const double v = vertical ? line[k].y[i] : line[k].x[i];
      if (!Shown(axis, v)) continue;
      low  = PetscMin(low, axis->log ? log10(v) : v);
      high = PetscMax(high, axis->log ? log10(v) : v);
    }
  }
  if (low > high) low = high = 0.0;
  if (!axis->log && vertical && low >= 0.0 && low < 0.4 * high) low = 0.0; /* show the zero that is near */
  room = high > low ? 0.05 * (high - low) : 0.5 * PetscMax(PetscAbsReal(high), 1.0);
  if (vertical || high == low) {
    high += room;
    if (axis->log || low != 0.0 || high <= 0.0) low -= room;
  }
  axis->lower = low;
  axis->upper = high;
}

/* Distance of ticks: 1, 2 or 5 times a power of ten, at most `most` of them. */
static double TickStep(double extent, PetscInt most)
{
  const double raw = extent / (double)most, power = pow(10.0, floor(log10(raw)));
  const double digit = raw / power;

  return power * (digit <= 1.0 ? 1.0 : digit <= 2.0 ? 2.0 : digit <= 5.0 ? 5.0 : 10.0);
}

static void Tick(WeftCanvas *c, const Axis *x, const Axis *y, PetscBool vertical, double value)
{
  char           text[32];
  const PetscInt at = (PetscInt)floor(Place(vertical ? y : x, value));

  if (vertical) WeftCanvasFill(c, x->begin, at, x->end - x->begin, 1, WeftPale);
  else WeftCanvasFill(c, at, y->end, 1, y->begin - y->end, WeftPale);
  snprintf(text, sizeof(text), "%.6g", PetscAbsReal(value) < 1e-12 * (vertical && !y->log ? y->upper - y->lower : 1.0) && !y->log ? 0.0 : value);
  if (vertical) WeftCanvasText(c, x->begin - 8, at + LABEL / 2.0, 1.0, LABEL, WeftBlack, text);
  else WeftCanvasText(c, at, y->begin + 9 + LABEL, 0.5, LABEL, WeftBlack, text);
}

static void EvenTicks(WeftCanvas *c, const Axis *x, const Axis *y, PetscBool vertical)
{
  const Axis    *axis  = vertical ? y : x;
  const double   lower = axis->log ? pow(10.0, axis->lower) : axis->lower, upper = axis->log ? pow(10.0, axis->upper) : axis->upper;
  const double   step  = TickStep(upper - lower, vertical ? 6 : 8);
  const PetscInt last  = (PetscInt)floor(upper / step + 1e-9);

  for (PetscInt n = (PetscInt)ceil(lower / step - 1e-9); n <= last; n++) Tick(c, x, y, vertical, (double)n * step);
}

/* Powers of ten; over less than two of them also 2 and 5 times these; not more than about seven labels. */
static void LogTicks(WeftCanvas *c, const Axis *x, const Axis *y)
{
  const double   decades = y->upper - y->lower;
  const PetscInt skip    = PetscMax(1, (PetscInt)ceil(decades / 7.0));

  for (PetscInt n = (PetscInt)floor(y->lower); n <= (PetscInt)ceil(y->upper); n++) {
    for (PetscInt m = 1; m < 10; m++) {
      const double    at     = (double)n + log10((double)m);
      const PetscBool finely = decades < 2.0 && (m == 2 || m == 5) ? PETSC_TRUE : PETSC_FALSE, labelled = m == 1 && n % skip == 0 ? PETSC_TRUE : finely;
      if (at < y->lower || at > y->upper || (!labelled && (m == 1 || decades > 4.0 || decades < 2.0))) continue;
      if (labelled) Tick(c, x, y, PETSC_TRUE, pow(10.0, (double)n) * (double)m);
      else WeftCanvasFill(c, x->begin, (PetscInt)floor(Place(y, pow(10.0, at))), 5, 1, WeftGrey);
    }
  }
}

static void DrawLine(WeftCanvas *c, const Axis *x, const Axis *y, const WeftLine *line, WeftColour colour)
{
  double px = 0.0, py = 0.0;
  PetscBool pen = PETSC_FALSE;

  for (PetscInt i = 0; i < line->n; i++) {
    double qx, qy;
    if (!Shown(x, line->x[i]) || !Shown(y, line->y[i])) {
      pen = PETSC_FALSE;
      continue;
    }
    qx = Place(x, line->x[i]);
    qy = Place(y, line->y[i]);
    WeftCanvasStroke(c, pen ? px : qx, pen ? py : qy, qx, qy, 2.0);
    if (line->n <= 16) WeftCanvasStroke(c, qx, qy, qx, qy, 6.0);
    px  = qx;
    py  = qy;
    pen = PETSC_TRUE;
  }
  WeftCanvasDry(c, colour);
}

static PetscErrorCode Paint(const char *path, const char *title, const char *x_label, const char *y_label, PetscBool log_y, PetscInt lines, const WeftLine line[], char fault[], size_t room)
{
  double     legend = 0.0;
  Axis       x = {0.0, 1.0, PETSC_FALSE, 78, 0}, y = {0.0, 1.0, log_y, HEIGHT - 58, 70};
  WeftCanvas canvas;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < lines; k++)
    if (line[k].label && line[k].label[0]) legend = PetscMax(legend, 34.0 + WeftTextWidth(LABEL, line[k].label));
  x.end = WIDTH - 26 - (legend > 0.0 ? (PetscInt)legend + 18 : 0);
  Fit(&x, PETSC_FALSE, lines, line);
  Fit(&y, PETSC_TRUE, lines, line);
  PetscCall(WeftCanvasCreate(WIDTH, HEIGHT, &canvas));
  EvenTicks(&canvas, &x, &y, PETSC_FALSE);
  if (log_y && y.upper - y.lower > 1.0) LogTicks(&canvas, &x, &y);
  else EvenTicks(&canvas, &x, &y, PETSC_TRUE);
  for (PetscInt k = 0; k < lines; k++) {
    const double row = y.end + 8.0 + 22.0 * (double)k;
    DrawLine(&canvas, &x, &y, &line[k], WeftLineColour(k));
    if (!line[k].label || !line[k].label[0]) continue;
    WeftCanvasStroke(&canvas, x.end + 18.0, row, x.end + 42.0, row, 2.6);
    WeftCanvasDry(&canvas, WeftLineColour(k));
    WeftCanvasText(&canvas, x.end + 51.0, row + LABEL / 2.0, 0.0, LABEL, WeftBlack, line[k].label);
  }
  WeftCanvasFrame(&canvas, x.begin, y.end, x.end - x.begin, y.begin - y.end, WeftGrey);
  WeftCanvasText(&canvas, x.begin - 52, 30.0, 0.0, TITLE, WeftBlack, title);
  WeftCanvasText(&canvas, x.begin - 52, y.end - 12.0, 0.0, LABEL, WeftBlack, y_label);
  WeftCanvasText(&canvas, 0.5 * (x.begin + x.end), HEIGHT - 15.0, 0.5, LABEL, WeftBlack, x_label);
  WeftCanvasWrite(&canvas, path, fault, room);
  PetscCall(WeftCanvasDestroy(&canvas));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftPlotWrite(const char *path, const char *title, const char *x_label, const char *y_label, PetscBool log_y, PetscInt lines, const WeftLine line[])
{
  char fault[1024] = "";

  PetscFunctionBegin;
  if (PetscGlobalRank == 0) PetscCall(Paint(path, title, x_label, y_label, log_y, lines, line, fault, sizeof(fault)));
  return WeftAgree(PETSC_COMM_WORLD, fault[0] ? PETSC_TRUE : PETSC_FALSE, "%s", fault);
}
