"""``fanwhy-pub once``: readings without a broker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated

import typer

from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import console, panel, print_json
from publisher.config import SUBSYSTEM_NAMES
from publisher.errors import ConfigError
from publisher.schema.declared import nearest
from publisher.schema.metric import Reading
from publisher.schema.payload import Envelope, to_json
from publisher.schema.printable import printable
from publisher.senses import DEADLINE_SECONDS, Health, Senses
from publisher.settings import Settings
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems import SUBSYSTEMS

_WINDOW_SECONDS = 1.0
_POLL_SECONDS = 0.05


def command(
    subsystems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUBSYSTEM]...",
            help=f"Only these: {', '.join(SUBSYSTEM_NAMES)}.",
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
    readings, health = look(settings, names)
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


def look(settings: Settings, names: list[str]) -> tuple[dict[str, Reading], dict[str, Health]]:
    """Readings over a window of a second, and the health of every sense.

    Args:
        settings: where to look and what to leave alone.
        names: the subsystems wanted; all when empty.
    """
    sources = Sources(files=KernelFiles(settings.root))
    chosen = [cls for cls in SUBSYSTEMS if not names or cls.name in names]
    senses = Senses(sources, chosen, disabled=settings.senses.disabled)
    try:
        senses.read()
        time.sleep(_WINDOW_SECONDS)
        readings = senses.read()
        # Those with threads of their own may take their time. The others keep what they said:
        # rates over such short a time would say little.
        until = time.monotonic() + DEADLINE_SECONDS
        while _pending(readings, senses.health) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            readings = senses.read() | readings
        order = [cls.name for cls in chosen if cls.name in readings]
        return {name: readings[name] for name in order}, dict(senses.health)
    finally:
        senses.close()
        sources.files.close()


def _pending(readings: Mapping[str, Reading], health: Mapping[str, Health]) -> bool:
    """Whether some subsystem has neither given a reading nor failed."""
    return any(
        name in SUBSYSTEM_NAMES and found.state == "ok" and name not in readings
        for name, found in health.items()
    )
