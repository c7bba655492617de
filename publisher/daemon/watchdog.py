"""Whether the main loop goes on: told to systemd, and looked after by a thread of our own.

A loop that stands still (a driver that hangs, a deadlock of ours) publishes nothing and ends at no
signal. systemd ends a service of ``Type=notify`` that does not report within ``WatchdogSec``
(sd_notify(3)); elsewhere a thread does it, and leaves the stacks of all threads in the log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from math import isinf
from typing import Final

log = logging.getLogger(__name__)

_SHORTEST_SECONDS: Final = 0.25  # between two reports: nobody's patience keeps a processor busy
_LOOK_SECONDS: Final = 30.0
_STILL: Final = 5
"""Looks in a row at which the loop has not moved. A process that was stopped, or a machine that
slept, goes on between two looks."""
EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h: systemd starts us again, as does ``restart: unless-stopped``."""


class ServiceManager:
    """The service manager that has started us, if it wants to be told.

    Args:
        environment: where ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` are.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._period = float("inf")
        with contextlib.suppress(ValueError):
            if (usec := int(environment.get("WATCHDOG_USEC", ""))) > 0:
                self._period = max(usec / 1e6 / 4, _SHORTEST_SECONDS)
        if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            self._period = float("inf")
        self._reported = float("-inf")

    def ready(self) -> None:
        """The signals are obeyed from now on."""
        self._tell("READY=1")

    def status(self, words: str) -> None:
        """How it goes, in a line that ``systemctl status`` shows."""
        self._tell(f"STATUS={words}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    @property
    def due(self) -> float:
        """When it wants to hear from us again, in monotonic seconds: never, unless it watches.

        However seldom the machine is looked at: a unit may be given less patience than a period.
        """
        return float("inf") if isinf(self._period) else self._reported + self._period

    def alive(self, now: float) -> None:
        """The loop goes on; ``now`` in monotonic seconds."""
        if now >= self.due:
            self._reported = now
            self._tell("WATCHDOG=1")

    def _tell(self, words: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(words.encode(), address)


class Watchdog:
    """Ends the process when ``beat`` is not called for long.

    Args:
        end: how it ends; takes the exit code.
        look_seconds: between two looks.
    """

    def __init__(
        self, *, end: Callable[[int], object] = os._exit, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._end = end
        self._look_seconds = look_seconds
        self._beats = 0
        self._over = threading.Event()

    def start(self) -> None:
        """Begins to look; where no thread can be had it is done without."""
        thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        with contextlib.suppress(RuntimeError):
            thread.start()

    def beat(self) -> None:
        """The loop has moved."""
        self._beats += 1

    def stop(self) -> None:
        """Looks no more."""
        self._over.set()

    def _look(self) -> None:
        seen, still = self._beats, 0
        while not self._over.wait(self._look_seconds):
            still = still + 1 if self._beats == seen else 0
            seen = self._beats
            if still >= _STILL:
                seconds = still * self._look_seconds
                log.error("the main loop stands still for %.0f s: this is a bug; ending", seconds)
                if _has_room(sys.stderr.fileno()):
                    faulthandler.dump_traceback(sys.stderr)
                self._end(EXIT_CODE)
                return


def _has_room(descriptor: int) -> bool:
    """Whether a write would not wait for somebody to read."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
