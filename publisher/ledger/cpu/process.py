"""A process as the books know it, and what the books ask of whoever knows its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Generic, Protocol, TypeVar

from publisher.sources.processes import Stat

G = TypeVar("G")

_CHILDLESS: Final[dict[Any, None]] = {}  # most have none, and thousands sleep


class Process(Generic[G]):
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
        "alive", "children", "comm", "entered", "fresh", "group", "handle", "hot_until",
        "index", "kernel", "orphan", "owe", "own", "parent", "parent_pid", "pid",
        "process_group", "reaped", "reaper", "rss", "session", "start", "threads",
    )  # fmt: skip

    def __init__(self, stat: Stat, handle: int, own: int, entered: int = 0) -> None:
        self.pid = stat.pid
        self.start = stat.start
        self.handle = handle
        self.own = own
        self.reaped = stat.reaped
        self.owe = 0
        self.parent_pid = stat.parent
        self.parent: Process[G] | None = None
        self.children: dict[Process[G], None] = _CHILDLESS
        self.alive = True
        self.orphan = False
        self.reaper = stat.pid == 1
        self.fresh = False
        self.entered = entered
        self.hot_until = 0
        self.index = -1
        self.kernel = stat.kernel
        self.group: G
        self.show(stat)

    def show(self, stat: Stat) -> None:
        """Takes over what may change in a life."""
        self.comm = stat.comm
        self.session = stat.session
        self.process_group = stat.process_group
        self.threads = stat.threads
        self.rss = stat.rss

    def share(self, above: Process[G]) -> None:
        """Keeps nothing twice that is as with the process above it; most things are."""
        if self.parent_pid == above.pid:
            self.parent_pid = above.pid
        if self.session == above.session:
            self.session = above.session
        if self.process_group == above.process_group:
            self.process_group = above.process_group
        if self.comm == above.comm:
            self.comm = above.comm

    def add_child(self, child: Process[G]) -> None:
        if self.children is _CHILDLESS:
            self.children = {}  # a set would take three times the memory
        self.children[child] = None

    @property
    def total(self) -> int:
        """What its own reaper will be credited with for it, as far as it is known."""
        return self.own + self.reaped

    def __lt__(self, other: Process[G]) -> bool:
        return self.pid < other.pid

    def ancestors(self) -> Iterator[Process[G]]:
        """Parent, grandparent and so on."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent


class Keeper(Protocol[G]):
    """What the books ask of whoever knows names."""

    def place(self, process: Process[G]) -> G:
        """The work group of a process that was just found; its parent is already known."""

    def book(self, process: Process[G], nanoseconds: int) -> None:
        """This process itself used so much."""

    def book_unseen(
        self, reaper: Process[G], nanoseconds: int, died: dict[Process[G], int]
    ) -> None:
        """Processes that died unseen, and the last moments of those in ``died``, used so much.

        ``reaper`` waited for them, or they waited for each other; what each of ``died`` had used
        in the tick before it died stands beside it.
        """

    def changed(self, process: Process[G]) -> None:
        """It runs another program now, or may do so: it was seen for the first time before."""

    def died(self, process: Process[G]) -> None:
        """It is gone, and all there is to book for it is booked."""
