"""The one that writes to an archive, in batches: all of a batch is written, or nothing of it.

Everything may be taken twice: values are known by series and moment, events by host and id, spans
by their beginning. So a batch that failed is simply tried again, and a message that the broker
sends once more changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from subscriber_cli.archive import keeping
from subscriber_cli.archive.intake import Counts, Intake
from subscriber_cli.archive.schema import BUSY_SECONDS, ArchiveError, failure, open_writer
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.decode import Received

_AWAY_SECONDS: Final = 15.0  # without a sign of ours that are a gap


class Writer:
    """Writes to one file, which is opened at the first need, and again after each failure.

    Args:
        path: of the file.
        largest_bytes: that it may have.
        busy_seconds: for how long another program may hold it.

    Attributes:
        counts: what was written since the start.
    """

    def __init__(
        self, path: Path, largest_bytes: int, *, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self.path = path
        self._busy_seconds = busy_seconds
        self.counts = Counts()
        self._largest = largest_bytes
        self._catalogues: dict[str, Catalogue] = {}
        self._open: tuple[sqlite3.Connection, Intake] | None = None

    def client_id(self) -> str:
        """The name by which the broker knows this archive, and keeps events for it.

        Raises:
            ArchiveError: the file cannot be used now.
        """
        with self._transaction() as (connection, _):
            row = _fact(connection, "client")
            if not isinstance(row, str):
                row = f"fanwhy-record-{os.urandom(6).hex()}"
                _set_fact(connection, "client", row)
            return row

    def resume(self, now: float, reason: str) -> float:
        """Messages come again: notes for every host how long there were none.

        Args:
            now: seconds since the epoch.
            reason: a word for why.

        Returns:
            how long that was, in seconds; 0 where it was no gap.

        Raises:
            ArchiveError: the file cannot be used now.
        """
        with self._transaction() as (connection, intake):
            alive = _fact(connection, "alive")
            away = now - alive if isinstance(alive, float) else 0.0
            if isinstance(alive, float) and away > _AWAY_SECONDS:
                intake.away(alive, now, reason)
            _set_fact(connection, "alive", now)
        return away if away > _AWAY_SECONDS else 0.0

    def write(self, batch: Iterable[tuple[Received, float]], now: float) -> list[str]:
        """Writes messages, each with the moment at which it came, and that we were here ``now``.

        Moments are seconds since the epoch.

        Returns:
            what was left out and had not been told before, for people.

        Raises:
            ArchiveError: the file cannot be used now; nothing of the batch was written.
        """
        with self._transaction() as (connection, intake):
            intake.full = keeping.used_bytes(connection) >= self._largest
            for message, at in batch:
                intake.take(message, at)
            intake.finish()
            _set_fact(connection, "alive", now)
            notices, intake.notices = intake.notices, []
        return notices

    def note_billed(self, host: int, until: float) -> None:
        """Notes that a host's bills were published until a moment, in seconds since the epoch.

        Raises:
            ArchiveError: the file cannot be used now.
        """
        with self._transaction() as (connection, _):
            connection.execute("UPDATE host SET billed = ? WHERE id = ?", (until, host))

    def keep_house(self, now: float) -> bool:
        """Does a part of what ``keeping`` does with days that are over; whether there is more.

        Raises:
            ArchiveError: the file cannot be used now.
        """
        with self._failing():
            connection, _ = self._opened()
            return keeping.keep_house(connection, now, self._largest)

    def close(self) -> None:
        """Lets go of the file."""
        if self._open is not None:
            with contextlib.suppress(sqlite3.Error):
                self._open[0].close()
        # What is known of the file may not be so after a failure.
        self._open = None

    def _opened(self) -> tuple[sqlite3.Connection, Intake]:
        if self._open is None:
            connection = open_writer(self.path, self._busy_seconds)
            self._open = connection, Intake(connection, self._catalogues, self.counts)
        return self._open

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[tuple[sqlite3.Connection, Intake]]:
        before = replace(self.counts)
        try:
            with self._failing():
                connection, intake = self._opened()
                connection.execute("BEGIN IMMEDIATE")
                yield connection, intake
                connection.execute("COMMIT")
        except ArchiveError:
            self.counts = before
            raise

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Makes one line of what goes wrong, and lets go of the file."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            self.close()
            raise failure(self.path, error) from error
        except BaseException:
            self.close()
            raise


def _fact(connection: sqlite3.Connection, key: str) -> object:
    row = connection.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def _set_fact(connection: sqlite3.Connection, key: str, value: object) -> None:
    connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))
