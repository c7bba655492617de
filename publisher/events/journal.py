"""Events on disk until the broker has confirmed them: none lost, in order, whoever dies between.

The file is a log of two kinds of lines: ``+ id topic payload`` when an event happened, ``- id``
when the broker confirmed it. When nothing waits the file is emptied, so that it stays small; a
line that a crash cut short is passed over. A reader that keeps ids sees each event once: after
a crash between sending and confirming an event is sent again with the same id.
"""

from __future__ import annotations

import base64
import logging
import os
from collections import OrderedDict
from pathlib import Path

from publisher.schema.message import Message

log = logging.getLogger(__name__)

LIMIT = 4096  # events that wait; a week without a broker has fewer


class Journal:
    """Events that wait for a broker's confirmation, oldest first.

    Args:
        path: the file; ``None``, or one that cannot be written, keeps them in memory alone.
    """

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._waiting: OrderedDict[str, Message] = OrderedDict()
        self._file: int | None = None
        if self._path:
            self._open(self._path)

    def append(self, message: Message) -> None:
        """Keeps an event, which has a key, until ``confirm`` is called with it."""
        key = message.key or ""
        self._waiting[key] = message
        if len(self._waiting) > LIMIT:
            dropped, _ = self._waiting.popitem(last=False)
            log.warning("more than %d events wait for the broker: the oldest is dropped", LIMIT)
            self._write(f"- {dropped}\n")
        self._write(_line(message), lasting=True)

    def confirm(self, key: str) -> None:
        """The broker has it."""
        if self._waiting.pop(key, None) is None:
            return
        if self._waiting or self._file is None:
            self._write(f"- {key}\n")
        else:
            os.ftruncate(self._file, 0)

    def waiting(self) -> list[Message]:
        """All events that are not confirmed, in order."""
        return list(self._waiting.values())

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                self._load(path.read_text(encoding="utf-8", errors="replace"))
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, 0)
        except OSError as error:
            log.warning("events that wait are kept in memory alone: %s: %s", path, error.strerror)
            return
        for message in self._waiting.values():
            self._write(_line(message))

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

    def _write(self, line: str, *, lasting: bool = False) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, line.encode())
            if lasting:
                os.fsync(self._file)
        except OSError as error:
            log.warning("events that wait are kept in memory alone: %s", error.strerror)
            self.close()


def _line(message: Message) -> str:
    return f"+ {message.key} {_encoded(message.topic.encode())} {_encoded(message.payload)}\n"


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
