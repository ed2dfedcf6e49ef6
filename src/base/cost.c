/* Where the time of a verb's loop goes, on each rank: told, tabled, and put into summaries. */
#include "base/impl.h"

#define ROWS_SHOWN 32 /* ranks with a line of their own in the table */

static const char *const keys[WEFT_PHASES] = {"other", "solver", "net", "halo", "halo_wait", "transpose", "reduction", "files"};

static const WeftPhase told[] = {WEFT_PHASE_HALO, WEFT_PHASE_TRANSPOSE, WEFT_PHASE_REDUCTION}; /* whose messages are counted */

static PetscBool Told(PetscInt phase)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(told); i++)
    if ((PetscInt)told[i] == phase) return PETSC_TRUE;
  return PETSC_FALSE;
}

static WeftCosts before, loop; /* when the loop began; of the loop */
static char      unit[32] = "run";
static PetscInt  units    = 1;
static PetscBool ended; /* the loop is over */

static void Since(const WeftCosts *from, const WeftCosts *to, WeftCosts *between)
{
  for (PetscInt p = 0; p < WEFT_PHASES; p++) {
    between->seconds[p]  = to->seconds[p] - from->seconds[p];
    between->messages[p] = to->messages[p] - from->messages[p];
    between->bytes[p]    = to->bytes[p] - from->bytes[p];
  }
}

PetscErrorCode WeftCostBegin(const char *name)
{
  PetscFunctionBegin;
  PetscCall(PetscStrncpy(unit, name, sizeof(unit)));
  before = WeftCostsNow();
  ended  = PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCostEnd(PetscInt n)
{
  const WeftCosts now = WeftCostsNow();

  PetscFunctionBegin;
  Since(&before, &now, &loop);
  units = PetscMax(n, 1);
  ended = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* ---- report ----------------------------------------------------------------------------------------------------------- */

static double Busy(const WeftCosts *c)
{
  return c->seconds[WEFT_PHASE_SOLVER] + c->seconds[WEFT_PHASE_NET] + c->seconds[WEFT_PHASE_HALO] +
         c->seconds[WEFT_PHASE_OTHER];
}

/* How much longer than the mean the busiest rank computes. */
static double Imbalance(PetscMPIInt size, const WeftCosts costs[])
{
  double most = 0.0, sum = 0.0;
  for (PetscMPIInt r = 0; r < size; r++) {
    most = PetscMax(most, Busy(&costs[r]));
    sum += Busy(&costs[r]);
  }
  return sum > 0.0 ? most * size / sum - 1.0 : 0.0;
}

/* Those of all ranks, on rank 0. */
static PetscErrorCode GatherCosts(PetscMPIInt *size, WeftCosts **costs)
{
  const WeftCosts mine = ended ? loop : WeftCostsNow(); /* without a loop: since the start */

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, size));
  PetscCall(PetscMalloc1(*size, costs));
  PetscCallMPI(MPI_Gather(&mine, sizeof(mine), MPI_BYTE, *costs, sizeof(mine), MPI_BYTE, 0, PETSC_COMM_WORLD));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCostSummarise(WeftSummary summary)
{
  WeftCosts  *costs;
  PetscMPIInt size;
  char        key[96];

  PetscFunctionBegin;
  PetscCall(GatherCosts(&size, &costs));
  PetscCall(WeftSummaryString(summary, "cost/unit", unit));
  PetscCall(WeftSummaryInt(summary, "cost/units", units));
  for (PetscInt p = 0; p < WEFT_PHASES && !PetscGlobalRank; p++) {
    double     mean = 0.0, most = 0.0;
    PetscInt64 messages = 0, bytes = 0;
    for (PetscMPIInt r = 0; r < size; r++) {
      mean += costs[r].seconds[p] / size / (double)units;
      most     = PetscMax(most, costs[r].seconds[p] / (double)units);
      messages = PetscMax(messages, costs[r].messages[p]);
      bytes    = PetscMax(bytes, costs[r].bytes[p]);
    }
    PetscCall(PetscSNPrintf(key, sizeof(key), "cost/%s/seconds_mean", keys[p]));
    PetscCall(WeftSummaryReal(summary, key, mean));
    PetscCall(PetscSNPrintf(key, sizeof(key), "cost/%s/seconds_most", keys[p]));
    PetscCall(WeftSummaryReal(summary, key, most));
    if (!Told(p)) continue;
    PetscCall(PetscSNPrintf(key, sizeof(key), "cost/%s/messages", keys[p]));
    PetscCall(WeftSummaryReal(summary, key, (double)messages / (double)units));
    PetscCall(PetscSNPrintf(key, sizeof(key), "cost/%s/bytes", keys[p]));
    PetscCall(WeftSummaryReal(summary, key, (double)bytes / (double)units));
  }
  if (!PetscGlobalRank) PetscCall(WeftSummaryReal(summary, "cost/imbalance", Imbalance(size, costs)));
  PetscCall(PetscFree(costs));
  PetscFunctionReturn(0);
}

static PetscErrorCode PrintRow(const char *name, const WeftCosts *c)
{
  double sum = 0.0;
  char   line[256];
  size_t used;

  PetscFunctionBegin;
  used = (size_t)snprintf(line, sizeof(line), "  %-6s", name);
  for (PetscInt p = 0; p < WEFT_PHASES; p++) {
    const PetscInt at = (p + 1) % WEFT_PHASES; /* "other" stands last */
    used += (size_t)snprintf(line + used, sizeof(line) - used, " %9.3f", 1e3 * c->seconds[at] / (double)units);
    sum += c->seconds[at];
  }
  PetscCall(WeftLog("%s %9.3f", line, 1e3 * sum / (double)units));
  PetscFunctionReturn(0);
}

static PetscErrorCode PrintTraffic(const char *name, const WeftCosts *c)
{
  char   line[256];
  size_t used;

  PetscFunctionBegin;
  used = (size_t)snprintf(line, sizeof(line), "  %-6s", name);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(told); i++)
    used += (size_t)snprintf(line + used, sizeof(line) - used, "   %10.6g %12.8g", (double)c->messages[told[i]] / (double)units,
                             (double)c->bytes[told[i]] / (double)units);
  PetscCall(WeftLog("%s", line));
  PetscFunctionReturn(0);
}

