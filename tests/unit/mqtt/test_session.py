"""The session against a broker that misbehaves in every way we know of."""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from running_session import Recorded, RunningSession, state
from scripted_broker import (
    DISCONNECT,
    PINGREQ,
    PUBACK,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    Packet,
    Peer,
    ScriptedBroker,
    connack,
    packet,
)

from publisher.contract.messages import Message
from publisher.mqtt.backoff import ReconnectTimes

Run = Callable[..., RunningSession]


def test_states_arrive_with_the_status_first(broker: ScriptedBroker, run: Run) -> None:
    one = run(broker.url)
    one.outbox.put(state("host/cpu"))
    one.outbox.put(state("host/status", b"online", 1))
    one.session.start()
    broker.wait_published(2)
    assert broker.topics() == ["host/status", "host/cpu"]
    assert b"boot_id" in broker.published[0].body
    assert b"boot_id" not in broker.published[1].body
    assert all(b"schema_version" in each.body for each in broker.published)
    one.wait(lambda: one.states == [(True, f"connected to {broker.url} with MQTT 5")])
    assert one.session.connections == 1


def test_what_is_put_later_is_sent_at_once(broker: ScriptedBroker, run: Run) -> None:
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    for number in range(3):
        one.outbox.put(state("host/cpu", b"%d" % number))
        broker.wait_published(number + 1)
    one.session.stop([], timeout=5)
    assert one.session.messages_sent == 3
    assert one.session.payload_sent_bytes == 3


def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(broker: ScriptedBroker, run: Run) -> None:
    broker.greeting = lambda _, first: connack(first.version, int(first.version == 5) * 0x84)
    one = run(broker.url)
    one.outbox.put(state("host/status", b"online", 1))
    one.session.start()
    broker.wait_published(1)
    assert one.states == [(True, f"connected to {broker.url} with MQTT 3.1.1")]
    assert [each.version for each in broker.connects] == [5, 4]


def test_the_old_version_is_remembered_and_the_new_one_offered_again(
    broker: ScriptedBroker, run: Run
) -> None:
    broker.greeting = lambda _, first: packet(2, b"\0\1") if first.version == 5 else connack(4)
    one = run(broker.url)
    one.session.start()
    broker.wait(lambda: len(broker.connects) == 2)
    one.wait(lambda: len(one.states) == 1)
    broker.peers[-1].sock.shutdown(socket.SHUT_RDWR)
    broker.wait(lambda: len(broker.connects) == 3)
    assert [each.version for each in broker.connects] == [5, 4, 4]
    one.session.stop([], timeout=2)

    again = run(
        broker.url, times=ReconnectTimes(first=0.01, away=0.02, longest=0.02, old_version=0)
    )
    again.session.start()
    again.wait(lambda: len(again.states) == 1)
    broker.peers[-1].sock.shutdown(socket.SHUT_RDWR)
    broker.wait(lambda: len(broker.connects) == 7)
    assert [each.version for each in broker.connects[3:]] == [5, 4, 5, 4]


def test_a_broker_that_hangs_up_on_everyone_is_reported_once_and_tried_on(
    broker: ScriptedBroker, run: Run
) -> None:
    broker.greeting = lambda *_: None
    one = run(broker.url)
    one.session.start()
    broker.wait(lambda: len(broker.connects) >= 6)
    assert {each.version for each in broker.connects} == {4, 5}
    assert len(one.states) == 1
    assert "hangs up at once" in one.lines[0]


def test_version_5_demanded_and_not_spoken(broker: ScriptedBroker, run: Run) -> None:
    broker.greeting = lambda *_: packet(2, b"\0\1")
    one = run(broker.url, protocol="5")
    one.session.start()
    broker.wait(lambda: len(broker.connects) >= 2)
    assert {each.version for each in broker.connects} == {5}
    assert one.lines == [f"{broker.url}: it does not speak this version of MQTT"]


@pytest.mark.parametrize(
    ("code", "words"), [(134, "wrong user name or password"), (138, "this client is banned")]
)
def test_a_refusal_is_one_line_until_it_changes(
    broker: ScriptedBroker, run: Run, code: int, words: str
) -> None:
    broker.greeting = lambda *_: connack(5, code)
    one = run(broker.url, username="u", password="p")
    one.session.start()
    broker.wait(lambda: len(broker.connects) >= 3)
    assert one.lines == [f"{broker.url}: {words}"]
    broker.greeting = lambda *_: connack(5)
    one.wait(lambda: len(one.states) == 2)
    assert one.states[-1][0]


