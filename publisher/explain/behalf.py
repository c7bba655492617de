"""On whose behalf a cause works: a database for its application, a kernel thread for who writes.

A server is asked with whom it is connected. Whoever most of its work may be put down to is its
client; what only passes on (a proxy, a pooler, a container engine) is asked in its turn, and a
proxy that nobody near calls works for whom it calls. The kernel's threads work for the group that
has most of the resource that they serve. What is not clear is not told, and what was clear is told
on for a while: a client between two questions is still the client.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from publisher.contract.printable import bare, printable
from publisher.contract.readings import GroupKind, Resource
from publisher.explain.causes import Cause, Culprits
from publisher.explain.naming.classifier import Classification
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, Balance, Correspondent, Correspondents

_HELD_SECONDS: Final = 15.0  # that an answer is told on
_OVERTHROWN_SECONDS: Final = 8.0  # that another must have been the only one to replace it
_ASK_EVERY_SECONDS: Final = 4.0
_CLEAR: Final = 0.6  # part of the work from which one is the client
_LEADING: Final = 0.4  # and of several, if it has this and the next has
_BEHIND: Final = 1.5  # so many times less
_COUNTS: Final = 0.05
_LEAST_OF_MEASURED: Final = 0.3  # of what all disks or cards moved

_SERVING: Final = frozenset(
    {"database", "web", "file_sharing", "virtualization", "ai", "indexing"}
)  # fmt: skip
_PROXIES: Final = frozenset({"nginx", "traefik", "proxies", "caddy", "apache"})  # rules
_PASSING: Final = frozenset(
    {
        "pgbouncer", "pgpool", "proxysql", "maxscale", "docker-proxy", "rootlessport", "socat",
        "slirp4netns", "pasta", "dockerd", "containerd", "podman", "cloudflared", "twemproxy",
    }
)  # fmt: skip
"""Programs that pass on what others ask of them."""

_NFS_PORT: Final = 2049
# What kernel threads serve, by how their names begin behind ``kworker``.
_SERVED: Final = {
    Resource.DISK: (
        "writeback", "flush", "kcryptd", "dmcrypt", "dm-", "dm_", "btrfs", "xfs", "ext4", "jbd2",
        "f2fs", "bcache", "z_", "zvol", "txg_", "md", "raid", "loop", "nbd", "kblockd", "bio_",
    ),
    Resource.NETWORK: ("ksoftirqd", "wg-", "napi", "cifs", "tls"),
    Resource.MEMORY: ("kswapd", "kcompactd", "khugepaged", "zswap", "ksmd"),
}  # fmt: skip
_WORD: Final = re.compile(r"[^\W_]+")


class Peers(Protocol):
    """Knows who is connected with whom, and whose a process is: the ledger."""

    def correspondents(self, account: Account) -> Correspondents | None:
        """With whom the processes of a group are connected; ``None`` where that cannot be told."""

    def callers(self, port: int) -> Correspondents | None:
        """The other machines that are connected with a port of ours, likewise."""

    def account_of(self, pid: int) -> Account | None:
        """The account of a living process's group; ``None`` for an unknown one."""


@dataclass(slots=True)
class _Answer:
    """For whom a cause works, as far as it is known.

    Attributes:
        seen: monotonic moment at which it was last seen to do so.
        asked: when its connections were last looked at.
        rival: for whom it seems to work instead; ``since``: from when on.
    """

    name: str = ""
    seen: float = 0.0
    asked: float = float("-inf")
    rival: str = ""
    since: float = 0.0

    def take(self, name: str, now: float) -> None:
        """Takes a new answer, which may be none."""
        if name in (self.name, ""):
            self.rival = ""
            if name:
                self.seen = now
        elif name != self.rival:
            self.rival, self.since = name, now
        overthrown = self.rival and (not self.name or now - self.since >= _OVERTHROWN_SECONDS)
        if overthrown or now - self.seen > _HELD_SECONDS:
            self.name, self.seen, self.rival = self.rival, now, ""


