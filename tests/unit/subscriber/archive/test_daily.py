"""The bill of a day that is over: when it is due, what is in it, and that it is told once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive_parties import timeline

from publisher.config.companions import ReportSettings
from publisher.contract.messages import Message
from publisher.contract.payload import encode, rfc3339, to_json
from publisher.contract.timeline import SeriesReading
from subscriber_cli.archive.writer import Writer
from subscriber_cli.bill import IDLE, OTHERS, Bill, Culprit, EnergyRow, Loud
from subscriber_cli.daily import Daily, last_day, reading_of

Put = Callable[..., None]
HOUR = 3600.0


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def midnight(now: float) -> float:
    """The last one before ``now``."""
    return last_day(now)[1]


@pytest.fixture
def daily(path: Path, writer: Writer, put: Put, now: float, midnight: float) -> Daily:
    """Of an archive with one host, which was busy before midnight."""
    causes = [("Backup", midnight - 3 * HOUR, midnight - 2 * HOUR)]
    usage = SeriesReading(
        began=rfc3339(midnight - 4 * HOUR), step_seconds=300, cpu_percent=[50.0] * 40
    )
    put("timeline", timeline(now, causes=causes, series=(usage,)), at=now)
    return Daily(path, writer, ReportSettings(publish=True))


def all_of(daily: Daily, now: float) -> list[Message]:
    found = []
    while (message := daily.next(now)) is not None:
        found.append(message)
    return found


def test_a_day_is_one_of_the_calendar_here() -> None:
    # Clocks were set back on 2026-10-25 in Berlin: that day had 25 hours.
    begin, end = last_day(1_793_010_000.0)  # 2026-10-26 11:20 UTC
    assert rfc3339(begin) == "2026-10-24T22:00:00.000Z"
    assert rfc3339(end) == "2026-10-25T23:00:00.000Z"


def test_the_last_whole_day_is_told_retained(daily: Daily, midnight: float) -> None:
    (message,) = all_of(daily, midnight + 700)
    assert (message.topic, message.qos, message.retain) == ("host/report", 1, True)
    told = json.loads(message.payload)
    assert told["host"] == "nas"
    assert (told["began"], told["ended"]) == (rfc3339(last_day(midnight + 1)[0]), rfc3339(midnight))
    assert told["known_minutes"] == 40 * 5
    assert "energy_kilowatt_hours" not in told


def test_nothing_is_told_before_the_hosts_have_told_the_end_of_the_day(
    daily: Daily, midnight: float
) -> None:
    assert all_of(daily, midnight + 500) == []
    assert len(all_of(daily, midnight + 700)) == 1


def test_it_is_told_once(daily: Daily, path: Path, writer: Writer, midnight: float) -> None:
    at = midnight + 700
    (message,) = all_of(daily, at)
    assert all_of(daily, at + 100) == []  # not while the broker has not confirmed it
    daily.confirm(message.key or "")
    again = Daily(path, writer, ReportSettings(publish=True))  # as after a restart
    assert all_of(again, at + 300) == []
    assert len(all_of(again, at + 86400)) == 1


def test_what_was_not_confirmed_is_sent_again_over_the_next_connection(
    daily: Daily, midnight: float
) -> None:
    at = midnight + 700
    (first,) = all_of(daily, at)
    daily.start_over(at)
    assert all_of(daily, at + 1) == []  # hosts tell first what they remember
    (second,) = all_of(daily, at + 100)
    assert json.loads(second.payload)["ended"] == json.loads(first.payload)["ended"]
    daily.confirm("host/other/report")  # nobody asked for that


def test_of_a_day_without_a_word_nothing_is_told(daily: Daily, midnight: float) -> None:
    later = midnight + 5 * 86400
    assert all_of(daily, later) == []


def test_a_bill_is_bounded_and_still_adds_up() -> None:
    evil = "\x1b]0;x\x07" + "x" * 5000
    bill = Bill("nas", 0.0, 86400.0, known_minutes=1440, loudness="fan_speed_rpm", quiet_rpm=600)
    bill.culprits = [Culprit(f"{evil}{number}", loud_minutes=1) for number in range(500)]
    bill.energy = [
        EnergyRow(name, 1.0, 0.25) for name in (*(f"{evil}{n}" for n in range(500)), OTHERS, IDLE)
    ]
    bill.measured_kilowatt_hours = 502.0
    bill.loudest = [Loud(60.0 * n, 1, 2000.0, "busy", evil) for n in range(10)]
    bill.new = [evil] * 500
    reading = reading_of(bill, ReportSettings(price_per_kwh=0.25))
    assert len(reading.culprits) == 12
    assert sum(row.energy_kilowatt_hours or 0.0 for row in reading.energy) == 502.0
    assert [row.label for row in reading.energy][-2:] == [OTHERS, IDLE]
    assert reading.cost == 125.5
    text = encode(to_json(reading)).decode()
    assert "\x1b" not in text
    assert len(text) < 64_000
