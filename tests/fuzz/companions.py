"""The doors of what tells others: rules that people write, and what hosts say of themselves."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from publisher.config.companions import NotifyRule, NotifySettings
from publisher.config.load import load
from publisher.errors import ConfigError
from subscriber_cli.metrics.exposition import exposition
from subscriber_cli.model.decode import OnlineStatus, Received, Scope, decode
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.notify.parcels import parcel
from subscriber_cli.notify.rules import quiet_hours_of, rules_of
from subscriber_cli.notify.store import Store
from subscriber_cli.notify.targets import targets_of
from subscriber_cli.notify.trying import describe
from subscriber_cli.notify.watch import Watch
from subscriber_cli.terminal_settings import TerminalSettings

_RULES = {
    "hot": NotifyRule(state=("hot", "busy", "quiet"), for_minutes=0),
    "loud": NotifyRule(rpm_above=1, for_minutes=0),
    "who": NotifyRule(cause=("*",), for_minutes=0),
    "backup": NotifyRule(category=("backup",), missing_by="00:00"),
    "day": NotifyRule(summary="daily", at="00:00"),
    "alerts": NotifyRule(severity="info"),
}
_LINE = re.compile(r'# (HELP|TYPE) fanwhy_\w+ .*|fanwhy_\w+\{(\w+="([^"\\\n]|\\[\\n"])*",?)+\} \S+')
_FORBIDDEN = set("<>*`[]|")


class _UndoneError(Exception):
    """Nothing of it is to be kept."""


def notify_rules(data: bytes) -> None:
    """A configuration: what is accepted can be obeyed and described."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_bytes(data)
        try:
            settings = load(
                TerminalSettings, flags={}, config=str(path), environment={}, foreign=True
            ).settings.notify
            names = [target.name for target in targets_of(settings, {})]
            rules = rules_of(settings, names)
            quiet_hours_of(settings).hold(datetime.now(UTC))
        except ConfigError:
            return
    for rule in rules:
        describe(rule)
        rule.tells("fan", "critical")
        rule.blames(("restic",), "backup")


def noticed(data: bytes) -> None:
    """``leaf``, a newline, and a payload: as it is told to people and to Prometheus."""
    head, _, payload = data.partition(b"\n")
    leaf = head.decode("utf-8", "replace")
    found = decode(Scope("host"), f"host/nas/{leaf}", payload, retained=False)
    if isinstance(found, Received):
        _told(found)
        _exposed(found)


@cache
def _store() -> Store:
    folder = tempfile.mkdtemp(prefix="fanwhy-fuzz-")
    return Store(Path(folder, "notify.sqlite"))


def _told(message: Received) -> None:
    store = _store()
    rules = rules_of(NotifySettings(rules=_RULES), ["phone"])
    watch = Watch(rules, store, ["phone"], lambda now: datetime.fromtimestamp(now, UTC))
    watch.connect(1000.0)
    with contextlib.suppress(_UndoneError), store.writing():
        watch.take(Received("host/nas", "status", OnlineStatus.ONLINE), 1000.0)
        if watch.wants(message):
            watch.take(message, 1000.0)
        for now in (1030.0, 90_000.0, 180_000.0):
            watch.tick(now)
        if waiting := store.waiting("phone"):
            made = parcel(waiting, 180_000.0)
            for text in (made.title, *made.body.splitlines()):
                assert text.isprintable(), text
                assert not _FORBIDDEN & set(text), text
        raise _UndoneError


def _exposed(message: Received) -> None:
    fleet = Fleet(sparklines=False)
    fleet.apply(Received("host/nas", "status", OnlineStatus.ONLINE), 1000.0)
    fleet.apply(message, 1000.0)
    for line in exposition(fleet, 1000.0).splitlines():
        assert _LINE.fullmatch(line), line


def rule_seeds() -> Iterator[bytes]:
    """Rules as people write them."""
    yield b"""[notify]
url = "ntfy://ntfy.sh/word"
quiet_hours = "22:00-07:00"
[notify.rules.hot]
state = ["hot"]
temperature_above = 85
for_minutes = 5
[notify.rules.backup]
cause = ["restic*"]
missing_by = "06:00"
[notify.rules.week]
summary = "weekly"
to = ["default"]
"""
