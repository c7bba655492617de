"""md arrays and Unraid's: what ``/proc/mdstat`` says of them.

Its text comes from ``md_seq_show`` and ``status_resync`` in the kernel's ``drivers/md/md.c``.
Unraid has a driver of its own, whose file of the same name is a list of ``key=value``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from publisher.errors import SourceError
from publisher.subsystems.disk.array_reading import ArrayReading

_ARRAY = re.compile(
    rb"(md\S*) : (active|inactive|broken)((?: \([\w-]+\))*)(?: (?!\S+\[\d+\])(\S+))?"
)
# Total and working, then a letter a slot: U works, _ is missing; E is a disk that Synology's kernel
# keeps in its place although it met errors, since nothing else holds what it holds (DiskError in
# the sources that Synology publishes). Its arrays without redundancy have slots as well.
_SLOTS = re.compile(rb"\[(\d+)/(\d+)\] \[([A-Z_]+)\]")
_DISK = re.compile(rb" (\S+)\[\d+\]((?:\([A-Z]\))*)")
_COPIES = re.compile(rb"\b([1-9]\d{0,2}) (near|far|offset)-copies")
_PROGRESS = re.compile(rb"(resync|recovery|check|repair|reshape)\s*=\s*([\d.]+)%")
_REST = re.compile(rb"finish=([\d.]+)min speed=(\d+)K/sec")
_WAITING = re.compile(
    rb"(?:resync|recover(?:y)?|check|repair|reshape)\s*=\s*(?:DELAYED|PENDING|REMOTE)"
)
# What firmware RAID keeps its description in: never active, and no array.
_CONTAINER = re.compile(rb"super external:(?!/)")
# Disks that a level may lack; RAID 10 depends on which.
_SPARE_DISKS = {b"raid4": 1, b"raid5": 1, b"raidF1": 1, b"raid6": 2}
# A NAS's own system is a mirror that has a slot for each bay, whether there is a disk in it or not:
# Synology's md0 and md1, and whatever has as many slots as nobody else has, such as QNAP's md9.
_SYSTEM_NAMES = (b"md0", b"md1")
_SYSTEM_SLOTS = 8
_LARGEST = 1e15  # of any number about an array
_DIGITS = 20  # of what is counted in 64 bits

_PARITY_SLOTS = ("0", "29")
_BAD_DISKS = ("DISK_NP_MISSING", "DISK_DSBL", "DISK_DSBL_NEW", "DISK_INVALID", "DISK_WRONG")


def mdstat(content: bytes, *, synology: bool = False) -> Iterator[tuple[str, ArrayReading]]:
    """(kernel's name, reading) of each array in ``/proc/mdstat``.

    Args:
        content: of that file.
        synology: the machine is one of Synology's.

    Raises:
        SourceError: it is no mdstat.
    """
    if b"mdState=" in content:
        yield "unraid", _unraid(content)
        return
    if not content.startswith(b"Personalities"):
        raise SourceError(f"expected `Personalities`, found {content[:40]!r}", path="/proc/mdstat")
    for entry in re.split(rb"\n(?=md)", content)[1:]:
        head = _ARRAY.match(entry)
        if head and not _CONTAINER.search(entry):
            yield _name(head[1]), _array(head, entry, synology=synology)


def _array(head: re.Match[bytes], entry: bytes, *, synology: bool) -> ArrayReading:
    slots, progress, rest = (pattern.search(entry) for pattern in (_SLOTS, _PROGRESS, _REST))
    level = head[4]
    system = synology and head[1] in _SYSTEM_NAMES
    total, working = _devices(level, slots, entry, system=system)
    done = _figure(progress[2]) if progress else None
    minutes, speed = (_figure(rest[1]), _figure(rest[2])) if rest else (None, None)
    return ArrayReading(
        label=_name(head[1]),
        kind="md",
        level=_name(level) if level else None,
        state=_state(head[2], level, slots, entry, total),
        devices_total=total,
        devices_working=working,
        devices_failing=_failing(slots, entry) or (0 if synology else None),
        spares_lost=_spares_failed(slots, entry) if head[2] == b"active" else None,
        activity=progress[1].decode()
        if progress
        else "waiting"
        if _WAITING.search(entry)
        else "idle",
        progress_percent=None if done is None else min(done, 100.0),
        speed_bytes_per_second=None if speed is None else speed * 1024,
        remaining_seconds=None if minutes is None else round(minutes * 60),
    )


def _figure(digits: bytes) -> float | None:
    """A number that can be one; ``1.5.5`` costs this value and not the array."""
    try:
        value = float(digits)
    except ValueError:
        return None
    return value if value < _LARGEST else None


def _flags(entry: bytes) -> list[bytes]:
    """The flags of each disk."""
    return [flags for _, flags in _DISK.findall(entry.split(b"\n", 1)[0])]


def _members(entry: bytes) -> list[bytes]:
    """The flags of each disk that holds data or did: no spare, replacement or journal."""
    return [flags for flags in _flags(entry) if not set(flags) & set(b"SRJ")]


def _lost_journal(entry: bytes) -> bool:
    """Whether its journal has failed: the kernel lets nobody write to the array any more."""
    return any(set(b"JF") <= set(flags) for flags in _flags(entry))


def _failing(slots: re.Match[bytes] | None, entry: bytes) -> int:
    """Disks that are kept although they met errors."""
    flagged = sum(b"E" in flags for flags in _members(entry))
    return max(flagged, slots[3].count(b"E") if slots else 0)


def _spares_failed(slots: re.Match[bytes] | None, entry: bytes) -> int | None:
    """Failed disks beyond those that are missing in a slot; ``None`` without redundancy.

    A spare among them failed as such, or stands in by now for a disk that failed.
    """
    if slots is None:
        return None
    failed = sum(b"F" in flags for flags in _members(entry))
    return max(failed - slots[3].count(b"_"), 0)


def spares(content: bytes) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """(all disks, those that are spares) of each array that runs, by the kernel's names."""
    found = {}
    for entry in re.split(rb"\n(?=md)", content)[1:]:
        head = _ARRAY.match(entry)
        if head and head[2] == b"active":
            disks = _DISK.findall(entry.split(b"\n", 1)[0])
            found[_name(head[1])] = (
                frozenset(_name(disk) for disk, _ in disks),
                frozenset(_name(disk) for disk, flags in disks if b"S" in flags),
            )
    return found


def _name(told: bytes) -> str:
    return told.decode("utf-8", "replace")


def _devices(
    level: bytes | None, slots: re.Match[bytes] | None, entry: bytes, *, system: bool
) -> tuple[int | None, int | None]:
    """(total, working); neither is told of an array without redundancy."""
    if slots is None:
        return None, None
    known, there = _figure(slots[1]), _figure(slots[2])
    total = None if known is None else int(known)
    working = None if there is None else max(int(there) - slots[3].count(b"E"), 0)
    if level == b"raid1" and total is not None and (system or total >= _SYSTEM_SLOTS):
        total = len(_members(entry)) or total
    return total, working


def _state(
    word: bytes,
    level: bytes | None,
    slots: re.Match[bytes] | None,
    entry: bytes,
    total: int | None,
) -> str:
    if word != b"active":
        return "failed" if word == b"broken" else "inactive"
    if slots is None or total is None:
        if any(b"F" in flags for flags in _members(entry)):
            return "failed"
        return "failing" if _failing(slots, entry) else "ok"
    letters, copies = slots[3], _COPIES.search(entry)
    if not enough([letter != ord("_") for letter in letters], level, copies):
        return "failed"
    if not enough([letter == ord("U") for letter in letters], level, copies):
        return "failing"
    lacking = len(letters) - letters.count(b"_") < total
    return "degraded" if lacking or b"E" in letters or _lost_journal(entry) else "ok"


def enough(
    present: Sequence[bool], level: bytes | None, copies: re.Match[bytes] | None = None
) -> bool:
    """Whether what some of the slots hold is all that there is.

    Args:
        present: of each slot, whether its disk is there and whole.
        level: how data is spread, as md calls it.
        copies: how a RAID 10 has them laid out; two on neighbouring disks where that is not said.
    """
    if level == b"raid10":
        return _each_copied(present, copies)
    if level in (b"raid1", b"multipath"):
        return any(present)
    return len(present) - sum(present) <= _SPARE_DISKS.get(level or b"", 0)


def _each_copied(present: Sequence[bool], copies: re.Match[bytes] | None) -> bool:
    """Whether a disk is left of each set that holds the same (as ``enough`` in mdadm's util.c)."""
    count, kind = (int(copies[1]), copies[2]) if copies else (2, b"near")
    step = count if kind == b"near" else 1
    return all(
        any(present[(first + place) % len(present)] for place in range(count))
        for first in range(0, len(present), step)
    )


def _unraid(content: bytes) -> ArrayReading:
    """Unraid's one array.

    ``mdNumDisabled`` and its like count a second parity disk that nobody has, so the disks
    themselves are asked.
    """
    lines = content.decode("utf-8", "replace").splitlines()
    told = {key: value for key, _, value in (line.partition("=") for line in lines)}
    disks = {
        key.partition(".")[2]: value for key, value in told.items() if key.startswith("rdevStatus.")
    }
    bad = {
        slot
        for slot, status in disks.items()
        if status in _BAD_DISKS
        or (
            status == "DISK_NP_DSBL"
            and (slot not in _PARITY_SLOTS or _number(told, f"diskSize.{slot}") > 0)
        )
    }
    parity = sum(disks.get(slot) == "DISK_OK" for slot in _PARITY_SLOTS)
    present = [
        slot for slot, status in disks.items() if status and not status.startswith("DISK_NP")
    ]
    total = _number(told, "mdNumDisks") or len({*present, *bad})
    lost = len(bad.difference(_PARITY_SLOTS)) > parity
    size, place = _number(told, "mdResyncSize"), _number(told, "mdResyncPos")
    running = _number(told, "mdResync") > 0 and size > 0
    seconds = _number(told, "mdResyncDt")
    speed = _number(told, "mdResyncDb") * 1024 / seconds if running and seconds else None
    return ArrayReading(
        label="unraid",
        kind="unraid",
        state=_unraid_state(told.get("mdState", ""), bad=bool(bad), lost=lost),
        devices_total=total,
        devices_working=max(total - len(bad), 0),
        errors=sum(_number(told, key) for key in told if key.startswith("rdevNumErrors.")),
        activity=_unraid_activity(told.get("mdResyncAction", "")) if running else "idle",
        progress_percent=min(100 * place / size, 100.0) if running else None,
        speed_bytes_per_second=speed,
        remaining_seconds=round((size - place) * 1024 / speed) if speed else None,
    )


def _unraid_state(word: str, *, bad: bool, lost: bool) -> str:
    if word != "STARTED":
        return "failed" if word.startswith("ERROR") else "inactive"
    return "failed" if lost else "degraded" if bad else "ok"


def _unraid_activity(action: str) -> str:
    words = action.split()
    return {"check": "check", "recon": "recovery"}.get(words[0] if words else "", "resync")


def _number(told: Mapping[str, str], key: str) -> int:
    value = told.get(key, "")
    return int(value) if value.isdecimal() and len(value) <= _DIGITS else 0
