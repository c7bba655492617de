"""The headline of a window: from what was judged to the sentence that is published."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from publisher.explain.causes import Blamed, Cause, Culprits
from publisher.explain.detect.detector import Load
from publisher.explain.detect.resources import LoadKind
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.naming.named import Named
from publisher.explain.report.cause_readings import Classify
from publisher.explain.report.churn import Churn
from publisher.explain.report.headline import Headline, HeadlineInputs, Who, headline
from publisher.explain.report.memory_story import MemoryStory
from publisher.explain.report.stability import HeadlineStability, News
from publisher.explain.thermal.state import ThermalState
from publisher.explain.window import Window
from publisher.ledger.accounts import Balance

# Part of a spread load that cannot be named, from which on it counts as such, and below which it
# no longer does.
_UNNAMED: Final = 0.5
_UNNAMED_BELOW: Final = 0.35
_DAY_SECONDS: Final = 86400

# Part of the present use below which a cause has fallen to nothing: it is not named any more.
_GONE: Final = 0.02
# The second is told by name from this part of the use on, or of what the first one uses.
_MATTERS: Final = 0.2
_MATTERS_BESIDE: Final = 0.4
# The first is ahead of the second by so many times, and falls back below so many.
_AHEAD, _AHEAD_BELOW = 2.0, 1.6
# One goes past another with so many times its use.
_PAST: Final = 1.2
# Several of one kind are counted when the first is less than this many times the third.
_LEVEL: Final = 1.5
# A share from which on the rest is not worth a word; and soft words, with the shares from which
# on they hold. A word that was said stays until the share is this far off.
_NEARLY_ALL: Final = 0.85
_WORDS: Final = ((0.55, "most"), (0.4, "half"), (0.2, "a quarter"))
_SLACK: Final = 0.08

# What waits moves nothing: it has not gone.
_WAITING: Final = (LoadKind.IO, LoadKind.MEMORY)


class HeadlineWriter:
    """Words the headline, and remembers what keeps it from wavering."""

    def __init__(self, settings: ExplainSettings, classify: Classify) -> None:
        self._settings = settings
        self._classify = classify
        self._stability = HeadlineStability()
        self._churn = Churn()
        self._unnamed = False
        self._wording: dict[LoadKind, _Wording] = {}

    def write(
        self,
        window: Window,
        load: Load,
        thermal: ThermalState,
        culprits: Culprits,
        memory: MemoryStory,
    ) -> str:
        """The headline of a window."""
        if not load.loaded:
            self._wording.clear()
            self._churn.rest(window.now)
            told = headline(self._unloaded(thermal, memory))
            rest = "rest" if thermal.after is None else "cooling"
            state = (rest, *thermal.hot, memory.about)
            return self._stability.settle(
                News(told.text, told.core, frozenset(state), rest=True), window.now
            )
        if culprits.causes and not any(_is_present(one, culprits) for one in culprits.causes):
            # All have paused or ended: which of the two will be known in a moment.
            return self._stability.held()
        who = {kind: self._who(kind, blamed) for kind, blamed in culprits.by_kind.items()}
        leader = _leader(culprits)
        self._churn.observe(leader, culprits, window.now)
        inputs = self._loaded(window, load, thermal, culprits, who, memory=memory)
        news = self._news(headline(inputs), leader, culprits, thermal, memory)
        return self._stability.settle(news, window.now)

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which one more window could let a waiting sentence be told."""
        return self._stability.wants_soon(now)

    def _news(
        self,
        told: Headline,
        leader: Cause | None,
        culprits: Culprits,
        thermal: ThermalState,
        memory: MemoryStory,
    ) -> News:
        named = {named: key for key, named in self._churn.lately.items()}
        named |= {cause.named: cause.key for cause in culprits.causes}
        keys = {named[one] for one in told.told if one in named}
        keys |= {
            key for other, key in named.items() if any(one.speaks_of(other) for one in told.told)
        }
        mined = any(one.is_miner for one in told.told)
        return News(
            told.text,
            told.core,
            frozenset(("load", *thermal.hot, memory.about, *(["mining"] if mined else []))),
            leader=leader.key if leader else "",
            told=frozenset(keys),
            names=frozenset(one.short for one in told.told),
            gone=frozenset(
                cause.key for cause in culprits.causes if not _is_present(cause, culprits)
            ),
            known=frozenset(cause.key for cause in culprits.causes),
            lately=self._churn.churning,
        )

    def _loaded(
        self,
        window: Window,
        load: Load,
        thermal: ThermalState,
        culprits: Culprits,
        who: Mapping[LoadKind, Who],
        *,
        memory: MemoryStory,
    ) -> HeadlineInputs:
        first = next(iter(culprits.causes), None)
        # Of one among several it would be said of all of them.
        alone = all(len(each.named) < 2 for each in who.values())
        upkeep = window.signs.upkeep
        return HeadlineInputs(
            cpu=who.get(LoadKind.CPU),
            memory=who.get(LoadKind.MEMORY),
            io=who.get(LoadKind.IO),
            disk=who.get(LoadKind.DISK),
            network=who.get(LoadKind.NETWORK),
            gpu=who.get(LoadKind.GPU),
            gpu_first=culprits.gpu_first,
            high=load.cpu_high,
            hot=thermal.hot,
            memory_story=memory.text,
            unnamed=self._mostly_unnamed(window.balance),
            upkeep=upkeep[0] if upkeep else "",
            churn=tuple(self._churn.lately.values()) if self._churn.churning else (),
            brief=self._churn.brief,
            since=self._long_since(first, window.wall) if alone and first else "",
            usual=first.habit.words() if alone and first else "",
        )

    def _who(self, kind: LoadKind, blamed: Blamed) -> Who:
        """Whom to tell for one kind of load."""
        wording = self._wording.setdefault(kind, _Wording())
        waiting = kind in _WAITING
        causes = [c for c in blamed.causes if waiting or blamed.share(c).present >= _GONE]
        # Where all have paused at once, nobody is known to have gone.
        causes = causes or list(blamed.causes)
        if not causes:
            return Who()
        causes.sort(key=lambda cause: not cause.suspicious)
        stories = _stories(causes, blamed)
        causes = [cause for cause, _ in stories]
        shares = [sum(blamed.share(one).lately for one in story) for _, story in stories]
        first, second = shares[0], shares[1] if len(shares) > 1 else 0.0
        # Who has just come has done little lately.
        latest = [sum(blamed.share(one).latest for one in story) for _, story in stories]
        joining = latest[1] if len(latest) > 1 else 0.0
        kinds = {cause.classification.category for cause in causes}
        level = len(causes) > 2 and len(kinds) == 1 and first < _LEVEL * shares[2]
        if level and not causes[0].suspicious and "unknown" not in kinds:
            return Who(named=(causes[0].named,), alike=len(causes))
        ahead = wording.is_ahead(first, second) and latest[0] > _AHEAD_BELOW * joining
        miners = sum(cause.suspicious for cause in causes)
        matters = max(second, joining) >= _MATTERS or second >= _MATTERS_BESIDE * first
        by_name = max(2 if matters or waiting else 1, miners + bool(miners))
        rest = len(causes) - by_name + blamed.others
        return Who(
            named=tuple(cause.named for cause in causes[:by_name]),
            word=wording.word(first),
            ahead=ahead,
            rest=0 if first >= _NEARLY_ALL else max(rest, 0),
            small=len(causes) <= by_name,
            spread=blamed.spread,
        )

    def _unloaded(self, thermal: ThermalState, memory: MemoryStory) -> HeadlineInputs:
        after = thermal.after
        if after is None:
            return HeadlineInputs(hot=thermal.hot, hint=thermal.hint, memory_story=memory.text)
        return HeadlineInputs(
            memory_story=memory.text,
            hot=thermal.hot,
            cooling=[Named.of(account, self._classify(account)) for account in after.accounts],
            ended=_clock(after.ended - self._settings.leave_seconds),
            quiet_at=_clock(after.quiet_at) if after.quiet_at else "",
            fan=after.fan,
            hint=thermal.hint,
        )

    def _mostly_unnamed(self, balance: Balance) -> bool:
        """Most of the work cannot be named; does not waver."""
        part = balance.unattributed_seconds / balance.busy_seconds if balance.busy_seconds else 0.0
        self._unnamed = part > (_UNNAMED_BELOW if self._unnamed else _UNNAMED)
        return self._unnamed

    def _long_since(self, cause: Cause, wall: float) -> str:
        """When a cause began, once it has lasted for long."""
        if wall - cause.wall < self._settings.say_since_after_seconds:
            return ""
        if wall - cause.wall > _DAY_SECONDS:
            return f"since {time.strftime('%d %b %H:%M', time.localtime(cause.wall))}"
        return f"since {_clock(cause.wall)}"


