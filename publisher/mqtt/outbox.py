"""What waits to be sent: the newest state of each topic, every event, and a few answers.

States live here, not in the MQTT client's queue: however long the broker is away, one message a
topic waits, and it is the newest. After a reconnect every retained state is sent again, for the
broker may have come back empty.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection

from publisher.contract.messages import Message
from publisher.mqtt.journal import Journal

_ANSWERS = 16  # older questions to a broker that is away have timed out


class Outbox:
    """Latest-wins by topic for retained messages, first-in-first-out for the others.

    Any thread may call any method. ``wake`` is called, outside the lock, when there is
    something to take.

    Args:
        journal: keeps the messages that have a key, which are events, until they are confirmed.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._journal = journal or Journal(None)
        self._events: deque[Message] = deque(self._journal.waiting())
        self._lock = threading.Lock()
        self._states: dict[str, Message] = {}
        self._unsent: dict[str, None] = {}  # a set that keeps its order
        self._answers: deque[Message] = deque(maxlen=_ANSWERS)
        self._held = False

    def put(self, message: Message) -> None:
        """Leaves a message to be sent as soon as can be."""
        with self._lock:
            if message.retain:
                self._states[message.topic] = message
                self._unsent[message.topic] = None
            elif message.key:
                self._journal.append(message)
                self._events.append(message)
            else:
                self._answers.append(message)
        self.wake()

    def flush(self, timeout: float) -> None:
        """Waits until the events are on disk, no longer than so many seconds."""
        self._journal.flush(timeout)

    def hold(self) -> None:
        """Gives nothing out until ``release`` but what is neither a state nor an event."""
        self._held = True

    def release(self) -> None:
        """Gives out again what waits."""
        if self._held:
            self._held = False
            self.wake()

    @property
    def held(self) -> bool:
        """Whether what waits is held back."""
        return self._held

    def take(self) -> list[Message]:
        """Everything that waits, each message once; the caller sends it or puts it back."""
        with self._lock:
            if self._held:
                asked = list(self._answers)  # a question has to go first
                self._answers.clear()
                return asked
            taken = [self._states[topic] for topic in self._unsent]
            taken.extend(self._events)
            taken.extend(self._answers)
            self._unsent.clear()
            self._events.clear()
            self._answers.clear()
        return taken

    def put_back(self, message: Message) -> None:
        """Takes a message back that could not be sent; a newer one of its topic goes before it."""
        with self._lock:
            if message.key:
                self._events.append(message)
            elif not message.retain:
                self._answers.append(message)
            elif self._states.get(message.topic) is message:
                self._unsent[message.topic] = None

    def confirmed(self, message: Message) -> None:
        """The broker has it: an event need not be kept any longer."""
        if message.key:
            with self._lock:
                self._journal.confirm(message.key)

    def renew(self) -> None:
        """Marks every retained state, and every event not confirmed, to be sent again."""
        with self._lock:
            self._unsent = dict.fromkeys(self._states)
            self._events = deque(self._journal.waiting())
        self.wake()

    def repeat(self, *, without: Collection[str] = ()) -> None:
        """Marks every retained state to be sent again, besides those of some topics."""
        with self._lock:
            self._unsent |= {topic: None for topic in self._states if topic not in without}
        self.wake()
