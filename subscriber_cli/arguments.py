"""The options that all commands share, and what the commands make of them."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from publisher.errors import ConfigError
from subscriber_cli.terminal_settings import TerminalSettings

Broker = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="mqtt://user@host:port, mqtts://…, ws://… or wss://…  [FANWHY_BROKER]",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(metavar="TOPIC", help="First levels of the topics.  [FANWHY_PREFIX]"),
]
Config = Annotated[
    str | None, typer.Option(metavar="FILE", help="Configuration file.  [FANWHY_CONFIG]")
]
Database = Annotated[
    str | None, typer.Option(metavar="FILE", help="The archive.  [record.database]")
]


def load_settings(broker: str | None, prefix: str | None, config: str | None) -> TerminalSettings:
    """The settings, flags first; what is odd about them goes to the error output.

    Raises:
        ConfigError: they cannot be used.
    """
    # Not needed by those who have it done apart.
    from publisher.config.load import load  # noqa: PLC0415
    from publisher.mqtt.broker_checks import BROKER_CHECKS  # noqa: PLC0415

    loaded = load(
        TerminalSettings,
        flags={"--broker": ("broker.url", broker), "--prefix": ("prefix", prefix)},
        config=config,
        foreign=True,
        checks=[BROKER_CHECKS],
    )
    for warning in loaded.warnings:
        print(f"fanwhy-sub: {warning}", file=sys.stderr)
    return loaded.settings


def load_settings_apart(
    broker: str | None,
    prefix: str | None,
    config: str | None,
    meanwhile: Callable[[], None] = lambda: None,
) -> TerminalSettings:
    """The same, read by a process of its own, for commands that stay.

    Most of what parses and checks settings takes 5 MB, and would stay as long as they.

    Args:
        broker: flag.
        prefix: flag.
        config: flag.
        meanwhile: done here while the settings are read.

    Raises:
        ConfigError: they cannot be used.
    """
    # A process with threads is better not copied; elsewhere than on POSIX none can be.
    if not hasattr(os, "fork") or threading.active_count() > 1:
        meanwhile()
        return load_settings(broker, prefix, config)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(theirs, broker, prefix, config)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        meanwhile()
        told = pipe.read()
    os.waitpid(child, 0)
    if not told:  # it was ended, as we shall be
        raise KeyboardInterrupt
    found = pickle.loads(told)  # noqa: S301  # by ourselves
    if isinstance(found, ConfigError):
        raise found
    return found  # type: ignore[no-any-return]


def _tell(pipe: int, broker: str | None, prefix: str | None, config: str | None) -> NoReturn:
    """Reads the settings and hands them over; the end of this process."""
    code = 1
    try:
        found: object
        try:
            found = load_settings(broker, prefix, config)
        except ConfigError as error:
            found = error
        with os.fdopen(pipe, "wb") as file:
            pickle.dump(found, file)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def make_console() -> Console:
    """The terminal, for text that is shown as it is: nothing in it is markup."""
    return Console(highlight=False, markup=False, emoji=False)
