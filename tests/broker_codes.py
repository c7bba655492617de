"""Every code with which a broker can say no, from a scripted one: what it costs and what stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from running_session import Recorded, RunningSession
from scripted_broker import (
    DISCONNECT,
    PUBACK,
    PUBLISH,
    Packet,
    Peer,
    ScriptedBroker,
    connack,
    packet,
)

from publisher.contract.messages import Message
from publisher.mqtt.broker import BrokerSettings

_EVENTS = 6
_TIMES = 4  # that the broker says no
# MQTT 5 sections 3.2.2.2, 3.4.2.1 and 3.14.2.1; MQTT 3.1.1 section 3.2.2.3; and what none has.
_CONNACK = (
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
    0x9A, 0x9B, 0x9C, 0x9D, 0x9F, 0xFE,
)  # fmt: skip
_OLD_CONNACK = (1, 2, 3, 4, 5, 6, 255)
_PUBACK = (0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99, 0xFE)
_DISCONNECT = (
    0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2, 0xFE,
)  # fmt: skip

Script = Callable[[ScriptedBroker], None]


def _greets_with(code: int) -> Script:
    def script(broker: ScriptedBroker) -> None:
        def greeting(_: Peer, got: Packet) -> bytes:
            return connack(got.version, code if len(broker.connects) <= _TIMES else 0)

        broker.greeting = greeting

    return script


def _answers_with(code: int) -> Script:
    def script(broker: ScriptedBroker) -> None:
        def handle(peer: Peer, got: Packet) -> None:
            if got.kind == PUBLISH and got.qos and (code < 0x80 or _is_early(broker)):
                peer.send(packet(PUBACK, got.packet_id + bytes([code])))
            else:
                broker.behave(peer, got)

        broker.handle = handle

    return script


def _ends_with(code: int) -> Script:
    def script(broker: ScriptedBroker) -> None:
        def handle(peer: Peer, got: Packet) -> None:
            if got.kind == PUBLISH and got.topic == "host/event" and len(broker.connects) <= _TIMES:
                peer.send(packet(DISCONNECT, bytes([code])))
            else:
                broker.behave(peer, got)

        broker.handle = handle

    return script


def _is_early(broker: ScriptedBroker) -> bool:
    return sum(each.topic == "host/event" for each in broker.published) <= _EVENTS


CODES: Mapping[str, tuple[Script, str]] = {
    **{f"CONNACK {code:#x} of MQTT 5": (_greets_with(code), "5") for code in _CONNACK},
    **{f"CONNACK {code} of MQTT 3.1.1": (_greets_with(code), "3.1.1") for code in _OLD_CONNACK},
    **{f"PUBACK {code:#x}": (_answers_with(code), "5") for code in _PUBACK},
    **{f"DISCONNECT {code:#x}": (_ends_with(code), "5") for code in _DISCONNECT},
}
"""By name: what the broker does, and the version of MQTT that is spoken."""


def tried(name: str) -> str:
    """Has the broker do it a few times and then no more; what became of the events, if not well."""
    script, version = CODES[name]
    broker = ScriptedBroker()
    script(broker)
    settings = BrokerSettings(url=broker.url, protocol=version)
    running = RunningSession(settings, outbox=Recorded())
    made = [f"event-{number}" for number in range(_EVENTS)]
    for key in made:
        running.outbox.put(
            Message(topic="host/event", payload=f'{{"id":"{key}"}}'.encode(), qos=1, key=key)
        )
    try:
        running.session.start()
        broker.wait(lambda: not running.outbox.waiting_events, timeout=20)
    except AssertionError:
        waiting = [message.key for message in running.outbox.waiting_events]
        return f"not delivered: {waiting}; {running.lines[-1:]}"
    finally:
        running.session.stop([], timeout=2)
        broker.close()
    return _missing(made, broker)


def _missing(made: list[str], broker: ScriptedBroker) -> str:
    seen: list[str] = []
    for each in broker.published:
        found = re.search(rb'"id":"([^"]+)"', each.body)
        if found and (key := found[1].decode()) not in seen:
            seen.append(key)
    return "" if seen == made else f"made {made}, seen {seen}"
