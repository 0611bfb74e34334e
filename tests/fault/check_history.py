#!/usr/bin/env python3
"""check_history.py FOLDER [--least N]: judge the histories of one round of the soak.

It knows nothing of the locks' code, only what h5swim/lock.h promises.  All times are
nanoseconds of one clock that never stops (CLOCK_BOOTTIME) of one host.

What is promised, and so is checked:

  exclusion   A holder may believe that it holds from when acquire or raise has returned
              until it calls release or lower, is told that it has lost, is killed, or
              its lease is over as far as it knew at its last check, whichever is first;
              it is alive and may act at each of these instants.  A check that says yes
              makes it a believer at that instant whatever the lease was.  No two
              believers' times overlap on one resource, if their modes do not go together.
              Of a process that was killed the instant before the signal was sent is
              taken: after that it may be dead, and others may hold.  A stopped process
              believes until the end of its lease: it may go on at any time.
  check       No check says yes after the end of the lease that the client knew of.
  storage     Beside each check with a margin a holder of UPDATE or WRITE writes to a
              storage that refuses fences lower than one it has seen.  If the write was
              done before the lease was over, it is not refused, and nobody else has
              written since this holder's last write; the first write of a grant finds
              only lower fences.  (A write after the end of the lease may come late, when
              the process was stopped between check and write.  No lease can prevent it;
              the storage does, unless nobody has written meanwhile.  So a reader may see
              such a write, and readers are not asked about the storage.)
  fences      A grant of UPDATE or WRITE (by raise, too) that returned before another was
              asked for has the lower fence, whatever happened to the server meanwhile.
  waits       An acquire or raise returns within its own limit and SLACK_NS; within
              AWAY_NS beyond it when something was done to the server meanwhile.
  no waiter   While somebody waits, and nothing is or was just being done to anybody, the
  is lost     resource is not unused for IDLE_NS.  A process that is stopped or dead, or a
              server that is away, excuses it for the longest lease and IDLE_NS.
  fairness    While nothing is done to the server, nobody is overtaken by more fair
              grants, asked for LATER_NS after him and of a mode that does not go with his
              own, than two for each thread.
  faults      The server is not to be had only after something was done to it; a lease is
              lost only after the server lost data or hung for longer than that, or the
              worker was stopped.
  progress    At least so many grants of each mode and kind (--least), and each way to
              fail was met.

A machine that stands still by itself is written down by the driver, too, and excuses as
a server does that is away.

The histories, a line each; SLOT is a hold in progress; RC is 0 or an error's number:
  worker.INDEX.GENERATION.history
    g SLOT ASKED GOT RESOURCE MODE PREFER WAIT_MS RC FENCE DEADLINE   acquire
    k SLOT TIME RC DEADLINE                                           check
    w SLOT TIME FENCE MINE OLD NEW DEADLINE        a write; NEW is 0: it was refused
    r SLOT ASKED GOT WAIT_MS RC FENCE DEADLINE                        raise
    l SLOT TIME                                                       lower begins
    e SLOT TIME          E SLOT TIME RC                      release begins, has ended
    o ASKED GOT LEASE_MS RC                                           session opened
    x TEXT                                                            never expected
    q TIME                                                            it ends by itself
  driver.history
    M LEASE_MAX_MS THREADS
    K INDEX GENERATION SENT DEAD SIGNAL                               killed
    S INDEX GENERATION STOPPED CONTINUED KIND
    F NAME BEGIN END EXCUSE_MS       done to the server, which is itself so long after END
    Z BEGIN END                                                the machine stood still
"""
import argparse
import bisect
import collections
import glob
import os
import sys

MS = 1_000_000
SLACK_NS = 1000 * MS
AWAY_NS = 12000 * MS
IDLE_NS = 1000 * MS
LATER_NS = 200 * MS
READ, UPDATE, WRITE = 1, 2, 3
MODES = {READ: 'READ', UPDATE: 'UPDATE', WRITE: 'WRITE'}
OK, IO, TIMEOUT, LOST, UNSURE, CANCELLED = 0, -3, -4, -5, -6, -10
RESULTS = {OK: 'granted', IO: 'server away', TIMEOUT: 'timeout', LOST: 'lost',
           CANCELLED: 'cancelled'}
