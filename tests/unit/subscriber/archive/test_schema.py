"""The file: who may use it, and what is said when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from publisher.errors import ConfigError
from subscriber_cli.archive.lock import only_writer
from subscriber_cli.archive.schema import (
    VERSION,
    ArchiveError,
    default_path,
    failure,
    open_reader,
    open_writer,
    prepare,
)


def test_a_new_file_is_of_this_version_and_nobody_elses(path: Path) -> None:
    connection = open_writer(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection.close()
    open_writer(path).close()  # once more does no harm


def test_readers_read_while_one_writes(path: Path) -> None:
    writer = open_writer(path)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO word (text) VALUES ('busy')")
    readers = [open_reader(path) for _ in range(3)]
    for reader in readers:
        assert reader.execute("SELECT count(*) FROM word").fetchone() == (0,)
    writer.execute("COMMIT")
    for reader in readers:
        assert reader.execute("SELECT count(*) FROM word").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("DELETE FROM word")
        reader.close()
    writer.close()


@pytest.mark.parametrize("opener", [open_writer, open_reader])
def test_what_is_no_archive_is_told(opener: object, path: Path) -> None:
    path.write_bytes(b"this is a letter to my bank\n" * 100)
    with pytest.raises(ArchiveError, match="no archive; move it away"):
        opener(path)  # type: ignore[operator]
    assert path.read_bytes().startswith(b"this is a letter")


@pytest.mark.parametrize("opener", [open_writer, open_reader])
def test_another_programs_database_is_left_alone(opener: object, path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE fact (x)")
    other.commit()
    other.close()
    with pytest.raises(ArchiveError, match="another program's database"):
        opener(path)  # type: ignore[operator]


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    with pytest.raises(ArchiveError, match="`fanwhy-sub record` makes one"):
        open_reader(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError):
        open_writer(tmp_path / "file" / "archive.sqlite")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (sqlite3.SQLITE_FULL, "the disk is full; make room"),
        (sqlite3.SQLITE_BUSY, "another program holds it"),
        (sqlite3.SQLITE_CORRUPT, "damaged; move it away"),
        (sqlite3.SQLITE_IOERR | 3 << 8, "the disk does not answer"),
        (sqlite3.SQLITE_READONLY, "may not be written"),
    ],
)
def test_each_failure_says_what_mends_it(code: int, says: str, path: Path) -> None:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    line = str(failure(path, error))
    assert says in line
    assert "\n" not in line


def test_one_writer_at_a_time(path: Path) -> None:
    with (
        only_writer(path),
        pytest.raises(ArchiveError, match="another fanwhy-sub records into it"),
        only_writer(path),
    ):
        pass
    with only_writer(path):
        pass


def test_the_file_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert default_path("") == tmp_path / "archive.sqlite"
    assert default_path("~/x") == Path("~/x").expanduser()
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(ConfigError, match="--database"):
        default_path("")


def test_where_several_cannot_share_a_file_none_is_made(path: Path) -> None:
    """As on a share that has no memory in common: SQLite keeps another mode and says nothing."""
    connection = sqlite3.connect(f"file:{path}?vfs=unix-none", uri=True, isolation_level=None)
    with pytest.raises(
        ArchiveError, match=r"cannot keep it \(a network share\?\); name a local file"
    ):
        prepare(connection, path)
    connection.close()


def test_a_share_is_named_where_a_lock_cannot_be_had(path: Path) -> None:
    """github.com/louislam/uptime-kuma/issues/3786: the first PRAGMA is refused, for ever."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    assert "network share" in str(failure(path, error))
