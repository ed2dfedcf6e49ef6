/* ctest: unit; ranks 1 2; timeout 30 */
/* Summaries are read back as what they are, maps of scalars and lists; a failed write is agreed on and leaves nothing. */
#include "base/impl.h"
#include "support.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static PetscErrorCode Item(const char *key, PetscInt i, const char **text)
{
  const WeftEntry *entry = WeftTableFind(key);

  PetscFunctionBegin;
  TestCheck(entry && i < entry->count, "the summary has no %s[%d]", key, (int)i);
  *text = entry->item[i];
  PetscFunctionReturn(0);
}

static PetscErrorCode RoundTrip(const char *path)
{
  const double values[3] = {0.1, -1e300, 3.0};
  const char  *quoted    = "a \"b\" \\ c\n\t\x01";
  WeftSummary  summary;
  const char  *text = NULL;
  char         part[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("check", &summary));
  PetscCall(WeftSummaryReal(summary, "test/error/corrected", 1.0 / 3.0));
  PetscCall(WeftSummaryInt(summary, "updates", 4960));
  PetscCall(WeftSummaryReal(summary, "test/error/uncorrected", 2.0));
  PetscCall(WeftSummaryReal(summary, "test/error/uncorrected", 2.5)); /* the last one counts */
  PetscCall(WeftSummaryString(summary, "note", quoted));
  PetscCall(WeftSummaryRealList(summary, "losses", 3, values));
  PetscCall(WeftSummaryRealList(summary, "nothing", 0, NULL));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCall(PetscSNPrintf(part, sizeof(part), "%s.part", path));
  TestCheck(access(part, F_OK), "%s was left behind", part);

  PetscCall(WeftCaseLoad(path)); /* JSON is YAML */
  PetscCall(Item("test_error_corrected", 0, &text));
  TestCheck(strtod(text, NULL) == 1.0 / 3.0, "a number came back as %s", text);
  PetscCall(Item("test_error_uncorrected", 0, &text));
  TestCheck(strtod(text, NULL) == 2.5, "an overwritten number came back as %s", text);
  PetscCall(Item("updates", 0, &text));
  TestCheck(!strcmp(text, "4960"), "an integer came back as %s", text);
  PetscCall(Item("note", 0, &text));
  TestCheck(!strcmp(text, quoted), "a text came back as '%s'", text);
  for (PetscInt i = 0; i < 3; i++) {
    PetscCall(Item("losses", i, &text));
    TestCheck(strtod(text, NULL) == values[i], "item %d came back as %s", (int)i, text);
  }
  TestCheck(WeftTableFind("nothing")->count == 0, "an empty list came back with items");
  PetscCall(Item("verb", 0, &text));
  TestCheck(!strcmp(text, "check"), "the verb came back as %s", text);
  PetscCall(Item("versions_weft", 0, &text));
  PetscCall(Item("wall_seconds", 0, &text));
  TestCheck(strtod(text, NULL) >= 0.0, "wall_seconds is %s", text);
  PetscFunctionReturn(0);
}

/* Not a number is null, which no reader takes for a figure. */
static PetscErrorCode NotANumber(const char *path)
{
  WeftSummary summary;

  PetscFunctionBegin;
  PetscCall(WeftSummaryCreate("check", &summary));
  PetscCall(WeftSummaryReal(summary, "loss", NAN));
  PetscCall(WeftSummaryWrite(summary, path));
  PetscCall(WeftSummaryDestroy(&summary));
  TestFails(WeftCaseLoad(path), "loss has no value");
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  char        folder[PETSC_MAX_PATH_LEN] = "/tmp/weft-summary-XXXXXX", path[PETSC_MAX_PATH_LEN], whole[PETSC_MAX_PATH_LEN], made[PETSC_MAX_PATH_LEN];
  WeftSummary summary;
  struct stat status;

  PetscFunctionBegin;
  if (!PetscGlobalRank) TestCheck(mkdtemp(folder), "no temporary folder");
  PetscCallMPI(MPI_Bcast(folder, sizeof(folder), MPI_CHAR, 0, PETSC_COMM_WORLD));
  PetscCall(PetscSNPrintf(path, sizeof(path), "%s/a/b", folder));
  PetscCall(TestSetKey("output", path));
  PetscCall(WeftOutputFolder("check", made, sizeof(made)));
  TestCheck(!strcmp(made, path) && !stat(path, &status) && S_ISDIR(status.st_mode), "-output %s was not made", path);
  PetscCall(WeftOutputFolder("check", made, sizeof(made))); /* it is there already */
  PetscCall(PetscSNPrintf(whole, sizeof(whole), "%s/summary.json", path));
  PetscCall(RoundTrip(whole));
  PetscCall(NotANumber(whole));

  PetscCall(TestSetKey("output", whole));
  TestFails(WeftOutputFolder("check", made, sizeof(made)), "cannot be made");
  PetscCall(WeftSummaryCreate("check", &summary));
  PetscCall(PetscSNPrintf(whole, sizeof(whole), "%s/missing/summary.json", folder));
  TestFails(WeftSummaryWrite(summary, whole), "missing/summary.json cannot be written: No such file");
  PetscCall(WeftSummaryDestroy(&summary));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  if (!PetscGlobalRank) PetscCall(PetscRMTree(folder));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
