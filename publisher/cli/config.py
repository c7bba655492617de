"""``fanwhy-pub config --resolved``: how the daemon reads its configuration again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from publisher.cli.options import Broker, Config, Prefix, settings_of
from publisher.cli.run import prepare
from publisher.errors import ConfigError


def command(
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print what the daemon takes in, in its own form.")
    ] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Read the configuration for the running daemon."""
    if not resolved or sys.stdout.isatty():
        raise ConfigError("for the daemon's own use; fanwhy-pub check shows what is in force")
    launch = prepare(settings_of(broker, prefix, config), prefix, config)
    sys.stdout.buffer.write(launch.dump())
