"""Events on disk until the broker has confirmed them: none lost, in order, whichever side dies.

The file is a log of two kinds of lines: ``+ id topic payload`` when an event happened, ``- id``
when the broker confirmed it. When nothing waits it is emptied, and when it has grown long it is
written anew with what still waits. A line that a crash cut short is passed over. A reader that
keeps ids sees each event once: after a crash between sending and confirming an event is sent
again with the same id.

A file that was taken away, folder and all, is made anew with the next event.

A disk that is slow or full delays no event: a thread of its own writes, moments after the
event. What could not be written is kept in memory, and the file is made anew once it can be.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

from publisher.config.state_folder import is_gone
from publisher.contract.messages import Message

log = logging.getLogger(__name__)

LIMIT = 4096  # events that wait; a week without a broker has fewer
_RETRY_SECONDS = 60.0
_CLOSE_SECONDS = 1.0


class Journal:
    """Events that wait for a broker's confirmation, oldest first. Any thread may call any method.

    Args:
        path: the file; ``None``, or one that cannot be read, keeps them in memory alone.
        sync: has the disk keep what was written to a descriptor.
    """

    def __init__(self, path: str | None, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._path = Path(path) if path else None
        self._sync = sync
        self._changed = threading.Condition()
        # With the lock of the condition held:
        self._waiting: OrderedDict[str, Message] = OrderedDict()
        self._unwritten: list[str] = []
        self._writing = False
        self._closing = False
        self._thread: threading.Thread | None = None
        self._threadless = False
        # The writer's own:
        self._file: int | None = None
        self._size = 0
        self._lines = 0
        self._behind = False  # the file lacks something that is in memory
        if self._path:
            self._open(self._path)

    def append(self, message: Message) -> None:
        """Keeps an event, which has a key, until ``confirm`` is called with it."""
        key = message.key or ""
        with self._changed:
            self._waiting[key] = message
            lines = [_line(message)]
            if len(self._waiting) > LIMIT:
                dropped, _ = self._waiting.popitem(last=False)
                lines.insert(0, f"- {dropped}\n")
                log.warning("more than %d events wait for the broker: the oldest is dropped", LIMIT)
            self._leave(lines)

    def confirm(self, key: str) -> None:
        """The broker has it."""
        with self._changed:
            if self._waiting.pop(key, None) is not None:
                self._leave([f"- {key}\n"])

    def waiting(self) -> list[Message]:
        """All events that are not confirmed, in order."""
        with self._changed:
            return list(self._waiting.values())

    def flush(self, timeout: float) -> bool:
        """Waits until everything was written, or failed to be; whether that was so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._unwritten or self._writing), timeout)

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Writes what is left; a disk that does not answer within ``timeout`` is left behind."""
        if self._thread is None and self._path is not None and self._unwritten:
            self._behind = True
            self._attempt(self._path, [], self.waiting())
            self._unwritten.clear()
        self.flush(timeout)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _leave(self, lines: Iterable[str]) -> None:
        """Leaves lines to the writer. With the lock held."""
        if self._path is None or self._closing:
            return
        self._unwritten.extend(lines)
        if self._thread is None:
            self._thread = self._started(self._path)
        self._changed.notify_all()

    def _started(self, path: Path) -> threading.Thread | None:
        """The writer; where no thread can be had now, the next event tries again."""
        thread = threading.Thread(target=self._write_all, args=(path,), name="journal", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threadless:
                log.warning(
                    "events that wait are kept in memory alone: the system lets us start no thread "
                    "(TasksMax, ulimit -u)"
                )
            self._threadless = True
            return None
        if self._threadless:
            self._threadless = False
            log.info("events that wait are kept on disk again")
        return thread

    def _open(self, path: Path) -> None:
        try:
            self._load(path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("events that wait are kept in memory alone: %s: %s", path, error.strerror)
            self._path = None
            return
        self._attempt(path, [], self.waiting())

    def _load(self, content: str) -> None:
        # What stands behind the last line's end was cut short by a crash.
        for line in content.split("\n")[:-1]:
            sign, _, rest = line.partition(" ")
            if sign == "-":
                self._waiting.pop(rest, None)
                continue
            try:
                key, topic, payload = rest.split(" ")
                message = Message(
                    topic=_decoded(topic).decode(), payload=_decoded(payload), qos=1, key=key
                )
            except ValueError:
                continue
            if sign == "+":
                self._waiting[key] = message

    # -- the writer -----------------------------------------------------------------------------

    def _write_all(self, path: Path) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                if not self._unwritten and not self._closing:
                    self._changed.wait(_RETRY_SECONDS if self._behind else None)
                lines, self._unwritten = self._unwritten, []
                if not lines and self._closing:
                    return
                self._writing = True
                messages = list(self._waiting.values())
            if lines or self._behind:
                self._attempt(path, lines, messages)

    def _attempt(self, path: Path, lines: list[str], messages: list[Message]) -> None:
        """Brings the file up to date: adds the lines, or makes it anew of what waits."""
        long = self._lines + len(lines) > 2 * LIMIT
        if self._file is not None and is_gone(self._file, path):
            log.warning("%s was taken away: it is made anew", path)
            os.close(self._file)
            self._file = None
        try:
            if self._file is None or self._behind or long or not messages:
                self._renew(path, messages)
            else:
                self._extend(self._file, lines)
        except (OSError, MemoryError) as error:
            if not self._behind:
                words = "events that wait are kept in memory alone: %s: %s"
                log.warning(words, path, getattr(error, "strerror", None) or "no memory")
            self._behind = True
        else:
            if self._behind:
                log.info("events that wait are kept on disk again")
            self._behind = False

    def _extend(self, file: int, lines: list[str]) -> None:
        try:
            size = _write(file, "".join(lines))
            if any(line.startswith("+") for line in lines):
                self._sync(file)
        except OSError:
            with contextlib.suppress(OSError):  # half a line would spoil the next one, too
                os.ftruncate(file, self._size)
            raise
        self._size += size
        self._lines += len(lines)

    def _renew(self, path: Path, messages: list[Message]) -> None:
        """At every moment either the old file is there or the new one, so that a crash costs none.

        An empty one needs no room: what was confirmed is forgotten on a full disk, too.
        """
        if not messages:
            if self._file is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = _opened(path)
            os.ftruncate(self._file, 0)
            self._size = self._lines = 0
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        file = _opened(draft, os.O_TRUNC)
        try:
            size = _write(file, "".join(map(_line, messages)))
            self._sync(file)
            os.replace(draft, path)  # noqa: PTH105  # the same call, spelt for what it does
        except OSError:
            os.close(file)
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        if self._file is not None:
            os.close(self._file)
        self._file, self._size, self._lines = file, size, len(messages)


def _opened(path: Path, more: int = 0) -> int:
    more |= getattr(os, "O_BINARY", 0)  # Windows would write two bytes for each end of a line
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | more, 0o600)


def _write(file: int, text: str) -> int:
    """Writes all of a text; its length in bytes."""
    content = text.encode()
    written = 0
    while written < len(content):
        written += os.write(file, content[written:])
    return written


def _line(message: Message) -> str:
    return f"+ {message.key} {_encoded(message.topic.encode())} {_encoded(message.payload)}\n"


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
