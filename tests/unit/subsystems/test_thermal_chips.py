"""Which sensor is the processor, by driver and meaning, and which value is none."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from publisher.subsystems.thermal.chips import choices, meaningless


@dataclass(frozen=True)
class Sensor:
    chip: str
    label: str


def chosen(*sensors: tuple[str, str]) -> list[str]:
    """The labels of what is taken first, or the chip's name where the label says nothing."""
    found = choices([Sensor(*each) for each in sensors])
    if not found:
        return []
    return [sensors[index][0] for index in found[0].sensors]


# Zones of a board as its kernel names them (device trees of Linux, makers' kernels, and reports),
# what of it is the processor, and what else is there.
@pytest.mark.parametrize(
    ("processor", "others"),
    [
        # Tegra: Nano, TX2, Xavier, Orin
        (["CPU-therm"], ["AO-therm", "GPU-therm", "PLL-therm", "PMIC-Die", "thermal-fan-est"]),
        (["BCPU-therm", "MCPU-therm"], ["GPU-therm", "Tboard_tegra", "Tdiode_tegra", "PMIC-Die"]),
        (["cpu-thermal"], ["gpu-thermal", "cv0-thermal", "soc0-thermal", "tj-thermal"]),
        (["tj-thermal"], ["gpu-thermal", "cv0-thermal", "Tboard_tegra"]),
        # Rockchip: mainline and vendor
        (
            ["bigcore0-thermal", "bigcore2-thermal", "littlecore-thermal"],
            ["package-thermal", "center-thermal", "gpu-thermal", "npu-thermal"],
        ),
        (["soc-thermal"], ["gpu-thermal"]),
        (["package-thermal"], ["gpu-thermal", "npu-thermal"]),
        # Allwinner: mainline and vendor
        (["cpu-thermal"], ["gpu-thermal", "ddr-thermal", "ve-thermal", "axp20x_battery"]),
        (["cpul_thermal_zone", "cpub_thermal_zone"], ["gpu_thermal_zone", "ddr_thermal_zone"]),
        (["cpu0-thermal", "cpu1-thermal"], ["gpu0-thermal"]),
        # Amlogic
        (["cpu-thermal"], ["ddr-thermal"]),
        (["soc_thermal"], ["ddr_thermal"]),
        # Broadcom
        (["cpu-thermal"], ["rp1_adc", "pwmfan"]),
        (["bcm2835_thermal"], []),
        # Qualcomm
        (
            ["cpu0-thermal", "cluster0-thermal"],
            ["gpu-thermal", "mem-thermal", "pm8280-1-thermal", "skin-temp-thermal", "wcn-thermal"],
        ),
        (["cpu-0-0-top-thermal", "cpuss-0-thermal"], ["aoss-0-thermal", "gpuss-0-thermal"]),
        (["cpu0-silver-usr"], ["gpu0-usr", "pop-mem-step", "quiet-therm-adc", "xo-therm-adc"]),
        # MediaTek
        (["mtktscpu"], ["mtktsAP", "mtktspmic", "mtktsbattery"]),
        (["cpu-little0-thermal", "cpu-big0-thermal"], ["vpu0-thermal", "gpu-thermal"]),
        # Exynos
        (["cpu0-thermal", "cpu3-thermal"], ["gpu-thermal"]),
        (["BIG", "LITTLE", "MID"], ["G3D", "ISP", "TPU", "battery"]),
        # NXP
        (["imx_thermal_zone"], []),
        (["cpu-thermal0", "cpu-thermal1"], ["gpu-thermal0", "drc-thermal0", "pmic-thermal0"]),
        (["core-cluster-thermal"], ["ddr-controller", "ddr-cluster1-thermal", "wriop-thermal"]),
        (["cluster6-7-thermal"], ["ccn-dpaa-tbu-thermal", "ddr-cluster5-thermal"]),
        # TI
        (["mpu0-thermal", "mpu1-thermal"], ["mcu-thermal"]),  # k3-am654-industrial-thermal.dtsi
        (["mpu-thermal"], ["c7x-thermal", "gpu-thermal", "wkup-thermal", "r5f-thermal"]),
        (["cpu_thermal"], ["gpu_thermal", "core_thermal", "dspeve_thermal", "iva_thermal"]),
        (["main0-thermal", "main1-thermal"], []),
        # Marvell
        (["ap-thermal-cpu0", "ap-thermal-cpu1"], ["ap-thermal-ic", "cp0-thermal-ic"]),
        (["armada_thermal"], ["mv_88e6xxx"]),
        # HiSilicon, Renesas, RISC-V
        (["cls0-thermal"], ["modem-thermal"]),
        (["sensor1-thermal", "sensor2-thermal"], []),
        (["cpu-thermal"], ["dev-thermal"]),
        (["cluster0-thermal", "cluster1-thermal"], ["gpu-thermal", "top-thermal", "soc-thermal"]),
        (["thermal-0", "thermal-1"], ["ctf2301"]),
        # Intel without coretemp
        (["x86_pkg_temp"], ["acpitz", "INT3400 Thermal", "pch_cannonlake", "iwlwifi_1", "SEN1"]),
        (["TCPU"], ["acpitz", "INT3400 Thermal", "TSKN", "TMEM"]),
        ([], ["acpitz", "INT3400 Thermal", "iwlwifi_1", "nvme", "cpu-vrm-thermal"]),
    ],
)
def test_the_zone_of_every_family(processor: list[str], others: list[str]) -> None:
    zones = sorted([*processor, *others])
    assert chosen(*((zone, zone) for zone in zones)) == sorted(processor)
    # As hwmon writes them.
    chips = [zone.replace("-", "_") for zone in zones]
    assert [chips.index(chip) for chip in chosen(*((chip, "temp1") for chip in chips))] == [
        zones.index(zone) for zone in sorted(processor)
    ]


