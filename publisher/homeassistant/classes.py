"""How Home Assistant shows a quantity: its class, unit and statistics, and where its value is.

Source: Home Assistant's ``sensor`` component as of 2025.4 to 2026.11. ``ENTITY_CLASSES`` is the
only table; everything else follows from what a metric is declared to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from publisher.contract.metric import Kind, Metric, Unit
from publisher.homeassistant.naming import said, said_by_template

# Home Assistant drops longer states with a warning.
_STATE_LENGTH = 255


@dataclass(frozen=True, slots=True)
class EntityClass:
    """How Home Assistant shows a quantity.

    Attributes:
        device_class: what it calls a quantity in that unit.
        unit: what it is shown in, where people read another unit with more ease; a coarser unit
            also means that fewer changes are written to its database.
        divisor: from ours to that unit.
        digits: decimal places in that unit.
    """

    device_class: str
    unit: str = ""
    divisor: int = 1
    digits: int = 0


# Units that are missing here have no class: a percentage is anything, and rpm must not be
# called a frequency, which is in hertz.
ENTITY_CLASSES: Mapping[Unit, EntityClass] = {
    Unit.CELSIUS: EntityClass("temperature"),
    Unit.MEGAHERTZ: EntityClass("frequency"),
    Unit.BYTES: EntityClass("data_size", "MiB", 1 << 20),
    Unit.BYTES_PER_SECOND: EntityClass("data_rate", "MB/s", 1_000_000, 2),
    Unit.MEGABITS_PER_SECOND: EntityClass("data_rate"),
    Unit.WATTS: EntityClass("power"),
    Unit.JOULES: EntityClass("energy"),
    Unit.KILOWATT_HOURS: EntityClass("energy"),
    Unit.VOLTS: EntityClass("voltage"),
    Unit.AMPERES: EntityClass("current"),
    Unit.SECONDS: EntityClass("duration"),
    Unit.MILLISECONDS: EntityClass("duration"),
    Unit.DECIBEL_MILLIWATTS: EntityClass("signal_strength"),
}


def template(metric: Metric, value: str) -> str:
    """Takes a value out of the payload; one that is not there is unknown."""
    shown = ENTITY_CLASSES.get(metric.unit)
    if metric.kind is Kind.CHOICE:
        words = said_by_template(value, metric.options)
        return f"{{{{ {words} if {value} is defined else 'None' }}}}"
    if metric.kind is Kind.TEXT:
        return f"{{{{ ({value} | default('None') | string)[:{_STATE_LENGTH}] }}}}"
    if shown and shown.divisor != 1:
        return (
            f"{{{{ ({value} / {shown.divisor}) | round({shown.digits}) "
            f"if {value} is defined else 'None' }}}}"
        )
    return f"{{{{ {value} | default('None') }}}}"


def scaled(metric: Metric, value: Any) -> Any:
    """A value of the payload as Home Assistant keeps it, by the rule of the template."""
    shown = ENTITY_CLASSES.get(metric.unit)
    if shown and shown.divisor != 1 and isinstance(value, int | float):
        return round(value / shown.divisor, shown.digits)
    return value


def quantity(metric: Metric) -> dict[str, Any]:
    """Unit, class and statistics of a sensor."""
    if metric.kind is Kind.CHOICE:
        return {"device_class": "enum", "options": [said(option) for option in metric.options]}
    if metric.kind is Kind.TIMESTAMP:
        return {"device_class": "timestamp"}
    if metric.kind not in (Kind.GAUGE, Kind.COUNTER):
        return {}
    found: dict[str, Any] = {
        "state_class": "total_increasing" if metric.kind is Kind.COUNTER else "measurement"
    }
    shown = ENTITY_CLASSES.get(metric.unit)
    if metric.unit:
        found["unit_of_measurement"] = (shown and shown.unit) or str(metric.unit)
    if shown:
        found["device_class"] = shown.device_class
    if shown and shown.unit:
        found["suggested_display_precision"] = shown.digits
    elif metric.precision is not None:
        found["suggested_display_precision"] = metric.precision
    if found.get("device_class") == "energy" and metric.kind is Kind.GAUGE:
        del found["state_class"]  # energy that is no meter reading has no statistics of its own
    return found
