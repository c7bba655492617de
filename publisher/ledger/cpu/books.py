"""Double-entry books of CPU time: every process's time is booked once, to its work group.

A process that lives is read from its clock. One that died between two looks is found in its
reaper, whose ``cutime`` grows by the whole life of each child that it waits for: that growth is
a *credit*; what was already booked of the dead is a *debit*; the difference is work of processes
that were never seen. docs/ledger.md derives the rule, states what holds at every tick, and says
why each step stands where it stands.

Here processes are read and booked; the table of them is table.py, the weighing of credits and
debits settlement.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Generic

from publisher.ledger.cpu.process import Attribution, M, Process
from publisher.ledger.cpu.settlement import OWED_LIMIT_NS, Settlement
from publisher.ledger.cpu.table import ProcessTable, parents_first
from publisher.ledger.cpu.tree import Dead, alive_above
from publisher.sources.processes import GONE, Census, ProcessSource, Stat

_HEAVY_NS = 20_000_000  # more than this in a quiet window is worth a look at the program's name
_SUSPECT_NS = 5_000_000  # less than this of a process is lost in rounding anyway
_ROUNDS = 4
_HOT_FOR = 8  # ticks that a process stays among those read first after it last worked
_HOT_LIMIT = 512
_REVISIT = 32  # numbers below the last one whose processes may not have been visible yet
_LIST_EVERY = 15  # ticks with forks after which all of /proc is listed, whatever numbers say
_FULL_EVERY = 30  # ticks after which all are read, however well the hot ones explain all
_MISSING_EVERY = 8  # ticks at least between two readings of all since some are missing
_LAPS = 16_384  # forks after which the numbering may have wrapped around unseen


@dataclass(slots=True)
class Sightings(Generic[M]):
    """What one pass over the processes has come upon so far.

    Attributes:
        found: numbers that may be new processes.
        dead: known processes that are gone.
        credit: nanoseconds by which ``children_ns`` of each grew.
        moved: living processes that worked.
    """

    found: list[int]
    dead: Dead[M] = field(default_factory=dict)
    credit: dict[Process[M], int] = field(default_factory=dict)
    moved: list[Process[M]] = field(default_factory=list)


class Books(Generic[M]):
    """What is booked for each process, tick by tick.

    Args:
        source: tells of processes.
        attribution: is told what to book.

    Attributes:
        opened: the start time from which on a process is younger than the books.
        lately: those that worked in the last ticks.
    """

    def __init__(self, source: ProcessSource, attribution: Attribution[M]) -> None:
        self.opened = 0
        self.lately: list[Process[M]] = []
        self._source = source
        self._attribution = attribution
        self._table: ProcessTable[M] = ProcessTable(source)
        self._settlement = Settlement(source, attribution)
        self._tick = 0
        self._full = 0
        self._listed = 0
        self._census = Census(0, 0)
        self._surplus = 0
        self._hot_handles: list[int] = []
        self._recent: dict[Process[M], int] = {}
        self._unread: dict[Process[M], None] = {}
        self._given: range | None = None

    @property
    def processes(self) -> dict[int, Process[M]]:
        """Every living process by number."""
        return self._table.by_pid

    @property
    def order(self) -> list[Process[M]]:
        """Every living process, in the order in which their clocks are read."""
        return self._table.order

    @property
    def last_full_tick(self) -> int:
        """When all clocks were read last, in ticks since the books were opened."""
        return self._full

    # -- opening ---------------------------------------------------------------------------

    def open(self, census: Census) -> None:
        """Enters all that live now; nothing is booked for the time before."""
        self._census = census
        self._enter(self._source.pids(), opening=True)
        self._surplus = self._table.threads - census.threads
        self.opened = max((process.start for process in self._table.order), default=0)
        self._source.forget(list(self._table.by_pid))

    # -- a quiet tick ----------------------------------------------------------------------

    def quiet(self, census: Census, closes: Callable[[list[tuple[Process[M], int]]], bool]) -> bool:
        """Books by the hot processes' clocks alone, where that is all there is to book.

        Args:
            census: the kernel's numbering now.
            closes: whether these processes with these nanoseconds explain what the machine did.

        Returns:
            False, and nothing is booked, when something was forked or died, the hot ones do not
            explain the window, or clocks are not to be had.
        """
        if (
            census[:2] != self._census[:2]
            or self._missing(census)
            or not self._source.clocked
            or self._tick - self._full >= _FULL_EVERY
        ):
            return False
        marks = self._source.marks(self._hot_handles)
        if GONE in marks:
            return False
        worked = [
            (process, mark - process.self_ns)
            for process, mark in zip(self.lately, marks, strict=True)
            if mark > process.self_ns
        ]
        if not closes(worked) or any(process.fresh for process, _ in worked):
            return False
        if any(self._other_program(process) for process, used in worked if used > _HEAVY_NS):
            return False
        self._tick += 1
        self._recent.clear()
        for process, used in worked:
            self._work(process, process.self_ns + used)
        return True

    def _other_program(self, process: Process[M]) -> bool:
        """Whether one that works hard is not what it was; takes over what else changed."""
        stat = self._source.stat(process.pid)
        if stat is None or stat.start != process.start or stat.comm != process.comm:
            return True
        self._table.show(process, stat)
        return False

    # -- a full tick -----------------------------------------------------------------------

    def full(self, census: Census, closes: Callable[[], bool] | None = None) -> None:
        """Settles the dead and enters the new; reads every clock if that does not close the books.

        Args:
            census: the kernel's numbering now.
            closes: whether what is booked by now explains what the machine did.
        """
        self._tick += 1
        found = self._candidates(census)
        recent, self._recent = self._recent, {}
        due = not self._source.clocked or self._tick - self._full >= _FULL_EVERY
        if closes is not None and not due:
            self._weigh_up(self._read_hot(found), recent)
            if closes() and not self._missing(census):
                return
            found = []
        self._full = self._tick
        self._weigh_up(self._read_all(found), recent)
        self._surplus = self._table.threads - census.threads

    def _missing(self, census: Census) -> bool:
        """Whether more threads ended than we know of: a process died that slept for long.

        We may know more than there are, of those that ended since they were read, or fewer, where
        some are hidden; what counts is whether that has grown since all were read.
        """
        return (
            self._tick - self._full >= _MISSING_EVERY
            and census.threads > 0
            and self._table.threads - census.threads > self._surplus
        )

    def _weigh_up(self, findings: Sightings[M], recent: dict[Process[M], int]) -> None:
        """Settles what a pass has found, strikes out the dead and enters the new."""
        dead = findings.dead
        if dead:
            # Reapers of the dead worked too, but may not be among those that were read, or
            # only after its clock was.
            read = {process for process in findings.moved if process not in self._unread}
            for process in list(dead):
                self._read_reaper(process, findings, read)
        self._read_again(findings)
        for process in dead:
            process.alive = False
        last = {one: recent.get(one, 0) + self._recent.get(one, 0) for one in dead}
        self._settlement.settle(dead, findings.credit, last)
        for process in dead:
            self._bury(process)
        self._warm(findings.moved + self._enter(findings.found))

    def _candidates(self, census: Census) -> list[int]:
        """Numbers that may be new processes."""
        told = None not in {self._census.last, census.last}
        last, now = self._census.last or 0, census.last or 0
        made, span = census.forks - self._census.forks, now - last
        self._census = census
        # Threads are numbered, too. More than the span were made where the numbering wrapped
        # around, or is our container's own: then any number may be another process's by now.
        self._given = range(last, now + 1) if told and 0 <= made <= span else None
        if not made and not span:
            return []
        if (
            told
            and 0 <= made < _LAPS
            and 0 <= span <= 2 * len(self._table.by_pid) // 3
            and self._tick - self._listed < _LIST_EVERY
        ):
            # A number is given out before its process can be seen, hence some again.
            numbers = range(max(last - _REVISIT, 1), now + 1)
            probed = [pid for pid in numbers if pid not in self._table.by_pid]
            marks = self._source.marks([self._source.handle(pid) for pid in probed])
            return list(compress(probed, map(GONE.__ne__, marks)))
        self._listed = self._tick
        return [pid for pid in self._source.pids() if pid not in self._table.by_pid]

    # -- reading -----------------------------------------------------------------------------

    def _read_all(self, found: list[int]) -> Sightings[M]:
        """Reads all clocks and the line of every process that moved.

        An unchanged clock means unchanged ``children_ns`` too, since reaping takes work.
        """
        changed = self._table.moved()
        moved_on = {process for process, _ in changed}
        changed += [(one, one.self_ns) for one in self._unread if one not in moved_on]
        findings = self._deaths(changed, found)
        for process, mark in changed:
            if mark != GONE:
                self._read_line(process, mark, findings)
        return findings

    def _read_hot(self, found: list[int]) -> Sightings[M]:
        """Reads those that worked lately.

        Those that are not known to wait for children are booked by their clocks alone; their
        lines are read when that leaves a gap.
        """
        changed = self._table.moved_of(self.lately)
        findings = self._deaths(changed, found)
        for process, mark in changed:
            if mark == GONE:
                continue
            if self._tells(process, mark):
                self._read_line(process, mark, findings)
            else:
                self._work(process, mark)
                self._unread[process] = None
                findings.moved.append(process)
        return findings

    @staticmethod
    def _deaths(changed: list[tuple[Process[M], int]], found: list[int]) -> Sightings[M]:
        """Deaths stand first in everything: the credits read afterwards already hold them."""
        findings: Sightings[M] = Sightings(found)
        for process, mark in changed:
            if mark == GONE:
                findings.dead[process] = process.parent
        return findings

    def _read_line(self, process: Process[M], mark: int, findings: Sightings[M]) -> None:
        """Reads what the kernel tells of a process whose clock moved, and books its work."""
        stat = self._source.stat(process.pid)
        if stat is None or stat.start != process.start:
            findings.dead[process] = process.parent
            if stat is not None:
                findings.found.append(process.pid)
            return
        findings.moved.append(process)
        self_ns = mark if self._source.clocked else stat.own
        if process.kernel:  # its name tells what it did, and changes with that
            self._take(process, stat, findings.credit)
            self._work(process, self_ns)
        else:
            self._work(process, self_ns)
            self._take(process, stat, findings.credit)

    def _tells(self, process: Process[M], mark: int) -> bool:
        """Whether the line of a process whose clock moved may tell more than the clock does."""
        return (
            process.fresh
            or bool(process.children)
            or process.children_ns > 0
            or not 0
            <= mark - process.self_ns
            <= _HEAVY_NS  # backwards: perhaps not the same any more
            or self._given is None
            or process.pid in self._given
        )

    def _work(self, process: Process[M], self_ns: int) -> None:
        worked = self_ns - process.self_ns
        if worked > 0:  # a clock that runs backwards is an odd clock, not another process
            process.self_ns = self_ns
            self._recent[process] = worked
            self._attribution.book(process, worked)

    def _take(self, process: Process[M], stat: Stat, credit: dict[Process[M], int]) -> None:
        """Takes over a fresh line; what grew of the children's time is credit."""
        if stat.reaped > process.children_ns:
            credit[process] = credit.get(process, 0) + stat.reaped - process.children_ns
            process.children_ns = stat.reaped
        self._unread.pop(process, None)
        changed = process.fresh or stat.comm != process.comm
        process.fresh = False
        self._table.show(process, stat)
        self._table.adopt(process, stat.parent)
        if changed:
            self._attribution.changed(process)

    def _read_again(self, findings: Sightings[M]) -> None:
        """Finds those that died while we read, since they are inside a credit already.

        A reaper shows its credit before the clock of the reaped disappears, so the reaper of
        one that is gone now can be read now; that may let in further deaths, hence the rounds.
        """
        dead, credit = findings.dead, findings.credit
        for _ in range(_ROUNDS):
            if not credit:
                return
            suspects = [
                process
                for process in self._table.below(credit)
                if process not in dead and process.total_ns + process.owed_ns > _SUSPECT_NS
            ]
            marks = self._source.marks([process.handle for process in suspects])
            # A clock that went back may be of another process with the same number already.
            late = [
                process
                for process, mark in zip(suspects, marks, strict=True)
                if mark < process.self_ns
                and (mark == GONE or self._replaced(process, findings.found))
            ]
            if not late:
                return
            dead.update((process, process.parent) for process in late)
            for process in late:
                self._read_reaper(process, findings)

    def _replaced(self, process: Process[M], found: list[int]) -> bool:
        """Whether it is gone; a process that has its number now is found."""
        stat = self._source.stat(process.pid)
        if stat is not None and stat.start != process.start:
            found.append(process.pid)
        return stat is None or stat.start != process.start

    def _read_reaper(
        self, process: Process[M], findings: Sightings[M], read: set[Process[M]] | None = None
    ) -> None:
        """Reads the ancestors of a process that died until one of them shows it.

        Args:
            process: it is gone.
            findings: grow by further deaths, credits and numbers that are used again.
            read: those that were read after the death already; grows.
        """
        dead, credit = findings.dead, findings.credit
        at = process
        while (above := alive_above(at, dead)) is not None:
            at = above
            if read is not None:
                if above in read:
                    return
                read.add(above)
            stat = self._source.stat(above.pid)
            if stat is None or stat.start != above.start:
                dead[above] = above.parent
                if stat is not None:
                    findings.found.append(above.pid)
                continue
            before = credit.get(above, 0)
            self._take(above, stat, credit)
            if credit.get(above, 0) - before >= process.total_ns - OWED_LIMIT_NS:
                return

    # -- coming and going ------------------------------------------------------------------

    def _enter(self, found: Iterable[int], *, opening: bool = False) -> list[Process[M]]:
        """Takes up new processes, parents before children, and books all that they did."""
        table = self._table
        new: dict[int, Process[M]] = {}
        for pid in sorted(set(found)):
            if pid in table.by_pid:
                continue
            # The clock first: whatever happens between the two readings changes the clock again.
            handle = self._source.handle(pid)
            (mark,) = self._source.marks([handle])
            stat = None if mark == GONE else self._source.stat(pid)
            if stat is None:
                continue
            self_ns = mark if self._source.clocked else stat.own
            process: Process[M] = Process(stat, handle, self_ns, self._tick)
            new[process.pid] = process
            table.add(process, mark)
        for process in new.values():
            table.adopt(process, process.parent_pid)
            if process.parent is not None:
                process.share(process.parent)
        for process in parents_first(new):
            process.fresh = not opening
            process.membership = self._attribution.place(process)
            if opening or process.start < self.opened:
                continue
            if process.self_ns:
                self._recent[process] = process.self_ns
                self._attribution.book(process, process.self_ns)
            if process.children_ns:
                self._attribution.book_unseen(process, process.children_ns, {})
        return list(new.values())

    def _bury(self, process: Process[M]) -> None:
        """Strikes a dead process out."""
        self._settlement.forget(process)
        self._unread.pop(process, None)
        self._table.remove(process)
        self._source.forget((process.pid,))
        self._attribution.died(process)

    def _warm(self, moved: list[Process[M]]) -> None:
        """Those that worked lately are read first in the ticks to come."""
        for process in moved:
            process.hot_until = self._tick + _HOT_FOR
        candidates = dict.fromkeys(moved)
        candidates.update(dict.fromkeys(self.lately))
        hot = [process for process in candidates if process.alive]
        cold = [process for process in hot if process.hot_until < self._tick]
        self.lately = [process for process in hot if process.hot_until >= self._tick][:_HOT_LIMIT]
        self._hot_handles = [process.handle for process in self.lately]
        self._source.forget([process.pid for process in cold])
