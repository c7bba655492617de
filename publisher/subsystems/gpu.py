"""GPUs: how busy, hot and loud each one is, and who uses it, without waking any.

Sources: NVIDIA's management library (``publisher.sources.nvml``); the kernel's graphics drivers
(``publisher.sources.drm``). docs/gpu.md tells what each driver gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from publisher.contract.metric import (
    Reading,
    celsius,
    choice,
    flag,
    gauge,
    instances,
    megahertz,
    percent,
    reading,
    records,
    rpm,
    size,
    text,
    watts,
)
from publisher.contract.readings import ConsumerReading
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources
from publisher.sources.drm import Cards
from publisher.sources.gpu_use import (
    ACTIVE,
    ASLEEP,
    LOST,
    RESTING,
    UNREACHABLE,
    GpuLook,
    GpuUse,
    Shares,
)
from publisher.sources.nvml import Nvidia, by_pid
from publisher.subsystems.base import Subsystem, told

# Users as they were so long ago say nothing about now.
_STALE_SECONDS = 15.0


@reading
class GpuDeviceReading(Reading):
    """One GPU; its identity is its PCI address, else what its driver knows it by."""

    # Home Assistant shows the topic's own numbers unasked, which on most machines are the same.

    state: str | None = choice(
        "State",
        "Whether it works, is idle and left alone so that it can sleep, sleeps, has been lost "
        "from its bus, or cannot be reached because its driver does not answer.",
        options=(ACTIVE, RESTING, ASLEEP, LOST, UNREACHABLE),
        icon="mdi:expansion-card",
    )
    label: str | None = text(
        "Label", "What the configuration calls it; absent where it does not.", triggers=False
    )
    name: str | None = text("Name", "The product's name.", diagnostic=True)
    vendor: str | None = text("Vendor", "Who made the GPU.", diagnostic=True)
    driver: str | None = text("Driver", "The kernel driver, with its version.", diagnostic=True)
    uuid: str | None = text("UUID", "The GPU's own serial identity.", diagnostic=True)
    usage_percent: float | None = percent(
        "Usage",
        "Time in which it executed anything; in Intel's case, was not asleep.",
        deadband=5,
        icon="mdi:expansion-card",
    )
    memory_controller_percent: float | None = percent(
        "Memory controller", "Time in which its memory was read or written."
    )
    encoder_percent: float | None = percent("Encoder", "Use of its video encoders.", deadband=10)
    decoder_percent: float | None = percent("Decoder", "Use of its video decoders.", deadband=10)
    memory_total_bytes: int | None = size("Memory", "Memory of its own.", diagnostic=True)
    memory_used_bytes: int | None = size(
        "Memory used", "Its own memory in use.", deadband=64 << 20, deadband_percent=5
    )
    memory_used_percent: float | None = percent(
        "Memory usage",
        "Its own memory in use, of all there is.",
        precision=1,
        deadband=5,
        icon="mdi:memory",
    )
    temperature_celsius: float | None = celsius(
        "Temperature", "Of the chip; on AMD of its edge.", deadband=2
    )
    hotspot_temperature_celsius: float | None = celsius(
        "Hotspot", "The chip's hottest spot.", deadband=3
    )
    memory_temperature_celsius: float | None = celsius(
        "Memory temperature", "Of its memory chips.", deadband=3
    )
    slowdown_temperature_celsius: float | None = celsius(
        "Slowdown temperature", "From here on it slows itself down.", diagnostic=True
    )
    shutdown_temperature_celsius: float | None = celsius(
        "Shutdown temperature", "From here on it switches itself off.", diagnostic=True
    )
    hotspot_temperature_limit_celsius: float | None = celsius(
        "Hotspot limit", "Highest temperature that its hottest spot may have.", diagnostic=True
    )
    memory_temperature_limit_celsius: float | None = celsius(
        "Memory temperature limit", "Highest temperature that its memory may have.", diagnostic=True
    )
    fan_percent: float | None = percent(
        "Fan",
        "The fastest fan's intended speed, of its highest; absent on passive cards.",
        deadband=5,
        icon="mdi:fan",
    )
    fan_speed_rpm: int | None = rpm("Fan speed", "Where the driver has a tachometer.", deadband=150)
    power_watts: float | None = watts(
        "Power",
        "What the card draws; the chip alone where the driver knows no more.",
        deadband=5,
        deadband_percent=5,
    )
    power_limit_watts: float | None = watts(
        "Power limit", "What it may draw.", precision=0, diagnostic=True
    )
    graphics_clock_mhz: float | None = megahertz("Graphics clock", "Speed of its cores.")
    graphics_clock_max_mhz: float | None = megahertz(
        "Highest graphics clock", "Fastest speed of its cores.", diagnostic=True
    )
    memory_clock_mhz: float | None = megahertz("Memory clock", "Speed of its memory.")
    performance_state: str | None = text(
        "Performance state",
        "NVIDIA's word: P0 is the fastest, P8 is usual at idle.",
        triggers=False,
    )
    throttle_reasons: str | None = text(
        "Throttled by",
        "What holds the clocks down, in words; empty when nothing does.",
        triggers=False,
    )
    thermal_throttling: bool | None = flag(
        "Throttled by heat", "Heat holds the clocks down.", icon="mdi:thermometer-alert"
    )
    pcie_generation: int | None = gauge("PCIe generation", "Of the link now; it rests at idle.")
    pcie_generation_max: int | None = gauge(
        "Highest PCIe generation", "That card and slot can do.", diagnostic=True
    )
    pcie_width: int | None = gauge("PCIe width", "Lanes of the link now.")
    pcie_width_max: int | None = gauge(
        "Largest PCIe width", "Lanes that card and slot have.", diagnostic=True
    )
    mig: bool | None = flag(
        "MIG", "It is split into instances; NVIDIA then tells no utilization.", diagnostic=True
    )
    process_count: int | None = gauge("Processes", "Processes that use it.", precision=0)


@reading
class GpuReading(Reading):
    """All GPUs together, and each one."""

    usage_percent: float | None = percent(
        "Usage",
        "Of the busiest GPU.",
        deadband=5,
        headline=True,
        enabled=True,
        icon="mdi:expansion-card",
    )
    encoder_percent: float | None = percent(
        "Encoder", "Use of the busiest video encoder.", deadband=10
    )
    decoder_percent: float | None = percent(
        "Decoder", "Use of the busiest video decoder.", deadband=10
    )
    memory_used_percent: float | None = percent(
        "Memory usage",
        "Of the GPU whose memory is fullest.",
        precision=1,
        deadband=5,
        headline=True,
        icon="mdi:memory",
    )
    temperature_celsius: float | None = celsius(
        "Temperature", "Of the hottest GPU.", deadband=2, headline=True, enabled=True
    )
    fan_percent: float | None = percent(
        "Fan", "The fastest GPU fan's intended speed.", deadband=5, headline=True, icon="mdi:fan"
    )
    fan_speed_rpm: int | None = rpm("Fan speed", "Of the fastest GPU fan.", deadband=150)
    power_watts: float | None = watts(
        "Power", "What all GPUs draw together.", deadband=5, deadband_percent=5, headline=True
    )
    thermal_throttling: bool | None = flag(
        "Throttled by heat", "Heat holds some GPU's clocks down.", icon="mdi:thermometer-alert"
    )
    devices: dict[str, GpuDeviceReading] = instances(
        GpuDeviceReading, "GPUs", "Every GPU by its PCI address."
    )
    top: tuple[ConsumerReading, ...] | None = records(
        ConsumerReading, "Top", "Who uses the GPUs most.", default=None
    )


class Gpu(Subsystem):
    name = "gpu"
    reading = GpuReading
    blocking = True
    top_by = "gpu_percent"

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._nvidia = Nvidia(self.files, sources.monotonic, sources.wall)
        self._cards = Cards(self.files, sources.monotonic)
        self._shares: dict[str, Shares] = {}
        self._users: tuple[float, Mapping[int, GpuUse]] = (float("-inf"), {})

    def read(self) -> GpuReading:
        looks: dict[str, GpuLook] = {}
        nvidia: SourceError | None = None
        cards: SourceError | None = None
        try:
            looks |= self._nvidia.look()
            nvidia = self._nvidia.failure
        except Exception as error:  # noqa: BLE001  # the cards of other makers are there still
            nvidia = told(error, self.files.newest)
        try:
            looks |= self._cards.look(skip=tuple(looks))
        except Exception as error:  # noqa: BLE001  # and those of this one
            cards = told(error, self.files.newest)
        if cards is not None or "gpu.cards" in self.health:
            self.health["gpu.cards"] = cards
        if not looks:
            self._users = (self.sources.monotonic(), {})
            raise cards or self._nothing(nvidia)
        self.health["gpu.nvidia"] = nvidia
        looks = self._wanted(looks)
        if isinstance(nvidia, AbsentError) and not self._nvidia.likely():
            del self.health["gpu.nvidia"]  # these GPUs are of another maker
        self._report(looks)
        shared = {address: self._share(address, look) for address, look in looks.items()}
        self._users = (self.sources.monotonic(), by_pid(shared))
        devices = {address: GpuDeviceReading(**look.facts) for address, look in looks.items()}
        return _together(devices)

    def _wanted(self, looks: dict[str, GpuLook]) -> dict[str, GpuLook]:
        """Those that the user does not want to be left alone.

        Raises:
            AbsentError: there is none of them.
        """
        wanted = self.selection.wanted
        found = {
            address: look
            for address, look in looks.items()
            if wanted("gpus", address, look.facts.get("name"), look.facts.get("uuid"))
        }
        if not found:
            self._users = (self.sources.monotonic(), {})
            raise AbsentError("every GPU is ignored by the configuration")
        return found

    def users(self) -> Mapping[int, GpuUse]:
        """What each process uses of the GPUs, as of the last read; empty when that is long ago."""
        at, users = self._users
        return users if self.sources.monotonic() - at <= _STALE_SECONDS else {}

    def close(self) -> None:
        self._nvidia.close()
        self._cards.close()

    def _share(self, address: str, look: GpuLook) -> GpuLook:
        share = self._shares.setdefault(address, Shares(address))
        users = share.split(
            look.users, look.facts.get("power_watts"), look.facts.get("usage_percent")
        )
        return replace(look, users=users)

    def _nothing(self, nvidia: SourceError | None) -> SourceError:
        """Why there is no GPU to tell of."""
        if nvidia is not None and self._nvidia.likely():
            return nvidia
        idle = self._cards.without_driver()
        if idle:
            return AbsentError(
                f"no usable GPU: {'; '.join(idle)}", remedy="load or install the GPU's driver"
            )
        return AbsentError("no GPU on this machine")

    def _report(self, looks: Mapping[str, GpuLook]) -> None:
        """Keeps, for ``host/info`` and ``doctor``, what some GPU's driver does not tell."""
        lacking: list[str] = []
        for address, look in looks.items():
            part = f"gpu.{address}"
            if look.failure or part in self.health:
                self.health[part] = look.failure
            if look.missing:
                lacking.append(f"{address}: {', '.join(sorted(look.missing))}")
        self.health["gpu.values"] = (
            AbsentError(f"not told by the driver of {'; '.join(lacking)}") if lacking else None
        )
        self.health["gpu.processes"] = self._nvidia.processes or self._cards.clients.failure


def _together(devices: dict[str, GpuDeviceReading]) -> GpuReading:
    """The topic's own numbers: the busiest, the hottest, the sum of power."""
    every = list(devices.values())
    rpm = _most(gpu.fan_speed_rpm for gpu in every)
    power = [gpu.power_watts for gpu in every if gpu.power_watts is not None]
    heat = [gpu.thermal_throttling for gpu in every if gpu.thermal_throttling is not None]
    return GpuReading(
        usage_percent=_most(gpu.usage_percent for gpu in every),
        encoder_percent=_most(gpu.encoder_percent for gpu in every),
        decoder_percent=_most(gpu.decoder_percent for gpu in every),
        memory_used_percent=_most(gpu.memory_used_percent for gpu in every),
        temperature_celsius=_most(gpu.temperature_celsius for gpu in every),
        fan_percent=_most(gpu.fan_percent for gpu in every),
        fan_speed_rpm=None if rpm is None else int(rpm),
        power_watts=sum(power) if power else None,
        thermal_throttling=any(heat) if heat else None,
        devices=devices,
    )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
