"""Tries a broker out: can we connect, publish, read back, and is the prefix ours?

Two connections, since a client does not get its own messages back (MQTT 5, no local). Neither
uses the client id of a daemon that may be running.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from publisher.contract.messages import Message, Request
from publisher.contract.topics import COMMAND, INFO, Topics
from publisher.mqtt.broker import (
    BrokerSettings,
    parse_url,
    resolve_password,
    resolve_username,
    tls_context,
)
from publisher.mqtt.connection import Connection, Introduction, Patience, VersionError
from publisher.mqtt.paho import MQTTv5, MQTTv311

_UNREAD = "check"  # where a will of ours would disturb nobody
_TURN_SECONDS = 0.1
_PATIENCE = Patience(connect=5.0, answer=5.0)
# A retained message follows the acknowledgement of the subscription at once.
_RETAINED_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a broker let us do.

    Attributes:
        version: in words, ``MQTT 5``.
        published: it acknowledged a message below the prefix.
        read_back: that message came back to us.
        keeps: it keeps retained messages, or does not say (MQTT 3.1.1).
        info: the retained payload of ``…/info``, empty when there is none.
    """

    version: str
    published: bool
    read_back: bool
    keeps: bool
    info: bytes


def probe(
    settings: BrokerSettings,
    topics: Topics,
    *,
    hello: bytes,
    ours: Callable[[bytes], bool],
    seconds: float = 5.0,
) -> Findings:
    """Connects and tries everything that the daemon needs, on the one topic that it also reads.

    What is retained there stays: what is published is the same again, or ``hello`` where there
    was nothing, and it is not retained. Nothing is published where another machine lives.

    Args:
        settings: with a URL.
        topics: ours.
        hello: a payload of ``…/info``.
        ours: whether a payload of ``…/info`` comes from this machine.
        seconds: how long an answer may take.

    Raises:
        BrokerError: no connection; the message says why.
        ConfigError: the settings cannot be used.
    """
    version = MQTTv311 if settings.protocol == "3.1.1" else MQTTv5
    with contextlib.ExitStack() as stack:
        try:
            writer = _open(settings, topics, version, stack)
        except VersionError:
            if settings.protocol != "auto":
                raise
            version = MQTTv311
            writer = _open(settings, topics, version, stack)
        reader = _open(settings, topics, version, stack)
        reader.subscribe([topics.of(INFO), topics.of(COMMAND)])
        published, read_back, info = _try(
            writer, reader, info=topics.of(INFO), hello=hello, ours=ours, seconds=seconds
        )
        return Findings(
            version="MQTT 5" if version == MQTTv5 else "MQTT 3.1.1",
            published=published,
            read_back=read_back,
            keeps=reader.keeps,
            info=info,
        )


def _open(
    settings: BrokerSettings, topics: Topics, version: int, stack: contextlib.ExitStack
) -> Connection:
    endpoint = parse_url(settings.url or "")
    files = (settings.ca_file, settings.certificate_file, settings.key_file)
    wake, other = socket.socketpair()
    stack.callback(wake.close)
    stack.callback(other.close)
    connection = Connection(
        endpoint,
        Introduction(
            client_id=f"fanwhy-check-{os.urandom(3).hex()}",
            username=resolve_username(settings),
            password=resolve_password(settings),
            keepalive_seconds=settings.keepalive_seconds,
            will=Message(topic=topics.of(_UNREAD), payload=b""),
            will_delay_seconds=0,
            boot_id="",
        ),
        tls=tls_context(*files) if endpoint.tls else None,
        version=version,
        wake=wake,
        patience=_PATIENCE,
    )
    stack.callback(connection.close)
    connection.open(lambda: False)
    stack.callback(connection.say_goodbye)
    return connection


def _try(
    writer: Connection,
    reader: Connection,
    *,
    info: str,
    hello: bytes,
    ours: Callable[[bytes], bool],
    seconds: float,
) -> tuple[bool, bool, bytes]:
    """Whether a message could be published and read back, and what was retained before."""
    received: list[Request] = []
    until = time.monotonic() + _RETAINED_SECONDS
    while time.monotonic() < until and not received and not reader.remarks:
        _turn(reader, received, info)
    retained = received[-1].payload if received else b""
    if retained and not ours(retained):
        return False, False, retained
    received.clear()
    writer.publish(Message(topic=info, payload=retained or hello, qos=1))
    until = time.monotonic() + seconds
    while time.monotonic() < until and (writer.unacknowledged or not received):
        writer.turn(_TURN_SECONDS)
        _turn(reader, received, info)
        if writer.remarks or (reader.remarks and not writer.unacknowledged):
            break
    return not writer.unacknowledged and not writer.remarks, bool(received), retained


def _turn(reader: Connection, received: list[Request], topic: str) -> None:
    reader.turn(_TURN_SECONDS)
    received += [message for message in reader.received if message.topic == topic]
    reader.received.clear()
