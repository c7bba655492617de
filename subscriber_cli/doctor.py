"""``fanwhy-sub doctor``: does the broker let us in, who is there, and whom to believe."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated

import typer
from rich.text import Text

from publisher import __version__
from publisher.contract import topics
from publisher.contract.messages import Message, Request
from publisher.contract.units import duration
from publisher.errors import BrokerError
from publisher.mqtt.broker import resolve_username
from publisher.mqtt.connection import Connection
from publisher.mqtt.failures import KEEPS_NOTHING, RefusedError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import client_options, connector_of
from subscriber_cli.model.decode import Notice, Received, Scope, decode
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.values import clean
from subscriber_cli.render.lines import show
from subscriber_cli.terminal_settings import TerminalSettings

_RETAINED_SECONDS = 1.5
_ANSWER_SECONDS = 2.0
_CLOCKS_AGREE_SECONDS = 5.0
_MOST_NOTICES = 5
_PREFIX = "prefix"  # the part of `info` that tells of a second publisher
_TROUBLED = ("failing", "hanging", "denied")
_DISCOVERY = "homeassistant"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is right, and what would mend it."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="A list of findings.")] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Say whether the broker can be used, which hosts are there, and what is wrong with them.

    Looks for three or four seconds. Exits with 1 when something is wrong.
    """
    findings = list(examine(load_settings(broker, prefix, config)))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        console = make_console()
        for finding in findings:
            mark = ("✓ ", "green") if finding.ok else ("✗ ", "bold red")
            fix = f"; {finding.fix}" if finding.fix else ""
            show(console, Text.assemble(mark, f"{finding.name:13} {finding.detail}{fix}"))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def examine(settings: TerminalSettings) -> Iterator[Finding]:
    """Broker, access and hosts, until one is wrong that the next ones need."""
    scope = Scope(settings.prefix)
    connector = connector_of(settings.broker)
    began = time.monotonic()
    try:
        connection = connector.connect(client_options())
    except RefusedError as error:
        yield Finding("broker", True, f"{connector.endpoint} answers")
        yield Finding("credentials", False, str(error))
        return
    except BrokerError as error:
        yield Finding("broker", False, str(error))
        return
    milliseconds = 1000 * (time.monotonic() - began)
    with connection:
        words = (
            f"{connector.endpoint} speaks {connection.version}, lets in in {milliseconds:.0f} ms"
        )
        yield Finding("broker", True, words)
        user = resolve_username(settings.broker)
        yield Finding(
            "credentials", True, f"{clean(user)} is let in" if user else "let in without any"
        )
        survey = Survey(scope, connection)
        try:
            survey.look()
        except BrokerError as error:
            yield Finding("reading", False, str(error))
            return
        yield from survey.findings()


@dataclass(slots=True)
class Survey:
    """What was heard in a few seconds, and what that means."""

    scope: Scope
    connection: Connection
    fleet: Fleet = field(default_factory=lambda: Fleet(sparklines=False))
    answered: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Reads what the broker keeps, then asks every host for its verdict.

        Raises:
            BrokerError: the broker has hung up.
        """
        self.connection.subscribe([self.scope.filter, f"{_DISCOVERY}/#"])
        self._listen(_RETAINED_SECONDS)
        for host in self.fleet:
            if not host.offline:
                self.connection.publish(
                    Message(
                        topic=f"{host.prefix}/{topics.COMMAND}",
                        payload=b"why",
                        qos=1,
                        response_topic=self._answers,
                        correlation_data=host.prefix.encode(),
                    )
                )
        self._listen(_ANSWER_SECONDS)

    @property
    def _answers(self) -> str:
        return self.scope.answers("doctor")

    def _listen(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self.connection.turn(left)
            for request in self.connection.received:
                self._take(request)
            self.connection.received.clear()

    def _take(self, request: Request) -> None:
        topic = request.topic
        if topic.startswith(f"{_DISCOVERY}/"):
            if b"fanwhy" in request.payload and topic.endswith("/config"):
                self.devices.add(topic)
            return
        if topic == self._answers:
            prefix = (request.correlation_data or b"").decode("utf-8", "replace")
            self.answered.add(prefix)
            topic = f"{prefix}/{topics.EXPLANATION}"
        item = decode(self.scope, topic, request.payload, retained=request.retain)
        if isinstance(item, Notice):
            self.notices.append(item.text)
        elif isinstance(item, Received):
            self.fleet.apply(item, time.time())

    def findings(self) -> Iterator[Finding]:
        """What is right and what is not, the broker first, then host by host."""
        denied = [str(each) for each in self.connection.denied]
        unread = next((each for each in denied if _DISCOVERY not in each), "")
        yield Finding("reading", not unread, unread or f"may read {self.scope.filter}")
        if not self.connection.keeps:
            yield Finding("retained", False, KEEPS_NOTHING)
        for refused in [each for each in self.connection.remarks if each not in denied][:1]:
            yield Finding("commands", False, refused, "`why` and `refresh` need it, no more does")
        for notice in self.notices[:_MOST_NOTICES]:
            yield Finding("messages", False, notice)
        hosts = list(self.fleet)
        if not hosts:
            told = f"no host has published below {self.scope.filter}"
            yield Finding("hosts", False, told, "is fanwhy-pub running, with the same prefix?")
        for host in hosts:
            yield from self._of(host)
        yield Finding("discovery", True, self._discovery())

    def _discovery(self) -> str:
        if not self.devices:
            return f"no host is announced below {_DISCOVERY}/ (or this user may not read it)"
        return f"Home Assistant is told of {len(self.devices)} of our devices below {_DISCOVERY}/"

    def _of(self, host: KnownHost) -> Iterator[Finding]:
        name = host.name[:13]
        if host.offline:
            yield Finding(name, False, f"offline{_heard(host)}", "systemctl status fanwhy-pub")
            return
        if host.presence is None:
            told = f"has not said that it is online{_heard(host)}"
            yield Finding(name, False, told, f"clear what is left of it on {clean(host.prefix)}/#")
            return
        if host.prefix not in self.answered and not self.connection.remarks:
            told = f"is said to be online, and does not answer{_heard(host)}"
            yield Finding(name, False, told, "may this user write commands, does it speak MQTT 5?")
        else:
            yield Finding(name, True, f"{host.state or 'online'}{_version(host)}")
        ahead = host.clock_ahead or 0.0
        if abs(ahead) >= _CLOCKS_AGREE_SECONDS:
            way = "ahead of" if ahead > 0 else "behind"
            told = f"its clock is {duration(round(abs(ahead)))} {way} this one's"
            yield Finding(name, False, told, "timedatectl set-ntp true, on both")
        for part in host.subsystems:
            if part.state in _TROUBLED:
                yield Finding(
                    name, part.state == "denied", _part(part.name, part.state, part.reason)
                )


def _part(name: str, state: str, reason: str) -> str:
    return reason if name == _PREFIX else f"{name} is {state}: {reason}"


def _heard(host: KnownHost) -> str:
    at = host.last_heard
    return "" if at is None else f", heard {duration(max(time.time() - at, 0.0))} ago"


def _version(host: KnownHost) -> str:
    cell = host.row(topics.INFO).cell("fanwhy_version")
    version = cell.value if cell is not None and isinstance(cell.value, str) else ""
    other = f" (this is {__version__})" if version != __version__ else ""
    return f", fanwhy {version}{other}" if version else ""
