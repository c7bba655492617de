"""A wait that another thread or a signal can end, on every system that Python runs on.

A pair of sockets, since Windows selects nothing else; ``poll`` where there is one, since it takes
descriptors of any number and tells urgent ones apart.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
from collections.abc import Iterable, Sequence

_AT_ONCE = 4096  # bytes: more wake-ups than ever wait to be taken


class Wakeup:
    """What the main loop waits on."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._wait = _Poll() if hasattr(select, "poll") else _Select()

    @property
    def descriptor(self) -> int:
        """For ``signal.set_wakeup_fd``: a byte written here ends the wait."""
        return self._write.fileno()

    def wake(self) -> None:
        """Ends the wait that is under way, or else the next one. Any thread may call this."""
        with contextlib.suppress(OSError):  # full: it will wake anyway; closed: it has ended
            self._write.send(b"\0")

    def wait(self, seconds: float, descriptors: Sequence[int] = ()) -> set[int]:
        """Waits for ``wake``, for a signal, or for something urgent on one of these descriptors.

        Args:
            seconds: the longest wait.
            descriptors: watched for exceptional conditions (``POLLPRI``); Windows has none.

        Returns:
            The descriptors that something urgent happened on.
        """
        ready = self._wait.ready(self._read.fileno(), descriptors, max(seconds, 0.0))
        if self._read.fileno() in ready:
            ready.discard(self._read.fileno())
            with contextlib.suppress(BlockingIOError):
                self._read.recv(_AT_ONCE)
        return ready

    def close(self) -> None:
        """Gives the sockets back; with the last reference to this they go by themselves."""
        self._read.close()
        self._write.close()

    __del__ = close


class _Poll:
    """``poll``, made anew only when other descriptors are asked for."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: tuple[int, ...] | None = None

    def ready(self, own: int, descriptors: Iterable[int], seconds: float) -> set[int]:
        watched = tuple(descriptors)
        if watched != self._watched:
            self._watched = watched
            self._poll = select.poll()
            self._poll.register(own, select.POLLIN)
            for descriptor in watched:
                self._poll.register(descriptor, select.POLLPRI)
        return {descriptor for descriptor, _ in self._poll.poll(math.ceil(seconds * 1000))}


class _Select:
    """``select``, which is everywhere."""

    def ready(self, own: int, descriptors: Iterable[int], seconds: float) -> set[int]:
        readable, _, urgent = select.select([own], [], list(descriptors), seconds)
        return {*readable, *urgent}
