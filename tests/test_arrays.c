/* ctest: io; ranks 1 2 4; timeout 120 */
/* Named arrays: what is written is read on every rank; changed bits, cut and foreign files are refused; safetensors. */
#include "io_support.h"
#include <weft/io.h>

extern unsigned long long WeftChecksum(unsigned long long sum, size_t bytes, const void *data);

#define WEIGHTS 300
static double Weight(PetscInt i) { return 1.0 / (double)(i + 1) - 0.25; }

static PetscErrorCode Make(WeftArrays *arrays)
{
  const PetscInt flat[] = {WEIGHTS}, kernel[] = {3, 2, 5, 10}, empty[] = {0, 4};
  const double   step = 17.0;
  double         weights[WEIGHTS];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < WEIGHTS; i++) weights[i] = Weight(i);
  PetscCall(WeftArraysCreate(arrays));
  PetscCall(WeftArraysSet(*arrays, "/weights", 1, flat, weights));
  PetscCall(WeftArraysSet(*arrays, "/net/conv1/kernel", 4, kernel, weights));
  PetscCall(WeftArraysSet(*arrays, "step", 0, NULL, &step));
  PetscCall(WeftArraysSet(*arrays, "empty", 2, empty, NULL));
  PetscCall(WeftArraysSetString(*arrays, "net", "first text"));
  PetscCall(WeftArraysSetString(*arrays, "net", "conv 3 32\nrelu"));
  PetscFunctionReturn(0);
}

static PetscErrorCode Same(WeftArrays arrays)
{
  const double *values;
  const char   *text;
  PetscInt      count, rank, shape[4];

  PetscFunctionBegin;
  PetscCall(WeftArraysGet(arrays, "weights", &count, &values));
  TestCheck(values && count == WEIGHTS, "/weights is not there");
  for (PetscInt i = 0; i < count; i++) TestCheck(values[i] == Weight(i), "weight %d", (int)i);
  PetscCall(WeftArraysGet(arrays, "/net/conv1/kernel", &count, &values));
  PetscCall(WeftArraysGetShape(arrays, "/net/conv1/kernel", &rank, shape));
  TestCheck(values && count == WEIGHTS && rank == 4 && shape[0] == 3 && shape[1] == 2 && shape[2] == 5 && shape[3] == 10, "shape of the kernel");
  for (PetscInt i = 0; i < count; i++) TestCheck(values[i] == Weight(i), "kernel %d", (int)i);
  PetscCall(WeftArraysGet(arrays, "/step", &count, &values));
  TestCheck(values && count == 1 && *values == 17.0, "/step");
  PetscCall(WeftArraysGet(arrays, "empty", &count, &values));
  TestCheck(values && count == 0, "the empty array");
  PetscCall(WeftArraysGet(arrays, "nothing", &count, &values));
  TestCheck(!values && count == 0, "an array that is not there");
  PetscCall(WeftArraysGetString(arrays, "net", &text));
  TestCheck(text && !strcmp(text, "conv 3 32\nrelu"), "the text is '%s'", text ? text : "");
  PetscCall(WeftArraysGetString(arrays, "nothing", &text));
  TestCheck(!text, "a text that is not there");
  PetscFunctionReturn(0);
}

/* No changed bit may give other contents; those in values and names must be found. */
static PetscErrorCode Flip(const char *good, const char *bad)
{
  const long size     = TestSize(good);
  PetscInt   refused = 0, tried = 0;

  PetscFunctionBegin;
  for (long byte = 0; byte < size; byte += 23) {
    WeftArrays     arrays;
    char           message[4096];
    PetscErrorCode ierr;
    PetscCall(TestDamage(good, bad, byte, (int)(byte % 8), -1));
    PetscCall(TestCaptureBegin());
    ierr = WeftArraysRead(bad, &arrays);
    PetscCall(TestCaptureEnd(message, (int)sizeof(message)));
    if (!ierr) {
      PetscCall(Same(arrays));
      PetscCall(WeftArraysDestroy(&arrays));
    } else TestCheck(ierr == WEFT_ERR_USER && strstr(message, bad), "byte %ld: code %d, message %s", byte, (int)ierr, message);
    tried++;
    refused += ierr ? 1 : 0;
  }
  TestCheck(refused > tried / 2, "%d of %d files with a changed bit were refused", (int)refused, (int)tried);
  PetscFunctionReturn(0);
}

