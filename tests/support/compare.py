"""compare.py A.nc DATASET B.nc DATASET [ULPS]

Compare two datasets.  Without ULPS: the same type, shape, chunks or not, and bit for
bit the same values.  With ULPS: missing in the same places, and elsewhere values of
float32 that are at most that many representable numbers apart.  The largest difference
is printed.  Exit status: 0 equal so far, 1 not.
"""
import sys

import h5py
import numpy as np


def read(name, dataset):
    with h5py.File(name, "r") as f:
        d = f[dataset]
        values = d[()]
        missing = np.isnan(values)
        for attribute in ("_FillValue", "missing_value"):
            if attribute in d.attrs:
                missing |= values == np.ravel(d.attrs[attribute])[0].astype(d.dtype)
    return values, missing


def ordered(values):
    """float32 as integers in which neighbours differ by 1."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def main():
    name_a, set_a, name_b, set_b = sys.argv[1:5]
    a, missing_a = read(name_a, set_a)
    b, missing_b = read(name_b, set_b)
    what = f"{name_a}:{set_a} and {name_b}:{set_b}"
    if a.shape != b.shape:
        sys.exit(f"{what}: shapes {a.shape} and {b.shape}")
    if len(sys.argv) == 5:
        if a.dtype != b.dtype or a.tobytes() != b.tobytes():
            n = np.count_nonzero(a != b) if a.dtype == b.dtype else a.size
            sys.exit(f"{what}: {n} of {a.size} values differ")
        print(f"{what}: the same bits, {a.size} values, {np.count_nonzero(missing_a)} missing")
        return
    if not np.array_equal(missing_a, missing_b):
        n = np.count_nonzero(missing_a != missing_b)
        sys.exit(f"{what}: {n} values are missing in one alone")
    a, b = a[~missing_a], b[~missing_b]
    if a.size == 0:
        sys.exit(f"{what}: nothing to compare")
    apart = np.abs(ordered(a) - ordered(b))
    scale = np.maximum(np.abs(b.astype(np.float64)), np.finfo(np.float32).tiny)
    relative = np.abs(a.astype(np.float64) - b) / scale
    print(f"{what}: {a.size} values, {np.count_nonzero(missing_a)} missing, "
          f"at most {apart.max()} ulp, relative {relative.max():.3g}, "
          f"{np.count_nonzero(apart)} not the same")
    if apart.max() > int(sys.argv[5]):
        sys.exit(f"{what}: more than {sys.argv[5]} ulp apart")


main()
