"""What waits to be sent: the newest state of each topic, and a few answers.

States live here, not in the MQTT client's queue: however long the broker is away, one message a
topic waits, and it is the newest. After a reconnect every retained state is sent again, for the
broker may have come back empty.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from publisher.schema.message import Message

_ANSWERS = 16  # nobody waits for the seventeenth answer of a broker that is away


class Outbox:
    """Latest-wins by topic for retained messages, first-in-first-out for the others.

    Any thread may call any method. ``wake`` is called, outside the lock, when there is
    something to take.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        self._lock = threading.Lock()
        self._states: dict[str, Message] = {}
        self._unsent: dict[str, None] = {}  # a set that keeps its order
        self._answers: deque[Message] = deque(maxlen=_ANSWERS)

    def put(self, message: Message) -> None:
        """Leaves a message to be sent as soon as can be."""
        with self._lock:
            if message.retain:
                self._states[message.topic] = message
                self._unsent[message.topic] = None
            else:
                self._answers.append(message)
        self.wake()

    def take(self) -> list[Message]:
        """Everything that waits, each message once; the caller sends it or puts it back."""
        with self._lock:
            taken = [self._states[topic] for topic in self._unsent]
            taken.extend(self._answers)
            self._unsent.clear()
            self._answers.clear()
        return taken

    def put_back(self, message: Message) -> None:
        """Takes a message back that could not be sent; a newer one of its topic goes before it."""
        with self._lock:
            if not message.retain:
                self._answers.append(message)
            elif self._states.get(message.topic) is message:
                self._unsent[message.topic] = None

    def renew(self) -> None:
        """Marks every retained state to be sent again."""
        with self._lock:
            self._unsent = dict.fromkeys(self._states)
        self.wake()

    def forget(self, topic: str) -> None:
        """Drops the state of a topic that is no longer ours to publish."""
        with self._lock:
            self._states.pop(topic, None)
            self._unsent.pop(topic, None)

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._unsent) + len(self._answers)
