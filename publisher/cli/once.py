"""``fanwhy-pub once``: readings without a broker."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from publisher.cli.loading import SUBSYSTEM_NAMES
from publisher.cli.look import look
from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import console, panel, print_json
from publisher.config.walk import nearest
from publisher.contract.payload import Envelope, to_json
from publisher.contract.printable import printable
from publisher.errors import ConfigError

NAMES_HELP = f"Only these: {', '.join(SUBSYSTEM_NAMES)}."


def command(
    subsystems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUBSYSTEM]...",
            help=NAMES_HELP,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Look at this machine for a second and print what every subsystem reads.

    With --json each subsystem is as it would be published.

    Examples:
        fanwhy-pub once
        fanwhy-pub once cpu memory
        fanwhy-pub once --json | jq .cpu.usage_percent
    """
    names = known(subsystems or [])
    settings = settings_of(broker, prefix, config).settings
    seen = look(settings, names)
    readings, health = seen.readings, seen.health
    if as_json:
        envelope, moment = Envelope(settings.host), time.time()
        print_json(
            {name: envelope.wrap(to_json(reading), moment) for name, reading in readings.items()}
        )
    else:
        out = console()
        for name, reading in readings.items():
            out.print(panel(name, reading))
    missing = [name for name in names or SUBSYSTEM_NAMES if name not in readings]
    words = console(error=True)
    for name in missing:
        found = health.get(name)
        reason = f"{found.state}: {found.reason}" if found else "disabled in the configuration"
        words.print(f"{name}: {printable(reason)}")
    return 1 if names and missing else 0


def known(names: list[str]) -> list[str]:
    """The names of subsystems, as given.

    Raises:
        ConfigError: there is no subsystem of that name.
    """
    for name in names:
        if name not in SUBSYSTEM_NAMES:
            hint = nearest(name, SUBSYSTEM_NAMES) or f"; there are {', '.join(SUBSYSTEM_NAMES)}"
            raise ConfigError(f"no subsystem {printable(name)}{hint}")
    return names
