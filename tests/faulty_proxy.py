"""A proxy between a client and its broker, which injects faults and notes which events pass.

What TCP cannot lose it does not lose either: bytes that are held back arrive later, unless the
connection is cut. The one exception are acknowledgements, which it can swallow.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scripted_broker import PUBACK, PUBLISH, Packet, packet
from servers import free_port

UP, DOWN = "up", "down"  # to the broker, to the client
_ID = re.compile(rb'"id":\s*"([^"]+)"')
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


@dataclass
class Passed:
    """The events that went through, by id.

    Attributes:
        sent: how often each went to the broker.
        answered: the codes with which the broker acknowledged it.
        swallowed: acknowledgements of them that the client never got.
    """

    sent: dict[str, int] = field(default_factory=dict)
    answered: dict[str, list[int]] = field(default_factory=dict)
    swallowed: int = 0

    @property
    def taken(self) -> set[str]:
        """What the broker has acknowledged as taken."""
        answered = list(self.answered.items())  # at once: more arrive meanwhile
        return {key for key, codes in answered if min(codes) < 0x80}


@dataclass(eq=False)
class _Link:
    """One connection of the client, and ours to the broker."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    under_way: dict[bytes, str] = field(default_factory=dict)  # packet id: event

    def end(self, *, abort: bool) -> None:
        for writer in (self.client, self.broker):
            if abort and not writer.is_closing():
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """Listens on loopback, in a thread of its own; any thread may set its faults.

    Args:
        target: the broker's port, which may change.
        port: ours; 0 takes a free one.

    Attributes:
        refusing: nobody listens.
        hanging_up: every connection is closed as soon as it is made.
        mute: the directions in which nothing passes for now.
        delay: seconds that each packet waits, in either direction.
        swallowing: acknowledgements of messages are not handed on.
        truncating: the direction in which the next packet is cut in half, and the connection ends.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self.mute: frozenset[str] = frozenset()
        self.delay = 0.0
        self.swallowing = False
        self.hanging_up = False
        self.truncating = ""
        self.passed = Passed()
        self.connections = 0
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = port or free_port()  # which nobody takes while we refuse
        self.refusing = False

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def refusing(self) -> bool:
        return self._server is None

    @refusing.setter
    def refusing(self, wanted: bool) -> None:
        if wanted != self.refusing:
            self._do(self._close() if wanted else self._open())

    def cut(self) -> None:
        """Resets every connection that there is."""
        self._call(lambda link: link.end(abort=True))

    def hang_up(self) -> None:
        """Closes every connection in an orderly way."""
        self._call(lambda link: link.end(abort=False))

    def half_close(self) -> None:
        """Says to the client that nothing more comes, and goes on listening to it."""
        self._call(lambda link: link.client.write_eof())

    def heal(self) -> None:
        """Ends all faults that last."""
        self.mute, self.delay, self.truncating = frozenset(), 0.0, ""
        self.swallowing = self.hanging_up = False
        self.refusing = False

    def close(self) -> None:
        self.refusing = True
        self.cut()
        self._do(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _call(self, action: Callable[[_Link], None]) -> None:
        async def all_of_them() -> None:
            for link in tuple(self._links):
                with contextlib.suppress(OSError, RuntimeError):
                    action(link)

        self._do(all_of_them())

    # -- the thread -----------------------------------------------------------------------------

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        try:
            if not self.hanging_up:
                await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side has gone
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
        link = _Link(writer, ours)
        self._links.add(link)
        ways = [
            asyncio.ensure_future(self._pass(reader, ours, UP, link)),
            asyncio.ensure_future(self._pass(theirs, writer, DOWN, link)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            link.end(abort=False)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str, link: _Link
    ) -> None:
        while True:
            got = await _read(reader)
            if self.delay:
                await asyncio.sleep(self.delay)
            while way in self.mute:  # noqa: ASYNC110  # any thread may set it
                await asyncio.sleep(0.02)
            data = packet(got.kind, got.body, got.flags)
            if self.truncating == way:
                self.truncating = ""
                writer.write(data[: max(len(data) // 2, 1)])
                await writer.drain()
                return
            if self._noted(got, way, link):
                writer.write(data)
                await writer.drain()

    def _noted(self, got: Packet, way: str, link: _Link) -> bool:
        """Takes note of an event or its acknowledgement; whether the packet is to be passed on."""
        if way == UP and got.kind == PUBLISH and got.topic.endswith("/event"):
            if found := _ID.search(got.body):
                key = found[1].decode()
                self.passed.sent[key] = self.passed.sent.get(key, 0) + 1
                link.under_way[got.packet_id] = key
        elif way == DOWN and got.kind == PUBACK:
            code = got.body[2] if len(got.body) > 2 else 0
            if acknowledged := link.under_way.pop(got.body[:2], None):
                self.passed.answered.setdefault(acknowledged, []).append(code)
                self.passed.swallowed += self.swallowing
            return not self.swallowing
        return True


async def _read(reader: asyncio.StreamReader) -> Packet:
    """The next packet of a stream."""
    (head,) = await reader.readexactly(1)
    length, shift = 0, 0
    while True:
        (digit,) = await reader.readexactly(1)
        length |= (digit & 127) << shift
        shift += 7
        if not digit & 128:
            break
    return Packet(head >> 4, head & 15, await reader.readexactly(length))
