"""Which work group a process belongs to: container, unit, job, program or kernel thread.

A job is a process tree that a person or a timer started. Its root is whoever a *spawner*
started: an interactive shell, cron, sshd, a terminal, a supervisor. Everything below belongs to
it until another spawner or another place (a container, a unit) comes in between.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Protocol

from publisher.ledger.accounts import Clues, GroupKind, WorkGroup
from publisher.ledger.cpu.process import Process
from publisher.ledger.naming.cgroup_names import Place, place_of
from publisher.ledger.naming.names import SHELLS, Name, clean, describe, program_of
from publisher.sources.cgroups import Cgroups
from publisher.sources.containers import Container
from publisher.sources.processes import ProcessDetails

_SPAWNER_NAMES = """
    init systemd (sd-pam) launchd runit runsvdir runsv s6-svscan s6-supervise openrc
    supervise-daemo supervisord sshd sshd-session dropbear login getty agetty mosh-server
    cron crond CRON fcron anacron atd screen SCREEN zellij dtach abduco
    conmon crio dockerd containerd
    gdm gdm3 gdm-session-wor sddm sddm-helper lightdm gnome-shell gnome-session-b plasmashell
    kwin_wayland kwin_x11 ksmserver xfce4-session xfce4-panel xfdesktop cinnamon mate-session
    sway Hyprland i3 openbox gnome-terminal- kgx ptyxis ptyxis-agent konsole xterm alacritty
    kitty foot wezterm-gui xfce4-terminal tilix terminator urxvt st lxterminal guake yakuake ttyd
