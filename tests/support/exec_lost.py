"""exec_lost.py FILE WHERE: a writer that is stopped somewhere, until it is continued.

It has x made 2 before (written), or has begun to, in the memory of the library
(cached), or has done nothing yet (opened).  When it goes on it makes all of it 3, in
small pieces and in one, and closes.  Prints which calls have failed; its end is that of
any program.
"""
import os
import signal
import sys

import h5py


def tried(name, call):
    try:
        call()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        lost = any(word in str(error) for word in ("lease", "later", "taken", "again"))
        print(name, "refused" if lost else "failed: " + " ".join(str(error).split()))
    else:
        print(name, "done")


def put(name, value):
    file[name][...] = value


def small():
    for n in range(8):
        file["chunks"][n * 100:n * 100 + 10] = 3
    file["x"].attrs["a"] = 3


file = h5py.File(sys.argv[1], "r+")
kept = file["chunks"]
if sys.argv[2] != "opened":
    kept[:50] = 2
if sys.argv[2] == "written":
    file["x"].attrs["a"] = 2
    put("x", 2)
    put("more", 2)
os.kill(os.getpid(), signal.SIGSTOP)
tried("small", small)
tried("x", lambda: put("x", 3))
del kept
tried("close", file.close)
