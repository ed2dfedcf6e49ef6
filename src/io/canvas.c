/* Pixels, smooth strokes, text and PNG. Text is drawn as strokes: the dots of a character are joined to their neighbours. */
#include "io/canvas.h"
#include <errno.h>
#include <png.h>

PetscErrorCode WeftCanvasCreate(PetscInt width, PetscInt height, WeftCanvas *canvas)
{
  PetscFunctionBegin;
  *canvas = (WeftCanvas){width, height, NULL, NULL, width, height, 0, 0};
  PetscCall(PetscMalloc1(width * height, &canvas->pixel));
  PetscCall(PetscCalloc1(width * height, &canvas->ink));
  WeftCanvasFill(canvas, 0, 0, width, height, WeftWhite);
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCanvasDestroy(WeftCanvas *canvas)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(canvas->pixel));
  PetscCall(PetscFree(canvas->ink));
  PetscFunctionReturn(0);
}

void WeftCanvasFill(WeftCanvas *c, PetscInt x, PetscInt y, PetscInt width, PetscInt height, WeftColour colour)
{
  for (PetscInt j = PetscMax(y, 0); j < PetscMin(y + height, c->height); j++)
    for (PetscInt i = PetscMax(x, 0); i < PetscMin(x + width, c->width); i++) c->pixel[j * c->width + i] = colour;
}

void WeftCanvasFrame(WeftCanvas *c, PetscInt x, PetscInt y, PetscInt width, PetscInt height, WeftColour colour)
{
  WeftCanvasFill(c, x - 1, y - 1, width + 2, 1, colour);
  WeftCanvasFill(c, x - 1, y + height, width + 2, 1, colour);
  WeftCanvasFill(c, x - 1, y, 1, height, colour);
  WeftCanvasFill(c, x + width, y, 1, height, colour);
}

/* ---- strokes ----------------------------------------------------------------------------------------------------- */

void WeftCanvasStroke(WeftCanvas *c, double x0, double y0, double x1, double y1, double width)
{
  const double   reach = 0.5 * width + 0.5, dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
  const PetscInt left = PetscMax(0, (PetscInt)floor(PetscMin(x0, x1) - reach - 1.0)), right = PetscMin(c->width, (PetscInt)ceil(PetscMax(x0, x1) + reach + 1.0));
  const PetscInt top = PetscMax(0, (PetscInt)floor(PetscMin(y0, y1) - reach - 1.0)), bottom = PetscMin(c->height, (PetscInt)ceil(PetscMax(y0, y1) + reach + 1.0));

  for (PetscInt j = top; j < bottom; j++) {
    for (PetscInt i = left; i < right; i++) { /* distance of the pixel's middle from the segment */
      const double px = (double)i + 0.5 - x0, py = (double)j + 0.5 - y0;
      const double along = square > 0.0 ? PetscMin(PetscMax((px * dx + py * dy) / square, 0.0), 1.0) : 0.0;
      const double away  = sqrt((px - along * dx) * (px - along * dx) + (py - along * dy) * (py - along * dy));
      const float  cover = (float)PetscMin(reach - away, 1.0);
      if (cover > c->ink[j * c->width + i]) c->ink[j * c->width + i] = cover;
    }
  }
  c->x0 = PetscMin(c->x0, left);
  c->y0 = PetscMin(c->y0, top);
  c->x1 = PetscMax(c->x1, right);
  c->y1 = PetscMax(c->y1, bottom);
}

