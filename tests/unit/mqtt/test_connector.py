"""The way into a broker: versions of MQTT, and what is said when there is none."""

from __future__ import annotations

import gc
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from scripted_broker import SUBACK, SUBSCRIBE, Packet, Peer, ScriptedBroker, connack, packet

from publisher.contract.messages import Message
from publisher.contract.topics import TopicAddresses
from publisher.errors import BrokerError, ConfigError
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Connection, ConnectOptions, Timeouts
from publisher.mqtt.connector import Connector
from publisher.mqtt.failures import AccessError, RefusedError, VersionError, connection_failure
from publisher.mqtt.interrupt import Interrupt
from publisher.mqtt.probe import probe
from publisher.mqtt.properties import Will
from publisher.mqtt.short_connection import ShortConnection

OPTIONS = ConnectOptions(client_id="fanwhy-test")
QUICK = Timeouts(connect=0.2, answer=0.2)


def from_before_mqtt_5(_peer: Peer, first: Packet) -> bytes:
    """The greeting of a broker that speaks 3.1.1."""
    return packet(2, b"\0\1") if first.version == 5 else connack(first.version)


def _turn_for_ever(connection: Connection) -> None:
    while True:
        connection.turn(1)


def versions(broker: ScriptedBroker) -> list[int]:
    return [each.version for each in broker.connects]


@pytest.mark.parametrize(
    ("answer", "tried"),
    [
        (packet(2, b"\0\1"), [5, 4]),
        (connack(5, 0x84), [5, 4]),
        (None, [5, 5, 4]),
        (packet(2, b"\0\0"), [5, 4]),
    ],
    ids=["refused", "refused in the new way", "hangs up", "answers in the old way"],
)
def test_from_5_to_3_1_1(broker: ScriptedBroker, answer: bytes | None, tried: list[int]) -> None:
    broker.greeting = lambda _, first: answer if first.version == 5 else connack(4)
    connector = Connector(BrokerSettings(url=broker.url))
    with connector.connect(OPTIONS) as connection:
        assert connection.version == "MQTT 3.1.1"
    assert versions(broker) == tried
    with connector.connect(OPTIONS):
        assert versions(broker) == [*tried, 4], "it is remembered"


def test_an_answer_that_the_network_cuts_is_no_old_broker(broker: ScriptedBroker) -> None:
    def cut_once(peer: Peer, first: Packet) -> bytes | None:
        if len(broker.connects) == 1:
            peer.sock.sendall(connack(5)[:2])
            return None
        return connack(first.version)

    broker.greeting = cut_once
    with Connector(BrokerSettings(url=broker.url)).connect(OPTIONS) as connection:
        assert connection.version == "MQTT 5"
    assert versions(broker) == [5, 5]


def test_5_is_offered_again_after_a_while(broker: ScriptedBroker) -> None:
    broker.greeting = from_before_mqtt_5
    connector = Connector(BrokerSettings(url=broker.url), old_version_seconds=0)
    for _ in range(2):
        with connector.connect(OPTIONS):
            pass
    assert versions(broker) == [5, 4, 5, 4]


def test_what_hangs_up_on_both_is_not_remembered(broker: ScriptedBroker) -> None:
    """A proxy before a broker that is about to start does that."""
    connector = Connector(BrokerSettings(url=broker.url))
    broker.greeting = lambda *_: None
    with pytest.raises(VersionError, match="hangs up at once"):
        connector.connect(OPTIONS)
    broker.greeting = lambda _, first: connack(first.version)
    with connector.connect(OPTIONS) as connection:
        assert connection.version == "MQTT 5"
    assert versions(broker) == [5, 5, 4, 5]


@pytest.mark.parametrize(("protocol", "version"), [("5", 5), ("3.1.1", 4)])
def test_a_version_that_is_set_is_the_only_one(
    broker: ScriptedBroker, protocol: str, version: int
) -> None:
    broker.greeting = lambda *_: None
    connector = Connector(BrokerSettings(url=broker.url, protocol=protocol))
    with pytest.raises(VersionError):
        connector.connect(OPTIONS)
    assert versions(broker) == [version]


def test_who_is_told_to_stop_tries_no_other_version(broker: ScriptedBroker) -> None:
    interrupt = Interrupt()

    def hang_up(_peer: Peer, _first: Packet) -> None:
        interrupt.stop()

    broker.greeting = hang_up
    with pytest.raises(BrokerError):
        Connector(BrokerSettings(url=broker.url)).connect(OPTIONS, interrupt)
    interrupt.close()
    assert versions(broker) == [5]


def test_a_short_connection_takes_the_same_way(broker: ScriptedBroker) -> None:
    broker.greeting = from_before_mqtt_5
    with ShortConnection(BrokerSettings(url=broker.url)) as connection:
        connection.publish([Message(topic="host/cpu", payload=b"1", qos=1)])
    assert versions(broker) == [5, 4]
    assert broker.topics() == ["host/cpu"]


def test_a_probe_takes_the_same_way(broker: ScriptedBroker) -> None:
    broker.greeting = from_before_mqtt_5
    found = probe(
        BrokerSettings(url=broker.url),
        TopicAddresses.for_host("host", "nas"),
        hello=b"{}",
        ours=lambda _: True,
        seconds=0.2,
    )
    assert found.version == "MQTT 3.1.1"
    assert found.published
    assert versions(broker) == [5, 4, 4]


