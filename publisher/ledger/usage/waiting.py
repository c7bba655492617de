"""Who waits for a disk.

Whoever waits for a slow or dying disk uses no CPU and moves no byte meanwhile, so neither clocks
nor counters name it. The kernel counts such tasks in one line that is read anyway; only while
there are some, somebody looks for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.processes import ProcessSource

_MOST_LOOKED_AT: Final = 64
_LOOK_AT_ALL_EVERY: Final = 30
"""Windows at least between two looks at everybody: 5,000 processes take 30 ms."""


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
        everybody: Collection[Member],
        window: int,
    ) -> None:
        """Looks for them among those who are likely, and if in vain, now and then among all.

        Args:
            count: how many tasks the kernel says are blocked (``procs_blocked``).
            lately: who worked in the last windows.
            everybody: all living processes.
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
            self._found = [process for process in everybody if self._waits(process)]
        for process in self._found:
            account = process.membership.account
            self.waiting[account] = self.waiting.get(account, 0) + 1

    def _waits(self, process: Member) -> bool:
        if process.kernel or not process.alive:
            return False  # a kernel thread waits on others' behalf
        stat = self._processes.stat(process.pid)
        return stat is not None and stat.start == process.start and stat.state == b"D"
