"""The ledger: one balance a sample, of who used what since the one before."""

from __future__ import annotations

import os
from typing import Protocol

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.ledger.accounts import Account, Balance, GroupKind
from publisher.ledger.cpu.attribution import Bookkeeper
from publisher.ledger.cpu.books import Books
from publisher.ledger.cpu.lineage import Lineage
from publisher.ledger.cpu.machine import LinuxMachine, Machine, PortableMachine, Window
from publisher.ledger.cpu.process import Process
from publisher.ledger.groups import Entry, Groups, Seat
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.ledger.naming.cgroup_names import Place
from publisher.ledger.usage.disk import Usage, Used, resident
from publisher.ledger.usage.network import Network
from publisher.ledger.usage.waiting import Blocked
from publisher.sources import Sources
from publisher.sources.cgroups import Cgroups
from publisher.sources.containers import Container, Runtimes
from publisher.sources.processes import LinuxProcesses, ProcessDetails

_KEPT = 8  # windows that a group without processes is kept
_SHOWN = 200_000  # nanoseconds: less than that of a group waits for the windows to come
_LARGEST = 5  # groups shown for their memory alone
_DISCOVER_EVERY = 15  # windows at least between two searches for cgroups of unseen processes
_STEPPED = 1.0  # seconds by which the start of the epoch must move to be told anew


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


def open_ledger(sources: Sources, settings: LedgerSettings) -> Ledger:
    """The best ledger that this machine allows: CPU clocks, else ``stat``, else psutil."""
    if sources.files.foreign:
        return portable_ledger(sources, settings)
    processes = LinuxProcesses(sources.files)
    if sources.files.root or processes.stat(os.getpid()) is not None:
        cgroups = Cgroups(sources.files)
        return BalancedLedger(
            sources, settings, processes, cgroups, LinuxMachine(sources.files, cgroups)
        )
    processes.close()
    return portable_ledger(sources, settings)


def portable_ledger(sources: Sources, settings: LedgerSettings) -> Ledger:
    """A ledger by psutil alone, for systems without Linux's ``/proc``."""
    from publisher.sources.psutil_processes import (  # noqa: PLC0415  # 8 MB, seldom needed
        PsutilProcesses,
        machine_times,
    )

    cgroups = Cgroups(sources.files)
    return BalancedLedger(
        sources, settings, PsutilProcesses(), cgroups, PortableMachine(machine_times)
    )


