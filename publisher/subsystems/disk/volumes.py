"""Volumes that LVM and others make with the device mapper: mirrored, thin, cached, snapshots.

Source: ``dmsetup status`` (man 8 dmsetup; kernel documentation, admin-guide/device-mapper: dm-raid,
thin-provisioning, cache, snapshot, vdo; the mirror's line is drivers/md/dm-raid1.c's). It is asked
without a flush, since a thin pool would write its metadata down first, and only where the names of
the volumes tell of more than plain ones. No disk is touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.children import Child, find
from publisher.subsystems.base import Subsystem
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.md import enough

_PERIOD = 60.0
_PATIENCE = 30.0
_DENIED_PERIOD = 1800.0
# Parts that LVM makes of such volumes, and what Docker called its pools (man 7 lvmthin, lvmraid,
# lvmcache, lvmvdo).
_PART = re.compile(
    r"_(?:tdata|tmeta|[rm]image_\d+|rmeta_\d+|mlog|[cw]orig|cdata|cmeta|cvol|vdata)(?:-real)?$"
    r"|-(?:tpool|vpool|cow|real)$|^docker-.+-pool$|^stratis-.+-flex-thinmeta$"
)
# Pools that are made larger whenever they are nearly full: how full they are says nothing
# (https://github.com/stratis-storage/stratisd/issues/1374).
_GROWING = "stratis-"
# Layers beneath the volume that has the name.
_LAYER = re.compile(r"-(?:tpool|vpool|real)$")
_LINE = re.compile(r"(.{1,512}?): \d{1,20} \d{1,20} ([a-z-]{1,32})(?: (.{0,4096}))?")
_MOST = 256
_GROUP_AND_VOLUME = 2
_ALL = 100.0
_LEGS = frozenset(map(str, range(1, 9)))  # what a mirror may have (drivers/md/dm-raid1.c)
_ACTIVITIES: Final = {
    "resync": "resync",
    "recover": "recovery",
    "check": "check",
    "repair": "repair",
    "reshape": "reshape",
    "idle": "idle",
    "frozen": "idle",
}


class Volumes:
    """Every volume of which more can be said than how fast it is."""

    def __init__(self, subsystem: Subsystem) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._child: Child | None = None
        self._due = float("-inf")
        self._asked = float("-inf")
        self._devices: list[str] = []
        self._looked = float("-inf")
        self._names: frozenset[str] = frozenset()
        self._told: Mapping[str, ArrayReading] = {}

    def read(self, now: float) -> Mapping[str, ArrayReading]:
        """What ``dmsetup`` last said of each, by identity.

        Args:
            now: monotonic seconds.
        """
        devices = [name for name in self._files.names("/sys/block") if name.startswith("dm-")]
        # A hundred guests have as many volumes, whose names hardly change without them.
        if devices != self._devices or now - self._looked >= _PERIOD:
            self._devices, self._looked = devices, now
            names = frozenset(filter(_PART.search, map(self._name, devices)))
            if names != self._names:
                self._names, self._due = names, now
        if not self._names:
            self._told = {}
            self._subsystem.health.pop(f"{self._subsystem.name}.volumes", None)
        if self._child:
            self._attend(self._child, now)
        elif self._names and self._files.live and now >= self._due:
            self._asked, self._due = now, now + _PERIOD
            self._subsystem.part("volumes", self._ask)
        return self._told

    def close(self) -> None:
        if self._child:
            self._child.leave()

    def _name(self, device: str) -> str:
        return self._files.hint(f"/sys/block/{device}/dm/name")

    def _ask(self) -> None:
        program = find("dmsetup")
        if program is None:
            raise AbsentError("no `dmsetup` to ask for LVM's volumes", remedy="install dmsetup")
        self._child = Child([program, "status", "--noflush"], complaints=True)

    def _attend(self, child: Child, now: float) -> None:
        answer = child.poll()
        if answer is not None:
            self._child = None
            self._subsystem.part("volumes", lambda: self._take(answer, now))
        elif now - self._asked > _PATIENCE:
            child.kill()

    def _take(self, answer: tuple[int, bytes], now: float) -> None:
        if answer[0] == 0:
            self._told = volumes(answer[1])
            return
        self._told = {}
        self._due = now + _DENIED_PERIOD
        if b"ermission denied" in answer[1]:
            raise DeniedError("only root may see how full and how whole LVM's volumes are")
        raise SourceError(f"ended with status {answer[0]}", path="dmsetup status")


def volumes(answer: bytes) -> dict[str, ArrayReading]:
    """What ``dmsetup status`` says of volumes that may fail or fill up, by identity.

    A line is ``name: start length target words``; plain, encrypted and unknown ones are left out.
    """
    found: dict[str, ArrayReading] = {}
    for line in answer.decode("utf-8", "replace").splitlines():
        row = _LINE.fullmatch(line.strip())
        if row is None or (read := _TARGETS.get(row[2])) is None or len(found) >= _MOST:
            continue
        name = _LAYER.sub("", row[1])
        reading = read(name, (row[3] or "").split())
        if reading is not None:
            found[f"lvm-{name}"] = reading
    return found


def label_of(name: str) -> str:
    """``pve-vm--100--disk--0`` → ``pve/vm-100-disk-0``: LVM doubles what is part of a name.

    What is not LVM's keeps its name.
    """
    parts = re.split(r"(?<!-)-(?!-)", name)
    if len(parts) != _GROUP_AND_VOLUME or not all(parts):
        return name
    return "/".join(part.replace("--", "-") for part in parts)


def _reading(name: str, level: str, state: str, **more: float | str | bool | None) -> ArrayReading:
    return ArrayReading(
        label=label_of(name),
        kind="lvm",
        level=level,
        state=state,
        **more,  # type: ignore[arg-type]  # as the fields are
    )


def _raid(name: str, words: list[str]) -> ArrayReading | None:
    """``raid1 2 AA 4194304/4194304 idle 0``: type, devices, health of each, done, activity."""
    match words:
        case [kind, _, health, done, action, *_]:
            activity = _ACTIVITIES.get(action)
        case [kind, _, health, done]:  # before version 1.5 of the target
            activity = None
        case _:
            return None
    there = [letter in "Aa" for letter in health]
    part = _share(done)
    if activity is None and part is not None and part < _ALL:
        activity = "resync"
    at_work = activity not in (None, "idle")
    return _reading(
        name,
        kind.partition("_")[0],
        _state(kind, there),
        devices_total=len(health),
        # One that is only being filled does not do its part yet, as in an array of md.
        devices_working=health.count("A") if activity == "recovery" else sum(there),
        activity=activity,
        progress_percent=part if at_work else None,
    )


def _mirror(name: str, words: list[str]) -> ArrayReading | None:
    """``2 254:14 254:15 2048/2048 1 AA 3 disk 252:13 A``: legs, regions in step, health."""
    legs = words[1 : 1 + int(words[0])] if words and words[0] in _LEGS else []
    match words[1 + len(legs) :]:
        case [done, "1", health, *_] if legs and len(health) == len(legs):
            there = [letter == "A" for letter in health]
        case _:
            return None
    part = _share(done)
    syncing = all(there) and part is not None and part < _ALL
    return _reading(
        name,
        "raid1",
        _state("raid1", there),
        devices_total=len(there),
        devices_working=sum(there),
        activity="resync" if syncing else "idle",
        progress_percent=part if syncing else None,
    )


def _thin_pool(name: str, words: list[str]) -> ArrayReading | None:
    """``1 1190/4096 48000/50000 - rw discard_passdown queue_if_no_space - 1024``."""
    match words:
        case ["Fail" | "Error", *_]:
            return _reading(name, "thin-pool", "failed")
        case [_, metadata, data, _, mode, *more]:
            return _reading(
                name,
                "thin-pool",
                "failing" if "needs_check" in more else "ok",
                read_only=mode == "ro",
                used_percent=None if name.startswith(_GROWING) else _share(data),
                metadata_used_percent=None if name.startswith(_GROWING) else _share(metadata),
            )
    return None


def _snapshot(name: str, words: list[str]) -> ArrayReading | None:
    """``12288/409600 56``: sectors in use of those there are; ``Invalid`` when it overflowed."""
    match words:
        case ["Invalid" | "Overflow", *_] | ["Merge", "failed", *_]:
            return _reading(name, "snapshot", "failed")
        case [share, *_] if (used := _share(share)) is not None:
            return _reading(name, "snapshot", "ok", used_percent=used)
    return None


def _cache(name: str, words: list[str]) -> ArrayReading | None:
    """``8 27/1024 128 5/80 … rw -``: of metadata in use, …, mode, what it needs.

    That the cache itself is full is what it is for.
    """
    match words:
        case ["Fail" | "Error", *_]:
            return _reading(name, "cache", "failed")
        case [_, metadata, _, _, *more]:
            return _reading(
                name,
                "cache",
                "failing" if "needs_check" in more[-1:] else "ok",
                read_only="ro" in more[-2:],
                metadata_used_percent=_share(metadata),
            )
    return None


def _vdo(name: str, words: list[str]) -> ArrayReading | None:
    """``/dev/dm-3 normal - online online 12000 262144``: mode, …, blocks in use, blocks."""
    match words:
        case [_, mode, _, _, _, used, there, *_]:
            return _reading(
                name,
                "vdo",
                "ok",
                read_only=mode == "read-only",
                activity="recovery" if mode == "recovering" else "idle",
                used_percent=_share(f"{used}/{there}"),
            )
    return None


_TARGETS: Final[Mapping[str, Callable[[str, list[str]], ArrayReading | None]]] = {
    "raid": _raid,
    "mirror": _mirror,
    "thin-pool": _thin_pool,
    "snapshot": _snapshot,
    "cache": _cache,
    "vdo": _vdo,
}


def _state(kind: str, there: list[bool]) -> str:
    level = kind.partition("_")[0]
    if all(there):
        return "ok"
    return "degraded" if enough(there, level.encode()) else "failed"


def _share(words: str) -> float | None:
    """``1190/4096`` in percent; ``None`` where that is no part of a whole."""
    row = re.fullmatch(r"(\d{1,20})/(\d{1,20})", words)
    if row is None or int(row[2]) == 0 or int(row[1]) > int(row[2]):
        return None
    return 100 * int(row[1]) / int(row[2])
