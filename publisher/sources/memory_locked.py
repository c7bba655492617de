"""Files of a process that the kernel reads from its memory, and that may therefore never come.

``cmdline``, ``maps`` and ``smaps_rollup`` wait for the lock of the process's memory. A thread that
faults a page in from a file server that is gone, or from tape, may hold that lock for ever, and who
reads one of these files then waits with it and cannot be killed (seen with NFS and EFS, with
hierarchical storage, and with containers stopped at their memory limit).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from publisher.sources.bounded import Bounded, HangingError

_T = TypeVar("_T")
_DEADLINE: Final = 0.3
_MOST_STUCK: Final = 8
"""So many threads are left behind at most; then nothing that may hang is read any more."""


class MemoryLocked:
    """Reads such files in a thread that can be left behind, and never again of who kept it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._worker: Bounded | None = None
        self._kept: dict[int, Bounded] = {}

    def read(self, pid: int, work: Callable[[], _T], without: _T) -> _T:
        """What ``work`` reads of a process; ``without`` where that does not come."""
        if self._kept:
            self._take_back()
        if pid in self._kept or len(self._kept) >= _MOST_STUCK:
            return without
        if self._worker is None:
            self._worker = Bounded("process-memory", "a process's memory", _DEADLINE, self._clock)
        try:
            return self._worker.run(work)
        except HangingError:
            self._kept[pid], self._worker = self._worker, None
            return without

    def close(self) -> None:
        """Ends the threads; one that is stuck ends when it comes back."""
        for worker in (self._worker, *self._kept.values()):
            if worker is not None:
                worker.close()
        self._worker, self._kept = None, {}

    def _take_back(self) -> None:
        """Ends the threads that have come back, but for one where we have none."""
        for pid, worker in list(self._kept.items()):
            if not worker.stuck:
                del self._kept[pid]
                if self._worker is None:
                    self._worker = worker
                else:
                    worker.close()
