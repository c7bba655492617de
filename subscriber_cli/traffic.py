"""``fanwhy-sub topics``: what is published, how large it is and how often."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from publisher.contract.units import Unit, humanise
from publisher.errors import BrokerError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import raw_messages
from subscriber_cli.model.values import clean
from subscriber_cli.render.lines import show

_MOST = 5000  # topics that are counted, whoever publishes them
_MINUTE = 60.0


@dataclass(slots=True)
class Traffic:
    """What came on one topic.

    Attributes:
        kept: the broker has kept its newest message.
        size: bytes of the newest payload.
        count: messages that were published meanwhile, and
        sent: the bytes of them all.
    """

    kept: bool = False
    size: int = 0
    count: int = 0
    sent: int = 0


def traffic(
    *,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", metavar="SECONDS", min=0.5, help="How long.")
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a topic.")] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Every topic below the prefix: the bytes of its newest message, and how often it is said."""
    settings = load_settings(broker, prefix, config)
    if sys.stderr.isatty():
        print(f"fanwhy-sub: listening for {seconds:g} s …", file=sys.stderr)
    found: dict[str, Traffic] = {}
    left_out = False
    for request in raw_messages(settings.broker, settings.prefix, seconds):
        known = found.get(request.topic)
        if known is None:
            if len(found) >= _MOST:
                left_out = True
                continue
            known = found[request.topic] = Traffic()
        known.size = len(request.payload)
        if request.retain:
            known.kept = True
        else:
            known.count += 1
            known.sent += len(request.payload)
    if left_out:
        print(f"fanwhy-sub: more than {_MOST} topics: the others are left out", file=sys.stderr)
    if not found:
        raise BrokerError("nothing was published or kept below that prefix; is fanwhy-pub running?")
    if as_json:
        for topic, each in sorted(found.items()):
            print(json.dumps(_document(topic, each, seconds)))
        return
    _print(found, seconds, make_console())


def _document(topic: str, each: Traffic, seconds: float) -> dict[str, object]:
    return {
        "topic": clean(topic),
        "retained": each.kept,
        "bytes": each.size,
        "messages": each.count,
        "messages_per_minute": round(each.count * _MINUTE / seconds, 1),
        "bytes_per_second": round(each.sent / seconds, 1),
    }


def _print(found: dict[str, Traffic], seconds: float, console: Console) -> None:
    rows = [("TOPIC", "KEPT", "SIZE", "A MINUTE", "TRAFFIC")]
    for topic, each in sorted(found.items()):
        rows.append(
            (
                clean(topic),
                "yes" if each.kept else "",
                humanise(each.size, Unit.BYTES),
                f"{each.count * _MINUTE / seconds:.1f}" if each.count else "",
                humanise(each.sent / seconds, Unit.BYTES_PER_SECOND) if each.sent else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        show(console, Text("  ".join(cells), style="" if number else "bold"))
    kept = sum(each.size for each in found.values() if each.kept)
    sent = sum(each.sent for each in found.values()) / seconds
    show(
        console,
        Text(
            f"{len(found)} topics, {humanise(kept, Unit.BYTES)} kept, "
            f"{humanise(sent, Unit.BYTES_PER_SECOND)} in {seconds:g} s",
            style="dim",
        ),
    )
