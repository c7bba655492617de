"""``fanwhy-sub why``: what is going on, once, when something is so, or as it changes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from publisher.contract import topics
from publisher.contract.readings import HostState
from publisher.errors import BrokerError, ConfigError
from subscriber_cli.arguments import (
    Broker,
    Config,
    Database,
    Prefix,
    load_settings,
    make_console,
)
from subscriber_cli.client import Stream
from subscriber_cli.completion import hosts
from subscriber_cli.listening import called, is_called, listen
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.model.ranking import OFFLINE
from subscriber_cli.model.values import clean
from subscriber_cli.render import theme
from subscriber_cli.render.head import EDGE, head
from subscriber_cli.render.lines import show
from subscriber_cli.terminal_settings import TerminalSettings

_MOST_LINES = 50
_ENDLESS = 10_000  # columns of what is no terminal
_SECONDS = 10.0
_MISSING = "no host has said why"

EXIT_CODES = {
    HostState.QUIET: 0,
    HostState.COOLING: 10,
    HostState.BUSY: 11,
    HostState.HOT: 12,
    HostState.PRESSURE: 13,
}
"""What ``--exit-code`` ends with; of several hosts the highest."""
_UNKNOWN_STATE = 10  # of a newer daemon: anything but quiet


class Awaited(StrEnum):
    """What can be waited for: a state of the verdict, or that a host is gone."""

    QUIET = HostState.QUIET
    BUSY = HostState.BUSY
    HOT = HostState.HOT
    COOLING = HostState.COOLING
    PRESSURE = HostState.PRESSURE
    OFFLINE = OFFLINE


def why(
    host: Annotated[
        str,
        typer.Argument(
            metavar="[HOST]", help="One host, by its name; all without it.", autocompletion=hosts
        ),
    ] = "",
    *,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Tell of then: 03:12, 'yesterday 3am', 2026-11-29T03:12."
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: a line for each new sentence.")
    ] = False,
    wait: Annotated[
        list[Awaited] | None,
        typer.Option(metavar="STATE", help="Wait until it is so; may be given several times."),
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code", help="End with 0 quiet, 10 cooling, 11 busy, 12 hot, 13 pressure."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a host: topic and payload.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="How long to wait: 10 s; with --wait for ever."
        ),
    ] = None,
    database: Database = None,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """The sentence and its causes: now, when something is so, or at a time that was.

    Exits with 1 when no host has one in time.
    """
    if sum((at is not None, follow, bool(wait))) > 1:
        raise ConfigError("--at, --follow and --wait: one of them at a time")
    settings = load_settings(broker, prefix, config)
    console = make_console()
    if at is not None:
        # All readings are declared for it, which nobody else needs.
        from subscriber_cli import then  # noqa: PLC0415

        question = then.Question(
            settings=settings,
            host=host,
            database=Path(database).expanduser() if database else None,
            timeout=timeout or _SECONDS,
        )
        then.tell(question, console, at, as_json=as_json)
        return
    if follow:
        listen(
            settings, timeout, Following(console, host, as_json=as_json).take,
            missing=_MISSING, patient=True, rest=float("inf"),
        )  # fmt: skip
        return
    if wait:
        told = [awaited(settings, host, wait, timeout)]
    else:
        told = verdicts(settings, host, timeout or _SECONDS)
    answer(told, console, as_json=as_json)
    # One that is waited for may be gone; else what a machine said last is no answer.
    if not wait and all(each.offline for each in told):
        gone = ", ".join(each.name for each in told)
        raise BrokerError(f"{gone}: offline; this was the last word")
    if exit_code:
        raise typer.Exit(exit_code_of(told))


def exit_code_of(hosts: list[KnownHost]) -> int:
    """The exit code for what the hosts are; those that are offline say nothing of now."""
    states = [host.explanation.state for host in hosts if not host.offline]
    codes = {str(state): code for state, code in EXIT_CODES.items()}
    return max((codes.get(state, _UNKNOWN_STATE) for state in states), default=0)


def answer(hosts: list[KnownHost], console: Console, *, as_json: bool) -> None:
    """Prints the newest verdict of every host."""
    names = Counter(host.name for host in hosts)
    for host in hosts:
        if names[host.name] > 1:  # as a machine is that had another prefix before
            host.name = f"{host.name} ({clean(host.prefix)})"
    for host in hosts:
        if as_json:
            if topics.EXPLANATION in host.latest:
                print(host.latest[topics.EXPLANATION].message.open().json_line(), flush=True)
            continue
        if host is not hosts[0]:
            console.print()
        _print(host, console)


def verdicts(settings: TerminalSettings, wanted: str, timeout: float) -> list[KnownHost]:
    """The hosts that have a verdict, those that are offline last.

    Raises:
        BrokerError: none came in ``timeout`` seconds, or none of that host.
    """
    asked: set[str] = set()

    def take(stream: Stream, item: Received, host: KnownHost) -> bool:
        if item.leaf != topics.EXPLANATION or not _has_verdict(host):
            return False
        if host.prefix not in asked:
            # What the broker keeps changes when causes do; its figures may be old.
            stream.command(host.prefix, "why")
        asked.add(host.prefix)
        return True

    heard = listen(settings, timeout, take, missing=_MISSING)
    found = called(filter(_has_verdict, heard.fleet), wanted, "has said why")
    if not found:
        raise BrokerError(heard.silence)
    return sorted(found, key=lambda host: host.offline)


def awaited(
    settings: TerminalSettings, wanted: str, states: list[Awaited], timeout: float | None
) -> KnownHost:
    """The first host that is in one of the states; what keeps us from the broker is waited out.

    Raises:
        BrokerError: none was in ``timeout`` seconds.
    """
    found: list[KnownHost] = []

    def take(_: Stream, item: Received, host: KnownHost) -> bool:
        # What the broker has kept may be the last word of a host that is gone.
        current = not item.retained or host.presence is not None
        if current and _is_meant(host, wanted) and host.state in states:
            found.append(host)
        return bool(found)

    heard = listen(settings, timeout, take, missing=_MISSING, patient=True, rest=0.0)
    if found:
        return found[0]
    hosts = called(filter(_has_verdict, heard.fleet), wanted, "has said why")
    if not hosts:
        raise BrokerError(heard.silence)
    are = ", ".join(f"{host.name} is {host.state}" for host in hosts)
    raise BrokerError(f"none was {' or '.join(states)} in time; {are}")


@dataclass(slots=True)
class Following:
    """Prints a sentence whenever it is another.

    Args:
        console: where to.
        wanted: the host that is told of; all when empty.
    """

    console: Console
    wanted: str
    as_json: bool = False
    _said: dict[str, tuple[str, str]] = field(default_factory=dict)

    def take(self, _: Stream, item: Received, host: KnownHost) -> bool:
        """Takes in a message; there is never enough."""
        if not _is_meant(host, self.wanted) or not (_has_verdict(host) or host.offline):
            return False
        headline = "" if host.offline else host.explanation.headline
        sentence = (host.state, headline)
        if self._said.get(host.prefix) == sentence:
            return False
        self._said[host.prefix] = sentence
        if self.as_json:
            if item.leaf in (topics.EXPLANATION, topics.STATUS):
                print(item.json_line(), flush=True)
            return False
        at = datetime.fromtimestamp(item.made_at or time.time()).astimezone()
        line = Text.assemble(
            (f"{at:%H:%M:%S} ", "dim"),
            f"{host.name} ",
            (f"{host.state.upper()} ", f"bold {theme.of_state(host.state)}"),
            headline,
        )
        show(self.console, line)
        return False


def _is_meant(host: KnownHost, wanted: str) -> bool:
    return not wanted or is_called(host, wanted)


def _has_verdict(host: KnownHost) -> bool:
    return topics.EXPLANATION in host.latest


def _print(host: KnownHost, console: Console) -> None:
    if console.is_terminal:
        for line in head(host, console.width, _MOST_LINES, time.time()):
            console.print(line, no_wrap=True, overflow="ellipsis")
        return
    for line in head(host, _ENDLESS, _MOST_LINES, time.time()):
        if plain := line.plain.removeprefix(EDGE).rstrip():
            print(plain)
