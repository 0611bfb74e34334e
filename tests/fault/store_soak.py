"""store_soak.py FOLDER SEED SECONDS LEAST H5SWIM LIBRARY: the soak of the store, for so
many seconds and, for five times as long at most, until there are so many commits and reads.

Starts a redis-server, writers and readers (store_soak_worker.py, each under h5swim exec)
and does to them, at random, what may happen: kills and stops writers and readers, and
kills the server and starts it again, empty.  What it did is in driver.history:

    K TIME ID SIGNAL      this signal was sent to a worker, which ends by it
    S TIME ID LONG        a worker was stopped; LONG 1: for longer than its lease
    R TIME                the server was killed
    E ID STATUS           a worker ended by itself, with this status

A server that has forgotten everything grants nothing for one lease, so it is killed less
often.  At the end all workers are told to stop; what they left is in FOLDER.
"""
import glob
import os
import random
import signal
import subprocess
import sys
import time

import h5py

import store_states as states

LEASE_MS = 1200
WRITERS, READERS = 3, 3


class Soak:
    def __init__(self, folder, seed, h5swim, library):
        self.folder, self.seed, self.h5swim = folder, seed, h5swim
        self.dice = random.Random(seed)
        self.log = open(f"{folder}/driver.history", "w", encoding="ascii", buffering=1)
        self.workers, self.stopped, self.sent, self.next_id = {}, {}, {}, 1
        self.counts = dict.fromkeys(("kills", "stops", "long stops", "servers"), 0)
        self.environment = dict(
            os.environ, SOAK_LIBRARY=library, SWIM_WAIT="5", SWIM_LEASE_MS=str(LEASE_MS),
            SWIM_REDIS_URL=f"unix://{folder}/redis.sock", PYTHONDONTWRITEBYTECODE="1",
            PYTHONUNBUFFERED="1")
        self.server = None
        self.server_back = 0.0

    def say(self, *words):
        self.log.write(" ".join(str(w) for w in words) + "\n")

    def start_server(self):
        self.server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", f"{self.folder}/redis.sock",
             "--save", "", "--appendonly", "no", "--dir", self.folder],
            stdout=subprocess.DEVNULL)

    def start(self, what):
        ident, self.next_id = self.next_id, self.next_id + 1
        with open(f"{self.folder}/{ident}.stderr", "a+b") as said:
            process = subprocess.Popen(
                [self.h5swim, "exec", "--", "/usr/bin/python3",
                 f"{os.path.dirname(os.path.abspath(__file__))}/store_soak_worker.py",
                 what, self.folder, str(ident), str(self.seed)],
                env=self.environment, stderr=said)
        self.workers[ident] = (process, what)

    # --- faults

    def kill(self, ident):
        process, _ = self.workers[ident]
        how = signal.SIGTERM if self.dice.random() < 0.1 else signal.SIGKILL
        self.say("K", now(), ident, int(how))
        process.send_signal(how)
        self.sent.setdefault(ident, set()).add(-how)
        self.counts["kills"] += 1
        if ident in self.stopped:
            self.go_on(ident)

    def stop(self, ident):
        is_long = self.dice.random() < 0.2
        self.say("S", now(), ident, int(is_long))
        self.workers[ident][0].send_signal(signal.SIGSTOP)
        self.counts["long stops" if is_long else "stops"] += 1
        seconds = LEASE_MS / 1000 * 1.5 if is_long else self.dice.random() * 0.5
        self.stopped[ident] = time.monotonic() + seconds

    def go_on(self, ident):
        del self.stopped[ident]
        self.workers[ident][0].send_signal(signal.SIGCONT)

    def kill_server(self):
        self.say("R", now())
        self.server.kill()
        self.server.wait()
        self.server = None
        self.server_back = time.monotonic() + self.dice.random() * 0.5
        self.counts["servers"] += 1

    def hurt(self):
        what = self.dice.random()
        ident = self.dice.choice(sorted(self.workers))
        if what < 0.6:
            self.kill(ident)
        elif ident not in self.stopped:
            self.stop(ident)

    # --- what is looked after at any time

    def reap(self):
        for ident, (process, what) in list(self.workers.items()):
            if process.poll() is None:
                continue
            del self.workers[ident]
            self.stopped.pop(ident, None)
            if process.returncode not in self.sent.pop(ident, ()):
                self.say("E", ident, process.returncode)
            if not os.path.exists(f"{self.folder}/stop"):
                self.start(what)

    def look_after(self):
        self.reap()
        for ident, until in list(self.stopped.items()):
            if time.monotonic() > until:
                self.go_on(ident)
        if not self.server and time.monotonic() > self.server_back:
            self.start_server()

    def has_done(self, least):
        """Whether there are so many commits and reads; a slow machine needs longer."""
        done = {"c": 0, "r": 0}
        for path in glob.glob(f"{self.folder}/[0-9]*.history"):
            with open(path, "rb") as lines:
                for line in lines:
                    if line[:1].decode() in done:
                        done[line[:1].decode()] += 1
        return min(done.values()) >= least

    def go(self, seconds, least):
        for what in ["writes"] * WRITERS + ["reads"] * READERS:
            self.start(what)
        start = time.monotonic()
        end, next_fault, next_server = start + seconds, start + 1, start + 5
        while True:
            if time.monotonic() > end:
                if end > start + 5 * seconds or self.has_done(least):
                    return
                end += 2
            self.look_after()
            if time.monotonic() > next_fault:
                self.hurt()
                next_fault = time.monotonic() + self.dice.expovariate(5)
            if time.monotonic() > next_server and self.server:
                self.kill_server()
                next_server = time.monotonic() + 6 + self.dice.random() * 8
            time.sleep(0.01)

    def end(self):
        """All end by themselves, within a minute."""
        with open(f"{self.folder}/stop", "w", encoding="ascii"):
            pass
        end = time.monotonic() + 60
        while self.workers and time.monotonic() < end:
            for ident in list(self.stopped):
                self.go_on(ident)
            self.look_after()
            time.sleep(0.01)
        return not self.workers

    def clear(self):
        for process, _ in self.workers.values():
            process.kill()
            process.wait()
        if self.server:
            self.server.kill()
            self.server.wait()


def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def main():
    folder, seed, seconds, least, h5swim, library = sys.argv[1:]
    for which, libver in enumerate(states.LIBVERS):
        with h5py.File(f"{folder}/{which}.h5", "w", libver=libver) as file:
            states.make(file)
    soak = Soak(folder, int(seed), h5swim, library)
    soak.start_server()
    try:
        soak.go(float(seconds), int(least))
        ended = soak.end()
    finally:
        soak.clear()
    print(" ".join(f"{what} {n}," for what, n in soak.counts.items()),
          f"workers {soak.next_id - 1}")
    return 0 if ended else "a worker did not end within a minute of being told to"


if __name__ == "__main__":
    sys.exit(main())