def test_a_server_that_speaks_something_else(run: Run, broker: ScriptedBroker) -> None:
    broker.greeting = lambda *_: b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    assert one.lines == [f"{broker.url}: what answers there is no MQTT broker"]


def test_a_silent_server(broker: ScriptedBroker, run: Run) -> None:
    broker.greeting = lambda *_: b""
    one = run(broker.url, connect=0.1)
    one.session.start()
    one.wait(lambda: bool(one.states))
    assert one.lines == [f"{broker.url}: it accepts connections but does not answer"]


def test_nothing_listens(run: Run, closed_port: int) -> None:
    one = run(f"mqtt://127.0.0.1:{closed_port}")
    one.session.start()
    one.wait(lambda: bool(one.states))
    assert "nothing listens there" in one.lines[0]
    assert not one.session.connected


def test_a_missing_certificate_file_is_a_line_not_a_crash(run: Run, closed_port: int) -> None:
    one = run(f"mqtts://127.0.0.1:{closed_port}", ca_file="/nowhere/ca.crt")
    one.session.start()
    one.wait(lambda: bool(one.states))
    assert one.lines == ["broker.ca_file: no such file: /nowhere/ca.crt"]


def test_a_withheld_puback_ends_the_connection_and_the_message_comes_again(
    broker: ScriptedBroker, run: Run
) -> None:
    def withhold(peer: Peer, got: Packet) -> None:
        if got.kind != PUBLISH or len(broker.connects) > 1:
            broker.behave(peer, got)

    broker.handle = withhold
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    kept = Message(topic="host/event", payload=b"{}", qos=1, key="run-1")
    one.outbox.put(kept)
    broker.wait_published(2)
    assert one.outbox.returned == [kept]
    assert len(broker.connects) == 2
    assert any("stopped answering" in line for line in one.lines)


def test_a_withheld_pingresp_ends_the_connection(broker: ScriptedBroker, run: Run) -> None:
    pings = []

    def withhold(peer: Peer, got: Packet) -> None:
        if got.kind == PINGREQ:
            pings.append(got)
        else:
            broker.behave(peer, got)

    broker.handle = withhold
    one = run(broker.url, keepalive_seconds=1)
    one.session.start()
    broker.wait(lambda: len(broker.connects) == 2)
    assert len(pings) == 1
    assert any("stopped answering" in line for line in one.lines)


def test_a_quiet_connection_is_kept_alive(broker: ScriptedBroker, run: Run) -> None:
    pings = threading.Semaphore(0)

    def count(peer: Peer, got: Packet) -> None:
        if got.kind == PINGREQ:
            pings.release()
        broker.behave(peer, got)

    broker.handle = count
    one = run(broker.url, keepalive_seconds=1)
    one.session.start()
    for _ in range(2):
        assert pings.acquire(timeout=10)
    assert len(broker.connects) == 1


def test_the_brokers_own_keepalive_counts(broker: ScriptedBroker, run: Run) -> None:
    pings = threading.Semaphore(0)
    broker.greeting = lambda *_: connack(5, 0, b"\x13" + struct.pack("!H", 1))

    def count(peer: Peer, got: Packet) -> None:
        if got.kind == PINGREQ:
            pings.release()
        broker.behave(peer, got)

    broker.handle = count
    one = run(broker.url, keepalive_seconds=3600)
    one.session.start()
    assert pings.acquire(timeout=10)


def test_no_more_in_flight_than_the_broker_allows(broker: ScriptedBroker, run: Run) -> None:
    broker.greeting = lambda *_: connack(5, 0, b"\x21" + struct.pack("!H", 2))
    held, most = [], [0]

    def hold(peer: Peer, got: Packet) -> None:
        if got.kind != PUBLISH:
            broker.behave(peer, got)
            return
        held.append(got)
        most[0] = max(most[0], len(held))
        if len(held) == 2 or len(broker.published) == 7:
            while held:
                peer.acknowledge(held.pop(0))

    broker.handle = hold
    one = run(broker.url)
    for number in range(7):
        one.outbox.put(Message(topic=f"host/event/{number}", payload=b"", qos=1))
    one.session.start()
    broker.wait_published(7)
    assert most[0] == 2
    assert broker.topics() == [f"host/event/{number}" for number in range(7)]


