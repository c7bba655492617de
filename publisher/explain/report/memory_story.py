"""What is told of memory: whose limit is full, who took what was left, and whom the kernel killed.

A kill is over in a moment and matters for longer, so it stays in the sentence for a minute.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from publisher.contract.printable import printable
from publisher.contract.readings import CauseReading, EvidenceReading, GroupKind
from publisher.contract.units import Unit, humanise
from publisher.explain.causes import Cause, Culprits
from publisher.explain.detect.resources import LoadKind, has_plenty, is_at_limit
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.naming.named import Named
from publisher.explain.report.cause_readings import Classify, killed_reading
from publisher.explain.window import Window
from publisher.ledger.accounts import Account, MemoryKill, MemoryLimit

_TOLD_SECONDS: Final = 60.0
# So many kills in one group within this time are a habit.
_AGAIN: Final = 3
_AGAIN_SECONDS: Final = 600.0
_MOST_KEPT: Final = 32
NOBODY: Final = "The kernel killed a process for want of memory"
"""What is told where nobody knows whom."""


@dataclass(frozen=True, slots=True)
class ToldKill:
    """A kill as people are told of it.

    Attributes:
        key: of the victim's group; empty where that is not known.
        category: the kind of its work; likewise.
        label: what it is called; likewise.
        cause: the same as it is published; likewise.
    """

    text: str
    key: str = ""
    category: str = ""
    label: str = ""
    cause: CauseReading | None = None


@dataclass(frozen=True, slots=True)
class MemoryStory:
    """What there is to tell of memory in a window.

    Attributes:
        text: for the sentence; empty where there is nothing beyond who holds much.
        about: what it is about, as long as that is the same.
        kills: those of this window.
    """

    text: str = ""
    about: str = ""
    kills: tuple[ToldKill, ...] = ()


@dataclass(slots=True)
class MemoryStories:
    """Tells of limits and kills from window to window.

    Args:
        classify: tells what kind of work an account's group does.
    """

    settings: ExplainSettings
    classify: Classify
    _killed_at: dict[str, deque[float]] = field(default_factory=dict)
    _kill: ToldKill | None = None
    _until: float = 0.0
    _limits: dict[str, MemoryLimit] = field(default_factory=dict)

    def observe(self, window: Window, culprits: Culprits) -> MemoryStory:
        """What there is to tell of a window."""
        kills = tuple(self._told(kill, window, culprits) for kill in window.balance.memory_kills)
        if kills:
            # The one of whom the most is known.
            self._kill = max(kills, key=lambda kill: bool(kill.key))
            self._until = window.now + _TOLD_SECONDS
        limits = self._at_limits(culprits, window.evidence)
        if self._kill is not None and window.now < self._until:
            return MemoryStory(self._kill.text, f"killed {self._kill.key}", kills)
        return MemoryStory(limits)

    # -- limits -----------------------------------------------------------------------------

    def _at_limits(self, culprits: Culprits, evidence: EvidenceReading) -> str:
        """Who is at a limit, from when that was seen until they are causes no more."""
        blamed = culprits.by_kind.get(LoadKind.MEMORY)
        causes = blamed.causes if blamed is not None else ()
        held = {}
        for cause in causes:
            limit = cause.account.memory_limit
            if limit is not None and is_at_limit(cause.account):
                held[cause.key] = limit
            elif cause.key in self._limits:
                held[cause.key] = self._limits[cause.key]
        self._limits = held
        if not causes or causes[0].key not in held:
            return ""
        told = [cause for cause in causes if cause.key in held][:2]
        text = self._limited(told)
        return f"{text}; the machine has plenty" if has_plenty(evidence, self.settings) else text

    def _limited(self, causes: list[Cause]) -> str:
        first = causes[0]
        limit = self._limits[first.key]
        who = _name(first.account, first.named)
        if limit.shared:
            return f"{who} fills {_whose(limit)} of {_size(limit.limit_bytes)}"
        if len(causes) == 1:
            return f"{who} is at its own memory limit of {_size(limit.limit_bytes)}"
        other = _name(causes[1].account, causes[1].named)
        return f"{who} and {other} are at their own memory limits"

    # -- kills ------------------------------------------------------------------------------

    def _told(self, kill: MemoryKill, window: Window, culprits: Culprits) -> ToldKill:
        account = kill.account
        if account is None:
            return ToldKill(NOBODY)
        found = self.classify(account)
        named = Named.of(account, found)
        again = self._is_habit(account.group.key, window.now)
        text = self._words(kill, account, named, self._eater(kill, window, culprits), again=again)
        cause = killed_reading(kill, account, found)
        return ToldKill(text, account.group.key, found.category, str(named), cause)

    def _words(
        self, kill: MemoryKill, account: Account, named: Named, eater: Named | None, *, again: bool
    ) -> str:
        who = _name(account, named)
        held = f" ({_size(kill.held_bytes)})" if kill.held_bytes else ""
        did = "keeps killing" if again else "killed"
        if not kill.sure:
            at = f" at {_limit_of(kill.limit)}" if kill.limited else " for want of memory"
            return f"The kernel {did} a process{at}, most likely {who}{held}"
        victim = _victim(kill, account)
        if kill.limited and kill.limit is not None and kill.limit.shared:
            full = f"{_whose(kill.limit)} of {_size(kill.limit.limit_bytes)} is full"
            return f"{_capital(full)}; the kernel {did} {who}{held}"
        if kill.limited:
            size = f"limit of {_size(kill.limit.limit_bytes)}" if kill.limit else "memory limit"
            return f"{who} fills its {size}; the kernel {did} {victim}"
        if eater is not None:
            return f"Memory pressure from {eater.short}; the kernel {did} {who}{held}"
        return f"{who} used up the memory; the kernel {did} {victim}{held}"

    def _eater(self, kill: MemoryKill, window: Window, culprits: Culprits) -> Named | None:
        """Who took the machine's memory, where that was another one than the victim."""
        if kill.limited or kill.account is None:
            return None
        blamed = culprits.by_kind.get(LoadKind.MEMORY)
        if blamed is not None and blamed.causes:
            account = blamed.causes[0].account
        else:
            others = (each for each in window.balance.accounts if not each.group.own)
            account = max(others, key=_held, default=kill.account)
        if account.group.key == kill.account.group.key or _held(account) <= (kill.held_bytes or 0):
            return None
        return Named.of(account, self.classify(account))

    def _is_habit(self, key: str, now: float) -> bool:
        """Whether the kernel has killed in this group again and again."""
        times = self._killed_at.pop(key, deque(maxlen=_AGAIN))
        self._killed_at[key] = times
        if not times or times[-1] != now:  # all at once is once
            times.append(now)
        while len(self._killed_at) > _MOST_KEPT:
            del self._killed_at[next(iter(self._killed_at))]
        return len(times) == _AGAIN and times[0] > now - _AGAIN_SECONDS


def _name(account: Account, named: Named) -> str:
    """A container that goes by its bare name is told to be one."""
    bare = account.group.kind is GroupKind.CONTAINER and named.short == account.group.label
    return f"{named.short} (container)" if bare else named.short


def _victim(kill: MemoryKill, account: Account) -> str:
    """Which of its processes was killed; ``it`` where that is all there is to it."""
    if account.process_count == 0 or (
        account.process_count == 1
        and account.group.kind in (GroupKind.PROGRAM, GroupKind.JOB)
        and kill.program == account.clues.program
    ):
        return "it"
    return f"{printable(kill.program)} in it" if kill.program else "a process in it"


def _whose(limit: MemoryLimit) -> str:
    return f"{limit.shared}'s memory limit"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _limit_of(limit: MemoryLimit | None) -> str:
    if limit is None:
        return "a memory limit"
    whose = _whose(limit) if limit.shared else "a memory limit"
    return f"{whose} of {_size(limit.limit_bytes)}"


def _size(size: float) -> str:
    return humanise(size, Unit.BYTES)


def _held(account: Account) -> int:
    return account.memory_bytes or 0
