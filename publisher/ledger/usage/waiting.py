"""What groups wait for: a processor while they are scarce, and a slow or dying disk.

A process that waits for a disk uses no CPU and moves no byte meanwhile, so neither clocks nor
counters name it. The kernel counts such tasks in one line that is read anyway; only while there
are some, they are looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessDetails, ProcessSource

_WORKED_NS: Final = 1_000_000
_MOST_WAITERS: Final = 12  # processes whose run queues are read in a window
_MOST_THREADS: Final = 32  # that such a process may have, as each has a file of its own
_SCARCE: Final = 0.7  # part of all processors in use from which waiting is looked at
_MOST_LOOKED_AT: Final = 64
_LOOK_AT_ALL_EVERY: Final = 30
"""Windows at least between two looks at all processes: 5,000 take 30 ms."""


class RunQueues:
    """How long groups could have run but waited for a processor.

    Attributes:
        waited_ns: nanoseconds by group, in this window; a group that is missing was not read.
    """

    def __init__(self, processes: ProcessDetails, cgroups: Cgroups) -> None:
        self.waited_ns: dict[OpenAccount, int] = {}
        self._processes = processes
        self._cgroups = cgroups
        self._waited: dict[Member, int] = {}
        self._stalled: dict[OpenAccount, int] = {}

    def read(self, worked: Iterable[tuple[Member, int]], busy: int, capacity: int) -> None:
        """Reads how long those that worked stood in a run queue, while processors were scarce.

        A unit or container waits at least as long as its cgroup's pressure has it, which holds
        those, too, that are hidden, were not read or are gone.
        """
        if busy < capacity * _SCARCE:
            self._waited.clear()
            self._stalled.clear()
            return
        busiest = sorted(worked, key=_nanoseconds, reverse=True)[:_MOST_WAITERS]
        found: dict[Member, int] = {}
        for process, used in busiest:
            if used < _WORKED_NS or process.threads > _MOST_THREADS or not process.alive:
                continue
            waited = self._processes.waited(process.pid, process.threads)
            if waited is None:
                continue
            found[process] = waited
            before = self._waited.get(process)
            if before is not None and waited >= before:
                account = process.membership.account
                self.waited_ns[account] = self.waited_ns.get(account, 0) + waited - before
        self._waited = found
        stalled: dict[OpenAccount, int] = {}
        for account in dict.fromkeys(process.membership.account for process, _ in busiest):
            if account.place is None:
                continue
            total = self._cgroups.cpu_stalled(account.place.anchor)
            if total is None:
                continue
            stalled[account] = total
            before = self._stalled.get(account)
            if before is not None and total >= before:
                self.waited_ns[account] = max(self.waited_ns.get(account, 0), total - before)
        self._stalled = stalled

    def died(self, process: Member) -> None:
        """A process is gone."""
        self._waited.pop(process, None)

    def turn_page(self) -> None:
        """Clears what belongs to one window."""
        self.waited_ns.clear()


class Blocked:
    """The processes in uninterruptible sleep (state ``D``, man 5 proc_pid_stat), by group.

    Attributes:
        waiting: how many processes of each group wait now.
    """

    def __init__(self, processes: ProcessSource) -> None:
        self.waiting: dict[OpenAccount, int] = {}
        self._processes = processes
        self._found: list[Member] = []
        self._all_from = 0

    def look(
        self,
        count: int,
        lately: Iterable[Member],
        living: Collection[Member],
        window: int,
    ) -> None:
        """Looks for them among those that are likely, and if in vain, now and then among all.

        Args:
            count: how many tasks the kernel says are blocked (``procs_blocked``).
            lately: those that worked in the last windows.
            living: all processes.
            window: the number of this one.
        """
        self.waiting = {}
        if not count:
            self._found = []
            return
        likely = list(dict.fromkeys((*self._found, *lately)))[:_MOST_LOOKED_AT]
        self._found = [process for process in likely if self._waits(process)]
        if not self._found and window >= self._all_from:
            self._all_from = window + _LOOK_AT_ALL_EVERY
            self._found = [process for process in living if self._waits(process)]
        for process in self._found:
            account = process.membership.account
            self.waiting[account] = self.waiting.get(account, 0) + 1

    def _waits(self, process: Member) -> bool:
        if process.kernel or not process.alive:
            return False  # a kernel thread waits on others' behalf
        stat = self._processes.stat(process.pid)
        return stat is not None and stat.start == process.start and stat.state == b"D"


def _nanoseconds(pair: tuple[Member, int]) -> int:
    return pair[1]
