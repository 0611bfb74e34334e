"""make_holes.py FILE.nc DATASET...

Put missing values (_FillValue) into datasets of 2 or 3 dimensions, in place: about one
value in ten at random (the same ones every time), a whole row, and of three dimensions
also one place at all times and another in every twelfth.
"""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1], "r+") as f:
    for seed, name in enumerate(sys.argv[2:]):
        values = f[name][()]
        holes = np.random.default_rng(seed).random(values.shape) < 0.1
        holes[..., 5, :] = True
        if values.ndim == 3:
            holes[:, 7, 11] = True
            holes[3::12, 8, 12] = True
        values[holes] = np.ravel(f[name].attrs["_FillValue"])[0]
        f[name][...] = values
