"""``fanwhy-sub hosts``: every machine on the broker, the worst first."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from publisher.contract import topics
from publisher.contract.payload import rfc3339
from publisher.contract.units import Unit
from publisher.errors import BrokerError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import Stream
from subscriber_cli.listening import listen
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import Ranked, worst_first
from subscriber_cli.render.fleet import fleet_page, tally_line
from subscriber_cli.render.lines import show

_BODY = (Unit.CELSIUS, Unit.RPM, Unit.WATTS)
_ENDLESS = 10_000  # columns of what is no terminal


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
    now = time.time()
    found = worst_first(heard.fleet, now)
    if not found:
        raise BrokerError(heard.silence)
    if as_json:
        for each in found:
            print(json.dumps(document_of(each)))
        return
    console = make_console()
    if len(found) > 1:
        show(console, tally_line(found))
    width = console.width if console.is_terminal else _ENDLESS
    for line in fleet_page(found, width, now).lines:
        show(console, line)


def document_of(ranked: Ranked) -> dict[str, Any]:
    """A host as one JSON object."""
    host = ranked.host
    explanation = host.explanation
    document: dict[str, Any] = {
        "host": host.name,
        "prefix": host.prefix,
        "state": ranked.standing,
        "headline": explanation.headline,
        "since": _time(explanation.since),
        "heard": _time(host.last_heard),
    }
    cells = explanation.evidence.cells
    for unit in _BODY:
        found = (cell for cell in cells if cell.column.unit == unit and cell.number is not None)
        if (cell := next(found, None)) is not None:
            document[cell.column.name] = cell.number
    return document


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
