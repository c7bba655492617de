"""Whose the orphans are, by the kernel's events of forks and exits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.ledger.open_accounts import Member, OpenAccount, waits_for_orphans
from publisher.sources.proc_connector import Exit, Fork, ProcConnector

_OPEN = 0.05  # part of the busy time without an owner from which events are listened to
_PATIENCE = 2  # windows in a row
_REST = 30  # windows without need after which we stop listening


class Events(Protocol):
    """The kernel's events; ``lost`` as ``Connector`` has it."""

    lost: bool

    def events(self) -> Iterable[Fork | Exit]:
        """All that happened since the last call."""

    def close(self) -> None:
        """Stops listening."""


class Lineage:
    """Listens to the kernel when needed, and remembers which process descends from which.

    Args:
        connect: begins to listen.

    Attributes:
        lives: nanoseconds that orphans which ended in this window had lived, by group.
        problem: why nothing can be heard, if so.
    """

    def __init__(self, attribution: str, connect: Callable[[], Events] = ProcConnector) -> None:
        self.lives: Counter[OpenAccount] = Counter()
        self.problem: SourceError | None = None
        self._attribution = attribution
        self._connect = connect
        self._connector: Events | None = None
        self._owners: dict[int, OpenAccount] = {}
        self._born: dict[int, int] = {}
        self._parents: dict[int, int] = {}
        self._gone: set[int] = set()
        self._leaving: set[int] = set()
        self._needed = 0
        self._idle = 0
        if attribution == "exact":
            self._open()

    def listen(self, table: Mapping[int, Member]) -> None:
        """Takes in what happened; before the books strike the dead out of ``table``."""
        self.lives.clear()
        if self._connector is None:
            return
        leaving = self._leaving
        if self._connector.lost:
            # Exits may be among the lost. By now the books know what was made and lives on.
            leaving = leaving.union(self._parents.keys() - table.keys())
            self._connector.lost = False
        for pid in leaving:
            for memory in (self._owners, self._born, self._parents):
                memory.pop(pid, None)
        self._gone -= leaving
        self._leaving = set(self._gone)
        try:
            self._take(self._connector.events(), table)
        except SourceError as error:
            self.problem = error
            self.close()

    def _take(self, events: Iterable[Fork | Exit], table: Mapping[int, Member]) -> None:
        for event in events:
            if isinstance(event, Fork):
                self._gone.discard(event.child)
                self._leaving.discard(event.child)
                self._born[event.child] = event.at
                self._parents[event.child] = event.parent
                owner = self._owners.get(event.parent) or _owner(table.get(event.parent))
                if owner is not None:
                    self._owners[event.child] = owner
                else:
                    self._owners.pop(event.child, None)  # of one that had the number before
            else:
                self._gone.add(event.pid)
                owner = self._owners.get(event.pid)
                # Its parent went first, so that init or a subreaper waits for it.
                if owner is not None and self._parents.get(event.pid) in self._gone:
                    self.lives[owner] += event.at - self._born.get(event.pid, event.at) + 1

    def owner(self, pid: int) -> OpenAccount | None:
        """The group that a process descends from, as far as was heard."""
        return self._owners.get(pid)

    def judge(self, ownerless_ns: int, busy_ns: int) -> None:
        """Starts or stops listening, by how much of the busy time has no owner."""
        if self._attribution == "light":
            return
        if busy_ns and ownerless_ns > busy_ns * _OPEN:
            self._needed += 1
            self._idle = 0
            refused = isinstance(self.problem, AbsentError | DeniedError)
            if self._connector is None and not refused and self._needed % _REST == _PATIENCE:
                self._open()
            return
        self._needed = 0
        self._idle += 1
        if self._idle >= _REST and self._attribution == "auto":
            self.close()

    def _open(self) -> None:
        try:
            self._connector = self._connect()
        except SourceError as error:
            self.problem = error
        else:
            self.problem = None

    def forget(self, closed: AbstractSet[OpenAccount]) -> None:
        """Groups were closed."""
        self._owners = {pid: owner for pid, owner in self._owners.items() if owner not in closed}

    def close(self) -> None:
        """Stops listening."""
        if self._connector is not None:
            self._connector.close()
            self._connector = None
        for memory in (self._owners, self._born, self._parents, self._gone, self._leaving):
            memory.clear()


def _owner(process: Member | None) -> OpenAccount | None:
    """Whose the children of a process are; a spawner's are their own."""
    if process is None or waits_for_orphans(process) or process.membership.spawner:
        return None
    return process.membership.account
