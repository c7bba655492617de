"""The units that a metric may be declared in, and how a field's name carries each one.

Symbols follow UCUM as OpenTelemetry's semantic conventions use it where people read it the same
way (``%``, ``W``, ``s``), and Home Assistant's spelling elsewhere (``°C``, ``MHz``, ``rpm``).
"""

from __future__ import annotations

from enum import StrEnum


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
