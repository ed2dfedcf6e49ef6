/* Gradient of an inverse problem: four plumes with inflows at different places in a closed box of 32 x 40 cells, 20 steps
   (MacCormack for smoke, semi-Lagrangian for velocity, buoyancy, projection); loss: half the sum of squares of the final smoke
   against that of the fourth plume; unknown: the initial velocities, at rest.
     mpirun -n RANKS bench_smoke [FILE.json [FILE.h5]]
   FILE.h5, on one rank: final smoke, loss, gradient. */
#include <math.h>
#include <weft/solve.h>
#include <weft/tape.h>
#include "support.h"

enum { PLUMES = 4, STEPS = 20, RUNS = 15 };
enum { SMOKE, VELOCITY, STATES, RATE = STATES, BUOYANCY, INPUTS };

typedef struct {
  WeftTeam     owner;
  WeftTeamInfo team;
  PetscInt     first, samples;
  WeftGrid     grid;
  WeftSpace    smoke, velocity;
  WeftOp       step;
  WeftRollout  rollout;
  WeftState    in[INPUTS], now[STATES], bar[INPUTS], final_bar[STATES];
  PetscReal    loss;
} Plumes;

/* 1 in cells whose centre is inside the circle of a plume. */
static PetscErrorCode Inflows(const Plumes *p, WeftState shape)
{
  static const double place[PLUMES][2] = {{12, 4}, {13, 6}, {14, 5}, {16, 5}}, radius = 3.0;
  const WeftLayout   *l = WeftGridLayout(p->grid);

  PetscFunctionBegin;
  for (PetscInt b = 0; b < p->samples; b++) {
    const double *at    = place[p->first + b];
    double       *plane = WeftStatePlaneWrite(shape, 0, b);
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++)
      for (PetscInt i = l->start[0]; i < l->start[0] + l->count[0]; i++)
        plane[WeftLayoutIndex(l, i, j, 0)] = hypot(0.5 + (double)i - at[0], 0.5 + (double)j - at[1]) <= radius ? 1.0 : 0.0;
  }
  PetscFunctionReturn(0);
}

/* A call with one output, and the operator given up. */
static PetscErrorCode Call(WeftProgram program, WeftOp op, const PetscInt in[], PetscInt *slot)
{
  PetscInt out[WEFT_OP_MAX];

  PetscFunctionBegin;
  PetscCall(WeftProgramCall(program, op, in, out));
  PetscCall(WeftOpDestroy(&op));
  *slot = out[0];
  PetscFunctionReturn(0);
}

static PetscErrorCode CreateStep(Plumes *p)
{
  WeftSpace   rate, buoyancy;
  WeftProgram program;
  WeftState   shape;
  PetscInt    slot[INPUTS];
  WeftOp      op;

  PetscFunctionBegin;
  PetscCall(WeftSpaceCreateNumbers(p->team.space, p->samples, 1, PETSC_TRUE, &rate));
  PetscCall(WeftSpaceCreateNumbers(p->team.space, p->samples, 2, PETSC_TRUE, &buoyancy));
  PetscCall(WeftProgramCreate(p->team.space, &program));
  PetscCall(WeftProgramInput(program, "smoke", p->smoke, &slot[SMOKE]));
  PetscCall(WeftProgramInput(program, "velocity", p->velocity, &slot[VELOCITY]));
  PetscCall(WeftProgramInput(program, "rate", rate, &slot[RATE]));
  PetscCall(WeftProgramInput(program, "buoyancy", buoyancy, &slot[BUOYANCY]));
  PetscCall(WeftOpCreateAdvect(p->smoke, p->velocity, WEFT_ADVECT_MACCORMACK, 1.0, &op));
  PetscCall(Call(program, op, (PetscInt[]){slot[SMOKE], slot[VELOCITY]}, &slot[SMOKE]));
  PetscCall(WeftStateCreate(p->smoke, &shape));
  PetscCall(Inflows(p, shape));
  PetscCall(WeftOpCreateInflow(p->smoke, shape, &op));
  PetscCall(WeftStateDestroy(&shape));
  PetscCall(Call(program, op, (PetscInt[]){slot[SMOKE], slot[RATE]}, &slot[SMOKE]));
  PetscCall(WeftOpCreateAdvect(p->velocity, p->velocity, WEFT_ADVECT_SEMI_LAGRANGIAN, 1.0, &op));
  PetscCall(Call(program, op, (PetscInt[]){slot[VELOCITY], slot[VELOCITY]}, &slot[VELOCITY]));
  PetscCall(WeftOpCreateBuoyancy(p->velocity, p->smoke, 1.0, &op));
  PetscCall(Call(program, op, (PetscInt[]){slot[VELOCITY], slot[SMOKE], slot[BUOYANCY]}, &slot[VELOCITY]));
  PetscCall(WeftOpCreateProject(p->velocity, NULL, &op));
  PetscCall(Call(program, op, &slot[VELOCITY], &slot[VELOCITY]));
  PetscCall(WeftProgramOutput(program, slot[SMOKE]));
  PetscCall(WeftProgramOutput(program, slot[VELOCITY]));
  PetscCall(WeftProgramFinish(&program, "plume", &p->step));
  PetscCall(WeftSpaceDestroy(&rate));
  PetscCall(WeftSpaceDestroy(&buoyancy));
  PetscFunctionReturn(0);
}

