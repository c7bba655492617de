"""With whom the processes of a group are connected: on whose behalf a server works.

A connection whose own port is one that somebody listens on was accepted: its other end called.
Each process's CPU time is shared out among those whom it is connected with by what they used
themselves, for who waits is served as well as who works. Looked at for causes alone, and no more
than a few milliseconds at a time: whose socket it is, is sought among those that worked first, then
among the youngest; what was found is remembered while it lives, and what was not is sought on
next time. Who may not look into others' descriptors goes by the control group of a socket, and by
the network that it is in, which takes no right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from publisher.contract.readings import GroupKind
from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.endpoints import (
    Address,
    TcpEnd,
    UnixEnd,
    ends_near,
    is_loopback,
    namespace_of,
    tcp_ends,
    unix_ends,
)
from publisher.sources.sockets import sockets_of

_MOST_SEARCHED: Final = 100  # processes whose descriptors are listed in a look
_MOST_SOCKETS: Final = 1000  # that they may have together
_MOST_NAMESPACES: Final = 8  # of containers, whose connections are read in a look
_MOST_REMEMBERED: Final = 4096
_WAITS: Final = 100_000  # nanoseconds: what one that waits for its answer counts as having used
# Where several clients together worked this many times less than who serves them, it cannot be told
# which of them waits for an answer, and which for a question.
_FEW: Final = 100


@dataclass(slots=True)
class Counterparts:
    """At the other ends, by account: nanoseconds of the work that may be put down to each.

    Attributes:
        total: all that they are parts of.
        remote: likewise of other machines, by address.
    """

    clients: Counter[OpenAccount] = field(default_factory=Counter)
    upstreams: Counter[OpenAccount] = field(default_factory=Counter)
    remote: Counter[bytes] = field(default_factory=Counter)
    total: int = 0


@dataclass(slots=True)
class _Link:
    """One connection of a process that is asked for; ``peer`` is the socket at its other end."""

    accepted: bool
    peer: int = 0
    there: Address | None = None
    account: OpenAccount | None = None
    used: int = 0


class Connections:
    """Finds who is at the other end.

    Args:
        proc: the folder of the processes' own.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self.problem: SourceError | None = None
        self._proc = proc
        self._owners: dict[int, Member] = {}
        self._searched: dict[Member, None] = {}
        self._tcp: list[TcpEnd] | None = None
        self._unix: Mapping[int, UnixEnd] | None = None

    def counterparts(
        self,
        asked: Sequence[tuple[int, Member]],
        worked: Mapping[Member, int],
        others: Iterable[Member],
        groups: Callable[[], Mapping[int, OpenAccount]] = dict,
    ) -> Counterparts:
        """Who is connected with some processes.

        Args:
            asked: those that work most in their group, with the nanoseconds that they used.
            worked: what every process used that worked in this window.
            others: all processes, the youngest first.
            groups: tells groups by the numbers of their control groups.

        Raises:
            SourceError: it cannot be told.
        """
        self._tcp = self._unix = None
        try:
            links = {process: self._links(process) for _, process in asked}
            self.problem = None
        except DeniedError as error:
            self.problem = error
            _, first = asked[0]
            asked = [(sum(used for used, _ in asked), first)]
            links = {first: self._links_of_group(first, groups())}
        open_links = [link for found in links.values() for link in found]
        self._resolve(open_links, asked[0][1], worked, others)
        if any(link.peer and link.account is None for link in open_links):
            self._resolve_groups(open_links, worked, groups())
        found = Counterparts()
        for used, process in asked:
            found.total += max(used, 1)
            self._share(max(used, 1), process.membership.account, links[process], found)
        return found

    def callers(self, port: int) -> set[bytes]:
        """The addresses of other machines that are connected with a port of ours.

        Raises:
            SourceError: it cannot be told.
        """
        ends = tcp_ends()
        ours = {end.here[0] for end in ends}
        return {
            end.there[0]
            for end in ends
            if end.here[1] == port and not end.listening and end.there[0] not in ours
        }

    # -- what they are connected by ------------------------------------------------------------

    def _links(self, process: Member) -> list[_Link]:
        """The connections of one process, with the sockets at their other ends if they are near."""
        try:
            mine = sockets_of(self._proc, process.pid)
            near = self._near(process.pid) if mine else []
        except AbsentError:
            return []
        links = self._links_among(near, mine)
        unix = self._unix_ends() if mine else {}
        links += [_Link(end.accepted, end.peer) for end in map(unix.get, mine) if end is not None]
        return [link for link in links if link.peer not in mine]

    def _links_of_group(self, process: Member, groups: Mapping[int, OpenAccount]) -> list[_Link]:
        """The connections of a group whose descriptors are not ours to read."""
        near = self._near(process.pid)
        account = process.membership.account
        if near is self._tcp:
            mine = {end.inode for end in near if groups.get(end.cgroup) is account}
        elif account.group.kind is GroupKind.CONTAINER:
            mine = {end.inode for end in near}  # its network is its own
        else:
            return []
        return [link for link in self._links_among(near, mine) if link.peer not in mine]

    def _links_among(self, near: Iterable[TcpEnd], mine: set[int]) -> list[_Link]:
        ports = {end.here[1] for end in near if end.listening}
        sockets = {end.here: end.inode for end in near if not end.listening}
        return [
            _Link(end.here[1] in ports, sockets.get(end.there, 0), end.there)
            for end in near
            if end.inode in mine and not end.listening
        ]

    def _near(self, pid: int) -> list[TcpEnd]:
        """The connections of the network that a process lives in."""
        if namespace_of(self._proc, pid) != namespace_of(self._proc, "self"):
            return ends_near(self._proc, pid)
        return self._own_ends()

    def _own_ends(self) -> list[TcpEnd]:
        if self._tcp is None:
            try:
                self._tcp = tcp_ends()
            except AbsentError:
                self._tcp = ends_near(self._proc, "self")
        return self._tcp

    def _unix_ends(self) -> Mapping[int, UnixEnd]:
        if self._unix is None:
            try:
                self._unix = unix_ends()
            except AbsentError:
                self._unix = {}
        return self._unix

    # -- whose they are ------------------------------------------------------------------------

    def _resolve(
        self,
        links: Sequence[_Link],
        server: Member,
        worked: Mapping[Member, int],
        others: Iterable[Member],
    ) -> None:
        """Finds the accounts at the other ends."""
        busiest = sorted(worked, key=worked.__getitem__, reverse=True)
        far = {
            link.there: link
            for link in links
            # On the machine itself, the kernel holds what nobody has.
            if not link.peer and link.there is not None and not is_loopback(link.there[0])
        }
        if far:
            self._cross(far, server, busiest, worked)
        self._search({link.peer for link in links if link.peer}, busiest, others)
        owned = [(link, self._owners[link.peer]) for link in links if link.peer in self._owners]
        held = Counter(owner for _, owner in owned)
        for link, owner in owned:
            link.account = owner.membership.account
            link.used = worked.get(owner, 0) // held[owner]

    def _resolve_groups(
        self,
        links: Iterable[_Link],
        worked: Mapping[Member, int],
        groups: Mapping[int, OpenAccount],
    ) -> None:
        """Finds the rest by the control groups that their sockets were made in."""
        cgroups = {end.inode: end.cgroup for end in self._tcp or ()}
        used: Counter[OpenAccount] = Counter()
        for process, nanoseconds in worked.items():
            used[process.membership.account] += nanoseconds
        for link in links:
            if link.peer and link.account is None:
                link.account = groups.get(cgroups.get(link.peer, 0))
                link.used = used[link.account] if link.account is not None else 0

    def _cross(
        self,
        far: Mapping[Address, _Link],
        server: Member,
        busiest: Iterable[Member],
        worked: Mapping[Member, int],
    ) -> None:
        """Finds ends that lie in other networks: the host's and those of containers that worked.

        On its way over a bridge a connection may be given another address to call, but the
        caller's own stays.
        """
        seen = {namespace_of(self._proc, server.pid)}
        if namespace_of(self._proc, "self") not in seen:
            for end in self._own_ends():
                if end.here in far and not end.listening:
                    far[end.here].peer = end.inode
        seen.add(namespace_of(self._proc, "self"))
        for process in busiest:
            account = process.membership.account
            if account.group.kind is not GroupKind.CONTAINER or not process.alive:
                continue
            if len(seen) > _MOST_NAMESPACES:
                return
            try:
                namespace = namespace_of(self._proc, process.pid)
            except AbsentError:
                continue
            if namespace in seen:
                continue
            seen.add(namespace)
            for end in ends_near(self._proc, process.pid):
                if end.here in far and not end.listening:
                    link = far[end.here]
                    # Until it is known which of the processes in that network holds it.
                    link.peer, link.account, link.used = end.inode, account, worked[process]

    def _search(
        self, wanted: set[int], busiest: Iterable[Member], others: Iterable[Member]
    ) -> None:
        """Looks for the processes that hold some sockets."""
        if len(self._searched) > _MOST_REMEMBERED or len(self._owners) > _MOST_REMEMBERED:
            self._searched.clear()
            self._owners.clear()
        self._owners = {inode: one for inode, one in self._owners.items() if one.alive}
        missing = wanted - self._owners.keys()
        processes = sockets = 0
        idle = (process for process in others if process not in self._searched)
        for process in chain(busiest, idle):
            if not missing:
                return
            if processes >= _MOST_SEARCHED or sockets >= _MOST_SOCKETS:
                return  # the rest next time
            if process.kernel or not process.alive:
                continue
            processes += 1
            self._searched[process] = None
            try:
                held = sockets_of(self._proc, process.pid)
            except AbsentError:
                continue
            except SourceError as error:
                self.problem = error
                continue
            sockets += len(held)
            self._owners.update(dict.fromkeys(held & missing, process))
            missing -= held
        self._searched.clear()

    # -- what of the work is theirs --------------------------------------------------------------

    def _share(
        self, used: int, own: OpenAccount, links: Iterable[_Link], found: Counterparts
    ) -> None:
        """Shares out what a process used among those whom it is connected with."""
        for accepted, into in ((True, found.clients), (False, found.upstreams)):
            weights: Counter[OpenAccount | bytes | None] = Counter()
            working = 0
            for link in links:
                if link.accepted is not accepted or link.account is own:
                    continue
                who: OpenAccount | bytes | None = link.account
                if who is None and not link.peer and link.there is not None:
                    who = link.there[0]
                weights[who] += link.used + _WAITS
                working += link.used
            kinds = {who if isinstance(who, OpenAccount) else "elsewhere" for who in weights}
            if len(kinds) > 1 and working * _FEW < used:
                continue
            whole = sum(weights.values())
            for who, weight in weights.items():
                part = used * weight // whole
                if isinstance(who, OpenAccount):
                    into[who] += part
                elif accepted and who is not None:
                    found.remote[who] += part
