/* ctest: unit; ranks 1 2; timeout 60 */
/* Case files and command lines: what they give, and what is refused with file, line and key. */
#include "base/impl.h"
#include "support.h"
#include <stdlib.h>

static char folder[PETSC_MAX_PATH_LEN] = "/tmp/weft-options-XXXXXX";

static PetscErrorCode Write(const char *name, const char *text, char path[])
{
  PetscFunctionBegin;
  PetscCall(PetscSNPrintf(path, PETSC_MAX_PATH_LEN, "%s/%s", folder, name));
  if (!PetscGlobalRank) {
    FILE *file = fopen(path, "w");
    TestCheck(file && fputs(text, file) >= 0 && !fclose(file), "%s cannot be written", path);
  }
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

/* ---- what is read ------------------------------------------------------------------------------------------------ */

static PetscErrorCode Lists(void)
{
  PetscInt  cells[3], count = 3;
  PetscReal upper[3];
  char    **words, path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(Write("lists.yaml", "grid: {cells: [32, 64], upper: [1e1, -2.5]}\nnet:\n  layers:\n    - conv 3 32 relu\n    - \"with, comma\"\n", path));
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftGetIntList("grid_cells", cells, &count));
  TestCheck(count == 2 && cells[0] == 32 && cells[1] == 64, "grid_cells: %d values, %d %d", (int)count, (int)cells[0], (int)cells[1]);
  count = 3;
  PetscCall(WeftGetRealList("grid_upper", upper, &count));
  TestCheck(count == 2 && upper[0] == 10.0 && upper[1] == -2.5, "grid_upper: %g %g", upper[0], upper[1]);
  PetscCall(WeftGetStringList("net_layers", &words, &count));
  TestCheck(count == 2 && !strcmp(words[0], "conv 3 32 relu") && !strcmp(words[1], "with, comma"), "net_layers: %d items", (int)count);
  PetscCall(WeftFreeStringList(&words, count));
  PetscCall(WeftGetStringList("grid_sides", &words, &count)); /* default */
  TestCheck(count == 1 && !strcmp(words[0], "periodic"), "default of grid_sides");
  PetscCall(WeftFreeStringList(&words, count));
  count = 3;
  PetscCall(WeftGetRealList("grid_lower", upper, &count));
  TestCheck(count == 0, "a list without default is empty");
  PetscFunctionReturn(0);
}

static PetscErrorCode Scalars(void)
{
  PetscInt  value;
  PetscBool flag, set;
  char      text[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(Write("scalars.yaml", "# comment\ngrid_halo: 3\ngrid:\n  wall: value\ndeterministic: yes\noutput: 'some where'\n", path));
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftGetInt("grid_halo", &value));
  TestCheck(value == 3, "grid_halo is %d", (int)value);
  PetscCall(WeftGetEnum("grid_wall", &value));
  TestCheck(value == 1, "grid_wall is choice %d", (int)value);
  PetscCall(WeftGetBool("deterministic", &flag));
  TestCheck(flag, "deterministic is false");
  PetscCall(WeftGetString("output", text, sizeof(text)));
  TestCheck(!strcmp(text, "some where"), "output is '%s'", text);
  PetscCall(WeftGetInt("seed", &value));
  PetscCall(WeftHasKey("seed", &set));
  TestCheck(value == 1 && !set, "seed has its default");
  PetscCall(PetscSNPrintf(text, sizeof(text), "%s:4", path));
  TestCheck(!strcmp(WeftKeyOrigin("grid_wall"), text), "grid_wall comes from %s", WeftKeyOrigin("grid_wall"));
  TestCheck(!strcmp(WeftKeyOrigin("seed"), "default"), "seed comes from %s", WeftKeyOrigin("seed"));
  TestCheck(!strcmp(WeftCaseName(), strrchr(folder, '/') + 1), "the case is %s", WeftCaseName());
  PetscFunctionReturn(0);
}

