"""Whether the main loop goes on: told to systemd, and looked after by a thread of our own.

A loop that stands still (a driver that hangs, a deadlock of ours) publishes nothing and ends at no
signal. systemd ends a service of ``Type=notify`` that does not report within ``WatchdogSec``
(``publisher.service.notify``); elsewhere a thread does it, and leaves all stacks in the log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 30.0
_STILL: Final = 5
"""Looks in a row at which the loop has not moved. A process that was stopped, or a machine that
slept, goes on between two looks."""
EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h: systemd starts us again, as does ``restart: unless-stopped``."""


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
