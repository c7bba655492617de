"""One GPU of a DRM driver: what its files and its sensor chip tell, value by value.

A value that cannot be read is left out alone. Drivers answer "invalid argument" or "not
supported" for what a chip lacks: that is no fault. What else goes wrong is kept as the card's
``failure``, and read again with the next look.
"""

from __future__ import annotations

import errno
import re
from typing import Any

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import gpu_use as gpu
from publisher.sources import hwmon
from publisher.sources.files import KernelFiles
from publisher.sources.gpu_use import Cadence, Facts, GpuLook, GpuUse, Rest

CLASS = "/sys/class/drm"
_GT = re.compile(r"gt\d+")
_VENDORS = {"panfrost": "Arm", "panthor": "Arm", "lima": "Arm", "msm": "Qualcomm",
            "v3d": "Broadcom", "etnaviv": "Vivante", "asahi": "Apple"}  # fmt: skip
# Drivers that tell of no client at all: who has it open does not show, nor whether it works.
_MUTE = ("radeon",)
# What drivers answer for what a chip, or its present state, does not have.
_LACKING = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENODATA, errno.EBUSY, errno.EAGAIN}


class Card:
    """One GPU and what its driver tells of it beside its sensor chip."""

    def __init__(self, files: KernelFiles, name: str, device: str, driver: str) -> None:
        self.files = files
        self.card = f"{CLASS}/{name}"
        self.device = device
        self.name = device.rpartition("/")[2]
        self.rest = Rest(files, device, driver)
        self.cadence = Cadence()
        self.driver = driver
        self._identity: Facts | None = None
        self._facts: Facts = {}
        self._slow: Facts = {}
        self._chips: list[hwmon.Chip] | None = None
        self._energy: dict[str, tuple[float, int]] = {}
        self._limits: dict[tuple[str, str], int | None] = {}
        self._failing: dict[str, str] = {}
        self.calm = False
        """It does next to nothing, whatever its counter says."""

    @property
    def failure(self) -> SourceError | None:
        """What its driver fails to tell while it tells the rest."""
        if not self._failing:
            return None
        reason = next(iter(self._failing.values()))
        return SourceError(
            f"its driver fails to tell {', '.join(self._failing)}: {reason}",
            path=self.device,
            remedy="see the kernel's log (dmesg); it is asked again by itself",
        )

    @property
    def nodes(self) -> list[str]:
        """Its device files, such as ``renderD128``."""
        return self.files.names(f"{self.device}/drm")

    @property
    def known(self) -> Facts:
        """Who it is, without a look."""
        return {"driver": self.driver} | (self._identity or {})

    @property
    def identity(self) -> Facts:
        """Who it is, which wakes nobody."""
        if self._identity is None:
            self._identity = self._who()
        return self._identity

    def look(self, now: float) -> Facts:
        """Its values now; when it sleeps or rests, only who it is."""
        state = self.rest.state(now)
        if state != gpu.ACTIVE:
            self._facts = {}
            return self.identity | {"state": state}
        usage = self.usage(now)
        if self.cadence.all_due(now, busy=not self.calm and (usage is None or usage > 0)):
            if self.cadence.slow_due(now):
                self._slow = self.slow()
                self.cadence.slow_read(now)
            self._facts = self.values() | self._sensors(now) | self._slow
            self.cadence.all_read(now, self._facts.get("temperature_celsius"))
        self._facts["usage_percent"] = usage
        known = {key: value for key, value in self._facts.items() if value is not None}
        return self.identity | {"state": state} | known

    def usage(self, now: float) -> float | None:
        """How busy it is; ``None`` where the driver has no counter for it."""
        del now
        return None

    def slowest(self) -> bool:
        """Whether its clock stands at the lowest of several levels, as at rest."""
        return False

    def untold(self) -> SourceError | None:
        """Why its users' engine time is not told, if its driver has a switch for that."""
        switch = f"{self.device}/profiling"
        if self.driver not in _PROFILED or self.text(switch) != "0":
            return None
        return AbsentError(
            "its driver does not measure who works, which takes a little power",
            path=switch,
            remedy=f"echo 1 > {switch}",
        )

    def values(self) -> Facts:
        """What moves, beside the sensor chip."""
        return {}

    def slow(self) -> Facts:
        """What hardly ever moves."""
        return self.link()

    def used_by(self, facts: Facts, users: dict[int, GpuUse], *, complete: bool) -> GpuLook:
        """The look, completed by what only the users tell.

        Args:
            facts: what the driver tells.
            users: who has it open.
            complete: nobody else can have it open.
        """
        facts = dict(facts)
        told = [use.percent for use in users.values() if use.percent is not None]
        if "usage_percent" not in facts and (
            told or (complete and not users and self.driver not in _MUTE)
        ):
            facts["usage_percent"] = min(sum(told), 100.0)
        for field, shares in (
            ("encoder_percent", [use.encode_percent for use in users.values()]),
            ("decoder_percent", [use.decode_percent for use in users.values()]),
        ):
            told = [share for share in shares if share is not None]
            if told:
                facts[field] = min(sum(told), 100.0)
        facts["process_count"] = len(users)
        return GpuLook(facts, users)

    def number(self, path: str, *, keep: bool = True) -> int | None:
        name = path.rpartition("/")[2]
        try:
            value = self.files.integer(path, keep=keep)
        except SourceError as error:
            self._note(name, error)
            return None
        if self._failing:
            self._failing.pop(name, None)
        return value

    def _note(self, name: str, error: SourceError) -> None:
        cause = error.__cause__
        lacking = isinstance(cause, OSError) and cause.errno in _LACKING
        if lacking or isinstance(error, AbsentError | DeniedError):
            self._failing.pop(name, None)
        else:
            self._failing[name] = error.what

    def text(self, path: str) -> str:
        try:
            return self.files.text(path, keep=False)
        except SourceError:
            return ""

    def link(self) -> Facts:
        """The PCI Express link, now and at best; a laptop's own GPU has none."""
        facts: Facts = {}
        for which, suffix in (("current", ""), ("max", "_max")):
            speed = self.text(f"{self.device}/{which}_link_speed").partition(" ")[0]
            if speed in _GENERATIONS:
                facts[f"pcie_generation{suffix}"] = _GENERATIONS[speed]
            width = self.number(f"{self.device}/{which}_link_width", keep=False)
            facts[f"pcie_width{suffix}"] = width if width and width < 255 else None
        return facts

    def throttling(self, directory: str, prefix: str) -> Facts:
        """Intel's drivers have one file for each reason to hold the clocks down."""
        if self.number(f"{directory}/{prefix}status") is None:
            return {}
        reasons = [
            name[len(prefix) :]
            for name in self.files.names(directory)
            if name.startswith(prefix)
            and name != f"{prefix}status"
            and self.number(f"{directory}/{name}") == 1
        ]
        return {
            "throttle_reasons": ", ".join(_INTEL_REASONS.get(name, name) for name in reasons),
            "thermal_throttling": any(name in _INTEL_HEAT for name in reasons),
        }

    def _who(self) -> Facts:
        vendor = self.text(f"{self.device}/vendor")
        known = gpu.vendor_name(int(vendor, 16)) if _IDENTITY.fullmatch(vendor) else None
        product = self.text(f"{self.device}/product_name")
        name = product or gpu.pci_name(self.files, self.device)
        facts: Facts = {
            "name": name,
            "vendor": known or _VENDORS.get(self.driver),
            "driver": self.driver,
            "uuid": self.text(f"{self.device}/unique_id") or None,
        }
        return {key: value for key, value in facts.items() if value is not None}

    def _sensors(self, now: float) -> Facts:
        if self._chips is None:
            home = f"{self.device}/hwmon"
            self._chips = hwmon.find(self.files, self.files.names(home), within=home)
        facts: Facts = {}
        for chip in self._chips:
            for channel in chip.channels:
                name = f"{channel.kind}{channel.number}"
                try:
                    self._channel(channel, now, facts)
                except SourceError as error:
                    self._note(name, error)
                else:
                    self._failing.pop(name, None)
        return facts

    def _channel(self, channel: hwmon.Channel, now: float, facts: Facts) -> None:
        if channel.kind == "temp":
            field = _TEMPERATURES.get(channel.label, "temperature_celsius")
            if limit := self._limit(channel, "crit", "emergency", "max"):
                facts.setdefault(_LIMITS[field], limit / 1000)
            if field not in facts and (value := channel.value("input")) is not None:
                facts[field] = value / 1000
        elif channel.kind == "fan":
            speed = channel.value("input")
            if speed is not None:
                facts["fan_speed_rpm"] = max(speed, facts.get("fan_speed_rpm", 0))
        elif channel.kind == "pwm":
            duty = channel.value("")
            if duty is not None:
                facts["fan_percent"] = 100 * duty / (self._limit(channel, "max") or 255)
        elif channel.kind == "power":
            if limit := self._limit(channel, "cap", "max"):
                facts.setdefault("power_limit_watts", limit / 1e6)
            if (drawn := _drawn(channel)) is not None:
                facts.setdefault("power_watts", drawn / 1e6)
        elif channel.kind == "energy" and channel.number == 1:
            power = self._power(channel, now)
            if power is not None:
                facts.setdefault("power_watts", power)

    def _limit(self, channel: hwmon.Channel, *attributes: str) -> int | None:
        key = (channel.kind, channel.identity)
        if self._limits.get(key) is None:
            self._limits[key] = channel.limit(*attributes)
        return self._limits[key]

    def _power(self, channel: hwmon.Channel, now: float) -> float | None:
        """Power from the growth of an energy counter, in microjoules."""
        energy = channel.value("input")
        before = self._energy.get(channel.identity)
        if energy is None:
            return None
        self._energy[channel.identity] = (now, energy)
        if before is None or now <= before[0] or energy < before[1]:
            return None
        return (energy - before[1]) / (now - before[0]) / 1e6


