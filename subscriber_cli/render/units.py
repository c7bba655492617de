"""Numbers as people read them. Units come from the catalogue; one without a unit stays bare."""

from __future__ import annotations

from publisher.contract.units import Unit
from subscriber_cli.model.values import clean

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def humanise(value: float, unit: str = "", precision: int | None = None) -> str:
    """A number with its unit, in as few characters as say it.

    ``unit`` is a symbol of ``publisher.contract.units``; an unknown one is shown as it is.
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
            places = 1 if abs(value) < 10 and precision else 0
            return f"{value:,.{places}f} {unit}"
    text = _plain(value, precision)
    return f"{text} {clean(unit)[:12]}" if unit else text


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
    while size >= 1023.5 and power < len(_BINARY) - 1:
        size /= 1024
        power += 1
    places = 1 if power and size < 99.95 else 0
    return f"{'-' if value < 0 else ''}{size:,.{places}f} {_BINARY[power]}"


def _plain(value: float, precision: int | None) -> str:
    if precision is None:
        precision = 0 if float(value).is_integer() else 2
    return f"{value:,.{min(precision, 3)}f}"
