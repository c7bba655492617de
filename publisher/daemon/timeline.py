"""The last 24 hours in the daemon's own memory: what was to blame when, how hot and loud it was.

Kept small, from what the daemon itself said: a span for each cause, a point every five minutes.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.contract.readings import ExplanationReading
from publisher.errors import MALFORMED

log = logging.getLogger(__name__)

DAY: Final = 86400.0
_FILE: Final = "day.json"
_VERSION: Final = 1
POINT_SECONDS: Final = 300.0
# Two sights of one cause that are further apart are two spans.
_GAP_SECONDS: Final = 60.0
_MOST_SPANS: Final = 200
_SEND_SECONDS: Final = 900.0
# A machine without a battery begins in 1970, or some years after; it will know better soon.
_CLOCK_IS_SET: Final = 1.6e9
# Less than this nobody sees in the picture.
_VISIBLE_CELSIUS: Final = 3.0
_VISIBLE_RPM: Final = 100.0


@dataclass(slots=True)
class Span:
    """Something was to blame, from when to when."""

    began: float
    ended: float
    category: str
    label: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(slots=True)
class Timeline:
    """The daemon's memory of the last 24 hours.

    Attributes:
        spans: causes, the oldest first.
        points: (time, highest temperature, highest fan speed) of five minutes each.
    """

    spans: list[Span] = field(default_factory=list)
    points: list[tuple[float, float | None, float | None]] = field(default_factory=list)
    _sent: tuple[Any, ...] | None = None
    _sent_at: float = float("-inf")

    def look(self, verdict: ExplanationReading, wall: float) -> None:
        """Takes in the verdict of a moment, in seconds since the epoch."""
        if wall < _CLOCK_IS_SET:
            return
        self._drop_what_lies_ahead(wall)
        for cause in verdict.causes[:1]:
            category, label = cause.category or "unknown", cause.label or ""
            last = self.spans[-1] if self.spans else None
            if (
                last
                and (last.category, last.label) == (category, label)
                and (0 <= wall - last.ended < _GAP_SECONDS)
            ):
                last.ended = wall
            else:
                self.spans.append(Span(wall, wall, category, label))
        evidence = verdict.evidence
        if evidence is not None:
            self._add(wall, evidence.cpu_temperature_celsius, evidence.fan_speed_rpm)
        since = wall - DAY
        while self.spans and (self.spans[0].ended < since or len(self.spans) > _MOST_SPANS):
            del self.spans[0]
        while self.points and self.points[0][0] < since:
            del self.points[0]

    def due(self, now: float) -> bool:
        """Whether a new picture is worth a message: not often, and only when one sees it."""
        if now - self._sent_at < _SEND_SECONDS:
            return False
        seen = self._seen()
        if self._sent is not None and not _differs(self._sent, seen):
            return False
        self._sent, self._sent_at = seen, now
        return True

    def again(self) -> None:
        """Makes a picture due, whenever the last one was sent: where it went, it may be gone."""
        self._sent, self._sent_at = None, float("-inf")

    def save(self, state_dir: str | None) -> None:
        """Keeps it for the next run, and for ``fanwhy-pub picture``."""
        if state_dir is None:
            return
        body = {
            "version": _VERSION,
            "spans": [[span.began, span.ended, span.category, span.label] for span in self.spans],
            "points": self.points,
        }
        path = Path(state_dir, _FILE)
        try:
            save(path, json.dumps(body, separators=(",", ":")))
        except OSError as error:
            log.warning("%s: the last day cannot be kept: %s", path, error.strerror)

    @classmethod
    def open(cls, state_dir: str | None) -> Timeline:
        """What was kept; an empty day where there is nothing that can be read."""
        if state_dir is None:
            return cls()
        try:
            kept = load_json(Path(state_dir, _FILE))
            if kept["version"] != _VERSION:
                return cls()
            return cls(
                [Span(float(b), float(e), str(c), str(label)) for b, e, c, label in kept["spans"]],
                [(float(t), _number(celsius), _number(rpm)) for t, celsius, rpm in kept["points"]],
            )
        except (OSError, *MALFORMED):
            return cls()

    def _drop_what_lies_ahead(self, wall: float) -> None:
        """Once the clock was set back nothing of what then is the future has happened."""
        while self.points and self.points[-1][0] > wall:
            del self.points[-1]
        while self.spans and self.spans[-1].began > wall:
            del self.spans[-1]
        if self.spans:
            self.spans[-1].ended = min(self.spans[-1].ended, wall)

    def _add(self, wall: float, celsius: float | None, rpm: float | None) -> None:
        if celsius is None and rpm is None:
            return
        slot = wall - wall % POINT_SECONDS
        if self.points and self.points[-1][0] >= slot:
            then, hottest, fastest = self.points[-1]
            self.points[-1] = (then, _most(hottest, celsius), _most(fastest, rpm))
        else:
            self.points.append((slot, celsius, rpm))

    def _seen(self) -> tuple[Any, ...]:
        last = self.points[-1] if self.points else (0.0, None, None)
        newest = self.spans[-1] if self.spans else None
        return newest and (newest.began, round(newest.seconds / _SEND_SECONDS)), last[1], last[2]


def _differs(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    if before[0] != after[0]:
        return True
    steps = ((1, _VISIBLE_CELSIUS), (2, _VISIBLE_RPM))
    return any(abs((before[i] or 0) - (after[i] or 0)) >= step for i, step in steps)


def _most(one: float | None, other: float | None) -> float | None:
    values = [value for value in (one, other) if value is not None]
    return max(values, default=None)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
