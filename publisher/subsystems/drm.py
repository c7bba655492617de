"""Graphics cards whose drivers tell what they do in sysfs: amdgpu, radeon, nouveau, i915 and xe.

Sources: kernel documentation, gpu/amdgpu/thermal (``gpu_busy_percent``, ``mem_info_vram_*``, the
card's hwmon chip), ABI/testing/sysfs-driver-intel-i915-hwmon and -xe-hwmon, and the frequency
files of i915 (``gt/gt0/rps_*``, ``gt_*_freq_mhz``) and xe (``tile0/gt0/freq0``). Reading some of
them wakes a card: a card that runtime power management has suspended is left
alone and only said to be asleep.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from publisher.errors import AbsentError, SourceError
from publisher.sources import hwmon
from publisher.subsystems.base import Rates, Subsystem

_A = TypeVar("_A")
_T = TypeVar("_T")

_CLASS = "/sys/class/drm"
_CARD = re.compile(r"card\d+")
DRIVERS = ("amdgpu", "radeon", "nouveau", "i915", "xe")
_VENDORS = {"0x1002": "AMD", "0x8086": "Intel", "0x10de": "NVIDIA"}
_RESCAN_SECONDS = 30.0
# amdgpu calls its three sensors so; nouveau, radeon and Intel have one without a name, or "pkg".
_HOT_SPOT, _MEMORY = "junction", ("mem", "vram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What one graphics card tells at one instant; ``None`` for what its driver does not tell.

    Attributes:
        identity: ``<driver>-pci-0300``; the same on every boot.
        pci_address: as ``lspci -D`` shows it, ``0000:03:00.0``.
        name: maker and, where the driver knows it, product.
        asleep: suspended by runtime power management; nothing else is read then.
        temperature_celsius: at the edge of the chip, or its only sensor.
        hot_spot_celsius: the hottest place of the chip.
        power_watts: of the card; on an APU of the whole processor package.
    """

    identity: str
    driver: str
    pci_address: str
    name: str
    asleep: bool = False
    usage_percent: float | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None
    hot_spot_celsius: float | None = None
    memory_temperature_celsius: float | None = None
    fan_speed_rpm: int | None = None
    fan_percent: float | None = None
    power_watts: float | None = None
    frequency_mhz: float | None = None
    frequency_max_mhz: float | None = None


class Drm:
    """The cards of this machine.

    Args:
        subsystem: whose sources are read and whose health is kept.
    """

    def __init__(self, subsystem: Subsystem) -> None:
        self._subsystem = subsystem
        self._files = subsystem.files
        self._devices: list[_Device] = []
        self._names: list[str] | None = None
        self._looked_at = float("-inf")

    def read(self, now: float) -> list[Card]:
        """Every card, in the order of their places on the bus.

        Args:
            now: monotonic seconds.
        """
        if now - self._looked_at >= _RESCAN_SECONDS:
            self._looked_at = now
            names = [name for name in self._files.names(_CLASS) if _CARD.fullmatch(name)]
            if names != self._names:
                self._names = names
                self._devices = self._find(names)
        cards: list[Card] = []
        for device in self._devices:
            try:
                cards.append(device.read(now))
            except AbsentError:  # unplugged, or its driver was unloaded
                self._names, self._looked_at = None, float("-inf")
        return cards

    def _find(self, names: list[str]) -> list[_Device]:
        found: dict[str, _Device] = {}
        for name in names:
            path = self._files.link(f"{_CLASS}/{name}/device")
            driver = (self._files.link(f"{path}/driver") or "").rpartition("/")[2] if path else ""
            if path and driver in DRIVERS:
                found[path] = _Device(self._subsystem, f"{_CLASS}/{name}", path, driver)
        return [found[path] for path in sorted(found)]


