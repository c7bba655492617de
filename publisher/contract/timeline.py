"""The reading of ``host/timeline``: what the daemon remembers of the last 48 hours."""

from __future__ import annotations

from publisher.contract.metric import (
    Reading,
    Unit,
    choice,
    flag,
    gauge,
    percent,
    reading,
    records,
    seconds,
    text,
    timestamp,
)
from publisher.contract.readings import ALERTS, CATEGORIES, RESOURCES, SEVERITIES, STATES

GAP_REASONS = ("not_running", "asleep", "clock_set")


@reading
class PastCauseReading(Reading):
    """A work group that was to blame, from when to when."""

    label: str | None = text("Label", "The name a person would use for it.")
    category: str | None = choice("Category", "The kind of work.", options=CATEGORIES)
    group: str | None = text("Group", "The container, unit, job or program behind it.")
    on_behalf_of: str | None = text("On behalf of", "Whom it worked for, where it served others.")
    resource: str | None = choice("Resource", "What it used so much of.", options=RESOURCES)
    share_percent: float | None = percent(
        "Share", "Its largest part of all that was used of that resource."
    )
    energy_joules: float | None = gauge(
        "Energy",
        "Energy that it used, once it has ended, where power is measured.",
        unit=Unit.JOULES,
        precision=0,
    )
    began: str | None = timestamp("Began", "When it began.")
    ended: str | None = timestamp("Ended", "When its work ended; absent while it lasts.")
    blamed_until: str | None = timestamp(
        "Blamed until", "Until when its heat was named after that; absent where it was not."
    )
    unwatched: bool | None = flag(
        "No longer watched", "True where a gap hides its end; that is when it was last seen."
    )


@reading
class PastStateReading(Reading):
    """How the machine was, in one sentence, from when to when."""

    state: str | None = choice("State", "How the machine was.", options=STATES)
    headline: str | None = text("Why", "The sentence that was told meanwhile.")
    began: str | None = timestamp("Began", "When it began to be so.")
    ended: str | None = timestamp("Ended", "When that changed; absent while it is so.")


@reading
class PastAlertReading(Reading):
    """An alert, from when to when."""

    alert: str | None = choice("Alert", "What the alert was about.", options=ALERTS)
    severity: str | None = choice("Severity", "How much it mattered.", options=SEVERITIES)
    label: str | None = text("Label", "What it was raised for.")
    message: str | None = text("Message", "One sentence for people.")
    began: str | None = timestamp("Began", "When it was raised.")
    ended: str | None = timestamp("Ended", "When it was cleared; absent while it stands.")


@reading
class GapReading(Reading):
    """A time of which nothing is known."""

    reason: str | None = choice(
        "Reason",
        "Why: fanwhy did not run, the machine slept, its clock was set.",
        options=GAP_REASONS,
    )
    began: str | None = timestamp("Began", "When it was last watched before.")
    ended: str | None = timestamp("Ended", "When it was watched again.")


@reading
class SeriesReading(Reading):
    """Measurements at equal distances; a series that is not there was not measured."""

    began: str | None = timestamp("Began", "When the first value's time begins.")
    step_seconds: float | None = seconds("Step", "How long each value stands for.")
    cpu_percent: list[float] | None = percent("CPU", "Busy share of all cores, on average.")
    cpu_temperature_celsius: list[float] | None = gauge(
        "CPU temperature", "The highest of its time.", unit=Unit.CELSIUS, precision=0
    )
    fan_speed_rpm: list[float] | None = gauge(
        "Fan", "The highest speed of the fastest fan.", unit=Unit.RPM, precision=0
    )
    power_watts: list[float] | None = gauge(
        "Power",
        "Measured power of CPU packages and GPUs, on average.",
        unit=Unit.WATTS,
        precision=0,
    )


@reading
class TimelineReading(Reading):
    """The last 48 hours: who was to blame, how the machine was, alerts, gaps, measurements."""

    since: str | None = timestamp("Since", "The earliest moment of which it tells.")
    until: str | None = timestamp("Until", "The latest one.")
    left_out: int | None = gauge(
        "Left out",
        "Causes, states, alerts and gaps without room here: the oldest and shortest go first.",
    )
    causes: tuple[PastCauseReading, ...] = records(
        PastCauseReading, "Causes", "Who was to blame, the earliest first.", triggers=False
    )
    states: tuple[PastStateReading, ...] = records(
        PastStateReading, "States", "How the machine was, the earliest first.", triggers=False
    )
    alerts: tuple[PastAlertReading, ...] = records(
        PastAlertReading, "Alerts", "What was wrong, the earliest first.", triggers=False
    )
    gaps: tuple[GapReading, ...] = records(
        GapReading, "Gaps", "When nobody watched, the earliest first.", triggers=False
    )
    series: tuple[SeriesReading, ...] = records(
        SeriesReading,
        "Series",
        "Measurements, the earliest first: five minutes a value, one in the last hour.",
        triggers=False,
    )
