"""A process as the books know it, and what the books ask of whoever knows its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

from publisher.sources.processes import Stat

M = TypeVar("M")

_CHILDLESS: Final[dict[Any, None]] = {}  # most have none, and thousands sleep


class Process(Generic[M]):
    """One process as the books know it.

    Attributes:
        own: its CPU time booked so far; ``reaped``: that of those it waited for, as last shown.
        owe: booked already, but not yet visible in ``reaped``.
        entered: the tick in which it was found; 0 for those who lived before the books.
        orphan: it lost the parent that it was found with.
        reaper: it was given children that it did not make (init, a subreaper), so what it
            reaps is not its own work.
    """

    __slots__ = (
        "alive",
        "children",
        "children_ns",
        "comm",
        "entered",
        "fresh",
        "handle",
        "hot_until",
        "index",
        "kernel",
        "membership",
        "orphan",
        "owed_ns",
        "parent",
        "parent_pid",
        "pid",
        "process_group",
        "reaper",
        "rss",
        "self_ns",
        "session",
        "start",
        "threads",
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
    """What the books ask of whoever knows names."""

    def place(self, process: Process[M]) -> M:
        """The work group of a process that was just found; its parent is already known."""

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