class Amd(Card):
    """amdgpu: busy shares, video memory and clocks as plain files."""

    def usage(self, now: float) -> float | None:
        del now
        return self.number(f"{self.device}/gpu_busy_percent")

    def values(self) -> Facts:
        total = self.number(f"{self.device}/mem_info_vram_total", keep=False)
        used = self.number(f"{self.device}/mem_info_vram_used")
        return {
            "memory_controller_percent": self.number(f"{self.device}/mem_busy_percent"),
            "memory_total_bytes": total,
            "memory_used_bytes": used,
            "memory_used_percent": 100 * used / total if total and used is not None else None,
            "graphics_clock_mhz": self._clock("sclk"),
            "memory_clock_mhz": self._clock("mclk"),
        }

    def slowest(self) -> bool:
        levels = self.text(f"{self.device}/pp_dpm_sclk").splitlines()
        return len(levels) > 1 and levels[0].endswith("*")

    def _clock(self, name: str) -> float | None:
        """The active level of a clock, which the driver marks with an asterisk."""
        table = self.text(f"{self.device}/pp_dpm_{name}")
        active = re.search(r"(\d+)Mhz \*", table)
        return float(active[1]) if active else None


class Intel(Card):
    """i915 and xe: time asleep (RC6) as the counterpart of busy, actual and highest clock."""

    def __init__(self, files: KernelFiles, name: str, device: str, driver: str) -> None:
        super().__init__(files, name, device, driver)
        self._residencies: dict[str, tuple[float, int]] = {}
        self._tiles: list[dict[str, str]] | None = None

    def usage(self, now: float) -> float | None:
        """The share of time in which the busiest of its parts was not in its idle state."""
        shares = [
            share for tile in self._parts() if (share := self._awake(tile["idle"], now)) is not None
        ]
        return max(shares) if shares else None

    def values(self) -> Facts:
        facts: Facts = {}
        for tile in self._parts()[:1]:
            facts["graphics_clock_mhz"] = self.number(tile["actual"])
            facts["graphics_clock_max_mhz"] = self.number(tile["highest"], keep=False)
            facts |= self.throttling(tile["throttle"], tile["prefix"])
        return facts

    def _awake(self, path: str, now: float) -> float | None:
        idle = self.number(path)
        before = self._residencies.get(path)
        if not idle:  # one that has never slept cannot: RC6 is switched off, or not counted
            return None
        self._residencies[path] = (now, idle)
        if before is None or now <= before[0] or idle < before[1]:
            return None
        share = 100 - (idle - before[1]) / (now - before[0]) / 10
        # The driver rounds to milliseconds and reads a little late.
        return 0.0 if share < 2 else min(share, 100.0)

    def _parts(self) -> list[dict[str, str]]:
        if self._tiles is None:
            self._tiles = [
                {
                    "idle": f"{home}/rc6_residency_ms",
                    "actual": f"{home}/rps_act_freq_mhz",
                    "highest": f"{home}/rps_RP0_freq_mhz",
                    "throttle": home,
                    "prefix": "throttle_reason_",
                }
                for name in self.files.names(f"{self.card}/gt")
                if (home := f"{self.card}/gt/{name}")
            ] or [
                {
                    "idle": f"{home}/gtidle/idle_residency_ms",
                    "actual": f"{home}/freq0/act_freq",
                    "highest": f"{home}/freq0/rp0_freq",
                    "throttle": f"{home}/freq0/throttle",
                    "prefix": "reason_",
                }
                for tile in self.files.names(self.device)
                if tile.startswith("tile")
                for name in self.files.names(f"{self.device}/{tile}")
                if _GT.fullmatch(name) and (home := f"{self.device}/{tile}/{name}")
            ]
        return self._tiles


