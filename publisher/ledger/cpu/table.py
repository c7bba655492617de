"""The table of living processes: by number, as a tree, and in the order of their clocks."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Generic

from publisher.ledger.cpu.process import M, Process
from publisher.ledger.cpu.tree import is_below
from publisher.sources.processes import ProcessSource, Stat


class ProcessTable(Generic[M]):
    """Every living process that is visible.

    Attributes:
        by_pid: the processes by number.
        order: likewise, in the order in which their clocks are read.
        threads: how many they have together, as last read.
    """

    def __init__(self, source: ProcessSource) -> None:
        self.by_pid: dict[int, Process[M]] = {}
        self.order: list[Process[M]] = []
        self.threads = 0
        self._source = source
        self._handles: list[int] = []
        self._marks: list[int] = []

    # -- clocks ------------------------------------------------------------------------------

    def moved(self) -> list[tuple[Process[M], int]]:
        """All whose clock changed since it was read last, with what it shows now."""
        marks = self._source.marks(self._handles)
        differ = list(map(operator.ne, marks, self._marks))
        changed = list(zip(compress(self.order, differ), compress(marks, differ), strict=True))
        for process, mark in changed:  # the old list: of the rest it shares its numbers
            self._marks[process.index] = mark
        return changed

    def moved_of(self, some: Iterable[Process[M]]) -> list[tuple[Process[M], int]]:
        """Those of ``some`` whose clock changed since it was read last, with what it shows now."""
        changed = []
        marks = self._source.marks([process.handle for process in some])
        for process, mark in zip(some, marks, strict=True):
            if mark != self._marks[process.index]:
                self._marks[process.index] = mark
                changed.append((process, mark))
        return changed

    # -- coming and going --------------------------------------------------------------------

    def add(self, process: Process[M], mark: int) -> None:
        """Takes in a process whose clock shows ``mark``; it has no parent yet."""
        self.by_pid[process.pid] = process
        process.index = len(self.order)
        self.threads += process.threads
        self.order.append(process)
        self._handles.append(process.handle)
        self._marks.append(mark)

    def show(self, process: Process[M], stat: Stat) -> None:
        """Takes over what may change in a life."""
        self.threads += stat.threads - process.threads
        process.show(stat)

    def remove(self, process: Process[M]) -> None:
        """Strikes a dead process out, and finds the new parents of its children."""
        if self.by_pid.get(process.pid) is process:
            del self.by_pid[process.pid]
        self._take_out(process)
        for child in list(process.children):
            stat = self._source.stat(child.pid) if child.alive else None
            if stat is not None and stat.start == child.start:
                self.adopt(child, stat.parent)
            if child.parent is process:  # dead too: its debit goes up all the same
                _hang(child, process.parent)
        if process.parent is not None:
            process.parent.children.pop(process, None)

    def _take_out(self, process: Process[M]) -> None:
        self.threads -= process.threads
        last, handle, mark = self.order.pop(), self._handles.pop(), self._marks.pop()
        if last is not process:
            at = last.index = process.index
            self.order[at], self._handles[at], self._marks[at] = last, handle, mark

    # -- the tree ----------------------------------------------------------------------------

    def adopt(self, process: Process[M], parent: int) -> None:
        """Hangs a process below its parent, whose number the kernel told."""
        before = process.parent
        given_away = process.parent_pid != parent
        process.parent_pid = parent
        process.orphan = process.orphan or given_away
        if before is not None and before.pid == parent and before.alive:
            return
        above = self.by_pid.get(parent) if parent else None
        # Within one clock tick start times tie, and numbers are used again: no circles.
        if above is None or above.start > process.start or is_below(above, process):
            init = self.by_pid.get(1)  # above all, also where the parent is not known yet
            above = None if init is process or not parent else init
        if above is not before:
            _hang(process, above)
        if above is not None and given_away:
            above.reaper = True

    def below(self, processes: Iterable[Process[M]]) -> Iterable[Process[M]]:
        """All descendants of these; everything, where one of them has no parent."""
        waiting = list(processes)
        if any(process.parent is None for process in waiting):
            return self.order
        seen: dict[Process[M], None] = {}
        while waiting:
            for child in waiting.pop().children:
                if child not in seen:
                    seen[child] = None
                    waiting.append(child)
        return seen


def parents_first(new: dict[int, Process[M]]) -> Iterator[Process[M]]:
    """In the order in which they began, as far as that is known, and parents always first.

    So a job is known before its orphans, which look like those of any other.
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


def _hang(process: Process[M], above: Process[M] | None) -> None:
    if process.parent is not None:
        process.parent.children.pop(process, None)
    process.parent = above
    if above is not None:
        above.add_child(process)
