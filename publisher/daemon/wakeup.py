"""A wait that another thread or a signal can end, on every system that Python runs on.

A pair of sockets, since Windows selects nothing else; ``poll`` where there is one, since it takes
descriptors of any number and tells urgent ones apart.
"""

from __future__ import annotations

import contextlib
import logging
import math
import select
import socket
from collections.abc import Iterable, Sequence

log = logging.getLogger(__name__)

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
    """``poll``, made anew only when other descriptors are asked for.

    One that is in error is reported at once and for ever, whatever it is watched for (man 2 poll):
    a pressure trigger that the kernel took back would keep a processor busy. It is let go of.
    """

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
        found: set[int] = set()
        for descriptor, events in self._poll.poll(math.ceil(seconds * 1000)):
            if events & (select.POLLERR | select.POLLHUP | select.POLLNVAL) and descriptor != own:
                self._poll.unregister(descriptor)
                log.info("descriptor %d tells nothing any more and is let go of", descriptor)
            else:
                found.add(descriptor)
        return found


class _Select:
    """``select``, which is everywhere."""

    def __init__(self) -> None:
        self._lost: set[int] = set()

    def ready(self, own: int, descriptors: Iterable[int], seconds: float) -> set[int]:
        watched = [each for each in descriptors if each not in self._lost]
        try:
            readable, _, urgent = select.select([own], [], watched, seconds)
        except OSError:  # one of them is closed; ours is not
            self._lost.update(watched)
            return set()
        return {*readable, *urgent}