void WeftCanvasDry(WeftCanvas *c, WeftColour colour)
{
  for (PetscInt j = c->y0; j < c->y1; j++) {
    for (PetscInt i = c->x0; i < c->x1; i++) {
      float      *ink   = &c->ink[j * c->width + i];
      WeftColour *pixel = &c->pixel[j * c->width + i];
      pixel->r          = (unsigned char)((float)pixel->r + *ink * (float)(colour.r - pixel->r) + 0.5f);
      pixel->g          = (unsigned char)((float)pixel->g + *ink * (float)(colour.g - pixel->g) + 0.5f);
      pixel->b          = (unsigned char)((float)pixel->b + *ink * (float)(colour.b - pixel->b) + 0.5f);
      *ink              = 0.0f;
    }
  }
  c->x0 = c->width;
  c->y0 = c->height;
  c->x1 = c->y1 = 0;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* First column and number of columns of a character. */
static void Columns(const unsigned char *rows, int *first, int *count)
{
  unsigned all = 0;

  for (int y = 0; y < WEFT_FONT_ROWS; y++) all |= rows[y];
  *first = 0;
  *count = all ? 1 : 2; /* a blank */
  if (!all) return;
  while (!(all & (0x10u >> *first))) (*first)++;
  for (int x = *first; x < 5; x++)
    if (all & (0x10u >> x)) *count = x - *first + 1;
}

/* Dots between two characters, from the last column to the first. */
#define FONT_GAP 2.2

double WeftTextWidth(double size, const char *text)
{
  double dots = 0.0;
  int    first, count;

  for (; *text; text++) {
    Columns(WeftGlyph(*text), &first, &count);
    dots += (double)(count - 1) + (text[1] ? FONT_GAP : 0.0);
  }
  return dots * size / 6.0;
}

void WeftCanvasText(WeftCanvas *c, double x, double y, double align, double size, WeftColour colour, const char *text)
{
  const double dot = size / 6.0, width = PetscMax(1.15, 0.15 * size);

  x = floor(x - align * WeftTextWidth(size, text)) + 0.5;
  y = floor(y) + 0.5;
  for (; *text; text++) {
    const unsigned char *rows = WeftGlyph(*text);
    int                  first, count;
    Columns(rows, &first, &count);
    for (int v = 0; v < WEFT_FONT_ROWS; v++) {
      for (int u = 0; u < 5; u++) {
#define DOT(a, b) ((a) >= 0 && (a) < 5 && (b) < WEFT_FONT_ROWS && (rows[b] & (0x10 >> (a))))
        const double px = x + (double)(u - first) * dot, py = y + (double)(v - 6) * dot;
        if (!DOT(u, v)) continue;
        WeftCanvasStroke(c, px, py, px, py, width);
        if (DOT(u + 1, v)) WeftCanvasStroke(c, px, py, px + dot, py, width);
        if (DOT(u, v + 1)) WeftCanvasStroke(c, px, py, px, py + dot, width);
        for (int s = -1; s <= 1; s += 2) /* a diagonal only where no corner joins the two */
          if (DOT(u + s, v + 1) && !DOT(u + s, v) && !DOT(u, v + 1)) WeftCanvasStroke(c, px, py, px + (double)s * dot, py + dot, width);
#undef DOT
      }
    }
    x += ((double)(count - 1) + FONT_GAP) * dot;
  }
  WeftCanvasDry(c, colour);
}

/* ---- PNG --------------------------------------------------------------------------------------------------------- */

void WeftCanvasWrite(const WeftCanvas *c, const char *path, char fault[], size_t room)
{
  char      part[PETSC_MAX_PATH_LEN];
  png_image image;
  FILE     *file;

  memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  image.width   = (png_uint_32)c->width;
  image.height  = (png_uint_32)c->height;
  image.format  = PNG_FORMAT_RGB;
  if (WeftPartName(path, part, sizeof(part))) {
    WeftFaultText(fault, room, "'%s' cannot be the name of a file", path);
    return;
  }
  file = fopen(part, "wb");
  if (!file) {
    WeftFaultText(fault, room, "cannot create %s: %s", part, strerror(errno));
    return;
  }
  if (!png_image_write_to_stdio(&image, file, 0, c->pixel, 0, NULL)) WeftFaultText(fault, room, "cannot write %s: %s", part, image.message);
  if (fclose(file)) WeftFaultText(fault, room, "cannot write %s: %s", part, strerror(errno));
  if (!fault[0]) WeftPublish(part, path, fault, room);
}