_IDENTITY = re.compile(r"0x[0-9a-fA-F]{1,8}")
# Arm's drivers count engine time only when told to (kernel documentation, gpu/panfrost, panthor).
_PROFILED = {"panfrost", "panthor"}
_GENERATIONS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}
_TEMPERATURES = {
    "junction": "hotspot_temperature_celsius",
    "mem": "memory_temperature_celsius",
    "vram": "memory_temperature_celsius",
}
_LIMITS = {
    "temperature_celsius": "slowdown_temperature_celsius",
    "hotspot_temperature_celsius": "hotspot_temperature_limit_celsius",
    "memory_temperature_celsius": "memory_temperature_limit_celsius",
}
_INTEL_REASONS = {
    "pl1": "power limit", "pl2": "power limit for bursts", "pl4": "peak current limit",
    "thermal": "heat", "prochot": "heat, held by the platform", "ratl": "average heat",
    "vr_thermalert": "heat of the voltage regulator", "vr_tdc": "current limit",
}  # fmt: skip
_INTEL_HEAT = {"thermal", "prochot", "ratl", "vr_thermalert"}


def _drawn(channel: hwmon.Channel) -> int | None:
    """Power in microwatts: an average, else what is drawn now."""
    try:
        average = channel.value("average")
    except SourceError:
        if "input" not in channel.attributes:
            raise
        average = None
    return channel.value("input") if average is None else average


def card_of(files: KernelFiles, name: str, device: str, driver: str) -> Card:
    """The card of this name (``card0``), with what its driver can tell."""
    kinds: dict[str, Any] = {"amdgpu": Amd, "i915": Intel, "xe": Intel}
    card: Card = kinds.get(driver, Card)(files, name, device, driver)
    return card
