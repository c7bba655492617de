"""What the sensors of known chips mean: which one is the processor, and which value means nothing.

A chip is known by its driver's name; a thermal zone has its type for one. Zones show as chips of
hwmon, too, with underscores for hyphens, and makers' kernels write some in capitals: all names are
compared in small letters and with underscores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Sensor(Protocol):
    """What a choice goes by."""

    @property
    def chip(self) -> str: ...

    @property
    def label(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SensorRule:
    """Sensors of one meaning: chips and labels by pattern.

    Attributes:
        why: what they measure, in words.
    """

    chip: re.Pattern[str]
    label: re.Pattern[str]
    why: str

    def fits(self, chip: str, label: str) -> bool:
        """Whether it is about a sensor of a driver's name and the sensor's own label."""
        return bool(self.chip.fullmatch(_plain(chip)) and self.label.fullmatch(label.lower()))


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


_OWN = "the processor's own sensor"
_ZONE = "the thermal zone of the processor's cores"
_SOC = "the whole chip that the processor is part of; none of its cores has a sensor of its own"
_CONTROLLER = "what the board's controller calls the CPU; the processor has no sensor of its own"
_BOARD = "an input of the board's sensor chip; the processor's own driver is not there"

# Zones of cores and of clusters of them, as device trees and makers' kernels call them, and what
# sits near a CPU and is none.
_NOT_THE_CPU = r"(?!.*(vr[md]?|board|ambient|pmic|fan|skin|case|pcb|inlet|heatsink)(_|\d|$))"
_CORES = (
    # Nearly everybody: cpu-thermal, cpu0-top-thermal, cpuss-0-thermal, cpul_thermal_zone,
    # CPU-therm; TX2: BCPU-therm, MCPU-therm.
    r"[mbs]?cpu\w*",
    r"apc\d*_cpu\w*|apc\d+_\w+",  # Qualcomm's phones
    r"(big|little|mid)(_?core)?\d*(_thermal(_zone)?)?",  # Rockchip; Exynos: BIG, MID, LITTLE
    r"(core_)?cluster[\d_]*(_thermal)?|cls\d+(_thermal)?",  # NXP, SpacemiT, HiSilicon
    r"mpu\d*_thermal",  # TI
    r"mtktscpu|mtk_?cpu\w*",  # MediaTek
    r"ap_thermal_cpu\d+",  # Marvell
    r"tcpu(_pci)?|b0d4|x86_pkg_temp",  # Intel's zones without the driver of its cores
)
# One sensor for all of the chip.
_WHOLE = (
    r"(soc|package|tj|top|main\d*|chip|die)\d*(_?max)?(_\w*)?_therm(al)?(_zone)?|soc_max",
    r"bcm\d+_thermal|brcmstb_thermal|iproc_thermal",  # Broadcom
    r"armada_thermal|kirkwood_thermal|dove_thermal|ap_thermal_ic",  # Marvell
    r"imx_thermal_zone|exynos_therm\w*|sunxi_therm\w*|aml_thermal|meson_thermal",
    r"sensor_?\d*_thermal\d*",  # Renesas
    r"sfctemp|jh71\d0_temp|thead_\w*temp|loongson\w*thermal|soc_dts\d",
)

# Drivers of embedded controllers and of makers' own interfaces.
_CONTROLLERS = (
    r"asusec|asus_ec\w*|asus_wmi\w*|dell_smm|dell_ddv|thinkpad|cros_ec|hp_wmi\w*|framework\w*",
    r"acer|acer_wmi|msi\w*|lenovo\w*|ideapad\w*|surface\w*|gigabyte_wmi|tuxedo\w*",
)

# The first rule that fits any sensor decides. The driver of the processor itself goes before the
# board's chips; of AMD's two, Tdie is a temperature and Tctl may be one with an offset for the fan
# control (kernel documentation, hwmon/k10temp). ACPI zones measure anything, and on some boards
# nothing: never taken. Of the inputs of a board's chip PECI and TSI ask the processor; CPUTIN is a
# pin that many boards leave open, and is the last.
PACKAGE = [
    SensorRule(re.compile(chip), re.compile(label), why)
    for chip, label, why in (
        (r"coretemp", r"(package|physical) id \d+", _OWN),
        (r"k10temp|zenpower", r"tdie", _OWN),
        (r"k10temp|zenpower", r"tctl", _OWN),
        (r"k10temp|k8temp|via_cputemp|zhaoxin_cputemp", r"temp1|core 0.*", _OWN),
        (r"coretemp", r"core \d+", f"{_OWN}, the hottest core"),
        (rf"{_NOT_THE_CPU}({'|'.join(_CORES)})", r".*", _ZONE),
        ("|".join(_WHOLE), r".*", _SOC),
        (
            r"smpro_hwmon|smpro|altra_hwmon|apm_xgene|xgene_hwmon",
            r"(temp\d+ )?soc( temp\w*)?( \d+)?",
            _OWN,
        ),
        (r"sc[pm]i_sensors", r".*(cpu|big|little|core|soc|aml_thermal).*", _SOC),
        (r"cpu_hwmon|loongson\w*|ls7a\w*|sg2042\w*", r"cpu.*|soc.*|temp1", _OWN),
        (r"ibmpowernv", r"(chip \d+ )?core .*|proc.*|cpu.*", _OWN),
        (r"macsmc\w*|applesmc_\w*", r"cpu.*|soc.*", _SOC),
        (
            "|".join(_CONTROLLERS),
            r"(cpu|processor)([ _](package|temp\w*|core|die))?|cpu(_\w+)?@\w+|peci",
            _CONTROLLER,
        ),
        (r"applesmc", r"tc0p|tcxc|tc0d|tc0e|tc0f|tcad", _CONTROLLER),
        (
            r"nct\w+|w83\w+",
            r"peci (agent )?0(\.0| calibration)?",
            f"{_OWN}, by way of the board's chip",
        ),
        (
            r"nct\w+|w83\w+|f7\w+|it8\w+",
            r"(amd )?tsi( ?0)?(_temp| addr.*)?",
            f"{_OWN}, by way of the board's chip",
        ),
        (r"nct\w+|w83\w+", r"smbusmaster 0", _BOARD),
        (
            r"nct\w+|w83\w+|f7\w+|it8\w+|sch\w+|dme1737|asb100|lm\d+|adt7\w+|emc\w+|vt\d+",
            r"cpu[ _]?(temp\w*|package|diode|socket|\d)?",
            _BOARD,
        ),
        (r"nct\w+|w83\w+", r"cputin", _BOARD),
        (r"thermal_\d+", r".*", "the hottest zone of a chip whose zones have no names"),
        (
            r"ipmi",
            r"(\d+-)?(p\d+ )?(cpu|proc(essor)?)[ _]?\d*([ _](temp\w*|die))?(?<!vr)",
            f"what the BMC calls the CPU; {_BOARD}",
        ),
    )
]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sensors are the processor's.

    Attributes:
        sensors: as indices of those that were to choose from.
        why: what they measure, in words.
    """

    sensors: tuple[int, ...]
    why: str


