"""What ``zpool status`` says, in JSON (OpenZFS 2.3 and later) or in the words it had before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from publisher.errors import MALFORMED, SourceError

WORKING = ("ONLINE", "DEGRADED")
_DIGITS, _TOO_LARGE = 20, 1 << 64  # ZFS counts in 64 bits
_UNITS = {unit: 1024**power for power, unit in enumerate("BKMGTPE")}
_SCAN = re.compile(r"(scrub|resilver) in progress")
_DONE = re.compile(r"([\d.]+)% done")
_TOTAL = re.compile(r"([\d.]+)([BKMGTPE]) total")
_WITH_ERRORS = re.compile(r"with (\d+) errors")
_DATA_ERRORS = re.compile(r"^errors: (\d+) data errors", re.MULTILINE)
# A row of the table of devices: deeper than the pool itself, its name, its state, three counts.
_ROW = re.compile(r"^\t( *)(\S+) +([A-Z]+) +(\d+) +(\d+) +(\d+)", re.MULTILINE)
_GROUP = re.compile(r"(mirror|raidz\d?|draid\S*|spare|replacing|indirect)-\d+.*")


class Scan:
    """A scrub or resilver as ``zpool status -j`` tells it."""

    def __init__(self, told: dict[str, object]) -> None:
        self.running = told.get("state") == "SCANNING"
        self.activity = "recovery" if told.get("function") == "RESILVER" else "scrub"
        self.total = _count(told.get("to_examine"))
        self.issued = _count(told.get("issued"))
        self.errors = _count(told.get("errors"))
        self.speed: float | None = None


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool as ``zpool status`` tells it.

    Attributes:
        scan: the last or present scan; ``None`` where there never was one.
        devices: the path of each device that holds its data, and the device's state.
        errors: those counted of its devices, and of its data; ``None`` where none are told.
    """

    scan: Scan | None
    devices: tuple[tuple[str, str], ...] = ()
    errors: int | None = None


def scans(answer: bytes) -> dict[str, Scan]:
    """The last or present scan of each pool, from JSON.

    Raises:
        SourceError: not the JSON that OpenZFS documents.
    """
    return {name: pool.scan for name, pool in statuses(answer).items() if pool.scan}


def statuses(answer: bytes) -> dict[str, PoolStatus]:
    """Each pool, from JSON.

    Raises:
        SourceError: not the JSON that OpenZFS documents.
    """
    try:
        pools = json.loads(answer)["pools"]
        return {name: _of_json(told) for name, told in pools.items()}
    except MALFORMED as error:
        raise SourceError(f"not as documented: {error!r}", path="zpool status -j") from None


def statuses_of_text(answer: bytes) -> dict[str, PoolStatus]:
    """Each pool, from what ``zpool status -p`` prints for people.

    Raises:
        SourceError: there is no pool in it.
    """
    text = answer.decode("utf-8", "replace")
    found = {
        name: _of_text(rest)
        for part in re.split(r"^ *pool: ", text, flags=re.MULTILINE)[1:]
        for name, _, rest in [part.partition("\n")]
    }
    if not found:
        raise SourceError(f"not as documented: {text[:60]!r}", path="zpool status")
    return found


def _of_json(told: dict[str, Any]) -> PoolStatus:
    leaves = list(_leaves(told.get("vdevs") or {}))
    scan = Scan(told["scan_stats"]) if told.get("scan_stats") else None
    return PoolStatus(
        scan,
        tuple((str(leaf.get("path") or ""), str(leaf.get("state"))) for leaf in leaves),
        _count(told.get("error_count")) + sum(_errors(leaf) for leaf in leaves) if leaves else None,
    )


def _leaves(vdevs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for vdev in vdevs.values():
        if vdev.get("vdevs"):
            yield from _leaves(vdev["vdevs"])
        elif vdev.get("vdev_type") not in ("root", "indirect", "hole"):
            yield vdev


def _errors(leaf: dict[str, Any]) -> int:
    return sum(_count(leaf.get(f"{kind}_errors")) for kind in ("read", "write", "checksum"))


def _of_text(text: str) -> PoolStatus:
    rows = [row for row in _ROW.findall(text) if row[0] and not _GROUP.fullmatch(row[1])]
    data = _DATA_ERRORS.search(text)
    errors = (_count(data[1]) if data else 0) + sum(
        _count(count) for row in rows for count in row[3:]
    )
    return PoolStatus(
        _scan_of_text(text), tuple((row[1], row[2]) for row in rows), errors if rows else None
    )


def _scan_of_text(text: str) -> Scan | None:
    running, done, total = (pattern.search(text) for pattern in (_SCAN, _DONE, _TOTAL))
    if not (running and done and total):
        found = _WITH_ERRORS.search(text)
        return Scan({"state": "FINISHED", "errors": found[1]}) if found else None
    size, part = _figure(total[1]) * _UNITS[total[2]], _figure(done[1])
    return Scan(
        {
            "state": "SCANNING",
            "function": running[1].upper(),
            "to_examine": round(size),
            "issued": round(size * part / 100),
        }
    )


def _count(value: object) -> int:
    """A count, which is text where ``zpool`` was not asked for numbers."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < _TOO_LARGE else 0


def _figure(digits: str) -> float:
    """A number that can be one; of ``1.5.5`` nothing is known."""
    try:
        value = float(digits)
    except ValueError:
        return 0.0
    return value if value < _TOO_LARGE else 0.0
