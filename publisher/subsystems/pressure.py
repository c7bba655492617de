"""Pressure stall information: the share of time in which tasks waited for a resource.

Source: ``/proc/pressure/{cpu,memory,io}`` (kernel documentation, accounting/psi): microseconds
in which some, or all, non-idle tasks were stalled.
"""

from __future__ import annotations

from contextlib import suppress

from publisher.errors import AbsentError, SourceError
from publisher.subsystems.base import Rates, Subsystem


class Pressure:
    """The ``some`` and ``full`` share of one resource between two reads, in percent."""

    def __init__(self, subsystem: Subsystem, resource: str) -> None:
        self._path = f"/proc/pressure/{resource}"
        self._subsystem = subsystem
        self._rates = Rates()

    def read(self, now: float) -> tuple[float | None, float | None]:
        """(some, full); ``None`` for what the kernel does not tell."""
        totals = self._subsystem.part("pressure", self._totals)
        if totals is None:
            return None, None
        some, full = (
            self._rates.per_second(kind, totals.get(kind), now) for kind in ("some", "full")
        )
        return _percent(some), _percent(full)

    def _totals(self) -> dict[str, int]:
        try:
            content = self._subsystem.files.read(self._path)
        except AbsentError as error:
            if self._subsystem.files.foreign:
                raise  # Linux alone measures it: no boot would help
            raise AbsentError(
                "this kernel does not measure pressure",
                path=self._path,
                remedy="boot with psi=1 on a kernel built with CONFIG_PSI",
            ) from error
        totals: dict[str, int] = {}
        for line in content.splitlines():
            with suppress(ValueError):
                totals[line.split(b" ", 1)[0].decode("ascii", "replace")] = int(
                    line.rpartition(b"total=")[2]
                )
        if not totals:
            raise SourceError(f"not pressure information: {content[:40]!r}", path=self._path)
        return totals


def _percent(microseconds_per_second: float | None) -> float | None:
    if microseconds_per_second is None:
        return None
    return min(microseconds_per_second / 10_000, 100.0)
