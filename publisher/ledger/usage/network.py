"""Which group the bytes on the wire belong to, looked at while there are many.

Connections tell by what: those of TCP have counters, and a process holds their descriptor. A
container with a network of its own has interfaces of its own, which count all protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.files import KernelFiles
from publisher.sources.sockets import (
    TcpConnection,
    connections,
    namespace_traffic,
    sockets_of,
    traffic,
)

_MUCH = 250_000  # bytes a second on all wires from which it matters what moves them
_MATTERS = 50_000  # bytes in a window that a connection must have moved for its owner to be sought
_MOST_SEARCHED = 16  # processes whose descriptors are looked through in a window
_MOST_CONTAINERS = 32  # whose interfaces are read in a window, those that worked most first


class NetworkUse:
    """Adds up connections.

    Args:
        files: tell what is on all wires.
        ask: tells the bytes of every connection.
        proc: the folder of the processes' own.

    Attributes:
        moved: bytes (received, transmitted) of groups in this window.
        watching: whether this window was looked at: a group without an account moved nothing.
        problem: why connections or their owners cannot be known, if so.
    """

    def __init__(
        self,
        files: KernelFiles,
        ask: Callable[[], list[TcpConnection]] = connections,
        proc: str = "/proc",
    ) -> None:
        self.moved: dict[OpenAccount, tuple[int, int]] = {}
        self.watching = False
        self.problem: SourceError | None = None
        self._files = files
        self._ask = ask
        self._proc = proc
        self._traffic: int | None = None
        self._before: dict[int, tuple[int, int]] | None = None
        self._inside: dict[int, tuple[int, int]] = {}
        self._owners: dict[int, Member] = {}

    def read(
        self,
        worked: Iterable[tuple[Member, int]],
        containers: Iterable[OpenAccount],
        seconds: float,
    ) -> None:
        """Looks at what moved it if more than a little was moved since the last call."""
        self.moved.clear()
        self.watching = False
        if self._files.root or isinstance(self.problem, AbsentError):
            return
        try:
            total = sum(traffic(self._files.read("/proc/net/dev")))
            before, self._traffic = self._traffic, total
            if before is None or total - before < _MUCH * seconds:
                self._before = None
                self._inside = {}
                return
            self._read_inside(containers)
            found = self._ask()
        except SourceError as error:
            self.problem = error
            self._before = None  # what comes next is not of one window
            return
        if not isinstance(self.problem, DeniedError):
            self.problem = None
        last = self._before
        self._before = {
            one.inode: (one.received, one.transmitted) for one in found if not one.inside
        }
        if last is None:
            return  # what came before this window is not to be told from what came in it
        self.watching = True
        active = {}
        for inode, (received, transmitted) in self._before.items():
            earlier = last.get(inode, (0, 0))
            more = max(received - earlier[0], 0), max(transmitted - earlier[1], 0)
            if sum(more) >= _MATTERS:
                active[inode] = more
        self._book(active, worked)

    def _read_inside(self, containers: Iterable[OpenAccount]) -> None:
        """Books what the interfaces of containers moved; a network that several share, to one."""
        try:
            ours, *_ = namespace_traffic(self._proc, "self")
        except SourceError:
            return
        before, self._inside = self._inside, {}
        busiest = sorted(containers, key=lambda account: account.cpu_ns, reverse=True)
        for account in busiest[:_MOST_CONTAINERS]:
            process = next(iter(account.processes), None)
            if process is None:
                continue
            try:
                namespace, *bytes_now = namespace_traffic(self._proc, process.pid)
            except SourceError:
                continue
            if namespace == ours or namespace in self._inside:
                continue
            received, transmitted = self._inside[namespace] = (bytes_now[0], bytes_now[1])
            if last := before.get(namespace):
                self._add(account, max(received - last[0], 0), max(transmitted - last[1], 0))

    def _add(self, account: OpenAccount, received: int, transmitted: int) -> None:
        so_far = self.moved.get(account, (0, 0))
        self.moved[account] = so_far[0] + received, so_far[1] + transmitted

    def _book(
        self,
        active: dict[int, tuple[int, int]],
        worked: Iterable[tuple[Member, int]],
    ) -> None:
        self._owners = {
            inode: process
            for inode, process in self._owners.items()
            if inode in active and process.alive
        }
        unknown = set(active) - set(self._owners)
        if unknown:
            self._search(unknown, worked)
        for inode, (received, transmitted) in active.items():
            owner = self._owners.get(inode)
            if owner is not None:
                self._add(owner.membership.account, received, transmitted)

    def _search(self, unknown: set[int], worked: Iterable[tuple[Member, int]]) -> None:
        busiest = sorted(worked, key=lambda pair: pair[1], reverse=True)[:_MOST_SEARCHED]
        self.problem = None
        for process, _ in busiest:
            if process.kernel or not process.alive or not unknown:
                continue
            try:
                mine = sockets_of(self._proc, process.pid) & unknown
            except AbsentError:
                continue
            except SourceError as error:
                self.problem = error
                continue
            for inode in mine:
                self._owners[inode] = process
            unknown -= mine