/* An included file is overridden wherever `include` stands; a later case forgets the one before. */
static PetscErrorCode Includes(void)
{
  PetscInt  value;
  PetscBool set;
  char      base[PETSC_MAX_PATH_LEN], path[PETSC_MAX_PATH_LEN], text[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(Write("base.yaml", "grid: {halo: 7, granularity: 2}\npressure: {ksp_type: cg, ksp_rtol: 1e-3}\n", base));
  PetscCall(Write("outer.yaml", "grid: {halo: 5}\npressure_ksp_rtol: 1e-9\ninclude: base.yaml\n", path));
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftGetInt("grid_halo", &value));
  TestCheck(value == 5, "the including file must win: grid_halo is %d", (int)value);
  PetscCall(WeftGetInt("grid_granularity", &value));
  TestCheck(value == 2, "grid_granularity of the included file is %d", (int)value);
  PetscCall(PetscSNPrintf(text, sizeof(text), "%s:1", base));
  TestCheck(!strcmp(WeftKeyOrigin("grid_granularity"), text), "grid_granularity comes from %s", WeftKeyOrigin("grid_granularity"));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-pressure_ksp_rtol", text, sizeof(text), &set));
  TestCheck(set && !strcmp(text, "1e-9"), "PETSc has -pressure_ksp_rtol %s", set ? text : "not at all");
  PetscCall(Write("bare.yaml", "seed: 3\n", path));
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftHasKey("grid_halo", &set));
  TestCheck(!set, "a key of the case before is still there");
  PetscCall(PetscOptionsHasName(NULL, NULL, "-pressure_ksp_type", &set));
  TestCheck(!set, "an option of the case before is still in PETSc's data base");
  PetscFunctionReturn(0);
}

/* PETSc's data base holds 512 options; Weft's keys do not go there. */
static PetscErrorCode ManyKeys(void)
{
  char path[PETSC_MAX_PATH_LEN], text[16384];
  int  used = 0;

  PetscFunctionBegin;
  for (int i = 0; i < 700; i++) used += snprintf(text + used, sizeof(text) - (size_t)used, "my_key_%d: %d\n", i, i);
  PetscCall(Write("many.yaml", text, path));
  PetscCall(WeftCaseLoad(path));
  TestCheck(WeftTableFind("my_key_699"), "the last of 700 keys is lost");
  TestFails(WeftCheckKeys(), "many.yaml:1: unknown key my_key_0");
  PetscFunctionReturn(0);
}

static PetscErrorCode CommandLine(void)
{
  char     *words[] = {(char *)"weft", (char *)"info", (char *)"x.yaml", (char *)"-grid_cells", (char *)"8, 16", (char *)"-deterministic", (char *)"-grid_lower", (char *)"-1,-.5", (char *)"--net_layers", (char *)"conv 1 2, conv 3 4", (char *)"-seed", (char *)"-3"};
  char    **layers, path[PETSC_MAX_PATH_LEN];
  PetscInt  count = 3, cells[3], seed;
  PetscReal lower[3];
  PetscBool flag;

  PetscFunctionBegin;
  PetscCall(WeftCommandLineRead(12, words));
  PetscCall(Write("under.yaml", "grid: {cells: [2, 2, 2], halo: 2}\nseed: 9\n", path));
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftGetIntList("grid_cells", cells, &count));
  TestCheck(count == 2 && cells[1] == 16, "the command line must win over the case file");
  PetscCall(WeftGetBool("deterministic", &flag));
  TestCheck(flag, "a switch without value is on");
  count = 3;
  PetscCall(WeftGetRealList("grid_lower", lower, &count));
  TestCheck(count == 2 && lower[0] == -1.0 && lower[1] == -0.5, "negative numbers are values, not keys");
  PetscCall(WeftGetStringList("net_layers", &layers, &count));
  TestCheck(count == 2 && !strcmp(layers[1], "conv 3 4"), "a list of texts goes with commas");
  PetscCall(WeftFreeStringList(&layers, count));
  PetscCall(WeftGetInt("seed", &seed));
  TestCheck(seed == -3, "seed is %d", (int)seed);
  TestCheck(!strcmp(WeftKeyOrigin("seed"), "command line"), "seed comes from %s", WeftKeyOrigin("seed"));
  PetscCall(WeftCheckKeys());
  PetscCall(WeftTableDestroy());
  words[3] = (char *)"-seed";
  words[4] = (char *)"8";
  words[5] = (char *)"16";
  TestFails(WeftCommandLineRead(6, words), "command line: '16' stands alone");
  PetscCall(WeftTableDestroy());
  words[3] = (char *)"-log_view";
  words[4] = (char *)"-grid_cels";
  words[5] = (char *)"4";
  PetscCall(WeftCommandLineRead(6, words));
  TestFails(WeftCheckKeys(), "command line: unknown key grid_cels; the nearest valid key is grid_cells");
  PetscCall(WeftTableDestroy());
  PetscFunctionReturn(0);
}

