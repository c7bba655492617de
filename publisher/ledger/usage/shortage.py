"""Who runs short of memory: whose limit is full, and whom the kernel killed for want of it.

At rest nothing of this is read. Limits are looked at while tasks wait for memory; who was killed
is looked up when the kernel's counter of such kills has moved: in its log where that may be read,
else by the counters of control groups, else by who was large and is gone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from publisher.contract.readings import GroupKind
from publisher.ledger.accounts import MemoryLimit, WorkGroup
from publisher.ledger.naming.cgroup_names import place_of
from publisher.ledger.naming.names import Name, clean, program_of
from publisher.ledger.open_accounts import Member, OpenAccount
from publisher.sources.files import KernelFiles
from publisher.sources.kernel_log import KernelLog, OomKill
from publisher.sources.memory_cgroups import LimitedCgroup, MemoryCgroups, OomCounts
from publisher.sources.processes import ProcessDetails

_MOST_KILLS: Final = 8
_LOOKED_AT: Final = 8  # of the largest and of the busiest groups, whose limits are read
_FULL: Final = 0.9
_STALLED: Final = 0.05  # part of the time from which on waiting is noticed
_FITTING: Final = 0.8
_LARGE: Final = 16 << 20  # bytes: what holds less is not killed while anything else is there
_LEAST_GUESSED: Final = 64 << 20
_LARGEST_PART: Final = 0.5  # of the largest that lives on
_KEPT_DEAD: Final = 64
_PATIENCE: Final = 2  # windows in which a killed process may still be about to end
_KEPT_LIMITS: Final = 64

_USER_SLICE: Final = re.compile(r"^user-(\d+)\.slice$")


@dataclass(frozen=True, slots=True)
class MemorySigns:
    """What the machine tells of its memory, by which it is decided whether to look closer.

    Attributes:
        short: tasks wait for memory, or hardly any is left.
        kills: counter of processes killed for want of it; ``None`` where there is none.
    """

    short: bool = False
    kills: int | None = None


CALM: Final = MemorySigns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A process that was killed; the fields are those of ``MemoryKill``."""

    account: OpenAccount | None = None
    program: str = ""
    held_bytes: int | None = None
    limited: bool = False
    limit: MemoryLimit | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Dead:
    process: Member
    account: OpenAccount
    window: int