/* A line per rank, or with many ranks the first ones, and those of the least, the mean and the most of each column. */
static PetscErrorCode PrintRows(PetscMPIInt size, const WeftCosts costs[],
                                PetscErrorCode (*print)(const char *name, const WeftCosts *c))
{
  WeftCosts least = costs[0], mean, most = costs[0];
  char      name[16];

  PetscFunctionBegin;
  PetscCall(PetscMemzero(&mean, sizeof(mean)));
  for (PetscMPIInt r = 0; r < size; r++) {
    snprintf(name, sizeof(name), "%d", r);
    if (r < ROWS_SHOWN) PetscCall((*print)(name, &costs[r]));
    for (PetscInt p = 0; p < WEFT_PHASES; p++) {
      least.seconds[p]  = PetscMin(least.seconds[p], costs[r].seconds[p]);
      most.seconds[p]   = PetscMax(most.seconds[p], costs[r].seconds[p]);
      least.messages[p] = PetscMin(least.messages[p], costs[r].messages[p]);
      most.messages[p]  = PetscMax(most.messages[p], costs[r].messages[p]);
      least.bytes[p]    = PetscMin(least.bytes[p], costs[r].bytes[p]);
      most.bytes[p]     = PetscMax(most.bytes[p], costs[r].bytes[p]);
      mean.seconds[p] += costs[r].seconds[p] / size;
      mean.messages[p] += costs[r].messages[p];
      mean.bytes[p] += costs[r].bytes[p];
    }
  }
  if (size == 1) PetscFunctionReturn(0);
  for (PetscInt p = 0; p < WEFT_PHASES; p++) {
    mean.messages[p] /= size;
    mean.bytes[p] /= size;
  }
  PetscCall((*print)("least", &least));
  PetscCall((*print)("mean", &mean));
  PetscCall((*print)("most", &most));
  PetscFunctionReturn(0);
}

/* One line of time and one of messages, the most of any rank. */
static PetscErrorCode PrintShares(PetscMPIInt size, const WeftCosts costs[])
{
  double     all = 0.0, seconds[WEFT_PHASES] = {0.0}, bytes[WEFT_PHASES] = {0.0};
  PetscInt64 messages[WEFT_PHASES] = {0};
  char       line[256]             = "";
  size_t     used                  = 0;

  PetscFunctionBegin;
  for (PetscMPIInt r = 0; r < size; r++)
    for (PetscInt p = 0; p < WEFT_PHASES; p++) {
      all += costs[r].seconds[p];
      seconds[p] += costs[r].seconds[p];
      messages[p] = PetscMax(messages[p], costs[r].messages[p]);
      bytes[p]    = PetscMax(bytes[p], (double)costs[r].bytes[p]);
    }
  for (PetscInt p = 1; p <= WEFT_PHASES; p++)
    used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s %.1f %%", p > 1 ? ", " : "",
                             WeftPhaseName[p % WEFT_PHASES], 100.0 * seconds[p % WEFT_PHASES] / all);
  PetscCall(WeftLog("time: %s", line));
  if (size == 1) PetscFunctionReturn(0);
  used = 0;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(told); i++)
    used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s %.4g (%.4g kB)", i ? ", " : "", WeftPhaseName[told[i]],
                             (double)messages[told[i]] / (double)units, 1e-3 * bytes[told[i]] / (double)units);
  PetscCall(WeftLog("messages of a rank per %s: %s", unit, line));
  PetscFunctionReturn(0);
}

PetscErrorCode WeftCostPrint(void)
{
  WeftCosts  *costs;
  PetscMPIInt size;
  PetscBool   table;

  PetscFunctionBegin;
  PetscCall(WeftGetBool("cost", &table));
  if (!ended && !table) PetscFunctionReturn(0);
  PetscCall(GatherCosts(&size, &costs));
  if (!PetscGlobalRank && !table) PetscCall(PrintShares(size, costs));
  if (!PetscGlobalRank && table) {
    PetscCall(WeftLog("cost: milliseconds per %s (%" PetscInt_FMT " of them) on each rank", unit, units));
    PetscCall(WeftLog("  %-6s %9s %9s %9s %9s %9s %9s %9s %9s %9s", "rank", WeftPhaseName[1], WeftPhaseName[2],
                      WeftPhaseName[3], WeftPhaseName[4], WeftPhaseName[5], WeftPhaseName[6], WeftPhaseName[7],
                      WeftPhaseName[0], "sum"));
    PetscCall(PrintRows(size, costs, PrintRow));
    PetscCall(WeftLog("  the busiest rank computes %.1f %% longer than the mean", 100.0 * Imbalance(size, costs)));
    if (size > 1) {
      PetscCall(WeftLog("messages and bytes per %s that each rank sends", unit));
      PetscCall(WeftLog("  %-6s   %10s %12s   %10s %12s   %10s %12s", "rank", "halo", "bytes", "transpose", "bytes",
                        "reduction", "bytes"));
      PetscCall(PrintRows(size, costs, PrintTraffic));
    }
  }
  PetscCall(PetscFree(costs));
  PetscFunctionReturn(0);
}
