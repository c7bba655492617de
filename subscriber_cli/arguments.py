"""The options that all commands share, and what the commands make of them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from publisher.config.load import load
from publisher.mqtt.broker_checks import BROKER_CHECKS
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


def make_console() -> Console:
    """The terminal, for text that is shown as it is: nothing in it is markup."""
    return Console(highlight=False, markup=False, emoji=False)
