"""NVIDIA's GPUs when something fails: one answer, one fan, one card takes nothing else down.

The failures are those that people report: error 999 for a fan (nanopool/Claymore-Dual-Miner #101,
trexminer/T-Rex #491) or for the power (T-Rex #454) of one card of several.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.sources.gpu.scripted import Machine

from publisher.contract.payload import to_json
from publisher.subsystems.gpu import Gpu

CARD = "0000:01:00.0"
SECOND_CARD = "0000:02:00.0"
GEFORCE = (Path(__file__).parents[3] / "native/scripts/geforce.script").read_text().splitlines()
ONE = tuple(GEFORCE)
TWO = (
    "gpu 00000000:02:00.0 GPU-2 Two",
    *(line for line in GEFORCE if line.startswith("value")),
)
UNKNOWN, TIMEOUT, CORRUPTED = 999, 10, 14

# What of a GPU depends on the answer to each question.
VALUES = {
    "UtilizationRates": {"usage_percent", "memory_controller_percent"},
    "MemoryInfo": {"memory_total_bytes", "memory_used_bytes", "memory_used_percent"},
    "Temperature": {"temperature_celsius"},
    "FieldValues": {"memory_temperature_celsius"},
    "TemperatureThresholdShutdown": {"shutdown_temperature_celsius"},
    "TemperatureThresholdSlowdown": {"slowdown_temperature_celsius"},
    "NumFans": {"fan_percent"},
    "FanSpeed": {"fan_percent"},
    "FanSpeedRPM": {"fan_speed_rpm"},
    "PowerUsage": {"power_watts"},
    "EnforcedPowerLimit": {"power_limit_watts"},
    "ClockGraphics": {"graphics_clock_mhz"},
    "ClockMemory": {"memory_clock_mhz"},
    "MaxClockGraphics": {"graphics_clock_max_mhz"},
    "PerformanceState": {"performance_state"},
    "EncoderUtilization": {"encoder_percent"},
    "DecoderUtilization": {"decoder_percent"},
    "CurrPcieLinkGeneration": {"pcie_generation"},
    "CurrPcieLinkWidth": {"pcie_width"},
    "MaxPcieLinkGeneration": {"pcie_generation_max"},
    "MaxPcieLinkWidth": {"pcie_width_max"},
    "ComputeRunningProcesses": {"process_count"},
    "GraphicsRunningProcesses": {"process_count"},
    "ProcessUtilization": {"process_count"},
    "MigMode": set(),
    "Name": {"name"},
    "UUID": {"uuid"},
}


def _devices(gpu: Gpu) -> dict[str, dict[str, Any]]:
    devices: dict[str, dict[str, Any]] = to_json(gpu.read())["devices"]
    return devices


@pytest.mark.parametrize("code", [UNKNOWN, CORRUPTED])
@pytest.mark.parametrize("question", VALUES)
def test_a_question_that_fails_takes_its_own_values_along_and_no_other(
    machine: Machine, question: str, code: int
) -> None:
    machine.card()
    machine.card(SECOND_CARD)
    machine.say(*ONE, *TWO)
    whole = _devices(machine.gpu())
    machine.say(*ONE, *TWO, f"error {question} {code}")

    gpu = machine.gpu()
    devices = _devices(gpu)

    assert devices[CARD] == whole[CARD]
    lost = {key for key in whole[SECOND_CARD] if devices[SECOND_CARD].get(key) is None}
    assert lost <= VALUES[question]
    assert devices[SECOND_CARD]["state"] == "active"
    failure = gpu.health[f"gpu.{SECOND_CARD}"]
    assert failure is not None
    assert "fails to tell" in str(failure)
    assert "dmesg" in failure.remedy
    assert f"gpu.{CARD}" not in gpu.health

    machine.say(*ONE, *TWO)
    machine.seconds += 60
    gpu.read()
    assert gpu.health[f"gpu.{SECOND_CARD}"] is None


def test_a_fan_that_cannot_be_asked_is_absent_until_it_can(machine: Machine) -> None:
    machine.say(*ONE, *TWO, "error FanSpeed 999")  # nor does the kernel name the cards
    gpu = machine.gpu()
    states = []
    for _ in range(30):
        devices = _devices(gpu)
        states.append([device["state"] for device in devices.values()])
        assert devices[CARD]["fan_percent"] == 72
        assert "fan_percent" not in devices[SECOND_CARD]
        machine.seconds += 2

    assert states == [["active", "active"]] * 30
    # Two fans of the first card at each look, two of the other at 0, 2, 4, 8, 16 and 32 s.
    asked = machine.called()
    assert asked.count("FanSpeed") == 30 * 2 + 6 * 2
    assert asked.count("Init") == 1

    machine.say(*ONE, *TWO)
    machine.seconds += 30
    assert _devices(gpu)[SECOND_CARD]["fan_percent"] == 72
    assert gpu.health[f"gpu.{SECOND_CARD}"] is None


def test_one_flicker_is_over_with_the_next_look(machine: Machine) -> None:
    machine.card()
    machine.say(*ONE, "error Temperature 999")
    gpu = machine.gpu()
    assert "temperature_celsius" not in _devices(gpu)[CARD]

    machine.say(*ONE)
    machine.seconds += 2

    assert _devices(gpu)[CARD]["temperature_celsius"] == 83


def test_one_fan_that_is_not_supported_leaves_the_other(machine: Machine) -> None:
    machine.card()
    machine.say(*(line for line in ONE if "FanSpeed " not in line), "value FanSpeed 70")
    gpu = machine.gpu()
    told = []
    for _ in range(3):
        told.append(_devices(gpu)[CARD]["fan_percent"])
        machine.seconds += 2

    assert told == [70, 70, 70]


@pytest.mark.parametrize("code", [UNKNOWN, TIMEOUT])
@pytest.mark.parametrize("named", [True, False], ids=["by the kernel", "by the driver"])
def test_a_gpu_that_answers_nothing_is_unreachable_alone(
    machine: Machine, code: int, named: bool
) -> None:
    if named:
        machine.card()
        machine.card(SECOND_CARD)
    machine.say(*ONE, *TWO)
    gpu = machine.gpu()
    assert _devices(gpu)[SECOND_CARD]["state"] == "active"

    machine.say(
        *ONE, "gpu 00000000:02:00.0 GPU-2 Two", *(f"error {name} {code}" for name in VALUES)
    )
    machine.seconds += 2
    devices = _devices(gpu)
    assert devices[CARD]["usage_percent"] == 97
    assert devices[SECOND_CARD]["state"] == "unreachable"
    assert devices[SECOND_CARD]["name"] == "Two"
    assert f"the GPU {SECOND_CARD} answers nothing" in str(gpu.health[f"gpu.{SECOND_CARD}"])

    machine.called()
    for _ in range(60):
        machine.seconds += 2
        assert _devices(gpu)[CARD]["state"] == "active"
    asked = machine.called()
    assert asked.count("UtilizationRates") == 60 + 5  # after 2, 4, 8, 16 and 32 s
    assert "Init" not in asked

    machine.say(*ONE, *TWO)
    machine.seconds += 300
    assert _devices(gpu)[SECOND_CARD]["usage_percent"] == 97
    assert gpu.health[f"gpu.{SECOND_CARD}"] is None


@pytest.mark.parametrize(
    ("code", "state"), [(15, "lost"), (16, "lost"), (4, "unreachable"), (UNKNOWN, "unreachable")]
)
def test_a_card_whose_handle_is_refused_leaves_the_others(
    machine: Machine, code: int, state: str
) -> None:
    machine.say(*ONE, *TWO, f"error Handle {code}")
    gpu = machine.gpu()

    devices = _devices(gpu)

    assert devices[CARD]["usage_percent"] == 97
    assert devices["gpu1"]["state"] == state
    assert gpu.health["gpu.gpu1"] is not None


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("value PowerUsage 4294967295", "power_watts"),
        ("value Temperature 4294967295", "temperature_celsius"),
        ("value UtilizationRates 4294967295 4294967295", "usage_percent"),
        ("value EncoderUtilization 4294967295 167000", "encoder_percent"),
        ("value FanSpeed 4294967295 4294967295", "fan_percent"),
        ("value ClockGraphics 4294967295", "graphics_clock_mhz"),
        ("value MemoryInfo -1 0 0", "memory_total_bytes"),
        ("value MemoryInfo 25769803776 -1 0", "memory_used_bytes"),
        ("value PerformanceState 32", "performance_state"),
    ],
)
def test_a_number_that_stands_for_none_is_none(machine: Machine, line: str, field: str) -> None:
    machine.card()
    machine.say(*ONE, line)

    devices = _devices(machine.gpu())

    assert field not in devices[CARD]
    assert devices[CARD]["memory_clock_mhz"] == 9751


def test_shares_that_fail_are_unknown_and_not_nought(machine: Machine) -> None:
    machine.card()
    machine.say(*ONE, "error ProcessUtilization 999")
    gpu = machine.gpu()

    gpu.read()

    assert {pid: use.percent for pid, use in gpu.users().items()} == {4711: None, 1203: None}


@pytest.mark.parametrize("kind", ["Compute", "Graphics"])
def test_users_that_are_not_all_listed_are_not_counted(machine: Machine, kind: str) -> None:
    machine.card()
    machine.say(*ONE, f"error {kind}RunningProcesses 999")
    gpu = machine.gpu()

    assert "process_count" not in _devices(gpu)[CARD]

    machine.say(*ONE)
    machine.seconds += 2
    assert _devices(gpu)[CARD]["process_count"] == 2


def test_a_library_that_lost_its_start_is_started_anew(machine: Machine) -> None:
    machine.card()
    machine.card(SECOND_CARD)
    machine.say(*ONE, *TWO)
    gpu = machine.gpu()
    gpu.read()
    machine.called()

    machine.say(*ONE, *TWO, "error Temperature 1")
    machine.seconds += 2
    assert {device["state"] for device in _devices(gpu).values()} == {"unreachable"}

    machine.say(*ONE, *TWO)
    machine.seconds += 2
    assert {device["state"] for device in _devices(gpu).values()} == {"active"}
    assert [name for name in machine.called() if name in ("Init", "Shutdown")] == [
        "Shutdown",
        "Init",
    ]
