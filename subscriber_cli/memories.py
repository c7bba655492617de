"""Asks the broker what the hosts remember: their retained timelines."""

from __future__ import annotations

import sys
import time

from publisher.contract import topics
from publisher.contract.printable import bare
from publisher.errors import BrokerError
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import Fleet, KnownHost
from subscriber_cli.model.values import clean
from subscriber_cli.terminal_settings import TerminalSettings

_OTHERS = 0.4  # seconds for the rest of what the broker keeps


def gather(settings: TerminalSettings, timeout: float, wanted: str = "") -> list[KnownHost]:
    """The hosts that have a timeline: all, or the one of a name or prefix.

    Raises:
        BrokerError: there is none within ``timeout`` seconds.
    """
    fleet = Fleet(sparklines=False)
    ends = time.monotonic() + timeout
    heard = False
    silence = "no host has said anything"
    with Stream(settings.broker, settings.prefix) as stream:
        while (left := ends - time.monotonic()) > 0:
            item = stream.get(left)
            if isinstance(item, Connected):
                silence = f"{item.endpoint}: no host keeps a timeline; is fanwhy-pub running?"
            elif isinstance(item, Trouble):
                silence = item.text
                if item.final:
                    break
            elif isinstance(item, Received):
                fleet.apply(item, time.time())
                if skipped := fleet.complaint():
                    print(f"fanwhy-sub: {skipped}", file=sys.stderr)
                if item.leaf == topics.TIMELINE and not item.withdrawn and not heard:
                    heard, ends = True, min(ends, time.monotonic() + _OTHERS)
    hosts = [host for host in fleet if topics.TIMELINE in host.latest]
    if not hosts:
        raise BrokerError(silence)
    found = [host for host in hosts if not wanted or _is_called(host, wanted)]
    if not found:
        names = ", ".join(host.name for host in hosts)
        raise BrokerError(f"no host {clean(wanted)} keeps a timeline; there are {names}")
    return found


def _is_called(host: KnownHost, wanted: str) -> bool:
    last = host.prefix.rpartition("/")[2]
    return wanted == host.prefix or bare(wanted) in (bare(host.name), bare(last))
