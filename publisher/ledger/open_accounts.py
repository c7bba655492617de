"""Open accounts: what a work group has used since the window began, and its processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.cpu.process import Process
from publisher.ledger.naming.cgroup_names import Place
from publisher.ledger.naming.names import Name
from publisher.ledger.naming.words import clean, program_of_comm

_ANCESTORS = 8  # names of them that are told
_SUBREAPERS = frozenset({b"systemd", b"init"})  # of a session: orphans are theirs to wait for


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one process.

    Attributes:
        name: what its command line says.
        program: the name of what it runs itself.
        executable: its path; empty where this user may not know.
        disguise: what contradicts the name that it goes by.
        mining: its command line has options that only miners have.
    """

    name: Name
    program: str
    executable: str
    disguise: str
    mining: bool


class OpenAccount:
    """A work group's account while it is open.

    Attributes:
        group: the group as it is published.
        name: what the command line of its first process said, or what it does now.
        root: its first process; ``None`` where that was none that was described.
        container: the name of the container that it is, or lies in.
        following: another name that it may take, and the window in which it came up; ``renamed``:
            it has taken one before.
        place: the container or unit that it is; ``None`` for jobs and programs.
        called: by what a container's runtime knows it; empty where that is not known.
        ancestors: names of the programs above its root, the nearest first.
        processes: those that live, with the resident bytes and threads that ``rss`` (bytes) and
            ``threads`` hold of each.
        cpu_ns: nanoseconds of CPU time booked in this window; ``previous_ns``: in the one before.
        unseen_ns: the part of ``cpu_ns`` used by processes that died before they were seen.
        members: nanoseconds by program of the processes that worked in it, halved from window to
            window; ``glimpsed``: likewise of those seen to come or go.
        last_window: the number of the window in which it worked last.
        mining: a command line in it had options that only miners have.
        most: who worked most in this window, as far as booked; ``most_ns``: how much.
        worker: who works most, calmly: another one must have done more than it did lately.
    """

    __slots__ = (
        "_lately_ns", "_mark_ns", "_oldest", "ancestors", "called", "container", "cpu_ns",
        "executable", "following", "glimpsed", "group", "image", "last_window", "members",
        "mining", "most", "most_ns", "name", "place", "previous_ns", "processes", "renamed",
        "root", "rss", "threads", "unseen_ns", "worker",
    )  # fmt: skip

    def __init__(self, group: WorkGroup, name: Name, place: Place | None = None) -> None:
        self.group = group
        self.name = name
        self.place = place
        self.executable = ""
        self.image = ""
        self.ancestors: tuple[str, ...] = ()
        self.cpu_ns = 0
        self.previous_ns = 0
        self.unseen_ns = 0
        self.last_window = 0
        self.members: Counter[str] = Counter()
        self.glimpsed: Counter[str] = Counter()
        self.processes: dict[Member, tuple[int, int]] = {}
        self.rss = 0
        self.threads = 0
        self.root: Member | None = None
        self.container = ""
        self.called = ""
        self.following: tuple[str, int] | None = None
        self.renamed = False
        self.mining = False
        self.most: Member | None = None
        self.most_ns = 0
        self.worker: Member | None = None
        self._lately_ns = self._mark_ns = 0
        self._oldest: int | None = None

    def join(self, process: Member) -> None:
        """Takes a process in."""
        self.processes[process] = (process.rss, process.threads)
        self.rss += process.rss
        self.threads += process.threads
        if self._oldest is not None:
            self._oldest = min(self._oldest, process.start)

    def leave(self, process: Member) -> None:
        """Lets a process go."""
        rss, threads = self.processes.pop(process, (0, 0))
        self.rss -= rss
        self.threads -= threads
        if process.start == self._oldest:
            self._oldest = None

    def update(self, process: Member) -> None:
        """Takes over the size of a process: the sums cost as much as what changed."""
        before = self.processes.get(process)
        if before is not None:
            self.processes[process] = (process.rss, process.threads)
            self.rss += process.rss - before[0]
            self.threads += process.threads - before[1]

    def close(self) -> None:
        """Lets go of its processes, which know it, too: that is no work for the collector."""
        self.root = self.most = self.worker = None
        self.processes = {}

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
            self.members[program] += self.unseen_ns * weight // whole

    def settle(self) -> None:
        """Finds out who works most, once a window."""
        rival, self.most = self.most, None
        rival_ns, self.most_ns = self.most_ns, 0
        worker = self.worker
        if worker is not None and (not worker.alive or worker not in self.processes):
            worker = self.worker = None
        if rival is None:
            return
        if worker is not None:
            self._lately_ns = self._lately_ns // 2 + worker.self_ns - self._mark_ns
            self._mark_ns = worker.self_ns
            if rival is worker or rival_ns <= self._lately_ns:
                return
        self.worker = rival if rival in self.processes else None
        self._lately_ns, self._mark_ns = rival_ns, rival.self_ns

    def ranked(self) -> tuple[str, ...]:
        """Names of the programs that worked in it, the busiest first, at most 8."""
        counts = self.members
        if len(counts) > 1:
            return tuple(sorted(counts, key=counts.__getitem__, reverse=True)[:8])
        return tuple(counts)

    def clues(self, path: Sequence[Member] = (), look: Look | None = None) -> Clues:
        """What classification may go by.

        Args:
            path: the process that works most and those above it in the group.
            look: what was seen of that process.
        """
        name, members = self.name, self.ranked()
        program = members[0] if members else name.program
        executable, worker_script, disguise = self.executable, "", ""
        if look is not None:
            seen = path[0].membership.program
            program = look.program
            if seen != program:
                members = tuple(dict.fromkeys(program if one == seen else one for one in members))
            executable = look.executable or executable
            worker_script = look.name.script if look.name.script != name.script else ""
            disguise = look.disguise
        elif program == name.interpreter and name.titled:
            # It has told its name, and so would the others that it runs.
            program = name.program
            members = (program, *members[1:])
        ancestors = self.ancestors
        if len(path) > 1:
            above = dict.fromkeys(one.membership.program for one in path[1:])
            ancestors = (*above, *ancestors)[:_ANCESTORS]
        return Clues(
            program=program,
            executable=executable,
            script=name.script,
            command=name.command,
            unit="" if self.place is None else self.place.unit,
            container_name=self.container,
            container_image=self.image,
            ancestors=ancestors,
            members=members,
            interpreter=name.interpreter if name.script else "",
            worker_script=worker_script,
            disguise=disguise,
            mining=self.mining or (look is not None and look.mining),
            script_path=look.name.path if worker_script and look is not None else name.path,
        )