class BalancedLedger:
    """Books of CPU time, and what else their groups use.

    Args:
        processes: tells of processes.
        machine: tells what they can have done together.
    """

    def __init__(
        self,
        sources: Sources,
        settings: LedgerSettings,
        processes: ProcessDetails,
        cgroups: Cgroups,
        machine: Machine,
    ) -> None:
        self.health: dict[str, SourceError | None] = {
            sense: AbsentError(reason)
            for sense, reason in sources.files.untold.items()
            if sense.startswith("ledger.")
        }
        self._sources = sources
        self._processes = processes
        self._machine = machine
        self._runtimes = Runtimes(sources.files, sources.monotonic)
        self._lineage = Lineage(settings.attribution)
        self._groups = Groups(
            processes,
            cgroups,
            own=os.getpid(),
            heard=self._lineage,
            look_up=self._container,
            arguments=settings.publish_arguments,
        )
        self._usage = Usage(processes, cgroups)
        self._network = Network(sources.files)
        self._blocked = Blocked(processes)
        self._keeper = Bookkeeper(self._groups, cgroups, processes, self._usage)
        self._books: Books[Seat] = Books(processes, self._keeper)
        self._at = 0.0
        self._length = 0.0
        self._window = 0
        self._carry = 0
        self._discover_from = 0
        self._left = 0
        self._epoch = 0.0

    def _container(self, place: Place) -> Container | None:
        return self._runtimes.container(place.runtime, place.identity)

    def sample(self) -> Balance | None:
        now = self._sources.monotonic()
        self._set_epoch()
        census = self._machine.census()
        window = self._machine.window()
        self._length, self._at = now - self._at, now
        if window is None:
            self._books.open(census)
            self._look_around()
            return None
        self._window += 1

        def closes(worked: list[tuple[Process[Seat], int]]) -> bool:
            booked = sum(
                used
                for process, used in worked
                if not (window.partly and process.group.tally is None)
            )
            return abs(self._carry + window.busy - booked) <= window.tolerance

        def closed() -> bool:
            booked = sum(entry.cpu for entry in self._groups.entries.values()) - self._left
            busy = window.busy + (self._keeper.outside if window.partly else 0)
            return self._carry + busy - booked - self._keeper.orphans <= window.tolerance

        self._lineage.listen(self._books.table)
        if not self._books.quiet(census, closes):
            self._books.full(census, closed)
        return self._balance(window, self._length)

    def _set_epoch(self) -> None:
        """Follows steps of the wall clock, but not what the two clocks are read apart."""
        epoch = self._machine.epoch(self._sources.wall())
        if abs(epoch - self._epoch) >= _STEPPED:
            self._epoch = epoch

    def account_of(self, pid: int) -> Account | None:
        process = self._books.table.get(pid)
        seat = process.group if process is not None else None
        return None if seat is None else self._account(seat.entry, seat.entry.cpu)

    def close(self) -> None:
        self._lineage.close()
        self._processes.close()

    def _balance(self, window: Window, length: float) -> Balance:
        entries = self._groups.entries.values()
        booked = sum(entry.cpu for entry in entries) - self._left
        busy = window.busy + (self._keeper.outside if window.partly else 0)
        # The gap is carried on: clocks lag and round, and what is small may add up.
        self._carry += busy - booked
        worked = self._keeper.worked.items()
        self._usage.read_disks(self._keeper.worked, self._window, self._books.opened)
        self._usage.read_waiting(worked, busy, int(length * window.cores * 1e9))
        self._usage.read_memory(entries, self._window, self._at)
        containers = (one for one in entries if one.group.kind is GroupKind.CONTAINER)
        self._network.read(worked, containers, length)
        everybody = self._books.table.values()
        self._blocked.look(window.blocked, self._books.lately, everybody, self._window)
        given = self._keeper.close_window(self._carry, window.tolerance, self._lineage.lives)
        self._carry -= given
        unattributed = 0
        if self._carry > window.tolerance:
            unattributed = self._carry
            self._carry = 0
            if self._window >= self._discover_from:
                self._groups.discover(self._window)
                self._discover_from = self._window + _DISCOVER_EVERY
        self._lineage.judge(unattributed + self._keeper.nobodys, busy)
        self._carry = max(self._carry, -2 * window.tolerance)
        self.health["ledger.disk"] = self._usage.disk_problem
        self.health["ledger.network"] = self._network.problem
        self.health["ledger.lineage"] = self._lineage.problem
        busiest, others = self._shown()
        shown = sum(entry.cpu for entry in busiest)
        accounts = [self._account(entry, entry.cpu) for entry in busiest]
        accounts += [self._account(entry, 0) for entry in others]
        balance = Balance(
            window_seconds=length,
            cores=window.cores,
            busy_seconds=(shown + unattributed) / 1e9,
            accounts=tuple(accounts),
            unattributed_seconds=unattributed / 1e9,
            irq_seconds=window.irq / 1e9,
            steal_seconds=window.steal / 1e9,
            guest_seconds=window.guest / 1e9,
        )
        self._turn_page()
        return balance

    def _shown(self) -> tuple[list[Entry], list[Entry]]:
        """Those who worked, the busiest first; others who wait or are the largest in memory."""
        entries = self._groups.entries.values()
        worked = [entry for entry in entries if entry.cpu >= _SHOWN]
        worked.sort(key=lambda entry: entry.cpu, reverse=True)
        largest = sorted(entries, key=resident, reverse=True)[:_LARGEST]
        others = dict.fromkeys((*self._blocked.waiting, *largest))
        return worked, [entry for entry in others if entry.cpu < _SHOWN]

    def _account(self, entry: Entry, cpu: int) -> Account:
        length = self._length
        used = self._usage.used.get(entry) or Used()
        moved = self._network.moved.get(entry, (0, 0) if self._network.watching else None)
        kernel = entry.group.kind is GroupKind.KERNEL
        start = entry.oldest
        if entry.unseen:
            entry.share_unseen()
        return Account(
            group=entry.group,
            clues=entry.clues(),
            cpu_seconds=cpu / 1e9,
            short_lived_seconds=min(entry.unseen, cpu) / 1e9,
            process_count=len(entry.processes),
            thread_count=entry.threads,
            since=None if start is None else self._epoch + start * self._machine.tick,
            memory_bytes=None if kernel else self._usage.memory(entry),
            memory_growth_bytes_per_second=self._usage.growth(entry),
            disk_read_bytes_per_second=None if used.read is None else used.read / length,
            disk_write_bytes_per_second=None if used.written is None else used.written / length,
            network_receive_bytes_per_second=None if moved is None else moved[0] / length,
            network_transmit_bytes_per_second=None if moved is None else moved[1] / length,
            wait_seconds=None if used.wait is None else used.wait / 1e9,
            blocked_count=self._blocked.waiting.get(entry, 0),
        )

    def _turn_page(self) -> None:
        """Clears what belongs to one window."""
        self._left = 0
        closed: set[Entry] = set()
        for entry in self._groups.entries.values():
            entry.previous = entry.cpu
            if entry.cpu >= _SHOWN:
                entry.last = self._window
                for counts in (entry.members, entry.glimpsed):
                    for name, used in list(counts.items()):
                        if used < 1_000_000:
                            del counts[name]
                        else:
                            counts[name] = used // 2
                entry.cpu = entry.unseen = 0
            elif entry.processes or self._window - entry.last <= _KEPT:
                self._left += entry.cpu
            else:
                closed.add(entry)
                self._usage.close(entry)
        if closed:
            self._groups.close(closed)
            self._lineage.forget(closed)
            self._keeper.forget(closed)
        self._groups.turn_page(self._window)
        self._usage.used.clear()

    def _look_around(self) -> None:
        """Finds out what this user may not see."""
        self.health["ledger.clocks"] = (
            None
            if self._processes.clocked
            else AbsentError("no CPU clocks of other processes here: their times are read instead")
        )
        self.health["ledger.processes"] = (
            self._hidden() if isinstance(self._processes, LinuxProcesses) else None
        )

    def _hidden(self) -> SourceError | None:
        if self._processes.stat(1) is None:
            return DeniedError(
                "the processes of other users are hidden (hidepid)",
                path="/proc",
                remedy="give fanwhy's user the group of the mount option gid=, or run it as root",
            )
        kthreadd = self._processes.stat(2)
        if kthreadd is None or not kthreadd.kernel:
            return AbsentError(
                "only this container's processes are visible, others' work is unattributed",
                path="/proc",
                remedy="start the container with the host's process namespace (--pid=host)",
            )
        return None
