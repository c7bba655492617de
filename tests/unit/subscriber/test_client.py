"""The terminal's messages, from a broker that misbehaves."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from running_session import RunningSession
from scripted_broker import (
    CONNACK,
    DISCONNECT,
    SUBACK,
    SUBSCRIBE,
    Packet,
    Peer,
    ScriptedBroker,
    connack,
    packet,
)

from publisher.errors import ConfigError
from publisher.mqtt.broker import BrokerSettings
from subscriber_cli.client import Connected, Stream, Trouble
from subscriber_cli.model.decode import LARGEST, Notice

RESPONSE_TOPIC, CORRELATION_DATA = b"\x08", b"\x09"


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    scripted = ScriptedBroker()
    yield scripted
    scripted.close()


def stream_from(broker: ScriptedBroker, **settings: Any) -> Stream:
    return Stream(BrokerSettings(url=broker.url, **settings), "host")


def in_mqtt_5(name: bytes, value: bytes) -> bytes:
    """A property that is text or binary data."""
    return name + struct.pack("!H", len(value)) + value


def from_before_mqtt_5(_peer: Peer, first: Packet) -> bytes:
    return packet(CONNACK, b"\0\1") if first.version == 5 else connack(first.version)


def deny(peer: Peer, got: Packet) -> None:
    """Lets a client of MQTT 5 in, and read nothing."""
    if got.kind == SUBSCRIBE:
        peer.send(packet(SUBACK, got.packet_id + b"\0\x87"))


def test_what_comes_is_an_item(broker: ScriptedBroker) -> None:
    with stream_from(broker) as stream:
        assert stream.get(10) == Connected(stream.endpoint, "MQTT 5")
        broker.wait(lambda: bool(broker.received))
        peer = broker.peers[-1]
        peer.deliver("host/status", b"online")
        peer.deliver("host/cpu", b"no JSON")
        peer.deliver("host/cpu", b" " * (LARGEST + 1))
        status = stream.get(10)
        assert (status.topic, status.content) == ("host/status", "online")
        assert stream.get(10) == Notice("skipped: a message on host/cpu is not JSON")
        large = stream.get(10)
        assert isinstance(large, Notice)
        assert "more than 1 MiB is not read" in large.text
    broker.wait(lambda: broker.received[-1].kind == DISCONNECT)


def test_a_broker_from_before_mqtt_5(broker: ScriptedBroker) -> None:
    broker.greeting = from_before_mqtt_5
    with stream_from(broker) as stream:
        assert stream.get(10) == Connected(stream.endpoint, "MQTT 3.1.1")
        broker.wait(lambda: bool(broker.received))
        stream.command("host", "refresh")
        broker.wait_published(1)
    assert [each.version for each in broker.connects] == [5, 4]
    assert broker.published[0].body.endswith(b"refresh")


def test_a_question_says_where_the_answer_is_wanted(broker: ScriptedBroker) -> None:
    with stream_from(broker) as stream:
        stream.command("host/nas", "refresh")  # too early: there is no connection
        stream.get(10)
        broker.wait(lambda: bool(broker.received))
        stream.command("host/nas", "why")
        broker.wait_published(1)
        (asked,) = broker.published
        assert asked.topic == "host/nas/command"
        assert in_mqtt_5(CORRELATION_DATA, b"host/nas") in asked.body
        _, _, rest = asked.body.partition(RESPONSE_TOPIC)
        (length,) = struct.unpack_from("!H", rest)
        address = rest[2 : 2 + length]
        assert address.startswith(b"host/reply/fanwhy-sub-")
        broker.peers[-1].deliver(
            address.decode(), b'{"state":"busy"}', in_mqtt_5(CORRELATION_DATA, b"host/nas")
        )
        answer = stream.get(10)
        assert (answer.topic, answer.content) == ("host/nas/explanation", {"state": "busy"})


def test_it_comes_back_by_itself(broker: ScriptedBroker) -> None:
    with stream_from(broker) as stream:
        assert isinstance(stream.get(10), Connected)
        broker.peers[-1].sock.shutdown(socket.SHUT_RDWR)
        trouble = stream.get(10)
        assert isinstance(trouble, Trouble)
        assert trouble.text == f"{broker.url}: connection lost"
        assert trouble.retry_seconds is not None
        assert trouble.retry_seconds <= 1
        assert isinstance(stream.get(10), Connected)


@pytest.mark.parametrize("code", [133, 134, 135, 138, 140])
def test_a_refusal_that_no_waiting_mends(broker: ScriptedBroker, code: int) -> None:
    broker.greeting = lambda *_: connack(5, code)
    with stream_from(broker) as stream:
        trouble = stream.get(10)
    assert isinstance(trouble, Trouble)
    assert trouble.final


@pytest.mark.parametrize("code", [136, 137, 159])
def test_a_refusal_that_may_pass(broker: ScriptedBroker, code: int) -> None:
    broker.greeting = lambda *_: connack(5, code)
    with stream_from(broker) as stream:
        trouble = stream.get(10)
        broker.greeting = lambda *_: connack(5)
        assert isinstance(stream.get(10), Connected)
    assert isinstance(trouble, Trouble)
    assert not trouble.final


def test_a_refusal_after_better_times_may_pass(broker: ScriptedBroker) -> None:
    with stream_from(broker) as stream:
        assert isinstance(stream.get(10), Connected)
        broker.greeting = lambda *_: connack(5, 135)
        broker.peers[-1].sock.shutdown(socket.SHUT_RDWR)
        lost, refused = stream.get(10), stream.get(10)
    assert not lost.final
    assert "not authorised" in refused.text
    assert not refused.final


def test_who_may_not_read_is_told_so_for_good(broker: ScriptedBroker) -> None:
    broker.handle = deny
    with stream_from(broker) as stream:
        assert isinstance(stream.get(10), Connected)
        trouble = stream.get(10)
    assert trouble == Trouble(
        f"{broker.url}: it does not let us subscribe to host/# (not authorized); "
        "check its access rules",
        None,
    )


@pytest.mark.parametrize(
    "greeting",
    [
        lambda *_: None,
        lambda *_: connack(5, 134),
        lambda *_: connack(5, 137),
        lambda *_: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4,
    ],
    ids=["hangs up", "wrong password", "busy", "speaks something else"],
)
def test_it_says_what_the_daemon_says(
    broker: ScriptedBroker, greeting: Callable[[Peer, Packet], bytes | None]
) -> None:
    broker.greeting = greeting
    daemon = RunningSession(BrokerSettings(url=broker.url))
    daemon.session.start()
    daemon.wait(lambda: bool(daemon.states))
    daemon.session.stop([], timeout=3)
    with stream_from(broker) as stream:
        trouble = stream.get(10)
    assert isinstance(trouble, Trouble)
    assert daemon.lines[0] == trouble.text


@pytest.mark.parametrize(
    "settings",
    [{"url": "http://x"}, {"password_file": "/nowhere"}, {"url": "mqtts://x", "ca_file": "/no"}],
)
def test_settings_that_cannot_be_used_are_told_at_once(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Stream(BrokerSettings(**settings), "host")  # type: ignore[arg-type]
