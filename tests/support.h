/* What every test uses: WEFT_TEST_MAIN(function) runs it between WeftInitialize and WeftFinalize; the exit code is the verdict. */
#ifndef WEFT_TEST_SUPPORT_H
#define WEFT_TEST_SUPPORT_H
#include <weft/base.h>
/* Fails the test on all ranks, naming file and line. Collective when the condition is the same everywhere. */
#define TestCheck(condition, ...) PetscCheck(condition, PETSC_COMM_SELF, PETSC_ERR_PLIB, __VA_ARGS__)
PetscErrorCode TestClose(double value, double expected, double tolerance, const char *what); /* |value - expected| <= tolerance */
/* Sets a key as a case file would; the items of a list stand between ';'. */
PetscErrorCode TestSetKey(const char *key, const char *value);
int            TestMain(int argc, char **argv, PetscErrorCode (*test)(void));
#define WEFT_TEST_MAIN(test)                                                                                                   \
  int main(int argc, char **argv)                                                                                              \
  {                                                                                                                            \
    return TestMain(argc, argv, test);                                                                                         \
  }
#endif
