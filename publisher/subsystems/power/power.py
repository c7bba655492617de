"""Power: what the processor and the machine draw, what it runs on, and how long that lasts.

Sources: RAPL counters (``publisher.sources.powercap``), power and energy channels of hwmon,
``/sys/class/power_supply``, NUT servers here and elsewhere, a Raspberry Pi's under-voltage bit.
Power of graphics cards is the gpu topic's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from publisher.contract.metric import (
    Metric,
    Reading,
    flag,
    instances,
    kilowatt_hours,
    metric_of,
    percent,
    reading,
    text,
    watts,
)
from publisher.errors import AbsentError, SourceError
from publisher.sources import Sources, hwmon, nut, powercap, supplies
from publisher.sources.supplies import Supply
from publisher.subsystems.base import Subsystem, total
from publisher.subsystems.doubts import plausible
from publisher.subsystems.power.meters import Meter, Meters
from publisher.subsystems.power.supply import (
    SupplyReading,
    charge,
    drawn,
    on_battery,
    silent,
    supply_reading,
    ups_reading,
    ups_watts,
)
from publisher.subsystems.power.whole import adds_up, rank
from publisher.subsystems.thermal.throttling import firmware_word, throttled_word, under_voltage

# Batteries answer through the slow controller that also serves the keyboard.
_SUPPLY_SECONDS = 10.0
_NUT_SECONDS = 30.0
_TROUBLED_NUT_SECONDS = 10.0
_NO_NUT_SECONDS = 300.0
# A battery that has to be replaced stays so; some UPSes say it for a minute, once or twice a day
# (https://github.com/networkupstools/nut/issues/2347, 3623).
_WANTING_SECONDS = 180.0
_RESCAN_SECONDS = 300.0
# What measures the processor where RAPL does not count it: driver and label.
_CPU_METER = re.compile(
    r"(fam15h_power|zenpower) .*|(apm_)?xgene\w* cpu power|smpro\w* .*(core|cpu).*"
)


@reading
class MeterReading(Reading):
    """One meter of power."""

    label: str | None = text("Label", "What is measured.", triggers=False)
    power_watts: float | None = watts("Power", "What it draws.", deadband=10, deadband_percent=25)
    energy_kilowatt_hours: float | None = kilowatt_hours(
        "Energy", "What it has drawn since fanwhy first saw it, while fanwhy ran."
    )


_WATTS = metric_of(MeterReading, "power_watts")
_UPS_WATTS = metric_of(SupplyReading, "power_watts")


@reading
class PowerReading(Reading):
    """Power, energy and supplies."""

    cpu_power_watts: float | None = watts(
        "CPU power",
        "What the processor packages draw.",
        deadband=5,
        deadband_percent=25,
        headline=True,
        enabled=True,
    )
    memory_power_watts: float | None = watts(
        "Memory power", "What the memory draws.", deadband=5, deadband_percent=25
    )
    system_power_watts: float | None = watts(
        "System power",
        "What the whole machine draws, where something measures that: ACPI's meter, its power "
        "supply, a BMC, the platform's own counter, or its battery.",
        deadband=5,
        deadband_percent=20,
        headline=True,
        enabled=True,
    )
    cpu_energy_kilowatt_hours: float | None = kilowatt_hours(
        "CPU energy",
        "What the processors have drawn since fanwhy first ran, while it ran.",
        deadband=0.01,
    )
    system_energy_kilowatt_hours: float | None = kilowatt_hours(
        "System energy",
        "What the machine has drawn since fanwhy first ran, while it ran.",
        deadband=0.01,
    )
    on_battery: bool | None = flag(
        "On battery", "The machine, or its UPS, runs on a battery.", icon="mdi:power-plug-battery"
    )
    battery_percent: float | None = percent(
        "Battery", "How full the machine's batteries are.", deadband=2, device_class="battery"
    )
    under_voltage: bool | None = flag(
        "Under-voltage",
        "The board gets too little voltage: a weak supply or cable.",
        device_class="problem",
    )
    meters: dict[str, MeterReading] = instances(
        MeterReading, "Meters", "Every part of the machine whose power is measured."
    )
    supplies: dict[str, SupplyReading] = instances(
        SupplyReading, "Supplies", "Every battery, adapter and UPS."
    )


@dataclass(frozen=True, slots=True)
class MeteredPart:
    """A part of the machine whose power is measured.

    Attributes:
        label: what people call it.
        meter: its power and energy.
        chip: the hwmon chip that measures it; ``None`` for a RAPL domain.
        rank: among the meters of the whole machine; ``None`` for that of a part.
    """

    label: str
    meter: Meter
    chip: hwmon.Chip | None
    rank: int | None = None

    def reading(self) -> MeterReading:
        return MeterReading(
            label=self.label,
            power_watts=self.meter.watts,
            energy_kilowatt_hours=self.meter.kilowatt_hours,
        )


class Power(Subsystem):
    name = "power"
    reading = PowerReading
    # Batteries, buses and servers have been seen to hang.
    blocking = True

    def __init__(self, sources: Sources, ups: Sequence[str] = ()) -> None:
        super().__init__(sources)
        self._meters = Meters(self.files, sources.state_dir)
        self._parts: dict[str, MeteredPart] = {}
        self._hwmon = hwmon.Hwmon(self.files)
        self._domains: list[powercap.Domain] = []
        self._firmware: str | None = None
        self._rescan_at = float("-inf")
        self._supplies: list[Supply] = []
        self._silent: set[str] = set()
        self._under_voltage: bool | None = None
        self._supplies_at = float("-inf")
        self._bmc_at: float | None = None
        self._upses: dict[str, SupplyReading] = {}
        self._upses_at = float("-inf")
        self._wanting: dict[str, float] = {}
        self._distant: list[nut.Distant] = []
        for words in ups:
            try:
                self._distant.append(nut.Distant.of(words))
            except SourceError as error:
                self.health["power.ups"] = error

    def read(self) -> PowerReading:
        now = self.sources.monotonic()
        chips = self._hwmon.chips(now)
        self._rescan(now)
        self._forget_vanished(chips)
        self._count_domains(now)
        for chip in chips:
            self._measure(chip, now)
        if self.files.live and self.sources.bmc.there(now):
            self.part("bmc", lambda: self._ask_bmc(now))
        self._read_supplies(chips, now)
        self._read_upses(now)
        if not (self._parts or self._supplies or self._upses or self._under_voltage is not None):
            raise self._nothing()
        self._save_meters(now)
        self._leave_alone()
        return self._reading()

    def _ask_bmc(self, now: float) -> None:
        at, told = self.sources.bmc.look(now)
        if at == self._bmc_at:
            return
        self._bmc_at = at
        for name, sensor in told.items():
            if sensor.unit != "Watts":
                continue
            identity = f"ipmi/{hwmon.slug(name)}"
            meter = self._meters.of(identity)
            meter.integrate(_possible(sensor.value, _WATTS), now)
            place = MeteredPart(f"ipmi {name}", meter, None, rank("ipmi", name))
            self._parts.setdefault(identity, place)

    def close(self) -> None:
        self._meters.save(self.sources.monotonic(), due=True)

    def _leave_alone(self) -> None:
        """Drops the supplies that the user does not want to see."""
        wanted = self.selection.wanted
        self._supplies = [
            each
            for each in self._supplies
            if wanted("supplies", f"supply/{each.name}", each.word("MODEL_NAME"), each.name)
        ]
        self._upses = {
            identity: each
            for identity, each in self._upses.items()
            if wanted("supplies", identity, each.label)
        }

    def _reading(self) -> PowerReading:
        processors = self._processors()
        memory = [part.meter for name, part in self._parts.items() if name.endswith("/dram")]
        cpu_watts = total(part.meter.watts for part in processors.values())
        system = self._system(cpu_watts)
        self._say_what_is_the_system(system)
        supplied = {f"supply/{supply.name}": supply_reading(supply) for supply in self._supplies}
        return PowerReading(
            cpu_power_watts=cpu_watts,
            cpu_energy_kilowatt_hours=self._meters.total("sum/cpu", processors),
            memory_power_watts=total(meter.watts for meter in memory),
            system_power_watts=total(part.meter.watts for part in system.values())
            if system
            else drawn(supplied.values()),
            system_energy_kilowatt_hours=self._meters.total("sum/system", system),
            on_battery=on_battery(self._supplies, self._upses),
            battery_percent=charge(self._supplies, supplied.values()),
            under_voltage=self._under_voltage,
            meters={name: part.reading() for name, part in self._parts.items()},
            supplies=supplied | self._upses,
        )

    def _rescan(self, now: float) -> None:
        if now - self._rescan_at < _RESCAN_SECONDS:
            return
        self._rescan_at = now
        self._firmware = firmware_word(self.files)
        self._domains = self.part("rapl", lambda: powercap.find(self.files)) or []
        for domain in self._domains:
            if f"power.rapl/{domain.identity}" in self.health:
                self.health[f"power.rapl/{domain.identity}"] = None

    def _forget_vanished(self, chips: list[hwmon.Chip]) -> None:
        self._parts = {
            name: part
            for name, part in self._parts.items()
            if part.chip is None or part.chip in chips
        }

    def _count_domains(self, now: float) -> None:
        if self._domains:
            self.part("rapl", lambda: self._count(now))

    def _count(self, now: float) -> None:
        failed: dict[powercap.Domain, SourceError] = {}
        for domain in self._domains:
            name = f"rapl/{domain.identity}"
            try:
                raw = domain.energy()
            except SourceError as error:
                failed[domain] = error
                self._parts.pop(name, None)
                continue
            if name not in self._parts:
                self._parts[name] = MeteredPart(domain.identity, self._meters.of(name), None)
            self._parts[name].meter.count(raw, now, domain.range_microjoules)
        if not failed:
            return
        # Asked again when they are looked for again.
        self._domains = [domain for domain in self._domains if domain not in failed]
        if not self._domains:
            raise next(iter(failed.values()))
        self.health |= {f"power.rapl/{domain.identity}": why for domain, why in failed.items()}

    def _measure(self, chip: hwmon.Chip, now: float) -> None:
        # Batteries show as chips, too.
        if chip.graphics or "/power_supply/" in chip.device:
            return
        channels = [*chip.of("power"), *chip.of("energy")]
        if not channels:
            return
        try:
            due = chip.due(now)
        except AbsentError:
            self._hwmon.chips(now, again=True)
            return
        if due:
            began = self.sources.monotonic()
            for channel in channels:
                self.part(channel.identity, partial(self._read_channel, chip, channel, now))
            chip.was_read(now, self.sources.monotonic() - began)
        elif chip.stale(now):
            for channel in channels:
                self._meters.of(channel.identity).integrate(None, now)

    def _read_channel(self, chip: hwmon.Chip, channel: hwmon.Channel, now: float) -> None:
        name = channel.identity
        meter = self._meters.of(name)
        if channel.kind == "energy":
            raw = channel.value("input")
            if raw is not None:
                meter.count(raw, now, None)
        else:
            raw = channel.value("input" if "input" in channel.attributes else "average")
            meter.watts = None
            meter.integrate(None if raw is None else plausible(_WATTS, raw / 1e6), now)
        if raw is not None and name not in self._parts:
            label = f"{chip.name} {channel.label}"
            self._parts[name] = MeteredPart(label, meter, chip, rank(chip.name, channel.label))

    def _processors(self) -> dict[str, MeteredPart]:
        """The whole packages, without the domains inside them; else the chips that measure one."""
        packages = {
            name: part
            for name, part in self._parts.items()
            if name.startswith("rapl/package-") and name.count("/") == 1
        }
        return packages or {
            name: part
            for name, part in self._parts.items()
            if part.chip and _CPU_METER.fullmatch(part.label.lower())
        }

    def _system(self, cpu_watts: float | None) -> dict[str, MeteredPart]:
        """What measures the whole machine: one meter, or one of each of its supplies."""
        ranks = [part.rank for part in self._parts.values() if part.rank is not None]
        if ranks:
            best = min(ranks)
            alike = [(name, part) for name, part in self._parts.items() if part.rank == best]
            return dict(alike if adds_up(best) else alike[:1])
        # Boards that do not feed the platform's counter leave it at less than the processor's.
        psys = self._parts.get("rapl/psys")
        if psys and psys.meter.watts and psys.meter.watts >= (cpu_watts or 0.0):
            return {"rapl/psys": psys}
        return {}

    def _say_what_is_the_system(self, system: dict[str, MeteredPart]) -> None:
        if system:
            self.health["power.system"] = None
            self.chosen["power.system"] = "measured by " + " and ".join(
                part.label for part in system.values()
            )
        elif "power.system" in self.health:
            self.health["power.system"] = AbsentError("nothing measures the whole machine")

    def _read_supplies(self, chips: list[hwmon.Chip], now: float) -> None:
        if now < self._supplies_at:
            return
        # Samples come a little early or late.
        self._supplies_at = now + _SUPPLY_SECONDS * 0.95
        self._supplies, failed = supplies.read(self.files)
        for name in failed.keys() | self._silent:
            self.health[f"power.supply/{name}"] = failed.get(name)
        self._silent = failed.keys() | self._silent
        self._under_voltage = self.part("voltage", lambda: self._voltage(chips))

    def _voltage(self, chips: list[hwmon.Chip]) -> bool | None:
        for chip in chips:
            if chip.name == "rpi_volt":
                return bool(self.files.integer(f"{chip.path}/in0_lcrit_alarm"))
        if self._firmware:
            return under_voltage(throttled_word(self.files, self._firmware))
        return None

    def _read_upses(self, now: float) -> None:
        if now < self._upses_at or not (self.sources.nut or self._distant):
            return
        self._upses_at = now + _NUT_SECONDS * 0.95
        found: dict[str, SupplyReading] = {}
        address = self.sources.nut
        if address:
            found |= self.part("nut", lambda: self._ask(address, now)) or {}
        for server in self._distant:
            name = f"nut_{hwmon.slug(server.place.host)}"
            found |= self.part(name, partial(self._answer, server, now)) or {}
        # One that was there and is not told of any more has to be missed.
        self._upses = {name: silent(known) for name, known in self._upses.items()} | found
        if any(ups.online is False or not ups.reachable for ups in self._upses.values()):
            self._upses_at = now + _TROUBLED_NUT_SECONDS * 0.95

    def _ask(self, address: tuple[str, int], now: float) -> dict[str, SupplyReading]:
        try:
            found = nut.upses(address)
        except AbsentError:
            if not self._distant and not self._upses:
                self._upses_at = now + _NO_NUT_SECONDS
            raise
        return {
            f"nut/{hwmon.slug(name)}": self._ups(name, f"nut/{hwmon.slug(name)}", variables, now)
            for name, variables in found.items()
        }

    def _answer(self, server: nut.Distant, now: float) -> dict[str, SupplyReading]:
        host, meant = hwmon.slug(server.place.host), server.place.ups
        if meant:  # that one is missed although it never was there
            identity = f"nut/{hwmon.slug(meant)}-{host}"
            self._upses.setdefault(identity, silent(SupplyReading(label=meant)))
        found = server.ask()
        identities = {name: f"nut/{hwmon.slug(name)}-{host}" for name in found}
        return {
            identities[name]: self._ups(name, identities[name], variables, now)
            for name, variables in found.items()
        }

    def _ups(
        self, name: str, identity: str, variables: Mapping[str, str], now: float
    ) -> SupplyReading:
        meter = self._meters.of(identity)
        meter.integrate(_possible(ups_watts(variables), _UPS_WATTS), now)
        reading = ups_reading(name, variables, meter)
        if not reading.replace_battery:
            self._wanting.pop(identity, None)
            return reading
        lasted = now - self._wanting.setdefault(identity, now)
        return replace(reading, replace_battery=lasted >= _WANTING_SECONDS)

    def _save_meters(self, now: float) -> None:
        self._meters.save(now)
        if self._meters.problem or "power.energy_file" in self.health:
            self.health["power.energy_file"] = self._meters.problem

    def _nothing(self) -> SourceError:
        rapl = self.health.get("power.rapl")
        if rapl and not isinstance(rapl, AbsentError):
            return rapl
        remedy = rapl.remedy if rapl else ""
        return AbsentError("nothing measures power, and there is no battery or UPS", remedy=remedy)


def _possible(power: float | None, metric: Metric) -> float | None:
    return None if power is None or metric.doubt(power) else power