@dataclass(slots=True)
class CgroupCounter:
    """A cgroup whose counter of CPU time is compared with what was booked to its processes.

    Attributes:
        path: of the cgroup, in the hierarchy that counts CPU time.
        usage_ns: its counter when last read; ``None`` where it could not be.
        living: processes whose membership names it.
        booked_ns: booked to its processes since then.
        accounts: to whom, by weight in nanoseconds that fades from window to window.
    """

    path: str
    usage_ns: int | None
    living: int = 0
    booked_ns: int = 0
    accounts: Counter[OpenAccount] = field(default_factory=Counter)


@dataclass(slots=True)
class GroupMembership:
    """To which group one process belongs, and by what.

    Attributes:
        account: of its group.
        counter: of its cgroup; ``None`` outside all cgroups that count.
        spawner: its children start groups of their own.
        described: its own command line decided, not its parent's membership.
        program: the name of what it runs.
        child: a kernel name and the membership of its children of that name, which are often many.
    """

    account: OpenAccount
    counter: CgroupCounter | None
    spawner: bool
    described: bool
    program: str
    child: tuple[str, GroupMembership] | None = None

    def inherited(self, comm: str) -> GroupMembership:
        """The membership of a child or successor of that kernel name."""
        if self.child is None or self.child[0] != comm:
            program = clean(program_of_comm(comm))
            self.child = comm, GroupMembership(self.account, self.counter, False, False, program)
        return self.child[1]


Member: TypeAlias = Process[GroupMembership]
"""A process, and the group that it belongs to."""


def waits_for_orphans(process: Member) -> bool:
    """Whether what a process reaps may be of any group: init, a session manager, a subreaper."""
    return process.reaper or process.comm in _SUBREAPERS
