"""A broker of a few lines, so that tests can have it misbehave, and a session against it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from publisher.contract.messages import Message, Request
from publisher.mqtt.broker import BrokerSettings
from publisher.mqtt.connection import Patience
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.session import Session, Timing

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 12, 14,
)  # fmt: skip


@dataclass
class Packet:
    kind: int
    flags: int
    body: bytes

    @property
    def version(self) -> int:
        """Of a CONNECT."""
        return self.body[6]

    @property
    def topic(self) -> str:
        """Of a PUBLISH."""
        (length,) = struct.unpack_from("!H", self.body)
        return self.body[2 : 2 + length].decode()

    @property
    def qos(self) -> int:
        return self.flags >> 1 & 3

    @property
    def packet_id(self) -> bytes:
        at = 2 + len(self.topic.encode()) if self.kind == PUBLISH else 0
        return self.body[at : at + 2]


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return bytes([kind << 4 | flags]) + length + body


def connack(version: int, code: int = 0, properties: bytes = b"") -> bytes:
    body = bytes([0, code])
    if version == 5:
        body += bytes([len(properties)]) + properties
    return packet(CONNACK, body)


class Peer:
    """One client's connection, as the broker sees it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.version = 0

    def packets(self) -> Iterator[Packet]:
        while True:
            head = self._exactly(1)
            length, shift = 0, 0
            while True:
                (digit,) = self._exactly(1)
                length |= (digit & 127) << shift
                shift += 7
                if not digit & 128:
                    break
            yield Packet(head[0] >> 4, head[0] & 15, self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def acknowledge(self, publish: Packet) -> None:
        if publish.qos:
            self.send(packet(PUBACK, publish.packet_id))

    def deliver(self, topic: str, payload: bytes, properties: bytes = b"") -> None:
        name = topic.encode()
        body = struct.pack("!H", len(name)) + name
        if self.version == 5:
            body += bytes([len(properties)]) + properties
        self.send(packet(PUBLISH, body + payload))


class FakeBroker:
    """Listens on loopback; every packet goes to ``handle``, which tests replace.

    ``connects`` and ``published`` hold what has come, ``seen`` is notified of everything.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.connects: list[Packet] = []
        self.published: list[Packet] = []
        self.peers: list[Peer] = []
        self.condition = threading.Condition()
        self.handle: Callable[[Peer, Packet], None] = self.behave
        self.greeting: Callable[[Peer, Packet], bytes | None] = lambda _, first: connack(
            first.version
        )
        self._threads: list[threading.Thread] = []
        self._accept = threading.Thread(target=self._serve)
        self._accept.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def behave(self, peer: Peer, got: Packet) -> None:
        """What a good broker does."""
        if got.kind == PUBLISH:
            peer.acknowledge(got)
        elif got.kind == SUBSCRIBE:
            properties = b"\0" if peer.version == 5 else b""
            peer.send(packet(SUBACK, got.packet_id + properties + b"\1"))
        elif got.kind == PINGREQ:
            peer.send(packet(13, b""))

    def wait(self, condition: Callable[[], bool], timeout: float = 10) -> None:
        with self.condition:
            assert self.condition.wait_for(condition, timeout)

    def topics(self) -> list[str]:
        return [each.topic for each in self.published]

    def close(self) -> None:
        _hang_up(self.listener)
        self._accept.join(5)
        for peer in self.peers:
            _hang_up(peer.sock)
        for thread in self._threads:
            thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            peer = Peer(sock)
            self.peers.append(peer)
            thread = threading.Thread(target=self._talk, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _talk(self, peer: Peer) -> None:
        try:
            for got in peer.packets():
                if got.kind == CONNECT:
                    peer.version = got.version
                    self._note(self.connects, got)
                    greeting = self.greeting(peer, got)
                    if greeting is None:
                        break
                    peer.send(greeting)
                    continue
                if got.kind == PUBLISH:
                    self._note(self.published, got)
                self.handle(peer, got)
        except OSError:
            pass
        _hang_up(peer.sock)

    def _note(self, where: list[Packet], what: Packet) -> None:
        with self.condition:
            where.append(what)
            self.condition.notify_all()


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class Recorded(Outbox):
    """The real outbox, which remembers what came back."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: list[Message] = []

    def put_back(self, message: Message) -> None:
        self.returned.append(message)
        super().put_back(message)


def state(topic: str, payload: bytes = b"{}", qos: int = 0, **more: object) -> Message:
    return Message(topic=topic, payload=payload, qos=qos, retain=True, **more)


WILL = state("host/status", b"offline", 1, content_type="text/plain")
QUICK = Timing(first=0.01, away=0.02, longest=0.02, steady=1000)


class Running:
    """A session with what it told."""

    def __init__(
        self, url: str, *, subscriptions=("host/command",), timing=QUICK, connect=5.0, **settings
    ):
        self.feed = Recorded()
        self.requests: list[Request] = []
        self.states: list[tuple[bool, str]] = []
        self.condition = threading.Condition()
        self.failing = False
        self.session = Session(
            BrokerSettings(url=url, **settings),
            identity="0123456789abcdef0123",
            will=WILL,
            boot_id="boot-1",
            feed=self.feed,
            subscriptions=subscriptions,
            on_request=self._on_request,
            on_state=self._on_state,
            timing=timing,
            patience=Patience(connect=connect, answer=0.2),
        )
        self.feed.wake = self.session.wake

    def _on_request(self, request: Request) -> None:
        with self.condition:
            self.requests.append(request)
            self.condition.notify_all()
        if self.failing:
            raise ValueError("cannot handle this")

    def _on_state(self, connected: bool, line: str) -> None:
        with self.condition:
            self.states.append((connected, line))
            self.condition.notify_all()

    def wait(self, condition: Callable[[], bool], timeout: float = 10) -> None:
        with self.condition:
            assert self.condition.wait_for(condition, timeout), self.states

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.states]


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    fake = FakeBroker()
    yield fake
    fake.close()


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    """Makes sessions, not yet started, and ends them."""
    running: list[Running] = []

    def make(url: str, **more) -> Running:
        running.append(Running(url, **more))
        return running[-1]

    yield make
    for each in running:
        each.session.stop([], timeout=3)


@pytest.fixture
def fakes():
    """What tests build packets and messages with: there is no package to import it from."""
    from types import SimpleNamespace

    return SimpleNamespace(
        connack=connack, packet=packet, state=state, PUBLISH=PUBLISH, DISCONNECT=DISCONNECT,
        PINGREQ=PINGREQ, SUBSCRIBE=SUBSCRIBE, SUBACK=SUBACK, PUBACK=PUBACK,
    )  # fmt: skip
