"""What happened on a host, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from publisher.contract.timeline import TimelineReading
from publisher.contract.when import clock, moment
from subscriber_cli.model.journal import Entry
from subscriber_cli.render import theme
from subscriber_cli.render.cells import padded
from subscriber_cli.render.head import wrap
from subscriber_cli.render.page import Page

_DAY = 86400.0
_WORD = 10  # columns
_SAME = 5.0  # seconds within which a memory and an event are the same thing


def log_page(entries: list[Entry], width: int, now: float, *, wanted: str = "") -> Page:
    """What holds ``wanted``, the newest first; a key is the moment, in seconds since the epoch."""
    page = Page()
    taken: set[str] = set()
    folded = wanted.casefold()
    for entry in sorted(entries, key=lambda entry: -entry.at):
        if folded and folded not in f"{entry.message} {entry.word}".casefold():
            continue
        text = Text(f"{_clock(entry.at, now):>9} ", style="dim")
        text.append_text(padded(_said(entry.word), _WORD, _colour(entry))).append(" ")
        start, room = text, max(width - text.cell_len, 12)
        key = f"{entry.at:.3f}"
        opens = "" if key in taken else key
        taken.add(key)
        for line in wrap(entry.message, room, ""):
            page.add(start.append_text(line), opens)
            start, opens = Text(" " * (9 + 1 + _WORD + 1)), ""
    if not page.lines:
        words = f"Nothing in the log speaks of {wanted}." if wanted else "Nothing has happened yet."
        page.extend(wrap(words, width, "dim"))
    return page


def entries_of(prefix: str, live: list[Entry], timeline: TimelineReading | None) -> list[Entry]:
    """What was told while we listened, and what the host remembers of the time before."""
    if timeline is None:
        return live
    first = min((entry.at for entry in live), default=float("inf"))
    before = [entry for entry in _remembered(prefix, timeline) if entry.at < first - _SAME]
    return before + live


def _remembered(prefix: str, timeline: TimelineReading) -> list[Entry]:
    found: list[Entry] = []
    for state in timeline.states:
        at = moment(state.began)
        if at is not None:
            found.append(Entry(prefix, at, state.state or "", "", state.headline or "?"))
    for alert in timeline.alerts:
        at = moment(alert.began)
        if at is not None:
            message = alert.message or alert.alert or "?"
            found.append(Entry(prefix, at, "alert", alert.severity or "warning", message))
    for gap in timeline.gaps:
        at = moment(gap.began)
        if at is not None:
            found.append(Entry(prefix, at, "gap", "", "nobody watched"))
    return found


_WORDS = {
    "cause_began": "began",
    "cause_ended": "ended",
    "alert_raised": "alert",
    "alert_cleared": "cleared",
}


def _said(word: str) -> str:
    return _WORDS.get(word, word)


def _colour(entry: Entry) -> str:
    if entry.severity in theme.SEVERITIES:
        return theme.of_severity(entry.severity)
    return theme.of_state(entry.word) if entry.word in theme.STATES else "dim"


def _clock(at: float, now: float) -> str:
    """A time of today to the second; of another day to the minute."""
    if 0 <= now - at < _DAY and len(clock(at, now)) == len("00:00"):
        return f"{datetime.fromtimestamp(at, UTC).astimezone():%H:%M:%S}"
    return clock(at, now)[-9:]
