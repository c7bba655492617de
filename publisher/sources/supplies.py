"""Batteries, mains adapters and UPSes that the kernel knows, in ``/sys/class/power_supply``.

Source: kernel documentation, ABI/testing/sysfs-class-power. One file, ``uevent``, holds every
property, in microvolts, microamperes, microwatts, microwatt-hours and percent. The serial number
stands there too and is not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from publisher.errors import AbsentError, SourceError
from publisher.sources.files import KernelFiles

CLASS = "/sys/class/power_supply"
_PREFIX = "POWER_SUPPLY_"
# What firmware says where it knows nothing (ACPI 6.5, 10.2.2: 0xFFFFFFFF; the Smart Battery Data
# Specification: 65,535), as it stands and from thousandths.
_UNKNOWN = frozenset({0xFFFFFFFF, 0xFFFFFFFF * 1000, 0xFFFF * 1000})


@dataclass(frozen=True, slots=True)
class Supply:
    """One supply at one instant.

    Attributes:
        name: its name in the kernel, which comes from the firmware (``BAT0``, ``AC``).
        kind: ``battery``, ``mains``, ``ups``, ``usb`` or ``wireless``.
    """

    name: str
    kind: str
    _properties: Mapping[str, str]

    def word(self, name: str) -> str:
        """A property as it stands; empty when there is none."""
        return self._properties.get(name, "")

    def micro(self, *names: str) -> float | None:
        """The first of these properties that is known, from millionths."""
        for name in names:
            value = self.number(name)
            if value is not None and value not in _UNKNOWN:
                # Some drivers count what flows out as negative; the status tells the direction.
                return abs(value) / 1e6
        return None

    def number(self, name: str) -> int | None:
        try:
            return int(self._properties[name])
        except (KeyError, ValueError):
            return None

    def share(self, part: str, whole: str) -> float | None:
        """How much of ``whole`` there is, in percent, by energy or by charge."""
        for measure in ("ENERGY_", "CHARGE_"):
            a, b = self.number(measure + part), self.number(measure + whole)
            if a is not None and b:
                return 100 * a / b
        return None


def read(files: KernelFiles) -> tuple[list[Supply], dict[str, SourceError]]:
    """Every supply of this machine, and by name why one that is there cannot be read.

    Batteries of mice and phones are not among them.
    """
    supplies: list[Supply] = []
    failed: dict[str, SourceError] = {}
    for name in files.names(CLASS):
        try:
            supply = _read(files, name)
        except AbsentError:
            continue  # unplugged since it was listed
        except SourceError as error:
            failed[name] = error
            continue
        if supply.word("SCOPE") != "Device" and supply.word("PRESENT") != "0":
            supplies.append(supply)
    return supplies, failed


def _read(files: KernelFiles, name: str) -> Supply:
    path = f"{CLASS}/{name}"
    content = files.text(f"{path}/uevent")
    properties = {
        key.removeprefix(_PREFIX): value
        for key, _, value in (line.partition("=") for line in content.splitlines())
    }
    # Before Linux 5.11 it stands in a file of its own only.
    kind = properties.get("TYPE") or files.text(f"{path}/type", keep=False)
    return Supply(name, kind.lower().partition("_")[0], properties)
