"""Churn: the greatest user changes all the time, and to tell of each would tell nothing.

Then the sentence says that, and names those who did most lately.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from publisher.explain.causes import Cause, Culprits
from publisher.explain.naming.named import Named

_SPAN_SECONDS: Final = 60.0
_MANY: Final = 5
"""So many changes of the greatest user in a minute are churn, until there is one at most."""
_FEW: Final = 1
_LATELY_SECONDS: Final = 30.0
_BY_NAME: Final = 4
_BRIEF_SECONDS: Final = 6.0
_AT_WORK: Final = 0.08
"""Part of the present use from which on one may lead next."""


@dataclass(slots=True)
class _Led:
    named: Named
    first: float
    last: float


@dataclass(slots=True)
class Churn:
    """Who was the greatest user lately, and how often that changed.

    Attributes:
        churning: it changes all the time.
    """

    churning: bool = False
    _changes: deque[float] = field(default_factory=deque)
    _led: dict[str, _Led] = field(default_factory=dict)
    _leader: str = ""
    _present: dict[str, Named] = field(default_factory=dict)

    def observe(self, leader: Cause | None, culprits: Culprits, now: float) -> None:
        """Takes one window of a load into account."""
        if leader is not None:
            if leader.key != self._leader:
                if self._leader:
                    self._changes.append(now)
                self._leader = leader.key
            led = self._led.setdefault(leader.key, _Led(leader.named, now, now))
            led.named, led.last = leader.named, now
        self._present = {
            cause.key: cause.named
            for blamed in culprits.by_kind.values()
            for cause in sorted(blamed.causes, key=lambda each: -blamed.share(each).lately)
            if blamed.share(cause).present >= _AT_WORK
        }
        for cause in culprits.causes:
            if cause.key in self._led:
                self._led[cause.key].named = cause.named
        self._forget(now)

    def rest(self, now: float) -> None:
        """Takes one window without a load into account."""
        self._leader = ""
        self._present = {}
        self._forget(now)

    @property
    def lately(self) -> dict[str, Named]:
        """The names of those who did most lately, by the keys of their groups.

        First the present leader, then who else is at work, who may lead next, then who led. A load
        generator is told with the server that works for it.
        """
        led = sorted(self._led, key=lambda key: -self._led[key].last)
        names = {key: self._led[key].named for key in led} | self._present
        order = dict.fromkeys((self._leader, *self._present, *led))
        told: dict[str, Named] = {}
        for key in order:
            if key in names and not any(one.speaks_of(names[key]) for one in names.values()):
                told[key] = names[key]
        return dict(list(told.items())[:_BY_NAME])

    @property
    def brief(self) -> bool:
        """They led for seconds only, each of them."""
        return all(led.last - led.first < _BRIEF_SECONDS for led in self._led.values())

    def _forget(self, now: float) -> None:
        while self._changes and self._changes[0] <= now - _SPAN_SECONDS:
            self._changes.popleft()
        self.churning = len(self._changes) > (_FEW if self.churning else _MANY - 1)
        for key, led in list(self._led.items()):
            if led.last <= now - _LATELY_SECONDS and key != self._leader:
                del self._led[key]
