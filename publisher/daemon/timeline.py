"""The daemon's memory of the last 48 hours: who was to blame when, how the machine was, the gaps.

Kept small, from what the daemon itself said: a span for each cause, sentence, alert and gap, a
point every five minutes, and one a minute in the last hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from publisher.contract.readings import (
    CauseReading,
    EventReading,
    ExplanationReading,
    HostState,
)
from publisher.contract.when import moment
from publisher.daemon.timeline_points import Points

MEMORY_SECONDS: Final = 2 * 86400.0
DAY: Final = 86400.0
POINT_SECONDS: Final = 300.0
FINE_SECONDS: Final = 60.0
FINE_MEMORY_SECONDS: Final = 3600.0
# Two sights of one cause that are further apart are two spans.
_GAP_SECONDS: Final = 60.0
# A start that comes later than this after what was last kept leaves a gap.
_STARTS_SECONDS: Final = 10.0
# A sentence that was told for less than this gives way to the next one of the same state.
_SETTLED_SECONDS: Final = 60.0
# A cause is dated from its onset, which is seen a little later.
_ONSET_SECONDS: Final = 600.0
MOST: Final = 300
_SEND_SECONDS: Final = 900.0
_SAVE_SECONDS: Final = 300.0
# A file that is older than this is no running daemon's.
KEPT_SECONDS: Final = 1.2 * _SAVE_SECONDS
_TELL_SECONDS: Final = 300.0
# What has happened is told soon; where much happens, together.
_TELL_EVENT_SECONDS: Final = 60.0
# Of a machine at rest there is little to tell.
_TELL_REST_SECONDS: Final = 1800.0
# A machine without a battery begins in 1970, or some years after; it will know better soon.
_CLOCK_IS_SET: Final = 1.6e9
# Less than this nobody sees in the picture.
_VISIBLE_CELSIUS: Final = 3.0
_VISIBLE_RPM: Final = 100.0


@dataclass(slots=True, kw_only=True)
class Span:
    """Something was to blame, from when to when.

    Attributes:
        ended: when its work ended, or was last seen.
        blamed: until when its heat was named.
        share: the largest, in percent.
        energy: in joules.
        lasting: still at work.
        unwatched: a gap hides its end.
    """

    began: float
    ended: float
    category: str
    label: str
    group: str = ""
    on_behalf_of: str = ""
    resource: str = ""
    share: float | None = None
    energy: float | None = None
    blamed: float = 0.0
    lasting: bool = False
    unwatched: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(slots=True, kw_only=True)
class StateSpan:
    """The machine was in a state, for which a sentence was told."""

    began: float
    ended: float
    state: str
    headline: str
    lasting: bool = False


@dataclass(slots=True, kw_only=True)
class AlertSpan:
    """An alert stood."""

    began: float
    ended: float
    alert: str
    severity: str
    label: str
    message: str
    lasting: bool = False


@dataclass(slots=True, kw_only=True)
class Gap:
    """Nobody watched, for one of ``GAP_REASONS``."""

    began: float
    ended: float
    reason: str


@dataclass(slots=True)
class Timeline:
    """The daemon's memory of the last 48 hours.

    Attributes:
        spans: causes, the oldest first; likewise ``states``, ``alerts`` and ``gaps``.
        points: measurements of five minutes each; ``fine`` of one minute, in the last hour.
        looked: when it last took something in, in seconds since the epoch.
        forgotten: how many spans had no room.
        unkept: it could not be written down.
    """

    spans: list[Span] = field(default_factory=list)
    states: list[StateSpan] = field(default_factory=list)
    alerts: list[AlertSpan] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    points: Points = field(default_factory=lambda: Points(POINT_SECONDS))
    fine: Points = field(default_factory=lambda: Points(FINE_SECONDS))
    looked: float | None = None
    forgotten: int = 0
    unkept: bool = False
    _watching: bool = False  # this run has looked
    _looked_now: float | None = None
    _sent: tuple[Any, ...] | None = None
    _sent_at: float = float("-inf")
    _told_at: float = float("-inf")
    _saved_at: float = float("-inf")
    _event_told_at: float = float("-inf")
    _happened: bool = False

    def look(
        self,
        verdict: ExplanationReading,
        wall: float,
        *,
        now: float | None = None,
        clock_set: bool = False,
        patience: float = _GAP_SECONDS,
    ) -> None:
        """Takes in the verdict of a moment.

        Args:
            verdict: what was said.
            wall: when, in seconds since the epoch.
            now: the same in monotonic seconds, which stand still while the machine sleeps.
            clock_set: the time of day was set since the last look.
            patience: seconds without a look that are no gap.
        """
        if wall < _CLOCK_IS_SET:
            return
        self._mark_gap(wall, now, clock_set=clock_set, patience=patience)
        self._drop_what_lies_ahead(wall)
        self.looked, self._looked_now, self._watching = wall, now, True
        for cause in verdict.causes:
            self._blame(cause, wall)
        self._describe(verdict, wall)
        for alert in self.alerts:
            if alert.lasting:
                alert.ended = wall
        if verdict.evidence is not None:
            self.points.add(wall, verdict.evidence)
            self.fine.add(wall, verdict.evidence)
        self._forget(wall)

    def note(self, events: Iterable[EventReading], wall: float) -> None:
        """Takes in what has happened, at ``wall`` in seconds since the epoch."""
        if wall < _CLOCK_IS_SET:
            return
        for event in events:
            self._happened = True
            if event.event == "alert_raised":
                self._raise(event, wall)
            elif event.event == "alert_cleared":
                self._clear(event)
            elif event.event == "cause_ended":
                self._end(event)

    def due(self, now: float) -> bool:
        """Whether a new picture is worth a message: not often, and only when one sees it.

        One that says that nothing was to blame is put right soon.
        """
        seen = self._seen()
        empty = self._sent is not None and self._sent[0] is None and seen[0] is not None
        if now - self._sent_at < (_TELL_EVENT_SECONDS if empty else _SEND_SECONDS):
            return False
        if self._sent is not None and not _differs(self._sent, seen):
            return False
        self._sent, self._sent_at = seen, now
        return True

    def tell_due(self, now: float) -> bool:
        """Whether ``host/timeline`` is to be sent: soon after an event, else as much goes on."""
        if self._happened and now - self._event_told_at >= _TELL_EVENT_SECONDS:
            self._event_told_at = now
        elif now - self._told_at < (_TELL_SECONDS if self._lively else _TELL_REST_SECONDS):
            return False
        self._told_at, self._happened = now, False
        return True

    def save_due(self, now: float) -> bool:
        """Whether it is to be kept on disk, where nothing else makes that happen."""
        return now - self._saved_at >= _SAVE_SECONDS

    def saved(self, now: float) -> None:
        """It was kept."""
        self._saved_at = now

    def again(self) -> None:
        """Makes all due, whenever it was last sent: where it went, it may be gone."""
        self._sent, self._sent_at = None, float("-inf")
        self._told_at = float("-inf")

    def interrupted(self) -> None:
        """What was going on is not watched any more, since it was last seen."""
        for span in self.spans:
            span.unwatched = span.unwatched or span.lasting
            span.lasting = False
        for state in self.states[-1:]:
            state.lasting = False
        for alert in self.alerts:
            alert.lasting = False

    @property
    def _lively(self) -> bool:
        """Whether something goes on."""
        state = self.states[-1].state if self.states else HostState.QUIET
        return state != HostState.QUIET or any(span.lasting for span in self.spans)

    def _mark_gap(
        self, wall: float, now: float | None, *, clock_set: bool, patience: float
    ) -> None:
        last = self.looked
        if last is None:
            return
        away = wall - last
        ours = self._looked_now
        if clock_set or (away < 0 and not self._watching):
            reason = "clock_set"
        elif away > (patience if self._watching else _STARTS_SECONDS):
            slept = ours is not None and now is not None and now - ours < away / 2
            reason = "asleep" if slept else "not_running"
        else:
            return
        self.interrupted()
        self.gaps.append(Gap(began=min(last, wall), ended=wall, reason=reason))
        self._happened = True

    def _drop_what_lies_ahead(self, wall: float) -> None:
        """Once the clock was set back nothing of what then is the future has happened."""
        if self.looked is None or wall >= self.looked:
            return
        self.points.drop_after(wall)
        self.fine.drop_after(wall)
        everything: tuple[list[Any], ...] = (self.spans, self.states, self.alerts, self.gaps)
        for entries in everything:
            entries[:] = [entry for entry in entries if entry.began <= wall]
            for entry in entries:
                entry.ended = min(entry.ended, wall)
        for span in self.spans:
            span.blamed = min(span.blamed, wall)

    def _blame(self, cause: CauseReading, wall: float) -> None:
        category, label = cause.category or "unknown", cause.label or ""
        key = cause.resource or "", cause.group or label, category
        span = self._known(key, wall)
        at_work = cause.active is not False
        if span is None:
            if not at_work:  # its work is a span that a gap has ended
                return
            span = Span(
                began=self._onset(cause, wall),
                ended=wall,
                category=category,
                label=label,
                group=cause.group or "",
                resource=cause.resource or "",
            )
            self.spans.append(span)
        span.label, span.blamed, span.lasting = label, wall, at_work
        if at_work:
            span.ended = wall
            span.on_behalf_of = cause.on_behalf_of or span.on_behalf_of
            span.share = _most(span.share, cause.share_percent)

    def _known(self, key: tuple[str, str, str], wall: float) -> Span | None:
        for span in reversed(self.spans):
            same = (span.resource, span.group or span.label, span.category) == key
            if same and not span.unwatched and 0 <= wall - span.blamed < _GAP_SECONDS:
                return span
        return None

    def _onset(self, cause: CauseReading, wall: float) -> float:
        since = moment(cause.since) or wall
        watched = self.gaps[-1].ended if self.gaps else 0.0
        return max(since, watched) if wall - _ONSET_SECONDS <= since <= wall else wall

    def _describe(self, verdict: ExplanationReading, wall: float) -> None:
        for span in self.spans:  # what is not named any more is over
            if span.lasting and span.blamed < wall - _GAP_SECONDS:
                span.lasting = False
        state, headline = verdict.state or "", verdict.headline or ""
        last = self.states[-1] if self.states else None
        if last is not None and last.lasting:
            last.ended = wall
            if last.state == state and last.headline == headline:
                return
            if last.state == state and wall - last.began < _SETTLED_SECONDS:
                last.headline = headline
                return
            last.lasting = False
        self.states.append(
            StateSpan(began=wall, ended=wall, state=state, headline=headline, lasting=True)
        )

    def _raise(self, event: EventReading, wall: float) -> None:
        self.alerts.append(
            AlertSpan(
                began=wall,
                ended=wall,
                alert=event.alert or "",
                severity=event.severity or "",
                label=event.label or "",
                message=event.message or "",
                lasting=True,
            )
        )

    def _clear(self, event: EventReading) -> None:
        for alert in self.alerts:
            if alert.lasting and (alert.alert, alert.label) == (event.alert, event.label or ""):
                alert.lasting = False

    def _end(self, event: EventReading) -> None:
        alike = [
            span
            for span in self.spans[-MOST:]
            if span.resource == event.resource
            and (span.label == event.label or _near(span.began, moment(event.began)))
        ]
        if not alike:
            return
        span = alike[-1]
        span.lasting = False
        span.unwatched = span.unwatched or event.unwatched is True
        if event.energy_joules is not None:  # a span may hold several turns of one cause
            span.energy = (span.energy or 0.0) + event.energy_joules

    def _forget(self, wall: float) -> None:
        since = wall - MEMORY_SECONDS
        self.points.drop_before(since)
        self.fine.drop_before(wall - FINE_MEMORY_SECONDS)
        everything: tuple[list[Any], ...] = (self.spans, self.states, self.alerts, self.gaps)
        for entries in everything:
            while entries and entries[0].ended < since and not getattr(entries[0], "lasting", 0):
                del entries[0]
            if len(entries) > MOST:
                entries.remove(min(entries[:-1], key=lambda entry: worth(entry, wall)))
                self.forgotten += 1

    def _seen(self) -> tuple[Any, ...]:
        last = self.points.newest
        newest = self.spans[-1] if self.spans else None
        return (
            newest and (newest.began, round(newest.seconds / _SEND_SECONDS)),
            last and last.celsius,
            last and last.rpm,
        )


def worth(entry: Span | StateSpan | AlertSpan | Gap, wall: float) -> float:
    """By how much a span is to be kept rather than another: the longer and the newer, the more."""
    seconds = max(entry.ended - entry.began, 1.0)
    if isinstance(entry, AlertSpan | Gap):
        seconds += 600.0  # what was wrong matters more than for how long
    return seconds / (max(wall - entry.ended, 0.0) + 3600.0)


def _near(one: float, other: float | None) -> bool:
    return other is not None and abs(one - other) < 1.0


def _differs(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    if before[0] != after[0]:
        return True
    steps = ((1, _VISIBLE_CELSIUS), (2, _VISIBLE_RPM))
    return any(abs((before[i] or 0) - (after[i] or 0)) >= step for i, step in steps)


def _most(one: float | None, other: float | None) -> float | None:
    values = [value for value in (one, other) if value is not None]
    return max(values, default=None)