def test_a_short_connection_says_what_the_broker_does_not_take(broker: ScriptedBroker) -> None:
    def refuse(peer: Peer, got: Packet) -> None:
        peer.send(packet(4, got.packet_id + b"\x87"))

    broker.handle = refuse
    with (
        ShortConnection(BrokerSettings(url=broker.url)) as connection,
        pytest.raises(BrokerError, match="does not take what we publish to host/cpu"),
    ):
        connection.publish([Message(topic="host/cpu", payload=b"1", qos=1)])


def test_a_topic_that_is_denied(broker: ScriptedBroker) -> None:
    def refuse(peer: Peer, got: Packet) -> None:
        if got.kind == SUBSCRIBE:
            peer.send(packet(SUBACK, got.packet_id + b"\0\x87"))

    broker.handle = refuse
    with Connector(BrokerSettings(url=broker.url)).connect(OPTIONS) as connection:
        connection.subscribe(["host/#"])
        while not connection.denied:
            connection.turn(1)
    (error,) = connection.denied
    assert isinstance(error, AccessError)
    assert str(error) == (
        f"{broker.url}: it does not let us subscribe to host/# (not authorized); "
        "check its access rules"
    )
    assert connection.remarks == [str(error)]


def test_a_will_that_cannot_be_retained_is_left_unretained(broker: ScriptedBroker) -> None:
    def greet(_peer: Peer, first: Packet) -> bytes:  # CONNECT's flags, MQTT 5 section 3.1.2.3
        return connack(5, 154 if first.body[7] & 0x20 else 0)

    broker.greeting = greet
    will = Will(message=Message(topic="host/status", payload=b"offline", qos=1, retain=True))
    options = ConnectOptions(client_id="fanwhy-test", will=will)
    with Connector(BrokerSettings(url=broker.url)).connect(options):
        assert [first.body[7] & 0x24 for first in broker.connects] == [0x24, 0x04]


@pytest.mark.parametrize("code", [2, 4, 5])
def test_access_that_is_refused_in_the_old_version(broker: ScriptedBroker, code: int) -> None:
    broker.greeting = lambda *_: connack(4, code)
    with pytest.raises(AccessError):
        Connector(BrokerSettings(url=broker.url, protocol="3.1.1")).connect(OPTIONS)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(134, AccessError), (135, AccessError), (138, AccessError), (137, RefusedError)],
)
def test_a_refusal_has_a_kind(broker: ScriptedBroker, code: int, kind: type[BrokerError]) -> None:
    broker.greeting = lambda *_: connack(5, code)
    with pytest.raises(RefusedError) as caught:
        Connector(BrokerSettings(url=broker.url)).connect(OPTIONS)
    assert type(caught.value) is kind
    assert versions(broker) == [5]


def test_what_is_no_packet(broker: ScriptedBroker) -> None:
    with Connector(BrokerSettings(url=broker.url)).connect(OPTIONS) as connection:
        broker.peers[-1].send(b"\x32\x03\xff\xff\xff" * 3)  # a PUBLISH shorter than its topic
        with pytest.raises(BrokerError, match="it sent what is no MQTT"):
            _turn_for_ever(connection)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux' /proc")
def test_attempts_that_fail_leave_no_descriptors(broker: ScriptedBroker) -> None:
    connector = Connector(BrokerSettings(url=broker.url, protocol="5"))
    broker.greeting = lambda *_: connack(5, 134)
    gc.disable()  # an hour of failures must not depend on when it runs
    try:
        before = _open_sockets(broker)
        for _ in range(20):
            with pytest.raises(AccessError):
                connector.connect(OPTIONS)
        assert _open_sockets(broker) == before
    finally:
        gc.enable()


def _open_sockets(broker: ScriptedBroker) -> int:
    """Those of this process, without the broker's ends of its connections."""
    broker.wait(lambda: all(peer.sock.fileno() < 0 for peer in broker.peers))
    return len(os.listdir("/proc/self/fd"))


def test_a_silent_broker(broker: ScriptedBroker) -> None:
    broker.greeting = lambda *_: b""
    with pytest.raises(BrokerError, match="accepts connections but does not answer"):
        Connector(BrokerSettings(url=broker.url), timeouts=QUICK).connect(OPTIONS)


def test_a_name_that_no_resolver_takes() -> None:
    name = "a" * 70
    with pytest.raises(BrokerError, match=f"the name '{name}' cannot be resolved"):
        Connector(BrokerSettings(url=f"mqtt://{name}")).connect(OPTIONS)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "nothing listens there"),
        (ConnectionResetError(), "does this port want TLS"),
        (TimeoutError(), "is the host up"),
        (OSError(113, os.strerror(113)), os.strerror(113)),
    ],
)
def test_a_failure_of_the_network_is_one_sentence(error: OSError, words: str) -> None:
    endpoint = Connector(BrokerSettings(url="mqtts://me:secret@nas")).endpoint
    said = str(connection_failure(endpoint, error))
    assert said.startswith("mqtts://nas:8883: ")
    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "more", [{"url": "mqtts://nas", "ca_file": "none.pem"}, {"password_file": "none.txt"}]
)
def test_files_that_cannot_be_used_are_told_before_any_connection(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    more = {key: str(tmp_path / value) if "file" in key else value for key, value in more.items()}
    with pytest.raises(ConfigError, match="none"):
        Connector(BrokerSettings(**more)).check()


def test_a_password_file_is_read_for_each_connection(
    broker: ScriptedBroker, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    connector = Connector(BrokerSettings(url=broker.url, username="me", password_file=str(file)))
    for password in (b"first", b"second"):
        file.write_bytes(password + b"\n")
        with connector.connect(OPTIONS):
            framed = struct.pack("!H", len(password)) + password
            assert broker.connects[-1].body.endswith(framed)
