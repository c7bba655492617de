"""The ledger: one balance a sample, of what each work group used since the one before."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

from publisher.contract.readings import GroupKind
from publisher.errors import AbsentError, ConfigError, DeniedError, SourceError
from publisher.ledger.accounts import (
    Account,
    Balance,
    Correspondent,
    Correspondents,
    MemoryKill,
)
from publisher.ledger.cpu.attribution import GroupAttribution
from publisher.ledger.cpu.books import Books
from publisher.ledger.cpu.lineage import Lineage
from publisher.ledger.cpu.machine import LinuxMachine, Machine, MachineWindow, PortableMachine
from publisher.ledger.groups import Groups
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.ledger.naming import programs
from publisher.ledger.naming.cgroup_names import Place
from publisher.ledger.naming.names import Namer
from publisher.ledger.open_accounts import GroupMembership, Member, OpenAccount
from publisher.ledger.portraits import Portraits
from publisher.ledger.usage.busiest import Busiest
from publisher.ledger.usage.correspondents import Connections
from publisher.ledger.usage.disk import DiskUse
from publisher.ledger.usage.memory import MemoryUse, resident
from publisher.ledger.usage.network import NetworkUse
from publisher.ledger.usage.shortage import CALM, Killed, MemoryShortage, MemorySigns
from publisher.ledger.usage.waiting import Blocked, RunQueues
from publisher.sources import Sources
from publisher.sources.cgroups import Cgroups, own_limits
from publisher.sources.containers import Container, Runtimes
from publisher.sources.endpoints import written
from publisher.sources.processes import LinuxProcesses, ProcessDetails

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_KEPT = 8  # windows that a group without processes is kept
_SHOWN = 200_000  # nanoseconds: less than that of a group waits for the windows to come
_LARGEST = 5  # groups shown for their memory alone
_DISCOVER_EVERY = 15  # windows at least between two searches for cgroups of unseen processes
_SECOND = 1_000_000_000  # nanoseconds
_STEPPED = 1.0  # seconds by which the start of the epoch must move to be told anew


class Ledger(Protocol):
    """Tells which work groups used the machine; made by ``open_ledger``.

    Attributes:
        health: parts of the ledger by name, such as ``ledger.disk``: what is wrong, or ``None``.
    """

    health: dict[str, SourceError | None]

    def sample(self, memory: MemorySigns = CALM) -> Balance | None:
        """What was used since the last call; ``None`` the first time, which opens the books.

        Args:
            memory: whether there is reason to look at limits on memory.
        """

    def account_of(self, pid: int) -> Account | None:
        """The account of a living process's group, as it is now; ``None`` for an unknown one."""

    def correspondents(self, account: Account) -> Correspondents | None:
        """With whom the processes of a group are connected; ``None`` where that cannot be told."""

    def callers(self, port: int) -> Correspondents | None:
        """The other machines that are connected with a port of ours, likewise."""

    def close(self) -> None:
        """Lets go of everything held open."""


def open_ledger(
    sources: Sources, settings: LedgerSettings, *, own: int | None = None
) -> BalancedLedger:
    """The best ledger that this machine allows: CPU clocks, else ``stat``, else psutil.

    Args:
        sources: where the machine is.
        settings: how hard to look.
        own: fanwhy's process id; ``None`` for this process, 0 for none.
    """
    if sources.files.foreign:
        return portable_ledger(sources, settings, own=own)
    processes = LinuxProcesses(sources.files)
    if sources.files.root or processes.stat(os.getpid()) is not None:
        cgroups = Cgroups(sources.files)
        return BalancedLedger(
            sources, settings, processes, cgroups, LinuxMachine(sources.files, cgroups), own=own
        )
    processes.close()
    return portable_ledger(sources, settings, own=own)


def portable_ledger(
    sources: Sources, settings: LedgerSettings, *, own: int | None = None
) -> BalancedLedger:
    """A ledger by psutil alone, for systems without Linux's ``/proc``."""
    from publisher.sources.psutil_processes import (  # noqa: PLC0415  # 8 MB, seldom needed
        PsutilProcesses,
        machine_times,
    )

    cgroups = Cgroups(sources.files)
    return BalancedLedger(
        sources, settings, PsutilProcesses(), cgroups, PortableMachine(machine_times), own=own
    )


