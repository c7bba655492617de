"""``fanwhy-sub record``: keeps what passes by, for years."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from subscriber_cli.arguments import (
    Broker,
    Config,
    Database,
    Prefix,
    load_settings,
    make_console,
)
from subscriber_cli.service import aside, stopping
from subscriber_cli.terminal_settings import TerminalSettings

_LINE_SECONDS = 3600.0  # between two lines where there is no terminal


def record(
    *,
    database: Database = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Tell only what goes wrong.")
    ] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Keeps what passes by in a file, for years; history, why --at and report read it.

    Everything of every host: values, verdicts, causes, alerts, events. It may be ended at any time:
    the broker keeps the events until it comes back, and what it missed besides is filled in from
    the hosts' own memory of two days.
    """
    settings = load_settings(broker, prefix, config)
    _run(settings, Path(database).expanduser() if database else None, quiet=quiet)


def _run(settings: TerminalSettings, path: Path | None, *, quiet: bool) -> None:
    # All readings are declared for it, which other commands do not need.
    from subscriber_cli.recorder import Recorder, summary  # noqa: PLC0415

    console = make_console()
    screen = _Screen(console) if console.is_terminal and not quiet else None
    recorder = Recorder(settings, path, aside if screen is None else screen.tell)
    show: Callable[[Recorder], None] | None = None
    if screen is not None:
        show = lambda it: screen.show(summary(it))  # noqa: E731  # shorter than a name
    elif not quiet:
        aside(f"recording into {recorder.path}")
        show = _Lines(summary).show
    with stopping(recorder.stop) as stopped:
        recorder.run(show)
    if screen is not None:
        screen.tell(summary(recorder))
    if signal.SIGINT in stopped:
        raise KeyboardInterrupt


class Recording:
    """A recorder that tells in lines how it goes, as a part of ``serve``."""

    def __init__(self, settings: TerminalSettings) -> None:
        from subscriber_cli.recorder import Recorder, summary  # noqa: PLC0415  # as above

        self._recorder = Recorder(settings, None, aside)
        self._lines = _Lines(summary)

    def run(self) -> None:
        """Records until ``stop`` is called."""
        aside(f"recording into {self._recorder.path}")
        self._recorder.run(self._lines.show)

    def stop(self) -> None:
        """Ends it soon."""
        self._recorder.stop()


class _Screen:
    """One line that changes, and others above it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, line: str) -> None:
        text = Text(line)
        text.truncate(max(self._console.width - 1, 1), overflow="ellipsis")
        self._console.file.write("\r\x1b[K")
        self._console.print(text, end="")
        self._console.file.flush()

    def tell(self, line: str) -> None:
        self._console.file.write("\r\x1b[K")
        self._console.print(Text(line))


class _Lines:
    """How it goes, now and then, where there is no screen."""

    def __init__(self, summary: Callable[[Any], str]) -> None:
        self._summary = summary
        self._told = time.monotonic()

    def show(self, recorder: Any) -> None:
        if time.monotonic() - self._told >= _LINE_SECONDS:
            self._told = time.monotonic()
            aside(self._summary(recorder))
