/* ctest: case; ranks 1 2; timeout 60 */
/* The published wake (coarse grid, Re 73.24, published viscosity, soft mask) and the smoke plume against values of an independent
   implementation of the same rules, written in NumPy with a sparse direct solve. They differ by round-off, which the flow
   amplifies: 1e-12 after 10 steps, 1e-10 after 100. */
#include "flow.h"

typedef struct {
  PetscInt step, field, i, j;
  double   value;
} Sample;

static const Sample wake[] = {
    {10, 0, 12, 15, -0.2921711552170606},   {10, 0, 16, 20, -0.0006270440832905042}, {10, 0, 19, 30, -0.0400646534180774},
    {10, 0, 6, 63, -5.531820266061487e-05}, {10, 1, 10, 16, 1.5139903286982614},     {10, 1, 16, 22, 0.30604931069556024},
    {10, 1, 20, 40, 0.9539364953797028},    {10, 1, 31, 64, 0.9480887843396145},     {10, 1, 3, 0, 0.9649513622872791},
    {100, 0, 12, 15, -0.2611184980683836},  {100, 0, 16, 20, 0.0010816424169859393}, {100, 0, 19, 30, -0.2630078266192474},
    {100, 0, 6, 63, 0.0038688361627672464}, {100, 1, 10, 16, 1.291328544405399},     {100, 1, 16, 22, -0.36327304480233175},
    {100, 1, 20, 40, 0.9484323529064402},   {100, 1, 31, 64, 0.8760190419266908},    {100, 1, 3, 0, 0.9640285771291182},
};

/* Compares those values of a sample list that this rank owns. field: 0 and 1 the velocity, 2 smoke. */
static PetscErrorCode Compare(Flow *f, PetscInt step, PetscInt count, const Sample samples[], double tolerance)
{
  const WeftLayout *l = WeftGridLayout(f->grid);

  PetscFunctionBegin;
  for (PetscInt s = 0; s < count; s++) {
    const WeftState    state    = f->in[samples[s].field / 2];
    const WeftLocation location = samples[s].field == 2 ? WEFT_CELL : (WeftLocation)samples[s].field;
    PetscInt           lo[3], hi[3];
    WeftLayoutOwned(l, location, lo, hi);
    if (samples[s].step != step || samples[s].i < lo[0] || samples[s].i >= hi[0] || samples[s].j < lo[1] ||
        samples[s].j >= hi[1])
      continue;
    PetscCall(TestClose(WeftStatePlane(state, samples[s].field % 2, 0)[WeftLayoutIndex(l, samples[s].i, samples[s].j, 0)],
                        samples[s].value, tolerance, "sample"));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Wake(void)
{
  WeftModelFigures figures;
  Flow             f;

  PetscFunctionBegin;
  PetscCall(FlowCase("wake/wake.yaml"));
  PetscCall(TestSetKey("model_reynolds", "73.2421875"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 10));
  PetscCall(Compare(&f, 10, PETSC_STATIC_ARRAY_LENGTH(wake), wake, 1e-12));
  PetscCall(FlowMeasure(&f, &figures));
  PetscCall(TestClose(figures.kinetic_energy, 9727.697143265863, 1e-8, "energy after 10 steps"));
  PetscCall(FlowPlay(&f, 90));
  PetscCall(Compare(&f, 100, PETSC_STATIC_ARRAY_LENGTH(wake), wake, 1e-10));
  PetscCall(FlowMeasure(&f, &figures));
  PetscCall(TestClose(figures.kinetic_energy, 10672.139809691016, 1e-7, "energy after 100 steps"));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static const Sample plume[] = {
    {10, 2, 12, 8, 0.6867697200957843},
    {10, 2, 12, 14, 1.296286703534062},
    {10, 2, 12, 20, 0.0},
    {10, 2, 20, 35, 0.0},
    {10, 0, 12, 8, -0.21449174497786117},
    {10, 0, 12, 20, 0.08787802968232371},
    {10, 0, 21, 36, 0.10270522779829203},
    {10, 1, 12, 9, 5.0389598194116845},
    {10, 1, 12, 20, 0.9076354387057036},
    {10, 1, 14, 31, 0.07095996580685844},
    {40, 2, 12, 8, 0.8954140984895429},
    {40, 2, 12, 14, 0.8407506550674041},
    {40, 2, 12, 20, 0.7215764334136479},
    {40, 2, 20, 35, 0.7857038971134264},
    {40, 0, 12, 8, -0.6498802239959462},
    {40, 0, 12, 20, -0.21397801939457872},
    {40, 0, 21, 36, 4.746104272437699},
    {40, 1, 12, 9, 3.760013733398404},
    {40, 1, 12, 20, 7.577244575535659},
    {40, 1, 14, 31, 3.276624068131123},
};

static PetscErrorCode Plume(void)
{
  WeftModelFigures figures;
  Flow             f;

  PetscFunctionBegin;
  PetscCall(FlowCase("smoke/simulate.yaml"));
  PetscCall(FlowCreate(PETSC_COMM_WORLD, &f));
  PetscCall(FlowPlay(&f, 10));
  PetscCall(Compare(&f, 10, PETSC_STATIC_ARRAY_LENGTH(plume), plume, 1e-12));
  PetscCall(FlowPlay(&f, 30));
  PetscCall(Compare(&f, 40, PETSC_STATIC_ARRAY_LENGTH(plume), plume, 1e-10));
  PetscCall(FlowMeasure(&f, &figures));
  PetscCall(TestClose(figures.kinetic_energy, 40644.68883249232, 1e-6, "energy after 40 steps"));
  PetscCall(FlowDestroy(&f));
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  PetscCall(Wake());
  PetscCall(Plume());
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
