"""What was, in the terminal: which time is meant, and how a night is drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from rich.text import Text

from publisher.contract.past import at, within
from publisher.contract.timeline import (
    GapReading,
    PastAlertReading,
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)
from publisher.contract.when import parse
from publisher.errors import ConfigError
from subscriber_cli.render.bars import columns
from subscriber_cli.render.history import history_lines, moment_lines
from subscriber_cli.then import window

NOW = datetime.fromisoformat("2026-11-30T08:30:00+00:00").timestamp()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def stamp(text: str) -> float:
    return datetime.fromisoformat(f"2026-11-{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("since", "until", "now", "begin", "end"),
    [
        ("", "", "30T08:30", "29T08:30", "30T08:30"),
        ("22:00", "07:00", "30T08:30", "29T22:00", "30T07:01"),
        ("22:00", "07:00", "30T02:00", "29T22:00", "30T02:00"),
        ("22:00", "07:00", "30T23:30", "30T22:00", "30T23:30"),
        ("saturday 22:00", "07:00", "30T08:30", "28T22:00", "29T07:01"),
        ("yesterday 22:00", "yesterday 23:00", "30T08:30", "29T22:00", "29T23:01"),
        ("06:00", "", "30T08:30", "30T06:00", "30T08:30"),
        ("", "07:00", "30T08:30", "29T07:01", "30T07:01"),
    ],
)
def test_the_time_that_is_meant(since: str, until: str, now: str, begin: str, end: str) -> None:
    assert window(since, until, stamp(now)) == (stamp(begin), stamp(end))


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        ("today 23:00", "", "--since: 2026-11-30 23:00 lies ahead"),
        ("06:00", "yesterday 07:00", "--until: that comes before --since"),
        ("soon", "", "--since: 'soon' is no time"),
        ("", "later", "--until: 'later' is no time"),
    ],
)
def test_a_time_that_cannot_be_meant(since: str, until: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        window(since, until, NOW)


# --- drawn ---------------------------------------------------------------------------------------


def today(clock: str) -> str:
    return f"2026-11-30T{clock}:00.000Z"


NIGHT = TimelineReading(
    since=today("00:00"),
    until=today("08:30"),
    left_out=3,
    causes=(
        PastCauseReading(
            label="Restic backup",
            resource="cpu",
            share_percent=91.0,
            began=today("02:58"),
            ended=today("03:24"),
        ),
    ),
    states=(
        PastStateReading(
            state="busy",
            headline="CPU usage high due to: " + "Restic backup of all photos, " * 5,
            began=today("02:58"),
            ended=today("03:24"),
        ),
        PastStateReading(state="quiet", headline="System load normal", began=today("03:24")),
    ),
    alerts=(
        PastAlertReading(
            alert="temperature", severity="warning", message="Hot", began=today("03:00")
        ),
    ),
    gaps=(GapReading(reason="asleep", began=today("01:00"), ended=today("02:00")),),
    series=(
        SeriesReading(
            began=today("02:00"),
            step_seconds=1800,
            cpu_temperature_celsius=[40, 60, 81],
            fan_speed_rpm=[900, 900, 900],
            cpu_percent=[0, 50, 100],
        ),
    ),
)


def drawn(width: int | None, night: TimelineReading = NIGHT) -> list[str]:
    begin, end = stamp("30T00:00"), stamp("30T04:00")
    lines = history_lines("nas", within(night, begin, end), begin, end, NOW, width=width)
    return [line.plain.rstrip() for line in lines]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_night_fits_the_terminal(width: int) -> None:
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    assert lines[0] == "nas  00:00 to 04:00"
    assert [line.split("  ")[0] for line in lines[1:4]] == ["CPU", "fan", "CPU usage"]
    assert lines[1].endswith("  40 to 81 °C")
    assert lines[2].endswith("  900 rpm")


def test_what_happened_stands_in_order() -> None:
    lines = drawn(None)[4:]
    headline = NIGHT.states[0].headline or ""
    assert lines == [
        "01:00 to 02:00  --        not watched: the machine slept (1 h)",
        f"02:58 to 03:24  BUSY      {headline.rstrip()}",
        "02:58 to 03:24            Restic backup · 91 % cpu",
        "since 03:00     ALERT     Hot",
        "since 03:24     QUIET     System load normal",
        "3 more had no room: the oldest and shortest go first",
    ]


def test_a_night_of_which_nothing_is_known() -> None:
    (_, words) = drawn(80, TimelineReading(since=today("07:00"), until=today("08:00")))
    assert words == "Nothing is known of that time: the memory reaches from 07:00 to 08:00"


def test_a_moment_has_the_sentence_first_then_how_it_was() -> None:
    lines = list(moment_lines("nas", at(NIGHT, parse("03:05", NOW), NOW, live=True), NOW))
    assert lines[0].plain == NIGHT.states[0].headline
    assert lines[1].plain == "BUSY 02:58 to 03:24 · nas, 03:05"
    assert lines[3].plain == "CPU 81 °C   fan 900 rpm   CPU usage 100 %"


def test_a_moment_of_which_nothing_is_known() -> None:
    (line,) = moment_lines("nas", at(NIGHT, parse("01:30", NOW), NOW, live=True), NOW)
    assert isinstance(line, Text)
    assert line.plain == ("nas: 01:30: nothing was recorded: the machine slept (01:00 to 02:00)")


def test_columns_are_blank_where_nothing_was_measured() -> None:
    spans = [(0.0, 10.0, 0.0), (20.0, 30.0, 5.0), (25.0, 40.0, 10.0), (90.0, 200.0, 10.0)]
    assert columns(spans, 0.0, 100.0, 10, bottom=0.0, top=10.0) == "▁ ██     █"
    assert columns(spans, 0.0, 0.0, 10, bottom=0.0, top=10.0) == ""
