/* Colour maps. The sequential one goes evenly in lightness from violet over blue and green to yellow; the diverging one from
   blue over near-white to red, as light at equal distances. Their points were computed in the OKLCh space (Ottosson 2020). */
#include "io/canvas.h"

static WeftColour Between(const WeftColour *point, PetscInt points, double t)
{
  const double   x = PetscMin(PetscMax(t, 0.0), 1.0) * (double)(points - 1);
  const PetscInt i = PetscMin((PetscInt)x, points - 2);
  const double   w = x - (double)i;
  const WeftColour a = point[i], b = point[i + 1];

  return (WeftColour){(unsigned char)(a.r + w * (b.r - a.r) + 0.5), (unsigned char)(a.g + w * (b.g - a.g) + 0.5), (unsigned char)(a.b + w * (b.b - a.b) + 0.5)};
}

WeftColour WeftSequential(double t)
{
  static const WeftColour point[] = {{34, 0, 66}, {35, 21, 93}, {25, 45, 114}, {1, 70, 124}, {2, 92, 127}, {1, 113, 134}, {0, 134, 140}, {0, 157, 142}, {39, 179, 135}, {104, 195, 126}, {155, 209, 116}, {204, 221, 111}, {250, 231, 115}};
  return Between(point, (PetscInt)(sizeof(point) / sizeof(*point)), t);
}

WeftColour WeftDiverging(double t)
{
  static const WeftColour point[] = {{2, 75, 149}, {44, 112, 192}, {99, 149, 213}, {149, 185, 231}, {198, 217, 243}, {243, 243, 243}, {241, 206, 199}, {227, 164, 153}, {206, 120, 106}, {180, 72, 58}, {147, 10, 1}};
  return Between(point, (PetscInt)(sizeof(point) / sizeof(*point)), t);
}

WeftColour WeftLineColour(PetscInt line)
{
  static const WeftColour colour[] = {{43, 122, 214}, {225, 106, 62}, {19, 153, 72}, {169, 92, 187}, {214, 162, 10}, {178, 54, 65}, {13, 179, 193}, {96, 71, 176}};
  return colour[line % (PetscInt)(sizeof(colour) / sizeof(*colour))];
}
