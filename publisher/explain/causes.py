"""Causes: work groups while they are to blame, from the moment they are named to their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from publisher.contract.readings import Resource
from publisher.explain.detect.ranking import Ranked
from publisher.explain.detect.resources import LoadKind, MonitoredResource
from publisher.explain.detect.suspects import Suspect
from publisher.explain.learned.habits import Habit, Habits
from publisher.explain.naming.classifier import Classification
from publisher.explain.naming.named import Named
from publisher.explain.thermal.sharing import PowerShares
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, Clues

# How long another answer must last to replace one that is as sure.
_RENAMED_SECONDS: Final = 10.0
# How long nothing may have spoken for the answer that was given until a less sure one replaces it.
_DOUBTED_SECONDS: Final = 30.0
_POSES: Final = "kernel thread"
# The part of a resource's use from which on a group is worth being counted.
_COUNTED_SHARE: Final = 0.03


@dataclass(slots=True)
class Cause:
    """A work group while it is to blame.

    Attributes:
        since: monotonic moment at which it began.
        wall: the same in seconds since the epoch.
        ending: when it seems to have stopped, while that is not certain yet.
        share: its part of the resource's use in the last window, 0 to 1.
        on_behalf_of: whom it works for, such as ``Immich``; empty where that is not clear.
        told: how it was called when it was told to begin.
        known_by: the clues that its classification goes by.
        power_watts: its part of the power above rest, where power is measured.
        cpu_seconds: what it used since it became a cause; likewise ``energy_joules``.
    """

    named: Named
    classification: Classification
    resource: Resource
    since: float
    wall: float
    account: Account
    habit: Habit
    share: float = 0.0
    power_watts: float | None = None
    cpu_seconds: float = 0.0
    energy_joules: float | None = None
    on_behalf_of: str = ""
    told: Named | None = None
    ending: float | None = None
    known_by: Clues | None = None
    _other: str = ""
    _other_since: float = 0.0
    _seen: float | None = None

    @property
    def key(self) -> str:
        """The key of its group."""
        return self.account.group.key

    @property
    def suspicious(self) -> bool:
        """A suspected miner."""
        return self.classification.is_miner

    @property
    def poses(self) -> bool:
        """What works in it calls itself a kernel thread, and is none."""
        return _POSES in self.account.clues.disguise

    def lasted(self, now: float) -> float:
        """Seconds from its beginning to its end, which is told when it has been over for long."""
        ended = now if self.ending is None else self.ending
        return max(ended - self.since, 0.0)

    def update(self, account: Account, found: Classification, now: float) -> None:
        """Takes its account of a window into account."""
        self.account = account
        self.cpu_seconds += account.cpu_seconds
        if found == self.classification or self._believes(found, now):
            self.classification, self.known_by = found, account.clues
        if self._seen is None or found.label == self.classification.label:
            self._seen = now
        self._name()

    def call(self, found: Classification) -> None:
        """Goes by this from now on, whatever was believed before."""
        self.classification, self.known_by, self._other = found, self.account.clues, ""
        self._name()

    def works_for(self, name: str) -> None:
        """Takes over on whose behalf it works; empty where that is not clear."""
        if name != self.on_behalf_of:
            self.on_behalf_of = name
            self._name()

    def _name(self) -> None:
        """Names it by what it is known by: another tool at work does not fit the words for one."""
        account = replace(self.account, clues=self.known_by or self.account.clues)
        self.named = Named.of(account, self.classification, on_behalf_of=self.on_behalf_of)

    def _believes(self, found: Classification, now: float) -> bool:
        """Whether another answer replaces the one that was given.

        A surer answer replaces a guess; one that is as sure when it has lasted, and a less sure one
        when the other has not come for long: a group is called by what it does now. What a shell
        or a tool is called says little of the job. A program that was found to pose as another one
        is not taken for that because it has ended, and can no longer be looked at; who poses as
        the kernel is not called by what others did in its group.
        """
        before = self.classification
        if found.label == before.label:
            self._other = ""
            return found.confidence >= before.confidence
        tells_more = (
            found.specificity > before.specificity and found.confidence >= before.confidence
        )
        posed = self.known_by is not None and self.known_by.disguise
        unmasked = bool(posed) and not self.account.clues.disguise
        told = found.confidence > before.confidence or tells_more
        if (told and not unmasked) or (self.poses and not before.is_miner):
            self._other = ""
            return True
        if found.confidence < before.confidence or found.specificity < before.specificity:
            self._other = ""
            return self._seen is not None and now - self._seen >= _DOUBTED_SECONDS
        if found.label != self._other:
            self._other, self._other_since = found.label, now
        return now - self._other_since >= _RENAMED_SECONDS

    def book(self, shares: PowerShares) -> None:
        """Takes its part of the energy of a window."""
        taken = shares.of(self.account)
        if taken is None:
            self.power_watts = None
            return
        part = taken / shares.total if self.share > 0 and shares.total else 0.0
        self.power_watts = part * shares.active_watts
        self.energy_joules = (self.energy_joules or 0.0) + self.power_watts * shares.seconds


@dataclass(frozen=True, slots=True)
class Share:
    """A cause's part of the use of one resource, 0 to 1.

    Attributes:
        lately: of the last ten seconds.
        present: of the last two.
        latest: of the last window.
    """

    lately: float = 0.0
    present: float = 0.0
    latest: float = 0.0


@dataclass(frozen=True, slots=True)
class Blamed:
    """Who is to blame for one kind of load.

    Attributes:
        causes: the most important first; empty where no group can be named for it.
        shares: the part that each of them has, by the key of its group.
        others: how many further groups have a part that is worth being counted.
        spread: no group has much of it.
    """

    causes: tuple[Cause, ...] = ()
    shares: Mapping[str, Share] = field(default_factory=dict)
    others: int = 0
    spread: bool = False

    def share(self, cause: Cause) -> Share:
        """The part of one of the causes."""
        return self.shares.get(cause.key, Share())


@dataclass(frozen=True, slots=True)
class Culprits:
    """The causes of one window.

    Attributes:
        by_key: all of them by the key of their group, the most important first.
        by_kind: those of each kind of load, in the same order.
        gpu_first: those who work the GPU go before those who work the CPU.
        began: those that are new.
        ended: those that were causes until now.
    """

    by_key: Mapping[str, Cause]
    by_kind: Mapping[LoadKind, Blamed]
    gpu_first: bool = False
    began: tuple[Cause, ...] = ()
    ended: tuple[Cause, ...] = ()

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All of them, the most important first."""
        return tuple(self.by_key.values())


