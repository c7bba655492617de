"""The bill of each day that is over, published for every machine: ``host/report``.

A day is one of the time zone in which this runs. A machine's day is told once, soon after midnight
or as soon as this runs again, and noted in the archive when the broker has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from publisher.config.companions import ReportSettings
from publisher.contract.messages import Message
from publisher.contract.payload import Envelope, encode, rfc3339, to_json
from publisher.contract.report import (
    BilledEnergyReading,
    CulpritReading,
    LoudMinutesReading,
    NamedReading,
    ReportReading,
)
from publisher.contract.topics import COMPANIONS, REPORT
from subscriber_cli.archive.reader import Archive, ArchivedHost
from subscriber_cli.archive.writer import Writer
from subscriber_cli.bill import IDLE, OTHERS, UNATTRIBUTED, Bill, Culprit, EnergyRow, make_bill
from subscriber_cli.render.bill import summary

# Hosts tell their memory every five minutes: the last one of the day is to be among it.
_SETTLED_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 60.0
# After a connection is made: what the broker keeps is then in the archive.
_FIRST_SECONDS: Final = 15.0
_MOST_CULPRITS: Final = 12
_MOST_ENERGY: Final = 16
_MOST_NAMES: Final = 8
(_TOPIC,) = (row for row in COMPANIONS if row.leaf == REPORT)


class Daily:
    """Publishes bills, one machine after the other.

    Args:
        path: of the archive.
        writer: of the same, to note what was published.
        settings: the price of energy.
    """

    def __init__(self, path: Path, writer: Writer, settings: ReportSettings) -> None:
        self._path = path
        self._writer = writer
        self._settings = settings
        self._left: list[ArchivedHost] = []
        self._sent: dict[str, tuple[int, float]] = {}
        self._look_at = 0.0

    def start_over(self, now: float) -> None:
        """There is another connection: what was not confirmed is to be sent again over that.

        Not at once: hosts tell first what they remember.
        """
        self._left, self._sent, self._look_at = [], {}, now + _FIRST_SECONDS

    def next(self, now: float) -> Message | None:
        """The next bill to be published, if one is due; makes one bill at most.

        Args:
            now: in seconds since the epoch.

        Raises:
            ArchiveError: the archive cannot be read, or noted in.
        """
        begin, end = last_day(now - _SETTLED_SECONDS)
        if not self._left:
            if now < self._look_at:
                return None
            self._look_at = now + _LOOK_SECONDS
        with Archive(self._path) as archive:
            if not self._left:
                waiting = {number for number, until in self._sent.values() if until == end}
                billed = archive.billed()
                self._left = [
                    host
                    for host in archive.hosts()
                    if billed[host.id] < end and host.until > begin and host.id not in waiting
                ]
            if not self._left:
                return None
            host = self._left.pop()
            bill = make_bill(archive, host, begin, end, self._settings.price_per_kwh)
        if not bill.known_minutes:
            self._writer.note_billed(host.id, end)
            return None
        key = f"{host.prefix}/{REPORT}"
        self._sent[key] = (host.id, end)
        body = to_json(reading_of(bill, self._settings))
        return Message(
            topic=key,
            payload=encode(Envelope(host.name).wrap(body, now)),
            qos=_TOPIC.qos,
            retain=_TOPIC.retained,
            key=key,
        )

    def confirm(self, key: str) -> None:
        """Notes that the broker has a bill.

        Raises:
            ArchiveError: the archive cannot be written now.
        """
        if key in self._sent:
            self._writer.note_billed(*self._sent[key])
            del self._sent[key]


def last_day(now: float) -> tuple[float, float]:
    """(begin, end) of the last whole day here, in seconds since the epoch."""
    here = datetime.fromtimestamp(now).astimezone().replace(tzinfo=None)
    today = here.replace(hour=0, minute=0, second=0, microsecond=0)
    # By the calendar, not by 24 hours: a day on which clocks are changed has 23 or 25.
    yesterday = today - timedelta(days=1)
    return yesterday.timestamp(), today.timestamp()


def reading_of(bill: Bill, settings: ReportSettings) -> ReportReading:
    """The bill as it is published: bounded, whatever happened that day."""
    money = [row.money for row in bill.energy if row.money is not None]
    culprits = [each for each in bill.culprits if _counts(each)][:_MOST_CULPRITS]
    return ReportReading(
        began=rfc3339(bill.begin),
        ended=rfc3339(bill.end),
        sentence=" ".join(summary(bill)),
        known_minutes=bill.known_minutes,
        loud_minutes=bill.loud_minutes if bill.quiet_rpm is not None else None,
        hot_minutes=bill.hot_minutes,
        busy_minutes=bill.busy_minutes,
        quiet_fan_speed_rpm=bill.quiet_rpm,
        energy_kilowatt_hours=bill.measured_kilowatt_hours,
        cost=sum(money) if money else None,
        currency=settings.currency if money else None,
        culprits=tuple(
            CulpritReading(
                label=each.label,
                loud_minutes=each.loud_minutes,
                hot_minutes=each.hot_minutes,
                busy_minutes=each.busy_minutes,
            )
            for each in (*culprits, *([bill.unnamed] if _counts(bill.unnamed) else []))
        ),
        energy=tuple(
            BilledEnergyReading(
                label=row.label, energy_kilowatt_hours=row.kilowatt_hours, cost=row.money
            )
            for row in _bounded(bill.energy)
        ),
        loudest=tuple(
            LoudMinutesReading(
                began=rfc3339(each.begin),
                minutes=each.minutes,
                state=each.state or None,
                headline=each.sentence,
                **{bill.loudness: each.value},
            )
            for each in bill.loudest
        ),
        new=_named(bill.new),
        grew=_named(label for label, _ in bill.grew),
    )


def _counts(culprit: Culprit) -> bool:
    return bool(culprit.loud_minutes or culprit.hot_minutes or culprit.busy_minutes)


def _bounded(rows: list[EnergyRow]) -> list[EnergyRow]:
    """The largest rows and those that are no programs; what has no room stands with the others."""
    apart = [row for row in rows if row.label in (OTHERS, UNATTRIBUTED, IDLE)]
    programs = [row for row in rows if row not in apart]
    small = [*programs[_MOST_ENERGY:], *(row for row in apart if row.label == OTHERS)]
    if len(programs) > _MOST_ENERGY:
        money = [row.money for row in small if row.money is not None]
        amount = sum(row.kilowatt_hours for row in small)
        others = EnergyRow(OTHERS, amount, sum(money) if money else None)
        apart = [others, *(row for row in apart if row.label != OTHERS)]
    return [*programs[:_MOST_ENERGY], *apart]


def _named(labels: Iterable[str]) -> tuple[NamedReading, ...]:
    return tuple(NamedReading(label=label) for label in list(labels)[:_MOST_NAMES])
