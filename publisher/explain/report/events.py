"""What happened, until it is taken away."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from publisher.contract.payload import rfc3339
from publisher.contract.readings import CauseReading, EventReading, HostState
from publisher.explain.causes import Cause, Culprits
from publisher.explain.host_state import StateSpan
from publisher.explain.report.alerts import Alert
from publisher.explain.report.passing import PassingCauses

_MOST_EVENTS: Final = 256
_STATE_WORDS: Final = {
    HostState.QUIET: "quiet",
    HostState.BUSY: "busy",
    HostState.HOT: "hot",
    HostState.COOLING: "cooling down",
    HostState.PRESSURE: "under pressure",
}

CauseReadings = tuple[CauseReading, ...]


class EventLog:
    """Numbers the events of one run, and keeps the latest until they are taken."""

    def __init__(self) -> None:
        self._run = os.urandom(5).hex()
        self._count = 0
        self._events: deque[EventReading] = deque(maxlen=_MOST_EVENTS)
        self._passing = PassingCauses()

    @property
    def holds(self) -> bool:
        """Whether a cause that has begun waits to be told."""
        return self._passing.holds

    def causes_changed(
        self, culprits: Culprits, state: HostState, causes: CauseReadings, now: float
    ) -> None:
        """Causes ended, and others began; where many do, the brief ones are left out.

        Args:
            culprits: which ones.
            state: how the host is now.
            causes: who is to blame now.
            now: monotonic seconds.
        """
        for cause in self._passing.ended(culprits.ended):
            facts = _facts_at_end(cause, cause.lasted(now))
            self._note("cause_ended", f"{cause.named} ended", state, causes, **facts)
        for cause in self._passing.began(culprits.began, now):
            self._note("cause_began", f"{cause.named} began", state, causes, **_facts(cause))

    def state_changed(self, span: StateSpan, causes: CauseReadings) -> None:
        """The host is in a state; tells nothing where it was before."""
        if span.changed:
            message = f"The machine is {_STATE_WORDS[span.state]}"
            self._note("state_changed", message, span.state, causes, previous_state=span.before)

    def alerts_changed(
        self, alerts: Iterable[Alert], state: HostState, causes: CauseReadings
    ) -> None:
        """Alerts were raised or cleared."""
        for alert in alerts:
            words = alert.condition.message
            message = words if alert.raised else f"Over: {words}"
            self._note_alert(alert, message, state, _with_its_own(alert, causes))

    def unwatched(
        self, causes: Iterable[Cause], alerts: Iterable[Alert], state: HostState, now: float
    ) -> None:
        """The daemon ends: whether these go on will not be seen."""
        for cause in filter(self._passing.is_told, causes):
            message = f"{cause.named}: no longer watched"
            facts = _facts_at_end(cause, now - cause.since)
            self._note("cause_ended", message, state, (), unwatched=True, **facts)
        for alert in alerts:
            message = f"No longer watched: {alert.condition.message}"
            self._note_alert(alert, message, state, (), unwatched=True)

    def take(self) -> list[EventReading]:
        """All since the last call."""
        events = list(self._events)
        self._events.clear()
        return events

    def _note_alert(
        self,
        alert: Alert,
        message: str,
        state: HostState,
        causes: CauseReadings,
        *,
        unwatched: bool | None = None,
    ) -> None:
        self._note(
            "alert_raised" if alert.raised else "alert_cleared",
            message,
            state,
            causes,
            unwatched=unwatched,
            alert=alert.condition.alert,
            severity=alert.condition.severity if alert.raised else "info",
            category=alert.condition.category or None,
            label=alert.condition.label or None,
            resource=alert.condition.resource,
            duration_seconds=None if alert.raised else alert.lasted,
        )

    def _note(
        self, event: str, message: str, state: HostState, causes: CauseReadings, **facts: Any
    ) -> None:
        """Adds one; ``facts`` are further fields of ``EventReading``."""
        self._count += 1
        self._events.append(
            EventReading(
                id=f"{self._run}-{self._count}",
                event=event,
                message=message,
                state=state,
                causes=causes,
                **facts,
            )
        )


def _with_its_own(alert: Alert, causes: CauseReadings) -> CauseReadings:
    """Who is to blame for a load, and before them who is for what is raised."""
    own = alert.condition.cause if alert.raised else None
    if own is None or any(_alike(own, cause) for cause in causes):
        return causes
    return (own, *causes)


def _alike(one: CauseReading, other: CauseReading) -> bool:
    return (one.kind, one.group) == (other.kind, other.group)


def _facts(cause: Cause) -> dict[str, Any]:
    return {
        "category": cause.classification.category,
        "label": str(cause.named),
        "resource": cause.resource,
        "began": rfc3339(cause.wall),
    }


def _facts_at_end(cause: Cause, lasted: float) -> dict[str, Any]:
    """By the name under which it was told to begin, which shows that the two belong together."""
    return _facts(cause) | {
        "label": str(cause.told or cause.named),
        "duration_seconds": lasted,
        "cpu_seconds": cause.cpu_seconds,
        "energy_joules": cause.energy_joules,
    }
