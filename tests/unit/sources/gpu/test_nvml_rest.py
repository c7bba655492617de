"""NVIDIA's GPUs left alone: asleep, resting, idle; and a driver that never answers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from publisher.sources.bounded import Bounded, HangingError
from publisher.sources.files import KernelFiles
from publisher.sources.nvml import Nvidia

CARD = "0000:01:00.0"
SECOND_CARD = "0000:02:00.0"
ONE = ("driver 550.54.14", "gpu 00000000:01:00.0 GPU-1 One")
TWO = ("gpu 00000000:02:00.0 GPU-2 Two",)
IDLE = ("value UtilizationRates 0 0", "value Temperature 40", "value PowerUsage 20000")
BUSY = ("value UtilizationRates 90 40", "value Temperature 70", "value PowerUsage 220000")


def _minutes(machine: Any, gpu: Any, count: int = 1) -> list[str]:
    """Samples every 2 s, as the daemon does, and gives the calls that it took."""
    for _ in range(30 * count):
        machine.seconds += 2
        gpu.read()
    called: list[str] = machine.called()
    return called


def _state(gpu: Any, address: str = CARD) -> str:
    return str(gpu.read().devices[address].state)


# Asleep


def test_a_sleeping_gpu_is_never_asked_anything(machine: Any) -> None:
    machine.card(control="auto", status="suspended")
    machine.put(f"/proc/driver/nvidia/gpus/{CARD}/information", "Model: \t\t NVIDIA RTX A2000")
    machine.say(*ONE, *BUSY)
    gpu = machine.gpu()

    reading = gpu.read()

    assert reading.devices[CARD].state == "asleep"
    assert reading.devices[CARD].name == "NVIDIA RTX A2000"
    assert reading.usage_percent is None
    assert gpu.users() == {}
    assert _minutes(machine, gpu) == []


def test_a_gpu_that_wakes_is_looked_at(machine: Any) -> None:
    machine.card(control="auto", status="suspended")
    machine.say(*ONE, *BUSY)
    gpu = machine.gpu()
    gpu.read()

    machine.status("active")
    machine.seconds += 2

    assert gpu.read().usage_percent == 90


def test_one_gpu_is_looked_at_while_the_other_sleeps(machine: Any) -> None:
    machine.card()
    machine.card(SECOND_CARD, control="auto", status="suspended")
    machine.say(*ONE, *BUSY, *TWO, "error Handle 999")  # it would be woken
    gpu = machine.gpu()

    reading = gpu.read()

    assert reading.devices[CARD].usage_percent == 90
    assert reading.devices[SECOND_CARD].state == "asleep"


# Resting


def test_an_idle_gpu_that_can_sleep_is_let_go_after_ten_seconds(machine: Any) -> None:
    machine.card(control="auto")
    machine.say(*ONE, *IDLE)
    gpu = machine.gpu()
    states = []
    for _ in range(8):
        states.append(_state(gpu))
        machine.seconds += 2

    assert states == ["active"] * 6 + ["resting"] * 2
    assert machine.called()[-1] == "Shutdown"

    machine.status("suspended")
    assert _state(gpu) == "asleep"
    assert machine.called() == []


def test_one_that_cannot_sleep_is_kept(machine: Any) -> None:
    machine.card(control="on")
    machine.say(*ONE, *IDLE)
    gpu = machine.gpu()

    assert "Shutdown" not in _minutes(machine, gpu, 5)


def test_a_busy_one_is_kept(machine: Any) -> None:
    machine.card(control="auto")
    machine.say(*ONE, *BUSY)
    gpu = machine.gpu()

    assert "Shutdown" not in _minutes(machine, gpu, 5)


def test_somebody_who_comes_while_it_rests_is_seen_at_once(machine: Any) -> None:
    machine.card(control="auto")
    machine.say(*ONE, *IDLE)
    gpu = machine.gpu()
    for _ in range(8):
        gpu.read()
        machine.seconds += 2
    assert _state(gpu) == "resting"

    machine.say(*ONE, *BUSY)
    machine.somebody_opens()

    assert gpu.read().usage_percent == 90


def test_what_others_keep_awake_is_looked_at_again_for_ten_minutes(machine: Any) -> None:
    machine.card(control="auto")
    machine.say(*ONE, *IDLE)
    gpu = machine.gpu()
    states = []
    for _ in range(30 * 12):
        states.append(_state(gpu))
        machine.seconds += 2

    # 10 s of idleness, 30 s left alone, ten minutes looked at, and once more left alone.
    assert states[:6] == ["active"] * 6
    assert states[6:20] == ["resting"] * 14
    assert set(states[21:320]) == {"active"}
    assert machine.called().count("Shutdown") == 2

    machine.status("suspended")
    gpu.read()
    machine.status("active")
    for _ in range(6):
        assert _state(gpu) == "active"
        machine.seconds += 2
    assert _state(gpu) == "resting"  # it can sleep, after all: no patience is needed


# Idle


def test_an_idle_gpu_that_nobody_has_open_costs_next_to_nothing(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, *IDLE)
    gpu = machine.gpu()
    _minutes(machine, gpu, 3)

    called = _minutes(machine, gpu, 10)

    assert called.count("UtilizationRates") <= 2 * 10
    assert len(called) <= 26 * 10


def test_an_idle_gpu_that_somebody_has_open_is_asked_one_thing(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, *IDLE, "process graphics 900 1048576")
    gpu = machine.gpu()
    _minutes(machine, gpu, 3)

    called = _minutes(machine, gpu, 10)

    assert called.count("UtilizationRates") == 30 * 10
    assert called.count("PowerUsage") <= 2 * 10 + 1


def test_a_load_on_an_idle_gpu_is_seen_with_the_next_sample(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, *IDLE)
    gpu = machine.gpu()
    _minutes(machine, gpu, 3)

    machine.say(*ONE, *BUSY)
    machine.somebody_opens()
    machine.seconds += 2

    assert gpu.read().usage_percent == 90
    assert gpu.read().power_watts == 220


def test_opens_that_are_not_counted_are_not_relied_on(machine: Any) -> None:
    machine.card()
    machine.say(*ONE, *IDLE)
    (machine.root / "sys/module/nvidia/refcnt").unlink()
    gpu = machine.gpu()
    _minutes(machine, gpu, 3)

    machine.say(*ONE, *BUSY)
    machine.seconds += 2

    assert gpu.read().usage_percent == 90


# A driver that does not answer


@pytest.fixture
def hanging(machine: Any, tmp_path: Path) -> Any:
    """GPUs whose driver has ceased to answer, a short deadline, and what lets it answer again."""
    machine.card()
    machine.say(*ONE, *BUSY)
    nvidia = Nvidia(KernelFiles(machine.root), machine.monotonic, machine.wall, deadline=0.2)
    nvidia.look()
    release = tmp_path / "release"
    machine.say(*ONE, f"hang UtilizationRates {release}", "value UtilizationRates 1 1")
    yield machine, nvidia, release
    release.touch()
    nvidia.close()


def test_a_hanging_driver_is_given_up_after_its_deadline(hanging: Any) -> None:
    machine, nvidia, _ = hanging

    look = nvidia.look()[CARD]

    assert look.facts == {
        "state": "unreachable", "name": "One", "vendor": "NVIDIA", "uuid": "GPU-1",
        "driver": "nvidia 550.54.14",
    }  # fmt: skip
    assert isinstance(nvidia.failure, HangingError)
    machine.seconds += 40
    nvidia.look()
    assert "has not answered for 40 s" in str(nvidia.failure)


def test_never_more_than_one_thread_is_stuck(hanging: Any) -> None:
    machine, nvidia, _ = hanging
    before = threading.active_count()
    machine.called()

    for _ in range(20):
        nvidia.look()
        machine.seconds += 2

    assert threading.active_count() == before
    assert machine.called() == ["UtilizationRates"]


def test_a_driver_that_answers_again_is_started_anew(hanging: Any) -> None:
    machine, nvidia, release = hanging
    nvidia.look()
    machine.say(*ONE, *IDLE)
    release.touch()
    nvidia._worker._left_behind.done.wait(10)
    machine.called()
    machine.seconds += 60

    assert nvidia.look()[CARD].facts["usage_percent"] == 0
    assert machine.called()[:2] == ["Shutdown", "Init"]


def test_a_hanging_driver_does_not_keep_us_from_ending(hanging: Any) -> None:
    _, nvidia, _ = hanging
    nvidia.look()

    nvidia.close()  # comes back


def test_a_shutdown_that_wedges_does_not_either(machine: Any, tmp_path: Path) -> None:
    machine.card()
    machine.say(*ONE, *BUSY)
    nvidia = Nvidia(KernelFiles(machine.root), machine.monotonic, machine.wall)
    nvidia.look()
    machine.say(f"hang Shutdown {tmp_path / 'release'}", *ONE, *BUSY)

    nvidia.close()

    assert nvidia._worker.stuck
    (tmp_path / "release").touch()


def test_what_goes_wrong_in_the_thread_comes_out_of_it() -> None:
    worker = Bounded("test", "nobody", 10, lambda: 0.0)

    def fail() -> None:
        raise ValueError("it went wrong")

    with pytest.raises(ValueError, match="it went wrong"):
        worker.run(fail)
    assert worker.run(lambda: 7) == 7
    worker.close()
