"""File systems: how full each one is, whether it can be written, whether it answers.

Sources: the mount table, statvfs (man 3 statvfs) with the arithmetic of ``df``, the links of
``/dev/disk/by-uuid``, and ``last_error_time`` of ext4 (kernel documentation, ABI/testing/
sysfs-fs-ext4). What may never answer is asked by a child process, one a mount or pool, and is left
alone for as long as its child is stuck (``publisher.sources.children`` says why no thread).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from publisher.contract.metric import Reading, choice, flag, percent, reading, size, text
from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import block, mounts
from publisher.sources.children import Child, find
from publisher.sources.files import KernelFiles
from publisher.subsystems.base import Subsystem
from publisher.subsystems.disk.datasets import with_those_below
from publisher.subsystems.disk.figures import Figures

_STAT_FORMAT = "%b %f %a %S %c %d %n"
_PERIOD = 30.0
_SOON = 10.0  # until a further look shows whether what was mounted just now stays
_SLOW_PERIOD = 60.0
_PATIENCE = 5.0
_SILENT_PERIOD = 15.0
_ON_DEMAND_PERIOD = 1800.0  # longer than most are kept when nobody comes
_VAGUE = frozenset({"/dev/fuse", "fuse", "none"})  # sources that tell nobody from others
# However many servers a machine has mounted, this many questions are under way at once, those
# that are stuck not counted, of which there may be so many.
_CHILDREN = 4
_MOST_STUCK = 32


@reading
class FilesystemReading(Reading):
    """One file system."""

    label: str | None = text("Mount point", "Where it is mounted, at the shortest path if often.")
    type: str | None = text("Type", "Kind of file system.", diagnostic=True)
    source: str | None = text(
        "Source", "The device or server that holds it.", triggers=False, diagnostic=True
    )
    state: str | None = choice(
        "State",
        "Whether it answers when asked for its figures. Failed: it answers with an error, or the "
        "kernel has met one in it.",
        options=("ok", "not_answering", "failed"),
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


@dataclass(slots=True)
class _Slow:
    """What may never answer: file systems of one server or pool, which a child asks together.

    Attributes:
        period: seconds between two questions.
        points: where each is mounted, by identity.
        figures: what each said last.
        failures: why it did not.
        asked: when that was, in monotonic seconds.
        asked_of: which they were.
        silent: the child has waited for too long.
    """

    period: float = _SLOW_PERIOD
    points: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Figures] = field(default_factory=dict)
    failures: dict[str, SourceError] = field(default_factory=dict)
    child: Child | None = None
    asked: float = float("-inf")
    asked_of: frozenset[str] = frozenset()
    silent: bool = False

    def hear(self, code: int, output: bytes, root: str) -> None:
        """Takes what ``stat`` printed: a line for each that answered, and for each error."""
        self.silent = False
        self.figures, self.failures = {}, {}
        lines = output.split(b"\n")
        named = {row[6]: row[:6] for line in lines if len(row := line.split(b" ", 6)) == 7}
        for identity, point in self.points.items():
            if identity not in self.asked_of:
                continue
            path = os.fsencode(root + point)
            try:
                if path in named:
                    found = Figures.parse(0, b" ".join(named[path]), point)
                elif len(self.asked_of) == 1:  # its name may have lines of its own
                    told = output if code else b" ".join(output.split(b" ", 6)[:6])
                    found = Figures.parse(code, told, point)
                else:
                    about = next((line for line in lines if path in line), b"")
                    found = Figures.parse(1, about, point)
            except SourceError as error:
                self.failures[identity] = error
            else:
                self.figures[identity] = found


@dataclass(slots=True)
class _Table:
    """The mount table as it was when it last changed.

    Attributes:
        content: of the kernel's file.
        mounts: by identity.
        new: identities of what was not there before: it may come and go with a program, and
            becomes one of the mounts when it is still there at the next look.
        hidden: mount points that cannot be asked from inside this container.
    """

    content: bytes = b""
    mounts: dict[str, mounts.Mount] = field(default_factory=dict)
    new: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


class Filesystems:
    """Every file system that holds data, by identity."""

    def __init__(self, subsystem: Subsystem) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._table = _Table()
        self._slow: dict[str, _Slow] = {}
        self._left: list[Child] = []
        self._unasked: SourceError | None = None
        self._figures: dict[str, Figures] = {}
        self._failed: set[str] = set()
        self._devices: dict[str, str] = {}
        self._next = float("-inf")
        self._readings: dict[str, FilesystemReading] = {}

    def read(self, now: float) -> dict[str, FilesystemReading]:
        """The newest reading of each."""
        changed = self._ask(now)
        if now >= self._next:
            self._take(self._subsystem.part("mounts", self._look) or _Table())
            self._next = now + (_SOON if self._table.new else _PERIOD)
            self._left = [child for child in self._left if child.poll() is None]
            self._measure()
            changed = True
        if changed:
            used = self._used_by_datasets()
            self._readings = {
                identity: self._reading(
                    identity, mount, used.get(mount.source) if mount.type == "zfs" else None
                )
                for identity, mount in self._table.mounts.items()
            }
        return self._readings

    def mount_point(self, identity: str) -> str | None:
        """Where a file system is mounted; ``None`` if it is not, or cannot be asked at once."""
        mount = self._table.mounts.get(identity)
        if mount is None or mount.slow or mount.point in self._table.hidden:
            return None
        return mount.point

    def close(self) -> None:
        for child in (*self._left, *(slow.child for slow in self._slow.values() if slow.child)):
            child.leave()

    def _look(self) -> _Table:
        before = self._table
        content = mounts.table(self._files)
        hidden = before.hidden
        if self._files.root:  # what is seen from inside a container changes by itself
            hidden = frozenset(mounts.hidden(self._files, before.mounts.values()))
        if content == before.content and not before.new and hidden == before.hidden:
            return before
        found = mounts.data(mounts.parse(content))
        named = self._wanted(self._identified(mounts.failures(self._files, found)))
        new: frozenset[str] = frozenset()
        if before.content:
            new = frozenset(named.keys() - before.mounts.keys() - before.new)
        kept = {identity: mount for identity, mount in named.items() if identity not in new}
        return _Table(content, kept, new, frozenset(mounts.hidden(self._files, kept.values())))

    def _take(self, table: _Table) -> None:
        if table is self._table:
            return
        self._table = table
        self._devices.clear()
        points: dict[str, dict[str, str]] = {}
        for identity, mount in table.mounts.items():
            if mount.slow and self._files.live and mount.point not in table.hidden:
                points.setdefault(_server(identity, mount), {})[identity] = mount.point
        for server in self._slow.keys() - points.keys():
            if child := self._slow.pop(server).child:
                child.kill()
                self._left.append(child)
        for server, members in points.items():
            slow = self._slow.setdefault(server, _Slow())
            if members.keys() - slow.points.keys():
                slow.asked = float("-inf")  # the new ones want to be asked
            slow.points = members
            on_demand = any(table.mounts[identity].on_demand for identity in members)
            slow.period = _ON_DEMAND_PERIOD if on_demand else _SLOW_PERIOD
        self._tell()

    def _wanted(self, found: dict[str, mounts.Mount]) -> dict[str, mounts.Mount]:
        wanted = self._subsystem.selection.wanted
        return {
            identity: mount
            for identity, mount in found.items()
            if wanted("filesystems", identity, mount.point, mount.source, mount.type)
        }

    def _identified(self, found: list[mounts.Mount]) -> dict[str, mounts.Mount]:
        """By identity; those that are known already keep theirs."""
        known = {_place(mount): identity for identity, mount in self._table.mounts.items()}
        names = {mount.point: known.get(_place(mount)) for mount in found}
        if None in names.values():
            uuids = block.uuids(self._files)
            disks = block.disks(self._files)
            taken = set(names.values())
            # Users choose what a FUSE file system says that it was made of.
            for mount in sorted(found, key=lambda mount: mount.slow):
                if names[mount.point] is None:
                    meant = self._identity(mount, uuids, disks)
                    # A snapshot has the UUID of what it was taken of; many say no more than that
                    # they are FUSE.
                    possible = (meant, mount.source, mount.point)
                    names[mount.point] = next((one for one in possible if one not in taken), None)
                    taken.add(names[mount.point])
        return {identity: mount for mount in found if (identity := names[mount.point])}

    def _identity(
        self, mount: mounts.Mount, uuids: dict[str, str], disks: list[block.BlockDisk]
    ) -> str:
        """By UUID; else by place on a disk that has an identity; else by what was mounted."""
        source = self._files.link(mount.source) if mounts.is_device(mount) else None
        name = block.name_of(self._files, mount.device) or (source or "").rpartition("/")[2]
        if mount.type == "btrfs":  # any of its devices may have been named, one has the link
            for uuid in self._files.names("/sys/fs/btrfs"):
                if self._files.exists(f"/sys/fs/btrfs/{uuid}/devices/{name}") and name:
                    return uuid
        if name in uuids:
            return uuids[name]
        if name and (place := block.part_of(self._files, name, disks)):
            return place
        return mount.point if mount.source in _VAGUE else mount.source

    def _measure(self) -> None:
        """Asks those that answer at once."""
        self._figures.clear()
        self._failed.clear()
        failure: SourceError | None = _not_seen(self._table.hidden)
        for identity, mount in self._table.mounts.items():
            if mount.slow or mount.point in self._table.hidden:
                continue
            try:
                self._figures[identity] = self._measured(mount)
                if self._met_an_error(mount):
                    self._failed.add(identity)
            except SourceError as error:
                failure = error
                if _is_failing(error):
                    self._failed.add(identity)
        self._subsystem.health["disk.filesystems"] = failure

    def _measured(self, mount: mounts.Mount) -> Figures:
        figures = Figures.of(self._files.statvfs(mount.point))
        # XFS that was shut down after an error tells its figures, and nothing else.
        if mount.type == "xfs" and self._files.live and not self._files.exists(mount.point):
            raise SourceError("its folder cannot be read", path=mount.point)
        return figures

    def _met_an_error(self, mount: mounts.Mount) -> bool:
        """Whether ext4 has recorded an error since the machine was started.

        From Linux 6.12 to 6.14 it tells in no other way that it stopped; and it may have been
        told to go on in spite of errors.
        """
        if mount.type != "ext4":
            return False
        if mount.device not in self._devices:
            self._devices[mount.device] = block.name_of(self._files, mount.device) or ""
        try:
            at = self._files.integer(f"/sys/fs/ext4/{self._devices[mount.device]}/last_error_time")
        except SourceError:
            return False
        return at > 0 and at > _booted(self._files)

    def _ask(self, now: float) -> bool:
        """Looks after the children; whether any file system has new figures or fell silent."""
        if not self._slow:
            return False
        changed = False
        asking = [slow for slow in self._slow.values() if slow.child]
        running = sum(not slow.silent for slow in asking)
        stuck = len(asking) - running
        for slow in self._slow.values():
            if slow.child:
                answer = slow.child.poll()
                if answer is not None:
                    slow.child = None
                    changed |= self._settle(slow, answer)
                elif now - slow.asked >= _PATIENCE and not slow.silent:
                    slow.child.kill()  # lets go of NFS; a FUSE server's debtor stays stuck
                    slow.silent = changed = True
                    slow.figures = {}
            elif running < _CHILDREN and stuck < _MOST_STUCK and _is_due(slow, now):
                slow.asked = now
                running += self._start(slow)
        self._tell()
        return changed

    def _start(self, slow: _Slow) -> bool:
        points = [self._files.root + point for point in slow.points.values()]
        try:
            program = find("stat")
            if program is None:
                raise AbsentError("no program `stat` to ask with", path=points[0])
            slow.child = Child([program, "-f", "-c", _STAT_FORMAT, *points], complaints=True)
        except SourceError as error:
            self._unasked = error
            return False
        self._unasked = None
        slow.asked_of = frozenset(slow.points)
        return True

    def _settle(self, slow: _Slow, answer: tuple[int, bytes]) -> bool:
        code, output = answer
        if slow.silent and code < 0:  # killed by us: nothing new
            return False
        slow.hear(code, output, self._files.root)
        return True

    def _tell(self) -> None:
        silent = sorted(
            point for slow in self._slow.values() if slow.silent for point in slow.points.values()
        )
        failures = (error for slow in self._slow.values() for error in slow.failures.values())
        failure = next(failures, self._unasked if self._slow else None)
        if silent:
            failure = SourceError(
                f"no answer for {_PATIENCE:g} s",
                path=", ".join(silent),
                remedy="see whether its server runs, or unmount it with umount -l",
            )
        self._subsystem.health["disk.remote_filesystems"] = failure

    def _used_by_datasets(self) -> dict[str, int]:
        told = (
            (mount.source, slow.figures[identity])
            for identity, mount in self._table.mounts.items()
            if mount.type == "zfs" and (slow := self._slow.get(_server(identity, mount)))
            if identity in slow.figures
        )
        return with_those_below({name: figures.used for name, figures in told})

    def _reading(
        self, identity: str, mount: mounts.Mount, used_by_dataset: int | None
    ) -> FilesystemReading:
        slow = self._slow.get(_server(identity, mount))
        figures = slow.figures.get(identity) if slow else self._figures.get(identity)
        refused = slow.failures.get(identity) if slow else None
        state = "ok" if figures else None
        if slow and slow.silent:
            state = "not_answering"
        elif mount.failed or identity in self._failed or (refused and _is_failing(refused)):
            state = "failed"
        if figures is None or not figures.plausible:
            return FilesystemReading(
                label=mount.point,
                type=mount.type,
                source=mount.source,
                state=state,
                read_only=mount.read_only,
            )
        dataset = used_by_dataset is not None
        used = figures.used if used_by_dataset is None else used_by_dataset
        available = figures.available * figures.size
        inodes_used = figures.inodes - figures.inodes_free
        return FilesystemReading(
            label=mount.point,
            type=mount.type,
            source=mount.source,
            state=state,
            read_only=mount.read_only,
            used_percent=_percent(used, available),
            total_bytes=used + available if dataset else figures.blocks * figures.size,
            used_bytes=used,
            available_bytes=available,
            # ZFS makes inodes for as long as it has room, and tells of as many as would fit.
            inodes_used_percent=None if dataset else _percent(inodes_used, figures.inodes_free),
        )


def _booted(files: KernelFiles) -> int:
    """When the machine was started, in seconds since the epoch; far ahead where it tells not."""
    try:
        _, _, rest = files.read("/proc/stat").partition(b"\nbtime ")
        return int(rest.partition(b"\n")[0])
    except (SourceError, ValueError):
        return 1 << 62


def _server(identity: str, mount: mounts.Mount) -> str:
    """Whoever answers for a file system: datasets of one pool are asked together."""
    return f"pool {mount.source.partition('/')[0]}" if mount.type == "zfs" else identity


def _place(mount: mounts.Mount) -> tuple[str, str, str]:
    return mount.device, mount.point, mount.source


def _is_due(slow: _Slow, now: float) -> bool:
    """One that did not answer is asked again soon: that may have been a moment's trouble."""
    return now - slow.asked >= (_SILENT_PERIOD if slow.silent else slow.period)


def _is_failing(error: SourceError) -> bool:
    """Whether the file system is in trouble, not just out of reach for us."""
    return not isinstance(error, AbsentError | DeniedError)


def _not_seen(hidden: frozenset[str]) -> SourceError | None:
    if not hidden:
        return None
    return AbsentError(
        "not seen from inside this container",
        path=", ".join(sorted(hidden)[:3]),
        remedy="bind the host's root folder, with all that is mounted below it, as "
        "docker-compose.yml does",
    )


def _percent(used: int, free: int) -> float | None:
    if used < 0 or free < 0 or used + free == 0:
        return None
    return 100 * used / (used + free)
