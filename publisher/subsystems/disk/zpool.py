"""What ``zpool status`` says, in JSON (OpenZFS 2.3 and later) or in the words it had before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from publisher.errors import MALFORMED, SourceError

WORKING, FAILING = "ONLINE", "DEGRADED"
# What stands beside the disks that hold the data: how JSON calls it, and what it is called here.
# Either allocation class holds what is nowhere else.
ROLES = ("spares", "caches", "logs", "specials")
_ASIDE = {
    "spares": "spares",
    "l2cache": "caches",
    "logs": "logs",
    "special": "specials",
    "dedup": "specials",
}
# Nothing is wrong with these; OFFLINE is what people say, not what ZFS finds.
_FINE = ("ONLINE", "DEGRADED", "AVAIL", "INUSE", "OFFLINE")
_DIGITS, _TOO_LARGE = 20, 1 << 64  # ZFS counts in 64 bits
_UNITS: Mapping[str, int] = {unit: 1024**power for power, unit in enumerate("BKMGTPE")}
_SCAN = re.compile(r"(scrub|resilver) in progress")
_DONE = re.compile(r"([\d.]+)% done")
_TOTAL = re.compile(r"([\d.]+)([BKMGTPE]) total")
_WITH_ERRORS = re.compile(r"with (\d+) errors")
_DATA_ERRORS = re.compile(r"^errors: ([\d.]+[KMGTPE]?) data errors", re.MULTILINE)
# A row of the table of devices: how deep it is, its name, its state, three counts unless it is a
# spare. Two spaces end the name. What is printed for people is 1.2K.
_FIGURE = r"[\d.]+[KMGTPE]?"
_ROW = re.compile(
    rf"^\t( *)(\S+(?: \S+)*) {{2,}}([A-Z]+)(?: +({_FIGURE}) +({_FIGURE}) +({_FIGURE}))?(?: |$)"
)
_SECTION = re.compile(r"^\t(dedup|special|logs|cache|spares)\s*$")
_SECTIONS = {"cache": "l2cache"}
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
        errors: those counted of all devices but caches, and of its data; ``None`` where none are
            told.
        lost: how many of the devices beside them have failed, of each of ``ROLES`` that it has.
    """

    scan: Scan | None
    devices: tuple[tuple[str, str], ...] = ()
    errors: int | None = None
    lost: Mapping[str, int] = field(default_factory=dict)


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
    scan = Scan(told["scan_stats"]) if told.get("scan_stats") else None
    rows = [
        _Row(
            section,
            str(leaf.get("path") or ""),
            str(leaf.get("state")),
            sum(_count(leaf.get(f"{kind}_errors")) for kind in ("read", "write", "checksum")),
        )
        for section in ("vdevs", *_ASIDE)
        for leaf in _leaves(told.get(section) or {})
    ]
    return _status(scan, rows, _count(told.get("error_count")))


def _leaves(vdevs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for vdev in vdevs.values():
        if vdev.get("vdevs"):
            yield from _leaves(vdev["vdevs"])
        elif vdev.get("vdev_type") not in ("root", "indirect", "hole"):
            yield vdev


@dataclass(frozen=True, slots=True)
class _Row:
    """One device: in which section of a pool, where, in what state, and the errors that it met."""

    section: str
    path: str
    state: str
    errors: int


def _status(scan: Scan | None, rows: Iterable[_Row], data_errors: int) -> PoolStatus:
    aside = [(_ASIDE[row.section], row) for row in rows if row.section in _ASIDE]
    devices = tuple((row.path, row.state) for row in rows if row.section not in _ASIDE)
    errors = data_errors + sum(row.errors for row in rows if row.section != "l2cache")
    return PoolStatus(
        scan,
        devices,
        errors if devices else None,
        {
            role: sum(row.state not in _FINE for of, row in aside if of == role)
            for role in ROLES
            if any(of == role for of, _ in aside)
        },
    )


def _of_text(text: str) -> PoolStatus:
    data = _DATA_ERRORS.search(text)
    return _status(_scan_of_text(text), list(_rows(text)), _shown(data[1]) if data else 0)


def _rows(text: str) -> Iterator[_Row]:
    """The devices in the table; sections beside the pool's own have a heading of one word."""
    section = "vdevs"
    for line in text.splitlines():
        if heading := _SECTION.match(line):
            section = _SECTIONS.get(heading[1], heading[1])
        row = _ROW.match(line)
        if row and row[1] and not _GROUP.fullmatch(row[2]):
            errors = sum(_shown(count) for count in row.groups()[3:] if count)
            yield _Row(section, row[2], row[3], errors)


def _shown(count: str) -> int:
    """A count as it is printed, such as ``1.2K``."""
    if count.isdecimal():
        return _count(count)
    size = _figure(count[:-1]) * _UNITS.get(count[-1:], 0)
    return round(size) if size < _TOO_LARGE else 0


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