class Causes:
    """The causes as they are known from window to window.

    Args:
        classify: tells what kind of work an account's group does.
        habits: what this machine usually does.
    """

    def __init__(self, classify: Callable[[Account], Classification], habits: Habits) -> None:
        self._classify = classify
        self._habits = habits
        self._all: dict[str, Cause] = {}

    def follow(self, window: Window, ranked: Ranked) -> Culprits:
        """Brings them up to date with the suspects, the most important first."""
        blamed: dict[str, tuple[MonitoredResource, Suspect]] = {}
        for resource, suspects in ranked.resources:
            for suspect in suspects:
                blamed.setdefault(suspect.account.group.key, (resource, suspect))
        ended = [cause for key, cause in self._all.items() if key not in blamed]
        began: list[Cause] = []
        current: dict[str, Cause] = {}
        balance = window.balance
        accounts = {each.group.key: each for each in balance.accounts} if blamed else {}
        for key, (resource, suspect) in blamed.items():
            cause = self._all.get(key)
            if cause is None:
                cause = self._begin(resource, suspect, window)
                began.append(cause)
            account = accounts.get(key)
            if account is not None:
                cause.update(account, self._classify(account), window.now)
            cause.resource, cause.share = resource.kind.resource, suspect.share
            cause.ending = resource.seems_over(suspect)
            current[key] = cause
        # A suspected miner deserves the most attention, however little it uses.
        self._all = dict(sorted(current.items(), key=lambda item: not item[1].suspicious))
        for cause in began:
            cause.told = cause.named
        return Culprits(
            by_key=self._all,
            by_kind={
                resource.kind: self._blamed(resource, suspects)
                for resource, suspects in ranked.resources
            },
            gpu_first=ranked.gpu_first,
            began=tuple(began),
            ended=tuple(ended),
        )

    def _blamed(self, resource: MonitoredResource, suspects: list[Suspect]) -> Blamed:
        recent = resource.suspects.recent
        shares = {
            (key := each.account.group.key): Share(
                recent.share(key), recent.present(key), each.share
            )
            for each in suspects
        }
        return Blamed(
            causes=tuple(self._all[key] for key in shares),
            shares=shares,
            others=recent.others(shares, _COUNTED_SHARE),
            spread=resource.suspects.spread,
        )

    def _begin(self, resource: MonitoredResource, suspect: Suspect, window: Window) -> Cause:
        account, known = suspect.account, suspect.hysteresis.since
        since = known if known is not None else window.now
        found = self._classify(account)
        wall = window.wall - (window.now - since)
        habit = self._habits.judge(found.label, wall)
        self._habits.note(found.label, wall)
        return Cause(
            named=Named.of(account, found),
            classification=found,
            resource=resource.kind.resource,
            since=since,
            wall=wall,
            account=account,
            habit=habit,
            share=suspect.share,
            known_by=account.clues,
        )

    def book(self, shares: PowerShares | None) -> None:
        """Shares out the energy of a window; ``None`` where power is not measured."""
        for cause in self._all.values():
            if shares is None:
                cause.power_watts = None
            else:
                cause.book(shares)

    def name_again(self) -> None:
        """Takes their names anew: the rules are others by now."""
        for cause in self._all.values():
            cause.call(self._classify(cause.account))

    def clock_was_set(self, step: float) -> None:
        """Dates them anew: the time of day jumped by so many seconds."""
        for cause in self._all.values():
            cause.wall += step

    def close(self) -> list[Cause]:
        """Forgets them all; those that went on until now."""
        causes, self._all = list(self._all.values()), {}
        return causes
