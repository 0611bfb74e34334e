"""hosts.py - actors on the hosts of hosts.sh, and what their histories tell.

Runs on the hub.  Times are nanoseconds of CLOCK_MONOTONIC, which all hosts share.
"""
import itertools
import os
import subprocess
import threading
import time

SUPPORT = os.path.dirname(os.path.abspath(__file__))
ACTOR = os.path.join(os.environ["SWIM_BUILD"], "tests", "lock_actor")
DIR = os.environ["HOSTS_DIR"]
KINDS = ("cut", "drop", "to_hub", "from_hub")


class Failure(Exception):
    """The lock layer did not do what it should."""


class TwoHold(Failure):
    """Two believed in one lock, or a fence did not grow: never the machine's fault."""


def now():
    return time.monotonic_ns()


def seconds(ns):
    return f"{ns / 1e9:.2f} s"


def until(within_s, true, what):
    """Look again and again until it is so; the last value."""
    ends = now() + within_s * 10**9
    while True:
        value = true()
        if value:
            return value
        if now() > ends:
            what = what() if callable(what) else what
            raise Failure(f"not within {within_s} s: {what}")
        time.sleep(0.005)


def at_most(what, took_ns, most_s):
    if took_ns > most_s * 10**9:
        raise Failure(f"{what} after {seconds(took_ns)}, not within {most_s:.2f} s")


class Machine(threading.Thread):
    """Notes when this machine does not keep up, so that times tell nothing."""

    stalls = []  # (when it ended, how long)

    def run(self):
        while True:
            before = now()
            time.sleep(0.02)
            Machine.took(before, 0.02)

    @staticmethod
    def took(before, usual_s=0.0):
        """What should have been done at once, or in so long, has just been done."""
        stall = now() - before - int(usual_s * 1e9)
        if stall > 10**8:
            Machine.stalls.append((now(), stall))

    @staticmethod
    def stalled_since(since):
        return max((stall for at, stall in Machine.stalls if at >= since), default=0)


class Host:
    """A host of hosts.sh; its link is broken in one way at a time."""

    def __init__(self, name):
        self.name = name
        self.address = f"10.77.0.{10 + int(name[1:])}"
        with open(f"{DIR}/{name}.pid", encoding="ascii") as f:
            self.pid = int(f.read())
        self.broken = None

    def command(self, *words):
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", "-t", str(self.pid),
                "--net", "--uts", "--ipc", "--mount", "--", *words]

    def link(self, verb, kind):
        before = now()
        subprocess.run([f"{SUPPORT}/hosts.sh", verb, kind, self.name], check=True)
        Machine.took(before)

    def break_link(self, kind):
        """Returns when: nothing passes any more from then on."""
        self.link("break", kind)
        self.broken = kind
        return now()

    def mend_link(self):
        """Returns when, if it was broken: it may pass from then on."""
        kind, self.broken = self.broken, None
        before = now()
        if kind:
            self.link("mend", kind)
        return before

    def reach_hub(self, port):
        """Wait until a connection to the hub can be made."""
        until(20, lambda: subprocess.run(
            self.command("bash", "-c", f": </dev/tcp/10.77.0.1/{port}"),
            stderr=subprocess.DEVNULL).returncode == 0, f"{self.name} reaches the hub")

    def connections(self):
        """How many TCP connections the host believes to have."""
        with open(f"/proc/{self.pid}/net/tcp", encoding="ascii") as f:
            return sum(line.split()[3] == "01" for line in f.readlines()[1:])


class Actor:
    """A lock_actor on a host; its history is in a file, so that nobody who does not
    read holds it up."""

    numbers = itertools.count(1)

    def __init__(self, host, lease_s, url=None):
        self.name = f"{host.name}.{next(Actor.numbers)}"
        path = f"{DIR}/actor.{self.name}"
        self.rest = b""
        self.events = []  # (time, word, rest)
        self.heard = 0  # events before this one have been waited for
        before = now()
        env = {**os.environ, "SWIM_REDIS_URL": url} if url else None
        with open(path, "wb") as out, open(path + ".log", "wb") as log:
            self.process = subprocess.Popen(
                host.command(ACTOR, str(int(lease_s * 1000))), stdin=subprocess.PIPE,
                stdout=out, stderr=log, env=env)
        self.file = open(path, "rb")
        self.hear("ready")
        Machine.took(before)

    def read(self):
        lines = (self.rest + self.file.read()).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            at, word, *rest = line.decode().split(" ", 2)
            self.events.append((int(at), word, rest[0] if rest else ""))
        return self.events

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        return now()

    def hear(self, word, within_s=30):
        """Wait for the event and return it; an error instead of it is a failure."""
        found = until(within_s, lambda: self.next_of(word, "error"),
                      lambda: f"{self} says {word}: {self.story()}")
        if found[1] != word:
            raise Failure(f"{self} does not say {word}: {self.story()}")
        return found

    def next_of(self, *words):
        for i, event in enumerate(self.read()[self.heard:], self.heard):
            if event[1] in words:
                self.heard = i + 1
                return event
        return None

    def hear_error(self, names, within_s=30):
        event = self.hear("error", within_s)
        if event[2].split()[0] not in names:
            raise Failure(f"{self}: not one of {names}: {event[2]}")
        return event

    def acquire(self, resource, mode="write", wait_s=60):
        self.tell(f"acquire {mode} {resource} {int(wait_s * 1000)}")
        event = self.hear("held", wait_s + 5)
        return event[0], int(event[2])

    def says(self, word, since=0):
        return [e for e in self.read() if e[1] == word and e[0] >= since]

    def story(self):
        return "; ".join(f"{e[0] / 1e9:.3f} {e[1]} {e[2]}".strip()
                         for e in self.read() if e[1] != "ok")

    def end(self, number=9):
        """Send the signal; how long it took to be gone."""
        before = now()
        self.process.send_signal(number)
        self.process.wait(20)
        took = now() - before
        self.read()
        return took

    def beliefs(self, resource):
        """The times for which it believed that it held the lock: (from, to, fence)."""
        times, here = [], False
        for at, word, rest in self.read():
            if word == "asked" and rest.startswith("acquire"):
                here = rest.split()[2] == resource
            elif here and word in ("held", "raised"):
                times.append([at, at, int(rest)])
            elif here and word == "ok":
                times[-1][1] = at
        return times

    def __str__(self):
        return self.name


def check_exclusion(actors, resource):
    """No two believed at the same time that they held it, and each later one has a
    larger fence; for locks that exclude each other."""
    beliefs = sorted((b, str(a)) for a in actors for b in a.beliefs(resource))
    for (before, a), (after, b) in zip(beliefs, beliefs[1:]):
        if after[0] <= before[1]:
            raise TwoHold(f"{a} believed in its lock until {before[1] / 1e9:.4f}, "
                          f"{b} held it from {after[0] / 1e9:.4f}")
        if 0 < after[2] <= before[2]:
            raise TwoHold(f"the fence of {b} is {after[2]}, after {before[2]} of {a}")
