"""File systems: how full each one is, whether it can be written, whether it answers.

Sources: the mount table, statvfs (man 3 statvfs) with the arithmetic of ``df``, and the links of
``/dev/disk/by-uuid``. What may never answer is asked by a child process, one a mount, and is
left alone for as long as its child is stuck (``publisher.sources.children`` says why no thread).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from publisher.contract.metric import Reading, choice, flag, percent, reading, size, text
from publisher.errors import AbsentError, SourceError
from publisher.sources import block, mounts
from publisher.sources.children import Child, find
from publisher.subsystems.base import Subsystem

_PERIOD = 30.0
_SLOW_PERIOD = 60.0
_PATIENCE = 5.0
# However many servers a machine has mounted, this many questions are under way at once.
_CHILDREN = 4


@reading
class FilesystemReading(Reading):
    """One file system."""

    label: str | None = text("Mount point", "Where it is mounted, at the shortest path if often.")
    type: str | None = text("Type", "Kind of file system.", diagnostic=True)
    source: str | None = text(
        "Source", "The device or server that holds it.", triggers=False, diagnostic=True
    )
    state: str | None = choice(
        "State", "Whether it answers when asked for its figures.", options=("ok", "not_answering")
    )
    read_only: bool | None = flag(
        "Read-only", "It cannot be written, by wish or since the kernel met an error."
    )
    used_percent: float | None = percent(
        "Usage",
        "Space in use, of what is in use or may be used by everyone, as df counts.",
        precision=1,
        deadband=1,
        icon="mdi:harddisk",
    )
    total_bytes: int | None = size("Size", "Space there is.", diagnostic=True)
    used_bytes: int | None = size("Used", "Space in use.")
    available_bytes: int | None = size(
        "Available",
        "Space that everyone may use; less than what is free where some is reserved.",
        deadband=1 << 30,
        deadband_percent=5,
    )
    inodes_used_percent: float | None = percent(
        "Inode usage",
        "Inodes in use; absent where they are made as needed.",
        precision=1,
        deadband=1,
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What statvfs tells, in its own terms."""

    blocks: int
    free: int
    available: int
    size: int
    inodes: int
    inodes_free: int

    @classmethod
    def of(cls, told: os.statvfs_result) -> Figures:
        return cls(
            told.f_blocks, told.f_bfree, told.f_bavail, told.f_frsize, told.f_files, told.f_ffree
        )

    @classmethod
    def parse(cls, status: int, answer: bytes, path: str) -> Figures:
        """From the exit status of ``stat --file-system`` and what it printed for ``STAT_FORMAT``.

        Raises:
            SourceError: it failed, or printed something else.
        """
        if status != 0:
            raise SourceError("tells no figures", path=path)
        try:
            return cls(*map(int, answer.split()))
        except (TypeError, ValueError):
            raise SourceError(f"expected six numbers, found {answer[:40]!r}", path=path) from None

    @property
    def plausible(self) -> bool:
        """Whether there is space to speak of and the figures do not contradict themselves."""
        return (
            self.size > 0
            and 0 <= self.free <= self.blocks
            and 0 <= self.available <= self.blocks
            and self.blocks > 0
        )


STAT_FORMAT = "%b %f %a %S %c %d"


@dataclass(slots=True)
class _Slow:
    """A file system that may never answer: what it last said, and the child that asks it."""

    figures: Figures | None = None
    failure: SourceError | None = None
    child: Child | None = None
    asked: float = float("-inf")
    silent: bool = False


@dataclass(slots=True)
class _Table:
    """The mount table as it was when it last changed."""

    content: bytes = b""
    mounts: dict[str, mounts.Mount] = field(default_factory=dict)


