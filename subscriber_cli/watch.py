"""``fanwhy-sub watch``: the machine, live, on the whole screen."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import Any

from rich.console import Console

from subscriber_cli.client import Stream
from subscriber_cli.render.board import View, compose
from subscriber_cli.render.screen import Key, Painter, Resized, Suspended, fullscreen
from subscriber_cli.terminal_settings import TerminalSettings

_FASTEST = 0.2  # seconds between two drawings, however much comes in


def watch(settings: TerminalSettings, console: Console) -> None:
    """Shows until the user quits.

    Raises:
        BrokerError: the broker will never let us in.
    """
    inbox: SimpleQueue[Any] = SimpleQueue()
    stream = Stream(settings.broker, settings.prefix, inbox)
    view = View(place=str(stream.endpoint))
    with stream, fullscreen(console, inbox) as painter:
        while True:
            now = time.time()
            painter.paint(compose(view, console.width, console.height, now))
            # Ages grow on the second; nothing else changes without a message.
            if not _take(view, stream, painter, timeout=1.0 - now % 1.0):
                return


def _take(view: View, stream: Stream, painter: Painter, timeout: float) -> bool:
    """Takes in what comes until it is time to draw; false when the user has had enough."""
    drawn = time.monotonic()
    try:
        item = stream.inbox.get(timeout=timeout)
        while True:
            if isinstance(item, Key):
                if item.char in ("q", "Q"):
                    return False
                _press(view, stream, item)
            elif isinstance(item, Suspended):
                painter.suspend()
            elif not isinstance(item, Resized):
                view.apply(item, time.time())
            pause = 0.0 if isinstance(item, Key) else drawn + _FASTEST - time.monotonic()
            item = stream.inbox.get(timeout=pause) if pause > 0 else stream.inbox.get_nowait()
    except Empty:
        return True


def _press(view: View, stream: Stream, key: Key) -> None:
    if key.char in ("n", "j", "\t"):
        view.step(1)
    elif key.char in ("p", "k"):
        view.step(-1)
    elif key.char == "r" and view.host is not None:
        stream.command(view.host.prefix, "refresh")
