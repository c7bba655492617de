"""The reading of ``host/report``: the bill of the last whole day.

It is made and published by ``fanwhy-sub record``, which has the archive that it is made of, and
where it runs tells when a day begins.
"""

from __future__ import annotations

from publisher.contract.metric import (
    Reading,
    Unit,
    choice,
    gauge,
    reading,
    records,
    rpm,
    text,
    timestamp,
)
from publisher.contract.readings import STATES


@reading
class CulpritReading(Reading):
    """What one work group was to blame for, in minutes; each minute counts for one of them."""

    label: str | None = text("Label", "The name a person would use for it.")
    loud_minutes: int | None = gauge("Loud", "Minutes with the fan louder than at rest.")
    hot_minutes: int | None = gauge("Hot", "Minutes in which the machine was hot.")
    busy_minutes: int | None = gauge("Busy", "Minutes in which it was busy.")


@reading
class BilledEnergyReading(Reading):
    """Energy of one work group, of what was idle, or of what nobody can be given."""

    label: str | None = text(
        "Label", "Its name; `idle`, `other programs` and `unattributed` are rows, too."
    )
    energy_kilowatt_hours: float | None = gauge(
        "Energy", "What it used.", unit=Unit.KILOWATT_HOURS, precision=4
    )
    cost: float | None = gauge("Cost", "What that cost, where a price is set.", precision=4)


@reading
class LoudMinutesReading(Reading):
    """Some of the loudest minutes, one after the other; without a fan the hottest or busiest."""

    began: str | None = timestamp("Began", "When they began.")
    minutes: int | None = gauge("Minutes", "How many they were.")
    fan_speed_rpm: float | None = rpm("Fan", "The highest speed of the fastest fan.")
    cpu_temperature_celsius: float | None = gauge(
        "CPU temperature", "The highest, where no fan is measured.", unit=Unit.CELSIUS, precision=0
    )
    cpu_percent: float | None = gauge(
        "CPU", "The busiest, where neither is measured.", unit=Unit.PERCENT, precision=0
    )
    state: str | None = choice("State", "How the machine was.", options=STATES)
    headline: str | None = text("Why", "The sentence that was told meanwhile.")


@reading
class NamedReading(Reading):
    """A name alone."""

    label: str | None = text("Label", "The name a person would use for it.")


@reading
class ReportReading(Reading):
    """The bill of one day: who made the machine loud, hot and busy, and what that cost."""

    began: str | None = timestamp("Began", "The midnight with which the day began.")
    ended: str | None = timestamp("Ended", "The midnight with which it ended.")
    sentence: str | None = text("Summary", "How loud, hot and busy the day was.")
    known_minutes: int | None = gauge("Known", "Minutes of which anything is known.")
    loud_minutes: int | None = gauge("Loud", "Minutes with the fan louder than at rest.")
    hot_minutes: int | None = gauge("Hot", "Minutes in which the machine was hot.")
    busy_minutes: int | None = gauge("Busy", "Minutes in which it was busy.")
    quiet_fan_speed_rpm: float | None = rpm(
        "Quiet fan", "The fan's speed at rest that the day is held against."
    )
    energy_kilowatt_hours: float | None = gauge(
        "Energy", "What was measured; the rows add up to it.", unit=Unit.KILOWATT_HOURS, precision=4
    )
    cost: float | None = gauge("Cost", "What that cost, where a price is set.", precision=2)
    currency: str | None = text("Currency", "Of the costs.")
    culprits: tuple[CulpritReading, ...] = records(
        CulpritReading, "Culprits", "Who was to blame, the loudest first.", triggers=False
    )
    energy: tuple[BilledEnergyReading, ...] = records(
        BilledEnergyReading, "Energy", "Who used it, the most first.", triggers=False
    )
    loudest: tuple[LoudMinutesReading, ...] = records(
        LoudMinutesReading, "Loudest minutes", "Ten at most, the loudest first.", triggers=False
    )
    new: tuple[NamedReading, ...] = records(
        NamedReading, "New", "Who was never named in the days before.", triggers=False
    )
    grew: tuple[NamedReading, ...] = records(
        NamedReading, "Grew", "Who was named for much longer than before.", triggers=False
    )
