"""Which work group a process belongs to: container, unit, job, program or kernel thread.

A job is a process tree that a person or a timer started. Its root is whoever a *spawner*
started: an interactive shell, cron, sshd, a terminal, a supervisor. Everything below belongs to
it until another spawner or another place (a container, a unit) comes in between.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from publisher.ledger.accounts import Clues, GroupKind, WorkGroup
from publisher.ledger.books import Keeper, Process
from publisher.ledger.names import SHELLS, Name, clean, describe, program_of
from publisher.ledger.places import Place, place_of
from publisher.sources.cgroups import Cgroups
from publisher.sources.processes import LinuxProcesses

_SPAWNER_NAMES = """
    init systemd (sd-pam) launchd runit runsvdir runsv s6-svscan s6-supervise openrc
    supervise-daemo supervisord sshd sshd-session dropbear login getty agetty mosh-server
    cron crond CRON fcron anacron atd tmux: screen SCREEN zellij dtach abduco
    containerd-shim conmon crio dockerd containerd
    gdm gdm3 gdm-session-wor sddm sddm-helper lightdm gnome-shell gnome-session-b plasmashell
    kwin_wayland kwin_x11 ksmserver xfce4-session xfce4-panel xfdesktop cinnamon mate-session
    sway Hyprland i3 openbox gnome-terminal- kgx ptyxis ptyxis-agent konsole xterm alacritty
    kitty foot wezterm-gui xfce4-terminal tilix terminator urxvt st lxterminal guake yakuake ttyd
