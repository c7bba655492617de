"""Meters: power and energy of one part of the machine, whose count outlives fanwhy's restarts.

The counts stand in a small file, ``energy.json`` in the state directory, written when fanwhy ends
and every half hour: a disk that sleeps is not woken for a watt-hour. What a hardware counter
counted while fanwhy was away is made up for if that was short enough for the counter not to have
come round in secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.contract.possible import POSSIBLE
from publisher.contract.units import Unit
from publisher.errors import MALFORMED, SourceError
from publisher.sources.files import KernelFiles

_STRONGEST = POSSIBLE[Unit.WATTS][1]
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_FILE = "energy.json"
_JOULES = 3.6e6  # in a kilowatt-hour
_SAVE_SECONDS = 1800.0
# The soonest counters come round after some ten minutes at 100 W.
_LONGEST_GAP_SECONDS = 300.0


@dataclass(slots=True)
class Meter:
    """One meter.

    Attributes:
        kilowatt_hours: counted since fanwhy first saw it.
        raw: the hardware's counter in microjoules when last read, at ``at`` monotonic seconds.
        watts: mean power between the last two readings.
    """

    kilowatt_hours: float = 0.0
    raw: int | None = None
    at: float | None = None
    watts: float | None = None

    def count(self, raw: int, now: float, span: int | None) -> None:
        """Takes a reading of a hardware counter.

        Args:
            raw: microjoules.
            now: monotonic seconds.
            span: where the counter starts again at 0.
        """
        before, at = self.raw, self.at
        self.raw, self.at, self.watts = raw, now, None
        if before is None or at is None or not 0 < now - at <= _LONGEST_GAP_SECONDS:
            return
        grown = raw - before
        if grown < 0 and span:
            grown += span
        watts = grown / 1e6 / (now - at)
        # More than that, or less than nothing: the counter was set to 0, as by a suspend.
        if 0 <= watts <= _STRONGEST:
            self.watts = watts
            self.kilowatt_hours += grown / 1e6 / _JOULES

    def integrate(self, watts: float | None, now: float) -> None:
        """Takes a reading of power, which is taken to have held since the last one."""
        at = self.at
        self.at = now if watts is not None else None
        self.watts = watts
        if (
            watts is not None
            and watts >= 0
            and at is not None
            and 0 < now - at <= _LONGEST_GAP_SECONDS
        ):
            self.kilowatt_hours += watts * (now - at) / _JOULES


class Meters:
    """All meters by identity, and the file that keeps them."""

    def __init__(self, files: KernelFiles, state_dir: str | None) -> None:
        self._path = f"{state_dir}/{_FILE}" if state_dir else None
        try:
            self._boot = files.text(_BOOT_ID, keep=False)
        except SourceError:
            self._boot = ""
        self._meters: dict[str, Meter] = {}
        self._loaded: dict[str, float] = {}
        self._saved: dict[str, float] = {}
        self._added: dict[tuple[str, str], float] = {}
        self._save_at: float | None = None
        self.problem: SourceError | None = None
        """Why the counts cannot be kept; ``None`` when they can."""
        self._load()

    def of(self, identity: str) -> Meter:
        """The meter of a name, at 0 when it was never seen."""
        return self._meters.setdefault(identity, Meter())

    def total(self, identity: str, parts: Iterable[str]) -> float | None:
        """Kilowatt-hours that parts have counted together; those that are gone keep theirs.

        Args:
            identity: the sum's own meter.
            parts: the meters that make it up now; ``None`` where there are none.
        """
        names = list(parts)
        if not names:
            return None
        meter, since = self.of(identity), self._loaded if identity in self._loaded else {}
        for name in names:
            count = self.of(name).kilowatt_hours
            before = self._added.get((identity, name), since.get(name, 0.0))
            meter.kilowatt_hours += max(count - before, 0.0)
            self._added[identity, name] = count
        return meter.kilowatt_hours

    def save(self, now: float, *, due: bool = False) -> None:
        """Writes the counts when half an hour has passed, or at once.

        Args:
            now: monotonic seconds.
            due: at once.
        """
        if self._save_at is None:
            self._save_at = now + _SAVE_SECONDS
        if self._path is None or not (due or now >= self._save_at):
            return
        self._save_at = now + _SAVE_SECONDS
        counts = {name: meter.kilowatt_hours for name, meter in self._meters.items()}
        if counts == self._saved:
            return
        content = {
            "boot_id": self._boot,
            "meters": {
                name: {
                    "kilowatt_hours": meter.kilowatt_hours,
                    "raw_microjoules": meter.raw,
                    "monotonic_seconds": meter.at,
                }
                for name, meter in self._meters.items()
            },
        }
        try:
            save(Path(self._path), json.dumps(content, indent=1))
        except OSError as error:
            self.problem = SourceError(
                f"energy counts start at 0 after a restart: {error.strerror or error}",
                path=self._path,
                remedy="make the state directory writable for fanwhy",
            )
        else:
            self.problem = None
            self._saved = counts

    def _load(self) -> None:
        if self._path is None:
            return
        try:
            content = load_json(Path(self._path))
            same_boot = bool(self._boot) and content["boot_id"] == self._boot
            self._meters = {
                name: _meter(kept, same_boot=same_boot) for name, kept in content["meters"].items()
            }
        except FileNotFoundError:
            pass
        except OSError as error:
            self.problem = SourceError(
                f"cannot be read: {error.strerror or error}", path=self._path
            )
        except MALFORMED:
            self._meters = {}
            self.problem = SourceError("is damaged; energy counts start at 0", path=self._path)
        self._loaded = {name: meter.kilowatt_hours for name, meter in self._meters.items()}
        self._saved = dict(self._loaded)


def _meter(kept: Mapping[str, Any], *, same_boot: bool) -> Meter:
    count = float(kept["kilowatt_hours"])
    if not 0 <= count < float("inf"):
        raise ValueError("no count")
    raw, at = kept["raw_microjoules"], kept["monotonic_seconds"]
    if not same_boot or not isinstance(raw, int) or not isinstance(at, int | float):
        return Meter(kilowatt_hours=count)
    return Meter(kilowatt_hours=count, raw=raw, at=float(at))
