"""NVIDIA's GPUs, through the real binding and a library that follows a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.payload import to_json
from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.subsystems.gpu import GpuDeviceReading

CARD = "0000:01:00.0"
SECOND_CARD = "0000:02:00.0"
SCRIPTS = Path(__file__).parents[3] / "native" / "scripts"

ONE = ("driver 550.54.14", "gpu 00000000:01:00.0 GPU-1 One")
TWO = ("gpu 00000000:02:00.0 GPU-2 Two",)
IDLE = ("value UtilizationRates 0 0", "value Temperature 40", "value PowerUsage 20000")
BUSY = ("value UtilizationRates 90 40", "value Temperature 70", "value PowerUsage 220000")


def _body(gpu: Any) -> dict[str, Any]:
    return {
        "gpu": to_json(gpu.read()),
        "users": {
            str(pid): {
                "percent": use.percent,
                "memory_bytes": use.memory_bytes,
                "encode_percent": use.encode_percent,
                "device": use.device,
            }
            for pid, use in sorted(gpu.users().items())
        },
        "senses": {name: str(error) for name, error in gpu.health.items() if error},
    }


def _device(gpu: Any, address: str = CARD) -> GpuDeviceReading:
    device = gpu.read().devices[address]
    assert isinstance(device, GpuDeviceReading)
    return device


@pytest.mark.parametrize("name", ["geforce", "datacenter-mig", "jetson"])
def test_a_scripted_driver_reads_as_expected(machine: Any, name: str) -> None:
    script = (SCRIPTS / f"{name}.script").read_text()
    machine.say(script)
    for line in script.splitlines():
        if line.startswith("gpu") and not line.startswith("gpu 00000000:00:00.0"):
            machine.card(line.split()[1][4:])

    assert _body(machine.gpu()) == json.loads((SCRIPTS / f"{name}.json").read_text())


def test_a_driver_of_ten_years_ago_is_asked_in_its_own_words(
    bare_machine: Any, elsewhere: Any, stand_in: Any, tmp_path: Path
) -> None:
    bare_machine.card()
    bare_machine.say((SCRIPTS / "geforce.script").read_text())
    stand_in(tmp_path / "old", "-DOLD")

    told = json.loads(
        elsewhere(
            bare_machine, tmp_path / "old",
            "print(json.dumps({**to_json(gpu.read())['devices']['0000:01:00.0'],"
            " 'users': {pid: use.memory_bytes for pid, use in gpu.users().items()}}))",
        )
    )  # fmt: skip

    # Its figure of used memory has what the driver keeps for itself in it.
    assert told["memory_used_bytes"] == 21474836480 + 402653184
    assert told["throttle_reasons"] == "power limit, heat (by the driver)"
    assert told["users"] == {"4711": 20401094656, "1203": 268435456}
    assert "fan_speed_rpm" not in told


def test_without_a_driver_the_binding_is_not_even_loaded(
    bare_machine: Any, elsewhere: Any, tmp_path: Path
) -> None:
    (bare_machine.root / "proc/driver/nvidia/version").unlink()

    told = elsewhere(
        bare_machine, tmp_path,
        "try: gpu.read()",
        "except SourceError as error: print(type(error).__name__, error)",
        "print('pynvml' in sys.modules, 'ctypes' in sys.modules)",
    )  # fmt: skip

    assert told == "AbsentError no GPU on this machine\nFalse False\n"


def test_without_the_library_the_reason_and_the_remedy_are_told(
    bare_machine: Any, elsewhere: Any, tmp_path: Path
) -> None:
    bare_machine.card()

    told = elsewhere(
        bare_machine, tmp_path,
        "try: gpu.read()",
        "except SourceError as error: print(type(error).__name__, error, '|', error.remedy)",
    )  # fmt: skip

    assert told.startswith("AbsentError libnvidia-ml.so.1: NVIDIA's management library is not")
    assert "nvidia-smi" in told


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (9, AbsentError, "driver is not loaded"),
        (4, DeniedError, "may not use the GPU"),
        (18, SourceError, "different versions"),
        (999, SourceError, "NVML: Unknown Error"),
    ],
)
def test_a_library_that_does_not_start_says_why(
    machine: Any, code: int, kind: type[SourceError], words: str
) -> None:
    machine.say(f"error Init {code}", *ONE, *BUSY)

    with pytest.raises(SourceError, match=words) as raised:
        machine.gpu().read()

    assert type(raised.value) is kind


def test_a_driver_without_a_gpu_is_absent(machine: Any) -> None:
    with pytest.raises(AbsentError, match="finds no GPU"):
        machine.gpu().read()


def test_a_library_that_fails_is_started_anew_with_growing_pauses(machine: Any) -> None:
    machine.card()
    machine.say("error Init 999", *ONE, *BUSY)
    gpu = machine.gpu()

    for _ in range(30):  # a minute
        assert _device(gpu).state == "unreachable"
        machine.seconds += 2
    assert machine.called().count("Init") == 5
    assert "Unknown Error" in str(gpu.health["gpu.nvidia"])

    machine.say(*ONE, *BUSY)
    machine.seconds += 60
    assert _device(gpu).usage_percent == 90
    assert gpu.health["gpu.nvidia"] is None


def test_an_unknown_error_in_the_midst_leads_to_a_new_start(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, *BUSY)
    gpu = machine.gpu()
    gpu.read()
    machine.called()

    machine.say(*ONE, "error UtilizationRates 999")
    machine.seconds += 2
    assert _device(gpu).state == "unreachable"
    assert _device(gpu).name == "One"

    machine.say(*ONE, *BUSY)
    machine.seconds += 2
    assert _device(gpu).state == "active"
    assert [name for name in machine.called() if name in ("Init", "Shutdown")] == [
        "Shutdown",
        "Init",
    ]


def test_one_lost_gpu_does_not_take_the_other_along(machine: Any) -> None:
    machine.card()
    machine.card(SECOND_CARD)
    machine.say(*ONE, *BUSY, *TWO, *IDLE)
    gpu = machine.gpu()
    gpu.read()

    machine.say(*ONE, "error UtilizationRates 15", *TWO, *BUSY)
    machine.somebody_opens()
    machine.seconds += 2
    reading = gpu.read()

    assert reading.devices[CARD].state == "lost"
    assert reading.devices[CARD].name == "One"
    assert reading.devices[CARD].usage_percent is None
    assert reading.devices[SECOND_CARD].usage_percent == 90
    assert reading.usage_percent == 90
    assert "is lost" in str(gpu.health[f"gpu.{CARD}"])

    machine.called()
    machine.seconds += 2
    gpu.read()
    assert machine.called().count("UtilizationRates") == 1  # the lost one is left alone

    machine.say(*ONE, *BUSY, *TWO, *BUSY)
    machine.seconds += 300
    assert _device(gpu).state == "active"
    assert gpu.health[f"gpu.{CARD}"] is None


def test_a_gpu_that_is_not_given_to_a_container_is_named(machine: Any) -> None:
    machine.card()
    machine.card(SECOND_CARD)
    machine.say(*ONE, *BUSY)
    gpu = machine.gpu()

    assert _device(gpu, SECOND_CARD).state == "unreachable"
    assert isinstance(gpu.health[f"gpu.{SECOND_CARD}"], DeniedError)
    assert _device(gpu).usage_percent == 90


def test_a_gpu_can_be_pulled_out_and_put_back(machine: Any) -> None:
    machine.card()
    machine.card(SECOND_CARD)
    machine.say(*ONE, *BUSY, *TWO, *IDLE)
    gpu = machine.gpu()
    gpu.read()

    machine.remove(SECOND_CARD)
    machine.say(*ONE, *BUSY)
    machine.seconds += 2
    assert list(gpu.read().devices) == [CARD]

    machine.card(SECOND_CARD)
    machine.say(*ONE, *BUSY, *TWO, *IDLE)
    machine.seconds += 2
    assert list(gpu.read().devices) == [CARD, SECOND_CARD]
    assert _device(gpu, SECOND_CARD).state == "active"


def test_a_driver_that_is_unloaded_and_loaded_again(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, *BUSY)
    gpu = machine.gpu()
    gpu.read()
    version = machine.root / "proc/driver/nvidia/version"
    version.unlink()
    machine.remove()
    machine.seconds += 2

    with pytest.raises(AbsentError, match="no GPU"):
        gpu.read()
    assert machine.called()[-1] == "Shutdown"

    machine.put("/proc/driver/nvidia/version", "NVRM version")
    machine.card()
    machine.seconds += 2
    assert _device(gpu).usage_percent == 90


def test_an_updated_driver_is_read_by_its_own_library(
    bare_machine: Any, elsewhere: Any, stand_in: Any, tmp_path: Path
) -> None:
    bare_machine.card()
    bare_machine.say("error Init 18", *ONE, *BUSY)
    stand_in(tmp_path / "in-use", "-DOLD")
    new = stand_in(tmp_path / "new")

    told = elsewhere(
        bare_machine, tmp_path / "in-use",
        "import os",
        "print(gpu.read().devices['0000:01:00.0'].state)",
        f"os.replace({str(new)!r}, {str(tmp_path / 'in-use' / new.name)!r})",
        f"open({str(bare_machine.script)!r}, 'w').write({chr(10).join([*ONE, *BUSY])!r})",
        "seconds = 60.0",
        "print(gpu.read().devices['0000:01:00.0'].state)",
        "import pynvml",
        "print(hasattr(pynvml.nvmlLib, 'nvmlDeviceGetMemoryInfo_v2'))",
    )  # fmt: skip

    assert told.split() == ["unreachable", "active", "True"]


def test_what_is_not_supported_is_asked_again_after_ten_minutes(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, "value UtilizationRates 50 10")
    gpu = machine.gpu()
    gpu.read()
    assert ", temperature," in str(gpu.health["gpu.values"])
    machine.called()

    machine.seconds += 2
    gpu.read()
    assert "Temperature" not in machine.called()

    machine.say(*ONE, *BUSY)
    machine.seconds += 600
    assert _device(gpu).temperature_celsius == 70
    assert ", temperature," not in str(gpu.health["gpu.values"])


def test_shares_are_told_at_once_after_the_clock_was_set_back(machine: Any) -> None:
    machine.card()
    gpu = machine.gpu()
    for machine.set_back in (0.0, 0.0, 3600.0, 3600.0, 3600.0):
        machine.seconds += 3.0
        stamp = machine.microseconds() - 500_000
        machine.say(*ONE, *BUSY, "process compute 4711 1024", f"sample 4711 {stamp} 93 58 0 0")
        gpu.read()
        assert gpu.users()[4711].percent == 93.0
