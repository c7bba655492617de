"""Reading kernel files under a root that tests can move, through descriptors that stay open.

A file of ``/proc`` or ``/sys`` renders its content anew for each ``pread`` at offset 0, so an
open descriptor saves the path walk of every later read (seq_file; man 5 proc). Descriptors of
``/proc`` keep a page of buffer each, hence the bound.

A file that is made of records gives at most a page of them in one read, and less where the next
record would not fit (kernel documentation, filesystems/seq_file): a short read is not its end.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from publisher.errors import AbsentError, DeniedError, SourceError

if sys.platform != "win32":
    import resource

UNTOLD = b"-"
"""Stands in a row of numbers for one that a system other than Linux does not tell."""

_TOO_LARGE = 1 << 64  # the kernel counts in 64 bits
_CHUNK = 1 << 16
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
# What the kernel writes as one record, however long that is.
_ONE_RECORD = re.compile(
    r"/proc/(?:stat|meminfo|loadavg|uptime|cmdline|version|pressure/\w+|sys/.*"
    r"|spl/kstat/zfs/[^/]+/state|(?:\w+/)?net/(?:netstat|snmp|sockstat6?)"
    r"|\w+/(?:cgroup|comm|environ|io|stat|statm|status|smaps_rollup|fdinfo/\d+))"
)
# Bytes that no record of these is longer than. A mount's, a processor's or an array's may be.
_LONGEST_RECORD = {"dev": 512, "diskstats": 512, "vmstat": 64, "wireless": 512}
_PATIENCE = 16  # times as many refused as may stay open: more than are read in any sample
_REST = 48  # descriptors that the broker, the log, the state folder and single reads take
_FULL = {errno.EMFILE, errno.ENFILE}
# What a vanished device or process answers through a descriptor that is still open.
_GONE = {errno.ENODEV, errno.ESRCH, errno.ENXIO, errno.ESTALE, errno.EBADF}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, *_GONE}
_DENIED = {errno.EACCES, errno.EPERM}


class _Open:
    """A descriptor that is closed when nobody holds it any more, a reading thread included."""

    __slots__ = ("enough", "number")

    def __init__(self, number: int, enough: int) -> None:
        self.number = number
        self.enough = enough

    def __del__(self) -> None:
        os.close(self.number)


class KernelFiles:
    """Files below ``root``, named by the absolute path that they have on a running machine.

    Args:
        root: where ``/proc`` and ``/sys`` are found; a fixture tree in tests, ``/host`` in a
            container that has the host's file systems mounted there.
        held: how many descriptors may stay open.

    Class attributes:
        live: a running machine stands behind these files, so that programs may be asked, too.
        foreign: the name of a system whose kernel has no such files and of which psutil tells
            instead; empty where the kernel itself speaks.
        untold: health names, such as ``cpu.tasks``, that such a system cannot tell, and why.
    """

    live: ClassVar[bool] = True
    foreign: str = ""
    untold: Mapping[str, str] = MappingProxyType({})

    def __init__(self, root: str | Path = "/", *, held: int = 256) -> None:
        self.root = str(root).rstrip("/")
        self._held = held_at_most(held)
        self._descriptors: dict[str, _Open] = {}
        self._used: set[str] = set()
        self._refused = 0
        self._newest = threading.local()

    def read(self, path: str, *, keep: bool = True) -> bytes:
        """The whole content.

        Args:
            path: on the running machine.
            keep: whether the descriptor stays open for the next time; not worth it for what is
                read once or every few minutes.

        Raises:
            AbsentError: no such file, or its device has gone.
            DeniedError: this user may not read it.
            SourceError: the driver failed to answer.
        """
        self._newest.path = path
        descriptor = self._descriptors.get(path)
        if descriptor is not None:
            self._used.add(path)
            try:
                return whole(descriptor.number, descriptor.enough)
            except OSError as error:
                self._descriptors.pop(path, None)
                self._used.discard(path)
                if error.errno not in _GONE:
                    raise translated(error, path) from error
        try:
            descriptor = _Open(os.open(self.root + path, os.O_RDONLY), whole_below(path))
            content = whole(descriptor.number, descriptor.enough)
        except OSError as error:
            if self._made_room(error):
                return self.read(path, keep=keep)
            raise translated(error, path) from error
        except ValueError:
            raise AbsentError("no file can have this name", path=path) from None
        if keep:
            self._keep(path, descriptor)
        return content

    @property
    def newest(self) -> str:
        """The file that this thread read last; empty when it has read none."""
        return getattr(self._newest, "path", "")

    def _keep(self, path: str, descriptor: _Open) -> None:
        """Holds a descriptor if there is room, of which those make some that nobody reads.

        A cgroup, process or device that is gone is never asked for again, so that its
        descriptor would stay. Having refused many for want of room we let go of all that were
        not read meanwhile; whoever reads more files in turn than may stay open loses none.
        """
        if len(self._descriptors) >= self._held:
            self._refused += 1
            if self._refused < _PATIENCE * self._held:
                return
            self._refused = 0
            for known in list(self._descriptors):
                if known not in self._used:
                    self._descriptors.pop(known, None)
            self._used.clear()
            if len(self._descriptors) >= self._held:
                return
        # Subsystems that may hang read in threads of their own: the first to open a file wins.
        self._descriptors.setdefault(path, descriptor)

    def _made_room(self, error: OSError) -> bool:
        """Whether that failed for want of descriptors, and ours were let go: half as many may stay.

        What is held open makes reading cheaper; what cannot be opened is not known at all.
        """
        if error.errno not in _FULL or not self._descriptors:
            return False
        self._held = len(self._descriptors) // 2
        self.close()
        return True

    def text(self, path: str, *, keep: bool = True) -> str:
        """The content as text without surrounding white space; undecodable bytes are replaced."""
        return self.read(path, keep=keep).decode("utf-8", "replace").strip()

    def hint(self, path: str) -> str:
        """The text of a file read once; empty where there is none, or none for us."""
        try:
            return self.text(path, keep=False)
        except SourceError:
            return ""

    def integer(self, path: str, *, keep: bool = True) -> int:
        """The one whole number that the file holds.

        Raises:
            SourceError: as ``read``; also when the content is no whole number.
        """
        content = self.read(path, keep=keep)
        try:
            number = int(content)
        except ValueError:
            number = _TOO_LARGE
        if not -_TOO_LARGE < number < _TOO_LARGE:
            raise SourceError(f"expected a whole number, found {content[:40]!r}", path=path)
        return number

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted; empty when there is no such directory.

        Raises:
            DeniedError: this user may not list it.
        """
        try:
            return sorted(os.listdir(self.root + path))
        except OSError as error:
            if error.errno in _ABSENT:
                return []
            if self._made_room(error):
                return self.names(path)
            raise translated(error, path) from error

    def exists(self, path: str) -> bool:
        return os.path.exists(self.root + path)

    def link(self, path: str) -> str | None:
        """The absolute path, below the root, that a link resolves to; ``None`` if dangling."""
        full = os.path.realpath(self.root + path)
        if not os.path.exists(full):
            return None
        base = os.path.realpath(self.root or "/").rstrip("/")
        return full[len(base) :] if full.startswith(base + "/") else None

    def statvfs(self, path: str) -> os.statvfs_result:
        """What the file system that holds ``path`` tells of its space.

        Raises:
            SourceError: as ``read``.
        """
        try:
            return os.statvfs(self.root + path)
        except OSError as error:
            raise translated(error, path) from error

    def close(self) -> None:
        """Closes every held descriptor."""
        self._descriptors.clear()
        self._used.clear()


