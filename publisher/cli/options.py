"""The options that every command takes, and what they lead to."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from publisher.cli.loading import load_settings
from publisher.config.load import Loaded
from publisher.contract.printable import printable
from publisher.daemon.settings import Settings

_PANEL = "Configuration"
BROKER_FLAG = "_FANWHY_BROKER_FLAG"
"""The variable in which the daemon hands on what ``--broker`` said, which may hold a password."""

Broker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        metavar="URL",
        envvar=BROKER_FLAG,
        show_envvar=False,
        help="Where the broker is: mqtt://host, mqtts://user@host:8883, ws:// or wss://. "
        "Also FANWHY_BROKER.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        metavar="TOPIC",
        help="First levels of every topic; {hostname} is replaced. Also FANWHY_PREFIX.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Read this file, and no other. Also FANWHY_CONFIG.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_of(broker: str | None, prefix: str | None, config: str | None) -> Loaded[Settings]:
    """The settings in force; what should not stay so is said on standard error.

    Raises:
        ConfigError: they are wrong.
    """
    loaded = load_settings(broker=broker, prefix=prefix, config=config)
    for warning in loaded.warnings:
        print(f"fanwhy-pub: warning: {printable(warning)}", file=sys.stderr)
    return loaded
