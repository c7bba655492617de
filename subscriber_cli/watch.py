"""``fanwhy-sub watch``: the machine, live, on the whole screen."""

from __future__ import annotations

import time

from rich.console import Console

from publisher.errors import BrokerError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings, make_console
from subscriber_cli.client import Connected, Item, Stream
from subscriber_cli.inbox import Inbox
from subscriber_cli.model.decode import Notice, Received
from subscriber_cli.model.view import View
from subscriber_cli.render.board import compose
from subscriber_cli.screen import Key, Painter, Resized, Suspended, fullscreen
from subscriber_cli.tail import Tail, follow
from subscriber_cli.terminal_settings import TerminalSettings

_FASTEST = 0.2  # seconds between two drawings, however much comes in
_LATEST = 1.0  # and until the next, however much more waits


def watch(broker: Broker = None, prefix: Prefix = None, config: Config = None) -> None:
    """The machine live on the whole screen: the sentence first, then every subsystem.

    n and p, or the arrows, choose among several hosts; r asks the host to say everything again;
    q quits. Where output is not a terminal,
    prints one line a message, as tail does.
    """
    settings = load_settings(broker, prefix, config)
    console = make_console()
    if console.is_terminal and not console.is_dumb_terminal:
        show(settings, console)
    else:
        follow(Stream(settings.broker, settings.prefix), Tail(console))


def show(settings: TerminalSettings, console: Console) -> None:
    """Shows until the user quits.

    Raises:
        BrokerError: the broker will never let us in.
    """
    inbox = Inbox()
    stream = Stream(settings.broker, settings.prefix, inbox)
    view = View(place=str(stream.endpoint))
    with stream, fullscreen(console, inbox) as painter:
        while True:
            now = time.time()
            painter.paint(compose(view, console.width, console.height, now))
            # Ages grow on the second; nothing else changes without a message.
            if not _take(view, stream, painter, timeout=1.0 - now % 1.0):
                return


def apply(view: View, item: Item, now: float) -> None:
    """Takes into the view what the stream found; ``now`` in seconds since the epoch.

    Raises:
        BrokerError: the broker will never let us in.
    """
    if isinstance(item, Received):
        view.fleet.apply(item, now)
        if skipped := view.fleet.complaint():
            view.notify(skipped, now)
    elif isinstance(item, Connected):
        view.connect()
    elif isinstance(item, Notice):
        view.notify(item.text, now)
    elif item.retry_seconds is None:
        raise BrokerError(item.text)
    else:
        view.disconnect(item.text, now + item.retry_seconds)


def _take(view: View, stream: Stream, painter: Painter, timeout: float) -> bool:
    """Takes in what comes until it is time to draw; false when the user has had enough."""
    drawn = time.monotonic()
    item = stream.get(timeout)
    while item is not None:
        if isinstance(item, Key):
            if item.char in ("q", "Q"):
                return False
            _press(view, stream, item)
        elif isinstance(item, Suspended):
            painter.suspend()
        elif not isinstance(item, Resized):
            apply(view, item, time.time())
        late = time.monotonic() - drawn
        if late > _LATEST:
            break
        item = stream.get(0.0 if isinstance(item, Key) else max(_FASTEST - late, 0.0))
    return True


def _press(view: View, stream: Stream, key: Key) -> None:
    if key.char in ("n", "j", "\t"):
        view.step(1)
    elif key.char in ("p", "k"):
        view.step(-1)
    elif key.char == "r" and view.host is not None:
        stream.command(view.host.prefix, "refresh")
