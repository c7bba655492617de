"""A broker of a few lines, so that tests can have it misbehave."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


class ScriptedBroker:
    """Listens on loopback; every packet goes to ``handle``, which tests replace.

    ``greeting`` makes the answer to a CONNECT, ``None`` hangs up. ``connects``, ``published`` and
    ``received``, which is everything but CONNECTs, hold what has come.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.connects: list[Packet] = []
        self.published: list[Packet] = []
        self.received: list[Packet] = []
        self.peers: list[Peer] = []
        self.condition = threading.Condition()
        self.handle: Callable[[Peer, Packet], None] = self.behave
        self.greeting: Callable[[Peer, Packet], bytes | None] = lambda _, first: connack(
            first.version
        )
        self._threads: list[threading.Thread] = []
        self._accept = threading.Thread(target=self._serve, daemon=True)
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

    def wait_published(self, count: int) -> None:
        """Until so many messages have come, and no more."""
        self.wait(lambda: len(self.published) == count)

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
            thread = threading.Thread(target=self._talk, args=(peer,), daemon=True)
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
                self._note(self.received, got)
                if got.kind == PUBLISH:
                    self._note(self.published, got)
                self.handle(peer, got)
        except OSError:
            pass
        _hang_up(peer.sock)
        with self.condition:
            self.condition.notify_all()

    def _note(self, where: list[Packet], what: Packet) -> None:
        with self.condition:
            where.append(what)
            self.condition.notify_all()


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
