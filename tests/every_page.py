"""Every page of the screen about some hosts, as lines: for tests of what may stand there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.text import Text

from publisher.contract import topics
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ledger import ledger
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.ranking import worst_first
from subscriber_cli.model.view import View
from subscriber_cli.render.board import board, column_count, topic_page
from subscriber_cli.render.fleet import fleet_page, tally_line
from subscriber_cli.render.logbook import entries_of, log_page
from subscriber_cli.render.past import SPANS, PastState, past_page
from subscriber_cli.render.tables import TableState, ledger_page, row_page
from subscriber_cli.render.verdict import (
    broker_lines,
    cause_key,
    cause_page,
    causes,
    verdict,
    waiting,
)


def every_page(view: View, width: int, height: int, now: float) -> list[Text]:
    """All lines that the screen of ``width`` columns could show, of every host and of all."""
    hosts = worst_first(view.fleet, now)
    lines = [*broker_lines(view, width, now), *waiting(view, width), tally_line(hosts)]
    lines += fleet_page(hosts, width, now).lines
    for each in hosts:
        lines += _of(view, each.host, width, height, now)
    for line in lines:
        line.truncate(width)  # as the widget does, which knows no wider line
    return lines


def _of(view: View, host: KnownHost, width: int, height: int, now: float) -> Iterator[Text]:
    yield from verdict(host, width, now)
    yield from causes(host, width, now).lines
    for cause in host.explanation.causes:
        yield from cause_page(host, cause_key(cause), width, now).lines
    for page in board(host, width, column_count(width), height, now):
        yield from page.lines
    for leaf in host.latest:
        yield from topic_page(host, leaf, width, now).lines
    table = ledger(host)
    yield from ledger_page(table, TableState(), width, now).lines
    for row in table.rows:
        yield from row_page(row, width, now).lines
    live = list(view.journal.of(host.prefix))
    timeline = timeline_of(_content(host, topics.TIMELINE))
    yield from log_page(entries_of(host.prefix, live, timeline), width, now).lines
    for span in SPANS:
        for moment in (None, now - 1.0):
            state = PastState(span, moment)
            yield from past_page(host.name, timeline, state, width, now, live=True).lines


def _content(host: KnownHost, leaf: str) -> Mapping[str, object]:
    latest = host.latest.get(leaf)
    content = latest.message.open().content if latest is not None else None
    return content if isinstance(content, Mapping) else {}
