"""The file of the notifier: what it told, what waits to be sent, which events it has taken.

What an event leads to is written in one go with the event's id, and only then is the broker told
that the event has come. So nothing is told twice however often it is delivered, and nothing is lost
that was confirmed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from publisher.config.state_folder import state_dir
from publisher.errors import ConfigError, FanwhyError
from subscriber_cli.notify.incidents import Incident

VERSION: Final = 1
MOST_WAITING: Final = 300
"""Messages that wait for one target; beyond that the oldest that is not urgent is given up."""

_FILE: Final = "notify.sqlite"
_APPLICATION: Final = 0x46616E4E  # "FanN"
_BUSY_SECONDS: Final = 5.0
_WAITING_SECONDS: Final = 7 * 86400.0  # older news nobody wants
_SEEN_SECONDS: Final = 15 * 86400.0  # a broker keeps events for 14 days
_MOST_SEEN: Final = 100_000
_HOST_SECONDS: Final = 14 * 86400.0
_MOST_HOSTS: Final = 500
_DIGEST_DAYS: Final = 9
_TABLES: Final = """
    CREATE TABLE fact (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE seen (prefix TEXT, id TEXT, at REAL, PRIMARY KEY (prefix, id)) WITHOUT ROWID;
    CREATE TABLE host (prefix TEXT PRIMARY KEY, name TEXT, heard REAL) WITHOUT ROWID;
    CREATE TABLE incident (
        rule TEXT, prefix TEXT, subject TEXT, body TEXT, PRIMARY KEY (rule, prefix, subject)
    ) WITHOUT ROWID;
    CREATE TABLE ran (rule TEXT, prefix TEXT, at REAL, PRIMARY KEY (rule, prefix)) WITHOUT ROWID;
    CREATE TABLE digest (
        prefix TEXT, day TEXT, body TEXT, PRIMARY KEY (prefix, day)
    ) WITHOUT ROWID;
    CREATE TABLE waiting (
        id INTEGER PRIMARY KEY, target TEXT, at REAL, urgent INTEGER, incident TEXT, kind TEXT,
        title TEXT, body TEXT
    );
    CREATE INDEX waiting_target ON waiting (target, id);
    CREATE TABLE target (
        name TEXT PRIMARY KEY, sent REAL, failing REAL, tries INTEGER, again REAL, dropped INTEGER
    ) WITHOUT ROWID;
"""

Key = tuple[str, str, str]
"""Of an incident: the rule's name, the host's prefix, and which one where there can be several."""


class StoreError(FanwhyError):
    """The file cannot be used now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing to tell one target.

    Attributes:
        incident: by which what began and what is over belong together.
        kind: ``raised``, ``over``, or ``news`` for what is neither.
    """

    target: str
    at: float
    title: str
    body: str
    incident: str = ""
    kind: str = "news"
    urgent: bool = False
    id: int = 0


@dataclass(slots=True)
class TargetState:
    """How it goes with one target; moments are seconds since the epoch.

    Attributes:
        sent: when it took a message last.
        failing: since when it takes none; ``None`` where it does.
        again: when it is tried again.
        dropped: how many things were given up for want of room or because they were too old.
    """

    sent: float = 0.0
    failing: float | None = None
    tries: int = 0
    again: float = 0.0
    dropped: int = 0


def default_path() -> Path:
    """The file in the state folder.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = state_dir()
    if folder is None:
        raise ConfigError("there is no folder to keep what was told; set HOME or STATE_DIRECTORY")
    return Path(folder, _FILE)


class Store:
    """The file; everything is written between ``with store.writing()`` or not at all.

    Args:
        path: where it is, or is to be.

    Raises:
        StoreError: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._failing():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # What ran here, when, is nobody else's.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._open = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._prepare()

    def close(self) -> None:
        self._open.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside is written, or none of it.

        Raises:
            StoreError: it could not be.
        """
        with self._failing():
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._open.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._open.execute("ROLLBACK")
                raise

    def fact(self, key: str) -> Any:
        """What was noted under a word; ``None`` where nothing was."""
        rows = self._read("SELECT value FROM fact WHERE key = ?", key)
        return rows[0][0] if rows else None

    def set_fact(self, key: str, value: float | str) -> None:
        self._open.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))

    def client_id(self) -> str:
        """The name by which the broker keeps events for us."""
        found = self.fact("client")
        if not isinstance(found, str):
            found = f"fanwhy-notify-{os.urandom(6).hex()}"
            self.set_fact("client", found)
        return found

    def take_event(self, prefix: str, name: str, now: float) -> bool:
        """Notes an event; false where it was taken before."""
        found = self._open.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (prefix, name, now)
        )
        return found.rowcount > 0

    # --- hosts -----------------------------------------------------------------------------------

    def hosts(self) -> dict[str, tuple[str, float]]:
        """Name and when it was last heard, of every host by its prefix."""
        rows = self._read("SELECT prefix, name, heard FROM host")
        return {prefix: (name, heard) for prefix, name, heard in rows}

    def set_host(self, prefix: str, name: str, heard: float) -> None:
        self._open.execute("INSERT OR REPLACE INTO host VALUES (?, ?, ?)", (prefix, name, heard))

    def forget_host(self, prefix: str) -> None:
        """A host that was taken away on purpose: nothing about it is open any more."""
        for table in ("host", "incident", "ran", "digest"):
            self._open.execute(f"DELETE FROM {table} WHERE prefix = ?", (prefix,))  # noqa: S608

    # --- incidents -------------------------------------------------------------------------------

    def incidents(self) -> dict[Key, Incident]:
        """All that are open or rest."""
        found: dict[Key, Incident] = {}
        for rule, prefix, subject, body in self._read("SELECT * FROM incident"):
            with contextlib.suppress(ValueError, TypeError):
                found[rule, prefix, subject] = Incident(**json.loads(body))
        return found

    def set_incident(self, key: Key, incident: Incident) -> None:
        body = json.dumps(incident.dump())
        self._open.execute("INSERT OR REPLACE INTO incident VALUES (?, ?, ?, ?)", (*key, body))

    def drop_incident(self, key: Key) -> None:
        self._open.execute(
            "DELETE FROM incident WHERE rule = ? AND prefix = ? AND subject = ?", key
        )

    # --- what ran, what a day was like ------------------------------------------------------------

    def ran(self, rule: str) -> dict[str, float]:
        """When what a rule asks for was last at work, by prefix."""
        return dict(self._read("SELECT prefix, at FROM ran WHERE rule = ?", rule))

    def set_ran(self, rule: str, prefix: str, at: float) -> None:
        self._open.execute("INSERT OR REPLACE INTO ran VALUES (?, ?, ?)", (rule, prefix, at))

    def digests(self, prefix: str) -> dict[str, Any]:
        """What is kept of the last days of a host, by ISO date."""
        rows = self._read("SELECT day, body FROM digest WHERE prefix = ?", prefix)
        return {day: json.loads(body) for day, body in rows}

    def set_digest(self, prefix: str, day: str, body: Any) -> None:
        self._open.execute(
            "INSERT OR REPLACE INTO digest VALUES (?, ?, ?)", (prefix, day, json.dumps(body))
        )
        self._open.execute(
            "DELETE FROM digest WHERE prefix = ? AND day NOT IN "
            "(SELECT day FROM digest WHERE prefix = ? ORDER BY day DESC LIMIT ?)",
            (prefix, prefix, _DIGEST_DAYS),
        )

    # --- what waits to be sent --------------------------------------------------------------------

    def put(self, item: Waiting) -> None:
        """Leaves something for a target; gives up the oldest where there is no room."""
        self._open.execute(
            "INSERT INTO waiting (target, at, urgent, incident, kind, title, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (item.target, item.at, item.urgent, item.incident, item.kind, item.title, item.body),
        )
        count = self._open.execute(
            "SELECT count(*) FROM waiting WHERE target = ?", (item.target,)
        ).fetchone()[0]
        if count > MOST_WAITING:
            self._give_up(
                "id = (SELECT id FROM waiting WHERE target = ? ORDER BY urgent, id LIMIT 1)",
                item.target,
                item.target,
            )

    def waiting(self, target: str) -> list[Waiting]:
        """What a target has not been told, the earliest first."""
        rows = self._read(
            "SELECT id, at, urgent, incident, kind, title, body FROM waiting WHERE target = ? "
            "ORDER BY id",
            target,
        )
        return [
            Waiting(
                target=target, id=number, at=at, urgent=bool(urgent), incident=incident, kind=kind,
                title=title, body=body,
            )
            for number, at, urgent, incident, kind, title, body in rows
        ]  # fmt: skip

    def counts(self) -> dict[str, int]:
        """How many things wait, by target; those for which nothing does are left out."""
        return dict(self._read("SELECT target, count(*) FROM waiting GROUP BY target"))

    def sent(self, target: str, ids: Iterable[int], now: float) -> None:
        """A target has taken these."""
        self._open.executemany("DELETE FROM waiting WHERE id = ?", [(each,) for each in ids])
        self.set_target(target, TargetState(sent=now))

    def targets(self) -> dict[str, TargetState]:
        """How it goes with each target there was."""
        rows = self._read("SELECT name, sent, failing, tries, again, dropped FROM target")
        return {name: TargetState(*rest) for name, *rest in rows}

    def set_target(self, name: str, state: TargetState) -> None:
        self._open.execute(
            "INSERT OR REPLACE INTO target VALUES (?, ?, ?, ?, ?, ?)",
            (name, state.sent, state.failing, state.tries, state.again, state.dropped),
        )

    def keep_house(self, now: float, targets: Iterable[str]) -> None:
        """Forgets what is too old, and what waits for targets that there are no more."""
        known = list(targets)
        for name in self.counts():
            if name not in known:
                self._open.execute("DELETE FROM waiting WHERE target = ?", (name,))
            else:
                self._give_up("target = ? AND at < ?", name, name, now - _WAITING_SECONDS)
        self._open.execute("DELETE FROM seen WHERE at < ?", (now - _SEEN_SECONDS,))
        self._open.execute(
            "DELETE FROM seen WHERE at < (SELECT at FROM seen ORDER BY at DESC LIMIT 1 OFFSET ?)",
            (_MOST_SEEN,),
        )
        self._open.execute("DELETE FROM host WHERE heard < ?", (now - _HOST_SECONDS,))
        self._open.execute(
            "DELETE FROM host WHERE heard < "
            "(SELECT heard FROM host ORDER BY heard DESC LIMIT 1 OFFSET ?)",
            (_MOST_HOSTS,),
        )

    def _read(self, statement: str, *values: str) -> list[Any]:
        """All rows of a question.

        Raises:
            StoreError: there is no answer.
        """
        with self._failing():
            return self._open.execute(statement, values).fetchall()

    def _give_up(self, where: str, target: str, *values: str | float) -> None:
        gone = self._open.execute(f"DELETE FROM waiting WHERE {where}", values).rowcount  # noqa: S608
        if gone:
            state = self.targets().get(target, TargetState())
            state.dropped += gone
            self.set_target(target, state)

    def _prepare(self) -> None:
        self._open.execute("PRAGMA journal_mode = WAL")
        # A broker is told that an event has come once it is on the disk, not before.
        self._open.execute("PRAGMA synchronous = FULL")
        self._open.execute("PRAGMA journal_size_limit = 1048576")
        version = self._open.execute("PRAGMA user_version").fetchone()[0]
        application = self._open.execute("PRAGMA application_id").fetchone()[0]
        tables = self._open.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != _APPLICATION:
            raise StoreError(f"{self.path}: is another program's file; move it away")
        if version > VERSION:
            raise StoreError(f"{self.path}: was made by a newer fanwhy; update this one")
        if version == 0:
            self._open.executescript(
                f"BEGIN IMMEDIATE; {_TABLES}; PRAGMA application_id = {_APPLICATION};"
                f"PRAGMA user_version = {VERSION}; COMMIT;"
            )

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Makes one line of what goes wrong."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror or error}") from error
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}; see that the disk has room") from error
