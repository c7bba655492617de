"""One thing that a rule is about, from when it holds until it is over and rested.

What lasts is told once; what comes and goes is told once, and how often it came after that. Moments
are seconds since the epoch by our clock, as they have to outlive a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from subscriber_cli.notify.rules import Rule

_KEPT_SECONDS: Final = 3600.0  # an older word of the host may come later than that it is over


class Told(StrEnum):
    """What a person is told of an incident."""

    RAISED = "raised"
    OVER = "over"


@dataclass(slots=True)
class Incident:
    """The state of one rule for one host, and of alerts for each.

    Attributes:
        since: when it began to hold; ``None`` while it does not.
        told: when it was told; ``None`` where that is not so, or its end was told, too.
        gone: since when it does not hold although it was told.
        last: when it was told last, also if that is over: the cooldown counts from there.
        times: how often it has begun since it was told last.
        title: what was told, in short; ``began`` is when that was.
        body: the rest of that, until it is told.
        on: of what is heard of and not looked at, such as alerts: whether it stands.
        mark: when that was said last, by the host's clock.
        unwatched: since when the daemon that raised it does not run; it may come back.
    """

    since: float | None = None
    told: float | None = None
    gone: float | None = None
    last: float | None = None
    times: int = 0
    title: str = ""
    body: str = ""
    began: float = 0.0
    on: bool = False
    mark: float = 0.0
    severity: str = ""
    unwatched: float | None = None

    def look(self, rule: Rule, now: float, *, holds: bool, at: float | None = None) -> Told | None:
        """Takes in whether it holds; what there is to tell.

        Args:
            rule: that it is about.
            now: seconds since the epoch.
            holds: whether it does.
            at: since when, where that is known; now is when it was heard of.
        """
        if not holds:
            return self._absent(rule, now)
        self.gone = None
        if self.since is None:
            self.since = now if at is None else at
            self.times += 1
        # A clock that was set back must not keep it waiting for longer than it should.
        self.since = min(self.since, now)
        rested = self.last is None or not 0 <= now - self.last < rule.cooldown_seconds
        if self.told is None and rested and now - self.since >= rule.for_seconds:
            self.told = self.last = now
            self.began = self.since
            return Told.RAISED
        return None

    def _absent(self, rule: Rule, now: float) -> Told | None:
        if self.told is None:
            self.since = None
            return None
        if self.gone is None or self.gone > now:
            self.gone = now
        if now - self.gone < rule.over_seconds:
            return None
        self.told = self.since = None
        return Told.OVER

    def due(self, rule: Rule) -> float:
        """When it has to be looked at again if nothing happens until then."""
        if self.gone is not None and self.told is not None:
            return self.gone + rule.over_seconds
        if self.since is not None and self.told is None:
            rested = 0.0 if self.last is None else self.last + rule.cooldown_seconds
            return max(self.since + rule.for_seconds, rested)
        return float("inf")

    def is_spent(self, rule: Rule, now: float) -> bool:
        """Whether nothing is lost by forgetting it."""
        if self.since is not None or self.told is not None or self.on:
            return False
        rests = max(rule.cooldown_seconds, _KEPT_SECONDS if self.mark else 0.0)
        if self.times:  # if it comes again soon, how often it did is told
            rests *= 2
        return self.last is None or not 0 <= now - self.last < rests

    def dump(self) -> dict[str, Any]:
        """For a file; what is as it was at first is left out."""
        fresh = Incident()
        return {
            name: value
            for name in Incident.__slots__
            if (value := getattr(self, name)) != getattr(fresh, name)
        }
