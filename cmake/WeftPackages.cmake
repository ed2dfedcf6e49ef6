# The packages that Weft stands on, as one interface target.
find_package(PkgConfig REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
if(DEFINED ENV{PETSC_DIR}) # a PETSc of one's own goes before the system's
  set(ENV{PKG_CONFIG_PATH} "$ENV{PETSC_DIR}/$ENV{PETSC_ARCH}/lib/pkgconfig:$ENV{PETSC_DIR}/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
endif()
pkg_check_modules(PETSC REQUIRED IMPORTED_TARGET PETSc>=3.18)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "Weft needs HDF5 built with MPI (Debian: libhdf5-openmpi-dev; elsewhere set HDF5_ROOT)")
endif()
pkg_check_modules(FFTW REQUIRED IMPORTED_TARGET fftw3)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
# BLIS is linked statically and its symbols kept in: a dynamic BLIS would also answer PETSc's own BLAS calls.
find_library(BLIS_LIBRARY NAMES libblis.a PATH_SUFFIXES blis-serial blis REQUIRED)
find_path(BLIS_INCLUDE_DIR NAMES blis/blis.h blis.h PATH_SUFFIXES x86_64-linux-gnu REQUIRED)
find_package(Threads REQUIRED)
add_library(weft_packages INTERFACE)
target_link_libraries(weft_packages INTERFACE PkgConfig::PETSC MPI::MPI_C ${HDF5_C_LIBRARIES} PkgConfig::FFTW PkgConfig::YAML PkgConfig::PNG
                                              ${BLIS_LIBRARY} Threads::Threads m)
target_link_options(weft_packages INTERFACE -Wl,--exclude-libs,libblis.a)
target_include_directories(weft_packages INTERFACE ${HDF5_C_INCLUDE_DIRS} ${BLIS_INCLUDE_DIR})