@pytest.mark.parametrize(
    ("chip", "label"),
    [
        ("coretemp", "Package id 0"),
        ("k10temp", "Tctl"),
        ("zenpower", "Tdie"),
        ("via_cputemp", "temp1"),
        ("apm_xgene", "SoC Temperature"),
        ("altra_hwmon", "SoC Temp 000"),
        ("smpro_hwmon", "temp1 SoC"),
        ("scpi_sensors", "aml_thermal"),
        ("cpu_hwmon", "CPU 0 Temperature"),
        ("ibmpowernv", "Chip 0 Core 0"),
        ("thinkpad", "CPU"),
        ("dell_smm", "CPU"),
        ("cros_ec", "cpu_f75303@4d"),
        ("asusec", "CPU Package"),
        ("hp_wmi_sensors", "CPU Temperature"),
        ("applesmc", "TC0P"),
        ("nct6687", "PECI 0.0"),
        ("nct6798", "TSI0_TEMP"),
        ("it8686", "CPU"),
        ("sch5627", "CPU Diode"),
        ("ipmi", "CPU1 Temp"),
        ("ipmi", "02-CPU 1"),
        ("ipmi", "P1 CPU Temp"),
    ],
)
def test_the_processor_on_chips(chip: str, label: str) -> None:
    nothing = [
        ("nct6798", "SYSTIN"),
        ("nct6798", "AUXTIN0"),
        ("acpitz", "temp1"),
        ("ipmi", "CPU1 VR Temp"),
        ("ipmi", "Inlet Temp"),
        ("jc42", "temp1"),
        ("smpro_hwmon", "temp2 SoC VRD"),
        ("asusec", "VRM"),
        ("amdgpu", "edge"),
    ]
    assert chosen(*nothing) == []
    assert chosen(*nothing, (chip, label)) == [chip]


def test_the_processors_own_driver_goes_before_the_boards_chip() -> None:
    assert chosen(("nct6776", "CPUTIN"), ("coretemp", "Physical id 0")) == ["coretemp"]
    assert chosen(("nct6798", "CPUTIN"), ("nct6798", "PECI Agent 0")) == ["nct6798"]
    board = [Sensor("nct6798", "CPUTIN"), Sensor("nct6798", "PECI Agent 0")]
    assert [choice.sensors for choice in choices(board)] == [(1,), (0,)]


@pytest.mark.parametrize(
    ("chip", "milli"),
    [
        ("PMIC-Die", 100_000),
        ("pmic_die", 50_000),
        ("acpitz", 27_800),
        ("acpitz", 16_800),
        ("INT3400 Thermal", 20_000),
        ("w1_slave_temp", 85_000),
        ("asusec", -40_000),
        ("k10temp", 0),
    ],
)
def test_values_that_stand_for_nothing(chip: str, milli: int) -> None:
    assert meaningless(chip, milli, None)
    assert not meaningless(chip, milli + 500, None)


def test_a_sensor_that_came_there_by_itself_is_believed() -> None:
    assert not meaningless("acpitz", 27_800, 28_800)
    assert not meaningless("lm75", 0, 1_000)
    assert meaningless("lm75", 0, 41_000)  # a wire has come off
    assert meaningless("w1_slave_temp", 85_000, 84_000)
