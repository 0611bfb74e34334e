#!/usr/bin/env python3
"""check_store_history.py FOLDER [--least N] [--killed N]: judge the histories of the
soak of the store.

It knows nothing of the store's code, only what h5swim/store.h promises; the lines are
those of store_soak_worker.py and store_soak.py, and what a state holds is said by
store_states.py.  Times are nanoseconds of one clock that never stops.

A state counts when it was acknowledged, or was found by one who opened the file.
Writers exclude each other from open to close, so the states that count follow each other
in the order in which they were begun.  Of each file it is looked whether this is broken:

  unknown   Nothing is found that nobody has begun.
  torn      All that a session has read is what one state holds.
  early     Nothing is found before it was begun.
  lost      A state that counts is made of the one before it that counts, or anew; what a
            session finds is not older than what was acknowledged, or found by a session
            that had ended, before it began.
  undone    What has failed, or was given up, is never found.
  alive     What was neither acknowledged nor has failed is the last that its worker did,
            and the worker was killed.
  fault     Workers end by a signal that the driver has sent, or with status 0.
  progress  At least so many commits and reads (--least), and commits of killed workers
            that were found although nobody has acknowledged them (--killed).
"""
import argparse
import glob
import os
import sys

import store_states as states


class State:
    def __init__(self, worker, begun, number, parent):
        self.worker, self.begun, self.number, self.parent = worker, begun, number, parent
        self.acknowledged = self.failed = None
        self.unsure = self.counts = False
        self.position, self.parts = -1, None


class Read:
    def __init__(self, asked, done, number, whole, parts):
        self.asked, self.done, self.number = asked, done, number
        self.whole, self.parts = whole, parts


class File:
    def __init__(self):
        first = State("driver", 0, 0, None)
        first.acknowledged = 0
        self.states, self.reads = {0: first}, []