static PetscErrorCode Create(Plumes *p)
{
  static const WeftLocation at      = WEFT_CELL;
  const char *const         name    = "smoke";
  WeftRolloutOptions        options = {.states = STATES, .length = STEPS, .reach = WEFT_REACH_FULL};
  WeftGridOptions           box;

  PetscFunctionBegin;
  PetscCall(WeftTeamCreate(PLUMES, 0, &p->owner));
  PetscCall(WeftTeamGetInfo(p->owner, &p->team));
  PetscCall(WeftTeamShare(p->owner, PLUMES, &p->first, &p->samples));
  PetscCall(WeftGridOptionsDefault(&box));
  box.dim      = 2;
  box.cells[0] = 32;
  box.cells[1] = 40;
  box.upper[0] = 32.0;
  box.upper[1] = 40.0;
  box.wall     = WEFT_WALL_VALUE;
  box.halo     = 8; /* Courant numbers up to 6 */
  for (PetscInt a = 0; a < 2; a++) box.side[a][0] = box.side[a][1] = WEFT_SIDE_NOSLIP;
  PetscCall(WeftGridCreate(p->team.space, &box, &p->grid));
  PetscCall(WeftSpaceCreatePlanes(p->grid, p->samples, 1, &name, &at, &p->smoke));
  PetscCall(WeftSpaceCreateVelocity(p->grid, p->samples, &p->velocity));
  PetscCall(CreateStep(p));
  options.step = p->step;
  PetscCall(WeftRolloutCreate(&options, &p->rollout));
  for (PetscInt i = 0; i < INPUTS; i++) PetscCall(WeftStateCreate(WeftOpInSpace(p->step, i), &p->in[i]));
  for (PetscInt i = 0; i < STATES; i++) {
    PetscCall(WeftStateCreate(WeftOpInSpace(p->step, i), &p->now[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(p->step, i), &p->bar[i]));
    PetscCall(WeftStateCreate(WeftOpInSpace(p->step, i), &p->final_bar[i]));
  }
  for (PetscInt b = 0; b < p->samples; b++) {
    ((double *)WeftStateDataWrite(p->in[RATE]))[b]             = 1.0 / 3.0;
    ((double *)WeftStateDataWrite(p->in[BUOYANCY]))[2 * b + 1] = 1.0;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Forward(void *context)
{
  Plumes *p = (Plumes *)context;

  PetscFunctionBegin;
  PetscCall(WeftRolloutForward(p->rollout, p->in, NULL, NULL, p->now));
  PetscFunctionReturn(0);
}

/* The fourth plume is the last sample of the last replica; every replica takes it. */
static PetscErrorCode Gradient(void *context)
{
  Plumes           *p = (Plumes *)context;
  const WeftLayout *l = WeftGridLayout(p->grid);
  static double    *target;

  PetscFunctionBegin;
  if (!target) PetscCall(PetscMalloc1(l->plane, &target));
  for (PetscInt i = 0; i < STATES; i++) PetscCall(WeftStateZero(p->bar[i]));
  PetscCall(Forward(p));
  if (p->first + p->samples == PLUMES)
    PetscCall(PetscArraycpy(target, WeftStatePlane(p->now[SMOKE], 0, p->samples - 1), l->plane));
  PetscCallMPI(MPI_Bcast(target, (PetscMPIInt)l->plane, MPI_DOUBLE, PetscGlobalSize - 1, PETSC_COMM_WORLD));
  p->loss = 0.0;
  for (PetscInt b = 0; b < p->samples; b++) {
    const double *smoke = WeftStatePlane(p->now[SMOKE], 0, b);
    double       *bar   = WeftStatePlaneWrite(p->final_bar[SMOKE], 0, b);
    for (PetscInt j = l->start[1]; j < l->start[1] + l->count[1]; j++) {
      const PetscInt row = WeftLayoutIndex(l, l->start[0], j, 0);
      for (PetscInt i = row; i < row + l->count[0]; i++) {
        bar[i] = smoke[i] - target[i];
        p->loss += 0.5 * bar[i] * bar[i];
      }
    }
  }
  PetscCall(WeftRolloutReverse(p->rollout, p->final_bar, p->bar));
  PetscFunctionReturn(0);
}

static PetscErrorCode Destroy(Plumes *p)
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < INPUTS; i++) PetscCall(WeftStateDestroy(&p->in[i]));
  for (PetscInt i = 0; i < STATES; i++) {
    PetscCall(WeftStateDestroy(&p->now[i]));
    PetscCall(WeftStateDestroy(&p->bar[i]));
    PetscCall(WeftStateDestroy(&p->final_bar[i]));
  }
  PetscCall(WeftRolloutDestroy(&p->rollout));
  PetscCall(WeftOpDestroy(&p->step));
  PetscCall(WeftSpaceDestroy(&p->smoke));
  PetscCall(WeftSpaceDestroy(&p->velocity));
  PetscCall(WeftGridDestroy(&p->grid));
  PetscCall(WeftTeamDestroy(&p->owner));
  PetscFunctionReturn(0);
}

static PetscErrorCode Write(Plumes *p, const char *path)
{
  const PetscInt one = 1;
  WeftArrays     arrays;

  PetscFunctionBegin;
  WeftCheck(PetscGlobalSize == 1, PETSC_COMM_WORLD, "the result is written by one rank alone; run without mpirun");
  PetscCall(WeftArraysCreate(&arrays));
  PetscCall(BenchSetFields(arrays, "final", p->now[SMOKE]));
  PetscCall(BenchSetFields(arrays, "gradient", p->bar[VELOCITY]));
  PetscCall(WeftArraysSet(arrays, "/loss", 1, &one, &p->loss));
  PetscCall(WeftArraysWrite(arrays, path));
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}

static PetscErrorCode Bench(PetscInt words, char *word[])
{
  double      forward[RUNS], gradient[RUNS];
  WeftSummary summary;
  Plumes      p = {.loss = 0.0};

  PetscFunctionBegin;
  WeftCheck(PetscGlobalSize <= PLUMES && PLUMES % PetscGlobalSize == 0, PETSC_COMM_WORLD,
            "four plumes on %d ranks; take 1, 2 or 4", (int)PetscGlobalSize);
  PetscCall(Create(&p));
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Forward, &p, forward));
  PetscCall(BenchTime(PETSC_COMM_WORLD, RUNS, Gradient, &p, gradient));
  PetscCall(WeftSummaryCreate("smoke", &summary));
  PetscCall(WeftSummaryInt(summary, "replicas", p.team.replicas));
  PetscCall(WeftSummaryRealList(summary, "seconds_forward", RUNS, forward));
  PetscCall(WeftSummaryRealList(summary, "seconds_gradient", RUNS, gradient));
  if (words > 0) PetscCall(WeftSummaryWrite(summary, word[0]));
  PetscCall(WeftSummaryDestroy(&summary));
  if (words > 1) PetscCall(Write(&p, word[1]));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%d plumes, %d steps: forward %.3f ms, gradient %.3f ms\n", PLUMES, STEPS,
                        1e3 * BenchMedian(RUNS, forward), 1e3 * BenchMedian(RUNS, gradient)));
  PetscCall(Destroy(&p));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  return BenchRun(argc, argv, Bench);
}