CELL_BITS = 12
LINE_LENGTHS = {'g': 11, 'k': 5, 'w': 8, 'r': 8, 'l': 3, 'e': 3, 'E': 4, 'o': 5, 'q': 2}


def together(a, b):
    return (a == READ and b != WRITE) or (b == READ and a != WRITE)


Span = collections.namedtuple('Span', 'start end mode who')
Wait = collections.namedtuple('Wait', 'asked got resource mode prefer limit_ms rc fence worker')
Harm = collections.namedtuple('Harm', 'begin end')


class Faults:
    """What was done, and when that excuses what."""

    def __init__(self, path):
        self.lease = None
        self.threads = 0
        self.killed, self.stops = {}, collections.defaultdict(list)
        self.server, self.stalls = [], []
        self.lossy = []  # after which a lease may be lost
        self.counts = collections.Counter()
        for line in open(path, encoding='ascii'):
            self.take(line.split())
        if self.lease is None:
            raise ValueError(path + ': no line M')
        self.away = merged([Harm(h.begin, h.end + IDLE_NS)
                            for h in self.server + self.stalls])
        self.lossy = merged([Harm(h.begin, h.end + self.lease)
                             for h in self.lossy + self.stalls])
        excused = list(self.away)
        excused += [Harm(sent, dead + IDLE_NS) for sent, dead, _ in self.killed.values()]
        excused += [Harm(h.begin, min(h.end, h.begin + self.lease) + IDLE_NS)
                    for stops in self.stops.values() for h in stops]
        self.excused = merged(excused)

    def take(self, words):
        kind, rest = words[0], words[1:]
        if kind == 'M':
            self.lease, self.threads = int(rest[0]) * MS, int(rest[1])
        elif kind == 'K':
            index, generation, sent, dead, signal = map(int, rest)
            self.killed[index, generation] = (sent, dead, signal)
            self.counts['SIGKILL' if signal == 9 else 'SIGTERM'] += 1
        elif kind == 'S':
            index, generation, begin, end = map(int, rest[:4])
            self.stops[index, generation].append(Harm(begin, end))
            self.counts['stop-' + rest[4]] += 1
        elif kind == 'F':
            harm = Harm(int(rest[1]), int(rest[2]) + int(rest[3]) * MS)
            self.server.append(harm)
            if int(rest[3]):
                self.lossy.append(harm)
            self.counts[rest[0]] += 1
        elif kind == 'Z':
            self.stalls.append(Harm(int(rest[0]), int(rest[1])))
            self.counts['the machine stood still'] += 1
        else:
            raise ValueError('driver.history: ' + ' '.join(words))

    def stopped_within(self, worker, begin, end):
        return sum(max(0, min(end, s.end) - max(begin, s.begin))
                   for s in self.stops.get(worker, ()))


def merged(harms):
    """The union, in order."""
    out = []
    for h in sorted(harms):
        if out and h.begin <= out[-1].end:
            out[-1] = Harm(out[-1].begin, max(out[-1].end, h.end))
        else:
            out.append(h)
    return out


def touches(union, begin, end):
    i = bisect.bisect_right(union, (end, end))
    return i > 0 and union[i - 1].end >= begin


class Hold:
    """A lock from its grant on: what its holder may believe."""

    def __init__(self, who, resource, mode, got, deadline):
        self.who, self.resource, self.mode = who, resource, mode
        self.start = got          # of the present mode
        self.deadline = deadline
        self.checked = got        # the last time that a check said yes
        self.written = False

    def end(self, stop):
        return max(self.checked, min(self.deadline, stop))


