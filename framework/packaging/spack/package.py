# package.py - h5swim for Spack: copy it to packages/h5swim/ of a repository of your own
# (spack repo create), and say where the source is:
#
#     spack develop --path CLONE h5swim@main
#     spack install h5swim@main +mpi
from spack.package import *


class H5swim(CMakePackage):
    """Batch kernels, locks and transactions for HDF5 files."""

    git = "https://example.org/h5swim.git"  # your site's mirror, unless spack develop

    license("BSD-3-Clause")

    version("main", branch="main")

    variant("mpi", default=True, description="Jobs under mpirun and srun")
    variant("isal", default=False, description="Deflate with ISA-L at level 1")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")

    depends_on("hdf5@1.10: ~mpi +hl")
    depends_on("hiredis@0.14:")
    depends_on("openssl")
    depends_on("libfyaml")
    depends_on("jansson")
    depends_on("libdeflate")
    depends_on("xxhash")
    depends_on("udunits")
    depends_on("libbsd", type="build")
    depends_on("isa-l", when="+isal")
    depends_on("mpi", when="+mpi")
    depends_on("redis@6:", type="run")

    def cmake_args(self):
        return [
            self.define_from_variant("SWIM_MPI", "mpi"),
            self.define_from_variant("SWIM_ISAL", "isal"),
            self.define("SWIM_TESTS", False),
            self.define("SWIM_WERROR", False),
        ]
