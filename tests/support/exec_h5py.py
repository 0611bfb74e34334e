"""What h5py shows a program, as assertions that hold without h5swim exec as well."""
import os
import sys

import h5py
import numpy as np


def raises(kind, name, *args, **kw):
    try:
        h5py.File(name, *args, **kw).close()
    except kind:
        return
    raise AssertionError("no %s: %s %s" % (kind.__name__, name, args))


raises(FileNotFoundError, "none.h5", "r")
raises(FileNotFoundError, "none.h5", "r+")
raises(OSError, "none/none.h5", "w")
with open("text.h5", "w", encoding="ascii") as text:
    text.write("this is not HDF5" * 100)
raises(OSError, "text.h5", "r")

with h5py.File("m.h5", "w") as f:  # mode w, and what it is that is open
    f["x"] = np.arange(10)
    assert f.driver == "sec2" and f.mode == "r+", (f.driver, f.mode)
    assert os.fstat(f.id.get_vfd_handle()).st_size >= 0
    with h5py.File("m.h5", "r+") as again:  # by path, before the close of a new file
        assert again == f and again["x"][3] == 3
        again["y"] = 1
    assert f["y"][()] == 1
raises(FileExistsError, "m.h5", "x")
raises(FileExistsError, "m.h5", "w-")
with h5py.File("m.h5", "r") as f:
    assert f["x"][:].tolist() == list(range(10)) and f["y"][()] == 1
    with h5py.File("m.h5", "r") as again:
        assert again["y"][()] == 1
    assert f["y"][()] == 1
    try:
        f["z"] = 1
        raise AssertionError("a file opened for reading was written to")
    except (OSError, ValueError, RuntimeError):
        pass
with h5py.File("m.h5", "r+") as f:
    f["x"][0] = 42
    raises(OSError, "m.h5", "w")
with h5py.File("m.h5", "a") as f:
    assert f["x"][0] == 42
    f["a"] = 2
with h5py.File("new.h5", "a") as f:
    f["x"] = 1
with h5py.File("x.h5", "x") as f:
    f["link"] = h5py.ExternalLink("m.h5", "x")
with h5py.File("x.h5", "r") as f:
    assert f["link"][0] == 42
layout = h5py.VirtualLayout(shape=(10,), dtype="i8")
layout[:] = h5py.VirtualSource("m.h5", "x", shape=(10,))
with h5py.File("virtual.h5", "w", libver="latest") as f:
    f.create_virtual_dataset("v", layout)
with h5py.File("virtual.h5", "r") as f:
    assert f["v"][0] == 42
with h5py.File("core.h5", "w", driver="core", backing_store=False) as f:
    f["x"] = 1
    assert f.driver == "core"
assert not os.path.exists("core.h5")
with h5py.File("m.h5", "r", driver="core") as f:
    assert f.driver == "core" and f["x"][0] == 42
with h5py.File("u.h5", "w", userblock_size=512) as f:
    f["x"] = 1
with h5py.File("u.h5", "r") as f:
    assert f.userblock_size == 512
assert not [n for n in os.listdir(".") if ".swim" in n], os.listdir(".")
print("done", sys.version_info[0])
