"""What turns: fans that cool and are heard, and what is not to be taken for one of them.

Told by what a driver calls it, and where it calls all alike, by what changes its speed with the
machine's work. A pump of a water cooler turns at much the same speed whatever the
machine does, faster than any fan beside it, and is not heard; so does a fan of 40 mm on a chipset.
A power supply's fan follows the supply's own heat.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Protocol

FAN, SUPPLY, SMALL, PUMP = "fan", "power_supply", "small", "pump"
KINDS = (FAN, SUPPLY, SMALL, PUMP)

# What water coolers count besides turns shows as fans, too, as "Flow speed [dL/h]".
_NO_TURNS = re.compile(r".*\bflow\b.*|.*\[.*\].*")
_PUMP = re.compile(r"(?!.*fan/pump).*pump.*")
_SUPPLY_CHIPS = re.compile(
    r"corsairpsu|pmbus|dps\w*|ibm_?cffps\w*|cffps\w*|fsp\w*|crps\w*|ipsps\w*|acbel\w*|bp[ad]_rs600"
    r"|pfe\d+|psu\w*|ym-?\d+\w*|yh-?\d+\w*|d1u\w*"
)
_SUPPLY = re.compile(r".*\b(psu|ps|pwr|power[ _-]?supply|p/s)[ _-]?\d*\b.*")
_SMALL = re.compile(r".*\b(chipset|pch|sb|vrm\w*|m\.?2\w*|ssd|nvme)\b.*")


def kind_of(chip: str, label: str) -> str | None:
    """One of ``KINDS``; ``None`` for what is no fan at all.

    Args:
        chip: the driver's name.
        label: what the driver calls it.
    """
    name = label.lower().replace("_", " ")
    if _NO_TURNS.fullmatch(name):
        return None
    if _PUMP.fullmatch(name):
        return PUMP
    if _SUPPLY_CHIPS.fullmatch(chip) or _SUPPLY.fullmatch(name):
        return SUPPLY
    return SMALL if _SMALL.fullmatch(name) else FAN


class Turning(Protocol):
    """What a choice among fans goes by."""

    @property
    def kind(self) -> str | None: ...
    @property
    def speed_rpm(self) -> int | None: ...
    @property
    def duty_percent(self) -> float | None: ...
    @property
    def stopped(self) -> bool | None: ...


# Speeds count when the fan has kept them for so many looks, within a tenth; it moves when the
# highest of them is above the lowest by a fifth.
_CALM_LOOKS, _CALM, _MOVES = 5, 0.1, 1.2


class Pace:
    """Whether a fan changes its speed: a pump, and a fan on a fixed voltage, never do."""

    def __init__(self) -> None:
        self._before = 0
        self._calm = 0
        self._least = self._most = 0

    def moves(self, speed: int) -> bool:
        """Takes a speed into account that is above 0."""
        near = abs(speed - self._before) <= _CALM * self._before
        self._calm = self._calm + 1 if near else 0
        self._before = speed
        if self._calm >= _CALM_LOOKS:
            self._least = min(speed, self._least or speed)
            self._most = max(speed, self._most)
        return self._most > self._least * _MOVES


def loudest(fans: Mapping[str, Turning], moving: Container[str]) -> Turning | None:
    """The fan that is probably heard: the fastest of those that cool the machine.

    Where no such fan is known it is one in a power supply, else a small one; a pump never is. What
    has never turned may be a connector without a fan, and what always turns at the same speed a
    pump that its driver has no name for: they count where there is nothing else.

    Args:
        fans: all there are, by identity.
        moving: the identities of those that have ever changed their speed.
    """
    for kind in (FAN, SUPPLY, SMALL):
        if alike := [(name, fan) for name, fan in fans.items() if fan.kind == kind]:
            real = [fan for _, fan in alike if fan.speed_rpm is None or fan.stopped is not None]
            lively = [fan for name, fan in alike if name in moving]
            every = [fan for _, fan in alike]
            return fastest(lively or real or every)
    return None


def fastest(fans: Iterable[Turning]) -> Turning:
    """The fan that turns fastest; of those that tell no speed, the one driven most."""
    return max(fans, key=lambda fan: (fan.speed_rpm or 0, fan.duty_percent or 0.0))