"""
SPAWNERS = frozenset(_SPAWNER_NAMES.split())
"""Kernel names (at most 15 bytes) of programs that start what is not their own work."""

_SPAWNER_PREFIXES = ("tmux: ", "containerd-shim")
_SWITCHERS = frozenset({"su", "sudo", "doas", "newgrp", "runuser"})
# Names whose command line decides what they are; all others inside a group are its workers.
_DECIDERS = SPAWNERS | SHELLS | _SWITCHERS | {"runc", "crun"}
_MANAGERS = frozenset({b"systemd", b"init", b"runsv", b"supervisord", b"s6-supervise"})
_SUBREAPERS = frozenset({b"systemd", b"init"})  # of a session: orphans are theirs to wait for
_GRACE = 2  # windows that a dead leader's number still tells its job: orphans are found by then
_EMPTY_EVERY = 8  # windows after which cgroups without processes are looked for
_KERNEL_WORK = re.compile(r"^kworker/.*?[-+]([^\s:]+)$")
_FANWHY = Name("fanwhy", command="fanwhy", label="fanwhy")
_MOST_ALIKE = 4096
_ASK_AGAIN, _ASK_SELDOM = 8, 512  # windows after which an unknown container's name is asked for


class Entry:
    """A work group's account while it is open.

    Attributes:
        processes: those who live, with size and threads as they stand in ``rss`` and ``threads``.
        cpu: nanoseconds booked in this window, after ``previous`` in the one before;
            ``unseen`` of them by processes nobody saw.
        members: who worked in it, by program, decaying over windows; ``glimpsed``: likewise the
            programs of those who came or went while we looked.
        last: the window in which it worked last.
    """

    __slots__ = (
        "_oldest", "ancestors", "cpu", "executable", "glimpsed", "group", "image", "last",
        "members", "name", "place", "previous", "processes", "rss", "threads", "unseen",
    )  # fmt: skip

    def __init__(self, group: WorkGroup, name: Name, place: Place | None = None) -> None:
        self.group = group
        self.name = name
        self.place = place
        self.executable = ""
        self.image = ""
        self.ancestors: tuple[str, ...] = ()
        self.cpu = 0
        self.previous = 0
        self.unseen = 0
        self.last = 0
        self.members: Counter[str] = Counter()
        self.glimpsed: Counter[str] = Counter()
        self.processes: dict[Process[Seat], tuple[int, int]] = {}
        self.rss = 0
        self.threads = 0
        self._oldest: int | None = None

    def join(self, process: Process[Seat]) -> None:
        """Takes a process in."""
        self.processes[process] = (process.rss, process.threads)
        self.rss += process.rss
        self.threads += process.threads
        if self._oldest is not None:
            self._oldest = min(self._oldest, process.start)

    def leave(self, process: Process[Seat]) -> None:
        """Lets a process go."""
        rss, threads = self.processes.pop(process, (0, 0))
        self.rss -= rss
        self.threads -= threads
        if process.start == self._oldest:
            self._oldest = None

    def update(self, process: Process[Seat]) -> None:
        """Takes over the size of a process: the sums cost as much as what changed."""
        before = self.processes.get(process)
        if before is not None:
            self.processes[process] = (process.rss, process.threads)
            self.rss += process.rss - before[0]
            self.threads += process.threads - before[1]

    @property
    def oldest(self) -> int | None:
        """When the oldest living process began; looked up again only when that one has left."""
        if self._oldest is None and self.processes:
            self._oldest = min(process.start for process in self.processes)
        return self._oldest if self.processes else None

    def share_unseen(self) -> None:
        """Puts the work of the unseen down to programs that were seen to come and go."""
        weights = self.glimpsed or Counter({self.name.program: 1})
        whole = sum(weights.values())
        for program, weight in weights.items():
            self.members[program] += self.unseen * weight // whole

    def clues(self) -> Clues:
        """What classification may go by."""
        counts = self.members
        members = tuple(counts)
        if len(members) > 1:
            members = tuple(sorted(counts, key=counts.__getitem__, reverse=True)[:8])
        unit = container = ""
        if self.place is not None:
            if self.place.kind is GroupKind.UNIT:
                unit = self.place.identity
            else:
                container = self.group.label
        return Clues(
            program=members[0] if members else self.name.program,
            executable=self.executable,
            script=self.name.script,
            command=self.name.command,
            unit=unit,
            container_name=container,
            container_image=self.image,
            ancestors=self.ancestors,
            members=members,
        )


@dataclass(slots=True)
class Tally:
    """What was booked to the processes of one cgroup since its counter was read last.

    Attributes:
        living: processes whose seats name it.
    """

    account: str
    usage: int | None
    living: int = 0
    booked: int = 0
    entries: Counter[Entry] = field(default_factory=Counter)


@dataclass(slots=True)
class Seat:
    """Where one process sits.

    Attributes:
        spawner: its children start groups of their own.
        described: its own command line decided, not its parent's seat.
        heir: the seat of its children of one program, who are often many.
    """

    entry: Entry
    tally: Tally | None
    spawner: bool
    described: bool
    program: str
    heir: tuple[str, Seat] | None = None

    def inherited(self, comm: str) -> Seat:
        """The seat of a child or successor of that kernel name."""
        if self.heir is None or self.heir[0] != comm:
            program = clean(program_of(comm))
            self.heir = comm, Seat(self.entry, self.tally, False, False, program)
        return self.heir[1]


class Heard(Protocol):
    """Who knows by other means whose a process is."""

    def owner(self, pid: int) -> Entry | None:
        """The group that a process descends from."""


class Groups:
    """Finds or opens the group of every process.

    Args:
        own: fanwhy's process id.
        heard: knows by the kernel's events whose a process is.
        look_up: tells name and image of a container.
        arguments: harmless arguments may be shown.
    """

    def __init__(
        self,
        processes: ProcessDetails,
        cgroups: Cgroups,
        *,
        own: int,
        heard: Heard,
        look_up: Callable[[Place], Container | None],
        arguments: bool = False,
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.tallies: dict[str, Tally] = {}
        self._processes = processes
        self._cgroups = cgroups
        self._own = own
        self._heard = heard
        self._look_up = look_up
        self._arguments = arguments
        self._hosts = _ancestors_of(processes, own)
        self._leaders: dict[int, Process[Seat]] = {}
        self._ended: dict[Process[Seat], int] = {}
        self._alike: dict[bytes, Entry] = {}
        self._nameless: dict[Entry, int] = {}

    def seat(self, process: Process[Seat]) -> Seat:
        """Decides where a process sits; its parent's seat is known."""
        comm = process.comm.decode("utf-8", "replace")
        above = process.parent.group if process.parent is not None else None
        if self._leaders.get(process.pid, process) is not process:
            del self._leaders[process.pid]  # the number is another's now
        if process.pid == self._own:
            entry = self._open("own", GroupKind.PROGRAM, _FANWHY, own=True)
            return Seat(entry, self._tally_of(process), False, True, "fanwhy")
        if process.kernel:
            label = kernel_label(comm)
            entry = self._open(f"kernel:{label}", GroupKind.KERNEL, Name(label, label=label))
            return Seat(entry, None, False, False, label)
        if (
            above is not None
            and not above.spawner
            and comm not in _DECIDERS
            and not self._hosting(process)
        ):
            return above.inherited(comm)
        seat = self._described(process, comm, above)
        if seat.entry.group.kind is GroupKind.JOB:
            self._remember(process)
        return seat

    def moved(self, process: Process[Seat]) -> Seat:
        """The seat of a process that runs another program now."""
        before = process.group
        comm = process.comm.decode("utf-8", "replace")
        if process.orphan and not before.spawner:
            # Whoever has it now says nothing of whose work it is.
            return before.inherited(comm)
        return self.seat(process)

    def _described(self, process: Process[Seat], comm: str, above: Seat | None) -> Seat:
        words = self._processes.command_line(process.pid)
        name = describe(words, comm, arguments=self._arguments)
        member = self._cgroups.membership(self._processes.cgroups(process.pid))
        place = place_of(member.name)
        spawner = self._spawns(process, name, comm)
        entry = self._entry(process, name, place, above, spawner=spawner, told=bool(words))
        if not entry.executable:
            entry.executable = self._processes.executable(process.pid)
        first = program_of(words[0]) if words else ""
        program = first if first[:15] == program_of(comm)[:15] else program_of(comm)
        return Seat(entry, self._tally(member.account), spawner, True, clean(program))

    def _spawns(self, process: Process[Seat], name: Name, comm: str) -> bool:
        if process.pid == 1 or self._hosting(process) or comm in SPAWNERS:
            return True
        if comm.startswith(_SPAWNER_PREFIXES):
            return True
        if not name.nameless:
            return False
        # `… | sh` is a worker of its job; a shell with a session of its own is somebody's.
        parent = process.parent
        return (
            parent is None
            or parent.group.spawner
            or process.session == process.pid
            or parent.group.program in _SWITCHERS
        )

    def _hosting(self, process: Process[Seat]) -> bool:
        """Whether fanwhy descends from it: from itself, not from who had its number before."""
        return self._hosts.get(process.pid) == process.start

    def _entry(
        self,
        process: Process[Seat],
        name: Name,
        place: Place | None,
        above: Seat | None,
        *,
        spawner: bool,
        told: bool,
    ) -> Entry:
        if place is not None and place.kind is GroupKind.CONTAINER:
            key = f"container:{place.runtime}:{place.identity}"
            return self._open(key, place.kind, name, place=place)
        parent = process.parent
        if above is not None and above.entry.group.own:
            return above.entry
        in_unit = place is not None and (above is None or above.entry.place != place)
        if (
            above is not None
            and parent is not None
            and above.spawner
            and not spawner
            and (parent.pid != 1 and parent.comm not in _MANAGERS and not in_unit)
        ):
            key = f"job:{parent.pid}:{parent.start}:{name.label}"
            entry = self._open(key, GroupKind.JOB, name)
            entry.ancestors = entry.ancestors or (above.program,)
            return entry
        if place is not None and (in_unit or not spawner or above is None or not above.spawner):
            return self._open(f"unit:{place.identity}", GroupKind.UNIT, name, place=place)
        if spawner:
            return self._open(f"program:{name.program}", GroupKind.PROGRAM, _bare(name))
        if above is not None and not above.spawner:
            return above.entry
        if kin := self._kin(process):
            return kin
        if not told and (alike := self._alike.get(process.comm)):
            return alike  # a zombie has no command line any more
        entry = self._job_called(name.label) or self._open(
            f"program:{name.label}", GroupKind.PROGRAM, name
        )
        if len(self._alike) >= _MOST_ALIKE:
            self._alike.clear()  # some programs call each of their processes otherwise
        self._alike[process.comm] = entry
        return entry

    # -- lineage of those who lost their parent before we saw them --------------------------

    def _remember(self, process: Process[Seat]) -> None:
        """Notes who leads a process group or session of a job, where those are the job's own."""
        if process.pid in (process.process_group, process.session):
            self._leaders[process.pid] = process

    def _kin(self, process: Process[Seat]) -> Entry | None:
        """The job whose process group or session an orphan was born in."""
        for number in (process.process_group, process.session):
            leader = self._leaders.get(number)
            if leader is not None and leader is not process and self._is_job(leader.group.entry):
                return leader.group.entry
        return self._heard.owner(process.pid)

    def _is_job(self, entry: Entry) -> bool:
        group = entry.group
        return group.kind is GroupKind.JOB and self.entries.get(group.key) is entry

    def died(self, process: Process[Seat]) -> None:
        """A process is gone."""
        if self._leaders.get(process.pid) is process:
            self._ended[process] = _GRACE

    def turn_page(self, window: int) -> None:
        """Forgets, at the end of a window, numbers and cgroups that are nobody's any more."""
        if due := [leader for leader, left in self._ended.items() if left <= 0]:
            self._forget_leaders(due)
        for leader in self._ended:
            self._ended[leader] -= 1
        self._call_again(window)
        if window % _EMPTY_EVERY == 0:
            for tally in [tally for tally in self.tallies.values() if not tally.living]:
                if self._cgroups.cpu_usage(tally.account) is None:
                    del self.tallies[tally.account]

    def _forget_leaders(self, due: list[Process[Seat]]) -> None:
        """Forgets leaders of whose group and session nobody lives: the number is free again."""
        numbers: dict[Entry, set[int]] = {}
        for leader in due:
            entry = leader.group.entry
            if entry not in numbers:
                numbers[entry] = {one.process_group for one in entry.processes}
                numbers[entry].update(one.session for one in entry.processes)
            if leader.pid in numbers[entry] and self._leaders.get(leader.pid) is leader:
                self._ended[leader] = _GRACE
                continue
            del self._ended[leader]
            if self._leaders.get(leader.pid) is leader:
                del self._leaders[leader.pid]

    def _job_called(self, label: str) -> Entry | None:
        """A living job of that name: an orphan that is named alike is a part of it."""
        for entry in self.entries.values():
            group = entry.group
            if group.kind is GroupKind.JOB and group.label == label and entry.processes:
                return entry
        return None

    # -- opening and closing ----------------------------------------------------------------

    def _open(
        self,
        key: str,
        kind: GroupKind,
        name: Name,
        *,
        place: Place | None = None,
        own: bool = False,
    ) -> Entry:
        entry = self.entries.get(key)
        if entry is None:
            label = clean(place.label if place else name.label)
            group = WorkGroup(key, kind, label or "unknown", own)
            entry = self.entries[key] = Entry(group, name, place)
            if place is not None and kind is GroupKind.CONTAINER and not self._call(entry, place):
                self._nameless[entry] = _ASK_AGAIN
        return entry

    def _call(self, entry: Entry, place: Place) -> bool:
        """Gives a container its name, else its image's; whether anybody could tell.

        Otherwise it keeps runtime and id: its runtime may be about to start, or not tell us.
        """
        known = self._look_up(place)
        if known is None:
            return False
        entry.image = clean(known.image)
        label = clean(known.name) or entry.image.rpartition("/")[2] or entry.group.label
        entry.group = replace(entry.group, label=label)
        return True

    def _call_again(self, window: int) -> None:
        """Asks for the names of containers that nobody could tell, ever more seldom."""
        for entry, wait in list(self._nameless.items()):
            if window % wait:
                continue
            if entry.place is not None and self._call(entry, entry.place):
                del self._nameless[entry]
            else:
                self._nameless[entry] = min(2 * wait, _ASK_SELDOM)

    def _tally_of(self, process: Process[Seat]) -> Tally | None:
        return self._tally(self._cgroups.membership(self._processes.cgroups(process.pid)).account)

    def _tally(self, account: str) -> Tally | None:
        if not account:
            return None
        tally = self.tallies.get(account)
        if tally is None:
            tally = Tally(account, self._cgroups.cpu_usage(account))
            self.tallies[account] = tally
        return tally

    def discover(self, window: int) -> None:
        """Opens accounts for units and containers of whose processes we see none.

        Args:
            window: this one; they are kept as long as if they had worked in it.
        """
        for path in self._cgroups.units():
            place = place_of(path)
            if place is None or path in self.tallies:
                continue
            tally = self._tally(path)
            if tally is not None and tally.usage is not None:
                prefix = "unit" if place.kind is GroupKind.UNIT else f"container:{place.runtime}"
                name = Name(place.label, label=place.label)
                entry = self._open(f"{prefix}:{place.identity}", place.kind, name, place=place)
                entry.last = window
                tally.entries[entry] += 1

    def close(self, closed: AbstractSet[Entry]) -> None:
        """Forgets groups of which nobody lives and nothing is left to tell."""
        for entry in closed:
            self.entries.pop(entry.group.key, None)
            self._nameless.pop(entry, None)
        self._alike = {comm: kin for comm, kin in self._alike.items() if kin not in closed}
        for account, tally in list(self.tallies.items()):
            for entry in closed & tally.entries.keys():
                del tally.entries[entry]
            if not tally.entries and not tally.living:
                del self.tallies[account]


def kernel_label(comm: str) -> str:
    """``kworker/u8:2-writeback`` → ``kworker writeback``; ``ksoftirqd/3`` → ``ksoftirqd``."""
    if match := _KERNEL_WORK.match(comm):
        return clean(f"kworker {match[1]}")
    return clean(comm.partition("/")[0]) or "kernel"


def _bare(name: Name) -> Name:
    return Name(program=name.program, command=name.program, label=clean(name.program))


def waits_for_orphans(process: Process[Seat]) -> bool:
    """Whether what a process reaps may be anybody's: init, a session manager, a subreaper."""
    return process.reaper or process.comm in _SUBREAPERS


def _ancestors_of(processes: ProcessDetails, pid: int) -> dict[int, int]:
    """Whoever started fanwhy hosts it; their other children are jobs of their own.

    Returns:
        When each of them began, by number.
    """
    found: dict[int, int] = {}
    stat = processes.stat(pid)
    while stat is not None and stat.parent > 0 and stat.parent not in found:
        stat = processes.stat(stat.parent)
        if stat is not None:
            found[stat.pid] = stat.start
    return found
