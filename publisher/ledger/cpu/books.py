"""Double-account books of CPU time: every process's time is booked once, to its work group.

A process that lives is read from its clock. One that died between two looks is found in its
reaper, whose ``cutime`` grows by the whole life of each child that it waits for: that growth is
a *credit*; what was already booked of the dead is a *debit*; the difference is work that nobody
saw. docs/ledger.md derives the rule, states what holds at every tick, and says why each step
stands where it stands.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterable
from itertools import compress
from typing import Generic

from publisher.ledger.cpu.process import Attribution, M, Process
from publisher.ledger.cpu.tree import Dead, alive_above, depth, is_below
from publisher.sources.processes import GONE, Census, ProcessSource, Stat

OWED_LIMIT_NS = 20_000_000
"""What a living reaper may owe: its user and system time are each cut to 10 ms when shown."""

_HEAVY_NS = 20_000_000  # more than this in a quiet window is worth a look at the program's name
_SUSPECT_NS = 5_000_000  # less than this of a process is lost in that rounding anyway
_ROUNDS = 4
_HOT_FOR = 8  # ticks that a process stays among those read first after it last worked
_HOT_LIMIT = 512
_REVISIT = 32  # numbers below the last one whose processes may not have been visible yet
_LIST_EVERY = 15  # ticks with forks after which all of /proc is listed, whatever numbers say
_FULL_EVERY = 30  # ticks after which everybody is read, however well the hot ones explain all
_MISSING_EVERY = 8  # ticks at least between two readings of everybody since some are missing
_LAPS = 16_384  # forks after which the numbering may have wrapped around unseen


class Books(Generic[M]):
    """The table of processes and what is booked for each.

    Args:
        source: tells of processes.
        attribution: is told what to book to whom.

    Attributes:
        table: every living process by number.
        opened: the start time from which on a process is younger than the books.
        lately: who worked in the last ticks.
    """

    def __init__(self, source: ProcessSource, attribution: Attribution[M]) -> None:
        self.table: dict[int, Process[M]] = {}
        self._source = source
        self._attribution = attribution
        self._tick = 0
        self._full = 0
        self._listed = 0
        self.opened = 0
        self._census = Census(0, 0)
        self._threads = 0
        self._surplus = 0
        self._order: list[Process[M]] = []
        self._handles: list[int] = []
        self._marks: list[int] = []
        self.lately: list[Process[M]] = []
        self._hot_handles: list[int] = []
        self._owing: set[Process[M]] = set()
        self._recent: dict[Process[M], int] = {}
        self._unread: dict[Process[M], None] = {}
        self._given: range | None = None

    # -- opening ---------------------------------------------------------------------------

    def open(self, census: Census) -> None:
        """Enters everybody who lives now; nothing is booked for the time before."""
        self._census = census
        self._enter(self._source.pids(), opening=True)
        self._surplus = self._threads - census.threads
        self.opened = max((process.start for process in self._order), default=0)
        self._source.forget(list(self.table))

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
        self._show(process, stat)
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
            self._pass(found, recent, self.lately)
            if closes() and not self._missing(census):
                return
            found = []
        self._full = self._tick
        self._pass(found, recent, None)
        self._surplus = self._threads - census.threads

    def _missing(self, census: Census) -> bool:
        """Whether more threads ended than we know of: somebody died who slept for long.

        We may know more than there are, of those who ended since they were read, or fewer, where
        some are hidden; what counts is whether that has grown since everybody was read.
        """
        return (
            self._tick - self._full >= _MISSING_EVERY
            and census.threads > 0
            and self._threads - census.threads > self._surplus
        )

    def _pass(
        self, found: list[int], recent: dict[Process[M], int], some: list[Process[M]] | None
    ) -> None:
        """Reads some of the known, or all, and weighs up what came of it."""
        dead, credit, moved = self._read(found, some)
        if dead:
            # Whoever waited for the dead worked too, but may not be among those we read, or
            # only after its clock was.
            read = {process for process in moved if process not in self._unread}
            for process in list(dead):
                self._read_reaper(process, dead, credit, found, read)
        self._read_again(dead, credit, found)
        for process in dead:
            process.alive = False
        self._settle(dead, credit, recent)
        for process in dead:
            self._bury(process)
        self._warm(moved + self._enter(found))

    def _candidates(self, census: Census) -> list[int]:
        """Numbers that may be new processes."""
        last, forks, _ = self._census
        self._census = census
        made, span = census.forks - forks, census.last - last
        # Threads are numbered, too. More than the span were made where the numbering wrapped
        # around, or is our container's own: then any number may be another process's by now.
        self._given = range(last, census.last + 1) if 0 <= made <= span else None
        if not made and not span:
            return []
        if (
            0 <= made < _LAPS
            and 0 <= span <= 2 * len(self.table) // 3
            and self._tick - self._listed < _LIST_EVERY
        ):
            # A number is given out before its process can be seen, hence some again.
            numbers = range(max(last - _REVISIT, 1), census.last + 1)
            probed = [pid for pid in numbers if pid not in self.table]
            marks = self._source.marks([self._source.handle(pid) for pid in probed])
            return list(compress(probed, map(GONE.__ne__, marks)))
        self._listed = self._tick
        return [pid for pid in self._source.pids() if pid not in self.table]

    def _read(
        self, found: list[int], some: list[Process[M]] | None
    ) -> tuple[Dead[M], dict[Process[M], int], list[Process[M]]]:
        """Books what the living did; tells the dead, the credits, and who moved.

        An unchanged clock means unchanged ``reaped`` too, since reaping takes work. Of the hot,
        those who are not known to wait for anybody are booked by their clocks alone; their lines
        are read when that leaves a gap.
        """
        if some is None:
            marks = self._source.marks(self._handles)
            differ = list(map(operator.ne, marks, self._marks))
            changed = list(zip(compress(self._order, differ), compress(marks, differ), strict=True))
            for process, mark in changed:  # the old list: of the rest it shares its numbers
                self._marks[process.index] = mark
            moved_on = {process for process, _ in changed}
            changed += [(one, one.self_ns) for one in self._unread if one not in moved_on]
        else:
            changed = []
            marks = self._source.marks([process.handle for process in some])
            for process, mark in zip(some, marks, strict=True):
                if mark != self._marks[process.index]:
                    self._marks[process.index] = mark
                    changed.append((process, mark))
        dead: Dead[M] = {}
        credit: dict[Process[M], int] = {}
        moved: list[Process[M]] = []
        # Deaths stand first in everything: the credits read below already hold them.
        for process, mark in changed:
            if mark == GONE:
                dead[process] = process.parent
        for process, mark in changed:
            if mark == GONE:
                continue
            if some is not None and not self._tells(process, mark):
                self._work(process, mark)
                self._unread[process] = None
                moved.append(process)
                continue
            stat = self._source.stat(process.pid)
            if stat is None:
                dead[process] = process.parent
            elif stat.start != process.start:
                dead[process] = process.parent
                found.append(process.pid)
            else:
                moved.append(process)
                own = mark if self._source.clocked else stat.own
                if process.kernel:  # its name tells what it did, and changes with that
                    self._take(process, stat, credit)
                    self._work(process, own)
                else:
                    self._work(process, own)
                    self._take(process, stat, credit)
        return dead, credit, moved

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

    def _work(self, process: Process[M], own: int) -> None:
        worked = own - process.self_ns
        if worked > 0:  # a clock that runs backwards is an odd clock, not another process
            process.self_ns = own
            self._recent[process] = worked
            self._attribution.book(process, worked)

    def _take(self, process: Process[M], stat: Stat, credit: dict[Process[M], int]) -> None:
        """Takes over a fresh line; what grew of the reaped is credit."""
        if stat.reaped > process.children_ns:
            credit[process] = credit.get(process, 0) + stat.reaped - process.children_ns
            process.children_ns = stat.reaped
        self._unread.pop(process, None)
        changed = process.fresh or stat.comm != process.comm
        process.fresh = False
        self._show(process, stat)
        self._adopt(process, stat.parent)
        if changed:
            self._attribution.changed(process)

    def _show(self, process: Process[M], stat: Stat) -> None:
        self._threads += stat.threads - process.threads
        process.show(stat)

    def _read_again(self, dead: Dead[M], credit: dict[Process[M], int], found: list[int]) -> None:
        """Finds those who died while we read, since they are inside a credit already.

        A reaper shows its credit before the clock of the reaped disappears, so the reaper of
        whoever is gone now can be read now; that may let in further deaths, hence the rounds.
        """
        for _ in range(_ROUNDS):
            if not credit:
                return
            suspects = [
                process
                for process in self._suspects(credit)
                if process not in dead and process.total_ns + process.owed_ns > _SUSPECT_NS
            ]
            marks = self._source.marks([process.handle for process in suspects])
            # A clock that went back may be of another process with the same number already.
            late = [
                process
                for process, mark in zip(suspects, marks, strict=True)
                if mark < process.self_ns and (mark == GONE or self._replaced(process, found))
            ]
            if not late:
                return
            dead.update((process, process.parent) for process in late)
            for process in late:
                self._read_reaper(process, dead, credit, found)

    def _replaced(self, process: Process[M], found: list[int]) -> bool:
        """Whether it is gone; whoever has its number now is found."""
        stat = self._source.stat(process.pid)
        if stat is not None and stat.start != process.start:
            found.append(process.pid)
        return stat is None or stat.start != process.start

    def _suspects(self, credit: dict[Process[M], int]) -> Iterable[Process[M]]:
        """All whom the holders of credit may have reaped: their descendants."""
        if any(process.parent is None for process in credit):
            return self._order
        seen: dict[Process[M], None] = {}
        waiting = list(credit)
        while waiting:
            for child in waiting.pop().children:
                if child not in seen:
                    seen[child] = None
                    waiting.append(child)
        return seen

    def _read_reaper(
        self,
        process: Process[M],
        dead: Dead[M],
        credit: dict[Process[M], int],
        found: list[int],
        read: set[Process[M]] | None = None,
    ) -> None:
        """Reads the ancestors of one who died until one of them shows it.

        Args:
            process: it is gone.
            dead: likewise; grows.
            credit: grows.
            found: numbers that others have now; grows.
            read: those who were read after the death already; grows.
        """
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
                    found.append(above.pid)
                continue
            before = credit.get(above, 0)
            self._take(above, stat, credit)
            if credit.get(above, 0) - before >= process.total_ns - OWED_LIMIT_NS:
                return

    def _settle(
        self,
        dead: Dead[M],
        credit: dict[Process[M], int],
        recent: dict[Process[M], int],
    ) -> None:
        """Weighs credits against debits, the deepest first; deficits float up."""
        waiting = set(credit) | set(dead) | self._owing
        depths: dict[Process[M], int] = {}
        heap = [(-depth(process, depths), process) for process in waiting]
        heapq.heapify(heap)
        debit: dict[Process[M], int] = {}
        below: dict[Process[M], dict[Process[M], int]] = {}
        while heap:
            _, process = heapq.heappop(heap)
            died = below.pop(process, {})
            net = credit.get(process, 0) - debit.pop(process, 0) - process.owed_ns
            process.owed_ns = push = 0
            if net > 0:
                self._attribution.book_unseen(process, net, died)
            elif net < 0:
                if process.alive:
                    process.owed_ns = -net if process.pid == 1 else min(-net, OWED_LIMIT_NS)
                push = -net - process.owed_ns
            if process.owed_ns:
                self._owing.add(process)
            else:
                self._owing.discard(process)
            if net >= 0:
                died = {}
            if not process.alive:
                died[process] = recent.get(process, 0) + self._recent.get(process, 0)
                if not self._lost(process, credit):
                    push += process.total_ns
            parent = process.parent
            if parent is None or not (push or died):
                continue
            debit[parent] = debit.get(parent, 0) + push
            if beside := below.get(parent):
                died, beside = sorted((died, beside), key=len)  # a long line is not copied
                beside.update(died)
                below[parent] = beside
            else:
                below[parent] = died
            if parent not in waiting:
                waiting.add(parent)
                heapq.heappush(heap, (-depth(parent, depths), parent))

    def _lost(self, process: Process[M], credit: dict[Process[M], int]) -> bool:
        """Whether nobody was credited with a dead process, since its parent ignored SIGCHLD."""
        parent = process.parent
        return (
            parent is not None
            and parent.alive
            and process.total_ns > OWED_LIMIT_NS
            and credit.get(parent, 0) < process.total_ns - OWED_LIMIT_NS
            and self._source.ignores_children(parent.pid)
        )

    # -- coming and going ------------------------------------------------------------------

    def _enter(self, found: Iterable[int], *, opening: bool = False) -> list[Process[M]]:
        """Takes up new processes, parents before children, and books all that they did."""
        new: dict[int, Process[M]] = {}
        for pid in sorted(set(found)):
            if pid in self.table:
                continue
            # The clock first: whatever happens between the two readings changes the clock again.
            handle = self._source.handle(pid)
            (mark,) = self._source.marks([handle])
            stat = None if mark == GONE else self._source.stat(pid)
            if stat is None:
                continue
            own = mark if self._source.clocked else stat.own
            process: Process[M] = Process(stat, handle, own, self._tick)
            new[process.pid] = self.table[process.pid] = process
            self._append(process, mark)
        for process in new.values():
            self._adopt(process, process.parent_pid)
            if process.parent is not None:
                process.share(process.parent)
        for process in self._parents_first(new):
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

    @staticmethod
    def _parents_first(new: dict[int, Process[M]]) -> Iterable[Process[M]]:
        """In the order in which they began, as far as that is known, and parents always first.

        So a job is known before its orphans, who look like anybody's.
        """
        placed: set[Process[M]] = set()
        for process in sorted(new.values(), key=lambda one: (one.start, one.pid)):
            line = [process]
            for above in process.ancestors():
                if above in placed or new.get(above.pid) is not above:
                    break
                line.append(above)
            for one in reversed(line):
                if one not in placed:
                    placed.add(one)
                    yield one

    def _adopt(self, process: Process[M], parent: int) -> None:
        """Hangs a process below its parent."""
        before = process.parent
        given_away = process.parent_pid != parent
        process.parent_pid = parent
        process.orphan = process.orphan or given_away
        if before is not None and before.pid == parent and before.alive:
            return
        above = self.table.get(parent) if parent else None
        # Within one clock tick start times tie, and numbers are used again: no circles.
        if above is None or above.start > process.start or is_below(above, process):
            init = self.table.get(1)  # above everybody, whomever we do not know yet
            above = None if init is process or not parent else init
        if above is not before:
            self._hang(process, above)
        if above is not None and given_away:
            above.reaper = True

    def _bury(self, process: Process[M]) -> None:
        """Strikes a dead process out, and sees who has its children now."""
        self._owing.discard(process)
        self._unread.pop(process, None)
        if self.table.get(process.pid) is process:
            del self.table[process.pid]
        self._remove(process)
        for child in list(process.children):
            stat = self._source.stat(child.pid) if child.alive else None
            if stat is not None and stat.start == child.start:
                self._adopt(child, stat.parent)
            if child.parent is process:  # dead too: its debit goes up all the same
                self._hang(child, process.parent)
        if process.parent is not None:
            process.parent.children.pop(process, None)
        self._source.forget((process.pid,))
        self._attribution.died(process)

    @staticmethod
    def _hang(process: Process[M], above: Process[M] | None) -> None:
        if process.parent is not None:
            process.parent.children.pop(process, None)
        process.parent = above
        if above is not None:
            above.add_child(process)

    def _append(self, process: Process[M], mark: int) -> None:
        process.index = len(self._order)
        self._threads += process.threads
        self._order.append(process)
        self._handles.append(process.handle)
        self._marks.append(mark)

    def _remove(self, process: Process[M]) -> None:
        self._threads -= process.threads
        last, handle, mark = self._order.pop(), self._handles.pop(), self._marks.pop()
        if last is not process:
            at = last.index = process.index
            self._order[at], self._handles[at], self._marks[at] = last, handle, mark

    def _warm(self, moved: list[Process[M]]) -> None:
        """Those who worked lately are read first in the ticks to come."""
        for process in moved:
            process.hot_until = self._tick + _HOT_FOR
        candidates = dict.fromkeys(moved)
        candidates.update(dict.fromkeys(self.lately))
        hot = [process for process in candidates if process.alive]
        cold = [process for process in hot if process.hot_until < self._tick]
        self.lately = [process for process in hot if process.hot_until >= self._tick][:_HOT_LIMIT]
        self._hot_handles = [process.handle for process in self.lately]
        self._source.forget([process.pid for process in cold])
