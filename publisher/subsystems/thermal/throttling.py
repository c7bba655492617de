"""Throttling: whether the processor is held back for its heat, and how often it was.

Sources: ``thermal_throttle/*_throttle_count`` of x86 processors (kernel documentation,
ABI/testing/sysfs-devices-system-cpu), which count interrupts and cost nothing to read; on a
Raspberry Pi the firmware's ``get_throttled`` word (Raspberry Pi documentation, vcgencmd).
"""

from __future__ import annotations

from dataclasses import dataclass

from publisher.errors import AbsentError, SourceError
from publisher.sources.files import KernelFiles

_CPUS = "/sys/devices/system/cpu"
_PLATFORM = "/sys/devices/platform"

_UNDER_VOLTAGE = 1 << 0
# The clock is capped, throttled, or held at the soft temperature limit.
_HELD_BACK = 1 << 1 | 1 << 2 | 1 << 3


@dataclass(frozen=True, slots=True)
class Throttled:
    """What holds the processor back.

    Attributes:
        count: times that it was held back since boot; ``None`` where they are not counted.
        now: whether it is held back; with a count only, whether it was since the last look.
    """

    count: int | None
    now: bool | None


class Throttling:
    """The counters of this machine, found once."""

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._counters = _counters(files)
        self._firmware = firmware_word(files)
        self._values: dict[str, int] = {}

    def read(self) -> Throttled:
        """What the counters say now.

        Raises:
            AbsentError: this machine tells nothing of the kind.
            SourceError: it does, but cannot be read now.
        """
        if self._firmware:
            word = throttled_word(self._files, self._firmware)
            return Throttled(None, bool(word & _HELD_BACK))
        if not self._counters and self._files.foreign:
            raise AbsentError(f"on {self._files.foreign} nothing tells it")
        if not self._counters:
            raise AbsentError("this processor does not count it", path=f"{_CPUS}/cpu0")
        # Processors can be switched off, and take their counters with them: what one has counted
        # stays counted, and the others go on.
        before = dict(self._values)
        failure: SourceError | None = None
        for path in self._counters:
            try:
                self._values[path] = self._files.integer(path, keep=False)
            except SourceError as error:
                failure = failure or error
        if failure and not self._values:
            raise failure
        grown = any(value > before.get(path, value) for path, value in self._values.items())
        return Throttled(sum(self._values.values()), grown if before else None)


def firmware_word(files: KernelFiles) -> str | None:
    """The path of a Raspberry Pi's throttled word; ``None`` on other machines."""
    for node in files.names(_PLATFORM):
        if not node.startswith("soc"):
            continue
        inner = [f"/{entry}" for entry in files.names(f"{_PLATFORM}/{node}") if "firmware" in entry]
        for place in ("", *inner):
            path = f"{_PLATFORM}/{node}{place}/get_throttled"
            if files.exists(path):
                return path
    return None


def throttled_word(files: KernelFiles, path: str) -> int:
    """The bits of the firmware's word.

    Raises:
        SourceError: it is not the hexadecimal number that it should be.
    """
    content = files.text(path)
    try:
        return int(content, 16)
    except ValueError:
        raise SourceError(
            f"expected a hexadecimal number, found {content[:40]!r}", path=path
        ) from None


def under_voltage(word: int) -> bool:
    """Whether the supply's voltage is too low now."""
    return bool(word & _UNDER_VOLTAGE)


def _counters(files: KernelFiles) -> tuple[str, ...]:
    """One file for each core and one for each package, whose count all its cores repeat."""
    found: list[str] = []
    packages: set[str] = set()
    for name in files.names(_CPUS):
        place = f"{_CPUS}/{name}/thermal_throttle"
        if name[:3] != "cpu" or not name[3:].isdecimal() or not files.exists(place):
            continue
        found.append(f"{place}/core_throttle_count")
        try:
            package = files.text(f"{_CPUS}/{name}/topology/physical_package_id", keep=False)
        except SourceError:
            package = ""
        if package not in packages:
            packages.add(package)
            found.append(f"{place}/package_throttle_count")
    return tuple(found)
