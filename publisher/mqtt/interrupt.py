"""How other threads reach the one that waits for the network."""

from __future__ import annotations

import contextlib
import socket
import threading


class Interrupt:
    """Ends a wait for the network: something is to be sent, or all is to end.

    ``wake`` and ``stop`` may be called by any thread, the rest by the one that waits.
    """

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """Ends the wait for the network that is going on, or else the next one."""
        with contextlib.suppress(OSError):  # full: it will end anyway; closed: there is none
            self._writer.send(b"\0")

    def stop(self) -> None:
        """Ends every wait, for good."""
        self._stopping.set()
        self.wake()

    def sleep(self, seconds: float) -> None:
        """Waits where there is no network to wait for; ``stop`` alone ends it early."""
        self._stopping.wait(seconds)

    def fileno(self) -> int:
        """What becomes readable when the wait should end."""
        return self._reader.fileno()

    def clear(self) -> None:
        """Takes note of all calls of ``wake`` so far."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)

    def close(self) -> None:
        """Gives the descriptors back."""
        self._reader.close()
        self._writer.close()
