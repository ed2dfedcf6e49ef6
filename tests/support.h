/* What every test uses: WEFT_TEST_MAIN(function) runs it between WeftInitialize and WeftFinalize; the exit code is the verdict. */
#ifndef WEFT_TEST_SUPPORT_H
#define WEFT_TEST_SUPPORT_H
#include <weft/base.h>
#include <string.h>
/* Fails the test on all ranks, naming file and line. Collective when the condition is the same everywhere. */
#define TestCheck(condition, ...) PetscCheck(condition, PETSC_COMM_SELF, PETSC_ERR_PLIB, __VA_ARGS__)
PetscErrorCode TestClose(double value, double expected, double tolerance,
                         const char *what); /* |value - expected| <= tolerance */
/* Sets a key as a case file would; the items of a list stand between ';'. */
PetscErrorCode TestSetKey(const char *key, const char *value);
/* What rank 0 prints on standard error between Begin and End comes back in text (on every rank). Collective on the world. */
PetscErrorCode TestCaptureBegin(void);
PetscErrorCode TestCaptureEnd(char text[], int room);
/* The call, made by every rank, must be an error of the user with a message that holds `expected`. */
#define TestFails(call, expected)                                                                                              \
  do {                                                                                                                         \
    char           message_[4096];                                                                                             \
    PetscErrorCode code_;                                                                                                      \
    PetscCall(TestCaptureBegin());                                                                                             \
    code_ = (call);                                                                                                            \
    PetscCall(TestCaptureEnd(message_, (int)sizeof(message_)));                                                                \
    TestCheck(code_ == WEFT_ERR_USER, "%s: code %d, expected an error that says '%s'", #call, (int)code_, expected);           \
    TestCheck(strstr(message_, expected), "%s: the message '%s' does not say '%s'", #call, message_, expected);                \
    TestCheck(!strstr(strstr(message_, "weft: error") + 1, "weft: error"), "%s: more than one message: %s", #call, message_);  \
  } while (0)
/* A dataset on the box of the keys: random velocities, frames 0.5 apart; Reynolds numbers 100, 100, 200, 200, ...; the last simulation
   moves at `fast` on top, the others at 0.3. Collective on the world. */
PetscErrorCode TestWriteDataset(const char *path, PetscInt simulations, PetscInt frames, PetscReal fast);
/* Called before TestMain: counts what is taken from PETSc's allocator. */
PetscErrorCode  TestCountAllocations(void);
extern PetscInt test_allocations;
extern int     test_argc; /* arguments of the test */
extern char  **test_argv;
int            TestMain(int argc, char **argv, PetscErrorCode (*test)(void));
#define WEFT_TEST_MAIN(test)                                                                                                   \
  int main(int argc, char **argv)                                                                                              \
  {                                                                                                                            \
    return TestMain(argc, argv, test);                                                                                         \
  }
#endif
