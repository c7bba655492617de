"""Hands messages to the process that sends them, and takes its answers; it may hang or die.

The process is started when there is something to send and ended when there was nothing for a while,
so that its memory is not needed all the time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import subscriber_cli

ANSWER_SECONDS: Final = 45.0
"""After which a message counts as not sent; Apprise itself gives up after some seconds."""
_IDLE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request.

    Attributes:
        said: why it failed, without a part of an address.
    """

    request: int
    ok: bool
    said: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The process ended; what it was asked and did not answer was not sent, as far as is known."""

    process: int


class Courier:
    """Owns the process.

    Args:
        deliver: takes each ``Answer`` or ``Gone``, in another thread.
        clock: monotonic seconds.
    """

    def __init__(self, deliver: Callable[[Any], None], clock: Callable[[], float]) -> None:
        self._deliver = deliver
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._count = 0
        self._asked: dict[int, float] = {}
        self._used = 0.0

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._asked)

    def ask(self, **words: Any) -> int:
        """Sends a request; gives the number that its answer will have.

        Args:
            words: of ``worker``.
        """
        process = self._running()
        self._count += 1
        self._asked[self._count] = self._used = self._clock()
        line = json.dumps({"id": self._count, **words}) + "\n"
        with contextlib.suppress(OSError):  # it has just ended: Gone says so
            if process.stdin is not None:
                process.stdin.write(line)
                process.stdin.flush()
        return self._count

    def answered(self, request: int) -> bool:
        """Takes note of an answer; whether it was still waited for."""
        return self._asked.pop(request, None) is not None

    def late(self) -> list[int]:
        """Requests without an answer for too long; the process that hangs there is ended."""
        now = self._clock()
        late = [one for one, asked in self._asked.items() if now - asked >= ANSWER_SECONDS]
        for one in late:
            del self._asked[one]
        if late and not self._asked:
            self.close()
        return late

    def lost(self, gone: Gone) -> list[int]:
        """Requests that the process took with it."""
        if self._process is None or self._process.pid != gone.process:
            return []
        self.close()
        lost = list(self._asked)
        self._asked.clear()
        return lost

    def rest(self) -> None:
        """Ends the process where there was nothing to do for a while."""
        if not self._asked and self._clock() - self._used >= _IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """Ends the process; whatever it has not said is not waited for."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):  # what it did not read any more
                if process.stdin is not None:
                    process.stdin.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            # Of our own settings, which may hold the broker's password, it needs nothing.
            kept = {key: text for key, text in os.environ.items() if not key.startswith("FANWHY_")}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "subscriber_cli.notify.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Python looks for modules where a program of its own is started: among ours.
                cwd=Path(subscriber_cli.__file__).parents[1],
                text=True,
                encoding="utf-8",
                env=kept,
            )
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            with process.stdout as answers:
                for line in answers:
                    words = json.loads(line)
                    self._deliver(Answer(words["id"], words["ok"], words["said"]))
        self._deliver(Gone(process.pid))
