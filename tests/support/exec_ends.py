"""exec_ends.py h5py|netCDF4|tables FILE END: sets "x" to 2 everywhere, closes nothing, ends."""
import os
import signal
import sys
import time
import warnings

library, name, end = sys.argv[1:]
warnings.simplefilter("ignore")
if library == "h5py":
    import h5py

    f = h5py.File(name, "r+")
    f["x"][...] = 2
elif library == "netCDF4":
    import netCDF4

    f = netCDF4.Dataset(name, "a")
    f["x"][:] = 2
else:
    import tables

    f = tables.open_file(name, "a")
    f.root.x[:] = 2


def told(number):
    """By a signal, at once or a moment later."""
    os.kill(os.getpid(), number)
    time.sleep(20)


if end == "close":
    f.close()
elif end == "exit3":
    sys.exit(3)
elif end == "raise":
    raise RuntimeError("on purpose")
elif end == "_exit":
    os._exit(0)
elif end != "end":
    told(getattr(signal, end))