class MemoryShortage:
    """Follows limits while memory is short, and finds out who was killed.

    Attributes:
        limits: by group, the limit that it comes nearest to, in this window.
        kills: what was found out in this window.
        waiting: somebody was killed, and who it was is expected to show in the next one.
    """

    def __init__(self, processes: ProcessDetails, files: KernelFiles) -> None:
        self.limits: dict[OpenAccount, MemoryLimit] = {}
        self.kills: list[Killed] = []
        self.waiting = False
        self._processes = processes
        self._cgroups = MemoryCgroups(files)
        self._log = KernelLog(files)
        self._window = 0
        self._counter: int | None = None
        self._unresolved = 0
        self._counts: dict[str, OomCounts] = {}
        self._dead: list[_Dead] = []
        self._paths: dict[Member, str] = {}
        self._seen: dict[str, LimitedCgroup] = {}
        self._known: dict[str, LimitedCgroup] = {}

    def open(self, signs: MemorySigns) -> None:
        """Takes note of what was killed before, which is nobody's fault now."""
        self._counter = signs.kills
        if signs.kills and not self._log.readable:
            self._counts = self._count()
        elif signs.kills:
            self._log.oom_kills(signs.kills)

    def died(self, process: Member) -> None:
        """A process is gone."""
        self._paths.pop(process, None)
        if process.rss >= _LARGE:
            if len(self._dead) >= _KEPT_DEAD:
                self._dead.remove(min(self._dead, key=_size_of_dead))
            self._dead.append(_Dead(process, process.membership.account, self._window))

    def read(
        self,
        signs: MemorySigns,
        accounts: Collection[OpenAccount],
        living: Mapping[int, Member],
        length: float,
    ) -> None:
        """Looks closer where there is reason to.

        Args:
            signs: whether there is.
            accounts: all that are open.
            living: the processes by number.
            length: of the window, in seconds.
        """
        before, self._counter = self._counter, signs.kills
        if signs.kills is not None and before is not None and signs.kills > before:
            self._unresolved += signs.kills - before
        if self._unresolved:
            self._find_killed(accounts, living)
        if signs.short:
            self._read_limits(accounts, length)
        elif self._seen:
            self._seen.clear()
            self._paths.clear()

    def turn_page(self) -> None:
        """Clears what belongs to one window."""
        self.limits.clear()
        self.kills.clear()
        self._window += 1
        if self._dead:
            self._dead = [dead for dead in self._dead if self._window - dead.window <= _PATIENCE]

    # -- limits -----------------------------------------------------------------------------

    def _read_limits(self, accounts: Collection[OpenAccount], length: float) -> None:
        """Looks at the limits of the largest groups and of those that worked the most."""
        before, self._seen = self._seen, {}
        looked_at: dict[str, LimitedCgroup | None] = {}
        largest = sorted(accounts, key=_resident, reverse=True)[:_LOOKED_AT]
        busiest = sorted(accounts, key=_worked, reverse=True)[:_LOOKED_AT]
        for account in dict.fromkeys((*largest, *busiest)):
            leaf = self._path_of(account)
            found = self._nearest(leaf, looked_at) if leaf is not None else None
            if leaf is None or found is None:
                continue
            self.limits[account] = MemoryLimit(
                limit_bytes=found.limit_bytes,
                used_bytes=found.used_bytes,
                shared=_sharers(account, leaf, found.path),
                strained=_is_strained(found, before.get(found.path), length),
            )
        self._seen = {path: found for path, found in looked_at.items() if found is not None}
        self._known.update(self._seen)
        while len(self._known) > _KEPT_LIMITS:
            del self._known[next(iter(self._known))]

    def _path_of(self, account: OpenAccount) -> str | None:
        """The control group of its largest process, in the hierarchy that counts memory."""
        largest = max(account.processes, key=_size, default=None)
        if largest is None or largest.kernel:
            return None
        if largest not in self._paths:
            self._paths[largest] = self._cgroups.path(self._processes.cgroups(largest.pid))
        return self._paths[largest]

    def _nearest(
        self, leaf: str, looked_at: dict[str, LimitedCgroup | None]
    ) -> LimitedCgroup | None:
        """Of the limits of a control group and those above it, the one that is fullest."""
        found = None
        for path in _upwards(leaf):
            if path not in looked_at:
                looked_at[path] = self._cgroups.limited(path)
            here = looked_at[path]
            if here is not None and (found is None or _fullness(here) > _fullness(found)):
                found = here
        return found

    # -- kills ------------------------------------------------------------------------------

    def _find_killed(self, accounts: Collection[OpenAccount], living: Mapping[int, Member]) -> None:
        """Finds out whom the kernel killed; who is about to end is waited for."""
        most = min(self._unresolved, _MOST_KILLS)
        found = [self._logged(kill, accounts, living) for kill in self._log.oom_kills(most)]
        dead = self._largest_dead()
        if not found and dead is None and not self.waiting:
            self.waiting = True
            return
        found = found or self._counted(accounts, most)
        self.kills += found or [_guessed(dead, living)]
        self._unresolved, self.waiting = 0, False

    def _logged(
        self, kill: OomKill, accounts: Iterable[OpenAccount], living: Mapping[int, Member]
    ) -> Killed:
        """What the kernel says itself."""
        process = living.get(kill.pid)
        if process is None:
            ended = (dead.process for dead in self._dead if dead.process.pid == kill.pid)
            process = next(ended, None)
        program = clean(program_of(kill.comm))
        if process is not None:
            account = process.membership.account
            program = process.membership.program or program
        else:
            account = _account_at(kill.cgroup, accounts) or _stranger(kill.cgroup, program)
        limit = None
        if kill.limited:
            limit = self._limit_at(kill.limit_cgroup, kill.limit_bytes)
            if limit is not None:
                shared = _sharers(account, kill.cgroup, kill.limit_cgroup)
                limit = replace(limit, shared=shared)
        return Killed(
            account=account,
            program=program,
            held_bytes=kill.held_bytes,
            limited=kill.limited,
            limit=limit,
        )

    def _limit_at(self, path: str, limit: int | None = None) -> MemoryLimit | None:
        """The limit of a control group that was full, and may be gone by now."""
        found = self._cgroups.limited(path) if path else None
        found = found or self._known.get(path)
        if limit is None and found is not None:
            limit = found.limit_bytes
        return None if limit is None else MemoryLimit(limit_bytes=limit, used_bytes=limit)

    def _counted(self, accounts: Collection[OpenAccount], most: int) -> list[Killed]:
        """What the counters of control groups say; those that were removed told it to theirs."""
        before, self._counts = self._counts, self._count()
        risen = {
            path: counts
            for path, counts in self._counts.items()
            if counts.kills > _kills_of(before.get(path))
        }
        leaves = [
            path for path in risen if not any(other.startswith(f"{path}/") for other in risen)
        ]
        found = []
        for path in leaves[:most]:
            above = _upwards(path)
            if risen[path].limits is None:
                full = [each for each in above if self._cgroups.was_full(each)]
            else:
                full = [
                    each
                    for each in above
                    if _limits_of(self._counts.get(each)) > _limits_of(before.get(each))
                ]
            found.append(self._killed_in(path, full, accounts))
        return found

    def _killed_in(self, path: str, full: list[str], accounts: Collection[OpenAccount]) -> Killed:
        """Whom the kernel killed in a control group, and for what limit."""
        account = _account_at(path, accounts)
        dead = self._largest_dead(path, account)
        if account is None:
            account = dead.account if dead is not None else _stranger(path, "")
        limit = self._limit_at(full[0]) if full else None
        if limit is not None:
            limit = replace(limit, shared=_sharers(account, path, full[0]))
        return Killed(
            account=account,
            program="" if dead is None else dead.process.membership.program,
            held_bytes=None if dead is None else dead.process.rss,
            limited=bool(full),
            limit=limit,
            sure=account.place is not None or dead is None or _fills(dead, limit),
        )

    def _count(self) -> dict[str, OomCounts]:
        """The counters of all control groups that have any."""
        found = ((path, self._cgroups.counts(path)) for path in self._cgroups.all())
        return {path: counts for path, counts in found if counts is not None and counts.kills}

    def _largest_dead(self, path: str = "", account: OpenAccount | None = None) -> _Dead | None:
        """The largest of those that died lately, in a group or below a control group."""
        fitting = [
            dead
            for dead in self._dead
            if (account is None or dead.account is account)
            and (dead.account.place is None or _is_below(dead.account.place.anchor, path))
        ]
        return max(fitting, key=_size_of_dead, default=None)