/* ---- what is refused ---------------------------------------------------------------------------------------------- */

typedef struct {
  const char *text, *message;
} Bad;

/* Refused on reading. */
static const Bad unreadable[] = {
  {"", "bad.yaml: is empty"},
  {"# only a comment\n", "bad.yaml: is empty"},
  {"just words\n", "bad.yaml:1: a case file holds keys"},
  {"- a\n- b\n", "bad.yaml:1: a case file holds keys"},
  {"grid:\n  cells: [1, 2\nseed: 1\n", "bad.yaml:3: no valid YAML"},
  {"grid:\n\tcells: 3\n", "bad.yaml:2: no valid YAML"},
  {"seed: 1\nseed: 2\n", "bad.yaml:2: seed is given twice, first at"},
  {"grid: {halo: 1}\ngrid_halo: 2\n", "bad.yaml:2: grid_halo is given twice"},
  {"grid: {halo: 1}\nseed: 3\ngrid: {halo: 2}\n", "bad.yaml:3: grid_halo is given twice"},
  {"seed: &a 1\n", "bad.yaml:1: anchors and aliases ('a') are not supported"},
  {"seed: *a\n", "bad.yaml:1: anchors and aliases ('a') are not supported"},
  {"grid: &box {halo: 2}\n", "bad.yaml:1: anchors and aliases ('box')"},
  {"seed: !!int 1\n", "bad.yaml:1: tags ('tag:yaml.org,2002:int') are not supported"},
  {"seed: 1\n---\nseed: 2\n", "bad.yaml:2: a second document begins here"},
  {"grid:\n  cells: [[1, 2], 3]\n", "bad.yaml:2: grid_cells: a list holds numbers or texts, no lists"},
  {"net:\n  layers:\n    - conv: 3\n", "bad.yaml:3: net_layers: a list holds numbers or texts, no maps"},
  {"[a, b]: 1\n", "bad.yaml:1: a key is one word"},
  {"grid:\n  ha-lo: 3\n", "bad.yaml:2: 'ha-lo' is no key"},
  {"grid:\n  3d: 3\n", "bad.yaml:2: '3d' is no key"},
  {"<<: {seed: 1}\n", "bad.yaml:1: '<<' is no key"},
  {"grid:\n  halo:\n", "bad.yaml:2: grid_halo has no value"},
  {"grid:\n  halo: null\n", "bad.yaml:2: grid_halo has no value"},
  {"grid:\n  cells: [1, ~]\n", "bad.yaml:2: grid_cells has no value"},
  {"include: nowhere.yaml\n", "nowhere.yaml: cannot be read (include of"},
  {"include: bad.yaml\n", "bad.yaml: includes itself"},
  {"include: half.yaml\n", "half.yaml:3: no valid YAML"}};

