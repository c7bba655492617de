"""Moments as people write them: what they mean, and what means nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from publisher.contract.when import clock, is_time_of_day, parse
from publisher.errors import ConfigError

# Monday, 08:30 in Berlin.
NOW = datetime.fromisoformat("2026-11-30T08:30:00+01:00").timestamp()


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("03:12", "2026-11-30T03:12:00"),
        ("3:12", "2026-11-30T03:12:00"),
        ("3.12", "2026-11-30T03:12:00"),
        ("03:12:40", "2026-11-30T03:12:40"),
        ("3am", "2026-11-30T03:00:00"),
        ("3 AM", "2026-11-30T03:00:00"),
        ("3:12 a.m.", "2026-11-30T03:12:00"),
        ("12am", "2026-11-30T00:00:00"),
        ("midnight", "2026-11-30T00:00:00"),
        ("noon", "2026-11-29T12:00:00"),
        ("12 pm", "2026-11-29T12:00:00"),
        ("22:00", "2026-11-29T22:00:00"),
        ("at 22:00", "2026-11-29T22:00:00"),
        ("last night 3am", "2026-11-30T03:00:00"),
        ("today 03:12", "2026-11-30T03:12:00"),
        ("yesterday 3am", "2026-11-29T03:00:00"),
        ("Yesterday  at 03:12", "2026-11-29T03:12:00"),
        ("sunday 22:00", "2026-11-29T22:00:00"),
        ("mon 03:12", "2026-11-30T03:12:00"),
        ("monday 22:00", "2026-11-23T22:00:00"),
        ("2 h ago", "2026-11-30T06:30:00"),
        ("90 minutes ago", "2026-11-30T07:00:00"),
        ("now", "2026-11-30T08:30:00"),
        ("2026-11-29T03:12", "2026-11-29T03:12:00"),
        ("2026-11-29 03:12", "2026-11-29T03:12:00"),
        ("2026-11-29T03:12:05.123Z", "2026-11-29T04:12:05.123"),
        ("2026-11-29t03:12:05+00:00", "2026-11-29T04:12:05"),
    ],
)
def test_it_means(text: str, means: str) -> None:
    assert parse(text, NOW).begin == datetime.fromisoformat(f"{means}+01:00").timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"), [("03:12", 60), ("3am", 60), ("03:12:40", 1), ("2026-11-29T03:12:05Z", 1)]
)
def test_as_exactly_as_it_was_written(text: str, seconds: float) -> None:
    assert parse(text, NOW).seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "soon",
        "3",
        "25:00",
        "03:60",
        "13pm",
        "0am",
        "yesterday",
        "2026-11-29",
        "x" * 999,
        "1 fortnight ago",
        "\x1b[31m",
        "٣:١٢:",
        "0001-01-01T00:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_no_time_is_one_printable_line(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, NOW)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("text", ["today 23:00", "2026-11-30T08:31", "2999-01-01T00:00"])
def test_what_has_not_been_yet(text: str) -> None:
    with pytest.raises(ConfigError, match="lies ahead"):
        parse(text, NOW)
    assert parse(text, NOW, ahead=True).begin > NOW


def test_a_time_of_day_has_no_day() -> None:
    words = ("03:12", " 3 AM", "noon", "yesterday 3am", "2 h ago", "2026-11-29T03:12")
    assert [is_time_of_day(text) for text in words] == [True] * 3 + [False] * 3


def test_the_day_is_told_where_it_is_another() -> None:
    times = [NOW - hours * 3600 for hours in (1, 12, 24 * 9)]
    assert [clock(at, NOW) for at in times] == ["07:30", "Sun 20:30", "2026-11-21 08:30"]
    assert clock(float("inf"), NOW) == "?"
