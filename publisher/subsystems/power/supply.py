"""What a battery, an adapter or a UPS says, and what that means for the machine.

A battery of the kernel's speaks in properties of ``power_supply``, a UPS of NUT's in variables
(NUT's developer guide, names of variables; RFC 9271 for ``ups.status``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from publisher.contract.metric import (
    Reading,
    Unit,
    choice,
    flag,
    gauge,
    kilowatt_hours,
    percent,
    reading,
    seconds,
    text,
    watts,
)
from publisher.sources.supplies import Supply
from publisher.subsystems.power.meters import Meter

KINDS = ("battery", "mains", "ups", "usb", "wireless")
STATES = ("charging", "discharging", "full", "idle")

_STATES = {
    "Charging": "charging",
    "Discharging": "discharging",
    "Full": "full",
    "Not charging": "idle",
}
_FULL_PERCENT = 99.0


@reading
class SupplyReading(Reading):
    """One battery, adapter or UPS."""

    label: str | None = text("Label", "Its model, or its name.", triggers=False)
    kind: str | None = choice("Kind", "What sort of supply it is.", options=KINDS)
    online: bool | None = flag("Online", "Power comes in through it.")
    state: str | None = choice("State", "What its battery does.", options=STATES)
    charge_percent: float | None = percent(
        "Charge", "How full its battery is.", deadband=2, device_class="battery"
    )
    low: bool | None = flag("Low", "Its battery is nearly empty.", device_class="battery")
    reachable: bool | None = flag(
        "Reachable", "Whether a UPS tells of itself.", device_class="connectivity"
    )
    replace_battery: bool | None = flag(
        "Replace battery", "A UPS wants a new battery.", device_class="problem"
    )
    overloaded: bool | None = flag(
        "Overloaded", "More is drawn from a UPS than it can give.", device_class="problem"
    )
    bypassed: bool | None = flag(
        "Bypassed",
        "A UPS passes the mains through or is off: it protects nothing.",
        device_class="problem",
    )
    load_percent: float | None = percent(
        "Load", "How much of what it can give it gives.", deadband=10, highest=200
    )
    power_watts: float | None = watts(
        "Power", "What flows in or out of a battery, or out of a UPS.", highest=500_000
    )
    voltage_volts: float | None = gauge(
        "Voltage", "At its battery, or at a UPS's input.", unit=Unit.VOLTS, precision=1
    )
    remaining_seconds: float | None = seconds(
        "Remaining", "How long its battery lasts, by its own estimate.", highest=30 * 86_400
    )
    health_percent: float | None = percent(
        "Health",
        "What its battery holds when full, of what it was made for.",
        deadband=1,
        overshoot=100,  # many hold more than their label says
        diagnostic=True,
    )
    cycle_count: int | None = gauge(
        "Cycles",
        "Times that its battery was charged.",
        deadband=1,
        lowest=1,
        highest=20_000,
        diagnostic=True,
    )
    energy_kilowatt_hours: float | None = kilowatt_hours(
        "Energy", "What a UPS has given since fanwhy first saw it, while fanwhy ran."
    )


def supply_reading(supply: Supply) -> SupplyReading:
    """What the kernel knows of a supply."""
    state = _STATES.get(supply.word("STATUS"))
    battery = supply.kind in ("battery", "ups")
    level = supply.word("CAPACITY_LEVEL")
    online = supply.number("ONLINE")
    cycles = supply.number("CYCLE_COUNT") or 0
    return SupplyReading(
        label=supply.word("MODEL_NAME") or supply.name,
        kind=supply.kind if supply.kind in KINDS else None,
        online=None if online is None else online > 0,
        state=state,
        charge_percent=_charge(supply),
        low=level in ("Low", "Critical") if battery and level not in ("", "Unknown") else None,
        power_watts=_watts(supply),
        voltage_volts=supply.micro("VOLTAGE_NOW"),
        remaining_seconds=_remaining(supply) if state == "discharging" else None,
        health_percent=supply.share("FULL", "FULL_DESIGN"),
        # Controllers that do not count say 0, or less.
        cycle_count=cycles if cycles > 0 else None,
    )


def ups_reading(name: str, variables: Mapping[str, str], meter: Meter) -> SupplyReading:
    """What a NUT server knows of a UPS: nothing where that has stopped to answer."""
    status = variables.get("ups.status", "").split()
    # While it tries its battery out on purpose, the mains have not failed.
    on_mains = "OL" in status
    on_own = "OB" in status and "CAL" not in status
    alarm = variables.get("ups.alarm", "").lower()
    full = _number(variables, "battery.charge")
    state = None
    if "CHRG" in status:
        state = "charging"
    elif on_own or "DISCHRG" in status:
        state = "discharging"
    elif on_mains:
        state = "full" if full is not None and full >= _FULL_PERCENT else "idle"
    return SupplyReading(
        label=variables.get("device.model") or variables.get("ups.model") or name,
        kind="ups",
        online=on_mains if on_mains or on_own else None,
        state=state,
        charge_percent=full,
        low="LB" in status or "FSD" in status or (on_own and _below(variables)) if status else None,
        reachable=bool(variables),
        replace_battery="RB" in status or "replace" in alarm if status else None,
        overloaded="OVER" in status if status else None,
        bypassed="BYPASS" in status or "OFF" in status if status else None,
        load_percent=_number(variables, "ups.load"),
        power_watts=meter.watts,
        voltage_volts=_number(variables, "input.voltage"),
        remaining_seconds=_number(variables, "battery.runtime"),
        energy_kilowatt_hours=meter.kilowatt_hours if meter.watts is not None else None,
    )


def _below(variables: Mapping[str, str]) -> bool:
    """Whether a battery has come to what is called low: some say no more than that.

    https://github.com/networkupstools/nut/issues/2619
    """
    told = (
        (_number(variables, name), _number(variables, f"{name}.low"))
        for name in ("battery.charge", "battery.runtime")
    )
    return any(left is not None and low and 0 <= left <= low for left, low in told)


def silent(known: SupplyReading) -> SupplyReading:
    """A UPS that nothing is told of any more: which one it is, and what cannot change."""
    return SupplyReading(
        label=known.label,
        kind="ups",
        reachable=False,
        energy_kilowatt_hours=known.energy_kilowatt_hours,
    )


def ups_watts(variables: Mapping[str, str]) -> float | None:
    """What a UPS gives: measured, or its load of what it is made for."""
    measured = _number(variables, "ups.realpower")
    if measured is not None:
        return measured
    load = _number(variables, "ups.load")
    most = _number(variables, "ups.realpower.nominal")
    return None if load is None or most is None else load * most / 100


def drawn(readings: Iterable[SupplyReading]) -> float | None:
    """What the machine draws from its batteries; ``None`` when they do not feed it."""
    flows = [
        each.power_watts
        for each in readings
        if each.kind == "battery" and each.state == "discharging"
    ]
    known = [flow for flow in flows if flow]
    return sum(known) if known else None


def charge(supplies: Sequence[Supply], readings: Iterable[SupplyReading]) -> float | None:
    """How full the machine's batteries are together."""
    batteries = [supply for supply in supplies if supply.kind == "battery"]
    now, full = (
        [supply.number(f"{measure}{suffix}") for supply in batteries]
        for measure, suffix in (("ENERGY_", "NOW"), ("ENERGY_", "FULL"))
    )
    if len(batteries) > 1 and all(now) and all(full):
        return 100 * sum(filter(None, now)) / sum(filter(None, full))
    levels = [
        each.charge_percent
        for each in readings
        if each.kind == "battery" and each.charge_percent is not None
    ]
    return sum(levels) / len(levels) if levels else None


