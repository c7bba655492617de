"""Books to groups what processes did, and finds owners for what nobody was seen to do.

What init or a subreaper is credited with is the work of orphans: it goes to a pool. The pool,
and whatever the machine did beyond all that was booked, are given, in this order, to

1. cgroups whose counters grew by more than their processes were booked: exact;
2. the groups of orphans by how long they lived, where the kernel's events are listened to;
   else of those that were seen alive lately, by what they used;
3. parents that ignore SIGCHLD, whose children are added to nobody, by what those used that
   were seen.

The rest has no name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet

from publisher.ledger.cpu.process import Keeper, Process
from publisher.ledger.groups import Entry, Groups, Seat, Tally, waits_for_orphans
from publisher.ledger.usage.disk import Usage
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessSource

_GRAIN = 5_000_000  # nanoseconds: a cgroup's gap below it is the lag of clocks
_MEMORY = 8  # windows that a glimpse of an orphan speaks for its like


class Bookkeeper(Keeper[Seat]):
    """Keeps the accounts of all groups for one window after another.

    Attributes:
        orphans: nanoseconds reaped by init and subreapers, for which no owner is known yet.
        nobodys: of the orphans' in the last window, what no counter told the owner of.
        outside: booked to processes outside all cgroups.
        worked: nanoseconds of every process that was seen to work in this window.
    """

    def __init__(
        self, groups: Groups, cgroups: Cgroups, processes: ProcessSource, usage: Usage
    ) -> None:
        self.orphans = 0
        self.outside = 0
        self.nobodys = 0
        self.worked: dict[Process[Seat], int] = {}
        self._usage = usage
        self._groups = groups
        self._cgroups = cgroups
        self._processes = processes
        self._orphans_seen: Counter[Entry] = Counter()
        self._children_seen: Counter[Process[Seat]] = Counter()
        self._ignoring: list[Process[Seat]] = []
        self._started: dict[Process[Seat], Counter[Entry]] = {}
        self._window = 0
        self._last_seen = 0

    # -- what the books tell -----------------------------------------------------------------

    def place(self, process: Process[Seat]) -> Seat:
        seat = self._groups.seat(process)
        seat.entry.join(process)
        if seat.tally is not None:
            seat.tally.living += 1
        return seat

    def book(self, process: Process[Seat], nanoseconds: int) -> None:
        seat = process.group
        entry = seat.entry
        entry.cpu += nanoseconds
        entry.members[seat.program] += nanoseconds
        self.worked[process] = self.worked.get(process, 0) + nanoseconds
        if process.fresh:
            self._glimpse(process, nanoseconds)
        if seat.tally is None:
            self.outside += nanoseconds
        else:
            _note(seat.tally, entry, nanoseconds)

    def book_unseen(
        self, reaper: Process[Seat], nanoseconds: int, died: dict[Process[Seat], int]
    ) -> None:
        seat = reaper.group
        # As much as those we knew used in a tick, their last moments may have taken too.
        tails = min(sum(died.values()), nanoseconds)
        if tails:
            shares: Counter[Entry] = Counter()
            for process, used in died.items():
                shares[process.group.entry] += used
            _spread(tails, shares, seen=True)
            nanoseconds -= tails
        if nanoseconds and seat.spawner:
            nanoseconds -= self._to_ended_jobs(nanoseconds, seat.entry, died)
        if not nanoseconds:
            return
        if seat.spawner and waits_for_orphans(reaper):
            # Any other subreaper is given its own descendants alone.
            self.orphans += nanoseconds
        elif seat.spawner and (started := self._started.get(reaper)):
            _spread(nanoseconds, started)
        else:
            _unseen(seat.entry, nanoseconds)
            if seat.tally is not None:
                _note(seat.tally, seat.entry, nanoseconds)

    def _to_ended_jobs(
        self, nanoseconds: int, spawner: Entry, died: dict[Process[Seat], int]
    ) -> int:
        """Gives the last unseen workers of jobs that ended, whose root died with them.

        A job may have had as many of them at its end as in a window before.
        """
        shares: Counter[Entry] = Counter()
        for process in died:
            entry = process.group.entry
            if entry is not spawner and not process.group.spawner:
                shares[entry] = entry.previous + entry.cpu
        given = min(nanoseconds, sum(shares.values()))
        if given:
            _spread(given, shares)
        return given

    def changed(self, process: Process[Seat]) -> None:
        before = process.group
        comm = process.comm.decode("utf-8", "replace")
        if before.entry.group.own:
            return
        if before.program[:15] == comm and not before.described:
            return
        seat = process.group = self._groups.moved(process)
        if seat.tally is not before.tally:
            if before.tally is not None:
                before.tally.living -= 1
            if seat.tally is not None:
                seat.tally.living += 1
        if seat.entry is not before.entry:
            before.entry.leave(process)
            seat.entry.join(process)

    def died(self, process: Process[Seat]) -> None:
        if process.entered and self._window - process.entered <= _MEMORY:
            self._glimpse(process, process.own)
        seat = process.group
        seat.entry.leave(process)
        if seat.tally is not None:
            seat.tally.living -= 1
        self._groups.died(process)
        self._usage.died(process)
        self._children_seen.pop(process, None)
        self._started.pop(process, None)

    def forget(self, closed: AbstractSet[Entry]) -> None:
        """Groups were closed: nothing is owed to them any more."""
        for counts in (self._orphans_seen, *self._started.values()):
            for entry in closed & counts.keys():
                del counts[entry]

    def _glimpse(self, process: Process[Seat], nanoseconds: int) -> None:
        """Remembers who comes and goes: others like it came and went unseen."""
        entry, parent = process.group.entry, process.parent
        entry.glimpsed[process.group.program] += min(nanoseconds, 10**9) + 1
        if parent is None or entry.group.own:
            return
        if waits_for_orphans(parent):
            self._orphans_seen[entry] += min(nanoseconds, 10**9) + 1
            self._last_seen = self._window
            return
        self._children_seen[parent] += min(nanoseconds, 10**9) + 1
        if parent.group.spawner and parent.group.entry is not entry:
            self._started.setdefault(parent, Counter())[entry] += min(nanoseconds, 10**9) + 1

    # -- what nobody was seen to do ------------------------------------------------------------

    def close_window(self, gap: int, tolerance: int, lives: Counter[Entry]) -> int:
        """Finds owners for the gap between what the machine did and what was booked.

        Args:
            gap: nanoseconds.
            tolerance: how much of it may be the lag of clocks.
            lives: how long orphans lived that the kernel told of, by group.

        Returns:
            How much of it was given to somebody.
        """
        self._window += 1
        for process in self.worked:
            if process.alive:
                process.group.entry.update(process)
        given = self.nobodys = 0
        orphans, self.orphans = self.orphans, 0
        missing = max(gap, orphans)
        if missing > min(tolerance, _GRAIN) or orphans:
            given = self._from_cgroups(missing)
            left = self.nobodys = max(orphans - given, 0)
            if shares := lives or self._orphans_seen:
                _spread(left, shares)
                given += left
            if gap - given > tolerance:
                given += self._to_ignorers(gap - given)
            else:
                self._ignoring = []
        if self._window - self._last_seen > _MEMORY:
            self._orphans_seen.clear()
        _fade(self._orphans_seen)
        for started in self._started.values():
            _fade(started)
        self._children_seen.clear()
        self.outside = 0
        self.worked.clear()
        return given

    def _from_cgroups(self, missing: int) -> int:
        """Gives cgroups what they used beyond what was booked in them, the deepest first."""
        given = 0
        explained: Counter[str] = Counter()
        for tally in sorted(self._groups.tallies.values(), key=_depth, reverse=True):
            usage = self._cgroups.cpu_usage(tally.account)
            if usage is None:
                if not tally.living:  # removed, as the cgroup of a session is that ended
                    del self._groups.tallies[tally.account]
                continue
            grown = usage - tally.usage if tally.usage is not None else 0
            gap = grown - tally.booked - explained[tally.account]
            if gap > _GRAIN and missing - given > 0 and tally.entries:
                share = min(gap, missing - given)
                _spread(share, tally.entries)
                given += share
            tally.usage, tally.booked = usage, 0
            for entry, weight in list(tally.entries.items()):
                tally.entries[entry] = weight // 2 + 1
            self._pass_up(tally.account, grown, explained)
        return given

    def _pass_up(self, account: str, grown: int, explained: Counter[str]) -> None:
        """The nearest cgroup above that has a tally too holds this one's time as well."""
        above = account
        while above := above.rpartition("/")[0]:
            if above in self._groups.tallies:
                explained[above] += grown
                return

    def _to_ignorers(self, missing: int) -> int:
        shares: Counter[Entry] = Counter()
        known = []
        for parent, used in self._children_seen.most_common(8):
            if self._ignores(parent):
                shares[parent.group.entry] += used
                known.append(parent)
        if not shares:
            # None of their children was seen this time, or they have ended meanwhile: they may
            # have had as many as in the window before.
            shares.update({one.group.entry: one.group.entry.previous for one in self._ignoring})
            known = [parent for parent in self._ignoring if self._ignores(parent)]
            missing = min(missing, sum(shares.values()))
        self._ignoring = known
        if missing and shares:
            _spread(missing, shares)
            return missing
        return 0

    def _ignores(self, parent: Process[Seat]) -> bool:
        return parent.alive and self._processes.ignores_children(parent.pid)


def _spread(nanoseconds: int, shares: Counter[Entry], *, seen: bool = False) -> None:
    whole = sum(shares.values())
    left = nanoseconds
    for entry, weight in shares.most_common():
        part = -(-nanoseconds * weight // whole) if whole else 0
        part = min(part, left)
        entry.cpu += part
        if not seen:
            entry.unseen += part
        left -= part


def _fade(weights: Counter[Entry]) -> None:
    for entry, weight in list(weights.items()):
        if weight < 2:
            del weights[entry]
        else:
            weights[entry] = weight // 2


def _unseen(entry: Entry, nanoseconds: int) -> None:
    entry.cpu += nanoseconds
    entry.unseen += nanoseconds


def _note(tally: Tally, entry: Entry, nanoseconds: int) -> None:
    tally.booked += nanoseconds
    tally.entries[entry] += nanoseconds


def _depth(tally: Tally) -> int:
    return tally.account.count("/")
