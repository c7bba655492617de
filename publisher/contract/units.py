"""The units that a metric may be declared in, how a field's name carries each one, and numbers.

``humanise`` and ``duration`` are how everything that people read shows a number.

Symbols follow UCUM as OpenTelemetry's semantic conventions use it where people read it the same
way (``%``, ``W``, ``s``), and Home Assistant's spelling elsewhere (``°C``, ``MHz``, ``rpm``).
"""

from __future__ import annotations

from enum import StrEnum

from publisher.contract.printable import printable

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_LONGEST_SYMBOL = 12  # characters of a unit that another program made up


class Unit(StrEnum):
    """A unit of measurement; the value is the symbol that people see."""

    PERCENT = "%"
    CELSIUS = "°C"
    MEGAHERTZ = "MHz"
    BYTES = "B"
    BYTES_PER_SECOND = "B/s"
    MEGABITS_PER_SECOND = "Mbit/s"
    PER_SECOND = "1/s"
    RPM = "rpm"
    WATTS = "W"
    JOULES = "J"
    KILOWATT_HOURS = "kWh"
    VOLTS = "V"
    AMPERES = "A"
    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "µs"
    DECIBEL_MILLIWATTS = "dBm"
    COUNT = ""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of a field name that carry this unit; empty for plain counts."""
        return _SUFFIXES[self]


_SUFFIXES: dict[Unit, tuple[str, ...]] = {
    Unit.PERCENT: ("_percent",),
    Unit.CELSIUS: ("_celsius",),
    Unit.MEGAHERTZ: ("_mhz",),
    Unit.BYTES: ("_bytes",),
    Unit.BYTES_PER_SECOND: ("_bytes_per_second",),
    Unit.MEGABITS_PER_SECOND: ("_megabits_per_second",),
    Unit.PER_SECOND: ("_per_second",),
    Unit.RPM: ("_rpm",),
    Unit.WATTS: ("_watts",),
    Unit.JOULES: ("_joules",),
    Unit.KILOWATT_HOURS: ("_kilowatt_hours",),
    Unit.VOLTS: ("_volts",),
    Unit.AMPERES: ("_amperes",),
    Unit.SECONDS: ("_seconds",),
    Unit.MILLISECONDS: ("_milliseconds",),
    Unit.MICROSECONDS: ("_microseconds",),
    Unit.DECIBEL_MILLIWATTS: ("_dbm",),
    Unit.COUNT: (),
}


def humanise(value: float, unit: str = Unit.COUNT, precision: int | None = None) -> str:
    """A number with its unit, in as few characters as say it: ``3.4 GiB``, ``1,380 rpm``.

    Args:
        value: what to show.
        unit: a ``Unit``, or a symbol that another program made up; that is shown as it is.
        precision: decimal places at most; ``None``: two, and none for whole numbers.
    """
    match unit:
        case Unit.BYTES:
            return _bytes(value)
        case Unit.BYTES_PER_SECOND:
            return f"{_bytes(value)}/s"
        case Unit.PER_SECOND:
            return f"{_plain(value, 1 if value < 10 else 0)}/s"
        case Unit.SECONDS:
            return duration(value) if value >= 60 else f"{_plain(value, precision)} s"
        case Unit.MEGAHERTZ if value >= 1000:
            return f"{value / 1000:.1f} GHz"
        case Unit.PERCENT | Unit.CELSIUS | Unit.WATTS:
            return f"{_plain(value, precision if abs(value) < 10 else 0, most=1)} {unit}"
    number = _plain(value, precision)
    symbol = printable(unit[:_LONGEST_SYMBOL])[:_LONGEST_SYMBOL]
    return f"{number} {symbol}" if symbol else number


def duration(seconds: float) -> str:
    """A span of time in its two largest units: ``42 s``, ``4 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = int(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        rest = minutes % 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    rest = hours % 24
    return f"{days} d {rest} h" if rest and days < 100 else f"{days} d"


def _bytes(value: float) -> str:
    size = abs(value)
    power = 0
    # What would be rounded up to 1,024 of a unit is 1 of the next.
    while size >= 1023.5 and power < len(_BINARY) - 1:
        size /= 1024
        power += 1
    places = 0 if power == 0 or size >= 99.95 or size.is_integer() else 1
    return f"{'-' if value < 0 else ''}{size:,.{places}f} {_BINARY[power]}"


def _plain(value: float, precision: int | None, *, most: int = 3) -> str:
    if precision is None:
        precision = 0 if float(value).is_integer() else 2
    return f"{value:,.{min(precision, most)}f}"