class Behalf:
    """Finds for whom causes work, and remembers it from window to window.

    Args:
        classify: tells what kind of work an account's group does.
    """

    def __init__(self, classify: Callable[[Account], Classification]) -> None:
        self._classify = classify
        self._answers: dict[str, _Answer] = {}

    def follow(self, culprits: Culprits, window: Window, peers: Peers | None) -> None:
        """Tells the causes of a window for whom they work.

        Connections are looked at for those that began, and for one of the others at a time.
        """
        if not culprits.by_key:
            self._answers.clear()
            return
        self._answers = {key: self._answers.get(key, _Answer()) for key in culprits.by_key}
        due = self._due(culprits, window.now) if peers is not None else []
        for key, cause in culprits.by_key.items():
            answer = self._answers[key]
            if cause.account.group.kind is GroupKind.KERNEL:
                answer.take(self._of_kernel(cause.account, window, peers), window.now)
            elif peers is not None and key in due:
                answer.asked = window.now
                answer.take(self._of_server(cause.account, peers), window.now)
            elif window.now - answer.seen > _HELD_SECONDS:
                answer.name = ""
            cause.works_for(answer.name)

    def _due(self, culprits: Culprits, now: float) -> list[str]:
        """Whose connections are looked at in this window."""
        serving = [
            key
            for key, cause in culprits.by_key.items()
            if _serves(cause) and now - self._answers[key].asked >= _ASK_EVERY_SECONDS
        ]
        new = [key for key in serving if self._answers[key].asked == float("-inf")]
        longest = min(serving, key=lambda key: self._answers[key].asked, default=None)
        return new[:2] or [key for key in (longest,) if key is not None]

    # -- servers ---------------------------------------------------------------------------------

    def _of_server(self, account: Account, peers: Peers, hops: int = 1) -> str:
        known = peers.correspondents(account)
        if known is None:
            return ""
        found = self._classify(account)
        if len(known.inside) == 1:
            return self._called(known.inside[0])
        if leader := self._leader(known.clients):
            return self._through(leader, known.clients, peers, hops)
        # What a web server asks of a database, it asks for pages of its own.
        upstreams = [
            one for one in known.upstreams if self._classify(one.account).category != "database"
        ]
        if _is_proxy(account, found) and (leader := self._leader(upstreams)):
            return self._words(leader, upstreams)
        if found.category == "file_sharing" and known.remote_share >= _CLEAR:
            return _machines(known)
        return ""

    def _through(
        self, leader: Account, all_of_them: Iterable[Correspondent], peers: Peers, hops: int
    ) -> str:
        """The client, or who is behind it where it only passes on."""
        found = self._classify(leader)
        if not _is_proxy(leader, found):
            return self._words(leader, all_of_them)
        return self._of_server(leader, peers, hops - 1) if hops else ""

    def _leader(self, found: Iterable[Correspondent]) -> Account | None:
        """The one to whom most of the work may be put down, if there is one."""
        shares = sorted(found, key=lambda one: -one.share)
        if not shares:
            return None
        first, second = shares[0], shares[1].share if len(shares) > 1 else 0.0
        ahead = first.share >= _LEADING and first.share >= _BEHIND * second and second >= _COUNTS
        return first.account if first.share >= _CLEAR or ahead else None

    def _words(self, leader: Account, found: Iterable[Correspondent]) -> str:
        name = self._called(leader)
        others = [one for one in found if one.share >= _COUNTS and one.account is not leader]
        return f"{name} and {_counted(len(others), 'other')}" if others else name

    def _called(self, account: Account) -> str:
        """A client as its owner calls it: ``Immich`` for a container ``immich_server``."""
        group = account.group
        if group.kind not in (GroupKind.CONTAINER, GroupKind.UNIT):
            return printable(group.label)
        label = self._classify(account).label
        if group.label.isdecimal():  # as virtual machines are by their hypervisors
            return printable(f"{label} {group.label}")
        return printable(_product(label, group.label) or group.label)

    # -- the kernel --------------------------------------------------------------------------------

    def _of_kernel(self, account: Account, window: Window, peers: Peers | None) -> str:
        name = account.group.label.removeprefix("kworker ")
        if peers is not None:
            owner = name.removeprefix("vhost-")
            if owner != name and owner.isdecimal() and len(owner) < 9:
                machine = peers.account_of(int(owner))
                return self._called(machine) if machine else ""
            if name.startswith("nfsd"):
                callers = peers.callers(_NFS_PORT)
                return _machines(callers) if callers else ""
        resource = next((each for each, heads in _SERVED.items() if name.startswith(heads)), None)
        user = _greatest_user(resource, window) if resource else None
        return self._called(user) if user else ""


def _product(label: str, group: str) -> str:
    """The words of a label that a group is called by: ``Home Assistant``, ``homeassistant``."""
    words = label.split()
    names = {bare(group), *(name for name in _WORD.findall(group.casefold()) if len(name) > 2)}
    runs = (words[at:end] for at in range(len(words)) for end in range(at + 1, len(words) + 1))
    return next((" ".join(run) for run in runs if bare("".join(run)) in names), "")


def _serves(cause: Cause) -> bool:
    return cause.classification.category in _SERVING


def _is_proxy(account: Account, found: Classification) -> bool:
    return found.rule in _PROXIES or account.clues.program in _PASSING


def _machines(found: Correspondents) -> str:
    if not found.remote:
        return ""
    if found.remote_names:
        first, *others = found.remote_names
        return f"{first} and {_counted(len(others), 'other')}" if others else first
    return "a file-sharing client" if found.remote == 1 else f"{found.remote} file-sharing clients"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _greatest_user(resource: Resource, window: Window) -> Account | None:
    """The group that has most of a resource, if one has."""
    uses = _uses(window.balance, resource)
    if not uses:
        return None
    account, most = max(uses, key=lambda pair: pair[1])
    clear = most >= _CLEAR * sum(used for _, used in uses)
    measured = {
        Resource.DISK: window.evidence.disk_bytes_per_second,
        Resource.NETWORK: window.evidence.network_bytes_per_second,
    }.get(resource)
    return account if clear and most >= _LEAST_OF_MEASURED * (measured or 0.0) else None


def _uses(balance: Balance, resource: Resource) -> list[tuple[Account, float]]:
    return [
        (account, amount)
        for account in balance.accounts
        if account.group.kind is not GroupKind.KERNEL and (amount := _use(account, resource)) > 0
    ]


def _use(account: Account, resource: Resource) -> float:
    if resource is Resource.DISK:
        return account.disk_bytes_per_second or 0.0
    if resource is Resource.NETWORK:
        return account.network_bytes_per_second or 0.0
    return account.memory_growth_bytes_per_second or 0.0
