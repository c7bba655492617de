"""Whether the daemon could do its work here: configuration, broker, credentials, prefix.

The commands ``check`` and ``doctor`` print what is found here.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from publisher.config.load import Loaded
from publisher.config.state_folder import state_dir
from publisher.contract.payload import Envelope, encode
from publisher.daemon.settings import Settings
from publisher.errors import BrokerError, ConfigError
from publisher.mqtt.broker import DEFAULT_URL, parse_url, resolve_username
from publisher.mqtt.failures import KEEPS_NOTHING, RefusedError
from publisher.mqtt.probe import Findings, probe
from publisher.sources import machine_files
from publisher.sources.identity import machine_id

_KNOCK_SECONDS = 1.0
_WINDOW_SECONDS = 1.0
_POLL_SECONDS = 0.05
_TIMED_SAMPLES = 5
_TIMED_PAUSE_SECONDS = 0.2


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
    if settings.broker.url is None and not _listens():
        yield Finding(
            "broker",
            True,
            "none given and none on localhost:1883; fanwhy-pub run starts one of its own",
        )
        return
    endpoint = parse_url(settings.broker.url or DEFAULT_URL)
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
