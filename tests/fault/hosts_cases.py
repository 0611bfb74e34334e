"""hosts_cases.py [--long] [CASE] - the lock layer on hosts whose links break.

For test_hosts.sh; runs on the hub.  Each way to break a link has two hosts of its own,
and all ways are gone through at the same time: `here` is the host whose link breaks,
`there` the other.  CASE: only those with this in their name.
"""
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

from hosts import (KINDS, Actor, Failure, Host, Machine, TwoHold, at_most,
                   check_exclusion, now, seconds, until)

SLACK_S = 2  # from the end of a lease until another holds the lock, on a busy machine
STALL_NS = 3 * 10**8  # a machine that stands still for so long upsets the times
ATTEMPTS = 4
PORT = os.environ["SWIM_REDIS_URL"].rsplit(":", 1)[1]
PASSWORD = os.environ["REDISCLI_AUTH"]

# Says "tick" to the hub all the time, and with it all that it has heard so far.
ECHO = """
import socket, sys
hub = ("10.77.0.1", int(sys.argv[1]))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", hub[1]))
s.settimeout(0.02)
heard = b""
while True:
    try:
        heard += s.recv(100)
    except OSError:
        pass
    try:
        s.sendto(b"tick " + heard, hub)
    except OSError:
        pass
"""


class Scene:
    """What one case works with."""

    def __init__(self, run, kind, here, there, name):
        self.kind, self.here, self.there = kind, here, there
        self.lease_s, self.resource = run.lease_s, f"{kind}/{name}"
        chance = random.Random(f"{run.seed}/{self.resource}")
        # A renewal that was lost is asked again in time after a break of this length.
        self.short_s = self.lease_s * (chance.uniform(0.1, 0.4) if run.long else 0.25)
        # Anywhere between two renewals.
        self.phase_s = chance.uniform(0, self.lease_s / 3)
        self.actors = []

    def actor(self, host, lease_s=None, opened=True, url=None):
        actor = Actor(host, lease_s or self.lease_s, url)
        self.actors.append(actor)
        if opened:
            actor.tell("open")
            actor.hear("opened")
        return actor

    def queue_up(self, actor, behind=0, mode="write"):
        """Have it wait in the queue, behind so many."""
        actor.tell(f"acquire {mode} {self.resource} 60000")
        until(10, lambda: int(redis("ZCARD", f"{{h5swim}}:q:{self.resource}")) > behind,
              f"{behind + 1} in the queue")

    def break_for(self, duration_s):
        """When it began."""
        broken = self.here.break_link(self.kind)
        time.sleep(duration_s)
        self.here.mend_link()
        return broken

    def mend(self):
        """Returns when the host reaches the hub again."""
        self.here.mend_link()
        self.here.reach_hub(PORT)

    def end(self):
        for actor in self.actors:
            actor.end()
        self.mend()

    def check_exclusion(self):
        check_exclusion(self.actors, self.resource)


def redis(*words):
    done = subprocess.run(["redis-cli", "-s", os.environ["HOSTS_REDIS"], *words],
                          capture_output=True, check=True, text=True)
    return done.stdout.strip()


def reopen(actor):
    for command, answer in (("close", "closed"), ("open", "opened")):
        actor.tell(command)
        actor.hear(answer)


def pass_on(holder, waiter):
    """Give it back and see the other have it; how long that took."""
    released = holder.tell("release")
    holder.hear("released")
    took = waiter.hear("held", SLACK_S)[0] - released
    return took


def granted_after(s, waiter, broken):
    """The waiter has it not later than the lease and a bit after the break."""
    held = waiter.hear("held", s.lease_s + 10)
    at_most("held", held[0] - broken, s.lease_s + SLACK_S)
    return held


def last_word(hub):
    """What the host has heard, as far as it is known here; None: nothing came."""
    said = None
    try:
        while True:
            said = hub.recv(1000)
    except BlockingIOError:
        return said


def watch_link(s, hub):
    """Whether something came here, and what the host heard, while it was broken."""
    there = (s.here.address, hub.getsockname()[1])
    until(10, lambda: last_word(hub), "a first tick")
    s.here.break_link(s.kind)
    time.sleep(0.1)  # what was under way has come
    last_word(hub)
    hub.sendto(b"x", there)
    time.sleep(0.3)
    ticked = last_word(hub) is not None
    s.here.mend_link()

    def heard():
        hub.sendto(b"y", there)  # the first ones may go before the link is up
        return (last_word(hub) or b"")[5:]
    return ticked, until(10, heard, "a tick again")


