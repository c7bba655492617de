"""What waits to be taken: messages, up to a number of bytes, and the user's word, which goes first.

A broker can send faster than a terminal shows. What does not fit waits in the network, and a signal
overtakes whatever waits here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from subscriber_cli.model.budget import INBOX_BYTES, ITEM_BYTES

# Seconds. After a signal, a ``SimpleQueue.get`` of a few microseconds may wait for ever: its time
# is up before it has looked twice, and CPython takes the negative rest for no limit at all.
_SHORTEST = 0.02


class Inbox:
    """A queue that one thread fills with messages, others with their word, and one takes from.

    Attributes:
        wake: called by the thread that fills, for whoever does not wait at ``get``.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Any, int] | None] = SimpleQueue()
        self._first: deque[Any] = deque()
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

    def press(self, item: Any) -> None:
        """Leaves what goes before all messages; may be called while a ``get`` is interrupted."""
        self._first.append(item)
        self._queue.put(None)

    def get(self, timeout: float | None = None) -> Any:
        """The next item; ``None`` after ``timeout`` seconds without one, 0 not waiting at all."""
        ends = None if timeout is None else time.monotonic() + timeout
        while not self._first:
            try:
                entry = self._waited(ends)
            except Empty:
                return None
            if entry is not None:
                item, size = entry
                self._taken += size
                return item
        return self._first.popleft()

    def _waited(self, ends: float | None) -> tuple[Any, int] | None:
        if ends is None:
            return self._queue.get()
        left = ends - time.monotonic()
        if left <= 0:
            return self._queue.get_nowait()
        return self._queue.get(timeout=max(left, _SHORTEST))
