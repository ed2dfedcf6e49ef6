# Copyright of the project; see LICENSE.
from spack.package import *


class Weft(CMakePackage):
    """MPI-distributed framework for neural networks that are trained inside PDE solvers."""

    homepage = "https://example.org/weft"
    git = "file:///path/to/weft"  # the checkout; spack dev-build needs none

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("cmake@3.20:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("petsc@3.18: +mpi+double~complex~int64")
    depends_on("hdf5@1.10: +mpi")
    depends_on("blis threads=none libs=static")
    depends_on("fftw@3 precision=double")
    depends_on("libyaml")
    depends_on("libpng")

    def cmake_args(self):
        blis = self.spec["blis"].prefix
        return [
            self.define("HDF5_ROOT", self.spec["hdf5"].prefix),
            self.define("BLIS_LIBRARY", join_path(blis.lib, "libblis.a")),
            self.define("BLIS_INCLUDE_DIR", blis.include),
        ]

    def setup_build_environment(self, env):
        env.set("PETSC_DIR", self.spec["petsc"].prefix)
