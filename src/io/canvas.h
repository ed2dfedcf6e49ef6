/* Inside the pictures of src/io: a canvas of pixels with smooth strokes and text. */
#ifndef WEFT_IO_CANVAS_H
#define WEFT_IO_CANVAS_H
#include "io/impl.h"

typedef struct {
  unsigned char r, g, b;
} WeftColour;

typedef struct {
  PetscInt    width, height;
  WeftColour *pixel; /* [row][column], row 0 on top */
  float      *ink;   /* coverage of the strokes that are not on the pixels yet */
  PetscInt    x0, y0, x1, y1; /* where there is any */
} WeftCanvas;

static const WeftColour WeftBlack = {38, 38, 42}, WeftGrey = {150, 150, 156}, WeftPale = {226, 226, 230}, WeftWhite = {255, 255, 255};

PetscErrorCode WeftCanvasCreate(PetscInt width, PetscInt height, WeftCanvas *canvas); /* white */
PetscErrorCode WeftCanvasDestroy(WeftCanvas *canvas);
void           WeftCanvasFill(WeftCanvas *canvas, PetscInt x, PetscInt y, PetscInt width, PetscInt height, WeftColour colour);
void           WeftCanvasFrame(WeftCanvas *canvas, PetscInt x, PetscInt y, PetscInt width, PetscInt height, WeftColour colour); /* one pixel, around */
/* Strokes gather as ink (no overlap is painted twice) until they are dried in one colour. */
void WeftCanvasStroke(WeftCanvas *canvas, double x0, double y0, double x1, double y1, double width);
void WeftCanvasDry(WeftCanvas *canvas, WeftColour colour);
/* Text with its baseline at y; align 0: x is the left end, 0.5: the middle, 1: the right end. size: height of capitals. */
void   WeftCanvasText(WeftCanvas *canvas, double x, double y, double align, double size, WeftColour colour, const char *text);
double WeftTextWidth(double size, const char *text);
/* Rank 0: an empty fault is success. */
void WeftCanvasWrite(const WeftCanvas *canvas, const char *path, char fault[], size_t room);

/* Colour of 0 <= t <= 1. */
WeftColour WeftSequential(double t);
WeftColour WeftDiverging(double t);
WeftColour WeftLineColour(PetscInt line);

/* Rows of a character, top to bottom; bit 4 is the leftmost of 5 columns; the last two rows are below the baseline. */
#define WEFT_FONT_ROWS 9
const unsigned char *WeftGlyph(char c);
#endif
