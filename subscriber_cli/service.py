"""What commands need that run until somebody ends them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from publisher.service.notify import ServiceManager


@contextmanager
def stopping(stop: Callable[[], None], doing: str) -> Iterator[list[int]]:
    """Has SIGINT and SIGTERM call ``stop``; gives those that came.

    Args:
        stop: asks for the end.
        doing: what it does meanwhile, for who looks at the service.
    """
    manager = ServiceManager()
    came: list[int] = []

    def handle(number: int, _frame: object) -> None:
        came.append(number)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    manager.ready()
    manager.status(doing)
    try:
        yield came
        manager.stopping()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def aside(text: str) -> None:
    """A line for people or a log."""
    print(f"fanwhy-sub: {text}", file=sys.stderr, flush=True)
