"""Limits on the memory of control groups, who runs into them, and whom the kernel killed there.

Version 2: ``memory.current``, ``memory.max``, ``memory.high``, ``memory.events``,
``memory.pressure`` (kernel documentation, admin-guide/cgroup-v2). Version 1:
``memory.usage_in_bytes``, ``memory.limit_in_bytes``, ``memory.failcnt``, ``memory.oom_control``
(cgroup-v1/memory). Nothing of this is read while nobody asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

_MOST: Final = 1024  # control groups that are looked through
_DEEPEST: Final = 12
_DIGITS: Final = 20  # of what is counted in 64 bits
_UNLIMITED: Final = 1 << 60  # version 1 has a number for it, a page below 2 to the 63rd


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedCgroup:
    """A control group whose memory is limited.

    Attributes:
        path: in its hierarchy.
        used_bytes: what is counted against the limit, page cache included.
        hits: how often it ran into the limit since it was made.
        stalled_us: microseconds in which some task of it waited for memory; ``None`` where the
            kernel does not tell.
    """

    path: str
    limit_bytes: int
    used_bytes: int
    hits: int = 0
    stalled_us: int | None = None


@dataclass(frozen=True, slots=True)
class OomCounts:
    """What a control group counted since it was made, those below it included.

    Attributes:
        kills: its processes that the kernel killed for want of memory.
        limits: how often that was for its limit or one below; ``None`` where that is not counted.
    """

    kills: int
    limits: int | None


class MemoryCgroups:
    """The hierarchy that memory is counted in: version 1's where that is mounted, else 2's."""

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._mounted: tuple[str, bool] | None = None

    @property
    def _top(self) -> str:
        """Its directory; empty where there is none. Looked up when first asked for."""
        if self._mounted is None:
            self._mounted = self._mount()
        return self._mounted[0]

    @property
    def _unified(self) -> bool:
        return bool(self._top) and self._mounted is not None and self._mounted[1]

    def _mount(self) -> tuple[str, bool]:
        unified = ""
        for line in self._files.hint("/proc/mounts").split("\n"):
            words = line.split(" ")
            if len(words) < 4:
                continue
            if words[2] == "cgroup" and "memory" in words[3].split(","):
                return words[1], False
            if words[2] == "cgroup2":
                unified = unified or words[1]
        return unified, True

    def path(self, lines: bytes) -> str:
        """The path of a process in it, of ``/proc/<pid>/cgroup``; empty for its root."""
        top = self._top
        for line in lines.decode("utf-8", "replace").rstrip("\n").split("\n") if top else ():
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            if not controllers if self._unified else "memory" in controllers.split(","):
                path = path.removesuffix(" (deleted)")
                # Outside our own namespace there is nothing to look at.
                return "" if path == "/" or "/.." in path else path
        return ""

    def limited(self, path: str) -> LimitedCgroup | None:
        """What a control group has used of its own limit; ``None`` for one that has none."""
        try:
            limit = self._limit(path)
            if limit is None:
                return None
            name = "memory.current" if self._unified else "memory.usage_in_bytes"
            used = self._integer(path, name)
        except SourceError:
            return None
        return LimitedCgroup(
            path=path,
            limit_bytes=limit,
            used_bytes=used,
            hits=self._hits(path),
            stalled_us=self._stalled(path) if self._unified else None,
        )

    def _limit(self, path: str) -> int | None:
        if not self._unified:
            limit = self._integer(path, "memory.limit_in_bytes")
            return limit if limit < _UNLIMITED else None
        limits = []
        for name in ("memory.max", "memory.high"):
            words = self._read(path, name).strip()
            if words.isdigit() and len(words) <= _DIGITS:
                limits.append(int(words))
        return min(limits, default=None)

    def _hits(self, path: str) -> int:
        try:
            if not self._unified:
                return self._integer(path, "memory.failcnt")
            events = self._events(path, "memory.events.local") or self._events(path)
        except SourceError:
            return 0
        return events.get(b"max", 0) + events.get(b"high", 0)

    def _stalled(self, path: str) -> int | None:
        try:
            line = self._read(path, "memory.pressure").partition(b"\n")[0]
            return int(line[line.index(b"total=") + 6 :])
        except (SourceError, ValueError):
            return None

    def counts(self, path: str) -> OomCounts | None:
        """Whom the kernel killed there; ``None`` where it does not tell, or no longer."""
        try:
            if self._unified:
                events = self._events(path)
                return OomCounts(events[b"oom_kill"], events.get(b"oom"))
            events = _pairs(self._read(path, "memory.oom_control"))
            return OomCounts(events[b"oom_kill"], None)
        except (SourceError, KeyError):
            return None

    def was_full(self, path: str) -> bool:
        """Whether it has ever used all of its limit; version 2 tells that of few kernels."""
        name = "memory.peak" if self._unified else "memory.max_usage_in_bytes"
        try:
            limit = self._limit(path)
            return limit is not None and self._integer(path, name) >= limit * 0.99
        except SourceError:
            return False

    def all(self) -> Iterator[str]:
        """Paths of all of them, a parent before those below it, its root left out."""
        top, count, paths = self._top, 0, [""] if self._top else []
        while paths and count < _MOST:
            path = paths.pop()
            if path:
                yield path
                count += 1
            if path.count("/") < _DEEPEST:
                below = self._directories(top + path)
                paths += [f"{path}/{name}" for name in reversed(below)]

    def _directories(self, path: str) -> list[str]:
        try:
            with os.scandir(f"{self._files.root}{path}") as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except OSError:
            return []

    def _events(self, path: str, name: str = "memory.events") -> dict[bytes, int]:
        try:
            return _pairs(self._read(path, name))
        except SourceError:
            if name == "memory.events":
                raise
            return {}

    def _read(self, path: str, name: str) -> bytes:
        return self._files.read(f"{self._top}{path}/{name}", keep=False)

    def _integer(self, path: str, name: str) -> int:
        return self._files.integer(f"{self._top}{path}/{name}", keep=False)


def _pairs(content: bytes) -> dict[bytes, int]:
    found = {}
    for line in content.splitlines():
        name, _, number = line.partition(b" ")
        if number.strip().isdigit() and len(number) <= _DIGITS:
            found[name] = int(number)
    return found
