"""A short visit to the broker, for commands: listen to some topics, leave some messages."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from publisher.contract.messages import Message, Request
from publisher.errors import BrokerError
from publisher.mqtt.broker import (
    BrokerSettings,
    parse_url,
    resolve_password,
    resolve_username,
    tls_context,
)
from publisher.mqtt.connection import Connection, Introduction, Patience, VersionError
from publisher.mqtt.paho import MQTTv5, MQTTv311

_TURN_SECONDS = 0.1
_ANSWER_SECONDS = 5.0
_PATIENCE = Patience(connect=5.0, answer=_ANSWER_SECONDS)


class ShortConnection:
    """A connection for a while, under a name of its own and without a will that matters.

    Args:
        settings: with a URL.
        will_topic: where a message would disturb nobody.
    """

    def __init__(self, settings: BrokerSettings, will_topic: str) -> None:
        self._settings = settings
        self._will_topic = will_topic
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        protocol = self._settings.protocol
        try:
            self._connection = self._open(MQTTv311 if protocol == "3.1.1" else MQTTv5)
        except VersionError:
            if protocol != "auto":
                raise
            self._connection = self._open(MQTTv311)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

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

    def leave(self, messages: Sequence[Message]) -> None:
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

    def _open(self, version: int) -> Connection:
        settings = self._settings
        endpoint = parse_url(settings.url or "")
        files = (settings.ca_file, settings.certificate_file, settings.key_file)
        wake, other = socket.socketpair()
        self._stack.callback(wake.close)
        self._stack.callback(other.close)
        connection = Connection(
            endpoint,
            Introduction(
                client_id=f"fanwhy-visit-{os.urandom(3).hex()}",
                username=resolve_username(settings),
                password=resolve_password(settings),
                keepalive_seconds=settings.keepalive_seconds,
                will=Message(topic=self._will_topic, payload=b""),
                will_delay_seconds=0,
                boot_id="",
            ),
            tls=tls_context(*files) if endpoint.tls else None,
            version=version,
            wake=wake,
            patience=_PATIENCE,
        )
        self._stack.callback(connection.close)
        connection.open(lambda: False)
        self._stack.callback(connection.say_goodbye)
        return connection
