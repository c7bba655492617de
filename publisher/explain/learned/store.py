"""What was learned about this machine, kept on disk: one small JSON file, written rarely."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.errors import MALFORMED
from publisher.explain.learned.drift import Drift
from publisher.explain.learned.energy import Energy, EnergyByKind
from publisher.explain.learned.habits import Habits
from publisher.explain.thermal.cooling import Episode

log = logging.getLogger(__name__)

_VERSION: Final = 2
_FILE: Final = "learned.json"
_SAVE_SECONDS: Final = 1800.0


@dataclass(slots=True)
class LearnedCooling:
    """How something cools down: the machine, or its GPU.

    Attributes:
        episodes: how it did so lately.
        errors: how far off the estimates of that were.
        rest: temperature, fan speed and power at rest, where known.
    """

    episodes: list[Episode] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    rest: tuple[float | None, float | None, float | None] = (None, None, None)

    def to_json(self) -> dict[str, Any]:
        return {
            "episodes": [[e.time_constant, e.curve] for e in self.episodes],
            "errors": self.errors,
            "rest": self.rest,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> LearnedCooling:
        """What ``to_json`` gave; raises ``ValueError`` or the like for other things."""
        temperature, speed, power = kept["rest"]
        return cls(
            episodes=[
                Episode(
                    None if constant is None else float(constant),
                    tuple((float(rise), float(left)) for rise, left in curve),
                )
                for constant, curve in kept["episodes"]
            ],
            errors=[float(error) for error in kept["errors"]],
            rest=(_number(temperature), _number(speed), _number(power)),
        )


@dataclass(slots=True)
class LearnedStore:
    """Everything that outlives the daemon."""

    habits: Habits = field(default_factory=Habits)
    machine: LearnedCooling = field(default_factory=LearnedCooling)
    gpu: LearnedCooling = field(default_factory=LearnedCooling)
    drift: Drift = field(default_factory=Drift)
    energy: Energy = field(default_factory=Energy)
    by_kind: EnergyByKind = field(default_factory=EnergyByKind)
    _saved_at: float | None = None

    @classmethod
    def open(cls, state_dir: str | None) -> LearnedStore:
        """The store in a folder; an empty one where there is none, or none that can be read."""
        if state_dir is None:
            return cls()
        path = Path(state_dir, _FILE)
        try:
            return cls._parse(load_json(path))
        except FileNotFoundError:
            return cls()
        except (OSError, *MALFORMED) as error:
            log.warning("%s cannot be used (%s); learning starts afresh", path, error)
            return cls()

    @classmethod
    def _parse(cls, kept: dict[str, Any]) -> LearnedStore:
        if kept["version"] != _VERSION:
            raise ValueError(f"version {kept['version']!r}")
        return cls(
            habits=Habits.from_json(kept["habits"]),
            machine=LearnedCooling.from_json(kept["machine"]),
            gpu=LearnedCooling.from_json(kept["gpu"]),
            drift=Drift.from_json(kept["drift"]),
            energy=Energy.from_json(kept["energy"]),
            # Of an older fanwhy there is none.
            by_kind=EnergyByKind.from_json(kept["kinds"]) if "kinds" in kept else EnergyByKind(),
        )

    def due(self, now: float) -> bool:
        """Whether it is time to save."""
        if self._saved_at is None:
            self._saved_at = now
        return now - self._saved_at >= _SAVE_SECONDS

    def save(self, state_dir: str | None, now: float) -> None:
        """Writes the file whole or not at all; a folder that cannot be written is no disaster."""
        self._saved_at = now
        if state_dir is None:
            return
        body = {
            "version": _VERSION,
            "habits": self.habits.to_json(),
            "machine": self.machine.to_json(),
            "gpu": self.gpu.to_json(),
            "drift": self.drift.to_json(),
            "energy": self.energy.to_json(),
            "kinds": self.by_kind.to_json(),
        }
        path = Path(state_dir, _FILE)
        try:
            save(path, json.dumps(body, separators=(",", ":")))
        except OSError as error:
            log.warning("%s: what was learned cannot be kept: %s", path, error.strerror)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
