"""store_states.py - the states of a file in the soak of the store.

Each state has a number that no other has.  All that the file holds follows from the
number and from the state that it was made of, so that whoever knows the history of the
numbers knows every value; expect() says it without HDF5, change() brings it about.
"""
import hashlib

import numpy as np

BLOCKS, BLOCK = 8, 4096
ROWS, ROW = 16, 2048
APPENDED_MOST, GROUPS_MOST = 3000, 5
LIBVERS = ("earliest", "latest", ("v110", "v110"))  # of files 0, 1, 2


def mixed(number):
    """Bits of a number that have little to do with those of its neighbours."""
    return (number * 0x9E3779B97F4A7C15 >> 20) & 0xFFFFFFFF


def run(number, length):
    return number * 10000 + np.arange(length, dtype="i8")


def packed_row(number):
    """What takes much room when it is packed, or little."""
    if mixed(number) % 3 == 0:
        return np.full(ROW, number, dtype="i8")
    return run(number, ROW) * 0x9E3779B9 % 1000003


def text_of(number):
    return f"state {number} " + "x" * (mixed(number) % 300)


def first():
    """What a file holds before its first change()."""
    return {"number": 0, "contiguous": np.zeros(BLOCKS * BLOCK, "i8"),
            "packed": np.zeros((ROWS, ROW), "i8"), "appended": np.zeros(0, "i8"),
            "groups": {}, "moved": "b"}


def expect(parent, number):
    """All of the state `number`, made of parent, which stays as it is."""
    state = dict(parent)
    m = mixed(number)
    state["number"] = number
    state["contiguous"] = state["contiguous"].copy()
    at = m % BLOCKS * BLOCK
    state["contiguous"][at:at + BLOCK] = run(number, BLOCK)
    state["packed"] = state["packed"].copy()
    state["packed"][m % ROWS] = packed_row(number)
    kept = state["appended"] if len(state["appended"]) < APPENDED_MOST else []
    state["appended"] = np.concatenate([kept, run(number, 50 + m % 400)]).astype("i8")
    groups = sorted(state["groups"].items())[-(GROUPS_MOST - 1):]
    state["groups"] = dict(groups + [(f"{number:015d}", run(number, 60))])
    state["moved"] = "a" if state["moved"] == "b" else "b"
    return state


def digests(state):
    """Of each part of a state: which one is wrong shows in a digest of its own."""
    groups = hashlib.blake2b(digest_size=6)
    for name, values in sorted(state["groups"].items()):
        groups.update(name.encode() + values.tobytes())
    parts = [hashlib.blake2b(bytes(part), digest_size=6).hexdigest() for part in (
        state["contiguous"].tobytes(), state["packed"].tobytes(),
        state["appended"].tobytes(), state["moved"].encode(),
        text_of(state["number"]).encode())]
    return parts + [groups.hexdigest()]


PARTS = ("contiguous", "packed", "appended", "moved", "text", "groups")


def make(file):
    """The objects of an empty file: it is first() then."""
    file.attrs["number"] = 0
    file.create_dataset("contiguous", data=np.zeros(BLOCKS * BLOCK, "i8"))
    file.create_dataset("packed", (ROWS, ROW), "i8", chunks=(1, ROW),
                        compression="gzip", compression_opts=1, shuffle=True)
    file.create_dataset("appended", (0,), "i8", chunks=(512,), maxshape=(None,))
    file.create_group("groups")
    file["packed"].attrs["text"] = text_of(0)
    file.create_group("b")


def change(file, number):
    """Make the file's state `number` of what it holds."""
    m = mixed(number)
    at = m % BLOCKS * BLOCK
    file.attrs["number"] = number
    file["contiguous"][at:at + BLOCK] = run(number, BLOCK)
    file["packed"][m % ROWS] = packed_row(number)
    appended, length = file["appended"], 50 + m % 400
    start = len(appended) if len(appended) < APPENDED_MOST else 0
    appended.resize((start,))
    appended.resize((start + length,))
    appended[start:] = run(number, length)
    file["packed"].attrs["text"] = text_of(number)
    names = sorted(file["groups"])
    for name in names[:-(GROUPS_MOST - 1)]:
        del file["groups"][name]
    group = file["groups"].create_group(f"{number:015d}")
    group.create_dataset("values", data=run(number, 60))
    old, new = ("b", "a") if "b" in file else ("a", "b")
    file.move(old, new)


def look(file, pause=lambda: None):
    """What a file holds, in the form of expect(); pause() between the parts."""
    state = {"number": int(file.attrs["number"])}
    pause()
    state["contiguous"] = file["contiguous"][:]
    pause()
    state["groups"] = {name: file["groups"][name]["values"][:]
                       for name in file["groups"]}
    state["appended"] = file["appended"][:]
    pause()
    state["moved"] = "+".join(name for name in ("a", "b") if name in file)
    state["packed"] = file["packed"][:]
    pause()
    return state, str(file["packed"].attrs["text"])
