"""Sensor chips of ``/sys/class/hwmon``: who they are, and when they may be read.

Source: kernel documentation, hwmon/sysfs-interface. The number in ``hwmon3`` is the order of
registration, and so are those of I2C buses and SCSI hosts: a chip is known by its driver's name
and the place of its device instead, written as lm-sensors users know it
(``nct6798-isa-0290``, ``k10temp-pci-00c3``), a channel by its label on top of that.

What sleeps is left asleep. A device that runtime power management has suspended is not read, and
a disk's own sensor only right after somebody else used the disk: asking it can restart the timer
that would have spun it down (kernel documentation, hwmon/drivetemp), and wakes an NVMe controller
from its low power states. A chip that takes long to answer is asked less often.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter, deque
from dataclasses import dataclass, field

from publisher.errors import AbsentError, SourceError
from publisher.sources.files import KernelFiles

CLASS = "/sys/class/hwmon"

_ATTRIBUTE = re.compile(r"(temp|fan|pwm|power|energy|freq)(\d+)(?:_(\w+))?")
_PCI = re.compile(r"([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_SCSI = re.compile(r"\d+:\d+:\d+:\d+")
_USB = re.compile(r"\d+-([\d.]+)(?::[\d.]+)?")
_I2C_CLIENT = re.compile(r"(?:\d+-([0-9a-f]{4})|i2c-(\w+:\w+))")
_I2C_ADAPTER = re.compile(r"i2c-\d+")
_ADAPTER_WORDS = frozenset({"adapter", "at", "bus", "driver", "i2c", "smbus"})
_NUMBERED = re.compile(r"(.+)\.(\d+)")
_ATA = re.compile(r"ata\d+")
_WORLD_WIDE_NAME = re.compile(r"(?:naa|eui)\.([0-9a-f]+)")

# Reading asks the disk itself; likewise slow buses and firmware calls that stop the processor.
_LONGEST_PERIOD = 60.0
_DISKS = ("drivetemp", "nvme")
_PERIODS = {"drivetemp": _LONGEST_PERIOD, "nvme": 30.0}
_PERIODS |= dict.fromkeys(("dell_smm", "jc42", "spd5118"), 10.0)
# A chip may keep a thread waiting for this share of the time.
_SHARE = 0.0025
_RESCAN_SECONDS = 30.0
# Boards with one of these name each rail that it measures (Jetson: VDD_IN, VDD_CPU_GPU_CV).
_RAIL_CHIPS = ("ina3221",)
_RAIL_LABEL = re.compile(r"in(\d+)_label")
# A disk's last temperature holds this long when it is not used and therefore not asked.
_REST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Channel:
    """One sensor of a chip.

    Attributes:
        kind: ``temp``, ``fan``, ``pwm``, ``power``, ``energy`` or ``freq``.
        label: what the driver calls it, else kind and number.
        identity: ``<chip>/<label>``; the same on every boot.
        attributes: the files that the driver offers for it, without ``temp1_``.
    """

    kind: str
    number: int
    label: str
    identity: str
    attributes: frozenset[str]
    base: str
    files: KernelFiles = field(repr=False, compare=False)

    def value(self, attribute: str, *, keep: bool = True) -> int | None:
        """The whole number in one of its files; ``None`` where the driver has no such file.

        Raises:
            SourceError: the driver does not answer; ``AbsentError`` when nothing is connected.
        """
        if attribute not in self.attributes:
            return None
        return self.files.integer(f"{self.base}_{attribute}" if attribute else self.base, keep=keep)

    def limit(self, *attributes: str) -> int | None:
        """The first of these limits that the driver gives."""
        for attribute in attributes:
            try:
                value = self.value(attribute, keep=False)
            except SourceError:
                continue
            if value is not None:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Rail(Channel):
    """A supply rail's power on a chip that measures voltage and current apart."""

    def value(self, attribute: str, *, keep: bool = True) -> int | None:
        """Microwatts, as ``power*_input`` has them elsewhere."""
        if attribute not in self.attributes:
            return None
        number = self.base.rpartition("in")[2]
        home = self.base.removesuffix(f"in{number}")
        millivolts = self.files.integer(f"{self.base}_input", keep=keep)
        return millivolts * self.files.integer(f"{home}curr{number}_input", keep=keep)


class Sleep:
    """Whether runtime power management has suspended a device, or the PCI device that carries it.

    Source: ``power/runtime_status`` (kernel documentation, ABI/testing/sysfs-devices-power).
    """

    def __init__(self, files: KernelFiles, device: str) -> None:
        self._files = files
        parts = device.split("/")
        places = [device] if device else []
        places += [
            "/".join(parts[: index + 1])
            for index in range(len(parts) - 1, 2, -1)
            if _PCI.fullmatch(parts[index])
        ][:1]
        self._states = tuple(
            f"{place}/power/runtime_status" for place in dict.fromkeys(places) if self._may(place)
        )

    def asleep(self) -> bool:
        return any(
            self._files.read(path).startswith(b"suspend")  # "suspended", "suspending"
            for path in self._states
        )

    def _may(self, place: str) -> bool:
        try:
            return self._files.text(f"{place}/power/runtime_status", keep=False) != "unsupported"
        except SourceError:
            return False


