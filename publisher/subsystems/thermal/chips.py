"""What the sensors of known chips mean: which of them measure the processor package."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SensorRule:
    """Sensors of one meaning: chips and labels by pattern."""

    chip: re.Pattern[str]
    label: re.Pattern[str]

    def fits(self, chip: str, label: str) -> bool:
        """Whether it is about a sensor of a driver's name and the sensor's own label."""
        return bool(self.chip.fullmatch(chip) and self.label.fullmatch(label.lower()))


# The first rule that fits any sensor decides. The driver of the processor itself goes before the
# board's chips; of AMD's two, Tdie is a temperature and Tctl may be one with an offset for the fan
# control (kernel documentation, hwmon/k10temp). ACPI zones measure anything: never taken.
PACKAGE = [
    SensorRule(re.compile(chip), re.compile(label))
    for chip, label in (
        (r"coretemp", r"(package|physical) id \d+"),
        (r"k10temp|zenpower", r"tdie"),
        (r"k10temp|zenpower", r"tctl"),
        (r"k10temp|k8temp|via_cputemp", r"temp1|core 0.*"),
        (r"coretemp", r"core \d+"),
        (r"(cpu|bigcore|littlecore)[\w-]*[_-]thermal([_-]zone)?|x86_pkg_temp", r".*"),
        (r"(soc|package)[\w-]*[_-]thermal|bcm2835_thermal", r".*"),
        (r"asusec|asus_wmi_sensors|dell_smm|thinkpad", r"cpu( package| temperature)?"),
        (r"applesmc", r"tc0p|tcxc"),
        (r"nct6\w+|it8\w+|f7\w+", r"peci agent 0|tsi0_temp|smbusmaster 0|cputin|cpu( temp\w*)?"),
    )
]
