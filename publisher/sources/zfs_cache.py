"""The cache of ZFS, which the kernel counts as used although ZFS gives it back to whoever asks.

Source: ``/proc/spl/kstat/zfs/arcstats`` (OpenZFS, module/zfs/arc.c): ``size`` is what the cache
holds, ``c_min`` what it keeps for itself. The target ``c`` is neither.
"""

from __future__ import annotations

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

_ARCSTATS = "/proc/spl/kstat/zfs/arcstats"
_DIGITS = 20  # of what is counted in 64 bits
_LOOK_SECONDS = 300.0  # after which a machine without ZFS is asked again: a pool may be imported


class ZfsCache:
    """The cache of the machine that ``/proc/meminfo`` tells of.

    In a container lxcfs tells of the container alone, while the cache is that of the whole
    machine and no part of it.
    """

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._there = False
        self._look_at = float("-inf")

    def given_back(self, now: float, *, at_most: int) -> int:
        """Bytes that new work could have of it; 0 without ZFS.

        Args:
            now: monotonic seconds.
            at_most: what is used at all. A larger cache is another machine's.
        """
        if not self._there:
            if now < self._look_at:
                return 0
            self._look_at = now + _LOOK_SECONDS
            self._there = self._files.exists(_ARCSTATS) and not self._in_container()
        try:
            content = self._files.read(_ARCSTATS) if self._there else b""
        except SourceError:
            self._there = False  # the module was unloaded
            return 0
        size, least = _figure(content, b"size"), _figure(content, b"c_min")
        spare = max(size - least, 0)
        return spare if spare <= at_most else 0

    def _in_container(self) -> bool:
        for line in self._files.hint("/proc/self/mountinfo").split("\n"):
            where, _, kind = line.partition(" - ")
            if kind.startswith("fuse") and where.split(" ")[4:5] == ["/proc/meminfo"]:
                return True
        return False


def _figure(content: bytes, name: bytes) -> int:
    """One of some hundred lines such as ``size    4    24696061952``; 0 where there is none."""
    start = content.find(b"\n" + name + b" ")
    words = content[start + 1 : start + 80].split(b"\n", 1)[0].split() if start >= 0 else []
    known = len(words) == 3 and words[2].isdigit() and len(words[2]) <= _DIGITS
    return int(words[2]) if known else 0
