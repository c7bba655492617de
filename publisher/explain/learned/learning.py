"""Learning from window to window: energy, hours of watching, the temperature at rest."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib
from pathlib import Path
from typing import Final

from publisher.config.documents import load_json
from publisher.config.state_folder import save
from publisher.contract.payload import rfc3339
from publisher.contract.readings import EnergyReading, WorkEnergyReading
from publisher.errors import MALFORMED
from publisher.explain.learned.drift import Drift
from publisher.explain.learned.energy import Energy
from publisher.explain.learned.store import LearnedStore
from publisher.explain.thermal.sharing import PowerShares
from publisher.explain.window import Window

# Weather comes and goes by some degrees: what was told once is over when it is clearly over.
_DUST_CELSIUS: Final = 5.0
_DUST_GONE_CELSIUS: Final = 2.5
_COPY_SECONDS: Final = 10.0
_KINDS_SECONDS: Final = 30.0


class Learning:
    """What is learned of windows, and where it is kept.

    Args:
        store: what was learned before.
        state_dir: the folder that it is written to; ``None``: it is not.
        memory: a folder that is kept in memory, where the energy outlives a crash; ``None``
            without one.
    """

    def __init__(
        self, store: LearnedStore, state_dir: str | None, memory: str | None = None
    ) -> None:
        self._store = store
        self._state_dir = state_dir
        self._copy: Path | None = None
        self._copy_at = self._kinds_at = float("-inf")
        self._kinds: WorkEnergyReading | None = None
        if state_dir is not None and memory is not None:
            self._copy = Path(memory, f"energy-{zlib.crc32(os.fsencode(state_dir)):08x}.json")
            with contextlib.suppress(OSError, *MALFORMED):
                store.energy.raise_to(Energy.from_json(load_json(self._copy)))
        self._dusty = _is_dusty(store.drift, dusty=False)

    @property
    def dusty(self) -> bool:
        """The machine is warmer at rest than it used to be at equal power."""
        return self._dusty

    def book(self, window: Window, shares: PowerShares | None) -> None:
        """Books the energy of a window; ``None`` where power is not measured."""
        if shares is None:
            return
        self._store.energy.add(
            shares.watts * shares.seconds,
            shares.idle_watts * shares.seconds,
            shares.work,
            shares.total,
            window.day,
        )
        self._store.by_kind.add(
            shares.watts * shares.seconds,
            shares.idle_watts * shares.seconds,
            shares.kinds,
            shares.total,
            window.day,
        )
        if self._copy is not None and window.now >= self._copy_at:
            self._copy_at = window.now + _COPY_SECONDS
            with contextlib.suppress(OSError):
                save(self._copy, json.dumps(self._store.energy.to_json()))

    def energy(self, day: int) -> tuple[EnergyReading, ...] | None:
        """What used how much energy on a day and in the week that it ends.

        ``None`` where no power was measured.
        """
        energy = self._store.energy
        return energy.readings(day) if energy.days else None

    def by_kind(self, day: int, wall: float, now: float) -> WorkEnergyReading | None:
        """What each kind of work used, looked at twice a minute; ``None`` without a measured power.

        Args:
            day: local day number.
            wall: seconds since the epoch.
            now: monotonic seconds.
        """
        if now >= self._kinds_at and self._store.by_kind.total:
            self._kinds_at = now + _KINDS_SECONDS
            local = time.localtime(wall)
            midnight = wall - 3600 * local.tm_hour - 60 * local.tm_min - local.tm_sec
            self._kinds = WorkEnergyReading(
                since=rfc3339(midnight // 60 * 60), kinds=self._store.by_kind.readings(day)
            )
        return self._kinds

    def observe(self, window: Window, *, at_rest: bool) -> None:
        """Takes one window into account.

        Args:
            window: what is known of it.
            at_rest: the machine is as cool and quiet as it gets.
        """
        store, evidence = self._store, window.evidence
        store.habits.watch(window.wall)
        temperature = evidence.cpu_temperature_celsius
        if at_rest and temperature is not None:
            finished = store.drift.observe(window.day, temperature, evidence.power_watts)
            if finished:
                self._dusty = _is_dusty(store.drift, dusty=self._dusty)
        if self._state_dir is not None and store.due(window.now):
            store.save(self._state_dir, window.now)

    def close(self, now: float) -> None:
        """Writes what was learned."""
        self._store.save(self._state_dir, now)
        if self._copy is not None:
            with contextlib.suppress(OSError):
                self._copy.unlink()


def _is_dusty(drift: Drift, *, dusty: bool) -> bool:
    risen = drift.risen()
    return risen is not None and risen >= (_DUST_GONE_CELSIUS if dusty else _DUST_CELSIUS)
