"""What becomes of values as they grow old: rows, packed days, five minutes, hours.

A day that is over for ``OPEN_SECONDS`` is packed: one block a series with every value, one with
rows of five minutes, and the hours added to the block of their month. Every value is kept for 14
days, five minutes for a year, hours for good, all of it only while the file has room.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from publisher.contract import topics
from publisher.contract.metric import Kind
from subscriber_cli.archive.packing import pack, unpack
from subscriber_cli.archive.rollup import (
    HOLD_SECONDS,
    Summary,
    brief,
    held,
    summaries,
    within,
    without,
)

DAY: Final = 86400
OPEN_SECONDS: Final = 2 * DAY
"""Values younger than this are rows, as a host's memory may still tell them better."""
EVERY, FIVE_MINUTES, HOURS = 0, 1, 2
"""Levels of a block."""
STEPS: Final = {FIVE_MINUTES: 300.0, HOURS: 3600.0}
MONTH: Final = 32 * DAY
"""What a block of hours holds."""
LAST_OF: Final = (Kind.CHOICE, Kind.FLAG, Kind.COUNTER)
"""Kinds of value of which no mean is made."""
PACKED: Final = "packed_until"
"""The fact that says from which moment on values are rows."""

_PACKING: Final = "packed_series"
_AT_ONCE: Final = 50  # series in one transaction
_KEPT: Final = {EVERY: 14 * DAY, FIVE_MINUTES: 366 * DAY}
_KEPT_EVENTS: Final = 3 * 366 * DAY
_NEARLY_FULL: Final = 0.9  # of the size allowed, from which on room is made
_ROOM: Final = 0.85  # until this is left
_MOST_PAGES: Final = 2000  # given back to the disk at once


def packed_until(connection: sqlite3.Connection) -> float:
    """Until when days are packed, in seconds since the epoch."""
    row = connection.execute("SELECT value FROM fact WHERE key = ?", (PACKED,)).fetchone()
    return 0.0 if row is None else float(row[0])


def keep_house(connection: sqlite3.Connection, now: float, largest_bytes: int) -> bool:
    """Does a part of what is due, in a transaction of its own; whether there is more to do.

    Args:
        connection: of the writer.
        now: seconds since the epoch.
        largest_bytes: that the file may have.
    """
    day = _over(connection, now)
    if day is not None:
        connection.execute("BEGIN IMMEDIATE")
        _pack_some(connection, day)
        connection.execute("COMMIT")
        return True
    _forget(connection, now)
    _shrink(connection, now, largest_bytes)
    return False


def _over(connection: sqlite3.Connection, now: float) -> int | None:
    """The day that is to be packed next: the earliest that is over."""
    begin = packed_until(connection)
    if not begin:
        earliest = connection.execute("SELECT min(at) FROM point").fetchone()[0]
        if earliest is None:
            return None
        begin = earliest / 1000
    day = int(begin) // DAY * DAY
    return day if day + DAY <= now - OPEN_SECONDS else None


def _pack_some(connection: sqlite3.Connection, day: int) -> None:
    """Packs a day of the next few series; after the last of them the day is done."""
    row = connection.execute("SELECT value FROM fact WHERE key = ?", (_PACKING,)).fetchone()
    some = connection.execute(
        "SELECT id, host, kind, topic FROM series WHERE id > ? ORDER BY id LIMIT ?",
        (0 if row is None else row[0], _AT_ONCE),
    ).fetchall()
    for number, host, kind, topic in some:
        gaps = gaps_of(connection, host, topic, (day - HOLD_SECONDS, day + DAY))
        _pack(connection, number, gaps, day, last=kind in LAST_OF)
    facts = [(_PACKING, some[-1][0])] if some else [(_PACKING, 0), (PACKED, float(day + DAY))]
    connection.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts)


def _pack(
    connection: sqlite3.Connection,
    series: int,
    gaps: list[tuple[float, float]],
    day: int,
    *,
    last: bool,
) -> None:
    """Makes blocks of a series' day, of which no row is left."""
    first, beyond = day * 1000, (day + DAY) * 1000
    held_before = round((day - HOLD_SECONDS) * 1000)
    points = connection.execute(
        "SELECT at, value FROM point WHERE series = ? AND at >= ? AND at < ? ORDER BY at",
        (series, held_before, beyond),
    ).fetchall()
    if not points:
        return
    own = [(at, value) for at, value in points if at >= first]
    if own:
        key = (series, EVERY, day)
        _put_block(connection, key, [at - first for at, _ in own], [[value for _, value in own]])
    known = list(within(without(held(seconds(points)), gaps), day, day + DAY))
    for level, step in STEPS.items():
        _add_rows(connection, series, level, summaries(known, step, last=last))
    # What the next day begins with is left until that is packed.
    left = round((day + DAY - HOLD_SECONDS) * 1000)
    connection.execute("DELETE FROM point WHERE series = ? AND at < ?", (series, left))


