"""What a timeline tells of a moment: who it was, or why nothing is known."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from publisher.contract import past
from publisher.contract.payload import rfc3339
from publisher.contract.reader import read
from publisher.contract.timeline import (
    GapReading,
    PastAlertReading,
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)
from publisher.contract.when import When, parse

NOW = datetime.fromisoformat("2026-11-30T08:30:00+00:00").timestamp()


def today(clock: str) -> str:
    return f"2026-11-30T{clock}:00.000Z"


NIGHT = TimelineReading(
    since="2026-11-29T22:00:00.000Z",
    until=today("08:25"),
    left_out=0,
    causes=(
        PastCauseReading(
            label="Restic backup",
            group="restic backup",
            resource="cpu",
            share_percent=91.0,
            on_behalf_of="alice",
            energy_joules=7200.0,
            began=today("02:58"),
            ended=today("03:24"),
            blamed_until=today("03:30"),
        ),
        PastCauseReading(
            label="make",
            resource="cpu",
            share_percent=95.0,
            began=today("03:10"),
            ended=today("03:11"),
        ),
        PastCauseReading(label="Plex", resource="cpu", began=today("08:00")),
    ),
    states=(
        PastStateReading(
            state="quiet",
            headline="System load normal",
            began="2026-11-29T22:00:00.000Z",
            ended=today("02:58"),
        ),
        PastStateReading(
            state="busy",
            headline="CPU usage high due to: Restic backup",
            began=today("02:58"),
            ended=today("04:00"),
        ),
        PastStateReading(
            state="busy",
            headline="CPU usage high due to: Plex",
            began=today("05:00"),
        ),
    ),
    alerts=(
        PastAlertReading(
            alert="temperature",
            severity="warning",
            message="CPU at 92 °C",
            began=today("03:20"),
            ended=today("03:22"),
        ),
    ),
    gaps=(GapReading(reason="asleep", began=today("04:00"), ended=today("05:00")),),
    series=(
        SeriesReading(
            began=today("02:55"),
            step_seconds=300,
            cpu_temperature_celsius=[50, 70, 74, 75],
            fan_speed_rpm=[900, 1500, 1870, 1900],
        ),
    ),
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(text: str, *, live: bool = True, night: TimelineReading = NIGHT) -> list[str]:
    found = past.at(night, parse(text, NOW), NOW, live=live)
    json.dumps(found.json())
    return list(past.sentences(found, NOW))


def test_a_moment_is_told_with_who_it_was_and_what_was_measured() -> None:
    assert told("03:06") == [
        "CPU usage high due to: Restic backup",
        "BUSY 02:58 to 04:00",
        "Restic backup · 91 % cpu · 02:58 to 03:24 · for alice · 2.0 Wh · its heat until 03:30",
        "CPU 74 °C   fan 1,870 rpm",
        "alert 03:20 to 03:22: CPU at 92 °C",
    ]


def test_of_several_the_largest_share_comes_first() -> None:
    found = past.at(NIGHT, parse("03:10", NOW), NOW, live=True)
    assert [cause.label for cause in found.causes] == ["make", "Restic backup"]


def test_who_is_named_for_the_heat_is_told_too() -> None:
    assert told("03:27")[2].startswith("Restic backup")


def test_a_minute_in_which_it_began_is_not_quiet() -> None:
    night = past.within(NIGHT, 0, NOW)
    found = past.at(night, When(parse("02:57", NOW).begin, 61), NOW, live=True)
    assert found.state
    assert found.state.state == "busy"


def test_what_goes_on_is_told_until_now_where_the_daemon_lives() -> None:
    assert told("08:29")[:2] == ["CPU usage high due to: Plex", "BUSY since 05:00"]
    assert told("08:29", live=False) == [
        "08:29: nothing was recorded: the memory ends at 08:25",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("04:30", "04:30: nothing was recorded: the machine slept (04:00 to 05:00)"),
        ("yesterday 3am", "Sun 03:00: nothing was recorded: the memory begins at Sun 22:00"),
    ],
)
def test_where_nothing_was_recorded_it_says_why(text: str, says: str) -> None:
    found = past.at(NIGHT, parse(text, NOW), NOW, live=True)
    assert list(past.sentences(found, NOW)) == [says]
    body = found.json()
    assert (body["recorded"], body["reason"], body["measured"]) == (False, says, {})
    assert body["covered"]["since"] == NIGHT.since


def test_what_had_no_room_is_not_taken_for_quiet() -> None:
    lost = TimelineReading(since=NIGHT.since, until=NIGHT.until, left_out=7)
    (words,) = told("03:06", night=lost)
    assert "nothing is kept of that moment; 7 short ones had no room" in words


def test_a_payload_that_says_nothing_tells_nothing() -> None:
    assert len(told("03:06", night=TimelineReading())) == 1


def test_a_part_of_the_night() -> None:
    begin, end = (parse(text, NOW).begin for text in ("03:12", "03:21"))
    part = past.within(NIGHT, begin, end)
    assert [cause.label for cause in part.causes] == ["Restic backup"]
    assert (len(part.states), len(part.alerts), len(part.gaps)) == (1, 1, 0)
    assert [value for _, _, value in past.values(part, "fan_speed_rpm")] == [1900]
    assert part.series[0].began == rfc3339(parse("03:10", NOW).begin)


@pytest.mark.parametrize(
    "piece",
    [
        {"step_seconds": 5e-324},
        {"step_seconds": 1e10},
        {"began": "9998-12-31T00:00:00Z"},
        {"began": "1970-01-01T00:00:00Z", "step_seconds": 1},
        {"began": "soon"},
        {"cpu_temperature_celsius": []},
        {"cpu_temperature_celsius": [1e308] * 9},
    ],
)
def test_series_of_anybody_are_bearable(piece: dict[str, Any]) -> None:
    series = {"began": today("02:55"), "step_seconds": 300, "cpu_temperature_celsius": [50]}
    night = read(TimelineReading, {"series": [series | piece], "states": [{"began": "x"}]})
    told("03:06", night=night)
    part = past.within(night, NOW - 86400, NOW)
    past.values(part, "cpu_temperature_celsius")
