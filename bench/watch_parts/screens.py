"""Programs in terminals of their own, and what the kernel says that they use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from why_parts.listening import ROOT

_TICK = os.sysconf("SC_CLK_TCK")
_ESCAPES = re.compile(rb"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()].|.)")
_KEPT = 200_000
"""Bytes of what was drawn last."""
_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Usage:
    """What a program used: percent of one core on average, memory at most."""

    cpu_percent: float
    rss_megabytes: float
    pss_megabytes: float


class Screen:
    """A program in a terminal of so many columns and rows, for as long as the block lasts."""

    def __init__(self, command: Sequence[str], size: tuple[int, int]) -> None:
        self._command = command
        self._size = size
        self._drawn = bytearray()
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        master, slave = pty.openpty()
        columns, rows = self._size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._master = master
        self.process = subprocess.Popen(
            self._command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(slave)
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._thread.join(5)
        os.close(self._master)

    @property
    def text(self) -> str:
        """What was drawn last, without what colours it and moves the cursor."""
        with self._lock:
            return _ESCAPES.sub(b"", bytes(self._drawn)).decode("utf-8", "replace")

    def seen_at(self, words: str) -> float:
        """When words were on the screen first, as far as somebody looked."""
        return self._seen.setdefault(words, time.perf_counter())

    def _drain(self) -> None:
        while True:
            try:
                drawn = os.read(self._master, 1 << 16)
            except OSError:
                return
            if not drawn:
                return
            with self._lock:
                self._drawn += drawn
                del self._drawn[:-_KEPT]


def measured(screens: Mapping[str, Screen], seconds: float) -> dict[str, Usage]:
    """What each used in so many seconds from now on."""
    before = {name: _cpu_seconds(screen.process.pid) for name, screen in screens.items()}
    began = time.monotonic()
    most: dict[str, tuple[float, float]] = dict.fromkeys(screens, (0.0, 0.0))
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_SECONDS))
        for name, screen in screens.items():
            now = _megabytes(screen.process.pid)
            most[name] = (max(most[name][0], now[0]), max(most[name][1], now[1]))
    lasted = time.monotonic() - began
    return {
        name: Usage(
            100 * (_cpu_seconds(screen.process.pid) - before[name]) / lasted, *most[name]
        )
        for name, screen in screens.items()
    }  # fmt: skip


def _cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def _megabytes(pid: int) -> tuple[float, float]:
    """(resident, proportional)."""
    rows = dict(
        line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    return int(rows["Rss:"]) * 1024 / 1e6, int(rows["Pss:"]) * 1024 / 1e6
