"""Which work group a process belongs to: container, unit, job, program or kernel thread.

A job is a process tree that a person or a timer started. Its root is what a *spawner*
started: an interactive shell, cron, sshd, a terminal, a supervisor. Everything below belongs to
it until another spawner or another place (a container, a unit) comes in between.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from publisher.contract.readings import GroupKind
from publisher.ledger.accounts import WorkGroup
from publisher.ledger.looks import Looks
from publisher.ledger.naming.cgroup_names import Place, place_of, unit_label
from publisher.ledger.naming.disguises import DELETED
from publisher.ledger.naming.hosts import runs_guests
from publisher.ledger.naming.mining_signs import mines
from publisher.ledger.naming.names import Name, Namer
from publisher.ledger.naming.words import clean
from publisher.ledger.open_accounts import CgroupCounter, GroupMembership, Member, OpenAccount
from publisher.sources.cgroups import Cgroups
from publisher.sources.containers import Container, monitored
from publisher.sources.processes import ProcessDetails

_SPAWNER_NAMES = """
    init systemd (sd-pam) launchd runit runsvdir runsv s6-svscan s6-supervise openrc
    supervise-daemo supervisord sshd sshd-session dropbear login getty agetty mosh-server
    circusd honcho foreman hivemind overmind goreman monit perpd svscan supervise procs
    cron crond CRON fcron anacron atd run-parts screen SCREEN zellij dtach abduco
    conmon crio dockerd containerd lxc-start lxc-execute lxc-attach systemd-nspawn
    slurmstepd pbs_mom sge_shepherd condor_starter
    orted prted hydra_pmi_proxy synocrond synoscheduled dcron jobber supercronic
    gdm gdm3 gdm-session-wor sddm sddm-helper lightdm gnome-shell gnome-session-b plasmashell
    kwin_wayland kwin_x11 ksmserver xfce4-session xfce4-panel xfdesktop cinnamon mate-session
    sway Hyprland i3 openbox gnome-terminal- kgx ptyxis ptyxis-agent konsole xterm alacritty
    kitty foot wezterm-gui xfce4-terminal tilix terminator urxvt st lxterminal guake yakuake ttyd
