"""store_soak_worker.py writes|reads|looks FOLDER ID SEED: a program of the soak of the
store, under h5swim exec, until the file `stop` is there or it is killed.  One that looks
reads each file once.

It makes sessions with h5py on one file after the other, and writes down in ID.history
what it is about to do and what came of it, each line by one write(2).  Times are those
of the host's clock that never stops.

    b TIME FILE NUMBER PARENT     a commit of this state is about to be made; the file
                                  is open for writing and holds PARENT (-: made anew)
    c TIME FILE NUMBER            it is acknowledged
    f TIME FILE NUMBER            it has failed, or was given up: it must never be seen
    u TIME FILE NUMBER            it may have been made or not (SWIM_ERR_UNSURE)
    r ASKED DONE FILE NUMBER TEXT DIGEST...   what a session that reads has found
    n TIME FILE WHY               a file could not be opened, or not be read
    q TIME                        it ends by itself
"""
import ctypes
import errno
import os
import random
import sys
import time

import h5py

import store_states as states

UNSURE = -6


class Worker:
    def __init__(self, folder, ident, seed):
        self.folder, self.ident, self.count = folder, int(ident), 0
        self.dice = random.Random(f"{seed}.{ident}")
        self.log = os.open(f"{folder}/{ident}.history",
                           os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.library = None

    def load(self):
        """What h5py has no word for, of the library that h5swim exec has loaded."""
        self.library = ctypes.CDLL(os.environ["SOAK_LIBRARY"])
        self.library.swim_commit.argtypes = [ctypes.c_int64, ctypes.c_void_p]
        self.library.swim_abort.argtypes = [ctypes.c_int64, ctypes.c_void_p]

    def say(self, *words):
        line = " ".join(str(w) for w in words) + "\n"
        if os.write(self.log, line.encode()) != len(line):
            raise OSError(errno.EIO, "a history was not written")

    def path(self, which):
        return f"{self.folder}/{which}.h5"

    def go_on(self):
        return not os.path.exists(f"{self.folder}/stop")

    def next_number(self):
        """Greater than all before it, of whichever worker."""
        self.count += 1
        return self.ident * 10000 + self.count

    def pause(self):
        if self.dice.random() < 0.03:
            time.sleep(self.dice.random() * 0.1)

    # --- sessions

    def read(self, which):
        asked = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        with h5py.File(self.path(which), "r") as file:
            state, text = states.look(file, self.pause)
        found = states.digests(state)
        whole = text == states.text_of(state["number"])
        done = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.say("r", asked, done, which, state["number"], int(whole), *found)

    def begin(self, which, parent):
        number = self.next_number()
        self.say("b", now(), which, number, parent)
        return number

    def commit(self, file, which, number):
        """In the middle of a session: True when it is acknowledged."""
        rc = self.library.swim_commit(file.id.id, None)
        self.say("c" if rc == 0 else "u" if rc == UNSURE else "f", now(), which, number)
        return rc == 0

    def close(self, file, which, number):
        """By h5py alone: close cannot say that the commit failed, the standard error
        output does."""
        before = os.fstat(2).st_size
        file.close()
        said = os.pread(2, 4096, before).decode(errors="replace")
        lost = "what was written since the last commit is lost" in said
        self.say("u" if "may be lost" in said else "f" if lost else "c", now(), which,
                 number)

    def open(self, which):
        anew = self.dice.random() < 0.05
        file = h5py.File(self.path(which), "w" if anew else "r+",
                         libver=states.LIBVERS[which])
        return file, anew

    def write(self, which):
        file, anew = self.open(which)
        number = 0
        try:
            parent = "-" if anew else int(file.attrs["number"])
            if anew:
                states.make(file)
            for left in reversed(range(self.dice.choice((1, 1, 1, 2, 4)))):
                number = self.begin(which, parent)
                states.change(file, number)
                self.pause()
                if left == 0 and self.dice.random() < 0.5:
                    self.close(file, which, number)
                    return
                if self.dice.random() < 0.05:
                    self.library.swim_abort(file.id.id, None)
                    self.say("f", now(), which, number)
                    return
                if not self.commit(file, which, number):
                    return
                parent, number = number, 0
        except (OSError, RuntimeError, KeyError, ValueError):
            # The file is to be closed, and keeps what was committed last.
            self.library.swim_abort(file.id.id, None)
            if number:
                self.say("f", now(), which, number)
        finally:
            file.close()


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def main():
    what, folder, ident, seed = sys.argv[1:]
    worker = Worker(folder, ident, seed)
    if what == "looks":
        for which in range(len(states.LIBVERS)):
            worker.read(which)
        return
    if what == "writes":
        worker.load()
    session = worker.write if what == "writes" else worker.read
    while worker.go_on():
        which = worker.dice.randrange(len(states.LIBVERS))
        try:
            session(which)
        except OSError as error:
            worker.say("n", now(), which, " ".join(str(error).split()))
            time.sleep(0.02)
    worker.say("q", now())


if __name__ == "__main__":
    main()