class Chip:
    """One sensor chip: its channels, and whether now is a time to read them.

    Attributes:
        name: the driver's name for it.
        identity: ``<name>-<address>``; the same on every boot.
        path: the directory that holds its files.
        device: the device it measures, ``""`` for a chip without one.
        graphics: it belongs to a graphics card.
        model: of the disk that it is part of; empty for other chips.
    """

    def __init__(
        self, files: KernelFiles, *, name: str, identity: str, path: str, device: str
    ) -> None:
        self.name = name
        self.identity = identity
        self.path = path
        self.device = device
        self.graphics = bool(device and files.names(f"{device}/drm"))
        self.channels = _channels(files, path, identity)
        if name in _RAIL_CHIPS:
            self.channels += _rails(files, path, identity)
        self._files = files
        self._sleep = Sleep(files, device)
        self.model = ""
        self._activity: tuple[str, ...] = ()
        if name in _DISKS:
            self._activity = _activity(files, device)
            with contextlib.suppress(SourceError):
                self.model = files.text(f"{device}/model", keep=False)
        self._seen: tuple[bytes, ...] | None = None
        self._next = float("-inf")
        self._read_at = float("-inf")
        self._costs: deque[float] = deque(maxlen=4)

    def of(self, kind: str) -> list[Channel]:
        """Its channels of one kind, in the driver's order."""
        return [channel for channel in self.channels if channel.kind == kind]

    def due(self, now: float) -> bool:
        """Whether it is time to read it, and nothing speaks against it."""
        if self._activity:
            # The block layer's own counters; reading them does not reach the disk.
            counters = tuple(self._files.read(path) for path in self._activity)
            used = self._seen is not None and counters != self._seen
            self._seen = counters
            if not used:
                return False
        return now >= self._next and not self.asleep()

    def asleep(self) -> bool:
        """Whether runtime power management has suspended its device."""
        return self._sleep.asleep()

    def was_read(self, now: float, seconds: float) -> None:
        """Takes note that it was read at ``now``, which took ``seconds``; a slow one gets rest."""
        # A chip is slow if it always is; one long read says that the machine was busy.
        self._costs.append(seconds)
        cost = min(self._costs) if len(self._costs) == self._costs.maxlen else 0.0
        self._read_at = now
        pause = max(_PERIODS.get(self.name, 0.0), min(cost / _SHARE, _LONGEST_PERIOD))
        # Samples come a little early or late; a pause of 10 s means the fifth of every 2 s.
        self._next = now + pause * 0.95

    def stale(self, now: float) -> bool:
        """Whether what was last read says nothing about now any more."""
        return now - self._read_at > _REST_SECONDS if self._activity else self.asleep()

    @property
    def rest(self) -> AbsentError:
        """Why there is no value now."""
        if self._activity:
            return AbsentError("the disk is at rest; asking could keep it from sleeping")
        return AbsentError("its device is suspended; asking would wake it")


class Hwmon:
    """All chips of this machine, looked for again when some came or went."""

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self._names: list[str] | None = None
        self._looked_at = float("-inf")
        self._chips: list[Chip] = []

    def chips(self, now: float, *, again: bool = False) -> list[Chip]:
        """The chips, in a stable order.

        Args:
            now: monotonic seconds.
            again: look now, since one has gone.
        """
        if again or now - self._looked_at >= _RESCAN_SECONDS:
            self._looked_at = now
            names = self._files.names(CLASS)
            if again or names != self._names:
                self._names = names
                self._chips = find(self._files, names)
        return self._chips


def find(files: KernelFiles, names: list[str], *, within: str = CLASS) -> list[Chip]:
    """The chips of these names (``hwmon3``) in a directory, sorted by identity."""
    found: list[tuple[str, str, str, str]] = []
    for entry in names:
        path = files.link(f"{within}/{entry}")
        if path is None:
            continue
        device = files.link(f"{path}/device") or ""
        # Drivers of the old style have their files with the device.
        for home in (path, device):
            try:
                name = files.text(f"{home}/name", keep=False) if home else ""
            except SourceError:
                continue
            if name:
                found.append((f"{slug(name)}-{address(files, device)}", name, home, device))
                break
    chips: list[Chip] = []
    twins: Counter[str] = Counter()
    for identity, name, home, device in sorted(found, key=lambda item: (item[0], item[3])):
        twins[identity] += 1
        own = identity if twins[identity] == 1 else f"{identity}-{twins[identity]}"
        chips.append(Chip(files, name=name, identity=own, path=home, device=device))
    return chips