class Checker:
    def __init__(self, folder):
        self.folder = folder
        self.wrong = []
        self.faults = Faults(os.path.join(folder, 'driver.history'))
        self.spans = collections.defaultdict(list)
        self.used = collections.defaultdict(list)
        self.waits = []
        self.raises = []
        self.sums = collections.Counter()
        self.bad_results = []  # (time, worker, what): need an excuse
        for path in glob.glob(os.path.join(folder, 'worker.*.history')):
            self.read(path)

    def fail(self, what):
        self.wrong.append(what)

    # Reading: each file is one worker's life; a slot holds one lock at a time.

    def read(self, path):
        worker = tuple(int(n) for n in os.path.basename(path).split('.')[1:3])
        name = 'worker %d.%d' % worker
        holds = {}
        last = 0
        ended = False
        for number, line in enumerate(open(path, encoding='utf-8', errors='replace'), 1):
            words = line.split()
            if words and words[0] == 'x':
                self.fail('%s: unexpected: %s' % (name, line[2:].strip()))
                continue
            if not words or LINE_LENGTHS.get(words[0]) != len(words):
                self.fail('%s: line %d is damaged: %r' % (name, number, line))
                continue
            values = [int(v) for v in words[1:]]
            getattr(self, 'on_' + words[0])(worker, name, holds, values)
            ended = ended or words[0] == 'q'
            last = values[2] if words[0] in 'gr' else values[1] if words[0] != 'q' else last
        sent = self.faults.killed.get(worker, (None,))[0]
        if sent is None and not ended:
            self.fail('%s: neither killed nor ended by itself' % name)
        for hold in holds.values():
            stop = sent if sent is not None else last
            self.span(hold, hold.end(stop))

    def span(self, hold, end):
        if end > hold.start:
            self.spans[hold.resource].append(Span(hold.start, end, hold.mode, hold.who))
            self.used[hold.resource].append(Harm(hold.start, end))

    def on_g(self, worker, name, holds, values):
        slot, asked, got, resource, mode, prefer, limit, rc, fence, deadline = values
        self.waits.append(Wait(asked, got, resource, mode, prefer, limit, rc, fence, worker))
        self.sums[MODES[mode], rc] += 1
        if prefer:
            self.sums['preferred', rc] += 1
        if rc == OK:
            if slot in holds:
                self.fail('%s: slot %d is granted twice' % (name, slot))
            holds[slot] = Hold('%s slot %d' % (name, slot), resource, mode, got, deadline)
        elif rc in (LOST, IO):
            self.bad_results.append((asked, got, worker, 'acquire: ' + RESULTS[rc]))

    def on_k(self, worker, name, holds, values):
        slot, time, rc, deadline = values
        hold = holds[slot]
        if rc == OK:
            if time > deadline:
                self.fail('check: %s: yes at %d, %.1f ms after the end of its lease' %
                          (hold.who, time, (time - deadline) / MS))
            hold.checked = max(hold.checked, time)
            hold.deadline = max(hold.deadline, deadline)
        elif rc == LOST:
            self.sums['check', LOST] += 1
            self.bad_results.append((time, time, worker, 'check: lost'))
            hold.deadline = min(hold.deadline, max(time, hold.start))

    def on_w(self, _worker, _name, holds, values):
        slot, time, fence, mine, old, new, deadline = values
        hold = holds[slot]
        timely = time < deadline
        self.sums['write', 'refused' if new == 0 else 'taken'] += 1
        if not timely:
            self.sums['write', 'late'] += 1
            return
        if new == 0:
            self.fail('storage: %s: fence %d refused at %d for %d, %.1f ms before the end '
                      'of its lease' % (hold.who, fence, time, old >> CELL_BITS,
                                        (deadline - time) / MS))
        elif mine and old != mine:
            self.fail('storage: %s: at %d somebody else had written: fence %d' %
                      (hold.who, time, old >> CELL_BITS))
        elif not mine and old >> CELL_BITS >= fence:
            self.fail('storage: %s: at %d its first write found fence %d, its own is %d' %
                      (hold.who, time, old >> CELL_BITS, fence))

    def on_r(self, worker, _name, holds, values):
        slot, asked, got, limit, rc, fence, deadline = values
        hold = holds[slot]
        self.raises.append(Wait(asked, got, hold.resource, WRITE, 1, limit, rc, fence, worker))
        self.sums['raise', rc] += 1
        if rc == OK:
            self.span(hold, got)
            hold.start, hold.mode = got, WRITE
            hold.checked, hold.deadline = got, max(hold.deadline, deadline)
        elif rc in (LOST, IO):
            self.bad_results.append((asked, got, worker, 'raise: ' + RESULTS[rc]))

    def on_l(self, _worker, _name, holds, values):
        slot, time = values
        hold = holds[slot]
        self.sums['lower', OK] += 1
        self.span(hold, hold.end(time))
        hold.start, hold.mode = time, UPDATE

    def on_e(self, _worker, _name, holds, values):
        slot, time = values
        hold = holds[slot]
        self.span(hold, hold.end(time))
        del holds[slot]

    def on_E(self, worker, _name, _holds, values):
        _slot, time, rc = values
        self.sums['release', rc] += 1
        if rc in (LOST, UNSURE):
            self.bad_results.append((time, time, worker, 'release: ' + ('lost' if rc == LOST else 'unsure')))

    def on_o(self, worker, _name, _holds, values):
        asked, got, _lease, rc = values
        if rc == IO:
            self.bad_results.append((asked, got, worker, 'open a session: server away'))

    def on_q(self, *_):
        pass

    # Judging.

    def check_exclusion(self):
        for resource, spans in self.spans.items():
            spans.sort()
            latest = {}  # the span of each mode that ends last so far
            for span in spans:
                for mode, other in latest.items():
                    if other.end > span.start and not together(mode, span.mode):
                        self.fail('exclusion: resource %d: %s holds %s from %d to %d, %s '
                                  'holds %s from %d to %d: %.3f ms at once' % (
                                      resource, other.who, MODES[mode], other.start,
                                      other.end, span.who, MODES[span.mode], span.start,
                                      span.end,
                                      (min(other.end, span.end) - span.start) / MS))
                if span.mode not in latest or latest[span.mode].end < span.end:
                    latest[span.mode] = span

    def check_fences(self):
        grants = [w for w in self.waits + self.raises if w.rc == OK and w.mode != READ]
        by_return = sorted(grants, key=lambda w: w.got)
        i, highest = 0, None
        seen = {}
        for grant in sorted(grants, key=lambda w: w.asked):
            while i < len(by_return) and by_return[i].got < grant.asked:
                if highest is None or by_return[i].fence > highest.fence:
                    highest = by_return[i]
                i += 1
            if highest and grant.fence <= highest.fence:
                self.fail('fences: worker %d.%d asked at %d and was given %d; %d had been '
                          'given at %d' % (*grant.worker, grant.asked, grant.fence,
                                           highest.fence, highest.got))
            if grant.fence in seen:
                self.fail('fences: %d was given twice' % grant.fence)
            seen[grant.fence] = grant

    def check_limits(self):
        for w in self.waits + self.raises:
            took = w.got - w.asked - self.faults.stopped_within(w.worker, w.asked, w.got)
            away = touches(self.faults.away, w.asked, w.got)
            limit = max(w.limit_ms, 0) * MS + (AWAY_NS if away else SLACK_NS)
            if took > limit:
                self.fail('waits: worker %d.%d asked at %d with a limit of %d ms and waited '
                          '%.0f ms' % (*w.worker, w.asked, w.limit_ms, took / MS))

    def check_idle(self):
        """The longest time within a wait that nobody used the resource and nothing
        excuses."""
        for resource in {w.resource for w in self.waits}:
            busy = merged(self.used[resource] + self.faults.excused)
            for w in self.waits + self.raises:
                if w.resource != resource or w.got - w.asked < IDLE_NS:
                    continue
                at, longest = w.asked, 0
                i = max(bisect.bisect_right(busy, (w.asked, w.asked)) - 1, 0)
                while i < len(busy) and busy[i].begin < w.got:
                    longest = max(longest, busy[i].begin - at)
                    at = max(at, busy[i].end)
                    i += 1
                longest = max(longest, w.got - at)
                if longest > IDLE_NS:
                    self.fail('no waiter is lost: worker %d.%d waited for %s of resource %d '
                              'from %d to %d; for %.0f ms of it nobody used it' % (
                                  *w.worker, MODES[w.mode], resource, w.asked, w.got,
                                  longest / MS))

    def check_fairness(self):
        bound = 2 * self.faults.threads
        for resource in {w.resource for w in self.waits}:
            fair = sorted((w for w in self.waits if w.resource == resource and w.rc == OK
                           and not w.prefer), key=lambda w: w.asked)
            asked = [w.asked for w in fair]
            for w in self.waits:
                if w.resource != resource or w.got - w.asked <= LATER_NS or w.prefer or \
                        touches(self.faults.away, w.asked, w.got) or \
                        self.faults.stopped_within(w.worker, w.asked, w.got):
                    continue
                first = bisect.bisect_right(asked, w.asked + LATER_NS)
                last = bisect.bisect_left(asked, w.got)
                passed = sum(1 for o in fair[first:last]
                             if o.got < w.got and not together(o.mode, w.mode))
                if passed > bound:
                    self.fail('fairness: worker %d.%d waited for %s of resource %d from %d '
                              'for %.0f ms and was overtaken %d times' % (
                                  *w.worker, MODES[w.mode], resource, w.asked,
                                  (w.got - w.asked) / MS, passed))

    def check_excuses(self):
        """A signal to leave is an excuse, too: the session is closed under the worker."""
        for asked, got, worker, what in self.bad_results:
            harms = self.faults.lossy if what.endswith(' lost') else self.faults.away
            excused = touches(harms, asked, got) or any(
                s.begin <= got and s.end + self.faults.lease >= asked
                for s in self.faults.stops.get(worker, ()))
            sent = self.faults.killed.get(worker, (None,))[0]
            if not excused and not (sent is not None and got >= sent):
                self.fail('faults: worker %d.%d at %d: %s, and nothing had been done' %
                          (*worker, got, what))

    def check_progress(self, least):
        for what in ('READ', 'UPDATE', 'WRITE', 'raise', 'preferred'):
            wanted = least if what in MODES.values() else least // 5
            if self.sums[what, OK] < wanted:
                self.fail('progress: %s was granted %d times, not %d' %
                          (what, self.sums[what, OK], wanted))
        if least == 0:
            return
        for what in (('lower', OK), ('write', 'taken'), ('check', LOST)):
            if self.sums[what] == 0:
                self.fail('progress: never %s: %s' % what)
        for rc in (TIMEOUT, CANCELLED):
            if not sum(self.sums[mode, rc] for mode in MODES.values()):
                self.fail('progress: no acquire ended with %s' % RESULTS[rc])

    def run(self, least):
        self.check_exclusion()
        self.check_fences()
        self.check_limits()
        self.check_idle()
        self.check_fairness()
        self.check_excuses()
        self.check_progress(least)

    def report(self):
        print('done to them: ' + ', '.join('%s %d' % (name, count) for name, count in
                                           sorted(self.faults.counts.items())))
        for what in ('READ', 'UPDATE', 'WRITE', 'raise', 'preferred', 'release'):
            results = ['%s %d' % (RESULTS.get(rc, rc), count)
                       for (name, rc), count in sorted(self.sums.items(), key=str)
                       if name == what]
            print('%s: %s' % (what, ', '.join(results)))
        print('checks that said lost: %d; writes: %s' % (
            self.sums['check', LOST],
            ', '.join('%s %d' % (rc, self.sums['write', rc])
                      for rc in ('taken', 'refused', 'late'))))
        quiet = [w.got - w.asked for w in self.waits if w.rc == OK and
                 not touches(self.faults.excused, w.asked, w.got)]
        print('longest wait that was granted: %.0f ms; of %d in which nothing was done: '
              '%.0f ms' % (max((w.got - w.asked for w in self.waits if w.rc == OK),
                               default=0) / MS, len(quiet), max(quiet, default=0) / MS))


def main():
    parser = argparse.ArgumentParser(description='Judge the histories of a soak.')
    parser.add_argument('folder')
    parser.add_argument('--least', type=int, default=0,
                        help='grants of each mode that there must be')
    options = parser.parse_args()
    checker = Checker(options.folder)
    checker.run(options.least)
    checker.report()
    kinds = collections.defaultdict(list)
    for what in checker.wrong:
        kinds[what.split(':')[0]].append(what)
    for found in kinds.values():
        for what in found[:3]:
            print('WRONG: ' + what)
        if len(found) > 3:
            print('WRONG: %s: and %d more' % (found[0].split(':')[0], len(found) - 3))
    sys.exit(1 if checker.wrong else 0)


if __name__ == '__main__':
    main()
