"""The file of the archive: its tables, how an older one becomes a newer one, how it is opened.

Layout and reasons: ``docs/adr/0015``. Moments in ``point`` and ``block`` are milliseconds, all
others seconds since the epoch, by the clock of the host that they are about.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from publisher.config.state_folder import state_dir
from publisher.errors import ConfigError, FanwhyError

VERSION: Final = 2
_OLDEST_READ: Final = 1
"""What every version since has answers the same questions."""
_APPLICATION: Final = 0x46616E57  # "FanW", which file(1) and others show
BUSY_SECONDS: Final = 5.0
"""For how long another program may hold the file before that is a failure."""
_FILE: Final = "archive.sqlite"

# Step by step from each version to the next; a step is never changed once it was released.
_STEPS: Final = (
    """
    CREATE TABLE fact (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE host (
        id INTEGER PRIMARY KEY, prefix TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        first REAL NOT NULL, last REAL NOT NULL
    );
    CREATE TABLE series (
        id INTEGER PRIMARY KEY, host INTEGER NOT NULL, topic TEXT NOT NULL, path TEXT NOT NULL,
        title TEXT NOT NULL, unit TEXT NOT NULL, kind TEXT NOT NULL, UNIQUE (host, topic, path)
    );
    CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    CREATE TABLE point (
        series INTEGER NOT NULL, at INTEGER NOT NULL, value REAL, PRIMARY KEY (series, at)
    ) WITHOUT ROWID;
    CREATE TABLE block (
        series INTEGER NOT NULL, level INTEGER NOT NULL, begin INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (series, level, begin)
    );
    CREATE INDEX block_age ON block (level, begin);
    CREATE TABLE event (
        host INTEGER NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (host, id)
    ) WITHOUT ROWID;
    CREATE INDEX event_age ON event (host, at);
    CREATE TABLE span (
        id INTEGER PRIMARY KEY, host INTEGER NOT NULL, sort TEXT NOT NULL, began REAL NOT NULL,
        ended REAL, who TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX span_begin ON span (host, sort, began);
    CREATE INDEX span_end ON span (host, ended);
    """,
    # 2: until when a host's daily bills were published. Each span that is told is looked up by whom
    # it is about, among all that began at that time or later.
    """
    ALTER TABLE host ADD COLUMN billed REAL NOT NULL DEFAULT 0;
    CREATE INDEX span_who ON span (host, sort, who, began);
    """,
)


class ArchiveError(FanwhyError):
    """The archive cannot be read or written now."""


def default_path(named: str) -> Path:
    """The file of the archive.

    Args:
        named: by flag or setting; empty for the one in the state folder.

    Raises:
        ConfigError: there is neither a name nor a state folder.
    """
    if named:
        return Path(named).expanduser()
    folder = state_dir()
    if folder is None:
        raise ConfigError("there is no folder for the archive; name a file with --database")
    return Path(folder, _FILE)


def open_writer(path: Path, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """The file for writing; it is made, or brought to the present version, where need be.

    Raises:
        ArchiveError: it cannot be used; the line says why and what mends it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What ran here, when, is nobody else's; SQLite gives its other files the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise failure(path, error) from error
    try:
        prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise failure(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """The file for reading, while others may write to it.

    Raises:
        ArchiveError: there is none, or it cannot be used.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: there is no archive; `fanwhy-sub record` makes one")
    # Not "mode=ro": to read what is in the write-ahead log, SQLite has to make its index.
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = 1")
        if _check(connection, path) < _OLDEST_READ:
            complaint = f"{path}: `fanwhy-sub record` has to bring it to this version first"
            raise ArchiveError(complaint)  # noqa: TRY301  # closed like the others
    except sqlite3.Error as error:
        connection.close()
        raise failure(path, error) from error
    except ArchiveError:
        connection.close()
        raise
    return connection


def failure(path: Path, error: Exception) -> ArchiveError:
    """What went wrong and what mends it, in one line."""
    text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    held = "it is on a network share, which will not do, or another program holds it; end that"
    remedies = {
        sqlite3.SQLITE_FULL: "the disk is full; make room",
        sqlite3.SQLITE_BUSY: held,
        sqlite3.SQLITE_LOCKED: held,
        sqlite3.SQLITE_CORRUPT: "it is damaged; move it away, and a new one is begun",
        sqlite3.SQLITE_NOTADB: "it is no archive; move it away, or name another file",
        sqlite3.SQLITE_READONLY: "it may not be written; grant that to this user",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened; see that its folder can be written",
        sqlite3.SQLITE_IOERR: "the disk does not answer as it should; see that it has room",
    }
    return ArchiveError(f"{path}: {remedies.get(code, text)}")


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables of a new archive, or brings an older one to this version.

    Raises:
        ArchiveError: it is another program's database, or a newer archive, or lies where several
            programs cannot share a file (https://sqlite.org/wal.html, noshm).
    """
    version = _check(connection, path)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; else it does nothing
    # What lives in memory alone has no log to keep, and says so; nobody shares it either.
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] not in ("wal", "memory"):
        complaint = "its file system cannot keep it (a network share?); name a local file"
        raise ArchiveError(f"{path}: {complaint}")
    # A broker is told that an event has come once it is on the disk, not before.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    migrate(connection, _STEPS[version:], version)


def migrate(connection: sqlite3.Connection, steps: Sequence[str], version: int) -> None:
    """Takes an archive of ``version`` through steps of SQL, each as a whole or not at all."""
    for number, step in enumerate(steps, start=version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {step}; PRAGMA application_id = {_APPLICATION};"
                f"PRAGMA user_version = {number}; COMMIT;"
            )
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _check(connection: sqlite3.Connection, path: Path) -> int:
    """The version of an archive, which this program can read or bring up to date."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != _APPLICATION:
        raise ArchiveError(f"{path}: is another program's database; name another file")
    if version > VERSION:
        raise ArchiveError(f"{path}: was made by a newer fanwhy; update this one")
    return int(version)
