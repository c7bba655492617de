"""``fanwhy-sub watch``: the machine, live, on the whole screen."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer
from rich.console import Console

from publisher.errors import BrokerError
from subscriber_cli.arguments import (
    Broker,
    Config,
    Prefix,
    load_settings,
    load_settings_apart,
    make_console,
)
from subscriber_cli.client import Connected, Item, Stream
from subscriber_cli.inbox import Inbox
from subscriber_cli.model.decode import Notice, Received
from subscriber_cli.model.view import View
from subscriber_cli.tail import Tail, follow
from subscriber_cli.terminal_settings import TerminalSettings


def watch(
    host: Annotated[
        str,
        typer.Argument(metavar="[HOST]", help="One host, by its name; without it, all of them."),
    ] = "",
    *,
    lines: Annotated[
        bool,
        typer.Option(
            "--lines", help="One line a message, as tail prints them: for screen readers."
        ),
    ] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """The machine live on the whole screen: the sentence first, then who is to blame.

    Of several hosts it lists all, the worst first; Enter opens one. ? shows all keys, q quits.
    Where output is not a terminal, prints one line a message, as tail does.
    """
    console = make_console()
    if lines or not console.is_terminal or console.is_dumb_terminal or not _is_seen():
        settings = load_settings(broker, prefix, config)
        follow(Stream(settings.broker, settings.prefix), Tail(console))
    else:
        settings = load_settings_apart(broker, prefix, config, _load_toolkit)
        show(settings, console, host)


def _load_toolkit() -> None:
    """Most of what takes long before there is a screen."""
    importlib.import_module("textual.app")


def _is_seen() -> bool:
    """Whether input and error output, by which the toolkit reads and draws, are the terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def show(settings: TerminalSettings, console: Console, host: str) -> None:
    """Shows until the user quits.

    Raises:
        BrokerError: the broker will never let us in.
        KeyboardInterrupt: that was how the user quit.
    """
    inbox = Inbox()
    stream = Stream(settings.broker, settings.prefix, inbox)
    view = View(place=str(stream.endpoint))
    with stream:
        # The broker answers while the toolkit is loaded, which other commands need not.
        from subscriber_cli.tui.app import INTERRUPTED, WatchApp  # noqa: PLC0415

        ascii_only = not console.encoding.lower().startswith("utf")
        app = WatchApp(stream, view, apply, wanted=host, ascii_only=ascii_only)
        inbox.wake = app.wake
        app.run()
    if app.failure is not None:
        raise app.failure
    if app.return_code == INTERRUPTED:
        raise KeyboardInterrupt


def apply(view: View, item: Item, now: float) -> None:
    """Takes into the view what the stream found; ``now`` in seconds since the epoch.

    Raises:
        BrokerError: the broker will never let us in.
    """
    if isinstance(item, Received):
        view.fleet.apply(item, now)
        view.journal.apply(item, now)
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