"""
SPAWNERS = frozenset(_SPAWNER_NAMES.split())
"""Kernel names (at most 15 bytes) of programs that start what is not their own work."""

_SPAWNER_PREFIXES = ("tmux: ", "containerd-shim", "PM2 v", "foreman: ", "slurmstepd: ")
_SWITCHERS = frozenset({"su", "sudo", "doas", "newgrp", "runuser"})
# Names whose command line decides what they are, as those of shells do; all others inside a group
# are its workers.
_DECIDERS = SPAWNERS | _SWITCHERS | {"runc", "crun"}
_MANAGERS = frozenset({b"systemd", b"init"})
_SUPERVISORS = frozenset(
    {b"runsv", b"supervisord", b"s6-supervise", b"supervise", b"circusd", b"honcho", b"perpd"}
)
"""Managers that are services themselves: what they start is a service each."""
_GRACE = 2  # windows that a dead leader's number still tells its job: orphans are found by then
_EMPTY_EVERY = 8  # windows after which cgroups without processes are looked for
_KERNEL_WORK = re.compile(r"^kworker/(?:u?\d+:\d+H?|R)[-+](\S+)$")
_INTERRUPT = re.compile(r"^irq/\d+-(?:s-)?(\S+)$")
_DEVICE = re.compile(r"(?:/.*|-\d+:\d+|\d*q\d+|\[.*|-(?:TxRx|[tr]x)-?\d*)$")
_FANWHY = Name("fanwhy", command="fanwhy", label="fanwhy")
_MOST_ALIKE = 4096
_ASK_AGAIN, _ASK_SELDOM = 8, 512  # windows after which an unknown container's name is asked for


class Heard(Protocol):
    """Tells by other means to which group a process belongs."""

    def owner(self, pid: int) -> OpenAccount | None:
        """The group that a process descends from."""


class Groups:
    """Finds or opens the group of every process.

    Args:
        namer: tells names from command lines.
        own: fanwhy's process id.
        heard: knows by the kernel's events whose a process is.
        look_up: tells name and image of a container.

    Attributes:
        accounts: the open ones, by key.
        counters: cgroups whose counters are compared with them, by path.
        looks: sees single processes from nearby.
    """

    def __init__(
        self,
        processes: ProcessDetails,
        cgroups: Cgroups,
        namer: Namer,
        *,
        own: int,
        heard: Heard,
        look_up: Callable[[Place], Container | None],
    ) -> None:
        self.accounts: dict[str, OpenAccount] = {}
        self.counters: dict[str, CgroupCounter] = {}
        self.looks = Looks(processes, namer)
        self._processes = processes
        self._cgroups = cgroups
        self._namer = namer
        self._own = own
        self._heard = heard
        self._look_up = look_up
        self._hosts = _ancestors_of(processes, own)
        self._leaders: dict[int, Member] = {}
        self._ended: dict[Member, int] = {}
        self._alike: dict[bytes, OpenAccount] = {}
        self._nameless: dict[OpenAccount, int] = {}

    @cached_property
    def _deciders(self) -> AbstractSet[str]:
        return _DECIDERS | self._namer.programs.shells

    def membership(self, process: Member) -> GroupMembership:
        """Decides where a process sits; its parent's membership is known."""
        comm = process.comm.decode("utf-8", "replace")
        above = process.parent.membership if process.parent is not None else None
        if self._leaders.get(process.pid, process) is not process:
            del self._leaders[process.pid]  # the number is another's now
        if process.pid == self._own:
            account = self._open("own", GroupKind.PROGRAM, _FANWHY, own=True)
            return GroupMembership(account, self._counter_of(process), False, True, "fanwhy")
        if process.kernel:
            label = kernel_label(comm)
            account = self._open(f"kernel:{label}", GroupKind.KERNEL, Name(label, label=label))
            return GroupMembership(account, None, False, False, label)
        if (
            above is not None
            and not above.spawner
            and comm not in self._deciders
            and not runs_guests(comm)
            and not self._hosting(process)
        ):
            return above.inherited(comm)
        membership = self._described(process, comm, above)
        if membership.account.group.kind is GroupKind.JOB:
            self._remember(process)
        return membership

    def moved(self, process: Member) -> GroupMembership:
        """The membership of a process that runs another program now."""
        before = process.membership
        comm = process.comm.decode("utf-8", "replace")
        if process.orphan and not before.spawner:
            # The parent that it was given says nothing of whose work it is.
            return before.inherited(comm)
        return self.membership(process)

    def _described(
        self, process: Member, comm: str, above: GroupMembership | None
    ) -> GroupMembership:
        words = self._processes.command_line(process.pid)
        link = self._processes.executable(process.pid) if comm == "exe" else ""
        name = self.looks.describe(words, comm, process.pid, link)
        member = self._cgroups.membership(self._processes.cgroups(process.pid))
        place = place_of(member.name)
        spawner = self._spawns(process, name, comm)
        account = self._guest(process, name, place, above) or self._account_of(
            process, name, place, above, spawner=spawner, told=bool(words)
        )
        if account.place is not None:
            self._christen(account, account.place, name, process.parent)
        if not account.executable:
            path = self._processes.executable(process.pid)
            account.executable = path.removesuffix(DELETED)
        account.mining = account.mining or mines(words)
        if account.root is None and not account.processes:
            account.root = process
        program = self.looks.program(name, words, comm, link)
        return GroupMembership(account, self._counter(member.account), spawner, True, program)

    def _spawns(self, process: Member, name: Name, comm: str) -> bool:
        if process.pid == 1 or self._hosting(process) or comm in SPAWNERS:
            return True
        if comm.startswith(_SPAWNER_PREFIXES):
            return True
        if not name.nameless:
            return False
        # `… | sh` is a worker of its job; a shell with a session of its own is a prompt.
        parent = process.parent
        return (
            parent is None
            or parent.membership.spawner
            or process.session == process.pid
            or parent.membership.program in _SWITCHERS
        )

    def _hosting(self, process: Member) -> bool:
        """Whether fanwhy descends from it: from itself, not from one that had its number before."""
        return self._hosts.get(process.pid) == process.start

    def _account_of(
        self,
        process: Member,
        name: Name,
        place: Place | None,
        above: GroupMembership | None,
        *,
        spawner: bool,
        told: bool,
    ) -> OpenAccount:
        """The account of a process whose own command line or place decides; the first row counts.

        ========== ============================================ ==================================
        row        when                                         account
        ========== ============================================ ==================================
        container  its cgroup is a container's                  the container's
        fanwhy     its parent is fanwhy                         fanwhy's
        job        a spawner other than init or a manager       a job of its own, by parent and
                   started it; it is none itself and enters     label
                   no unit
        unit       its cgroup is a unit's, unless a spawner     the unit's
                   below a spawner of the same unit, or
                   started by a supervisor of that unit
        spawner    it is a spawner                              of all that run its program
        worker     its parent is no spawner                     its parent's
        kin        its process group or session is led by a     that job's
                   job, or lineage tells whose it is
        alike      it has no command line (a zombie), and       that of the one seen last
                   one of its kernel name was seen
        namesake   a living job has its label                   that job's
        program    otherwise                                    of all with its label
        ========== ============================================ ==================================

        From ``kin`` on, its parent is unknown, or a spawner that adopts or starts daemons: it is
        an orphan or a daemon.

        Args:
            process: its parent is known.
            name: what its command line says.
            place: what its cgroup says.
            above: its parent's membership.
            spawner: its children start groups of their own.
            told: it has a command line.
        """
        if place is not None and place.kind is GroupKind.CONTAINER:
            return self._open(place.key, place.kind, name, place=place)
        if above is not None and above.account.group.own:
            return above.account
        enters = place is not None and (above is None or above.account.place != place)
        parent = process.parent
        if (
            above is not None
            and parent is not None
            and above.spawner
            and not (spawner or enters or _manages(parent))
        ):
            key = f"job:{parent.pid}:{parent.start}:{name.label}"
            account = self._open(key, GroupKind.JOB, name)
            account.ancestors = account.ancestors or (above.program,)
            return account
        supervised = not (enters or spawner) and _supervises(parent)
        if (
            place is not None
            and not supervised
            and (enters or not spawner or above is None or not above.spawner)
        ):
            return self._open(place.key, GroupKind.UNIT, name, place=place)
        if spawner:
            return self._open(f"program:{name.program}", GroupKind.PROGRAM, _bare(name))
        if above is not None and not above.spawner:
            return above.account
        if kin := self._kin(process):
            return kin
        if not told and (alike := self._alike.get(process.comm)):
            return alike
        account = self._job_called(name.label) or self._open(
            f"program:{name.label}", GroupKind.PROGRAM, name
        )
        if len(self._alike) >= _MOST_ALIKE:
            self._alike.clear()  # some programs call each of their processes otherwise
        self._alike[process.comm] = account
        return account

    def _guest(
        self,
        process: Member,
        name: Name,
        place: Place | None,
        above: GroupMembership | None,
    ) -> OpenAccount | None:
        """The account of a virtual machine that a service or another program keeps among others.

        ``None`` where it has a place of its own, a person has started it, or it is what its unit
        is for.
        """
        if not name.guest or (place is not None and place.kind is GroupKind.CONTAINER):
            return None
        if place is not None and name.label.lower() in place.identity.lower():
            return None
        if above is not None and above.spawner and process.parent is not None:
            if place is None or not _manages(process.parent):
                return None
        elif above is not None and above.account.group.kind is GroupKind.JOB:
            return None
        return self._open(f"program:{name.label}", GroupKind.PROGRAM, name)

    def _christen(
        self, account: OpenAccount, place: Place, name: Name, parent: Member | None
    ) -> None:
        """Calls a guest by what the program that runs it says."""
        if place.runtime == "qemu" and name.guest and not place.inner:
            known: Container | None = Container(name.label, "")
        elif (
            account in self._nameless
            and parent is not None
            and (parent.comm == b"conmon" or (place.runtime == "lxc" and "_" in place.identity))
        ):
            known = monitored(self._processes.command_line(parent.pid), place.identity)
        else:
            return
        if known is not None:
            self._nameless.pop(account, None)
            self._take_name(account, place, known)

    # -- lineage of those that lost their parent before they were seen -----------------------

    def _remember(self, process: Member) -> None:
        """Notes what leads a process group or session of a job, where those are the job's own."""
        if process.pid in (process.process_group, process.session):
            self._leaders[process.pid] = process

    def _kin(self, process: Member) -> OpenAccount | None:
        """The job whose process group or session an orphan was born in."""
        for number in (process.process_group, process.session):
            leader = self._leaders.get(number)
            if (
                leader is not None
                and leader is not process
                and self._is_job(leader.membership.account)
            ):
                return leader.membership.account
        return self._heard.owner(process.pid)

    def _is_job(self, account: OpenAccount) -> bool:
        group = account.group
        return group.kind is GroupKind.JOB and self.accounts.get(group.key) is account

    def died(self, process: Member) -> None:
        """A process is gone."""
        if self._leaders.get(process.pid) is process:
            self._ended[process] = _GRACE

    def turn_page(self, window: int) -> None:
        """Forgets, at the end of a window, numbers and cgroups without processes."""
        self.looks.turn_page(window)
        if due := [leader for leader, left in self._ended.items() if left <= 0]:
            self._forget_leaders(due)
        for leader in self._ended:
            self._ended[leader] -= 1
        self._call_again(window)
        if window % _EMPTY_EVERY == 0:
            for counter in [counter for counter in self.counters.values() if not counter.living]:
                if self._cgroups.cpu_usage(counter.path) is None:
                    del self.counters[counter.path]

    def _forget_leaders(self, due: list[Member]) -> None:
        """Forgets leaders of whose group and session none lives: the number is free again."""
        numbers: dict[OpenAccount, set[int]] = {}
        for leader in due:
            account = leader.membership.account
            if account not in numbers:
                numbers[account] = {one.process_group for one in account.processes}
                numbers[account].update(one.session for one in account.processes)
            if leader.pid in numbers[account] and self._leaders.get(leader.pid) is leader:
                self._ended[leader] = _GRACE
                continue
            del self._ended[leader]
            if self._leaders.get(leader.pid) is leader:
                del self._leaders[leader.pid]

    def _job_called(self, label: str) -> OpenAccount | None:
        """A living job of that name: an orphan that is named alike is a part of it."""
        for account in self.accounts.values():
            group = account.group
            if group.kind is GroupKind.JOB and group.label == label and account.processes:
                return account
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
    ) -> OpenAccount:
        account = self.accounts.get(key)
        if account is None:
            label = clean(_label(place, name) if place else name.label)
            group = WorkGroup(key, kind, label or "unknown", own)
            account = self.accounts[key] = OpenAccount(group, name, place)
            if place is not None and kind is GroupKind.CONTAINER:
                account.container = label if not place.inner else clean(place.label)
                told = name.guest and place.runtime == "qemu"
                if not told and not self._call(account, place):
                    self._nameless[account] = _ASK_AGAIN
        return account

    def _call(self, account: OpenAccount, place: Place) -> bool:
        """Gives a container its name, else its image's; whether they are known.

        Otherwise it keeps runtime and id: its runtime may be about to start, or not tell us.
        """
        known = self._look_up(place)
        if known is not None:
            self._take_name(account, place, known)
        return known is not None

    @staticmethod
    def _take_name(account: OpenAccount, place: Place, known: Container) -> None:
        account.image = clean(known.image)
        called = clean(known.name) or account.image.rpartition("/")[2]
        account.container = called or account.container
        account.called = known.called or known.name
        label = _label(replace(place, label=account.container), account.name)
        account.group = replace(account.group, label=clean(label))

    def _call_again(self, window: int) -> None:
        """Asks for the names of containers that are not known, ever more seldom."""
        for account, wait in list(self._nameless.items()):
            if window % wait:
                continue
            if account.place is not None and self._call(account, account.place):
                del self._nameless[account]
            else:
                self._nameless[account] = min(2 * wait, _ASK_SELDOM)

    def _counter_of(self, process: Member) -> CgroupCounter | None:
        return self._counter(self._cgroups.membership(self._processes.cgroups(process.pid)).account)

    def _counter(self, path: str) -> CgroupCounter | None:
        if not path:
            return None
        counter = self.counters.get(path)
        if counter is None:
            counter = self.counters[path] = CgroupCounter(path, self._cgroups.cpu_usage(path))
        return counter

    def discover(self, window: int) -> None:
        """Opens accounts for units and containers of whose processes we see none.

        Args:
            window: this one; they are kept as long as if they had worked in it.
        """
        for path in self._cgroups.units():
            place = place_of(path)
            if place is None or path in self.counters:
                continue
            counter = self._counter(path)
            if counter is not None and counter.usage_ns is not None:
                name = Name(place.label, label=place.label)
                account = self._open(place.key, place.kind, name, place=place)
                account.last_window = window
                counter.accounts[account] += 1

    def by_number(self) -> dict[int, OpenAccount]:
        """The groups by the numbers of cgroups that are theirs alone."""
        found: dict[int, OpenAccount] = {}
        for path, counter in self.counters.items():
            placed = [one for one in counter.accounts if one.place is not None]
            owners = placed or list(counter.accounts)
            number = self._cgroups.number(path) if len(owners) == 1 else None
            if number is not None:
                found[number] = owners[0]
        return found

    def close(self, closed: AbstractSet[OpenAccount]) -> None:
        """Forgets groups of which no process lives and nothing is left to tell."""
        for account in closed:
            self.accounts.pop(account.group.key, None)
            self._nameless.pop(account, None)
            account.close()
        self._alike = {comm: kin for comm, kin in self._alike.items() if kin not in closed}
        for path, counter in list(self.counters.items()):
            for account in closed & counter.accounts.keys():
                del counter.accounts[account]
            if not counter.accounts and not counter.living:
                del self.counters[path]


