"""What becomes of days that are over, and of a file that has grown too large."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archive_parties import event, timeline

from publisher.contract.payload import rfc3339
from subscriber_cli.archive import keeping
from subscriber_cli.archive.keeping import DAY, EVERY, FIVE_MINUTES, HOURS
from subscriber_cli.archive.reader import Archive
from subscriber_cli.archive.rollup import Summary
from subscriber_cli.archive.schema import ArchiveError
from subscriber_cli.archive.writer import Writer
from subscriber_cli.model.decode import Received

Put = Callable[..., None]
Ask = Callable[[], Archive]
MIDNIGHT = 1_799_971_200.0
"""The beginning of a day, UTC."""


@pytest.fixture
def days(
    put: Put, writer: Writer, say: Callable[..., Received], cpu: Callable[[float], Any]
) -> Callable[[int], None]:
    """Writes a value every ten minutes, for some days: 0 in the first hour, 1 in the second …"""
    del put  # which has told the catalogue

    def write(count: int) -> None:
        times = [MIDNIGHT + number * 600 for number in range(count * 144)]
        batch = [(say("cpu", cpu((at - MIDNIGHT) // 3600), at=at), at) for at in times]
        writer.write(batch, times[-1])

    return write


def tidy(writer: Writer, now: float) -> None:
    while writer.keep_house(now):
        pass


def usage(ask: Ask, begin: float, end: float, step: float = 0) -> list[Summary]:
    archive = ask()
    (host,) = archive.hosts()
    series = archive.find(host, "cpu", "usage_percent")
    assert series is not None
    return archive.values(host, series, begin, end, step)


def levels(path: Path) -> dict[int, int]:
    found = sqlite3.connect(path).execute("SELECT level, count(*) FROM block GROUP BY level")
    return dict(found.fetchall())


def points(path: Path) -> int:
    return int(sqlite3.connect(path).execute("SELECT count(*) FROM point").fetchone()[0])


@pytest.mark.parametrize("step", [0, 60, 300, 3600, 7200, 86400])
def test_an_answer_is_the_same_before_and_after_days_are_packed(
    days: Callable[[int], None], ask: Ask, writer: Writer, path: Path, step: float
) -> None:
    days(5)
    begin, end = MIDNIGHT + 5 * 3600, MIDNIGHT + 4.5 * DAY
    before = usage(ask, begin, end, step)
    tidy(writer, MIDNIGHT + 5 * DAY)

    assert levels(path) == {EVERY: 3, FIVE_MINUTES: 3, HOURS: 1}
    after = usage(ask, begin, end, step)
    assert [(row.begin, row.end, row.low, row.mean, row.high) for row in after] == [
        (row.begin, row.end, row.low, row.mean, row.high) for row in before
    ]
    assert before


def test_what_is_packed_leaves_no_rows_but_those_that_the_next_day_begins_with(
    days: Callable[[int], None], writer: Writer, path: Path
) -> None:
    days(5)
    before = points(path)
    tidy(writer, MIDNIGHT + 5 * DAY)
    assert points(path) == before - 3 * 144 + 2


def test_hours_are_for_good_and_the_rest_is_not(
    days: Callable[[int], None], ask: Ask, writer: Writer, path: Path
) -> None:
    days(5)
    tidy(writer, MIDNIGHT + 30 * DAY)
    assert levels(path) == {FIVE_MINUTES: 5, HOURS: 1}
    tidy(writer, MIDNIGHT + 400 * DAY)
    assert levels(path) == {HOURS: 1}

    rows = usage(ask, MIDNIGHT, MIDNIGHT + DAY, 60)
    assert [(row.mean, row.end - row.begin) for row in rows] == [
        (float(hour), 3600.0) for hour in range(24)
    ]


def test_a_part_that_was_packed_before_a_crash_is_not_packed_twice(
    put: Put, ask: Ask, writer: Writer, now: float
) -> None:
    fields = {f"n{index}": index for index in range(120)}
    for hour in range(24):
        at = MIDNIGHT + hour * 3600
        put("doorbell", {"host": "nas", "time": rfc3339(at), **fields, "n0": hour}, at=at)
    assert writer.keep_house(MIDNIGHT + 4 * DAY)  # the first fifty series
    writer.close()  # as a crash
    archive = ask()
    (host,) = archive.hosts()
    for name in ("n0", "n119"):
        series = archive.find(host, "doorbell", name)
        assert series is not None
        assert len(archive.values(host, series, MIDNIGHT, MIDNIGHT + DAY)) == 24
    tidy(writer, MIDNIGHT + 4 * DAY)
    for name in ("n0", "n119"):
        series = archive.find(host, "doorbell", name)
        assert series is not None
        assert len(archive.values(host, series, MIDNIGHT, MIDNIGHT + DAY)) == 24
    del now


def test_a_value_holds_over_midnight(
    put: Put, ask: Ask, writer: Writer, cpu: Callable[[float], Any]
) -> None:
    put("cpu", cpu(7.0), at=MIDNIGHT - 300)
    put("cpu", cpu(8.0), at=MIDNIGHT + 600)
    tidy(writer, MIDNIGHT + 5 * DAY)

    (row, *_) = usage(ask, MIDNIGHT, MIDNIGHT + 3600, 300)
    assert (row.begin, row.mean) == (MIDNIGHT, 7.0)


def test_nothing_is_summed_up_of_a_time_in_which_nothing_was_heard(
    put: Put, ask: Ask, writer: Writer, cpu: Callable[[float], Any]
) -> None:
    put("cpu", cpu(7.0), at=MIDNIGHT + 100)
    writer.resume(MIDNIGHT + 700, "recorder")
    put("cpu", cpu(8.0), at=MIDNIGHT + 700)
    tidy(writer, MIDNIGHT + 5 * DAY)

    rows = usage(ask, MIDNIGHT, MIDNIGHT + 1200, 300)
    assert [row.begin - MIDNIGHT for row in rows] == [600, 900]


def test_a_file_that_is_too_large_forgets_the_finest_and_oldest_first(
    days: Callable[[int], None], path: Path, put: Put
) -> None:
    days(4)
    put("event", event("a-1", MIDNIGHT), at=MIDNIGHT)
    put("timeline", timeline(MIDNIGHT), at=MIDNIGHT)
    small = Writer(path, 60_000)
    tidy(small, MIDNIGHT + 6 * DAY)
    small.close()

    assert EVERY not in levels(path)


def test_a_damaged_block_is_one_line(
    days: Callable[[int], None], ask: Ask, writer: Writer, path: Path
) -> None:
    days(4)
    tidy(writer, MIDNIGHT + 8 * DAY)
    writer.close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE block SET data = x'00'")
    raw.commit()
    with pytest.raises(ArchiveError, match="block"):
        usage(ask, MIDNIGHT, MIDNIGHT + DAY)


def test_an_empty_archive_has_nothing_to_keep(writer: Writer) -> None:
    assert not writer.keep_house(MIDNIGHT)
    assert keeping.OPEN_SECONDS == 2 * DAY
