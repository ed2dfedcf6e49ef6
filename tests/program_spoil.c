/* For test_bad_input.sh: spoils an HDF5 file.
     spoil value FILE ARRAY NUMBER     the last value of ARRAY becomes NUMBER (nan, 1e9)
     spoil rename FILE FROM TO         FROM becomes TO
     spoil foreign FILE                a new file that some other program might have written */
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int SetLast(hid_t file, const char *name, double value)
{
  const hid_t array = H5Dopen2(file, name, H5P_DEFAULT), space = array < 0 ? -1 : H5Dget_space(array), one = H5Screate(H5S_SCALAR);
  hsize_t     dims[H5S_MAX_RANK], last[H5S_MAX_RANK];
  const int   rank   = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
  int         failed = 1;

  if (rank > 0) {
    for (int a = 0; a < rank; a++) last[a] = dims[a] - 1;
    failed = H5Sselect_elements(space, H5S_SELECT_SET, 1, last) < 0 || H5Dwrite(array, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &value) < 0;
  }
  if (array >= 0) H5Dclose(array);
  if (space >= 0) H5Sclose(space);
  H5Sclose(one);
  return failed;
}

static int Foreign(const char *path)
{
  const hsize_t seven = 7;
  const hid_t   file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(1, &seven, NULL);
  const hid_t   array = H5Dcreate2(file, "temperature", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

  H5Sclose(space);
  return array < 0 || H5Dclose(array) < 0 || H5Fclose(file) < 0;
}

/* Without its seal a file counts as one from elsewhere. */
static int Unseal(const char *path)
{
  const int file = open(path, O_WRONLY), failed = file < 0 || pwrite(file, "", 1, 0) != 1;

  return file < 0 || close(file) || failed;
}

int main(int argc, char **argv)
{
  hid_t file;
  int   failed;

  if (argc == 3 && !strcmp(argv[1], "foreign")) return Foreign(argv[2]);
  if (argc != 5) return 2;
  file = H5Fopen(argv[2], H5F_ACC_RDWR, H5P_DEFAULT);
  if (file < 0) return 1;
  if (!strcmp(argv[1], "value")) failed = SetLast(file, argv[3], strtod(argv[4], NULL));
  else failed = H5Lmove(file, argv[3], H5L_SAME_LOC, argv[4], H5P_DEFAULT, H5P_DEFAULT) < 0;
  return H5Fclose(file) < 0 || failed || Unseal(argv[2]);
}
