"""What systemd is told of a service of ours (sd_notify(3)).

A service of ``Type=notify`` has begun when it says so, and one that does not report within
``WatchdogSec`` is ended and started anew.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from math import isinf
from typing import Final

_SHORTEST_SECONDS: Final = 0.25  # between two reports: nobody's patience keeps a processor busy


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