def choices(sensors: Sequence[Sensor]) -> list[Choice]:
    """Every group of sensors that may be the processor, the best first."""
    found: list[Choice] = []
    for rule in PACKAGE:
        fit = tuple(index for index, each in enumerate(sensors) if rule.fits(each.chip, each.label))
        if fit:
            found.append(Choice(fit, rule.why))
    return found


# What stands for "no measurement" at any time: a DS18B20 after power-on (its data sheet).
_NEVER: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = (
    (re.compile(r"w1_slave_temp|w1_therm"), frozenset({85_000})),
)
# What these say for ever on boards where nobody measures, or say when a wire comes off. 0 and -40
# are what inputs say that nothing is connected to.
_STUCK: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = (
    (re.compile(r"pmic_die"), frozenset({0, 50_000, 100_000})),
    (re.compile(r"acpitz"), frozenset({0, 16_800, 27_800, 29_800})),
    (re.compile(r"int340\d_thermal"), frozenset({0, 20_000})),
    (re.compile(r".*"), frozenset({0, -40_000})),
)


_SUSPECT = frozenset[int]().union(*(values for _, values in (*_NEVER, *_STUCK)))
# A sensor that was near one of these values may well have come to it.
_NEAR_MILLI = 15_000


def meaningless(chip: str, milli: int, last: int | None) -> str:
    """Why a value of a chip is none; empty when it may be one.

    Args:
        chip: the driver's name, or the zone's type.
        milli: thousandths of a degree.
        last: what the sensor said before, if that was to be believed.
    """
    if milli not in _SUSPECT:
        return ""
    name = _plain(chip)
    for pattern, values in _NEVER:
        if milli in values and pattern.fullmatch(name):
            return f"{milli / 1000:g} °C stands for no measurement"
    if last is not None and abs(last - milli) < _NEAR_MILLI:
        return ""
    if any(milli in values and pattern.fullmatch(name) for pattern, values in _STUCK):
        return f"{milli / 1000:g} °C stands for no measurement; probably nothing is connected"
    return ""