"""
SPAWNERS = frozenset(_SPAWNER_NAMES.split())
"""Kernel names (at most 15 bytes) of programs that start what is not their own work."""

# Names whose command line decides what they are; all others inside a job are its workers.
_DECIDERS = SPAWNERS | SHELLS | {"su", "sudo", "runc", "crun"}
_KERNEL_WORK = re.compile(r"^kworker/.*?[-+]([^\s:]+)$")


class Entry:
    """A work group's account while it is open.

    Attributes:
        cpu: nanoseconds booked in this window; ``unseen`` of them by processes nobody saw.
        members: who worked in it, by program, decaying over windows.
    """

    __slots__ = (
        "ancestors", "cpu", "executable", "group", "image", "last", "members", "name", "place",
        "processes", "unseen",
    )  # fmt: skip

    def __init__(self, group: WorkGroup, name: Name, place: Place | None = None) -> None:
        self.group = group
        self.name = name
        self.place = place
        self.executable = ""
        self.image = ""
        self.ancestors: tuple[str, ...] = ()
        self.cpu = 0
        self.unseen = 0
        self.last = 0
        self.members: Counter[str] = Counter()
        self.processes: set[Process[Seat]] = set()

    def clues(self) -> Clues:
        """What classification may go by."""
        members = [name for name, _ in self.members.most_common(8)]
        unit = self.place.identity if self.place and self.place.kind is GroupKind.UNIT else ""
        container = ""
        if self.place and self.place.kind is GroupKind.CONTAINER:
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
            members=tuple(members),
        )


@dataclass(slots=True)
class Tally:
    """What was booked to the processes of one cgroup since its counter was read last."""

    account: str
    booked: int = 0
    usage: int | None = None


@dataclass(slots=True)
class Seat:
    """Where one process sits.

    Attributes:
        spawner: its children start groups of their own.
        described: its command line was looked at.
    """

    entry: Entry
    tally: Tally | None = None
    spawner: bool = False
    described: bool = False
    program: str = ""


class Groups(Keeper[Seat]):
    """Places processes, and keeps their groups' accounts."""

    def __init__(
        self, processes: LinuxProcesses, cgroups: Cgroups, *, own: int, arguments: bool = False
    ) -> None:
        self.entries: dict[str, Entry] = {}
        self.tallies: dict[str, Tally] = {}
        self.orphans = 0
        self._processes = processes
        self._cgroups = cgroups
        self._own = own
        self._arguments = arguments
        self._hosts = _ancestors_of(processes, own)

    # -- placing ---------------------------------------------------------------------------

    def place(self, process: Process[Seat]) -> Seat:
        seat = self._seat(process)
        seat.entry.processes.add(process)
        return seat

    def _seat(self, process: Process[Seat]) -> Seat:
        comm = process.comm.decode("utf-8", "replace")
        parent = process.parent
        above = parent.group if parent is not None else None
        if process.pid == self._own:
            return Seat(self._open("own", GroupKind.PROGRAM, _FANWHY, own=True), program=comm)
        if process.kernel:
            return Seat(self._kernel(comm), program=comm)
        if above is not None and not above.spawner and comm not in _DECIDERS:
            return Seat(above.entry, above.tally, program=program_of(comm))
        return self._described(process, comm, above)

    def _described(self, process: Process[Seat], comm: str, above: Seat | None) -> Seat:
        words = self._processes.command_line(process.pid)
        name = describe(words, comm, arguments=self._arguments)
        member = self._cgroups.membership(self._processes.cgroups(process.pid))
        tally = self._tally(member.account)
        place = place_of(member.name)
        spawner = (
            process.pid == 1
            or comm in SPAWNERS
            or name.nameless
            or process.pid in self._hosts
            or comm.startswith(("tmux: ", "containerd-shim"))
        )
        program = program_of(words[0]) if words and program_of(words[0])[:15] == comm else comm
        entry = self._entry(process, name, place, above, spawner=spawner)
        if not entry.executable:
            entry.executable = self._processes.executable(process.pid)
        return Seat(entry, tally, spawner, described=True, program=clean(program_of(program)))

    def _entry(
        self, process: Process[Seat], name: Name, place: Place | None, above: Seat | None,
        *, spawner: bool,
    ) -> Entry:  # fmt: skip
        if place is not None and place.kind is GroupKind.CONTAINER:
            key = f"container:{place.runtime}:{place.identity}"
            return self._open(key, place.kind, name, place=place)
        if above is not None and above.entry.group.own:
            return above.entry
        parent = process.parent
        started = above is not None and above.spawner and parent is not None and parent.pid != 1
        if spawner:
            if place is not None and not started:
                return self._open(f"unit:{place.identity}", GroupKind.UNIT, name, place=place)
            return self._open(f"program:{name.program}", GroupKind.PROGRAM, name)
        if (
            started
            and parent is not None
            and above is not None
            and (place is None or above.entry.place != place or parent.group.spawner)
            and not _manager(parent)
        ):
            key = f"job:{parent.pid}:{parent.start}:{name.label}"
            return self._open(key, GroupKind.JOB, name)
        if place is not None:
            return self._open(f"unit:{place.identity}", GroupKind.UNIT, name, place=place)
        if above is not None and not above.spawner:
            return above.entry
        return self._open(f"program:{name.label}", GroupKind.PROGRAM, name)

    def _kernel(self, comm: str) -> Entry:
        label = kernel_label(comm)
        return self._open(f"kernel:{label}", GroupKind.KERNEL, Name(label, label=label))

    def _open(
        self, key: str, kind: GroupKind, name: Name, *, place: Place | None = None,
        own: bool = False,
    ) -> Entry:  # fmt: skip
        entry = self.entries.get(key)
        if entry is None:
            label = clean(place.label if place else name.label) or "unknown"
            entry = self.entries[key] = Entry(WorkGroup(key, kind, label, own), name, place)
        return entry

    def _tally(self, account: str) -> Tally | None:
        if not account:
            return None
        tally = self.tallies.get(account)
        if tally is None:
            tally = self.tallies[account] = Tally(account)
            tally.usage = self._cgroups.cpu_usage(account)
        return tally

    # -- booking ---------------------------------------------------------------------------

    def book(self, process: Process[Seat], nanoseconds: int) -> None:
        seat = process.group
        seat.entry.cpu += nanoseconds
        seat.entry.members[seat.program] += nanoseconds
        if seat.tally is not None:
            seat.tally.booked += nanoseconds

    def book_unseen(
        self, reaper: Process[Seat], nanoseconds: int, died: dict[Process[Seat], int]
    ) -> None:
        others = {p: used for p, used in died.items() if p.group.entry is not reaper.group.entry}
        if others and (reaper.group.spawner or reaper.reaper):
            whole = sum(others.values()) + len(others)
            for process, used in others.items():
                self._unseen(process.group, nanoseconds * (used + 1) // whole)
        elif reaper.reaper:
            self.orphans += nanoseconds
        else:
            self._unseen(reaper.group, nanoseconds)

    def _unseen(self, seat: Seat, nanoseconds: int) -> None:
        seat.entry.cpu += nanoseconds
        seat.entry.unseen += nanoseconds
        if seat.tally is not None:
            seat.tally.booked += nanoseconds

    def changed(self, process: Process[Seat]) -> None:
        before = process.group
        comm = process.comm.decode("utf-8", "replace")
        if before.entry.group.own or process.kernel or before.program[:15] == comm:
            return
        seat = self._seat(process)
        if seat.entry is not before.entry:
            before.entry.processes.discard(process)
            seat.entry.processes.add(process)
        process.group = seat

    def died(self, process: Process[Seat]) -> None:
        process.group.entry.processes.discard(process)

    def close(self, entries: Iterable[Entry]) -> None:
        """Forgets groups of which nobody lives and nothing is left to tell."""
        for entry in entries:
            self.entries.pop(entry.group.key, None)


_FANWHY = Name("fanwhy", command="fanwhy", label="fanwhy")


def kernel_label(comm: str) -> str:
    """``kworker/u8:2-writeback`` → ``kworker writeback``; ``ksoftirqd/3`` → ``ksoftirqd``."""
    if match := _KERNEL_WORK.match(comm):
        return clean(f"kworker {match[1]}")
    return clean(comm.partition("/")[0]) or "kernel"


def _manager(process: Process[Seat]) -> bool:
    """Whether it starts services rather than jobs, so that the unit is the name."""
    return process.pid == 1 or process.comm in (b"systemd", b"init", b"runsv", b"supervisord")


def _ancestors_of(processes: LinuxProcesses, pid: int) -> set[int]:
    """Whoever started fanwhy hosts it; their other children are jobs of their own."""
    found: set[int] = set()
    while pid > 1 and pid not in found:
        stat = processes.stat(pid)
        if stat is None:
            break
        pid = stat.parent
        found.add(pid)
    return found