class Filesystems:
    """Every file system that holds data, by identity."""

    def __init__(self, subsystem: Subsystem) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._table = _Table()
        self._slow: dict[str, _Slow] = {}
        self._left: list[Child] = []
        self._figures: dict[str, Figures] = {}
        self._next = float("-inf")
        self._readings: dict[str, FilesystemReading] = {}

    def read(self, now: float) -> dict[str, FilesystemReading]:
        """The newest reading of each."""
        changed = self._ask(now)
        if now >= self._next:
            self._next = now + _PERIOD
            self._take(self._subsystem.part("mounts", self._look) or _Table())
            self._left = [child for child in self._left if child.poll() is None]
            self._measure()
            changed = True
        if changed:
            self._readings = {
                identity: self._reading(identity, mount)
                for identity, mount in self._table.mounts.items()
            }
        return self._readings

    def mount_point(self, identity: str) -> str | None:
        """Where a file system is mounted; ``None`` if it is not, or if asking it may hang."""
        mount = self._table.mounts.get(identity)
        return None if mount is None or mount.slow else mount.point

    def close(self) -> None:
        for child in (*self._left, *(slow.child for slow in self._slow.values() if slow.child)):
            child.leave()

    def _look(self) -> _Table:
        content = mounts.table(self._files)
        if content == self._table.content:
            return self._table
        found = mounts.data(mounts.parse(content))
        return _Table(content, self._wanted(self._identified(found)))

    def _take(self, table: _Table) -> None:
        if table is self._table:
            return
        self._table = table
        slow = {
            identity for identity, mount in table.mounts.items() if mount.slow and self._files.live
        }
        for identity in self._slow.keys() - slow:
            if child := self._slow.pop(identity).child:
                child.kill()
                self._left.append(child)
        for identity in slow:
            self._slow.setdefault(identity, _Slow())
        self._tell()

    def _wanted(self, found: dict[str, mounts.Mount]) -> dict[str, mounts.Mount]:
        wanted = self._subsystem.selection.wanted
        return {
            identity: mount
            for identity, mount in found.items()
            if wanted("filesystems", identity, mount.point, mount.source, mount.type)
        }

    def _identified(self, found: list[mounts.Mount]) -> dict[str, mounts.Mount]:
        uuids = block.uuids(self._files)
        disks = block.disks(self._files)
        named: dict[str, mounts.Mount] = {}
        for mount in found:
            named.setdefault(self._identity(mount, uuids, disks), mount)
        return named

    def _identity(
        self, mount: mounts.Mount, uuids: dict[str, str], disks: list[block.BlockDisk]
    ) -> str:
        """By UUID; else by place on a disk that has an identity; else by what was mounted."""
        source = self._files.link(mount.source) if mount.source.startswith("/dev/") else None
        name = block.name_of(self._files, mount.device) or (source or "").rpartition("/")[2]
        if mount.type == "btrfs":  # any of its devices may have been named, one has the link
            for uuid in self._files.names("/sys/fs/btrfs"):
                if self._files.exists(f"/sys/fs/btrfs/{uuid}/devices/{name}") and name:
                    return uuid
        if name in uuids:
            return uuids[name]
        return (name and block.part_of(self._files, name, disks)) or mount.source

    def _measure(self) -> None:
        """Asks those that answer at once."""
        self._figures.clear()
        failure: SourceError | None = None
        for identity, mount in self._table.mounts.items():
            if mount.slow:
                continue
            try:
                self._figures[identity] = Figures.of(self._files.statvfs(mount.point))
            except SourceError as error:
                failure = error
        self._subsystem.health["disk.filesystems"] = failure

    def _ask(self, now: float) -> bool:
        """Looks after the children; whether any file system has new figures or fell silent."""
        if not self._slow:
            return False
        changed = False
        running = sum(slow.child is not None for slow in self._slow.values())
        for identity, slow in self._slow.items():
            if slow.child:
                answer = slow.child.poll()
                if answer is not None:
                    slow.child = None
                    running -= 1
                    changed |= self._settle(slow, answer, self._table.mounts[identity].point)
                elif now - slow.asked >= _PATIENCE and not slow.silent:
                    slow.child.kill()  # lets go of NFS; a FUSE server's debtor stays stuck
                    slow.silent = changed = True
                    slow.figures = None
            elif now - slow.asked >= _SLOW_PERIOD and running < _CHILDREN:
                slow.asked = now
                running += self._start(slow, self._table.mounts[identity].point)
        self._tell()
        return changed

    def _start(self, slow: _Slow, point: str) -> bool:
        try:
            program = find("stat")
            if program is None:
                raise AbsentError("no program `stat` to ask with", path=point)
            slow.child = Child([program, "-f", "-c", STAT_FORMAT, self._files.root + point])
        except SourceError as error:
            slow.failure = error
            return False
        return True

    @staticmethod
    def _settle(slow: _Slow, answer: tuple[int, bytes], point: str) -> bool:
        code, output = answer
        if slow.silent and code < 0:  # killed by us: nothing new
            return False
        slow.silent = False
        slow.figures, slow.failure = None, None
        try:
            slow.figures = Figures.parse(code, output, point)
        except SourceError as error:
            slow.failure = error
        return True

    def _tell(self) -> None:
        silent = sorted(
            self._table.mounts[identity].point
            for identity, slow in self._slow.items()
            if slow.silent
        )
        failure = next((slow.failure for slow in self._slow.values() if slow.failure), None)
        if silent:
            failure = SourceError(
                f"no answer for {_PATIENCE:g} s",
                path=", ".join(silent),
                remedy="see whether its server runs, or unmount it with umount -l",
            )
        self._subsystem.health["disk.remote_filesystems"] = failure

    def _reading(self, identity: str, mount: mounts.Mount) -> FilesystemReading:
        slow = self._slow.get(identity)
        figures = slow.figures if slow else self._figures.get(identity)
        state = "not_answering" if slow and slow.silent else "ok" if figures else None
        if figures is None or not figures.plausible:
            return FilesystemReading(
                label=mount.point,
                type=mount.type,
                source=mount.source,
                state=state,
                read_only=mount.read_only,
            )
        used = (figures.blocks - figures.free) * figures.size
        available = figures.available * figures.size
        return FilesystemReading(
            label=mount.point,
            type=mount.type,
            source=mount.source,
            state=state,
            read_only=mount.read_only,
            used_percent=_percent(used, available),
            total_bytes=figures.blocks * figures.size,
            used_bytes=used,
            available_bytes=available,
            inodes_used_percent=_percent(figures.inodes - figures.inodes_free, figures.inodes_free),
        )


def _percent(used: int, free: int) -> float | None:
    if used < 0 or free < 0 or used + free == 0:
        return None
    return 100 * used / (used + free)
