"""Listens to the hosts of a broker until enough was said, as commands do that end by themselves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from publisher.contract.printable import bare
from publisher.errors import BrokerError
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.values import clean
from subscriber_cli.terminal_settings import TerminalSettings

REST_SECONDS = 0.4
"""For the rest of what the broker keeps, and for fresher answers."""

Take = Callable[[Stream, Received, KnownHost], bool]
"""Looks at a message that its host has taken in; true where it was waited for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in the time that there was.

    Attributes:
        silence: what to tell people where nothing of use came.
    """

    fleet: Fleet
    silence: str


def listen(
    settings: TerminalSettings,
    timeout: float | None,
    take: Take,
    *,
    missing: str,
    patient: bool = False,
    rest: float = REST_SECONDS,
) -> Heard:
    """Takes in what hosts say until what was waited for has come, and its rest a moment later.

    Args:
        settings: the broker, and under which prefix.
        timeout: seconds, the connection included; ``None`` waits for ever.
        take: sees each message.
        missing: what hosts did not say, should they not.
        patient: tries again where there is no broker yet; else the first trouble ends it.
        rest: seconds that are waited for more, once something has come.
    """
    fleet = Fleet(sparklines=False)
    ends = float("inf") if timeout is None else time.monotonic() + timeout
    enough = connected = False
    silence = "no host has said anything"
    with Stream(settings.broker, settings.prefix) as stream:
        while (left := ends - time.monotonic()) > 0:
            item = stream.get(None if left == float("inf") else left)
            if isinstance(item, Connected):
                connected, silence = True, f"{item.endpoint}: {missing}; is fanwhy-pub running?"
            elif isinstance(item, Trouble):
                silence = item.text
                if item.final or not (connected or patient):
                    break
            elif isinstance(item, Received):
                host = fleet.apply(item, time.time())
                if skipped := fleet.complaint():
                    print(f"fanwhy-sub: {skipped}", file=sys.stderr)
                if host is not None and take(stream, item, host) and not enough:
                    enough, ends = True, min(ends, time.monotonic() + rest)
    return Heard(fleet, silence)


def called(hosts: Iterable[KnownHost], wanted: str, what: str) -> list[KnownHost]:
    """The hosts of a name or prefix; all where none is asked for.

    Raises:
        BrokerError: there is none of them; ``what`` says what it would have done.
    """
    everyone = list(hosts)
    found = [host for host in everyone if not wanted or is_called(host, wanted)]
    if everyone and not found:
        names = ", ".join(host.name for host in everyone)
        raise BrokerError(f"no host {clean(wanted)} {what}; there are {names}")
    return found


def is_called(host: KnownHost, wanted: str) -> bool:
    """Whether people mean this host by a name, its prefix or the end of that."""
    last = host.prefix.rpartition("/")[2]
    return wanted == host.prefix or bare(wanted) in (bare(host.name), bare(last))
