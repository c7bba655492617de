"""Has a daemon note each event as it is made, and make some of its own: for tests that count.

On the path of a daemon's interpreter it is loaded before the daemon. ``NOTED_EVENTS`` is
the file that gets a line for each: monotonic nanoseconds and the id. ``MORE_EVENTS`` says
how many more happen at each sample.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterable


def note_events(path: str, more: int) -> None:
    from publisher.contract.messages import Message
    from publisher.contract.readings import EventReading
    from publisher.mqtt.outbox import Outbox
    from publisher.publishing.outlet import Outlet

    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    put, tell, numbers = Outbox.put, Outlet.tell, itertools.count()

    def noting(self: Outbox, message: Message) -> None:
        if message.key:
            os.write(file, f"{time.monotonic_ns()} {message.key}\n".encode())
        put(self, message)

    def telling(self: Outlet, events: Iterable[EventReading]) -> None:
        made_up = (
            EventReading(
                id=f"made-up-{os.getpid()}-{next(numbers)}",
                event="state_changed",
                message=f"made up at {time.monotonic_ns()}",
            )
            for _ in range(more)
        )
        tell(self, (*events, *made_up))

    Outbox.put, Outlet.tell = noting, telling  # type: ignore[method-assign]


if "publisher.daemon" in sys.orig_argv and (noted := os.environ.get("NOTED_EVENTS")):
    note_events(noted, int(os.environ.get("MORE_EVENTS", "0")))
