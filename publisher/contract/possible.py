"""Values that cannot be: what numbers of each unit can be, and who hears of others.

A metric's declaration narrows or widens the range of its unit (``publisher.contract.metric``). A
reading never holds a value out of it: its constructor leaves that out, as if it could not be read,
and tells here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from publisher.contract.units import Unit

# What a number of each unit can be at all. What a machine is made of is made for -40 to 125 °C and
# switched off before that; sensors that are not connected, or not awake, say -128, -62, -55, 127,
# 255 or 511. The smallest fans of servers reach 38,000 rpm; what is not connected says 65,535. A
# shelf of a rack has some kilowatts, and what has no bound above still is no 2⁶⁴ - 1.
POSSIBLE: dict[Unit, tuple[float, float]] = {
    Unit.PERCENT: (0, 100),
    Unit.CELSIUS: (-40, 125),
    Unit.MEGAHERTZ: (0, 100_000),
    Unit.BYTES: (0, 1 << 62),
    Unit.BYTES_PER_SECOND: (0, 10**13),
    Unit.MEGABITS_PER_SECOND: (0, 10**7),
    Unit.PER_SECOND: (0, 10**12),
    Unit.RPM: (0, 45_000),
    Unit.WATTS: (0, 20_000),
    Unit.JOULES: (0, 10**15),
    Unit.KILOWATT_HOURS: (0, 10**9),
    Unit.VOLTS: (0, 1_000),
    Unit.AMPERES: (0, 5_000),
    Unit.SECONDS: (0, 10**10),
    Unit.MILLISECONDS: (0, 10**10),
    Unit.MICROSECONDS: (0, 10**13),
    Unit.DECIBEL_MILLIWATTS: (-150, 40),
}


@dataclass(frozen=True, slots=True)
class Impossible:
    """One value that was left out.

    Attributes:
        reading: the reading that it is missing from.
        field: its name there.
        reason: why it cannot be.
    """

    reading: object
    field: str
    reason: str


class _Listener(threading.local):
    """Who listens in this thread: subsystems are read in several at a time."""

    told: list[Impossible] | None = None


_LISTENER = _Listener()


@contextmanager
def noticing() -> Iterator[list[Impossible]]:
    """Gathers what is left out of the readings that are made in this thread meanwhile."""
    before = _LISTENER.told
    told: list[Impossible] = []
    _LISTENER.told = told
    try:
        yield told
    finally:
        _LISTENER.told = before


def notice(reading: object, field: str, reason: str) -> None:
    """Tells whoever listens in this thread."""
    if _LISTENER.told is not None:
        _LISTENER.told.append(Impossible(reading, field, reason))