def packets_vanish_as_said(s):
    """the link does what its name says"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hub:
        hub.bind(("10.77.0.1", 0))
        hub.setblocking(False)
        echo = subprocess.Popen(s.here.command("/usr/bin/python3", "-c", ECHO,
                                               str(hub.getsockname()[1])))
        try:
            ticked, heard = watch_link(s, hub)
        finally:
            echo.kill()
            echo.wait()
    if ticked != (s.kind == "from_hub"):
        raise Failure(f"to the hub {'something' if ticked else 'nothing'} came")
    if (b"x" in heard) != (s.kind == "to_hub"):
        raise Failure(f"the host heard {heard}")


def the_dead_of_another_host_are_replaced_after_their_lease(s):
    """a holder killed elsewhere is replaced after its lease, one killed here at once"""
    holder, waiter = s.actor(s.here), s.actor(s.there)
    holder.acquire(s.resource)
    s.queue_up(waiter)
    killed = now()
    holder.end()
    elsewhere = waiter.hear("held")[0] - killed
    at_most("held", elsewhere, s.lease_s + SLACK_S)
    if elsewhere < s.lease_s * 0.5 * 10**9:  # a renewal is at most a third old
        raise Failure(f"held after {seconds(elsewhere)}, within the lease")
    next_one = s.actor(s.there)
    s.queue_up(next_one)
    killed = now()
    waiter.end()
    at_once = next_one.hear("held")[0] - killed
    at_most("held", at_once, s.lease_s * 0.5)
    return f"elsewhere {seconds(elsewhere)}, here {seconds(at_once)}"


def a_short_break_changes_nothing(s):
    """broken for less than the lease: the holder keeps its lock and can give it back"""
    holder, waiter = s.actor(s.here), s.actor(s.there)
    holder.acquire(s.resource)
    s.queue_up(waiter)
    time.sleep(s.phase_s)
    over = s.break_for(s.short_s) + int((s.lease_s + 0.5) * 1e9)
    until(s.lease_s + 10, lambda: holder.says("ok", over) or holder.says("lost"), "ok")
    if holder.says("lost") or waiter.says("held"):
        raise Failure("the lock was lost")
    took = pass_on(holder, waiter)
    return f"broken for {s.short_s:.2f} s; passed on in {seconds(took)}"


def a_long_break_ends_the_lease(s):
    """broken for longer: LOST before another has it, and nothing can be undone later"""
    holder, waiter = s.actor(s.here), s.actor(s.there)
    holder.acquire(s.resource, "update")
    s.queue_up(waiter, mode="update")
    time.sleep(s.phase_s)
    broken = s.here.break_link(s.kind)
    held = granted_after(s, waiter, broken)
    lost = holder.hear("lost")
    s.mend()
    for command in ("raise 1000", "release"):
        holder.tell(command)
        holder.hear_error(["LOST"])
    if redis("GET", f"{{h5swim}}:w:{s.resource}").split()[1] != held[2]:
        raise Failure("the new holder is not the holder any more")
    reopen(holder)
    s.queue_up(holder, mode="update")
    pass_on(waiter, holder)
    return (f"LOST {seconds(lost[0] - broken)}, "
            f"granted {seconds(held[0] - broken)} after it")


def a_cut_off_reader_is_not_waited_for(s):
    """a reader cut off for long is LOST before a writer is in"""
    reader, writer = s.actor(s.here), s.actor(s.there)
    reader.acquire(s.resource, "read")
    s.queue_up(writer)
    broken = s.here.break_link(s.kind)
    held = granted_after(s, writer, broken)
    lost = reader.hear("lost")
    return (f"LOST {seconds(lost[0] - broken)}, "
            f"granted {seconds(held[0] - broken)} after it")


def waiter_is_passed_by(s, soon):
    holder, away, waiter = s.actor(s.there), s.actor(s.here), s.actor(s.there)
    holder.acquire(s.resource)
    s.queue_up(away)
    s.queue_up(waiter, 1)
    broken = s.here.break_link(s.kind)
    if not soon:
        time.sleep(s.lease_s + 0.5)
    released = holder.tell("release")
    held = granted_after(s, waiter, broken)[0]
    if not soon:
        at_most("held", held - released, SLACK_S)
    s.here.mend_link()
    # It may have had its turn before, and not have lost it unnoticed.
    until(20, lambda: away.says("error") or away.says("lost"), "told of the loss")
    if any(" LOST " not in f" {e[2]}" and " IO " not in f" {e[2]}"
           for e in away.says("error")):
        raise Failure("neither LOST nor IO")
    return f"held {seconds(held - released)} after the release"


def a_waiter_whose_lease_is_over_is_passed_by(s):
    """a waiter cut off for longer than its lease is passed by at once"""
    return waiter_is_passed_by(s, False)


def a_waiter_cut_off_just_now_is_passed_by(s):
    """a waiter cut off just before its turn is passed by after its lease"""
    return waiter_is_passed_by(s, True)


def a_request_under_way_survives_a_short_break(s):
    """requests under way when the link breaks for a short time are answered"""
    asker, rival = s.actor(s.here), s.actor(s.there)
    broken = s.here.break_link(s.kind)
    asker.tell(f"acquire write {s.resource} 60000")
    time.sleep(s.short_s)
    s.here.mend_link()
    held = asker.hear("held")[0]
    s.queue_up(rival)
    broken_again = s.here.break_link(s.kind)
    asker.tell("release")
    time.sleep(s.short_s)
    s.here.mend_link()
    released = asker.hear("released")[0]
    rival.hear("held", SLACK_S)
    return (f"broken for {s.short_s:.2f} s; held {seconds(held - broken)}, "
            f"released {seconds(released - broken_again)} after it")


def an_acquire_under_way_leaves_nothing(s):
    """an acquire under way when the link breaks for long fails and blocks nobody"""
    asker, rival = s.actor(s.here), s.actor(s.there)
    broken = s.here.break_link(s.kind)
    asker.tell(f"acquire write {s.resource} 60000")
    time.sleep(0.3)  # the request is at the server, where it gets through
    rival.tell(f"acquire write {s.resource} 60000")
    held = granted_after(s, rival, broken)[0]
    failed = asker.hear_error(["LOST", "IO"])[0]
    at_most("an error", failed - broken, s.lease_s + 5)
    s.mend()
    reopen(asker)
    s.queue_up(asker)
    pass_on(rival, asker)
    return (f"error {seconds(failed - broken)}, "
            f"the other held {seconds(held - broken)} after it")


def a_release_under_way_has_an_end(s):
    """a release under way when the link breaks for long says so and blocks nobody"""
    holder, waiter = s.actor(s.here), s.actor(s.there)
    holder.acquire(s.resource)
    s.queue_up(waiter)
    broken = s.here.break_link(s.kind)
    holder.tell("release")
    held = granted_after(s, waiter, broken)[0]
    failed = holder.hear_error(["UNSURE", "LOST"])
    at_most("an error", failed[0] - broken, s.lease_s + 5)
    return (f"{failed[2].split()[0]} {seconds(failed[0] - broken)}, "
            f"the other held {seconds(held - broken)} after it")


def check_no_server(comer):
    """It cannot connect, and says so well; what it says."""
    asked = comer.tell("open")
    at, _, text = comer.hear_error(["IO"])
    at_most("an error", at - asked, 5)
    if "connect to lock server redis://" not in text or PASSWORD in text:
        raise Failure(f"not a good error: {text}")
    if [e[1] for e in comer.read()] != ["ready", "asked", "error"]:
        raise Failure("more than a line")
    return f"{seconds(at - asked)}: {text}"


def connecting_has_an_end(s):
    """connecting over a broken link fails in time, in one line, without the password"""
    comer = s.actor(s.here, opened=False)
    s.here.break_link(s.kind)
    return check_no_server(comer)


def an_address_that_nobody_has_is_said(s):
    """connecting to an address that nobody has, or no way leads to, fails in time"""
    said = []
    for address in ("10.77.0.99", "192.0.2.1"):
        said.append(check_no_server(s.actor(
            s.here, opened=False, url=f"redis://:{PASSWORD}@{address}:{PORT}")))
    return "; ".join(said)


def closing_has_an_end(s):
    """a session is closed over a broken link in a second, at once or in a renewal"""
    soon, late, waiter = s.actor(s.here), s.actor(s.here), s.actor(s.there)
    soon.acquire(s.resource)
    s.queue_up(waiter)
    late.acquire(s.resource + "/late")
    broken = s.here.break_link(s.kind)
    took = []
    for actor in (soon, late):
        asked = actor.tell("close")
        took.append(actor.hear("closed")[0] - asked)
        at_most("closed", took[-1], 1.5)
        time.sleep(s.lease_s / 2 if actor is soon else 0)
    held = granted_after(s, waiter, broken)[0]
    return (f"{seconds(took[0])} and {seconds(took[1])}, "
            f"the next held {seconds(held - broken)} after the break")


def sigterm_has_an_end(s):
    """told to go over a broken link: holder, waiter and asker are gone in a second"""
    holder, waiter, asker = (s.actor(s.here) for _ in range(3))
    next_one = s.actor(s.there)
    holder.acquire(s.resource)
    s.queue_up(waiter)
    s.queue_up(next_one, 1)
    broken = s.here.break_link(s.kind)
    asker.tell(f"acquire write {s.resource} 60000")
    asker.hear("asked")
    took = []
    for actor in (holder, waiter, asker):
        took.append(actor.end(signal.SIGTERM))
        at_most("gone", took[-1], 1)
        if actor.process.returncode != -signal.SIGTERM:
            raise Failure(f"{actor} ended with {actor.process.returncode}")
    held = granted_after(s, next_one, broken)[0]
    return (f"{', '.join(seconds(t) for t in took)}; "
            f"the next held {seconds(held - broken)} after the break")


def a_silent_link_is_noticed(s):
    """with a lease of 60 s, a dead link is noticed in 7 s at most, and made anew"""
    holder, waiter, idle = s.actor(s.there), s.actor(s.here, 60), s.actor(s.here, 60)
    holder.acquire(s.resource)
    s.queue_up(waiter)
    session = "{h5swim}:session:" + idle.says("opened")[0][2]
    until(10, lambda: s.here.connections() >= 5, "all connections")
    broken = s.here.break_link(s.kind)
    holder.tell("release")
    # What arrives keeps the connection alive that it comes on.
    alive = 1 if s.kind == "to_hub" else 0
    until(10, lambda: s.here.connections() <= alive, "no connection")
    noticed = now() - broken
    # Keep-alive takes 4 s; a question asked of the link just before it has 2 s more.
    at_most("noticed", noticed, 7)
    time.sleep(2.5)  # a first try to connect again has failed
    mended = s.here.mend_link()
    held = waiter.hear("held")[0] - mended
    at_most("held", held, 6)
    # By itself a renewal would be due 20 s after the one before.
    until(8, lambda: int(redis("PTTL", session)) > 57000, "renewed over another link")
    renewed = now() - mended
    when = f"{seconds(held)} after the mending" if held > 0 else "meanwhile"
    return (f"noticed {seconds(noticed)} after it, held {when}, "
            f"renewed at most {seconds(renewed)} after the mending")


CASES = (packets_vanish_as_said, a_short_break_changes_nothing,
         a_long_break_ends_the_lease, a_cut_off_reader_is_not_waited_for,
         a_waiter_whose_lease_is_over_is_passed_by,
         a_waiter_cut_off_just_now_is_passed_by,
         a_request_under_way_survives_a_short_break,
         an_acquire_under_way_leaves_nothing,
         a_release_under_way_has_an_end, connecting_has_an_end, closing_has_an_end,
         sigterm_has_an_end, a_silent_link_is_noticed)
CASES_OF_HOSTS = (the_dead_of_another_host_are_replaced_after_their_lease,
                  an_address_that_nobody_has_is_said)


class Run:
    """All cases, each kind in a thread of its own."""

    def __init__(self, long, only):
        self.long, self.only = long, only
        self.rounds, self.lease_s = (5, 10) if long else (1, 3)
        self.seed = random.randrange(10**6)
        self.failed = []

    def play(self, case, scene):
        """The figures of the case, and what was wrong."""
        figures, wrong = "", []
        for step in (case, Scene.end, Scene.check_exclusion):
            try:
                figures = step(scene) or figures
            except Exception as e:  # the others go on
                wrong.append(e)
        return figures, wrong

    def case(self, case, kind, here, there, number):
        """Where the machine stood still meanwhile, times prove nothing: once more."""
        for attempt in range(ATTEMPTS):
            began = now()
            name = f"{case.__name__}.{number}.{attempt}"
            scene = Scene(self, kind, here, there, name)
            figures, wrong = self.play(case, scene)
            stall = Machine.stalled_since(began)
            if (not wrong or stall < STALL_NS or attempt == ATTEMPTS - 1 or
                    any(isinstance(e, TwoHold) for e in wrong)):
                break
            print(f"again: {kind}: {case.__doc__}: this machine stood still for "
                  f"{seconds(stall)}: {wrong[0]}", flush=True)
        said = f"{'FAILED' if wrong else 'ok'}: {kind}: {case.__doc__}"
        if wrong:
            self.failed.append(f"{kind}: {case.__name__}")
            said += "".join(f": {type(e).__name__}: {e}" for e in wrong)
            said += "".join(f"\n    {a}: {a.story()}" for a in scene.actors)
        print(f"{said}: {figures}" if figures else said, flush=True)

    def cases(self, cases, kind, here, there):
        for number in range(self.rounds):
            for case in cases:
                if self.only in case.__name__:
                    self.case(case, kind, here, there, number)

    def all(self):
        plan = [(CASES, kind) for kind in KINDS] + [(CASES_OF_HOSTS, "hosts")]
        threads = [threading.Thread(target=self.cases, args=(
            cases, kind, Host(f"h{2 * i + 1}"), Host(f"h{2 * i + 2}")))
            for i, (cases, kind) in enumerate(plan)]
        Machine(daemon=True).start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.failed


def main():
    only = [a for a in sys.argv[1:] if a != "--long"]
    run = Run("--long" in sys.argv, only[0] if only else "")
    print(f"lease {run.lease_s} s, seed {run.seed}", flush=True)
    failed = run.all()
    if failed:
        sys.exit("FAILED: " + "; ".join(failed))


main()
