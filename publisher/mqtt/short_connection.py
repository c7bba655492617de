"""A short connection to the broker, for commands: listen to some topics, publish some messages."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from publisher.contract.messages import Message, Request
from publisher.errors import BrokerError
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import ConnectOptions, Timeouts
from publisher.mqtt.connector import Connector

_TURN_SECONDS = 0.1
_ANSWER_SECONDS = 5.0
_TIMEOUTS = Timeouts(connect=5.0, answer=_ANSWER_SECONDS)


class ShortConnection:
    """A connection for as long as the ``with`` block lasts, beside that of a daemon.

    It has a client id of its own, for a broker keeps one connection of each, and no will.

    Args:
        settings: of the broker.

    Raises:
        BrokerError: no connection; the message says why.
        ConfigError: the settings cannot be used.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        self._connector = Connector(settings, timeouts=_TIMEOUTS)

    def __enter__(self) -> Self:
        options = ConnectOptions(client_id=f"fanwhy-pub-{os.urandom(3).hex()}")
        self._connection = self._connector.connect(options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.say_goodbye()
        self._connection.close()

    def listen(
        self, filters: Sequence[str], seconds: float, heard: Callable[[Request], None]
    ) -> None:
        """Hands on all that comes on some topics for a while, what is retained included."""
        self._connection.subscribe(filters)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._connection.turn(min(left, _TURN_SECONDS))
            for request in self._connection.received:
                heard(request)
            self._connection.received.clear()

    def publish(self, messages: Iterable[Message]) -> None:
        """Publishes messages and waits until the broker has them.

        Raises:
            BrokerError: it does not take them.
        """
        for message in messages:
            self._connection.publish(message)
        until = time.monotonic() + _ANSWER_SECONDS
        while self._connection.unacknowledged and time.monotonic() < until:
            self._connection.turn(_TURN_SECONDS)
        if self._connection.remarks:
            raise BrokerError(self._connection.remarks[0])
