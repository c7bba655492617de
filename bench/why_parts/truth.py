"""Who really used the CPU: read from /proc by this bench itself, whatever the daemon thinks.

A load is its shell's session and all that descends from the processes of it. What they used is
their own time and that of the children they have waited for (man 5 proc, utime to cstime), so
that those who lived too briefly to be seen are in it. All else on the machine is told by its
session.
"""

from __future__ import annotations

import bisect
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PERIOD = 0.5
_NOTED = 0.02
"""CPU seconds in a period from which a stranger's command line is looked at."""


_GENERIC = re.compile(
    r"(?:ba|da|z|k)?sh|python[\d.]*|perl|node|java|ruby|env|sudo|nice|ionice|chrt|time|timeout"
)
"""What runs something else, which is what a person wants to hear of."""


@dataclass(frozen=True)
class Row:
    """CPU seconds that each ever used, at one moment."""

    at: float
    busy: float
    loads: Mapping[str, float]
    strangers: Mapping[str, float]


@dataclass(frozen=True)
class Share:
    """What one had of the last seconds."""

    name: str
    cores: float
    words: tuple[str, ...]
    ours: bool


@dataclass
class _Process:
    pid: int
    parent: int
    session: int
    began: int
    comm: str
    used: float


def _processes() -> list[_Process]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = Path(f"/proc/{name}/stat").read_bytes()
        except OSError:
            continue
        comm = text[text.index(b"(") + 1 : text.rindex(b")")].decode(errors="replace")
        words = text[text.rindex(b")") + 2 :].split()
        found.append(
            _Process(
                int(name),
                int(words[1]),
                session := int(words[3]),
                int(words[19]),
                comm,
                # Whoever takes in orphans has waited for half the machine.
                sum(map(int, words[11 : 15 if session else 13])) / TICK,
            )
        )
    return found


def _words_of(process: _Process) -> set[str]:
    """What a stranger may be called by: its name, and the files on its command line."""
    try:
        argv = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        argv = ""
    files = {word.rpartition("/")[2] for word in argv.split("\0")[:4] if not word.startswith("-")}
    words = {word.lower() for word in (*files, process.comm) if 2 < len(word) < 40}
    return {word for word in words if not _GENERIC.fullmatch(word)}


def _words_above(process: _Process | None, by_pid: Mapping[int, _Process]) -> set[str]:
    words: set[str] = set()
    while process is not None and process.pid > 1:
        words |= _words_of(process)
        process = by_pid.get(process.parent)
    return words


@dataclass
class _Tally:
    """What a session or load used: what is seen of it grows, and never shrinks."""

    seen: float = 0.0
    used: float = 0.0

    def see(self, now: float) -> None:
        self.used += max(0.0, now - self.seen)
        self.seen = now


@dataclass
class Meter:
    """Reads all processes twice a second, from ``start`` until ``stop``.

    Attributes:
        names: of each load, the words that name it.
        own: of some of them, the name that its owner gave it.
        ignored: processes that measure or are measured, with all that they have started.
    """

    names: Mapping[str, tuple[str, ...]]
    own: Mapping[str, str]
    ignored: set[int]
    rows: list[Row] = field(default_factory=list)
    _roots: dict[int, str] = field(default_factory=dict)
    _known: dict[tuple[int, int], str] = field(default_factory=dict)
    _loads: dict[str, _Tally] = field(default_factory=dict)
    _strangers: dict[str, _Tally] = field(default_factory=dict)
    _last: dict[tuple[int, int], float] = field(default_factory=dict)
    _words: dict[str, dict[str, float]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def belongs(self, pid: int, load: str) -> None:
        """From now on this process and its session are that load's."""
        with self._lock:
            self._roots[pid] = load

    def start(self) -> None:
        self.look()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(PERIOD):
            self.look()

    def look(self) -> None:
        with self._lock:
            roots = dict(self._roots)
        at, processes = time.monotonic(), _processes()
        busy = busy_seconds()
        by_pid = {process.pid: process for process in processes}
        sums: dict[str, float] = dict.fromkeys(self._loads, 0.0)
        others: dict[str, float] = dict.fromkeys(self._strangers, 0.0)
        known, last = self._known, self._last
        self._known, self._last = {}, {}
        for process in processes:
            identity = process.pid, process.began
            owner = self._owner(process, by_pid, roots, known)
            self._known[identity], self._last[identity] = owner, process.used
            if owner in self.names:
                sums[owner] = sums.get(owner, 0.0) + process.used
            elif owner:
                others[owner] = others.get(owner, 0.0) + process.used
                used = process.used - last.get(identity, 0.0)
                if owner not in self._words:
                    # Whose it is counts as well: a tool may be told by the script that runs it.
                    above = by_pid.get(process.parent)
                    self._words[owner] = dict.fromkeys(_words_above(above, by_pid), 0.0)
                    used = used or _NOTED
                if used >= _NOTED:
                    words = self._words[owner]
                    for word in _words_of(process):
                        words[word] = words.get(word, 0.0) + used
        for tallies, seen in ((self._loads, sums), (self._strangers, others)):
            for name, used in seen.items():
                if name not in tallies:
                    # What a stranger used before we looked is none of this measurement.
                    tallies[name] = _Tally(used if tallies is self._strangers else 0.0)
                tallies[name].see(used)
        self.rows.append(
            Row(
                at,
                busy,
                {name: tally.used for name, tally in self._loads.items()},
                {name: tally.used for name, tally in self._strangers.items()},
            )
        )

    def _owner(
        self,
        process: _Process,
        by_pid: Mapping[int, _Process],
        roots: Mapping[int, str],
        known: Mapping[tuple[int, int], str],
    ) -> str:
        """A load's name, a stranger's session, or nothing for whom we ignore."""
        step: _Process | None = process
        for _ in range(40):
            if step is None:
                break
            if load := roots.get(step.pid) or roots.get(step.session):
                return load
            if step.pid in self.ignored:
                return ""
            before = known.get((step.pid, step.began), "")
            if before in self.names:  # also whom its parent has left
                return before
            step = by_pid.get(step.parent)
        return f"session {process.session}" if process.session else f"process {process.pid}"

    def shares(self, at: float, seconds: float = 10.0) -> list[Share]:
        """Cores that each used in the seconds before a moment, the largest first."""
        now, then = self._row(at), self._row(at - seconds)
        span = max(now.at - then.at, PERIOD)
        found = [
            Share(name, (used - then.loads.get(name, 0.0)) / span, self.names[name], ours=True)
            for name, used in now.loads.items()
        ]
        for name, used in now.strangers.items():
            weights = self._words.get(name, {})
            words = tuple(sorted(weights, key=lambda word: -weights[word]))
            cores = (used - then.strangers.get(name, 0.0)) / span
            found.append(Share(f"({' '.join(words[:2]) or name})", cores, words, ours=False))
        return sorted(
            (share for share in found if share.cores > 0.01), key=lambda share: -share.cores
        )

    def busy(self, at: float, seconds: float = 10.0) -> float:
        """Cores of the machine that worked in the seconds before a moment."""
        now, then = self._row(at), self._row(at - seconds)
        return (now.busy - then.busy) / max(now.at - then.at, PERIOD)

    def _row(self, at: float) -> Row:
        index = bisect.bisect_right(self.rows, at, key=lambda row: row.at)
        return self.rows[max(0, index - 1)]


def busy_seconds() -> float:
    """Processor time that the machine has used since it was started."""
    user, nice, system, _idle, _wait, irq, soft = map(
        int, Path("/proc/stat").read_text().split(None, 8)[1:8]
    )
    return (user + nice + system + irq + soft) / TICK
