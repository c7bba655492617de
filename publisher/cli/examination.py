"""What works here and what does not: the machine's senses, the broker, the prefix.

The commands ``once``, ``check`` and ``doctor`` print what is found here.
"""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from publisher.cli.loading import SUBSYSTEM_NAMES
from publisher.config.load import Loaded
from publisher.config.state import state_dir
from publisher.contract.metric import Reading
from publisher.contract.payload import Envelope, encode
from publisher.daemon.settings import Settings
from publisher.errors import BrokerError, ConfigError, SourceError
from publisher.ledger import Ledger, open_ledger
from publisher.mqtt.broker import parse_url, resolve_username
from publisher.mqtt.connection import KEEPS_NOTHING, RefusedError
from publisher.mqtt.probe import Findings, probe
from publisher.sources import Sources, machine_files
from publisher.sources.identity import machine_id
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.runner import DEADLINE_SECONDS, Health, SubsystemRunner

_LOCAL = "mqtt://localhost"
_KNOCK_SECONDS = 1.0
_WINDOW_SECONDS = 1.0
_POLL_SECONDS = 0.05
_TIMED_SAMPLES = 5
_TIMED_PAUSE_SECONDS = 0.2


# --- the senses ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the senses said.

    Attributes:
        readings: the newest one by topic.
        health: of every sense and its parts, by name.
        microseconds: CPU time of one read by subsystem, the median of several; empty unless
            asked for.
    """

    readings: Mapping[str, Reading]
    health: Mapping[str, Health]
    microseconds: Mapping[str, float]


def look(
    settings: Settings, names: Sequence[str] = (), *, ledger: bool = False, timings: bool = False
) -> Look:
    """Reads over a window of a second, so that there are rates.

    Args:
        settings: where to look and what to leave alone.
        names: the subsystems wanted; all when empty.
        ledger: look at the processes, too.
        timings: take some more samples to see what they cost.
    """
    sources = Sources(files=machine_files(settings.root))
    chosen = [cls for cls in SUBSYSTEMS if not names or cls.name in names]
    senses = SubsystemRunner(sources, chosen, disabled=settings.senses.disabled)
    books = open_ledger(sources, settings.ledger) if ledger else None
    try:
        readings = senses.read()
        if books:
            _book(books, senses)
        if readings or _pending(readings, senses.health):
            time.sleep(_WINDOW_SECONDS)
            readings = senses.read()
        # Those with threads of their own may take their time. The others keep what they said:
        # rates over such short a time would say little.
        until = time.monotonic() + DEADLINE_SECONDS + _WINDOW_SECONDS
        while _pending(readings, senses.health) and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            readings = senses.read() | readings
        if books:
            _book(books, senses)
        costs: dict[str, list[float]] = {}
        for _ in range(_TIMED_SAMPLES if timings else 0):
            time.sleep(_TIMED_PAUSE_SECONDS)
            senses.read()
            for name, cost in senses.timings.items():
                if name in readings:  # the others are left alone for a while
                    costs.setdefault(name, []).append(cost)
            if books:
                began = time.thread_time()
                _book(books, senses)
                costs.setdefault("ledger", []).append((time.thread_time() - began) * 1e6)
        return Look(
            readings={cls.name: readings[cls.name] for cls in chosen if cls.name in readings},
            health=dict(senses.health),
            microseconds={name: statistics.median(found) for name, found in costs.items()},
        )
    finally:
        senses.close()
        if books:
            books.close()
        sources.files.close()


def _book(books: Ledger, senses: SubsystemRunner) -> None:
    try:
        books.sample()
    except SourceError as error:
        senses.note({"ledger": error})
    else:
        senses.note({"ledger": None, **books.health})


def _pending(readings: Mapping[str, Reading], health: Mapping[str, Health]) -> bool:
    """Whether some subsystem has neither given a reading nor failed."""
    return any(
        name in SUBSYSTEM_NAMES and found.state == "ok" and name not in readings
        for name, found in health.items()
    )


# --- the broker ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is right, and what would mend it."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def examine(loaded: Loaded[Settings]) -> Iterator[Finding]:
    """Configuration, broker and prefix, until one is wrong that the next ones need."""
    settings = loaded.settings
    yield Finding("configuration", True, str(loaded.path or "no file; the defaults hold"))
    if settings.broker.url is None:
        if not _listens():
            yield Finding(
                "broker",
                True,
                "none given and none on localhost:1883; fanwhy-pub run starts one of its own",
            )
            return
        settings = replace(settings, broker=replace(settings.broker, url=_LOCAL))
    endpoint = parse_url(settings.broker.url or _LOCAL)
    us = machine_id(machine_files(settings.root), state_dir())
    try:
        found = probe(
            settings.broker,
            settings.topics,
            hello=encode(Envelope(settings.host).wrap({"machine_id": us}, time.time())),
            ours=lambda info: _owner(info)[0] == us,
        )
    except RefusedError as error:
        yield Finding("broker", True, f"{endpoint} answers")
        yield Finding("credentials", False, str(error))
        return
    except (BrokerError, ConfigError) as error:
        yield Finding("broker", False, str(error))
        return
    user = resolve_username(settings.broker)
    yield Finding("broker", True, f"{endpoint} speaks {found.version}")
    yield Finding("credentials", True, f"{user} is let in" if user else "let in without any")
    if not found.keeps:
        yield Finding("retained", True, KEEPS_NOTHING)
    prefix = settings.topics.prefix
    owner, host = _owner(found.info)
    if not found.info or owner == us:
        yield _rights(prefix, user, found)
        whose = "this machine's" if found.info else "free"
        yield Finding("prefix", True, f"{prefix}/ is {whose}")
    elif owner is None:
        yield Finding(
            "prefix",
            False,
            f"what is on {prefix}/info is not fanwhy's",
            "set another prefix, or clear that retained message",
        )
    else:
        yield Finding(
            "prefix",
            False,
            f"another machine, {host}, publishes below {prefix}/",
            "set prefix = 'host/{hostname}' (or FANWHY_PREFIX) on both",
        )


def _rights(prefix: str, user: str | None, found: Findings) -> Finding:
    if found.published and found.read_back:
        return Finding("rights", True, f"can publish and read below {prefix}/")
    lost = f"what we publish below {prefix}/ does not come back"
    return Finding(
        "rights",
        False,
        lost if found.published else f"may not publish below {prefix}/",
        f"in the broker's access rules let {f'user {user}' if user else 'us'} write {prefix}/# and "
        f"read {prefix}/info and {prefix}/command",
    )


def _owner(info: bytes) -> tuple[str | None, str]:
    """(machine id, name) of who published an ``…/info``; no id when it is none of fanwhy's."""
    try:
        payload = json.loads(info)
        return str(payload["machine_id"]), str(payload.get("host", "without a name"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None, ""


def _listens() -> bool:
    try:
        with socket.create_connection(("localhost", 1883), timeout=_KNOCK_SECONDS):
            return True
    except OSError:
        return False