class BalancedLedger:
    """Books of CPU time, and what else their groups use.

    Args:
        processes: tells of processes.
        machine: tells what they can have done together.
        own: fanwhy's process id; ``None`` for this process, 0 for none.
        look_up: tells name and image of a container; ``None`` asks the machine's runtimes.
        namer: tells names from command lines; ``None`` makes one by the settings.
    """

    def __init__(
        self,
        sources: Sources,
        settings: LedgerSettings,
        processes: ProcessDetails,
        cgroups: Cgroups,
        machine: Machine,
        *,
        own: int | None = None,
        look_up: Callable[[Place], Container | None] | None = None,
        namer: Namer | None = None,
    ) -> None:
        self.health: dict[str, SourceError | None] = {
            name: AbsentError(reason)
            for name, reason in sources.files.untold.items()
            if name.startswith("ledger.")
        }
        self._sources = sources
        self._processes = processes
        self._machine = machine
        self._runtimes = Runtimes(sources.files, sources.monotonic)
        self._lineage = Lineage(settings.attribution)
        self._groups = Groups(
            processes,
            cgroups,
            namer or namer_of(settings),
            own=os.getpid() if own is None else own,
            heard=self._lineage,
            look_up=look_up or self._container,
        )
        self._portraits = Portraits(self._groups.looks, processes)
        self._disk = DiskUse(processes, cgroups)
        self._memory = MemoryUse(processes, cgroups)
        self._shortage = MemoryShortage(processes, sources.files)
        self._run_queues = RunQueues(processes, cgroups)
        self._network = NetworkUse(sources.files)
        self._blocked = Blocked(processes)
        self._busiest = Busiest()
        self._connections = Connections()
        self._publish_clients = settings.publish_clients
        self._attribution = GroupAttribution(
            self._groups,
            cgroups,
            processes,
            followers=(self._disk, self._run_queues, self._shortage),
        )
        self._books: Books[GroupMembership] = Books(processes, self._attribution)
        self._at = 0.0
        self._length = 0.0
        self._window = 0
        self._carry = 0
        self._discover_from = 0
        self._left = 0
        self._epoch = 0.0

    def _container(self, place: Place) -> Container | None:
        found = self._runtimes.container(place.runtime, place.identity)
        self.health["ledger.containers"] = self._runtimes.failure
        return found

    def sample(self, memory: MemorySigns = CALM) -> Balance | None:
        now = self._sources.monotonic()
        self._set_epoch()
        census = self._machine.census()
        window = self._machine.window()
        self._length, self._at = now - self._at, now
        if window is None:
            self._books.open(census)
            self._shortage.open(memory)
            self._look_around()
            return None
        self._window += 1

        def closes(worked: list[tuple[Member, int]]) -> bool:
            booked = sum(
                used
                for process, used in worked
                if not (window.partly and process.membership.counter is None)
            )
            return abs(self._carry + window.busy - booked) <= window.tolerance

        def closed() -> bool:
            booked = sum(account.cpu_ns for account in self._groups.accounts.values()) - self._left
            busy = window.busy + (self._attribution.outside_ns if window.partly else 0)
            return self._carry + busy - booked - self._attribution.orphans_ns <= window.tolerance

        self._lineage.listen(self._books.processes)
        if not self._books.quiet(census, closes):
            self._books.full(census, closed)
        self._shortage.read(
            memory,
            self._groups.accounts.values(),
            self._books.processes,
            self._length,
        )
        return self._balance(window, self._length)

    def _set_epoch(self) -> None:
        """Follows steps of the wall clock, but not what the two clocks are read apart."""
        epoch = self._machine.epoch(self._sources.wall())
        if abs(epoch - self._epoch) >= _STEPPED:
            self._epoch = epoch

    def account_of(self, pid: int) -> Account | None:
        process = self._books.processes.get(pid)
        membership = process.membership if process is not None else None
        if membership is None:
            return None
        self._portraits.look_at(membership.account)
        return self._closed(membership.account, membership.account.cpu_ns)

    def account_of_worker(self, pid: int) -> Account | None:
        """The account of a living process's group as if this process alone had worked in it.

        Ends a window, after ``sample`` has opened the books.
        """
        process = self._books.processes.get(pid)
        if process is None:
            return None
        self._attribution.book(process, _SECOND)
        booked = sum(account.cpu_ns for account in self._groups.accounts.values()) - self._left
        self._window += 1
        window = MachineWindow(
            busy=booked, tolerance=0, partly=False, irq=0, steal=0, guest=0, cores=1
        )
        key = process.membership.account.group.key
        accounts = self._balance(window, booked / 1e9).accounts
        return next((account for account in accounts if account.group.key == key), None)

    def correspondents(self, account: Account) -> Correspondents | None:
        asked = self._groups.accounts.get(account.group.key)
        busiest = self._busiest.processes(asked) if asked is not None else []
        if not busiest or self._sources.files.root:
            return None
        youngest = chain(self._books.lately, reversed(self._books.processes.values()))
        found = self._guarded(
            lambda: self._connections.counterparts(
                busiest, self._busiest.worked, youngest, self._groups.by_number
            )
        )
        if found is None:
            return None
        names = [child.membership.account for _, one in busiest for child in one.children]
        inside = {one: None for one in names if one.group.kind is GroupKind.CONTAINER}
        return Correspondents(
            clients=self._shares(found.clients, found.total),
            upstreams=self._shares(found.upstreams, found.total),
            inside=tuple(self._closed(one, one.cpu_ns) for one in inside if one is not asked),
            remote_share=sum(found.remote.values()) / found.total,
            remote=len(found.remote),
            remote_names=self._names(found.remote),
        )

    def callers(self, port: int) -> Correspondents | None:
        if self._sources.files.root:
            return None
        found = self._guarded(lambda: self._connections.callers(port))
        if not found:
            return None
        return Correspondents(
            remote_share=1.0, remote=len(found), remote_names=self._names(sorted(found))
        )

    def _names(self, addresses: Iterable[bytes]) -> tuple[str, ...]:
        return tuple(map(written, addresses)) if self._publish_clients else ()

    def _shares(self, used: Counter[OpenAccount], total: int) -> tuple[Correspondent, ...]:
        return tuple(
            Correspondent(self._closed(account, account.cpu_ns), nanoseconds / total)
            for account, nanoseconds in used.most_common()
        )

    def _guarded(self, look: Callable[[], _T]) -> _T | None:
        """Looks at connections; what is wrong with that is told by ``health``."""
        try:
            return look()
        except SourceError:
            return None
        finally:
            self.health["ledger.clients"] = self._connections.problem

    def close(self) -> None:
        self._lineage.close()
        self._processes.close()

    def _balance(self, window: MachineWindow, length: float) -> Balance:
        accounts = self._groups.accounts.values()
        booked = sum(account.cpu_ns for account in accounts) - self._left
        busy = window.busy + (self._attribution.outside_ns if window.partly else 0)
        # The gap is carried on: clocks lag and round, and what is small may add up.
        self._carry += busy - booked
        self._read_usage(window, busy, length)
        unattributed = self._settle_gap(window, busy)
        self.health["ledger.disk"] = self._disk.problem
        self.health["ledger.network"] = self._network.problem
        self.health["ledger.lineage"] = self._lineage.problem
        busiest, others = self._shown()
        self._portraits.tell_apart([*busiest, *others])
        shown = sum(account.cpu_ns for account in busiest)
        closed = [self._closed(account, account.cpu_ns) for account in busiest]
        closed += [self._closed(account, 0) for account in others]
        balance = Balance(
            window_seconds=length,
            cores=window.cores,
            busy_seconds=(shown + unattributed) / 1e9,
            accounts=tuple(closed),
            unattributed_seconds=unattributed / 1e9,
            irq_seconds=window.irq / 1e9,
            steal_seconds=window.steal / 1e9,
            guest_seconds=window.guest / 1e9,
            memory_kills=tuple(self._killed(each) for each in self._shortage.kills),
            memory_kill_awaited=self._shortage.waiting,
        )
        self._turn_page()
        return balance

    def _read_usage(self, window: MachineWindow, busy: int, length: float) -> None:
        """Reads what groups use besides CPU time, of those that matter now."""
        accounts = self._groups.accounts.values()
        worked = self._attribution.worked
        self._disk.read(worked, self._window, self._books.opened)
        self._busiest.read(worked)
        self._run_queues.read(worked.items(), busy, int(length * window.cores * 1e9))
        self._memory.read(accounts, self._window, self._at)
        containers = (one for one in accounts if one.group.kind is GroupKind.CONTAINER)
        self._network.read(worked.items(), containers, length)
        living = self._books.processes.values()
        self._blocked.look(window.blocked, self._books.lately, living, self._window)

    def _settle_gap(self, window: MachineWindow, busy: int) -> int:
        """Gives the gap that was carried to groups; nanoseconds of it that have no owner."""
        given = self._attribution.close_window(self._carry, window.tolerance, self._lineage.lives)
        self._carry -= given
        unattributed = 0
        if self._carry > window.tolerance:
            unattributed = self._carry
            self._carry = 0
            if self._window >= self._discover_from:
                self._groups.discover(self._window)
                self._discover_from = self._window + _DISCOVER_EVERY
        self._lineage.judge(unattributed + self._attribution.ownerless_ns, busy)
        self._carry = max(self._carry, -2 * window.tolerance)
        return unattributed

    def _shown(self) -> tuple[list[OpenAccount], list[OpenAccount]]:
        """Groups that worked, the busiest first; others that wait or are the largest in memory."""
        accounts = self._groups.accounts.values()
        worked = [account for account in accounts if account.cpu_ns >= _SHOWN]
        worked.sort(key=lambda account: account.cpu_ns, reverse=True)
        largest = sorted(accounts, key=resident, reverse=True)[:_LARGEST]
        others = dict.fromkeys((*self._blocked.waiting, *self._shortage.limits, *largest))
        return worked, [account for account in others if account.cpu_ns < _SHOWN]

    def _closed(self, account: OpenAccount, cpu_ns: int) -> Account:
        length = self._length
        disk = self._disk.moved.get(account)
        waited_ns = self._run_queues.waited_ns.get(account)
        wire = self._network.moved.get(account, (0, 0) if self._network.watching else None)
        kernel = account.group.kind is GroupKind.KERNEL
        start = account.oldest
        leading = self._busiest.of(account)
        if account.unseen_ns:
            account.share_unseen()
        clues = self._portraits.clues(account)  # it may take another name
        return Account(
            group=account.group,
            clues=clues,
            cpu_seconds=cpu_ns / 1e9,
            short_lived_seconds=min(account.unseen_ns, cpu_ns) / 1e9,
            process_count=len(account.processes),
            thread_count=account.threads,
            since=None if start is None else self._epoch + start * self._machine.tick,
            memory_bytes=None if kernel else self._memory.held(account),
            memory_growth_bytes_per_second=self._memory.growth(account),
            memory_limit=self._shortage.limits.get(account),
            disk_read_bytes_per_second=None if disk is None else disk.read / length,
            disk_write_bytes_per_second=None if disk is None else disk.written / length,
            network_receive_bytes_per_second=None if wire is None else wire[0] / length,
            network_transmit_bytes_per_second=None if wire is None else wire[1] / length,
            wait_seconds=None if waited_ns is None else waited_ns / 1e9,
            blocked_count=self._blocked.waiting.get(account, 0),
            pid=leading.main,
            pids=leading.busiest,
            process_group=leading.process_group,
            called=account.called,
            place=account.place,
        )

    def _killed(self, each: Killed) -> MemoryKill:
        account = each.account
        return MemoryKill(
            account=None if account is None else self._closed(account, account.cpu_ns),
            program=each.program,
            held_bytes=each.held_bytes,
            limited=each.limited,
            limit=each.limit,
            sure=each.sure,
        )

    def _turn_page(self) -> None:
        """Clears what belongs to one window."""
        self._left = 0
        closed: set[OpenAccount] = set()
        for account in self._groups.accounts.values():
            account.previous_ns = account.cpu_ns
            if account.cpu_ns >= _SHOWN:
                account.last_window = self._window
                for counts in (account.members, account.glimpsed):
                    for name, used in list(counts.items()):
                        if used < 1_000_000:
                            del counts[name]
                        else:
                            counts[name] = used // 2
                account.cpu_ns = account.unseen_ns = 0
            elif account.processes or self._window - account.last_window <= _KEPT:
                self._left += account.cpu_ns
            else:
                closed.add(account)
        if closed:
            self._groups.close(closed)
            self._lineage.forget(closed)
            self._attribution.forget(closed)
            self._memory.forget(closed)
        self._groups.turn_page(self._window)
        self._disk.turn_page(closed)
        self._run_queues.turn_page()
        self._shortage.turn_page()

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
            limits = own_limits(self._sources.files)
            may = f" (it may use {limits})" if limits else ""
            return AbsentError(
                f"only this container's processes are visible{may}, others' work is unattributed",
                path="/proc",
                remedy="start the container with the host's process namespace (--pid=host)",
            )
        return None


def namer_of(settings: LedgerSettings) -> Namer:
    """What tells names from command lines, as the settings want it."""
    return Namer(partial(_programs, settings.programs_file), arguments=settings.publish_arguments)


def _programs(programs_file: str | None) -> programs.Programs:
    if programs_file:
        try:
            return programs.load(programs_file)
        except ConfigError as error:  # it was checked, and has changed since
            log.warning("%s; the shipped programs alone are used until the next reload", error)
    return programs.shipped()