class _Wording:
    """What was said of the shares of one kind of load, which stays until it is clearly untrue."""

    def __init__(self) -> None:
        self._word = ""
        self._ahead = False

    def is_ahead(self, first: float, second: float) -> bool:
        """Whether the first does far more than the second."""
        self._ahead = first >= (_AHEAD_BELOW if self._ahead else _AHEAD) * second
        return self._ahead

    def word(self, share: float) -> str:
        """How much a share is."""
        for least, word in _WORDS:
            if share >= least - (_SLACK if word == self._word else 0.0):
                self._word = word
                return word
        self._word = ""
        return ""


def _leader(culprits: Culprits) -> Cause | None:
    """The most important cause, of the first resource that has one."""
    first = next(iter(culprits.causes), None)
    for blamed in culprits.by_kind.values():
        if first is not None and first.key in blamed.shares:
            present = [one for one in blamed.causes if blamed.share(one).present >= _GONE]
            return _stories(present or [first], blamed)[0][0]
    return first


def _stories(causes: Sequence[Cause], blamed: Blamed) -> list[tuple[Cause, list[Cause]]]:
    """Causes with those who are told with them: a load generator with its server.

    Together they may lead where neither of them does.
    """
    servers = {
        one.key: server
        for one in causes
        for server in causes
        if server.named.speaks_of(one.named) and not one.named.speaks_of(server.named)
    }
    found: dict[str, tuple[Cause, list[Cause]]] = {}
    for one in causes:
        teller = servers.get(one.key, one)
        found.setdefault(teller.key, (teller, []))[1].append(one)
    stories = list(found.values())
    if servers and not causes[0].suspicious:
        sums = [sum(blamed.share(one).lately for one in story) for _, story in stories]
        greatest = max(range(len(sums)), key=sums.__getitem__)
        if sums[greatest] > _PAST * sums[0]:
            stories.insert(0, stories.pop(greatest))
    return stories


def _is_present(cause: Cause, culprits: Culprits) -> bool:
    """Whether a cause is still at work on anything that it is blamed for."""
    return any(
        kind in _WAITING or blamed.share(cause).present >= _GONE
        for kind, blamed in culprits.by_kind.items()
        if cause.key in blamed.shares
    )


def _clock(wall: float) -> str:
    return time.strftime("%H:%M", time.localtime(wall))
