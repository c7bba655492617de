"""``fanwhy-sub why``: what is going on, once, and done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console

from publisher.contract import topics
from publisher.errors import BrokerError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.values import clean
from subscriber_cli.render.head import EDGE, head
from subscriber_cli.terminal_settings import TerminalSettings

_MOST_LINES = 50
_ENDLESS = 10_000  # columns of what is no terminal
_OTHERS = 0.4  # seconds for the rest of what the broker keeps, and for fresher answers


def why(
    *,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Tell of then: 03:12, 'yesterday 3am', 2026-11-29T03:12."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a host: topic and payload.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for a verdict.")] = 10.0,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """The sentence and its causes, once: now, or at a time of the last two days.

    Exits with 1 when no host has one in time.
    """
    settings = load_settings(broker, prefix, config)
    if at is not None:
        # All readings are declared for it, which nobody else needs.
        from subscriber_cli import then  # noqa: PLC0415

        then.tell(settings, make_console(), at, as_json=as_json, timeout=timeout)
        return
    answer(settings, make_console(), as_json=as_json, timeout=timeout)


def answer(settings: TerminalSettings, console: Console, *, as_json: bool, timeout: float) -> None:
    """Prints the newest verdict of every host.

    Raises:
        BrokerError: none came in ``timeout`` seconds, or only from hosts that are offline.
    """
    fleet = _gather(settings, timeout)
    hosts = sorted((host for host in fleet if _has_verdict(host)), key=_is_offline)
    names = Counter(host.name for host in hosts)
    for host in hosts:
        if names[host.name] > 1:  # as a machine is that had another prefix before
            host.name = f"{host.name} ({clean(host.prefix)})"
    for host in hosts:
        if as_json:
            print(host.latest[topics.EXPLANATION].message.open().json_line())
        else:
            if host is not hosts[0]:
                console.print()
            _print(host, console)
    if all(host.offline for host in hosts):
        gone = ", ".join(host.name for host in hosts)
        raise BrokerError(f"{gone}: offline; this was the last word")


def _has_verdict(host: KnownHost) -> bool:
    return topics.EXPLANATION in host.latest


def _is_offline(host: KnownHost) -> bool:
    return host.offline


def _print(host: KnownHost, console: Console) -> None:
    if console.is_terminal:
        for line in head(host, console.width, _MOST_LINES, time.time()):
            console.print(line, no_wrap=True, overflow="ellipsis")
        return
    for line in head(host, _ENDLESS, _MOST_LINES, time.time()):
        if plain := line.plain.removeprefix(EDGE).rstrip():
            print(plain)


def _gather(settings: TerminalSettings, timeout: float) -> Fleet:
    fleet = Fleet(sparklines=False)
    asked: set[str] = set()
    ends = time.monotonic() + timeout
    silence = "no host has said anything"
    with Stream(settings.broker, settings.prefix) as stream:
        while (left := ends - time.monotonic()) > 0:
            item = stream.get(left)
            if isinstance(item, Connected):
                silence = f"{item.endpoint}: no host has said why; is fanwhy-pub running?"
            elif isinstance(item, Trouble):
                silence = item.text
                if item.final:
                    break
            elif isinstance(item, Received):
                host = fleet.apply(item, time.time())
                if skipped := fleet.complaint():
                    print(f"fanwhy-sub: {skipped}", file=sys.stderr)
                if host is not None and item.leaf == topics.EXPLANATION and _has_verdict(host):
                    if not asked:
                        ends = min(ends, time.monotonic() + _OTHERS)
                    if host.prefix not in asked:
                        # What the broker keeps changes when causes do; its figures may be old.
                        stream.command(host.prefix, "why")
                    asked.add(host.prefix)
    if not any(map(_has_verdict, fleet)):
        raise BrokerError(silence)
    return fleet
