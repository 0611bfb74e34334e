"""check_open.py OUT.nc DATASET UNITS LONG_NAME AXIS[=IN.nc]...

Open a result with xarray and see that it has these dimensions in this order, each with
coordinates, equal in values and units to those of the input where one is named.
"""
import sys

import numpy as np
import xarray

name, dataset, units, long_name = sys.argv[1:5]
axes = [a.partition("=") for a in sys.argv[5:]]
with xarray.open_dataset(name, decode_times=False) as out:
    v = out[dataset]
    assert v.dims == tuple(a[0] for a in axes), v.dims
    assert v.dtype == np.float32, v.dtype
    assert v.attrs["units"] == units, v.attrs
    assert v.attrs["long_name"] == long_name, v.attrs
    assert not [a for a in v.attrs if a.startswith("h5swim") and a != "h5swim_job"], v.attrs
    for axis, _, source in axes:
        assert axis in out.coords, f"{axis} has no coordinates"
        if source:
            with xarray.open_dataset(source, decode_times=False) as like:
                assert np.array_equal(out[axis].values, like[axis].values), axis
                assert out[axis].attrs["units"] == like[axis].attrs["units"], axis
        else:
            assert np.array_equal(out[axis].values, np.arange(1, 13)), axis
with xarray.open_dataset(name) as out:
    out[dataset].mean().load()
