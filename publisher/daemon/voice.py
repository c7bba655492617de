"""The log on standard error, which never makes the daemon wait.

Standard error may be a pipe that nobody reads, a terminal that is held (Ctrl-S), a log that hangs:
a write would block for ever, and with it all that fanwhy is for. So a line is written only when the
system says that it has room, and waits otherwise, the oldest being dropped when too many do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

_MOST_LINES: Final = 1000
# What a pipe that polls as writable takes without making us wait (POSIX's PIPE_BUF; man 7 pipe).
_AT_ONCE: Final = 4096
_FAREWELL_SECONDS: Final = 0.3
_FORMAT: Final = "%(levelname)s %(message)s"
# Of sd-daemon(3), "<6>" and the like before a line: the journal takes it off and keeps it as level.
_PRIORITIES: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class _ForJournal(logging.Formatter):
    """Says each line's level as the journal understands it."""

    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITIES.get(record.levelno, 6)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))


def formatter_for(
    descriptor: int, environment: Mapping[str, str] = os.environ
) -> logging.Formatter:
    """How lines look there: with levels for the journal, where a descriptor leads to it.

    Source: systemd.exec(5), ``JOURNAL_STREAM``: device and inode of what a service writes to.
    """
    try:
        found = os.fstat(descriptor)
    except OSError:
        return logging.Formatter(_FORMAT)
    journal = environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return _ForJournal(_FORMAT) if journal else logging.Formatter(_FORMAT)


class Voice(logging.Handler):
    """Writes lines to a descriptor as far as that takes them at once.

    Attributes:
        dropped: lines that nobody will ever read.
    """

    def __init__(self, descriptor: int = 2) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, or keeps it."""
        try:
            self.say(self.format(record))
        except Exception:  # noqa: BLE001  # a line that cannot be made must not end what it tells of
            self.dropped += 1

    def say(self, line: str) -> None:
        """Writes a line, or keeps it."""
        with self.lock or contextlib.nullcontext():
            if len(self._waiting) >= _MOST_LINES:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(line.encode("utf-8", "backslashreplace") + b"\n")
        self.flush()

    def flush(self) -> None:
        """Writes what waits, as far as there is room."""
        with self.lock or contextlib.nullcontext():
            while self._waiting and self._has_room():
                if self.dropped:
                    lost = f"fanwhy: warning: {self.dropped} lines of the log found no room\n"
                    self._waiting.appendleft(lost.encode())
                    self.dropped = 0
                line = self._waiting.popleft()
                try:
                    written = os.write(self._descriptor, line[:_AT_ONCE])
                except OSError:
                    return  # it is closed: nobody will ever read it
                if written < len(line):
                    self._waiting.appendleft(line[written:])

    def close(self) -> None:
        """Writes what waits if that takes a moment, and leaves the rest."""
        until = time.monotonic() + _FAREWELL_SECONDS
        self.flush()
        while self._waiting and time.monotonic() < until:
            time.sleep(0.01)
            self.flush()
        super().close()

    def _has_room(self) -> bool:
        if not hasattr(select, "poll"):  # Windows
            return True
        poll = select.poll()
        try:
            poll.register(self._descriptor, select.POLLOUT)
            events = poll.poll(0)
        except (OSError, ValueError):
            return True  # no descriptor that can be asked; a write will fail, or not wait
        return any(
            event & (select.POLLOUT | select.POLLERR | select.POLLNVAL) for _, event in events
        )