/* Refused by WeftCheckKeys. */
static const Bad invalid[] = {
  {"seed: 1\ngrid: {hallo: 2}\n", "bad.yaml:2: unknown key grid_hallo; the nearest valid key is grid_halo"},
  {"cells: [2, 3]\n", "bad.yaml:1: unknown key cells; the nearest valid key is grid_cells"},
  {"pressure: {capacitance_mx: 1}\n", "bad.yaml:1: unknown key pressure_capacitance_mx; the nearest valid key is "},
  {"log_view: true\n", "bad.yaml:1: log_view acts on PETSc as a whole"},
  {"grid:\n  halo: four\n", "bad.yaml:2: grid_halo = four: an integer is expected, in units of cells"},
  {"grid:\n  halo: 4.5\n", "bad.yaml:2: grid_halo = 4.5: an integer is expected"},
  {"grid:\n  halo: 99999999999999999999\n", "bad.yaml:2: grid_halo = 99999999999999999999: an integer is expected"},
  {"grid:\n  halo: [1, 2]\n", "bad.yaml:2: grid_halo = [1, 2]: an integer is expected"},
  {"grid:\n  halo: ''\n", "bad.yaml:2: grid_halo = : an integer is expected"},
  {"grid:\n  cells: [3, x]\n", "bad.yaml:2: grid_cells = [3, x]: a list of integers is expected"},
  {"grid:\n  cells: 3 4\n", "bad.yaml:2: grid_cells = 3 4: a list of integers is expected"},
  {"grid:\n  upper: [1.0, nan]\n", "bad.yaml:2: grid_upper = [1.0, nan]: a list of numbers is expected, in units of length"},
  {"grid:\n  wall: walls\n", "bad.yaml:2: grid_wall = walls: one of mirror, value is expected"},
  {"deterministic: maybe\n", "bad.yaml:1: deterministic = maybe: true or false is expected"},
  {"output: [a, b]\n", "bad.yaml:1: output = [a, b]: a text is expected"}};

static PetscErrorCode Refused(void)
{
  char path[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(Write("half.yaml", "seed: 1\ngrid: {\n", path));
  for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
    PetscCall(Write("bad.yaml", unreadable[i].text, path));
    TestFails(WeftCaseLoad(path), unreadable[i].message);
  }
  for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
    PetscCall(Write("bad.yaml", invalid[i].text, path));
    PetscCall(WeftCaseLoad(path));
    TestFails(WeftCheckKeys(), invalid[i].message);
  }
  TestFails(WeftCaseLoad("/nowhere/case.yaml"), "/nowhere/case.yaml: cannot be read");
  TestFails(WeftCaseLoad("/tmp"), "/tmp: is a folder");
  PetscFunctionReturn(0);
}

/* Reading: lists that are too long, keys that must be given. */
static PetscErrorCode RefusedByReaders(void)
{
  char      path[PETSC_MAX_PATH_LEN], text[8];
  PetscInt  values[3], count = 3;
  PetscReal dt;

  PetscFunctionBegin;
  PetscCall(Write("long.yaml", "grid: {cells: [1, 2, 3, 4]}\noutput: much-longer\n", path));
  PetscCall(WeftCaseLoad(path));
  TestFails(WeftGetIntList("grid_cells", values, &count), "long.yaml:1: grid_cells = [1, 2, 3, 4]: 4 values, at most 3 are allowed");
  TestFails(WeftGetString("output", text, sizeof(text)), "long.yaml:2: output = much-longer: longer than 7 characters");
  TestFails(WeftGetReal("model_dt", &dt), "model_dt is missing");
  PetscFunctionReturn(0);
}

/* ---- PETSc's keys ------------------------------------------------------------------------------------------------- */