def seconds(points: Iterable[tuple[int, float | None]]) -> Iterator[tuple[float, float | None]]:
    """Points of the table as others have them: milliseconds become seconds."""
    return ((at / 1000, value) for at, value in points)


def gaps_of(
    connection: sqlite3.Connection, host: int, topic: str, span: tuple[float, float]
) -> list[tuple[float, float]]:
    """(begin, end) of the times in which a host was not watched, or a topic of its not heard.

    What a host remembers is told later, so that not having heard it meanwhile is no gap in it.
    """
    heard = topic == topics.TIMELINE
    return connection.execute(
        "SELECT began, ended FROM span WHERE host = ? AND (sort = 'gap' OR (sort = 'away' AND ?))"
        " AND began < ? AND ended > ? ORDER BY began",
        (host, not heard, span[1], span[0]),
    ).fetchall()


def _add_rows(connection: sqlite3.Connection, series: int, level: int, rows: list[Summary]) -> None:
    """Puts rows of one day into their block, which may have those of other days."""
    if not rows:
        return
    span = DAY if level == FIVE_MINUTES else MONTH
    begin = int(rows[0].begin) // span * span
    step = int(STEPS[level])
    known: dict[int, tuple[float | None, ...]] = {}
    old = connection.execute(
        "SELECT data FROM block WHERE series = ? AND level = ? AND begin = ?",
        (series, level, begin),
    ).fetchone()
    if old is not None:
        times, before = unpack(old[0])
        known = dict(zip(times, zip(*before, strict=True), strict=True))
    for row in rows:
        known[(int(row.begin) - begin) // step] = (row.low, brief(row.mean), row.high)
    slots = sorted(known)
    columns = [[known[slot][column] for slot in slots] for column in range(3)]
    _put_block(connection, (series, level, begin), slots, columns)


def _put_block(
    connection: sqlite3.Connection,
    key: tuple[int, int, int],
    times: list[int],
    columns: list[list[float | None]],
) -> None:
    """Writes a block; ``key`` is series, level and begin."""
    connection.execute(
        "INSERT OR REPLACE INTO block (series, level, begin, data) VALUES (?, ?, ?, ?)",
        (*key, pack(times, columns)),
    )


def _forget(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for level, seconds in _KEPT.items():
        connection.execute(
            "DELETE FROM block WHERE level = ? AND begin < ?", (level, int(now - seconds))
        )
    connection.execute("DELETE FROM event WHERE at < ?", (now - _KEPT_EVENTS,))
    connection.execute("DELETE FROM span WHERE ended < ?", (now - _KEPT_EVENTS,))
    connection.execute("COMMIT")
    connection.execute(f"PRAGMA incremental_vacuum({_MOST_PAGES})").fetchall()


def _shrink(connection: sqlite3.Connection, now: float, largest_bytes: int) -> None:
    """Forgets the oldest, the finest first, until the file has room again.

    Hours, events and causes go only where that is not enough: no flood of values takes them along,
    since values are refused before (``Intake.full``).
    """
    if used_bytes(connection) > largest_bytes * _NEARLY_FULL:
        _forget_blocks(connection, (EVERY, FIVE_MINUTES), largest_bytes)
    if used_bytes(connection) > largest_bytes:
        _forget_blocks(connection, (HOURS,), largest_bytes)
    while used_bytes(connection) > largest_bytes:
        oldest = connection.execute("SELECT min(at) FROM event").fetchone()[0]
        if oldest is None or oldest > now - DAY:
            break
        connection.execute("DELETE FROM event WHERE at < ?", (oldest + DAY,))
        connection.execute("DELETE FROM span WHERE ended < ?", (oldest + DAY,))
    connection.execute(f"PRAGMA incremental_vacuum({_MOST_PAGES})").fetchall()


def _forget_blocks(
    connection: sqlite3.Connection, levels: tuple[int, ...], largest_bytes: int
) -> None:
    for level in levels:
        while used_bytes(connection) > largest_bytes * _ROOM:
            oldest = connection.execute(
                "SELECT min(begin) FROM block WHERE level = ?", (level,)
            ).fetchone()[0]
            if oldest is None:
                break
            connection.execute("DELETE FROM block WHERE level = ? AND begin = ?", (level, oldest))


def used_bytes(connection: sqlite3.Connection) -> int:
    """What of the file is in use."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
