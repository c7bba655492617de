"""Messages that tests put into an archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from publisher.contract.payload import rfc3339
from publisher.contract.readings import EventReading
from publisher.contract.timeline import (
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)

STATES = (("quiet", -3600.0, -100.0), ("busy", -100.0, None))
"""State, begin and end, before ``until``."""


def event(name: str, at: float, **fields: Any) -> EventReading:
    """An event of that id."""
    told = {"event": "state_changed", "message": "The machine is busy", **fields}
    return EventReading(id=name, **told)


def timeline(
    until: float,
    *,
    causes: Sequence[Any] = (),
    series: tuple[SeriesReading, ...] = (),
) -> TimelineReading:
    """A memory of two days; a cause is label, begin, end, and its group."""
    return TimelineReading(
        since=rfc3339(until - 2 * 86400),
        until=rfc3339(until),
        causes=tuple(
            PastCauseReading(
                label=label,
                group=group[0] if group else label,
                resource="cpu",
                share_percent=80,
                began=rfc3339(began),
                ended=None if ended is None else rfc3339(ended),
            )
            for label, began, ended, *group in causes
        ),
        states=tuple(
            PastStateReading(
                state=state,
                headline=f"The machine is {state}",
                began=rfc3339(1_800_000_000 + began),
                ended=None if ended is None else rfc3339(1_800_000_000 + ended),
            )
            for state, began, ended in STATES
        ),
        series=series,
    )
