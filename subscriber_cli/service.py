"""What commands need that run until somebody ends them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Has SIGINT and SIGTERM call ``stop``; gives those that came."""
    came: list[int] = []

    def handle(number: int, _frame: object) -> None:
        came.append(number)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def aside(text: str) -> None:
    """A line for people or a log."""
    print(f"fanwhy-sub: {text}", file=sys.stderr, flush=True)
