"""Leaving when told to, although the terminal takes nothing.

A terminal that is held (Ctrl-S), or whose other end does not read, keeps whoever writes to it
waiting, and the toolkit waits for its writer. A signal to end ends the program all the same; the
screen stays as it was then, which nobody reads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

try:
    import termios
except ImportError:  # Windows, whose terminals are others
    _TERMINALS = False
else:
    _TERMINALS = True

_GRACE = 5.0
"""Seconds in which a terminal that reads has taken all that there is."""
_KILLED = 128


class Leaving:
    """Ends the program at SIGTERM and SIGHUP, made while the terminal is as it was found.

    Args:
        leave: asks for the end; called in the main thread, wherever that is.
    """

    def __init__(self, leave: Callable[[], object]) -> None:
        self._leave = leave
        self._found: list[object] | None = None
        if _TERMINALS:
            with contextlib.suppress(OSError, ValueError, termios.error):
                self._found = termios.tcgetattr(sys.stdin.fileno())

    def watch(self) -> None:
        """From now on."""
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._told)

    def _told(self, number: int, _: object) -> None:
        threading.Thread(target=self._see_to_it, args=(number,), daemon=True).start()
        self._leave()

    def _see_to_it(self, number: int) -> None:
        time.sleep(_GRACE)
        if self._found is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._found)  # type: ignore[arg-type]
        os._exit(_KILLED + number)
