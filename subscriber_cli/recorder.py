"""Listens to the broker and keeps what passes by in an archive, through every outage.

An event is confirmed to the broker once it is on the disk, not before; until then, and while we
are away, the broker keeps it for us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from publisher.contract.messages import Receipt
from publisher.contract.units import Unit, duration, humanise
from publisher.errors import BrokerError
from subscriber_cli.archive.lock import only_writer
from subscriber_cli.archive.schema import ArchiveError, default_path
from subscriber_cli.archive.writer import Writer
from subscriber_cli.client import Confirmed, Connected, Stream, Trouble
from subscriber_cli.daily import Daily
from subscriber_cli.inbox import Inbox
from subscriber_cli.model.budget import MIB
from subscriber_cli.model.decode import Notice, Packed, Received
from subscriber_cli.terminal_settings import TerminalSettings

_CONFIRM_SECONDS: Final = 1.0  # until an event is written at the latest
_WRITE_SECONDS: Final = 10.0  # and anything else: a disk is not to be woken more often
_ALIVE_SECONDS: Final = 60.0  # between two signs that we are here, when nothing comes
_RETRY_SECONDS: Final = 5.0  # after the archive could not be written
_HOUSE_SECONDS: Final = 3600.0
_MOST_OWED: Final = 10  # brokers send no more than twenty that are not confirmed
_BATCH_BYTES: Final = 4 * MIB
_HELD_BYTES: Final = 16 * MIB  # while the archive cannot be written
_MOST_NOTICES: Final = 50

Tell = Callable[[str], None]


class Stop:
    """What is pressed into the inbox to end it."""


@dataclass(slots=True)
class Progress:
    """How it goes, for a screen.

    Attributes:
        silence: why nothing is heard now; ``trouble``: why nothing is written; empty where all is
            well.
        dropped: messages that were lost for want of room.
    """

    connected: bool = False
    silence: str = "not connected yet"
    trouble: str = ""
    dropped: int = 0
    since: float = field(default_factory=time.time)


@dataclass(slots=True)
class Batch:
    """What waits to be written; moments are of the monotonic clock, in seconds.

    Attributes:
        messages: each with the time of day at which it came, and what is owed to the broker.
        owed: how many of them the broker waits for.
        due: when it is to be written.
    """

    messages: list[tuple[Packed, float, Receipt | None]] = field(default_factory=list)
    size: int = 0
    owed: int = 0
    due: float = float("inf")

    def add(self, message: Packed, at: float, receipt: Receipt | None, now: float) -> None:
        self.messages.append((message, at, receipt))
        self.size += message.size
        self.owed += receipt is not None
        self.due = min(self.due, now + (_WRITE_SECONDS if receipt is None else _CONFIRM_SECONDS))
        if self.owed >= _MOST_OWED or self.size >= _BATCH_BYTES:
            self.due = now

    def drop(self) -> int:
        """Gives up the oldest where there is no room: first what comes again by itself."""
        gone = 0
        for owed in (False, True):
            kept = []
            for entry in self.messages:
                if self.size > _HELD_BYTES and (entry[2] is None) is not owed:
                    self.size -= entry[0].size
                    self.owed -= owed
                    gone += 1
                else:
                    kept.append(entry)
            self.messages = kept
        return gone

    def receipts(self) -> list[Receipt]:
        return [receipt for _, _, receipt in self.messages if receipt is not None]


class Recorder:
    """Keeps what passes by, until it is stopped.

    Args:
        settings: where the messages are, where the archive is, and how large it may grow.
        path: of the archive; ``None`` takes that of the settings.
        tell: takes a line for people.
    """

    def __init__(self, settings: TerminalSettings, path: Path | None, tell: Tell) -> None:
        self.path = path or default_path(settings.record.database)
        self.inbox = Inbox()
        self.progress = Progress()
        self.writer = Writer(self.path, int(settings.record.largest_megabytes * 1e6))
        self._daily = Daily(self.path, self.writer, settings.report)
        self._settings = settings
        self._tell = tell
        self._batch = Batch()
        self._started = False
        self._resumed = False
        self._heard = time.time()
        self._written = time.monotonic()
        self._blocked_until = 0.0
        self._house_at = 0.0
        self._told = 0

    def stop(self) -> None:
        """Ends it soon; may be called by a signal's handler or another thread."""
        self.inbox.press(Stop())

    def run(self, show: Callable[[Recorder], None] | None = None) -> None:
        """Records until ``stop`` is called.

        Args:
            show: called about once a second, for a screen.

        Raises:
            BrokerError: the broker will never let us in.
            ArchiveError: another process records into this archive.
            ConfigError: the settings cannot be used.
        """
        with only_writer(self.path):
            try:
                client = self._client_id()
                if client:
                    self._listen(client, show)
            finally:
                self.writer.close()

    def _client_id(self) -> str:
        """The name that the archive has at the broker; empty when it is to end before that."""
        while True:
            try:
                client = self.writer.client_id()
            except ArchiveError as error:
                self._stumble(error)
                if isinstance(self.inbox.get(_RETRY_SECONDS), Stop):
                    return ""
            else:
                self._recover()
                return client

    def _listen(self, client: str, show: Callable[[Recorder], None] | None) -> None:
        settings = self._settings
        shown = 0.0
        with Stream(settings.broker, settings.prefix, self.inbox, session=client) as stream:
            while True:
                now = time.monotonic()
                if show is not None and now - shown >= 1.0:
                    shown = now
                    show(self)
                item = stream.get(self._patience(now, 1.0 if show else 60.0))
                if isinstance(item, Stop):
                    break
                if item is not None:
                    self._take(stream, item)
                self._settle(stream)
            if self._batch.messages and self._resumed:
                self._write(stream)

    def _patience(self, now: float, most: float) -> float:
        """Seconds until there is something to do."""
        times = [now + most, self._house_at]
        if self._resumed:
            times.append(self._batch.due)
        return max(min(times), self._blocked_until) - now

    def _take(self, stream: Stream, item: object) -> None:
        if isinstance(item, Received):
            self._heard = time.time()
            self._batch.add(Packed.of(item), self._heard, stream.receipt, time.monotonic())
            if self._batch.size > _HELD_BYTES:
                self.progress.dropped += self._batch.drop()
        elif isinstance(item, Connected):
            self.progress.connected, self.progress.silence = True, ""
            self._resumed = False
            self._daily.start_over(time.time())
            self._tell(f"connected to {item.endpoint} with {item.version}")
        elif isinstance(item, Trouble):
            if item.final:
                raise BrokerError(item.text)
            if self.progress.silence != item.text:
                self._tell(f"{item.text}; trying again until it works")
            self.progress.connected, self.progress.silence = False, item.text
        elif isinstance(item, Confirmed):
            self._confirmed(item.key)
        elif isinstance(item, Notice):
            self._notice(item.text)
            if stream.receipt is not None:
                stream.acknowledge([stream.receipt])

    def _settle(self, stream: Stream) -> None:
        """Does what has become due."""
        now = time.monotonic()
        if now < self._blocked_until:
            return
        if self.progress.connected and not self._resumed:
            self._resume()
        silent = self.progress.connected and now - self._written >= _ALIVE_SECONDS
        if self._resumed and (now >= self._batch.due or silent):
            self._write(stream)
        if now >= self._house_at and now >= self._blocked_until:
            self._keep_house()
        if self._resumed and self._settings.report.publish and now >= self._blocked_until:
            self._bill(stream)

    def _resume(self) -> None:
        reason = "broker" if self._started else "recorder"
        try:
            away = self.writer.resume(time.time(), reason)
        except ArchiveError as error:
            self._stumble(error)
            return
        self._recover()
        self._resumed = self._started = True
        if away:
            self._tell(f"nothing was heard for {duration(away)}; marked as a gap")

    def _write(self, stream: Stream) -> None:
        batch, self._written = self._batch, time.monotonic()
        alive = time.time() if self.progress.connected else self._heard
        try:
            notices = self.writer.write(
                ((message.open(), at) for message, at, _ in batch.messages), alive
            )
        except ArchiveError as error:
            self._stumble(error)
            return
        self._recover()
        stream.acknowledge(batch.receipts())
        self._batch = Batch()
        for notice in notices:
            self._notice(notice)

    def _keep_house(self) -> None:
        try:
            more = self.writer.keep_house(time.time())
        except ArchiveError as error:
            self._stumble(error)
            return
        self._house_at = 0.0 if more else time.monotonic() + _HOUSE_SECONDS

    def _bill(self, stream: Stream) -> None:
        try:
            message = self._daily.next(time.time())
        except ArchiveError as error:
            self._stumble(error)
            return
        if message is not None:
            stream.publish(message)

    def _confirmed(self, key: str) -> None:
        try:
            self._daily.confirm(key)
        except ArchiveError as error:
            self._stumble(error)

    def _stumble(self, error: ArchiveError) -> None:
        text = str(error)
        if self.progress.trouble != text:
            self._tell(f"{text}; trying again until it works")
        self.progress.trouble = text
        self._blocked_until = time.monotonic() + _RETRY_SECONDS

    def _recover(self) -> None:
        if self.progress.trouble:
            self._tell(f"{self.path}: writing again")
        self.progress.trouble, self._blocked_until = "", 0.0

    def _notice(self, text: str) -> None:
        self._told += 1
        if self._told <= _MOST_NOTICES:
            self._tell(text)
        elif self._told == _MOST_NOTICES + 1:
            self._tell("more is skipped; that is not told any more")


def summary(recorder: Recorder) -> str:
    """How it goes, in one line."""
    counts, progress = recorder.writer.counts, recorder.progress
    try:
        size = humanise(recorder.path.stat().st_size, Unit.BYTES)
    except OSError:
        size = "no file"
    parts = [
        f"recording for {duration(time.time() - progress.since)}",
        f"{counts.values:,} values of {counts.series:,} new series",
        f"{counts.events:,} events",
        size,
    ]
    if progress.dropped:
        parts.append(f"{progress.dropped:,} messages lost for want of room")
    parts += filter(None, (progress.silence, progress.trouble))
    return " · ".join(parts)
