"""A process as the books know it, and what the books tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

from publisher.sources.processes import Stat

M = TypeVar("M")
"""What tells to which work group a process belongs; nothing that the books look into."""

_CHILDLESS: Final[dict[Any, None]] = {}  # most have none, and thousands sleep


class Process(Generic[M]):
    """One process; times are nanoseconds of CPU time.

    Attributes:
        self_ns: its own, booked so far.
        children_ns: those of all it has waited for, as the kernel last showed them.
        owed_ns: booked already, but not yet visible in ``children_ns``.
        start: when it began, in clock ticks since boot.
        handle: what its clock is read by.
        index: its place among those whose clocks are read.
        entered: the tick in which it was found; 0 for those older than the books.
        fresh: its line was read only once, so its program may be another by now.
        hot_until: the tick up to which it is among those read first.
        orphan: it lost the parent that it was found with.
        reaper: it was given children that it did not make (init, a subreaper), so what it
            reaps is not its own work.
        rss: resident memory in bytes.
    """

    __slots__ = (
        "alive", "children", "children_ns", "comm", "entered", "fresh", "handle", "hot_until",
        "index", "kernel", "membership", "orphan", "owed_ns", "parent", "parent_pid", "pid",
        "process_group", "reaper", "rss", "self_ns", "session", "start", "threads",
    )  # fmt: skip

    def __init__(self, stat: Stat, handle: int, self_ns: int, entered: int = 0) -> None:
        self.pid = stat.pid
        self.start = stat.start
        self.handle = handle
        self.self_ns = self_ns
        self.children_ns = stat.reaped
        self.owed_ns = 0
        self.parent_pid = stat.parent
        self.parent: Process[M] | None = None
        self.children: dict[Process[M], None] = _CHILDLESS
        self.alive = True
        self.orphan = False
        self.reaper = stat.pid == 1
        self.fresh = False
        self.entered = entered
        self.hot_until = 0
        self.index = -1
        self.kernel = stat.kernel
        self.membership: M
        self.show(stat)

    def show(self, stat: Stat) -> None:
        """Takes over what may change in a life."""
        self.comm = stat.comm
        self.session = stat.session
        self.process_group = stat.process_group
        self.threads = stat.threads
        self.rss = stat.rss

    def share(self, above: Process[M]) -> None:
        """Keeps nothing twice that is as with the process above it; most things are."""
        if self.parent_pid == above.pid:
            self.parent_pid = above.pid
        if self.session == above.session:
            self.session = above.session
        if self.process_group == above.process_group:
            self.process_group = above.process_group
        if self.comm == above.comm:
            self.comm = above.comm

    def add_child(self, child: Process[M]) -> None:
        if self.children is _CHILDLESS:
            self.children = {}  # a set would take three times the memory
        self.children[child] = None

    @property
    def total_ns(self) -> int:
        """What its own reaper will be credited with for it, as far as it is known."""
        return self.self_ns + self.children_ns

    def __lt__(self, other: Process[M]) -> bool:
        return self.pid < other.pid

    def ancestors(self) -> Iterator[Process[M]]:
        """Parent, grandparent and so on."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent


class Attribution(Protocol[M]):
    """Gives what the books say of processes to their work groups."""

    def place(self, process: Process[M]) -> M:
        """The membership of a process that was just found; its parent's is already known."""

    def book(self, process: Process[M], nanoseconds: int) -> None:
        """This process itself used so much."""

    def book_unseen(
        self, reaper: Process[M], nanoseconds: int, died: dict[Process[M], int]
    ) -> None:
        """Processes that died unseen, and the last moments of those in ``died``, used so much.

        ``reaper`` waited for them, or they waited for each other; what each of ``died`` had used
        in the tick before it died stands beside it.
        """

    def changed(self, process: Process[M]) -> None:
        """It runs another program now, or may do so: it was seen for the first time before."""

    def died(self, process: Process[M]) -> None:
        """It is gone, and all there is to book for it is booked."""
