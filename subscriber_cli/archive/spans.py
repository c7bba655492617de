"""Causes, sentences, alerts and gaps in the archive: from when to when.

A host tells them again and again, in its ``timeline``, with the same beginnings; what was told
before is only brought up to date. What had no room there is made from the event that ended it.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from publisher.contract.metric import Reading
from publisher.contract.payload import rfc3339, to_json
from publisher.contract.readings import EventReading
from publisher.contract.timeline import (
    GapReading,
    PastAlertReading,
    PastCauseReading,
    PastStateReading,
    TimelineReading,
)
from publisher.contract.when import moment

CAUSE: Final = "cause"
STATE: Final = "state"
ALERT: Final = "alert"
GAP: Final = "gap"
AWAY: Final = "away"
"""A time in which the archive did not hear the host; its body says how much was filled in."""

READINGS: Final[dict[str, type[Reading]]] = {
    CAUSE: PastCauseReading,
    STATE: PastStateReading,
    ALERT: PastAlertReading,
    GAP: GapReading,
}
_SAME_SECONDS: Final = 1.5  # beginnings are told to the millisecond
_LASTING_SECONDS: Final = 60.0  # what is told as over, or not told any more, for this long is over
_MEMORY_SECONDS: Final = 3 * 86400.0  # a memory goes back for two days, and what lasts longer
_MOST: Final = 2000  # of one message
_WORD: Final = re.compile(r"[^\s():,/]{2,}")
_COMMON: Final = frozenset({"python", "script", "tests", "shell", "job", "work", "build", "sh"})
"""Words of labels that many causes share."""


@dataclass(frozen=True, slots=True)
class _Entry:
    sort: str
    began: float
    ended: float | None
    who: str
    body: dict[str, Any]


class Spans:
    """Writes spans of all hosts.

    Args:
        connection: of the writer, which begins and ends the transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._told: dict[int, set[str]] = {}

    def take(self, host: int, timeline: TimelineReading, until: float, most: int) -> int:
        """Takes in what a host remembers, until ``until``, in seconds since the epoch.

        Args:
            host: whose memory it is.
            timeline: the memory.
            until: the last moment of which it tells.
            most: how many spans may be new.

        Returns:
            how many were.
        """
        new = 0
        before = self._told.get(host, set())
        told: set[str] = set()
        open_spans: set[tuple[str, float]] = set()
        for count, entry in enumerate(_entries(timeline)):
            if count >= _MOST:
                break
            if not until - _MEMORY_SECONDS <= entry.began <= until + _SAME_SECONDS:
                continue
            if entry.ended is None:
                open_spans.add((entry.sort, entry.began))
            key = f"{entry.sort}{entry.began}{entry.ended}{json.dumps(entry.body)}"
            told.add(key)
            if key not in before and self._put(host, entry, may_be_new=new < most):
                new += 1
        self._told[host] = told
        self._close(host, until, open_spans)
        self._fill(host, moment(timeline.since) or until, until)
        return new

    def take_event(self, host: int, event: EventReading) -> None:
        """Takes in a cause that has ended, where no span tells of it."""
        began = moment(event.began)
        lasted = event.duration_seconds
        if event.event != "cause_ended" or began is None or lasted is None:
            return
        ended = began + lasted
        if self._is_told(host, event, began, ended):
            return
        reading = PastCauseReading(
            label=event.label,
            category=event.category,
            resource=event.resource,
            energy_joules=event.energy_joules,
            began=rfc3339(began),
            ended=rfc3339(ended),
            unwatched=event.unwatched,
        )
        self._insert(host, _entry(CAUSE, reading, event.resource or ""))

    def away(self, hosts: Iterable[int], began: float, ended: float, reason: str) -> None:
        """Notes that nothing was heard for a while."""
        for host in hosts:
            self._insert(host, _Entry(AWAY, began, ended, reason, {"reason": reason}))

    # --- inside ----------------------------------------------------------------------------------

    def _put(self, host: int, entry: _Entry, *, may_be_new: bool) -> bool:
        """Brings a span up to date, or makes it; whether it was made."""
        row = self._connection.execute(
            "SELECT id FROM span WHERE host = ? AND sort = ? AND who = ?"
            " AND began BETWEEN ? AND ? LIMIT 1",
            (host, entry.sort, entry.who, entry.began - _SAME_SECONDS, entry.began + _SAME_SECONDS),
        ).fetchone()
        if entry.sort == CAUSE:
            self._replace_made_of_event(host, entry)
        if row is None:
            if may_be_new:
                self._insert(host, entry)
            return may_be_new
        self._connection.execute(
            "UPDATE span SET ended = ?, body = ? WHERE id = ?",
            (entry.ended, _json(entry.body), row[0]),
        )
        return False

    def _insert(self, host: int, entry: _Entry) -> None:
        self._connection.execute(
            "INSERT INTO span (host, sort, began, ended, who, body) VALUES (?, ?, ?, ?, ?, ?)",
            (host, entry.sort, entry.began, entry.ended, entry.who, _json(entry.body)),
        )

    def _replace_made_of_event(self, host: int, entry: _Entry) -> None:
        """Removes what was made of events about turns of the same cause: this tells them as one."""
        ended = entry.ended if entry.ended is not None else float("inf")
        found = self._connection.execute(
            "SELECT id, body FROM span WHERE host = ? AND sort = ? AND who = ?"
            " AND began >= ? AND began <= ?",
            (
                host,
                CAUSE,
                str(entry.body.get("resource") or ""),
                entry.began - _SAME_SECONDS,
                ended,
            ),
        ).fetchall()
        for number, body in found:
            label = json.loads(body).get("label")
            if _is_called(entry.body, label):
                self._connection.execute("DELETE FROM span WHERE id = ?", (number,))

    def _is_told(self, host: int, event: EventReading, began: float, ended: float) -> bool:
        rows = self._connection.execute(
            "SELECT body FROM span WHERE host = ? AND sort = ? AND began <= ?"
            " AND (ended IS NULL OR ended >= ?) ORDER BY began DESC LIMIT 200",
            (host, CAUSE, ended + _SAME_SECONDS, began - _SAME_SECONDS),
        ).fetchall()
        bodies = (json.loads(body) for (body,) in rows)
        return any(
            body.get("resource") == event.resource
            and (_is_called(body, event.label) or body.get("began") == event.began)
            for body in bodies
        )

    def _close(self, host: int, until: float, open_spans: set[tuple[str, float]]) -> None:
        """Ends what lasted when it was told last and is not told of any more."""
        rows = self._connection.execute(
            "SELECT id, sort, began, body FROM span WHERE host = ? AND ended IS NULL AND began < ?",
            (host, until - _LASTING_SECONDS),
        ).fetchall()
        for number, sort, began, body in rows:
            if any(sort == kind and abs(began - at) < _SAME_SECONDS for kind, at in open_spans):
                continue
            seen = json.loads(body)
            last = max(moment(seen.get("seen")) or began, began)
            self._connection.execute(
                "UPDATE span SET ended = ?, body = ? WHERE id = ?",
                (last, _json({**seen, "ended": rfc3339(last), "unwatched": True}), number),
            )
        self._connection.execute(
            "UPDATE span SET body = json_set(body, '$.seen', ?) WHERE host = ? AND ended IS NULL",
            (rfc3339(until), host),
        )

    def _fill(self, host: int, since: float, until: float) -> None:
        """Notes how much of a time in which nothing was heard a memory tells of."""
        rows = self._connection.execute(
            "SELECT id, began, ended, body FROM span WHERE host = ? AND sort = ?"
            " AND ended <= ? AND ended > ?",
            (host, AWAY, until, since),
        ).fetchall()
        for number, began, ended, body in rows:
            told = json.loads(body)
            if "filled_since" in told:
                continue
            told |= {"filled_since": max(began, since), "filled_until": ended}
            self._connection.execute("UPDATE span SET body = ? WHERE id = ?", (_json(told), number))


def _entries(timeline: TimelineReading) -> Iterator[_Entry]:
    for state in timeline.states:
        yield _entry(STATE, state, "")
    for cause in timeline.causes:
        yield _entry(CAUSE, cause, f"{cause.resource or ''} {cause.group or cause.label or ''}")
    for alert in timeline.alerts:
        yield _entry(ALERT, alert, f"{alert.alert or ''} {alert.label or ''}")
    for gap in timeline.gaps:
        yield _entry(GAP, gap, gap.reason or "")


def _entry(sort: str, reading: Reading, who: str) -> _Entry:
    body = to_json(reading)
    began = moment(body.get("began")) or 0.0
    ended = moment(body.get("ended"))
    return _Entry(sort, began, None if ended is None else max(ended, began), who, body)


def _is_called(body: dict[str, Any], label: str | None) -> bool:
    """Whether a cause that an event names is the one that a span tells of.

    Both put label and group into words of their own, so they share one that says something.
    """
    own = f"{body.get('label') or ''} {body.get('group') or ''}"
    return bool(_words(own) & _words(label or ""))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold())) - _COMMON


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