static PetscErrorCode Safetensors(WeftArrays arrays)
{
  const char *path = TestPath("arrays", ".safetensors");
  char        text[2048];

  PetscFunctionBegin;
  PetscCall(WeftArraysWriteSafetensors(arrays, path));
  if (TestRank() == 0) {
    FILE              *file = fopen(path, "rb");
    unsigned long long header = 0;
    float              values[WEIGHTS];
    const char        *at;
    unsigned           begin, end;
    TestCheck(file && fread(&header, 8, 1, file) == 1 && header < sizeof(text) && header % 8 == 0, "length of the header");
    TestCheck(fread(text, 1, header, file) == header, "the header");
    text[header] = 0;
    TestCheck(text[0] == '{' && strstr(text, "\"net\":\"conv 3 32\\u000arelu\""), "the metadata: %s", text);
    TestCheck(strstr(text, "\"net.conv1.kernel\":{\"dtype\":\"F32\",\"shape\":[3,2,5,10],"), "the kernel: %s", text);
    at = strstr(text, "\"weights\":{\"dtype\":\"F32\",\"shape\":[300],\"data_offsets\":[");
    TestCheck(at && sscanf(strstr(at, "offsets\":[") + 10, "%u,%u", &begin, &end) == 2 && end - begin == 4 * WEIGHTS, "the weights: %s", text);
    TestCheck(!fseek(file, (long)(8 + header + begin), SEEK_SET) && fread(values, 4, WEIGHTS, file) == WEIGHTS, "the values");
    for (PetscInt i = 0; i < WEIGHTS; i++) TestCheck(values[i] == (float)Weight(i), "weight %d", (int)i);
    fclose(file);
    TestCheck(TestSize(path) == (long)(8 + header + 4 * (2 * WEIGHTS + 1)), "size of the file");
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode Test(void)
{
  WeftArrays arrays, back;
  char       good[256], bad[256];

  PetscFunctionBegin;
  TestCheck(WeftChecksum(0, 9, "123456789") == 0x995DC9BBDF1939FAULL, "CRC-64 of the standard check text: %llx", WeftChecksum(0, 9, "123456789"));
  TestCheck(WeftChecksum(WeftChecksum(0, 4, "1234"), 5, "56789") == 0x995DC9BBDF1939FAULL, "CRC-64 in two parts");
  snprintf(good, sizeof(good), "%s", TestPath("arrays", ".h5"));
  snprintf(bad, sizeof(bad), "%s", TestPath("arrays_bad", ".h5"));
  PetscCall(Make(&arrays));
  PetscCall(Same(arrays));
  PetscCall(WeftArraysWrite(arrays, good));
  TestCheck(TestRank() || (TestExists(good) && !TestExists(TestPath("arrays", ".part.h5"))), "the file is not complete");
  PetscCall(WeftArraysRead(good, &back));
  PetscCall(Same(back));
  PetscCall(WeftArraysDestroy(&back));
  PetscCall(Safetensors(arrays));
  TestFails(WeftArraysWrite(arrays, "no_such_folder/weights.h5"), "cannot create no_such_folder/weights.part.h5");
  TestFails(WeftArraysWriteSafetensors(arrays, "no_such_folder/weights.safetensors"), "cannot create no_such_folder");
  TestFails(WeftArraysRead("no_such_file.h5", &back), "cannot open no_such_file.h5");
  for (PetscInt part = 0; part < 8; part++) {
    PetscCall(TestDamage(good, bad, -1, 0, TestSize(good) * part / 8));
    TestFails(WeftArraysRead(bad, &back), bad);
  }
  PetscCall(Flip(good, bad));
  PetscCall(WeftArraysSetString(arrays, "checksum", "mine"));
  TestFails(WeftArraysWrite(arrays, bad), "has a name that the file needs for itself");
  PetscCall(WeftArraysDestroy(&arrays));
  PetscFunctionReturn(0);
}
WEFT_TEST_MAIN(Test)
