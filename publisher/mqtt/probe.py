"""Tries a broker out: can we connect, publish, read back, and is the prefix ours?

Two connections, since a client does not get its own messages back (MQTT 5, no local). Neither
uses the client id of a daemon that may be running.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from publisher.contract.messages import Message, Request
from publisher.contract.topics import COMMAND, INFO, TopicAddresses
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Connection, ConnectOptions, Timeouts
from publisher.mqtt.connector import Connector

_TURN_SECONDS = 0.1
_TIMEOUTS = Timeouts(connect=5.0, answer=5.0)
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
    topics: TopicAddresses,
    *,
    hello: bytes,
    ours: Callable[[bytes], bool],
    seconds: float = 5.0,
) -> Findings:
    """Connects and tries everything that the daemon needs, on the one topic that it also reads.

    What is retained there stays: what is published is the same again, or ``hello`` where there
    was nothing, and it is not retained. Nothing is published where another machine lives.

    Args:
        settings: of the broker.
        topics: ours.
        hello: a payload of ``…/info``.
        ours: whether a payload of ``…/info`` comes from this machine.
        seconds: how long an answer may take.

    Raises:
        BrokerError: no connection; the message says why.
        ConfigError: the settings cannot be used.
    """
    connector = Connector(settings, timeouts=_TIMEOUTS)
    with connector.connect(_options()) as writer, connector.connect(_options()) as reader:
        reader.subscribe([topics.of(INFO), topics.of(COMMAND)])
        published, read_back, info = _try(
            writer, reader, info=topics.of(INFO), hello=hello, ours=ours, seconds=seconds
        )
        return Findings(
            version=reader.version,
            published=published,
            read_back=read_back,
            keeps=reader.keeps,
            info=info,
        )


def _options() -> ConnectOptions:
    return ConnectOptions(client_id=f"fanwhy-check-{os.urandom(3).hex()}")


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