def held_at_most(wanted: int) -> int:
    """How many descriptors may stay open of so many: two hold some, and the rest needs its own."""
    if sys.platform == "win32":
        return wanted
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, (limit - _REST) // 2), 0)


def whole_below(path: str) -> int:
    """Bytes; a first read of this file that gives fewer has given all of it."""
    # An attribute of /sys is a page at most, and a file on a disk ends where a read falls short.
    if not path.startswith("/proc/") or _ONE_RECORD.fullmatch(path):
        return _CHUNK
    longest = _LONGEST_RECORD.get(path.rpartition("/")[2])
    return 1 if longest is None else _PAGE - longest


def whole(descriptor: int, enough: int) -> bytes:
    """The content of an open file from its beginning; ``enough`` is what ``whole_below`` says."""
    content = os.pread(descriptor, _CHUNK, 0)
    if len(content) < enough:
        return content
    parts, offset = [content], len(content)
    while content := os.pread(descriptor, _CHUNK, offset):
        parts.append(content)
        offset += len(content)
    return b"".join(parts)


def translated(error: OSError, path: str) -> SourceError:
    """What an operating system's error says about a source."""
    if error.errno in _ABSENT:
        return AbsentError("not on this machine", path=path)
    if error.errno in _DENIED:
        return DeniedError("this user may not read it", path=path)
    return SourceError(f"reading failed: {error.strerror}", path=path)
