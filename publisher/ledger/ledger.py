"""The ledger: one balance a sample, of who used what since the one before."""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

from publisher.errors import SourceError
from publisher.ledger.accounts import Account, Balance, GroupKind
from publisher.ledger.books import Books
from publisher.ledger.groups import Entry, Groups, Seat
from publisher.ledger.settings import LedgerSettings
from publisher.sources import Sources
from publisher.sources.cgroups import Cgroups
from publisher.sources.files import KernelFiles
from publisher.sources.processes import Census, LinuxProcesses

_TICK = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)
_TOLERANCE = 0.05  # part of the busy time that may stay open until somebody asks the cold ones
_GRAIN = 6_000_000  # nanoseconds: the clocks of running processes lag by up to a tick
_KEPT = 8  # windows that a group without processes is kept
_LARGEST = 5  # groups shown for their memory alone


class Ledger(Protocol):
    """Who used the machine; made by ``open_ledger``.

    Attributes:
        health: senses of the ledger by name, such as ``ledger.disk``: what is wrong, or ``None``.
    """

    health: dict[str, SourceError | None]

    def sample(self) -> Balance | None:
        """What was used since the last call; ``None`` the first time, which opens the books."""

    def account_of(self, pid: int) -> Account | None:
        """The account of a living process's group, as it is now; ``None`` for an unknown one."""

    def close(self) -> None:
        """Lets go of everything held open."""


class Totals(NamedTuple):
    """What the machine did since boot, in nanoseconds."""

    busy: int
    irq: int
    steal: int
    guest: int
    cores: int
    forks: int


def open_ledger(sources: Sources, settings: LedgerSettings) -> Ledger:
    """The best ledger that this machine allows."""
    return LinuxLedger(sources, settings)


class LinuxLedger:
    """Books of CPU clocks."""

    def __init__(self, sources: Sources, settings: LedgerSettings) -> None:
        self.health: dict[str, SourceError | None] = {}
        self._sources = sources
        self._processes = LinuxProcesses(sources.files)
        self._cgroups = Cgroups(sources.files)
        self._groups = Groups(
            self._processes, self._cgroups, own=os.getpid(), arguments=settings.publish_arguments
        )
        self._books: Books[Seat] = Books(self._processes, self._groups)
        self._exact = self._cgroups.whole_usage() is not None
        self._before: Totals | None = None
        self._at = 0.0
        self._window = 0
        self._carry = 0
        self._boot = 0.0

    def sample(self) -> Balance | None:
        now = self._sources.monotonic()
        totals, census = self._totals()
        before, self._before = self._before, totals
        window, self._at = now - self._at, now
        if before is None:
            self._boot = _boot_time(self._sources)
            self._books.open(census)
            return None
        self._window += 1
        busy = max(totals.busy - before.busy, 0)
        open_before = self._carry
        tolerance = int(busy * _TOLERANCE) + _GRAIN

        def closes(booked: int) -> bool:
            return abs(open_before + busy - booked) <= tolerance

        if not self._books.quiet(census, closes):
            self._books.full(census)
        return self._balance(before, totals, window, busy, tolerance)

    def account_of(self, pid: int) -> Account | None:
        process = self._books.table.get(pid)
        seat = process.group if process is not None else None
        return None if seat is None else self._account(seat.entry)

    def close(self) -> None:
        self._processes.close()

    def _totals(self) -> tuple[Totals, Census]:
        totals = read_totals(self._sources.files)
        if self._exact and (usage := self._cgroups.whole_usage()) is not None:
            totals = totals._replace(busy=usage)
        last = self._sources.files.read("/proc/loadavg").split()
        return totals, Census(int(last[-1]), totals.forks)

    def _balance(
        self, before: Totals, totals: Totals, window: float, busy: int, tolerance: int
    ) -> Balance:
        entries = self._groups.entries
        booked = sum(entry.cpu for entry in entries.values())
        orphans, self._groups.orphans = self._groups.orphans, 0
        # The gap is carried on: clocks lag and round, and what is small may add up.
        self._carry += busy - booked
        unattributed = 0
        if self._carry > tolerance or orphans:
            unattributed = max(self._carry, 0)
            self._carry -= unattributed
        self._carry = max(self._carry, -2 * tolerance)
        shown = self._shown()
        accounts = tuple(self._account(entry) for entry in shown)
        balance = Balance(
            window_seconds=window,
            cores=totals.cores,
            busy_seconds=(booked + unattributed) / 1e9,
            accounts=accounts,
            unattributed_seconds=unattributed / 1e9,
            irq_seconds=max(totals.irq - before.irq, 0) / 1e9,
            steal_seconds=max(totals.steal - before.steal, 0) / 1e9,
            guest_seconds=max(totals.guest - before.guest, 0) / 1e9,
        )
        self._turn_page()
        return balance

    def _shown(self) -> list[Entry]:
        entries = list(self._groups.entries.values())
        worked = [entry for entry in entries if entry.cpu]
        largest = sorted(entries, key=_resident, reverse=True)[:_LARGEST]
        shown = dict.fromkeys([*worked, *largest])
        return sorted(shown, key=lambda entry: entry.cpu, reverse=True)

    def _account(self, entry: Entry) -> Account:
        processes = entry.processes
        start = min((process.start for process in processes), default=None)
        return Account(
            group=entry.group,
            clues=entry.clues(),
            cpu_seconds=entry.cpu / 1e9,
            short_lived_seconds=entry.unseen / 1e9,
            process_count=len(processes),
            thread_count=sum(process.threads for process in processes),
            since=None if start is None else self._boot + start * _TICK / 1e9,
            memory_bytes=None if entry.group.kind is GroupKind.KERNEL else _resident(entry),
        )

    def _turn_page(self) -> None:
        """Clears what belongs to one window."""
        finished = []
        for entry in self._groups.entries.values():
            if entry.cpu:
                entry.last = self._window
                for name, used in list(entry.members.items()):
                    if used < 1_000_000:
                        del entry.members[name]
                    else:
                        entry.members[name] = used // 2
            elif not entry.processes and self._window - entry.last > _KEPT:
                finished.append(entry)
            entry.cpu = entry.unseen = 0
        self._groups.close(finished)


def _resident(entry: Entry) -> int:
    return sum(process.rss for process in entry.processes)


def _boot_time(sources: Sources) -> float:
    """Seconds since the epoch at which the clock of start times began."""
    uptime = float(sources.files.read("/proc/uptime").split()[0])
    return sources.wall() - uptime


def read_totals(files: KernelFiles) -> Totals:
    """What ``/proc/stat`` says of all processors (man 5 proc_stat)."""
    content = files.read("/proc/stat")
    lines = content.split(b"\n")
    try:
        user, nice, system, _, _, irq, softirq, steal, guest, guest_nice = (
            int(word) * _TICK for word in (lines[0].split()[1:11] + [b"0"] * 10)[:10]
        )
        forks = int(content[content.index(b"\nprocesses ") + 11 :].split(b"\n", 1)[0])
    except ValueError:
        raise SourceError("not as man 5 proc_stat has it", path="/proc/stat") from None
    cores = sum(1 for line in lines if line[:3] == b"cpu") - 1
    return Totals(
        busy=user + nice + system,
        irq=irq + softirq,
        steal=steal,
        guest=guest + guest_nice,
        cores=cores,
        forks=forks,
    )
