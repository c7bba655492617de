"""What was, as files: values for other programs, and pages and drawings for people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from publisher.contract import past
from publisher.contract.when import clock
from publisher.errors import ConfigError
from subscriber_cli import export
from subscriber_cli.archive.schema import ArchiveError
from subscriber_cli.model.values import clean
from subscriber_cli.remembered import Remembered, archive_of, chosen
from subscriber_cli.render import web_page
from subscriber_cli.render.drawing import Curve, Drawing, curves_of
from subscriber_cli.render.history import Happening, happenings
from subscriber_cli.then import Question, more_curves

_STEPS = (60.0, 300.0, 3600.0)
_MOST_ROWS = 1500  # of a page's table
_EXPORTED = 1500.0  # rows of one series, unless told otherwise


def values(
    question: Question,
    span: tuple[float, float],
    metrics: Sequence[str],
    step: float | None,
    *,
    csv: str,
    parquet: str,
) -> None:
    """Writes what was measured, from the archive; as JSON lines where neither file is named.

    Raises:
        ArchiveError: there is none, or it knows no such host.
        ConfigError: a metric fits nothing, or pyarrow is missing.
        FanwhyError: the file cannot be written.
    """
    begin, end = span
    if step is None:
        step = next((each for each in _STEPS if (end - begin) / each <= _EXPORTED), _STEPS[-1])
    with archive_of(question.settings, question.database) as archive:
        hosts = chosen(archive.hosts(), question.host)
        if not hosts:
            raise ArchiveError(
                f"{archive.path}: nothing is kept of {clean(question.host) or 'any host'}"
            )
        found = export.rows(archive, export.Wanted(hosts, metrics, begin, end, step))
        if csv:
            export.write_csv(found, csv)
        elif parquet:
            export.write_parquet(found, parquet)
        else:
            export.write_json(found)


def draw(
    question: Question,
    span: tuple[float, float],
    metrics: Sequence[str],
    *,
    html: str,
    svg: str,
    png: str,
) -> None:
    """Writes a page of all hosts, or a drawing or picture of one.

    Raises:
        BrokerError: nobody remembers anything; ``ArchiveError``: nor does the archive.
        ConfigError: a drawing of several hosts, a metric that fits nothing, no way to a PNG.
        FanwhyError: the file cannot be written.
    """
    now = time.time()
    hosts = question.of(span, now)
    drawings = [_drawing(question, host, span, metrics) for host in hosts]
    if svg or png:
        if len(drawings) > 1:
            names = ", ".join(clean(host.name) for host in hosts)
            option = "--svg" if svg else "--png"
            raise ConfigError(f"{option}: draws one host; name it: {names}")
        if svg:
            export.write_text(svg, drawings[0].svg())
        else:
            export.write_png(png, drawings[0].svg(plain=True))
        return
    told = f"{clock(span[0], now)} to {clock(span[1], now)}"
    names = ", ".join(host.name for host in hosts)
    parts = [web_page.heading(f"What was on {names}, {told}", 1)]
    for host, drawing in zip(hosts, drawings, strict=True):
        parts += _section(host, drawing, now)
    export.write_text(html, web_page.page(f"{names}, {told}", parts))


def _drawing(
    question: Question, host: Remembered, span: tuple[float, float], metrics: Sequence[str]
) -> Drawing:
    timeline = past.within(host.timeline, *span)
    curves: list[Curve] = [*curves_of(timeline), *more_curves(question, host.name, span, metrics)]
    return Drawing(host.name, timeline, *span, curves)


def _section(host: Remembered, drawing: Drawing, now: float) -> Iterator[str]:
    yield web_page.heading(host.name)
    yield web_page.figure(drawing)
    told = list(happenings(drawing.timeline, now))
    if not told:
        yield web_page.paragraph("Nothing is known of that time.", faint=True)
        return
    yield web_page.table(("When", "", "What"), map(_cells, told[:_MOST_ROWS]))
    left = len(told) - _MOST_ROWS + (drawing.timeline.left_out or 0)
    if left > 0:
        yield web_page.paragraph(f"{left:,} more have no room here.", faint=True)
    for first, last in host.filled:
        words = f"{clock(first, now)} to {clock(last, now)}: told later by the host itself"
        yield web_page.paragraph(words, faint=True)


def _cells(row: Happening) -> tuple[str, str, str]:
    return row.span, row.kind, row.words
