"""What a BMC tells of heat and fans, as sensors like those of any chip."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from publisher.errors import AbsentError
from publisher.sources import Sources, hwmon
from publisher.sources.ipmi import BmcSensor
from publisher.subsystems.thermal import fans
from publisher.subsystems.thermal.sensors import Fan, Temperature

CHIP = "ipmi"

# By the BMC's unit: the kind of channel, and what makes whole numbers of its readings.
_KINDS = {"RPM": ("fan", 1), "percent": ("pwm", 2.55), "degrees C": ("temp", 1000)}
# Margins say how far it is to a limit, in degrees, too.
_NO_TEMPERATURES = ("margin", "tjmax", "dts")


@dataclass(frozen=True, slots=True)
class _Channel(hwmon.Channel):
    """One sensor of the BMC, which the newest answer holds."""

    newest: Mapping[str, BmcSensor]
    scale: float

    def value(self, attribute: str, *, keep: bool = True) -> int | None:
        del keep
        if attribute not in self.attributes:
            return None
        told = self.newest.get(self.label)
        if told is None:
            raise AbsentError("the BMC tells nothing of it any more")
        return int(told.alarm) if attribute == "alarm" else round(told.value * self.scale)


class BmcSensors:
    """The BMC's temperatures and fans."""

    def __init__(self, sources: Sources, turned: Container[str]) -> None:
        self._turned = turned
        self._sources = sources
        self._newest: dict[str, BmcSensor] = {}
        self._at: float | None = None
        self.all: list[Temperature | Fan] = []
        """Every one that there is; another list when one came."""

    def look(self, now: float) -> bool:
        """Whether there is something new to read.

        Raises:
            SourceError: as ``Bmc.look``.
        """
        at, told = self._sources.bmc.look(now)
        if at == self._at:
            return False
        came = told.keys() - self._newest.keys()
        self._at = at
        self._newest.clear()
        self._newest |= told
        if came:
            made = (self._sensor(told[name]) for name in sorted(came))
            self.all = [*self.all, *(each for each in made if each)]
        return True

    def _sensor(self, told: BmcSensor) -> Temperature | Fan | None:
        kind, scale = _KINDS.get(told.unit, ("", 0))
        identity = f"{CHIP}/{hwmon.slug(told.name)}"
        if not kind or any(each.identity == identity for each in self.all):
            return None
        attributes = frozenset({"" if kind == "pwm" else "input", "alarm"})
        channel = _Channel(
            kind, 0, told.name, identity, attributes, "", self._sources.files, self._newest, scale
        )
        if kind == "temp":
            plain = told.name.lower()
            return (
                None
                if any(word in plain for word in _NO_TEMPERATURES)
                else Temperature(channel, CHIP)
            )
        turns = fans.kind_of(CHIP, told.name)
        if turns is None:
            return None
        drive = channel if kind == "pwm" else None
        return Fan(channel, drive, CHIP, turns, turned=identity in self._turned)