class History:
    def __init__(self, folder):
        self.wrong, self.files, self.killed, self.last = [], {}, set(), {}
        self.commits = self.failed = self.unsure = self.by_the_killed = self.refused = 0
        self.reasons = {}
        for path in sorted(glob.glob(f"{folder}/*.history")):
            worker = os.path.basename(path).split(".")[0]
            take = self.take_driver if worker == "driver" else self.take
            with open(path, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    take(worker, line.split())

    def refuse(self, rule, text):
        self.wrong.append(f"{rule}: {text}")

    def take_driver(self, _, w):
        if w[0] == "K":
            self.killed.add(w[2])
        elif w[0] == "E" and w[2] != "0":
            self.refuse("fault", f"worker {w[1]} ended with status {w[2]}")

    def take(self, worker, w):
        if w[0] == "b":
            parent = None if w[4] == "-" else int(w[4])
            state = State(worker, int(w[1]), int(w[3]), parent)
            self.file(w[2]).states[state.number] = state
            self.last[worker] = state
        elif w[0] == "r":
            self.file(w[3]).reads.append(
                Read(int(w[1]), int(w[2]), int(w[4]), w[5] == "1", w[6:]))
        elif w[0] == "n":
            self.refused += 1
            why = " ".join(w[3:])
            self.reasons[why] = self.reasons.get(why, 0) + 1
        elif w[0] != "q":
            self.take_end(self.file(w[2]).states[int(w[3])], w)

    def file(self, which):
        return self.files.setdefault(which, File())

    def take_end(self, state, w):
        if w[0] == "c":
            state.acknowledged = int(w[1])
            self.commits += 1
        elif w[0] == "f":
            state.failed = int(w[1])
            self.failed += 1
        else:
            state.unsure = True
            self.unsure += 1

    # --- the rules

    def check(self):
        for name, file in sorted(self.files.items()):
            self.check_found(name, file)
            self.check_order(name, file)
            self.check_reads(name, file)
            self.check_sessions(name, file)
            self.check_ends(name, file)

    def check_found(self, name, file):
        """Which states count, by all who have found one."""
        for state in file.states.values():
            state.counts |= state.acknowledged is not None
            parent = file.states.get(state.parent) if state.parent is not None else None
            if parent:
                parent.counts = True
                if parent.begun > state.begun:
                    self.refuse("early", f"file {name}: {state.number} is made of "
                                f"{parent.number}, which was begun later")
            elif state.parent is not None:
                self.refuse("unknown", f"file {name}: {state.number} is made of "
                            f"{state.parent}")
        for read in file.reads:
            state = file.states.get(read.number)
            if not state:
                self.refuse("unknown", f"file {name}: {read.number} was found")
                continue
            state.counts = True
            if state.begun > read.done:
                self.refuse("early", f"file {name}: {read.number} was found")

    def check_order(self, name, file):
        """Each that counts is made of the one before; and what each of them holds."""
        before, holds = None, None
        wanted = {read.number for read in file.reads}
        order = sorted(file.states.values(), key=lambda s: s.begun)
        for position, state in enumerate(s for s in order if s.counts):
            state.position = position
            if before and state.parent is not None and state.parent != before.number:
                self.refuse("lost", f"file {name}: {state.number} is made of "
                            f"{state.parent}, and {before.number} came before it")
            if not before:
                holds = states.first()
            else:
                anew = state.parent is None
                holds = states.expect(states.first() if anew else holds, state.number)
            if state.number in wanted:
                state.parts = states.digests(holds)
            before = state

    def check_reads(self, name, file):
        for read in file.reads:
            state = file.states.get(read.number)
            if not state:
                continue
            bad = [part for part, is_, should in
                   zip(states.PARTS, read.parts, state.parts) if is_ != should]
            if bad or not read.whole or len(read.parts) != len(state.parts):
                self.refuse("torn", f"file {name}: {read.number} was found at "
                            f"{read.done} with other values: {' '.join(bad)}")

    def check_sessions(self, name, file):
        """What was known when a session began."""
        known = [(s.acknowledged, s.position) for s in file.states.values()
                 if s.acknowledged is not None]
        known += [(read.done, file.states[read.number].position)
                  for read in file.reads if read.number in file.states]
        known.sort()
        least, at = 0, 0
        for read in sorted(file.reads, key=lambda r: r.asked):
            while at < len(known) and known[at][0] < read.asked:
                least = max(least, known[at][1])
                at += 1
            state = file.states.get(read.number)
            if state and state.position < least:
                self.refuse("lost", f"file {name}: {read.number} was found by a session "
                            f"that began at {read.asked}, after a later one was known")

    def check_ends(self, name, file):
        for state in file.states.values():
            if state.failed is not None and state.counts:
                self.refuse("undone", f"file {name}: {state.number} was found")
            if state.acknowledged is None and state.failed is None and not state.unsure:
                if state is not self.last[state.worker] or \
                        state.worker not in self.killed:
                    self.refuse("alive", f"file {name}: {state.number} came to no end")
                elif state.counts:
                    self.by_the_killed += 1

    def check_progress(self, least, killed):
        reads = sum(len(file.reads) for file in self.files.values())
        print(f"commits {self.commits}, reads {reads}, failed or given up {self.failed},"
              f" unsure {self.unsure}, seen of the killed {self.by_the_killed},"
              f" sessions refused {self.refused}")
        if self.commits < least or reads < least or self.by_the_killed < killed:
            self.refuse("progress", f"less than {least} commits or reads, or than "
                        f"{killed} commits of the killed")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--least", type=int, default=0)
    parser.add_argument("--killed", type=int, default=0)
    parser.add_argument("--reasons", action="store_true",
                        help="why sessions did not begin")
    options = parser.parse_args()
    history = History(options.folder)
    history.check()
    history.check_progress(options.least, options.killed)
    if options.reasons:
        for why, n in sorted(history.reasons.items(), key=lambda r: -r[1])[:30]:
            print(n, why[:400])
    for wrong in history.wrong[:20]:
        print("WRONG:", wrong)
    return 1 if history.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