def _guessed(dead: _Dead | None, living: Mapping[int, Member]) -> Killed:
    """By who is gone; the kernel takes the largest, so a small one it was not."""
    largest = max((process.rss for process in living.values()), default=0)
    if dead is None or dead.process.rss < max(_LARGEST_PART * largest, _LEAST_GUESSED):
        return Killed()
    return Killed(
        account=dead.account,
        program=dead.process.membership.program,
        held_bytes=dead.process.rss,
        sure=False,
    )


def _fills(dead: _Dead, limit: MemoryLimit | None) -> bool:
    """Whether what a process held fits the limit that was full: hardly by chance."""
    held = dead.process.rss
    return (
        limit is not None and _FITTING * limit.limit_bytes <= held <= limit.limit_bytes / _FITTING
    )


def _account_at(path: str, accounts: Iterable[OpenAccount]) -> OpenAccount | None:
    """The container or unit that a control group belongs to."""
    holders = [
        account
        for account in accounts
        if account.place is not None and _is_below(path, account.place.anchor)
    ]
    return max(holders, key=_depth, default=None)


def _stranger(path: str, program: str) -> OpenAccount:
    """A group that was never seen: it was killed before we looked."""
    place = place_of(path)
    if place is not None:
        name = Name(program or place.label, label=clean(place.label))
        return OpenAccount(WorkGroup(f"killed:{path}", place.kind, name.label), name, place)
    label = program or clean(path.rpartition("/")[2]) or "unknown"
    group = WorkGroup(f"killed:{label}", GroupKind.PROGRAM, label)
    return OpenAccount(group, Name(label, label=label))


def _sharers(account: OpenAccount, leaf: str, path: str) -> str:
    """Whose limit it is, where that is not the group's own."""
    own = leaf if account.place is None else account.place.anchor
    if _is_below(path, own):
        return ""
    name = path.rpartition("/")[2]
    if match := _USER_SLICE.match(name):
        return f"user {match[1]}"
    if "pod" in name and "kubepods" in path:
        return "the pod"
    return clean(name) if name else "the system"


def _is_strained(now: LimitedCgroup, before: LimitedCgroup | None, length: float) -> bool:
    if before is None or _fullness(now) < _FULL:
        return False
    if now.stalled_us is not None and before.stalled_us is not None:
        return now.stalled_us - before.stalled_us >= _STALLED * length * 1e6
    return now.hits > before.hits


def _fullness(cgroup: LimitedCgroup) -> float:
    return cgroup.used_bytes / max(cgroup.limit_bytes, 1)


def _upwards(path: str) -> list[str]:
    """A path, those above it, and the root of what we see."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _is_below(path: str, anchor: str) -> bool:
    return path == anchor or path.startswith(f"{anchor}/")


def _kills_of(counts: OomCounts | None) -> int:
    return 0 if counts is None else counts.kills


def _limits_of(counts: OomCounts | None) -> int:
    return 0 if counts is None else counts.limits or 0


def _depth(account: OpenAccount) -> int:
    return 0 if account.place is None else len(account.place.anchor)


def _resident(account: OpenAccount) -> int:
    return account.rss


def _worked(account: OpenAccount) -> int:
    return account.cpu_ns


def _size(process: Member) -> int:
    return process.rss


def _size_of_dead(dead: _Dead) -> int:
    return dead.process.rss
