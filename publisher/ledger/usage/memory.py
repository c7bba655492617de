"""Memory that groups hold, and how fast the largest of them grow.

Sizes that count shared pages once take the kernel up to 5 ms a process, so they are asked for
the largest groups alone, and seldom.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from publisher.contract.readings import GroupKind
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessDetails

_MEMORY_EVERY = 5  # windows
_SHARES_EVERY = 300  # windows
_SHARED = 2  # groups and
_MOST_SHARERS = 4  # processes of each whose proportional size is asked for
_LARGEST = 5
_MOST_MEMBERS = 8
_GROWTH_SECONDS = 20.0


@dataclass(slots=True)
class _Holding:
    """What a group holds in memory.

    Attributes:
        ratio: its true size by the sum of its processes' resident sizes, which counts shared
            pages once for each of them.
        marked: bytes that it held at ``marked_at``, in monotonic seconds; 0 for not yet.
        growth: bytes a second, over the last ``_GROWTH_SECONDS`` or more.
    """

    ratio: float = 1.0
    marked: int = 0
    marked_at: float = 0.0
    growth: float | None = None


class MemoryUse:
    """Follows what groups hold."""

    def __init__(self, processes: ProcessDetails, cgroups: Cgroups) -> None:
        self._processes = processes
        self._cgroups = cgroups
        self._holdings: dict[OpenAccount, _Holding] = {}

    def read(self, accounts: Iterable[OpenAccount], window: int, now: float) -> None:
        """Refreshes what the largest groups hold; sleepers' sizes change without their clocks."""
        if window % _MEMORY_EVERY:
            return
        holders = [account for account in accounts if account.group.kind is not GroupKind.KERNEL]
        largest = sorted(holders, key=resident, reverse=True)[:_LARGEST]
        for rank, account in enumerate(largest):
            members = sorted(account.processes, key=_size, reverse=True)[:_MOST_MEMBERS]
            for process in members:
                process.rss = self._processes.resident(process.pid) or process.rss
                account.update(process)
            holding = self._holdings.setdefault(account, _Holding())
            if rank < _SHARED and len(members) > 1 and window % _SHARES_EVERY == _MEMORY_EVERY:
                holding.ratio = self._ratio(account, members[:_MOST_SHARERS])
            size = self.held(account)
            if not holding.marked_at:
                holding.marked, holding.marked_at = size, now
            elif now - holding.marked_at >= _GROWTH_SECONDS:
                holding.growth = (size - holding.marked) / (now - holding.marked_at)
                holding.marked, holding.marked_at = size, now
        for account, holding in self._holdings.items():
            if account not in largest:  # what it does from now on is not seen
                holding.growth, holding.marked_at = None, 0.0

    def _ratio(self, account: OpenAccount, members: list[Member]) -> float:
        whole = resident(account)
        if account.place is not None:
            size = self._cgroups.memory_bytes(account.place.anchor)
            if size is not None and whole:
                return min(size / whole, 1.0)
        shares = [self._processes.proportional_set_size(process.pid) for process in members]
        sizes = [process.rss for process in members]
        known = [(share, size) for share, size in zip(shares, sizes, strict=True) if share]
        counted = sum(size for _, size in known)
        return min(sum(share for share, _ in known) / counted, 1.0) if counted else 1.0

    def held(self, account: OpenAccount) -> int:
        """Bytes that a group holds, as far as is known."""
        holding = self._holdings.get(account)
        return int(resident(account) * (holding.ratio if holding else 1.0))

    def growth(self, account: OpenAccount) -> float | None:
        """Bytes a second by which it grew lately; ``None`` for those not watched."""
        holding = self._holdings.get(account)
        return holding.growth if holding else None

    def forget(self, closed: AbstractSet[OpenAccount]) -> None:
        """Groups were closed."""
        for account in closed:
            self._holdings.pop(account, None)


def resident(account: OpenAccount) -> int:
    """The sum of its processes' resident sizes, in bytes."""
    return account.rss


def _size(process: Member) -> int:
    return process.rss
