"""What groups use besides CPU: bytes to and from disks, memory, time spent waiting for a CPU.

Reading these costs more than a clock does, so each is read for those alone who can matter: I/O
of who worked, memory of who holds much, waiting of who worked while processors were scarce.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from publisher.errors import AbsentError, SourceError
from publisher.ledger.accounts import GroupKind
from publisher.ledger.cpu.process import Process
from publisher.ledger.groups import Entry, Seat
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import ProcessDetails

_WORKED = 1_000_000  # nanoseconds: moving a megabyte takes about so long
_MOST_READERS = 24
_MOST_WAITERS = 12
_MOST_THREADS = 32
_SCARCE = 0.7  # part of all processors in use from which waiting is looked at
_MEMORY_EVERY = 5  # windows
_SHARES_EVERY = 300  # windows: proportional sizes take the kernel up to 5 ms a process
_SHARED = 2  # groups and
_MOST_SHARERS = 4  # processes of each whose proportional size is asked for
_LARGEST = 5
_MOST_MEMBERS = 8
_GROWTH_SECONDS = 20.0


@dataclass(slots=True)
class Disk:
    """One process's bytes as last read, and what was booked of children it waited for.

    Attributes:
        window: in which they were read; ``own``: its CPU time by then, in nanoseconds.
    """

    read: int
    written: int
    window: int
    own: int
    owed_read: int = 0
    owed_written: int = 0


@dataclass(slots=True)
class Holding:
    """What a group holds in memory.

    Attributes:
        ratio: its true size by the sum of its processes' resident sizes, which counts shared
            pages once for each of them.
    """

    ratio: float = 1.0
    marked: int = 0
    marked_at: float = 0.0
    growth: float | None = None


@dataclass(slots=True)
class Used:
    """What a group used in this window; ``None``: this user may not know."""

    read: int | None = None
    written: int | None = None
    wait: int | None = None


class Usage:
    """Reads and adds up.

    Attributes:
        used: groups that did something in this window.
        disk_problem: why others' disk bytes cannot be read, if so.
    """

    def __init__(self, processes: ProcessDetails, cgroups: Cgroups) -> None:
        self.used: dict[Entry, Used] = {}
        self.disk_problem: SourceError | None = None
        self._processes = processes
        self._cgroups = cgroups
        self._disks: dict[Process[Seat], Disk] = {}
        self._unreadable: set[Process[Seat]] = set()
        self._reapers: dict[Process[Seat], Entry] = {}
        self._waited: dict[Process[Seat], int] = {}
        self._stalled: dict[Entry, int] = {}
        self._units: dict[Entry, tuple[int, int, int]] = {}
        self._holdings: dict[Entry, Holding] = {}

    # -- disks -----------------------------------------------------------------------------

    def read_disks(self, worked: Mapping[Process[Seat], int], window: int, opened: int) -> None:
        """Reads the bytes of those who worked.

        Args:
            worked: processes with the nanoseconds they used.
            window: the number of this one.
            opened: the start time from which processes are younger than the books.
        """
        busiest = sorted(worked.items(), key=_nanoseconds, reverse=True)[:_MOST_READERS]
        entries: dict[Entry, None] = {}
        readers = {process: process.group.entry for process, used in busiest if used >= _WORKED}
        for process in dict.fromkeys([*readers, *self._reapers]):
            if process.kernel or process.reaper or not process.alive:
                continue  # what a reaper waited for is not its own
            if process in self._unreadable:
                continue
            entries[process.group.entry] = None
            self._read_disk(process, worked.get(process, 0), window, opened)
        self._reapers.clear()
        for entry in entries:
            self._read_unit(entry, window)

    def _read_disk(self, process: Process[Seat], worked: int, window: int, opened: int) -> None:
        try:
            read, written = self._processes.io(process.pid)
        except AbsentError:
            return
        except SourceError as error:
            self.disk_problem = error
            self._unreadable.add(process)
            return
        now = Disk(read, written, window, process.own)
        before = self._disks.get(process, now)
        if before is now and process.entered and process.start >= opened:
            before = Disk(0, 0, process.entered - 1, 0)
        self._disks[process] = now
        more_read = read - before.read - before.owed_read
        more_written = written - before.written - before.owed_written
        # What children had booked already shows up in their parent when it waits for them.
        now.owed_read, now.owed_written = max(-more_read, 0), max(-more_written, 0)
        part = _part(before, now, worked)
        entry = process.group.entry
        if process.group.spawner:
            entry = self._reapers.get(process, entry)
        used = self.used.setdefault(entry, Used())
        used.read = (used.read or 0) + int(max(more_read, 0) * part)
        used.written = (used.written or 0) + int(max(more_written, 0) * part)

    def _read_unit(self, entry: Entry, window: int) -> None:
        """Takes the cgroup's word where there is one: it knows who dirtied what was flushed."""
        if entry.place is None:
            return
        counts = self._cgroups.disk_bytes(entry.place.anchor)
        if counts is None:
            return
        before = self._units.get(entry)
        self._units[entry] = *counts, window
        if before is None:
            return
        used = self.used.setdefault(entry, Used())
        windows = window - before[2]
        if windows == 1 or used.read is None:
            used.read = max(counts[0] - before[0], 0) // windows
            used.written = max(counts[1] - before[1], 0) // windows

    def died(self, process: Process[Seat]) -> None:
        """Its bytes are its parent's now; what was booked of them is owed."""
        self._unreadable.discard(process)
        self._waited.pop(process, None)
        self._reapers.pop(process, None)
        disk, parent = self._disks.pop(process, None), process.parent
        if disk is None or parent is None or parent.reaper:
            return
        above = self._disks.get(parent)
        if above is not None:
            above.owed_read += disk.read + disk.owed_read
            above.owed_written += disk.written + disk.owed_written
            self._reapers[parent] = process.group.entry

    # -- waiting ---------------------------------------------------------------------------

    def read_waiting(
        self, worked: Iterable[tuple[Process[Seat], int]], busy: int, capacity: int
    ) -> None:
        """Reads how long those who worked stood in a run queue, while processors were scarce.

        A unit or container waits at least as long as its cgroup's pressure has it, which holds
        those, too, whom we do not see, did not read or who are gone.
        """
        if busy < capacity * _SCARCE:
            self._waited.clear()
            self._stalled.clear()
            return
        busiest = sorted(worked, key=_nanoseconds, reverse=True)[:_MOST_WAITERS]
        found: dict[Process[Seat], int] = {}
        for process, used in busiest:
            if used < _WORKED or process.threads > _MOST_THREADS or not process.alive:
                continue
            waited = self._processes.waited(process.pid, process.threads)
            if waited is None:
                continue
            found[process] = waited
            before = self._waited.get(process)
            if before is not None and waited >= before:
                mine = self.used.setdefault(process.group.entry, Used())
                mine.wait = (mine.wait or 0) + waited - before
        self._waited = found
        stalled: dict[Entry, int] = {}
        for entry in dict.fromkeys(process.group.entry for process, _ in busiest):
            if entry.place is None:
                continue
            total = self._cgroups.cpu_stalled(entry.place.anchor)
            if total is None:
                continue
            stalled[entry] = total
            before = self._stalled.get(entry)
            if before is not None and total >= before:
                mine = self.used.setdefault(entry, Used())
                mine.wait = max(mine.wait or 0, total - before)
        self._stalled = stalled

    # -- memory ----------------------------------------------------------------------------

    def read_memory(self, entries: Iterable[Entry], window: int, now: float) -> None:
        """Refreshes what the largest groups hold; sleepers' sizes change without their clocks."""
        if window % _MEMORY_EVERY:
            return
        holders = [entry for entry in entries if entry.group.kind is not GroupKind.KERNEL]
        largest = sorted(holders, key=resident, reverse=True)[:_LARGEST]
        for rank, entry in enumerate(largest):
            members = sorted(entry.processes, key=_size, reverse=True)[:_MOST_MEMBERS]
            for process in members:
                process.rss = self._processes.resident(process.pid) or process.rss
                entry.update(process)
            holding = self._holdings.setdefault(entry, Holding())
            if rank < _SHARED and len(members) > 1 and window % _SHARES_EVERY == _MEMORY_EVERY:
                holding.ratio = self._ratio(entry, members[:_MOST_SHARERS])
            size = self.memory(entry)
            if not holding.marked_at:
                holding.marked, holding.marked_at = size, now
            elif now - holding.marked_at >= _GROWTH_SECONDS:
                holding.growth = (size - holding.marked) / (now - holding.marked_at)
                holding.marked, holding.marked_at = size, now
        for entry, holding in self._holdings.items():
            if entry not in largest:  # what it does from now on is not seen
                holding.growth, holding.marked_at = None, 0.0

    def _ratio(self, entry: Entry, members: list[Process[Seat]]) -> float:
        whole = resident(entry)
        if entry.place is not None:
            size = self._cgroups.memory_bytes(entry.place.anchor)
            if size is not None and whole:
                return min(size / whole, 1.0)
        shares = [self._processes.proportional_set_size(process.pid) for process in members]
        sizes = [process.rss for process in members]
        known = [(share, size) for share, size in zip(shares, sizes, strict=True) if share]
        counted = sum(size for _, size in known)
        return min(sum(share for share, _ in known) / counted, 1.0) if counted else 1.0

    def memory(self, entry: Entry) -> int:
        """Bytes that a group holds, as far as is known."""
        holding = self._holdings.get(entry)
        return int(resident(entry) * (holding.ratio if holding else 1.0))

    def growth(self, entry: Entry) -> float | None:
        """Bytes a second by which it grew lately; ``None`` for those not watched."""
        holding = self._holdings.get(entry)
        return holding.growth if holding else None

    def close(self, entry: Entry) -> None:
        """Forgets a group."""
        self._holdings.pop(entry, None)
        self._units.pop(entry, None)


def resident(entry: Entry) -> int:
    """The sum of its processes' resident sizes."""
    return entry.rss


def _part(before: Disk, now: Disk, worked: int) -> float:
    """What part of the bytes since ``before`` belongs to this window, in which it ``worked``.

    A process that was not read for a while moved them in all that time: they are shared out by
    the work it did, and at least evenly over the windows, since the work of those it waited for
    is not in its own.
    """
    grown, windows = now.own - before.own, now.window - before.window
    return 1.0 if worked >= grown or windows <= 1 else max(worked / grown, 1 / windows)


def _nanoseconds(pair: tuple[Process[Seat], int]) -> int:
    return pair[1]


def _size(process: Process[Seat]) -> int:
    return process.rss
