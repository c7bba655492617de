"""Totals: what counters are published as, so that none is ever below what it once was.

A counter falls when its source starts again: the machine, the driver, fanwhy itself after a crash
with the half hour that its file had missed. What had been published by then is added to it from
then on. That is kept in three places, for each has its own way of being lost:

- ``totals.json`` in the state folder says how far a total may go until it is written again, about
  half an hour ahead, so that a disk is left alone meanwhile. After a power failure a total goes on
  from there.
- A copy in memory says exactly how far they went. It outlives a crash of fanwhy.
- ``host/info``, which the broker keeps, repeats what the file says. It outlives a state folder that
  is lost or taken from a backup, for which the number of starts tells.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.contract.metric import Kind, Reading, fields_of
from publisher.contract.readings import TotalReading
from publisher.contract.units import Unit
from publisher.errors import MALFORMED

log = logging.getLogger(__name__)

_FILE: Final = "totals.json"
_AHEAD_SECONDS: Final = 1800.0
_MOST_TIMES: Final = 10.0  # as far as it went since the last time: a burst is no pace
_STARTS: Final = "starts"
_MOST: Final = 4096  # totals; more are no machine's
_MOST_ENERGY: Final = 1e6  # kilowatt-hours: no machine draws more in its life
_MOST_COUNTED: Final = 1e12
_DIGITS: Final = 3  # what moves less is not published

_R = TypeVar("_R", bound=Reading)


class Key(NamedTuple):
    """What a total is known by; ``device`` is empty for the topic as a whole."""

    leaf: str
    device: str
    field: str


@dataclass(slots=True)
class _Total:
    """One total.

    Attributes:
        last: what was published last.
        added: what is added to the counter.
        limit: how far ``last`` may go until the file is written again; below 0 before it was.
        own: its device keeps it, so that nothing is written for its sake.
        marked: what ``last`` was when that was written, at ``marked_at`` monotonic seconds.
        counter: the counter's own value when last seen.
        fallen: where it stood before it fell, what was added to it then, and how low it fell.
    """

    last: float = 0
    added: float = 0
    limit: float = -1
    own: bool = False
    marked: float = 0
    marked_at: float | None = None
    counter: float = 0
    fallen: tuple[float, float, float] | None = None

    def of(self, counter: float) -> float:
        """What to publish for a counter's value."""
        if counter + self.added < self.last:
            stood, added, _ = self.fallen or (self.last - self.added, self.added, 0)
            self.fallen = stood, added, counter
            self.added = self.last - counter
        elif self.fallen is not None:
            stood, added, low = self.fallen
            # At one go where it was, and further: it had been misread, or had been away.
            if counter >= stood and counter - self.counter >= (stood - low) / 2:
                self.added, self.fallen = max(added, self.last - counter), None
        self.counter, self.last = counter, counter + self.added
        return self.last

    @property
    def exceeds(self) -> bool:
        """Whether the file has to be written before this is published."""
        return self.last > self.limit and not (self.own and self.limit >= 0)

    def reserve(self, now: float) -> None:
        """Sets how far it may go: as far as it lately went in half an hour."""
        ahead, since = 0.0, self.marked_at
        # What grew before that grows seldom: nothing is reserved for it.
        if since is not None and 0 < now - since < 2 * _AHEAD_SECONDS and not self.own:
            times = min(_AHEAD_SECONDS / (now - since), _MOST_TIMES)
            ahead = (self.last - self.marked) * times
        whole = 1 if isinstance(self.last, int) else 10**_DIGITS
        # Rounded as it is told, so that what comes back is no other limit.
        steps = math.ceil((self.last + ahead) * whole)
        self.limit = max(self.limit, steps if whole == 1 else steps / whole)
        self.marked, self.marked_at = self.last, now


