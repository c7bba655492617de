"""Which meters measure the whole machine, by driver and label."""

from __future__ import annotations

import re

# Supplies that a server has one or two of, each with its own meter, as their PMBus drivers are
# called. The same label on a voltage regulator means that regulator.
_SUPPLIES = (
    r"(dps|crps|pfe|d1u|acbel|fsp|bp[ad])[\w-]*|ipsps\w*|(ibm[_-]?)?cffps\w*|y[hm]-?\d+\w*|psu\w*"
)
_OF_SUPPLY = r"(ps|psu|power supply)[ _]?\d+([ _](input|in|pin)([ _](power|pwr))?)?"
# The first that there is counts. What the wall sees goes before what a supply gives.
_METERS = [
    (re.compile(chip), re.compile(label))
    for chip, label in (
        (r"power_meter", r".*"),  # ACPI's, in servers
        (_SUPPLIES, r"pin\d?"),
        (r"ina\d+", r"vdd_in|pom_5v_in|vin(_sys)?|5v_in"),  # Jetson
        (r"ibmpowernv", r"system( power)?"),
        (r"macsmc\w*", r"(total )?system( total)?( power)?"),
        (
            r"ipmi",
            r"(pwr|pw) consumption|power meter|(current|total)[ _]power\w*|sys(tem)?[ _]\w+",
        ),
        (r"ipmi", _OF_SUPPLY),
        (r"corsairpsu|corsair-psu", r"power total"),
        (_SUPPLIES, r"pout\d?"),
    )
]


def rank(chip: str, label: str) -> int | None:
    """How good a meter of the whole machine this is, from 0 on; ``None`` for one of a part.

    Args:
        chip: the driver's name.
        label: what the driver calls the channel.
    """
    for index, (chips, labels) in enumerate(_METERS):
        if chips.fullmatch(chip) and labels.fullmatch(label.lower()):
            return index
    return None


def adds_up(number: int) -> bool:
    """Whether several meters of a rank measure a part of the machine each."""
    chips, labels = _METERS[number]
    return chips.pattern == _SUPPLIES or labels.pattern == _OF_SUPPLY