def test_a_broker_that_stops_reading_gets_the_newest_state_when_it_goes_on(
    broker: ScriptedBroker, run: Run
) -> None:
    goes_on = threading.Event()

    def stall(peer: Peer, got: Packet) -> None:
        if got.kind == PUBLISH:
            goes_on.wait(20)
        broker.behave(peer, got)

    broker.handle = stall
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    for number in range(1000):
        one.outbox.put(state("host/cpu", b"%06d" % number + b"x" * 100_000))
    one.outbox.put(Message(topic="host/event", payload=b"the last", qos=1))
    goes_on.set()
    broker.wait(lambda: bool(broker.published) and broker.published[-1].topic == "host/event")
    states = [each for each in broker.published if each.topic == "host/cpu"]
    assert b"000999" in states[-1].body
    assert len(states) < 900, "the socket's buffers hold a few megabytes, we hold one message"
    assert len(broker.connects) == 1


def test_a_broker_that_keeps_nothing_is_left_no_retained_will(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def greet(_peer: Peer, first: Packet) -> bytes:
        # CONNECT's flags (MQTT 5 section 3.1.2.3); then Retain Available (section 3.2.2.3.5)
        return connack(5, 154) if first.body[7] & 0x20 else connack(5, 0, b"\x25\0")

    broker.greeting = greet
    one = run(broker.url)
    one.session.start()
    one.outbox.put(state("host/cpu"))
    for number in (1, 2):
        broker.wait_published(number)
        broker.peers[-1].send(packet(DISCONNECT, b"\x8b\0"))
    broker.wait_published(3)
    assert [got.body[7] & 0x24 for got in broker.connects] == [0x24, 0x04] * 3
    assert not any(got.flags & 1 for got in broker.published)
    assert one.lines[0] == f"connected to {broker.url} with MQTT 5"
    (said,) = (each.message for each in caplog.records)
    assert "Home Assistant" in said


def test_a_message_beyond_the_brokers_limit_is_left_out_with_one_line(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    broker.greeting = lambda *_: connack(5, 0, b"\x27" + struct.pack("!I", 1000))
    one = run(broker.url)
    one.session.start()
    for _ in range(2):
        one.outbox.put(state("host/catalogue", b"x" * 5000))
    one.outbox.put(state("host/cpu"))
    broker.wait_published(1)
    assert broker.topics() == ["host/cpu"]
    one.session.stop([], timeout=2)
    assert [each.message for each in caplog.records] == [
        (
            f"{broker.url}: host/catalogue is left out: its 5000 bytes do not fit the broker's "
            "limit of 1000 a message"
        )
    ]


@pytest.mark.parametrize("topic", ["", "host/#", "a/+/b"])
def test_an_answer_to_an_impossible_topic_is_left_out(
    broker: ScriptedBroker, run: Run, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    one.outbox.put(Message(topic=topic, payload=b"x", qos=1))
    one.outbox.put(state("host/cpu"))
    broker.wait_published(1)
    one.session.stop([], timeout=2)
    assert [each.message.split(":")[0] for each in caplog.records] == [
        f"not published to {topic!r}"
    ]


def test_a_request_comes_with_its_return_address(broker: ScriptedBroker, run: Run) -> None:
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    address = b"\x08" + struct.pack("!H", 9) + b"replies/1" + b"\x09" + struct.pack("!H", 2) + b"id"
    broker.peers[-1].deliver("host/command", b"why", address)
    one.wait(lambda: bool(one.requests))
    [request] = one.requests
    assert (request.topic, request.payload) == ("host/command", b"why")
    assert (request.response_topic, request.correlation_data) == ("replies/1", b"id")
    one.outbox.put(
        Message(topic="replies/1", payload=b"answer", correlation_data=request.correlation_data)
    )
    broker.wait_published(1)
    assert b"\x09\x00\x02id" in broker.published[0].body


def test_a_request_that_cannot_be_handled_ends_nothing(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    one = run(broker.url)
    one.failing = True
    one.session.start()
    one.wait(lambda: bool(one.states))
    for number in range(1, 3):
        broker.peers[-1].deliver("host/command", b"\xff")
        one.wait_requests(number)
    one.session.stop([], timeout=2)
    assert len(broker.connects) == 1
    assert [each.message for each in caplog.records] == [
        "a message on host/command could not be handled"
    ]


def test_junk_in_the_middle_of_a_connection(broker: ScriptedBroker, run: Run) -> None:
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    broker.peers[-1].send(b"\xf7\xff\xff\xff\xff\xff" * 10)
    broker.wait(lambda: len(broker.connects) == 2)
    one.wait(lambda: one.states[-1][0])


def test_the_brokers_goodbye_is_told_in_words(broker: ScriptedBroker, run: Run) -> None:
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    broker.peers[-1].send(packet(DISCONNECT, b"\x8e\0"))
    one.wait(lambda: len(one.states) >= 2)
    assert one.lines[1] == (
        f"{broker.url}: it ended the connection: another client uses our client id; "
        "set broker.client_id"
    )


def test_refused_rights_are_told_once(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(peer: Peer, got: Packet) -> None:
        if got.kind == PUBLISH:
            peer.send(packet(PUBACK, got.packet_id + b"\x87"))
        elif got.kind == SUBSCRIBE:
            peer.send(packet(SUBACK, got.packet_id + b"\0\x87"))

    broker.handle = refuse
    one = run(broker.url)
    one.session.start()
    for number in range(2):
        one.outbox.put(state("host/cpu", b"%d" % number, 1))
        broker.wait_published(number + 1)
    one.session.stop([], timeout=2)
    assert sorted(each.message for each in caplog.records) == [
        (
            f"{broker.url}: it does not let us subscribe to host/command (not authorized); "
            "check its access rules"
        ),
        (
            f"{broker.url}: it does not take what we publish to host/cpu (not authorized); "
            "check its access rules"
        ),
    ]
    assert one.outbox.returned == []


def event(number: int, payload: bytes = b"{}") -> Message:
    return Message(topic="host/event", payload=payload, qos=1, key=f"run-{number}")


def test_an_event_that_is_refused_is_offered_again(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    mended = threading.Event()

    def refuse(peer: Peer, got: Packet) -> None:
        if got.kind == PUBLISH and not mended.is_set():
            peer.send(packet(PUBACK, got.packet_id + b"\x97"))
        else:
            broker.behave(peer, got)

    broker.handle = refuse
    one = run(broker.url)
    for number in range(3):
        one.outbox.put(event(number))
    one.session.start()
    broker.wait(lambda: len(broker.published) >= 9)  # each of them three times
    mended.set()
    until = time.monotonic() + 10
    while one.outbox.waiting_events and time.monotonic() < until:
        time.sleep(0.01)
    assert one.outbox.waiting_events == []
    assert len([each for each in caplog.records if "does not take" in each.message]) == 1


def test_a_refusal_for_a_reason_that_paho_does_not_know_ends_nothing(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(peer: Peer, got: Packet) -> None:
        if got.kind == PUBLISH and len(got.body) > 5000:
            peer.send(packet(PUBACK, got.packet_id + b"\x95"))  # as mosquitto's message_size_limit
        else:
            broker.behave(peer, got)

    broker.handle = refuse
    one = run(broker.url)
    one.outbox.put(state("host/catalogue", b"x" * 6000, 1))
    one.outbox.put(event(1))
    one.session.start()
    broker.wait(lambda: broker.topics()[-1:] == ["host/event"])
    one.session.stop([], timeout=5)
    assert len(broker.connects) == 1
    assert "does not take what we publish to host/catalogue" in caplog.text


def test_a_message_that_ends_every_connection_is_left_out(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def hang_up(peer: Peer, got: Packet) -> None:
        if got.kind == PUBLISH and len(got.body) > 5000:
            peer.sock.shutdown(socket.SHUT_RDWR)
        else:
            broker.behave(peer, got)

    broker.handle = hang_up
    one = run(broker.url)
    one.outbox.put(state("host/status", b"online", 1))
    one.outbox.put(event(1, b"x" * 6000))
    one.outbox.put(event(2))
    one.outbox.put(state("host/catalogue", b"x" * 6000))
    one.outbox.put(state("host/cpu"))
    one.session.start()
    broker.wait(lambda: any(each.topic == "host/cpu" for each in broker.published))
    broker.wait(lambda: sum(each.topic == "host/event" for each in broker.published[-20:]) > 0)
    until = time.monotonic() + 10
    while len(one.outbox.waiting_events) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert [each.key for each in one.outbox.waiting_events] == ["run-1"]
    said = [each.message for each in caplog.records if "is left out" in each.message]
    assert len(said) == 2
    assert any("host/catalogue is published (6000 bytes)" in line for line in said)
    assert all("client id" not in each.message for each in caplog.records)


def test_an_answer_that_ends_the_connection_is_not_given_again(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def hang_up(peer: Peer, got: Packet) -> None:
        if got.kind == PUBLISH and got.topic == "replies/1":
            peer.sock.shutdown(socket.SHUT_RDWR)
        else:
            broker.behave(peer, got)

    broker.handle = hang_up
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    for _ in range(3):
        one.outbox.put(Message(topic="replies/1", payload=b"answer", qos=1))
    broker.wait(lambda: len(broker.connects) == 2)
    one.outbox.put(Message(topic="replies/1", payload=b"answer", qos=1))
    one.outbox.put(event(1))
    broker.wait(lambda: broker.topics()[-1:] == ["host/event"])
    assert len(broker.connects) == 2
    assert "ended over an answer" in caplog.text


def test_a_broker_of_qos_0_gets_a_will_of_qos_0(broker: ScriptedBroker, run: Run) -> None:
    def greet(_: Peer, first: Packet) -> bytes:
        will_qos = first.body[7] >> 3 & 3
        return connack(5, 155) if will_qos else connack(5, 0, b"\x24\x00")

    broker.greeting = greet
    one = run(broker.url)
    one.outbox.put(state("host/cpu", qos=1))
    one.session.start()
    broker.wait_published(1)
    assert broker.published[0].qos == 0


class Broken(Recorded):
    """An outbox that fails when it is asked for the first time."""

    failures = 2

    def take(self) -> list[Message]:
        if self.failures:
            self.failures -= 1
            raise KeyError("unforeseen")
        return super().take()


def test_an_unforeseen_failure_is_logged_once_and_survived(
    broker: ScriptedBroker, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    one = run(broker.url, outbox=Broken())
    one.session.start()
    one.outbox.put(state("host/cpu"))
    broker.wait_published(1)
    assert "unexpected KeyError" in one.lines[1]
    assert [each.levelno for each in caplog.records if each.exc_info][:1] == [logging.ERROR]


def test_stop_says_goodbye_after_the_last_message_was_acknowledged(
    broker: ScriptedBroker, run: Run
) -> None:
    one = run(broker.url)
    one.session.start()
    one.wait(lambda: bool(one.states))
    one.session.stop([state("host/status", b"offline", 1)], timeout=5)
    broker.wait(lambda: broker.received[-1].kind == DISCONNECT)
    assert [each.kind for each in broker.received] == [SUBSCRIBE, PUBLISH, DISCONNECT]


def test_stop_while_nothing_listens(run: Run, closed_port: int) -> None:
    one = run(f"mqtt://127.0.0.1:{closed_port}", times=ReconnectTimes(first=1000))
    one.session.start()
    one.wait(lambda: bool(one.states))
    one.session.stop([state("host/status", b"offline", 1)], timeout=30)
    assert not one.session.connected


def test_stop_while_the_broker_makes_us_wait(broker: ScriptedBroker, run: Run) -> None:
    broker.greeting = lambda *_: b""
    one = run(broker.url)
    one.session.start()
    broker.wait(lambda: bool(broker.connects))
    one.session.stop([], timeout=30)
    assert len(broker.connects) == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux' /proc")
def test_what_is_put_while_there_is_no_connection_wakes_no_thread(
    run: Run, closed_port: int
) -> None:
    one = run(f"mqtt://127.0.0.1:{closed_port}", times=ReconnectTimes(first=1000))
    one.session.start()
    one.wait(lambda: bool(one.states))
    (thread,) = (each for each in threading.enumerate() if each.name == "mqtt")
    status = Path(f"/proc/self/task/{thread.native_id}/status")
    sleeps = _settled(lambda: status.read_text().partition("voluntary_ctxt_switches:")[2])
    for number in range(1000):
        one.outbox.put(state("host/cpu", b"%d" % number))
    assert _settled(lambda: status.read_text().partition("voluntary_ctxt_switches:")[2]) == sleeps
    assert [message.payload for message in one.outbox.take()] == [b"999"]
    assert len(one.states) == 1


def _settled(read: Callable[[], str]) -> str:
    """A value that is the same twice in a row."""
    before, now = "", read()
    while before != now:
        time.sleep(0.05)
        before, now = now, read()
    return now