class Totals:
    """All totals of this machine, for the daemon's whole life.

    Args:
        folder: the state folder; ``None`` keeps nothing.
        memory: a folder that is kept in memory, and is ours alone; ``None`` without one.
        boot: tells this boot of the machine from others; empty where nothing does.
    """

    def __init__(
        self, folder: str | None = None, memory: str | None = None, boot: str = ""
    ) -> None:
        self._path = Path(folder, _FILE) if folder else None
        self._boot = boot
        self._totals: dict[Key, _Total] = {}
        self._begun = self._moved = self._renewed = self._failed = False
        kept = _Kept.read(self._path)
        self._lineage = kept.lineage or os.urandom(8).hex()
        self._copy = Path(memory, f"totals-{self._lineage}.json") if memory and folder else None
        copied = _Kept.read(self._copy)
        newest = copied if copied.boot == boot != "" and copied.starts >= kept.starts else kept
        exact = newest is copied or kept.ended
        for key, last, added, limit in newest.totals:
            self._totals[key] = _Total(last if exact else max(last, limit), added, limit)
        self._starts = newest.starts + 1

    def raised(self, leaf: str, reading: _R, now: float) -> _R:
        """A reading with its counters as they are to be published.

        Args:
            leaf: its topic.
            reading: as it was read.
            now: monotonic seconds.
        """
        plan = _plan(type(reading))
        if plan is None:
            return reading
        changes = self._changes(leaf, "", reading, plan.fields)
        for name, fields in plan.devices:
            devices = getattr(reading, name)
            raised = {
                device: replace(each, **more)
                for device, each in devices.items()
                if (more := self._changes(leaf, device, each, fields))
            }
            if raised:
                changes[name] = devices | raised
        if self._moved:
            self._keep(now)
        return replace(reading, **changes) if changes else reading  # type: ignore[type-var]

    def _changes(
        self, leaf: str, device: str, reading: Any, fields: Iterable[tuple[str, bool]]
    ) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name, own in fields:
            counter = getattr(reading, name)
            if counter is None:
                continue
            key = Key(leaf, device, name)
            total = self._totals.get(key)
            if total is None:
                if len(self._totals) >= _MOST:
                    continue
                total = self._totals[key] = _Total()
            total.own = own
            before = total.last
            if total.of(counter) != counter:
                changes[name] = total.last
            if total.exceeds or round(before, _DIGITS) != round(total.last, _DIGITS):
                self._moved = True
        return changes

    def _keep(self, now: float) -> None:
        self._moved = False
        if not self._begun or any(total.exceeds for total in self._totals.values()):
            for total in self._totals.values():
                total.reserve(now)
            self._begun = self._renewed = True
            self._write(self._path, ended=False)
        self._write(self._copy, ended=False)

    def recall(self, told: object) -> None:
        """Takes what ``host/info`` says since an earlier run, before anything is published."""
        limits = dict(_limits(told))
        starts = limits.pop(Key(_STARTS, "", ""), 0)
        newer = starts >= self._starts
        for key, limit in limits.items():
            if key not in self._totals and len(self._totals) >= _MOST:
                continue
            total = self._totals.setdefault(key, _Total())
            if newer or limit > total.limit:
                total.last = max(total.last, limit)
        if newer:
            self._starts = int(starts) + 1

    @property
    def records(self) -> tuple[TotalReading, ...] | None:
        """What ``host/info`` repeats."""
        if not self._totals:
            return None
        limits = [("|".join(key), total.limit) for key, total in self._totals.items()]
        return tuple(
            TotalReading(label=label, limit=limit)
            for label, limit in [(f"{_STARTS}||", self._starts), *limits]
        )

    def take_renewed(self) -> bool:
        """Whether the limits have changed since this was asked last."""
        renewed, self._renewed = self._renewed, False
        return renewed

    def close(self) -> None:
        """Writes how far they went exactly."""
        if self._begun and self._write(self._path, ended=True) and self._copy is not None:
            with contextlib.suppress(OSError):
                self._copy.unlink()

    def _write(self, path: Path | None, *, ended: bool) -> bool:
        if path is None:
            return False
        content = {
            "lineage": self._lineage,
            "boot": self._boot,
            "starts": self._starts,
            "ended": ended,
            "totals": [
                [*key, total.last, total.added, total.limit] for key, total in self._totals.items()
            ],
        }
        try:
            save(path, json.dumps(content, separators=(",", ":")))
        except OSError as error:
            if not self._failed:
                log.warning("%s: how far totals went is not kept: %s", path, error.strerror)
            self._failed = True
            return False
        return True


class _Plan(NamedTuple):
    """The counters of a reading, with each whether its device keeps it.

    Attributes:
        fields: those of the topic as a whole.
        devices: those of its devices, by collection.
    """

    fields: tuple[tuple[str, bool], ...]
    devices: tuple[tuple[str, tuple[tuple[str, bool], ...]], ...]


_PLANS: dict[type[Reading], _Plan | None] = {}


def _plan(cls: type[Reading]) -> _Plan | None:
    if cls not in _PLANS:
        _PLANS[cls] = _planned(cls)
    return _PLANS[cls]


def _planned(cls: type[Reading]) -> _Plan | None:
    devices = [
        (field.name, _counters(field.metric.of))
        for field in fields_of(cls)
        if field.metric.kind is Kind.INSTANCES and field.metric.of is not None
    ]
    plan = _Plan(_counters(cls), tuple((name, found) for name, found in devices if found))
    return plan if plan.fields or plan.devices else None


def _counters(cls: type[Reading]) -> tuple[tuple[str, bool], ...]:
    return tuple(
        (field.name, field.metric.unit is Unit.SECONDS)
        for field in fields_of(cls)
        if field.metric.kind is Kind.COUNTER
    )


class _Kept(NamedTuple):
    """What a file says."""

    lineage: str = ""
    boot: str = ""
    starts: int = 0
    ended: bool = False
    totals: tuple[tuple[Key, float, float, float], ...] = ()

    @classmethod
    def read(cls, path: Path | None) -> _Kept:
        """Nothing, where there is no file or one that is not as it should be."""
        try:
            content = load_json(path) if path is not None else None
            if content is None:
                return cls()
            return cls(
                lineage="".join(filter(str.isalnum, content["lineage"]))[:32],
                boot=str(content["boot"]),
                starts=int(_number(content["starts"])),
                ended=content["ended"] is True,
                totals=tuple(
                    (Key(*map(str, names)), _number(last), _number(added), _number(limit))
                    for *names, last, added, limit in content["totals"]
                ),
            )
        except FileNotFoundError:
            return cls()
        except (OSError, *MALFORMED) as error:
            log.warning("%s cannot be used: %r", path, error)
            return cls()


def _limits(told: object) -> Iterable[tuple[Key, float]]:
    """What a message tells, which may be anybody's."""
    for record in told if isinstance(told, list) else ():
        if not isinstance(record, Mapping):
            continue
        parts = str(record.get("label")).split("|")
        with contextlib.suppress(ValueError):
            limit = _number(record.get("limit"))
            most = _MOST_ENERGY if parts[-1].endswith("_kilowatt_hours") else _MOST_COUNTED
            if len(parts) == len(Key._fields) and limit <= most:
                yield Key(*parts), limit


def _number(value: Any) -> float:
    """A number that a total can be.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 2**53:
        raise ValueError(f"no total: {value!r:.40}")
    return value
