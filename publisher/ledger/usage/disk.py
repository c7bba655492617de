"""Bytes that groups moved to and from disks.

A process's own counters (``/proc/<pid>/io``) take the kernel longer than a clock does, so only
those that worked are read. A unit's or container's cgroup knows better, where it counts: written
pages are put down to the one that dirtied them, not to the kernel thread that flushes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from publisher.errors import AbsentError, SourceError
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessDetails

_WORKED_NS = 1_000_000  # moving a megabyte takes about so long
_MOST_READ = 24  # processes whose counters are read in a window


@dataclass(slots=True)
class Moved:
    """Bytes that a group read from disks and wrote to them in one window."""

    read: int
    written: int


@dataclass(slots=True)
class _Counters:
    """One process's bytes as last read, and what was booked of children it waited for.

    Attributes:
        window: the number of the window in which they were read.
        self_ns: its CPU time by then, in nanoseconds.
        owed_read: bytes booked already for children, not yet visible in its own counter.
    """

    read: int
    written: int
    window: int
    self_ns: int
    owed_read: int = 0
    owed_written: int = 0


class DiskUse:
    """Reads the counters of processes and cgroups, and adds them up by group.

    Attributes:
        moved: by group, in this window; a group that is missing moved nothing that could be read.
        problem: why the bytes of other users' processes cannot be read, if so.
    """

    def __init__(self, processes: ProcessDetails, cgroups: Cgroups) -> None:
        self.moved: dict[OpenAccount, Moved] = {}
        self.problem: SourceError | None = None
        self._processes = processes
        self._cgroups = cgroups
        self._last: dict[Member, _Counters] = {}
        self._unreadable: set[Member] = set()
        self._reapers: dict[Member, OpenAccount] = {}
        self._units: dict[OpenAccount, tuple[int, int, int]] = {}

    def read(self, worked: Mapping[Member, int], window: int, opened: int) -> None:
        """Reads the bytes of those that worked.

        Args:
            worked: processes with the nanoseconds they used.
            window: the number of this one.
            opened: the start time from which processes are younger than the books.
        """
        busiest = sorted(worked.items(), key=_nanoseconds, reverse=True)[:_MOST_READ]
        accounts: dict[OpenAccount, None] = {}
        readers = {
            process: process.membership.account for process, used in busiest if used >= _WORKED_NS
        }
        for process in dict.fromkeys([*readers, *self._reapers]):
            if process.kernel or process.reaper or not process.alive:
                continue  # what a reaper waited for is not its own
            if process in self._unreadable:
                continue
            accounts[process.membership.account] = None
            self._read_process(process, worked.get(process, 0), window, opened)
        self._reapers.clear()
        for account in accounts:
            self._read_unit(account, window)

    def _read_process(self, process: Member, worked: int, window: int, opened: int) -> None:
        try:
            read, written = self._processes.io(process.pid)
        except AbsentError:
            return
        except SourceError as error:
            self.problem = error
            self._unreadable.add(process)
            return
        now = _Counters(read, written, window, process.self_ns)
        before = self._last.get(process, now)
        if before is now and process.entered and process.start >= opened:
            before = _Counters(0, 0, process.entered - 1, 0)
        self._last[process] = now
        more_read = read - before.read - before.owed_read
        more_written = written - before.written - before.owed_written
        # What children had booked already shows up in their parent when it waits for them.
        now.owed_read, now.owed_written = max(-more_read, 0), max(-more_written, 0)
        part = _part(before, now, worked)
        account = process.membership.account
        if process.membership.spawner:
            account = self._reapers.get(process, account)
        moved = self.moved.setdefault(account, Moved(0, 0))
        moved.read += int(max(more_read, 0) * part)
        moved.written += int(max(more_written, 0) * part)

    def _read_unit(self, account: OpenAccount, window: int) -> None:
        """Takes the cgroup's word where there is one: it knows by what a page was dirtied."""
        if account.place is None:
            return
        counts = self._cgroups.disk_bytes(account.place.anchor)
        if counts is None:
            return
        before = self._units.get(account)
        self._units[account] = *counts, window
        if before is None:
            return
        windows = window - before[2]
        if windows == 1 or account not in self.moved:
            self.moved[account] = Moved(
                max(counts[0] - before[0], 0) // windows, max(counts[1] - before[1], 0) // windows
            )

    def died(self, process: Member) -> None:
        """Its bytes are its parent's now; what was booked of them is owed."""
        self._unreadable.discard(process)
        self._reapers.pop(process, None)
        last, parent = self._last.pop(process, None), process.parent
        if last is None or parent is None or parent.reaper:
            return
        above = self._last.get(parent)
        if above is not None:
            above.owed_read += last.read + last.owed_read
            above.owed_written += last.written + last.owed_written
            self._reapers[parent] = process.membership.account

    def turn_page(self, closed: AbstractSet[OpenAccount]) -> None:
        """Clears what belongs to one window; forgets the groups that were closed."""
        self.moved.clear()
        for account in closed:
            self._units.pop(account, None)


def _part(before: _Counters, now: _Counters, worked: int) -> float:
    """What part of the bytes since ``before`` belongs to this window, in which it ``worked``.

    A process that was not read for a while moved them in all that time: they are shared out by
    the work it did, and at least evenly over the windows, since the work of those it waited for
    is not in its own.
    """
    grown, windows = now.self_ns - before.self_ns, now.window - before.window
    return 1.0 if worked >= grown or windows <= 1 else max(worked / grown, 1 / windows)


def _nanoseconds(pair: tuple[Member, int]) -> int:
    return pair[1]
