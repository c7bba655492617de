"""Tries a broker out: can we connect, publish, read back, and is the prefix ours?

Two connections, since a client does not get its own messages back (MQTT 5, no local). Neither
uses the client id of a daemon that may be running.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass

from publisher.bus.connection import Connection, Introduction, Patience, VersionError
from publisher.bus.library import MQTTv5, MQTTv311
from publisher.schema.broker import (
    BrokerSettings,
    parse_url,
    resolve_password,
    resolve_username,
    tls_context,
)
from publisher.schema.message import Message
from publisher.schema.topics import COMMAND, INFO, Topics

_TRIAL = "check"
_TURN_SECONDS = 0.1
_PATIENCE = Patience(connect=5.0, answer=5.0)
# A retained message follows the acknowledgement of the subscription at once.
_RETAINED_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a broker let us do.

    Attributes:
        version: in words, ``MQTT 5``.
        remarks: what the broker refused, in sentences.
        published: it acknowledged a message below the prefix.
        read_back: that message came back to us.
        info: the retained payload of ``…/info``, empty when there is none.
    """

    version: str
    remarks: tuple[str, ...]
    published: bool
    read_back: bool
    info: bytes


def probe(settings: BrokerSettings, topics: Topics, *, seconds: float = 5.0) -> Findings:
    """Connects and tries everything that the daemon needs.

    Args:
        settings: with a URL.
        topics: ours.
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
        return _try(writer, reader, topics, version, seconds)


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
            will=Message(topic=topics.of(_TRIAL), payload=b""),
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
    writer: Connection, reader: Connection, topics: Topics, version: int, seconds: float
) -> Findings:
    token = os.urandom(8).hex().encode()
    trial, info = topics.of(_TRIAL), topics.of(INFO)
    reader.subscribe([trial, info, topics.of(COMMAND)])
    found: dict[str, bytes] = {}
    until = time.monotonic() + _RETAINED_SECONDS
    while time.monotonic() < until and info not in found and not reader.remarks:
        _turn(reader, found)
    writer.publish(Message(topic=trial, payload=token, qos=1, content_type="text/plain"))
    until = time.monotonic() + seconds
    while time.monotonic() < until and (writer.unacknowledged or found.get(trial) != token):
        writer.turn(_TURN_SECONDS)
        _turn(reader, found)
        if writer.remarks or (reader.remarks and not writer.unacknowledged):
            break
    return Findings(
        version="MQTT 5" if version == MQTTv5 else "MQTT 3.1.1",
        remarks=(*writer.remarks, *reader.remarks),
        published=not writer.unacknowledged and not writer.remarks,
        read_back=found.get(trial) == token,
        info=found.get(info, b""),
    )


def _turn(reader: Connection, found: dict[str, bytes]) -> None:
    reader.turn(_TURN_SECONDS)
    found.update({message.topic: message.payload for message in reader.received})
    reader.received.clear()
