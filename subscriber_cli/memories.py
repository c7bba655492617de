"""Asks the broker what the hosts remember: their retained timelines."""

from __future__ import annotations

from publisher.contract import topics
from publisher.errors import BrokerError
from subscriber_cli.client import Stream
from subscriber_cli.listening import called, listen
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import KnownHost
from subscriber_cli.terminal_settings import TerminalSettings


def gather(settings: TerminalSettings, timeout: float, wanted: str = "") -> list[KnownHost]:
    """The hosts that have a timeline: all, or the one of a name or prefix.

    Raises:
        BrokerError: there is none within ``timeout`` seconds.
    """

    def take(_: Stream, item: Received, __: KnownHost) -> bool:
        return item.leaf == topics.TIMELINE and not item.withdrawn

    heard = listen(settings, timeout, take, missing="no host keeps a timeline")
    hosts = [host for host in heard.fleet if topics.TIMELINE in host.latest]
    if not hosts:
        raise BrokerError(heard.silence)
    return called(hosts, wanted, "keeps a timeline")