static PetscErrorCode Owners(void)
{
  PetscFunctionBegin;
  TestCheck(WeftKeyOwner("grid_cells") == WEFT_OWNER_WEFT, "grid_cells");
  TestCheck(WeftKeyOwner("pressure_ksp_type") == WEFT_OWNER_PETSC_OBJECT, "pressure_ksp_type");
  TestCheck(WeftKeyOwner("pressure_mg_levels_pc_type") == WEFT_OWNER_PETSC_OBJECT, "pressure_mg_levels_pc_type");
  TestCheck(WeftKeyOwner("tao_max_it") == WEFT_OWNER_PETSC_OBJECT, "tao_max_it");
  TestCheck(WeftKeyOwner("log_view") == WEFT_OWNER_PETSC && WeftKeyOwner("malloc_debug") == WEFT_OWNER_PETSC && WeftKeyOwner("info") == WEFT_OWNER_PETSC, "global keys of PETSc");
  TestCheck(WeftKeyOwner("pressure_kspp_type") == WEFT_OWNER_NOBODY && WeftKeyOwner("information") == WEFT_OWNER_NOBODY && WeftKeyOwner("ksp_") == WEFT_OWNER_NOBODY, "keys of nobody");
  PetscFunctionReturn(0);
}

static PetscErrorCode Unused(void)
{
  char      path[PETSC_MAX_PATH_LEN], text[32];
  PetscBool set;

  PetscFunctionBegin;
  PetscCall(Write("solver.yaml", "pressure:\n  ksp_type: cg\n  ksp_tipe: cg\n  ksp_monitor: false\n  ksp_converged_reason: true\n", path));
  PetscCall(WeftCaseLoad(path));
  PetscCall(WeftCheckKeys());
  PetscCall(PetscOptionsGetString(NULL, NULL, "-pressure_ksp_converged_reason", text, sizeof(text), &set));
  TestCheck(set && !*text, "a switch goes to PETSc without a value, not with '%s'", text);
  PetscCall(PetscOptionsHasName(NULL, NULL, "-pressure_ksp_monitor", &set));
  TestCheck(!set, "a monitor that is off went to PETSc");
  PetscCall(PetscOptionsGetString(NULL, NULL, "-pressure_ksp_type", text, sizeof(text), &set));
  TestCheck(set, "-pressure_ksp_type is not in PETSc's data base");
  TestFails(WeftCheckUnusedOptions(), "solver.yaml:3: no solver of PETSc in this run reads pressure_ksp_tipe");
  PetscFunctionReturn(0);
}

/* A mistake that only the last rank has seen is told once and known to all. */
static PetscErrorCode Agreed(void)
{
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(WeftAgree(PETSC_COMM_WORLD, PETSC_FALSE, "nothing"));
  TestFails(WeftAgree(PETSC_COMM_WORLD, rank == size - 1 ? PETSC_TRUE : PETSC_FALSE, "rank %d saw it", size - 1), "weft: error: rank ");
  PetscFunctionReturn(0);
}

/* The rows themselves: defaults that parse, no name twice. */
static PetscErrorCode Registry(void)
{
  const WeftKeyRow *rows;
  PetscInt          count;

  PetscFunctionBegin;
  rows = WeftRegistryRows(&count);
  for (PetscInt i = 0; i < count; i++) {
    TestCheck(WeftRegistryFind(rows[i].name) == &rows[i], "key %s has two rows", rows[i].name);
    TestCheck(*rows[i].help, "key %s has no help", rows[i].name);
    TestCheck(rows[i].kind != WEFT_KIND_ENUM || *rows[i].fallback, "key %s has no default", rows[i].name);
    if (*rows[i].fallback) PetscCall(WeftTableCheckKind(&rows[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  PetscFunctionBegin;
  if (!PetscGlobalRank) TestCheck(mkdtemp(folder), "no temporary folder");
  PetscCallMPI(MPI_Bcast(folder, sizeof(folder), MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscCall(Registry());
  PetscCall(Lists());
  PetscCall(Scalars());
  PetscCall(Includes());
  PetscCall(ManyKeys());
  PetscCall(Refused());
  PetscCall(RefusedByReaders());
  PetscCall(Owners());
  PetscCall(Unused());
  PetscCall(Agreed());
  PetscCall(CommandLine());
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (!PetscGlobalRank) PetscCall(PetscRMTree(folder));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
