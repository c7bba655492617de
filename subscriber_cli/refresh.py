"""``fanwhy-sub refresh``: has the hosts say everything again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

import typer

from publisher.contract import topics
from publisher.errors import BrokerError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings
from subscriber_cli.client import Stream
from subscriber_cli.completion import hosts
from subscriber_cli.listening import is_called, listen
from subscriber_cli.model.decode import Received
from subscriber_cli.model.fleet import KnownHost

_REST_SECONDS = 1.0


def refresh(
    host: Annotated[
        str,
        typer.Argument(
            metavar="[HOST]", help="One host, by its name; all without it.", autocompletion=hosts
        ),
    ] = "",
    *,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for an answer.")
    ] = 15.0,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Ask hosts to say everything again, and tell what came.

    Exits with 1 when one that is online says nothing.
    """
    settings = load_settings(broker, prefix, config)
    asking = Asking(host)
    heard = listen(
        settings, timeout, asking.take, missing="no host is known there", rest=_REST_SECONDS
    )
    online = [each for each in asking.asked.values() if not each.offline]
    if not online:
        gone = ", ".join(each.name for each in heard.fleet if asking.means(each))
        raise BrokerError(f"{gone}: offline" if gone else heard.silence)
    for each in online:
        if count := asking.said[each.prefix]:
            print(f"{each.name}: {count} messages")
    silent = [each for each in online if not asking.said[each.prefix]]
    if silent:
        names = ", ".join(each.name for each in silent)
        raise BrokerError(
            f"{names}: no answer in {timeout:g} s; may this user write to "
            f"{silent[0].prefix}/{topics.COMMAND}?"
        )


@dataclass(slots=True)
class Asking:
    """Asks each host once, and counts what it says then.

    Attributes:
        wanted: the host that is asked; all when empty.
        asked: by prefix.
        said: messages since, by prefix.
    """

    wanted: str
    asked: dict[str, KnownHost] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)
    _whole: set[str] = field(default_factory=set)

    def means(self, host: KnownHost) -> bool:
        """Whether it is one of those that are asked."""
        return not self.wanted or is_called(host, self.wanted)

    def take(self, stream: Stream, item: Received, host: KnownHost) -> bool:
        """Takes in a message; true once all have said everything."""
        if host.prefix not in self.asked:
            if host.presence is not None and not host.offline and self.means(host):
                self.asked[host.prefix] = host
                stream.command(host.prefix, "refresh")
        elif not item.retained:
            self.said[host.prefix] += 1
            if item.leaf == topics.CATALOGUE:  # which nothing else has said again
                self._whole.add(host.prefix)
        return self.asked.keys() <= self._whole
