"""An older archive becomes one of this version: all of it, or it stays what it was.

``version-1.sql`` is what the release with version 1 wrote: values of a day that is packed and of
one that is not, events, causes, a gap.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from subscriber_cli.archive.reader import Archive
from subscriber_cli.archive.schema import VERSION, ArchiveError, migrate, open_reader, open_writer
from subscriber_cli.archive.writer import Writer

OLD = (Path(__file__).parent / "version-1.sql").read_text()
NOW = 1_800_000_000.0
NEXT = "CREATE TABLE more (x); INSERT INTO more VALUES (1)"


@pytest.fixture
def old(path: Path) -> Path:
    """An archive of version 1."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(OLD)
        connection.executescript("PRAGMA application_id = 0x46616E57; PRAGMA user_version = 1;")
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """An archive of this version, open for writing."""
    with closing(open_writer(path)) as made:
        yield made


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def layout(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Every table and index with its columns."""
    names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    columns = {
        (name, str(row))
        for (name,) in names
        for row in connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
    }
    indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    return columns | {(name, str(sql)) for name, sql in indexes.fetchall()}


def test_an_old_archive_tells_the_same_and_is_written_on(old: Path) -> None:
    tells_of_its_host(old)  # also while no recorder has brought it up to date
    writer = Writer(old, 1 << 30)
    assert writer.client_id() == "fanwhy-record-0cf57ded3069"  # by which the broker knows it
    writer.note_billed(1, NOW)
    writer.close()
    tells_of_its_host(old)
    with Archive(old) as archive:
        assert archive.billed() == {1: NOW}


def tells_of_its_host(path: Path) -> None:
    with Archive(path) as archive:
        (host,) = archive.hosts()
        assert host.name == "nas"
        usage = archive.find(host, "cpu", "usage_percent")
        assert usage is not None
        packed = archive.values(host, usage, NOW - 5 * 86400, NOW - 3 * 86400)
        assert [row.mean for row in packed] == [float(number) for number in range(60)]
        recent = archive.values(host, usage, NOW - 1200, NOW)
        assert [row.mean for row in recent] == [float(number) for number in range(20)]
        told = [event.body["id"] for event in archive.events(host, 0, NOW)]
        assert told == ["run-1", "run-2"]
        causes = archive.spans(host, "cause", 0, NOW)
        assert [(cause.body["label"], cause.ended) for cause in causes] == [
            ("Backup", NOW - 2000), ("Build", None)
        ]  # fmt: skip


def test_an_old_archive_gets_the_layout_of_a_new_one(old: Path, tmp_path: Path) -> None:
    with closing(open_writer(old)) as migrated, closing(open_writer(tmp_path / "new")) as fresh:
        assert layout(migrated) == layout(fresh)
        assert version(migrated) == version(fresh) == VERSION
        assert migrated.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_step_that_fails_leaves_the_archive_as_it_was(connection: sqlite3.Connection) -> None:
    before = layout(connection)
    with pytest.raises(sqlite3.Error, match="no such table"):
        migrate(connection, [f"{NEXT}; INSERT INTO absent VALUES (1)"], VERSION)
    assert (layout(connection), version(connection)) == (before, VERSION)
    migrate(connection, [NEXT], VERSION)
    assert version(connection) == VERSION + 1


def test_steps_before_the_one_that_fails_are_kept(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.Error, match="no such table"):
        migrate(connection, [NEXT, "INSERT INTO absent VALUES (1)"], VERSION)
    assert version(connection) == VERSION + 1
    assert connection.execute("SELECT x FROM more").fetchall() == [(1,)]


def test_a_process_that_is_killed_amid_a_step_leaves_the_archive_as_it_was(old: Path) -> None:
    program = (
        "import os, signal, sqlite3, sys\n"
        "from subscriber_cli.archive.schema import migrate\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.create_function('die', 0, lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "migrate(connection, ['ALTER TABLE host ADD COLUMN half REAL; DELETE FROM event;'\n"
        "                     'SELECT die()'], 1)\n"
    )
    died = subprocess.run([sys.executable, "-c", program, old], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL

    with closing(open_writer(old)) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (2,)
        assert "half" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())
        assert version(connection) == VERSION


def test_those_who_read_meanwhile_read_on(path: Path, connection: sqlite3.Connection) -> None:
    with Archive(path) as reader, closing(open_reader(path)) as amid:
        amid.execute("BEGIN")
        assert amid.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'more'"
        ).fetchone() == (0,)
        migrate(connection, [NEXT], VERSION)
        assert version(amid) == VERSION  # what it began with, to the end
        amid.execute("COMMIT")
        assert version(amid) == VERSION + 1
        assert reader.hosts() == []


@pytest.mark.parametrize("opener", [open_writer, open_reader])
def test_a_newer_archive_is_left_alone(
    opener: object, path: Path, connection: sqlite3.Connection
) -> None:
    migrate(connection, [NEXT], VERSION)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="made by a newer fanwhy; update this one"):
        opener(path)  # type: ignore[operator]
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
