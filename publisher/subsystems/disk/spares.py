"""Spare disks of md arrays that vanish with nobody telling.

Source: ``/proc/mdstat`` at one time and at the next, and ``/sys/class/block``. A spare that died
is taken out by udev (``mdadm --incremental --fail``), and nothing in the kernel remembers it. One
that people took out is still a disk of the machine, until they pull it.
"""

from __future__ import annotations

from collections.abc import Mapping

from publisher.sources.files import KernelFiles

# Pulled on purpose or not, nobody can tell: after a day it has been heard of.
_HEARD_OF = 86400.0
_BLOCK = "/sys/class/block"


class Spares:
    """Remembers the spares of each array."""

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._known: dict[str, frozenset[str]] = {}
        self._gone: dict[str, dict[str, float]] = {}

    def lost(
        self, told: Mapping[str, tuple[frozenset[str], frozenset[str]]], now: float
    ) -> dict[str, int]:
        """How many spares are gone from each array, and from the machine.

        Args:
            told: (all disks, those that are spares) of each array, by the kernel's names.
            now: monotonic seconds.
        """
        gone = {array: self._gone_from(array, *told[array], now) for array in told}
        self._gone = {array: disks for array, disks in gone.items() if disks}
        self._known = {array: spares for array, (_, spares) in told.items() if spares}
        return {array: len(disks) for array, disks in self._gone.items()}

    def _gone_from(
        self, array: str, disks: frozenset[str], spares: frozenset[str], now: float
    ) -> dict[str, float]:
        known = self._known.get(array, frozenset())
        gone = {
            name: when
            for name, when in self._gone.get(array, {}).items()
            if now - when < _HEARD_OF and name not in disks
        }
        for _ in spares - known:  # another, or the same under another name
            if gone:
                del gone[min(gone, key=gone.__getitem__)]
        missing = (name for name in known - disks if not self._there(name))
        # Where the array itself is not to be seen, as in a container, nothing is known of disks.
        return gone | dict.fromkeys(missing, now) if self._there(array) else gone

    def _there(self, name: str) -> bool:
        return self._files.exists(f"{_BLOCK}/{name.replace('/', '!')}")
