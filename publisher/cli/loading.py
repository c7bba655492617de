"""From flags, environment and file to the daemon's ``Settings``.

What can be wrong in a way that types do not show is checked here; the rest is
``publisher.config.load``, which the terminal shares.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from publisher.config.load import Loaded, load
from publisher.config.walk import nearest
from publisher.contract.printable import printable
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.explain.naming import rules
from publisher.ledger.naming import programs
from publisher.mqtt.broker_checks import BROKER_CHECKS
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.registry import all_topics

SUBSYSTEM_NAMES = tuple(cls.name for cls in SUBSYSTEMS)
# Those that may have a heartbeat of their own: what is retained and changes.
TOPIC_NAMES = tuple(
    row.leaf for row in all_topics().values() if row.retained and row.reading is not None
)


def load_settings(
    *,
    broker: str | None = None,
    prefix: str | None = None,
    config: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Loaded[Settings]:
    """The settings that are in force.

    Args:
        broker: what ``--broker`` says.
        prefix: what ``--prefix`` says.
        config: what ``--config`` says.
        environment: variables.

    Raises:
        ConfigError: one line for each thing that is wrong, with its place.
    """
    loaded = load(
        Settings,
        flags={"--broker": ("broker.url", broker), "--prefix": ("prefix", prefix)},
        config=config,
        environment=environment,
        checks=[BROKER_CHECKS],
    )
    problems = list(_problems(loaded))
    if problems:
        raise ConfigError("\n".join(problems))
    return loaded


def _problems(loaded: Loaded[Settings]) -> Iterator[str]:
    settings = loaded.settings
    try:
        _ = settings.topics
    except ConfigError as error:
        problem = str(error).removeprefix("prefix ")
        yield f"{loaded.where('prefix')}: {printable(problem)}"
    for name, problem in settings.homeassistant.problems():
        yield f"{loaded.where(f'homeassistant.{name}')}: {problem}"
    yield from _unknown(
        loaded.where("senses.disabled"), settings.senses.disabled, SUBSYSTEM_NAMES, "subsystem"
    )
    yield from _unknown(
        loaded.where("publishing.heartbeats"), settings.publishing.heartbeats, TOPIC_NAMES, "topic"
    )
    for key, file, check in (
        ("explain.rules_file", settings.explain.rules_file, rules.load),
        (programs.SETTING, settings.ledger.programs_file, programs.load),
    ):
        if file:
            try:
                check(file)
            except ConfigError as error:
                problem = str(error).removeprefix(f"{key}: ")
                yield f"{loaded.where(key)}: {printable(problem)}"
    if not os.path.isdir(settings.root):  # noqa: PTH112  # as a word, not as a path of ours
        yield f"{loaded.where('root')}: no such folder: {printable(settings.root)}"


def _unknown(place: str, names: Iterable[str], known: tuple[str, ...], what: str) -> Iterator[str]:
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"; there are {', '.join(known)}"
            yield f"{place}: no {what} {printable(name)}{hint}"
