"""What turns: fans that cool and are heard, and what is not to be taken for one of them.

Told by what a driver calls it. A pump of a water cooler turns at much the same speed whatever the
machine does, faster than any fan beside it, and is not heard; so does a fan of 40 mm on a chipset.
A power supply's fan follows the supply's own heat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def loudest(fans: Iterable[Turning]) -> Turning | None:
    """The fan that is probably heard: the fastest of those that cool the machine.

    Where no such fan is known it is one in a power supply, else a small one; a pump never is. What
    has never turned may be a connector without a fan, and counts where there is nothing else.
    """
    known = list(fans)
    for kind in (FAN, SUPPLY, SMALL):
        if alike := [fan for fan in known if fan.kind == kind]:
            real = [fan for fan in alike if fan.speed_rpm is None or fan.stopped is not None]
            return max(real or alike, key=lambda fan: (fan.speed_rpm or 0, fan.duty_percent or 0.0))
    return None
