/* ctest: io; ranks 1 2; timeout 60 */
/* Pictures and plots: the pixels of a written PNG, read back, are those of the values; a folder that is not there is refused. */
#include "io_support.h"
#include <png.h>
#include <weft/io.h>

/* All pixels of a PNG, RGB. */
static PetscErrorCode ReadPng(const char *path, PetscInt *width, PetscInt *height, unsigned char **pixels)
{
  png_image image;

  PetscFunctionBegin;
  memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  TestCheck(png_image_begin_read_from_file(&image, path), "%s: %s", path, image.message);
  image.format = PNG_FORMAT_RGB;
  *width       = image.width;
  *height      = image.height;
  PetscCall(PetscMalloc1(PNG_IMAGE_SIZE(image), pixels));
  TestCheck(png_image_finish_read(&image, NULL, *pixels, 0, NULL), "%s: %s", path, image.message);
  PetscFunctionReturn(0);
}

static PetscInt Count(const unsigned char *pixels, PetscInt n, int r, int g, int b)
{
  PetscInt count = 0;
  for (PetscInt i = 0; i < n; i++) count += pixels[3 * i] == r && pixels[3 * i + 1] == g && pixels[3 * i + 2] == b ? 1 : 0;
  return count;
}

/* A field of 12 x 8 cells: 0 but for the lower right cell, which is 1; beside it a diverging one with a hole. */
static PetscErrorCode Panels(const char *path)
{
  double         value[2][8][12] = {{{0}}};
  PetscInt       width, height, first = -1, last_x = -1, last_y = -1;
  unsigned char *pixels;

  PetscFunctionBegin;
  value[0][0][11] = 1.0;
  value[1][7][0]  = -3.0;
  value[1][0][0]  = NAN;
  {
    const WeftPanel panel[] = {{"First", 8, 12, &value[0][0][0], 0.0, 0.0, PETSC_FALSE}, {"Second", 8, 12, &value[1][0][0], 0.0, 0.0, PETSC_TRUE}};
    PetscCall(WeftPictureWrite(path, 2, panel, 2, 10));
  }
  if (PetscGlobalRank) PetscFunctionReturn(0);
  PetscCall(ReadPng(path, &width, &height, &pixels));
  TestCheck(width > 2 * 120 && width < 2 * 120 + 200 && height > 80 && height < 160, "the picture has %d x %d pixels", (int)width, (int)height);
  for (PetscInt i = 0; i < width * height; i++) { /* the cell with 1: the last colour of the map, beside its bar */
    if (pixels[3 * i] != 250 || pixels[3 * i + 1] != 231 || pixels[3 * i + 2] != 115) continue;
    if (first < 0 || i % width < first % width) first = i;
  }
  TestCheck(first >= 0, "no pixel of the largest value");
  for (PetscInt i = first; i < width * height && i % width < first % width + 10; i++) {
    if (pixels[3 * i] == 250) last_x = i % width;
  }
  for (PetscInt j = first / width; j < height && pixels[3 * (j * width + first % width)] == 250; j++) last_y = j;
  TestCheck(last_x - first % width == 9 && last_y - first / width == 9, "a cell of %d x %d pixels", (int)(last_x - first % width + 1), (int)(last_y - first / width + 1));
  TestCheck(pixels[3 * (first - 1)] == 34 && pixels[3 * (first - 1) + 2] == 66, "left of it stands the smallest value");
  TestCheck(pixels[3 * (first + 10 * width)] == 150 && pixels[3 * (first - width)] == 34, "it stands at the bottom of the frame");
  TestCheck(Count(pixels, width * height, 34, 0, 66) >= 95 * 100, "95 cells of the smallest value");
  TestCheck(Count(pixels, width * height, 243, 243, 243) >= 94 * 100, "94 cells of zero");
  TestCheck(Count(pixels, width * height, 38, 38, 42) > 20, "no text");
  PetscCall(PetscFree(pixels));
  PetscFunctionReturn(0);
}

static PetscErrorCode Lines(const char *path)
{
  double         x[50], up[50], down[50];
  PetscInt       width, height, lowest[2] = {0, 0}, leftmost = 1000000;
  unsigned char *pixels;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < 50; i++) {
    x[i]    = (double)i;
    up[i]   = pow(10.0, 0.1 * (double)i);
    down[i] = i == 20 ? -1.0 : 1e4 * pow(10.0, -0.1 * (double)i); /* not on a log axis: a gap */
  }
  {
    const WeftLine line[] = {{"up", 50, x, up}, {"down", 50, x, down}};
    PetscCall(WeftPlotWrite(path, "Two lines", "step", "error", PETSC_TRUE, 2, line));
  }
  if (PetscGlobalRank) PetscFunctionReturn(0);
  PetscCall(ReadPng(path, &width, &height, &pixels));
  for (PetscInt i = 0; i < width * height; i++) {
    const PetscBool blue = pixels[3 * i] == 43 && pixels[3 * i + 1] == 122, red = pixels[3 * i] == 225 && pixels[3 * i + 1] == 106;
    if (blue && i % width < leftmost) leftmost = i % width;
    if (blue && i % width < width / 2) lowest[0] = PetscMax(lowest[0], i / width);
    if (red && i % width < width / 2) lowest[1] = PetscMax(lowest[1], i / width);
  }
  TestCheck(leftmost < width / 8, "the first line starts at pixel %d", (int)leftmost);
  TestCheck(lowest[0] > height / 2 && lowest[1] < lowest[0], "a rising line starts below a falling one: rows %d, %d", (int)lowest[0], (int)lowest[1]);
  PetscCall(PetscFree(pixels));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  const double   one  = 1.0;
  const WeftLine line = {"", 1, &one, &one};
  char           path[256];

  PetscFunctionBegin;
  snprintf(path, sizeof(path), "%s", TestPath("picture", ".png"));
  PetscCall(Panels(path));
  snprintf(path, sizeof(path), "%s", TestPath("plot", ".png"));
  PetscCall(Lines(path));
  PetscCall(WeftPlotWrite(path, "", "", "", PETSC_FALSE, 1, &line)); /* a single point, no text */
  PetscCall(WeftPlotWrite(path, "", "", "", PETSC_TRUE, 0, NULL));
  TestFails(WeftPlotWrite("no_such_folder/plot.png", "", "", "", PETSC_FALSE, 1, &line), "cannot create no_such_folder/plot.part.png");
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