class _Device:
    def __init__(self, subsystem: Subsystem, card: str, path: str, driver: str) -> None:
        self._subsystem = subsystem
        self._files = files = subsystem.files
        self._path = path
        self._driver = driver
        self._identity = f"{driver}-{hwmon.address(files, path)}"
        self._sense = f"{subsystem.name}.{self._identity}"
        self._sleep = hwmon.Sleep(files, path)
        self._rates = Rates()
        self._failure: SourceError | None = None
        self._name = self._named()
        self._chips = hwmon.find(files, files.names(f"{path}/hwmon"), within=f"{path}/hwmon")
        base = f"{path}/tile0/gt0/freq0" if driver == "xe" else f"{card}/gt/gt0/rps"
        now, most = {
            "xe": (f"{base}/act_freq", f"{base}/rp0_freq"),
            "i915": (f"{base}_act_freq_mhz", f"{base}_RP0_freq_mhz"),
        }.get(driver, ("", ""))
        if driver == "i915" and not files.exists(now):  # before Linux 5.18
            now, most = f"{card}/gt_act_freq_mhz", f"{card}/gt_RP0_freq_mhz"
        self._frequency = now
        self._most = most
        self._frequency_max: int | None = None

    def read(self, now: float) -> Card:
        if self._sleep.asleep():
            return Card(
                identity=self._identity, driver=self._driver, name=self._name, asleep=True,
                pci_address=self._path.rpartition("/")[2],
            )  # fmt: skip
        if not self._files.exists(self._path):
            raise AbsentError("the card has gone", path=self._path)
        self._failure = None
        temperatures = self._temperatures()
        edge = next(
            (value for label, value in temperatures.items() if label not in (_HOT_SPOT, *_MEMORY)),
            temperatures.get(_HOT_SPOT),
        )
        if self._frequency_max is None and self._most:
            self._frequency_max = self._integer(self._most)
        usage = self._integer(f"{self._path}/gpu_busy_percent")
        card = Card(
            identity=self._identity,
            driver=self._driver,
            pci_address=self._path.rpartition("/")[2],
            name=self._name,
            usage_percent=usage if usage is not None and 0 <= usage <= 100 else None,
            memory_total_bytes=self._integer(f"{self._path}/mem_info_vram_total"),
            memory_used_bytes=self._integer(f"{self._path}/mem_info_vram_used"),
            temperature_celsius=edge,
            hot_spot_celsius=temperatures.get(_HOT_SPOT),
            memory_temperature_celsius=next(
                (temperatures[label] for label in _MEMORY if label in temperatures), None
            ),
            fan_speed_rpm=self._fan_speed(),
            fan_percent=self._fan_percent(),
            power_watts=self._power(now),
            frequency_mhz=self._clock(),
            frequency_max_mhz=self._frequency_max,
        )
        self._subsystem.health[self._sense] = self._failure
        return card

    def _temperatures(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for channel in self._channels("temp"):
            raw = self._try(channel.value, "input")
            value = None if raw is None else self._try(hwmon.celsius, raw)
            if value is not None:
                found[channel.label] = value
        return found

    def _fan_speed(self) -> int | None:
        for channel in self._channels("fan"):
            raw = self._try(channel.value, "input")
            return None if raw is None else self._try(hwmon.rpm, raw)
        return None

    def _fan_percent(self) -> float | None:
        for channel in self._channels("pwm"):
            raw = self._try(channel.value, "")
            return None if raw is None else min(raw, 255) * 100 / 255
        return None

    def _power(self, now: float) -> float | None:
        """Watts as the driver has them, else from its energy counter."""
        for channel in self._channels("power"):
            for attribute in ("input", "average"):
                raw = self._try(channel.value, attribute)
                if raw is not None:
                    return self._try(hwmon.watts, raw)
        # The first counter is the card's; a second one is the chip's alone.
        for channel in self._channels("energy")[:1]:
            raw = self._try(channel.value, "input")
            rate = self._rates.per_second("energy", raw, now)
            return None if rate is None else rate / 1e6
        return None

    def _clock(self) -> float | None:
        if self._frequency:
            return self._integer(self._frequency)
        for channel in self._channels("freq"):  # amdgpu: the shader clock, in hertz
            raw = self._try(channel.value, "input")
            return None if raw is None else raw / 1e6
        return None

    def _channels(self, kind: str) -> list[hwmon.Channel]:
        return [channel for chip in self._chips for channel in chip.of(kind)]

    def _integer(self, path: str) -> int | None:
        return self._try(self._files.integer, path)

    def _try(self, read: Callable[[_A], _T], argument: _A) -> _T | None:
        """What ``read`` gives; ``None`` where the driver has no such value or fails to read it."""
        try:
            return read(argument)
        except AbsentError:
            return None
        except SourceError as error:
            self._failure = error
            return None

    def _named(self) -> str:
        maker = _VENDORS.get(self._text("vendor"), "")
        product = self._text("product_name")
        words = [maker, product if product.isprintable() else ""]
        return " ".join(word for word in words if word) or self._driver

    def _text(self, name: str) -> str:
        try:
            return self._files.text(f"{self._path}/{name}", keep=False)
        except SourceError:
            return ""
