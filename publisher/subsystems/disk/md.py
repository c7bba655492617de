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
# Total and working, then a letter a slot: U works, _ is missing, Synology's E can be read but has
# met errors.
_SLOTS = re.compile(rb"\[(\d+)/(\d+)\] \[([A-Z_]+)\]")
_MEMBER = re.compile(rb" \S+\[\d+\]((?:\([A-Z]\))*)")
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
            system = synology and head[1] in _SYSTEM_NAMES
            yield head[1].decode("utf-8", "replace"), _array(head, entry, system=system)


def _array(head: re.Match[bytes], entry: bytes, *, system: bool) -> ArrayReading:
    slots, progress, rest = (pattern.search(entry) for pattern in (_SLOTS, _PROGRESS, _REST))
    level = head[4]
    total, working = _devices(level, slots, entry, system=system)
    done = _figure(progress[2]) if progress else None
    minutes, speed = (_figure(rest[1]), _figure(rest[2])) if rest else (None, None)
    return ArrayReading(
        label=head[1].decode("utf-8", "replace"),
        kind="md",
        level=level.decode("utf-8", "replace") if level else None,
        state=_state(head[2], level, slots, entry, total),
        devices_total=total,
        devices_working=working,
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
    return _MEMBER.findall(entry.split(b"\n", 1)[0])


def _members(entry: bytes) -> list[bytes]:
    """The flags of each disk that holds data or did: no spare, replacement or journal."""
    return [flags for flags in _flags(entry) if not set(flags) & set(b"SRJ")]


def _lost_journal(entry: bytes) -> bool:
    """Whether its journal has failed: the kernel lets nobody write to the array any more."""
    return any(set(b"JF") <= set(flags) for flags in _flags(entry))


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
        return "failed" if any(b"F" in flags for flags in _members(entry)) else "ok"
    present = [letter != ord("_") for letter in slots[3]]
    if sum(present) >= total:
        return "degraded" if b"E" in slots[3] or _lost_journal(entry) else "ok"
    copies = _COPIES.search(entry)
    if level == b"raid10":
        whole = _each_copied(present, copies)
    elif level in (b"raid1", b"multipath"):
        whole = any(present)
    else:
        whole = len(present) - sum(present) <= _SPARE_DISKS.get(level or b"", 0)
    return "degraded" if whole else "failed"


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
