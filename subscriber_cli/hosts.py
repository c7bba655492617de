"""``fanwhy-sub hosts``: every machine on the broker, the worst first."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from publisher.contract import topics
from publisher.contract.payload import rfc3339
from publisher.contract.units import Unit, duration, humanise
from publisher.errors import BrokerError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import Stream
from subscriber_cli.listening import listen
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import tally, worst_first
from subscriber_cli.model.row import Cell
from subscriber_cli.render import theme
from subscriber_cli.render.lines import show

# The machine's body; the first value of each unit in the overview stands for it.
_BODY = (Unit.CELSIUS, Unit.RPM, Unit.WATTS)
_GAP = "  "


def hosts(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a host.")] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for a host.")
    ] = 10.0,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Every machine on the broker, the worst first: state, sentence, heat, fan, power, age."""
    settings = load_settings(broker, prefix, config)

    def take(_: Stream, item: Received, host: KnownHost) -> bool:
        return host.is_machine and item.leaf in (topics.STATUS, topics.EXPLANATION)

    heard = listen(settings, timeout, take, missing="no host is known there")
    found = worst_first(heard.fleet)
    if not found:
        raise BrokerError(heard.silence)
    now = time.time()
    if as_json:
        for host in found:
            print(json.dumps(_document(host)))
        return
    console = make_console()
    _print(found, console, now)


def _document(host: KnownHost) -> dict[str, Any]:
    explanation = host.explanation
    document: dict[str, Any] = {
        "host": host.name,
        "prefix": host.prefix,
        "state": host.state,
        "headline": explanation.headline,
        "since": _time(explanation.since),
        "heard": _time(host.last_heard),
    }
    for cell in _body(host):
        document[cell.column.name] = cell.number
    return document


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _body(host: KnownHost) -> list[Cell]:
    """Temperature, fan and power, as far as the machine measures them."""
    cells = [cell for cell in host.row(topics.OVERVIEW).cells if cell.number is not None]
    firsts = (
        next((cell for cell in cells if cell.column.unit == unit and cell.column.measures), None)
        for unit in _BODY
    )
    return [cell for cell in firsts if cell is not None]


def _print(found: list[KnownHost], console: Console, now: float) -> None:
    rows = [_columns(host, now) for host in found]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if len(found) > 1:
        show(console, Text(tally(found), style="bold"))
    for host, row in zip(found, rows, strict=True):
        line = Text(_GAP.join(_aligned(*each) for each in zip(range(len(row)), row, widths)))  # noqa: B905
        style = theme.of_state(host.state)
        line.stylize(f"bold {style}", widths[0] + len(_GAP), widths[0] + len(_GAP) + widths[1])
        line.append(_GAP).append(_sentence(host), style="dim" if host.offline else "")
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        show(console, line)


def _aligned(column: int, text: str, width: int) -> str:
    """Words to the left, numbers to the right."""
    gap = " " * (width - cell_len(text))
    return text + gap if column < 2 else gap + text


def _columns(host: KnownHost, now: float) -> list[str]:
    body = {cell.column.unit: cell for cell in _body(host)}
    measured = [
        humanise(cell.number, unit, cell.column.precision)
        if (cell := body.get(unit)) is not None and cell.number is not None
        else ""
        for unit in _BODY
    ]
    heard = "" if host.last_heard is None else f"{duration(max(now - host.last_heard, 0.0))} ago"
    return [host.name, host.state or "no word yet", *measured, heard]


def _sentence(host: KnownHost) -> str:
    return host.explanation.headline
