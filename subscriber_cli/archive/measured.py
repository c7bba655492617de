"""The series that every host has, whatever its catalogue says: those of its ``timeline``.

They are told for the last 48 hours, so they are complete where the archive was not listening; in
the last hour minute by minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from publisher.contract import past
from publisher.contract.timeline import TimelineReading
from publisher.contract.when import moment

FINE_SECONDS: Final = 60.0
_FULL_SECONDS: Final = 47 * 3600.0
_MOST: Final = 4000  # values of one message


def told_points(
    timeline: TimelineReading, begin: float, end: float
) -> Iterator[tuple[str, float, float, float]]:
    """(name, begin, end, value) of what a timeline measured, between two moments.

    The first value's time may have begun before the daemon did; it stands for what was watched.
    """
    count = 0
    since = moment(timeline.since) or 0.0
    # A memory that is full begins a little later with each message.
    watched = since if since > end - _FULL_SECONDS else 0.0
    for name in past.MEASURED:
        for first, last, value in past.values(timeline, name):
            if begin <= first < end and last > watched:
                count += 1
                if count > _MOST:
                    return
                yield name, max(first, watched), last, value
