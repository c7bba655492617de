"""Thermal zones: temperatures that the kernel acts on, on boards without a chip for hwmon.

Source: kernel documentation, driver-api/thermal/sysfs-api. The number of a zone is its order of
registration; its type is its name. Most zones show as a chip of hwmon too, under the same name;
those are left out, and so is ``x86_pkg_temp``, which coretemp calls the package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from publisher.errors import AbsentError, SourceError
from publisher.sources.files import KernelFiles
from publisher.sources.hwmon import slug

CLASS = "/sys/class/thermal"


@dataclass(frozen=True, slots=True)
class Zone:
    """One thermal zone.

    Attributes:
        kind: its type, such as ``cpu-thermal``.
        identity: ``zone/<type>``.
        path: the directory of its files.
    """

    kind: str
    identity: str
    path: str
    files: KernelFiles = field(repr=False, compare=False)

    def temperature(self) -> int:
        """Thousandths of a degree.

        Raises:
            AbsentError: the zone is switched off.
            SourceError: the driver does not answer.
        """
        path = f"{self.path}/temp"
        try:
            return self.files.integer(path)
        except SourceError as error:
            if self.files.hint(f"{self.path}/mode") == "disabled":
                raise AbsentError("the kernel has switched this zone off", path=path) from error
            raise

    def trip(self, kind: str) -> int | None:
        """The temperature at which the kernel does what ``kind`` says (``hot``, ``critical``)."""
        for name in self.files.names(self.path):
            if name.startswith("trip_point_") and name.endswith("_type"):
                try:
                    if self.files.text(f"{self.path}/{name}", keep=False) == kind:
                        return self.files.integer(
                            f"{self.path}/{name.removesuffix('_type')}_temp", keep=False
                        )
                except SourceError:
                    continue
        return None


def find(files: KernelFiles, chips: Iterable[str]) -> list[Zone]:
    """The zones that tell something which no chip tells, sorted by identity.

    Args:
        files: where to look.
        chips: the names of the chips that are known.
    """
    # hwmon allows no hyphens in names; the kernel writes underscores for them.
    known = {name.replace("-", "_") for name in chips}
    if "coretemp" in known:
        known.add("x86_pkg_temp")
    zones: list[Zone] = []
    count: Counter[str] = Counter()
    names = [name for name in files.names(CLASS) if name.startswith("thermal_zone")]
    for name in sorted(names, key=lambda name: (len(name), name)):
        path = files.link(f"{CLASS}/{name}")
        if path is None:
            continue
        try:
            kind = files.text(f"{path}/type", keep=False)
        except SourceError:
            continue
        if kind.replace("-", "_") in known:
            continue
        count[kind] += 1
        identity = f"zone/{slug(kind)}" + (f"-{count[kind]}" if count[kind] > 1 else "")
        zones.append(Zone(kind, identity, path, files))
    return sorted(zones, key=lambda zone: zone.identity)