def slug(label: str) -> str:
    """A label as part of an identity: lower case, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9._]+", "-", label.lower()).strip("-") or "unnamed"


def address(files: KernelFiles, device: str) -> str:
    """Where a device sits, in words that do not change with the order of drivers.

    Args:
        files: to read names of I2C adapters and disks with.
        device: its path below ``/sys/devices``; empty for none.
    """
    parts = device.split("/")
    for index in range(len(parts) - 1, 2, -1):
        part = parts[index]
        here = "/".join(parts[: index + 1])
        if match := _PCI.fullmatch(part):
            domain, bus, slot, function = (int(word, 16) for word in match.groups())
            return f"pci-{domain << 16 | bus << 8 | slot << 3 | function:04x}"
        if _SCSI.fullmatch(part):
            return _disk_address(files, parts, here)
        if match := _I2C_CLIENT.fullmatch(part):
            where = f"{int(match[1], 16):02x}" if match[1] else slug(match[2])
            return f"i2c-{_adapter_address(files, parts[:index])}-{where}"
        if match := _USB.fullmatch(part):
            # The bus has a number of its own; what it hangs on has a place.
            controller = "/".join(
                parts[: next(i for i in range(3, index + 1) if "usb" in parts[i])]
            )
            return f"usb-{address(files, controller)}-{match[1]}"
        if parts[index - 1] == "platform":
            if match := _NUMBERED.fullmatch(parts[-1]):
                return f"isa-{int(match[2]):04x}"
            return f"platform-{slug(parts[-1])}"
        if part.startswith(("PNP", "ACPI", "LNX")):
            return f"acpi-{slug(part)}"
    return "virtual"


def _adapter_address(files: KernelFiles, parts: list[str]) -> str:
    """Where an I2C adapter sits: its parent, and its own name where that has several.

    The adapter's number counts registrations. An adapter behind a multiplexer has another one as
    its parent.
    """
    while parts and not _I2C_ADAPTER.fullmatch(parts[-1]):
        parts = parts[:-1]
    if not parts:
        return "bus"
    try:
        name = files.text("/".join([*parts, "name"]), keep=False)
    except SourceError:
        name = ""
    words = slug(_I2C_ADAPTER.sub("", name)).split("-")
    name = "-".join(word for word in words if word not in _ADAPTER_WORDS) or "bus"
    parent = "/".join(parts[:-1])
    if _I2C_ADAPTER.fullmatch(parts[-2]):
        return f"{_adapter_address(files, parts[:-1])}-{name}"
    where = address(files, parent)
    if where == "virtual":
        return name
    siblings = [entry for entry in files.names(parent) if _I2C_ADAPTER.fullmatch(entry)]
    return where if len(siblings) < 2 else f"{where}-{name}"


def _disk_address(files: KernelFiles, parts: list[str], here: str) -> str:
    with contextlib.suppress(SourceError):
        if match := _WORLD_WIDE_NAME.match(files.text(f"{here}/wwid", keep=False).lower()):
            return f"disk-{match[1]}"
    port = next((part for part in parts if _ATA.fullmatch(part)), "")
    return f"disk-{port}" if port else f"disk-{slug(parts[-1])}"


def _channels(files: KernelFiles, path: str, chip: str) -> list[Channel]:
    attributes: dict[tuple[str, int], set[str]] = {}
    for entry in files.names(path):
        if match := _ATTRIBUTE.fullmatch(entry):
            attributes.setdefault((match[1], int(match[2])), set()).add(match[3] or "")
    channels: list[Channel] = []
    taken: set[str] = set()
    for (kind, number), offered in sorted(attributes.items()):
        label = f"{kind}{number}"
        if "label" in offered:
            with contextlib.suppress(SourceError):
                label = files.text(f"{path}/{kind}{number}_label", keep=False) or label
        identity = f"{chip}/{slug(label)}"
        if (kind + identity) in taken:  # a fan and a temperature may share a label
            identity = f"{identity}-{kind}{number}"
        taken.add(kind + identity)
        channels.append(
            Channel(kind, number, label, identity, frozenset(offered), f"{path}/{kind}{number}",
                    files)
        )  # fmt: skip
    return channels


def _rails(files: KernelFiles, path: str, chip: str) -> list[Channel]:
    names = files.names(path)
    rails: list[Channel] = []
    for entry in sorted(names):
        match = _RAIL_LABEL.fullmatch(entry)
        if not match or f"curr{match[1]}_input" not in names:
            continue
        with contextlib.suppress(SourceError):
            label = files.text(f"{path}/{entry}", keep=False)
            identity, number = f"{chip}/{slug(label)}", int(match[1])
            known = frozenset({"input"})
            rails.append(Rail("power", number, label, identity, known, f"{path}/in{number}", files))
    return rails


def _activity(files: KernelFiles, device: str) -> tuple[str, ...]:
    """The I/O counters of a disk: a SCSI device has them in ``block/``, NVMe in its namespaces."""
    disks = [f"{device}/block/{name}" for name in files.names(f"{device}/block")]
    disks += [f"{device}/{name}" for name in files.names(device) if name.startswith("nvme")]
    return tuple(f"{disk}/stat" for disk in disks if files.exists(f"{disk}/stat"))