def kernel_label(comm: str) -> str:
    """What a kernel thread does, without processors and devices.

    ``kworker/u8:2-writeback`` → ``kworker writeback``; ``kworker/u16:3-kcryptd/253:0`` → ``kworker
    kcryptd``; ``irq/130-nvidia`` → ``irq nvidia``; ``ksoftirqd/3`` → ``ksoftirqd``.
    """
    for kind, pattern in (("kworker", _KERNEL_WORK), ("irq", _INTERRUPT)):
        if match := pattern.match(comm):
            return clean(f"{kind} {_DEVICE.sub('', match[1])}")
    return clean(comm.partition("/")[0]) or "kernel"


def _label(place: Place, name: Name) -> str:
    """The name of a container or unit; ``immich (112)`` for a unit in a container.

    A container inside one, of which the path tells no name, is called by what runs in it.
    """
    if not place.inner:
        return place.label
    return f"{unit_label(place.inner) if place.unit else name.label} ({place.label})"


def _supervises(process: Member | None) -> bool:
    """Whether it is a service that starts others, each of which is one of its own."""
    if process is None:
        return False
    return process.comm in _SUPERVISORS or process.comm.startswith(b"PM2 v")


def _bare(name: Name) -> Name:
    return Name(program=name.program, command=name.program, label=clean(name.program))


def _manages(process: Member) -> bool:
    """Whether it is init or a manager of services, whose children are daemons and no jobs."""
    return process.pid == 1 or process.comm in _MANAGERS or _supervises(process)


def _ancestors_of(processes: ProcessDetails, pid: int) -> dict[int, int]:
    """The ancestors of fanwhy host it; their other children are jobs of their own.

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