def on_battery(supplies: Sequence[Supply], upses: Mapping[str, SupplyReading]) -> bool | None:
    """Whether a battery feeds the machine or its UPS; ``None`` when no supply tells."""
    batteries = [supply for supply in supplies if supply.kind in ("battery", "ups")]
    tell = any(ups.online is not None for ups in upses.values())
    if not batteries and not tell:
        return None
    if any(ups.online is False for ups in upses.values()):
        return True
    if any(supply.number("ONLINE") for supply in supplies if supply.kind in ("mains", "usb")):
        return False
    states = {_STATES.get(supply.word("STATUS")) for supply in batteries}
    if "discharging" in states:
        return True
    return False if states != {None} or tell else None


def _charge(supply: Supply) -> float | None:
    capacity = supply.number("CAPACITY")
    return supply.share("NOW", "FULL") if capacity is None else capacity


def _watts(supply: Supply) -> float | None:
    power = supply.micro("POWER_NOW")
    if power is not None:
        return power
    current, voltage = supply.micro("CURRENT_NOW"), supply.micro("VOLTAGE_NOW")
    return None if current is None or voltage is None else current * voltage


def _remaining(supply: Supply) -> float | None:
    told = supply.number("TIME_TO_EMPTY_NOW")
    if told is not None:
        return float(told)
    energy, power = supply.micro("ENERGY_NOW"), supply.micro("POWER_NOW")
    if energy is None or not power:
        energy, power = supply.micro("CHARGE_NOW"), supply.micro("CURRENT_NOW")
    return 3600 * energy / power if energy is not None and power else None


def _number(variables: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(variables[name])
    except (KeyError, ValueError):
        return None
    return value if abs(value) < float("inf") else None
