"""What waits to be taken: messages, up to a number of bytes.

A broker can send faster than a terminal shows. What does not fit waits in the network.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from subscriber_cli.model.budget import INBOX_BYTES, ITEM_BYTES

# Seconds. After a signal, a ``SimpleQueue.get`` of a few microseconds may wait for ever: its time
# is up before it has looked twice, and CPython takes the negative rest for no limit at all.
_SHORTEST = 0.02


class Inbox:
    """A queue that one thread fills and another takes from.

    Attributes:
        wake: called by the thread that fills, for whoever does not wait at ``get``.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Any, int]] = SimpleQueue()
        # Each is written by one thread alone, so neither needs a lock.
        self._brought = self._taken = 0
        self.wake: Callable[[], None] = lambda: None

    @property
    def full(self) -> bool:
        """Whether whoever brings messages has to wait until some are taken."""
        return self._brought - self._taken >= INBOX_BYTES

    def put(self, item: Any, size: int = 0) -> None:
        """Leaves a message, of ``size`` bytes besides itself."""
        self._brought += size + ITEM_BYTES
        self._queue.put((item, size + ITEM_BYTES))
        self.wake()

    def get(self, timeout: float | None = None) -> Any:
        """The next item; ``None`` after ``timeout`` seconds without one, 0 not waiting at all."""
        try:
            item, size = self._waited(timeout)
        except Empty:
            return None
        self._taken += size
        return item

    def _waited(self, timeout: float | None) -> tuple[Any, int]:
        if timeout is None:
            return self._queue.get()
        if timeout <= 0:
            return self._queue.get_nowait()
        return self._queue.get(timeout=max(timeout, _SHORTEST))
