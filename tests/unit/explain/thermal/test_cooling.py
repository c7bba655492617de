"""Cooling down, on machines whose physics is known."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from unit.explain.stage import FirstOrder, MakeAccount, Stage

from publisher.explain.inputs import Signs
from publisher.explain.learned.store import LearnedCooling, LearnedStore
from publisher.explain.thermal.cooling import Cooling
from publisher.ledger.accounts import Account

MAKE = {"kind": "job", "label": "make -j8", "command": "make -j8", "ancestors": ("make",)}
NAME = "Software build (make -j8)"


def episode(
    stage: Stage, job: Account, machine: FirstOrder, seconds: float = 400.0
) -> tuple[float, list[tuple[float, float]]]:
    """A load and all of the fall after it: (seconds until quiet, estimates made meanwhile)."""
    stage.play(job, lasting=seconds)
    ended = stage.now
    quiet_after, estimates = None, []
    while stage.now - ended < 9 * machine.time_constant:
        verdict = stage.step()
        if verdict.quiet_in_seconds is not None and quiet_after is None:
            estimates.append((stage.now - ended, verdict.quiet_in_seconds))
        if verdict.state == "quiet" and quiet_after is None:
            quiet_after = stage.now - ended
    assert quiet_after is not None
    return quiet_after, estimates


def learned_by(stage: Stage) -> LearnedCooling:
    """What the machine's falls have taught so far, as it is kept on disk."""
    stage.explainer.close()
    return LearnedStore.open(stage.state_dir).machine


def time_constant(learned: LearnedCooling) -> float:
    return Cooling(60.0, learned.episodes).time_constant


def test_the_culprit_is_named_until_the_machine_is_cool(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder
) -> None:
    stage = make_stage(evidence=thermal_machine)
    stage.play(lasting=600)
    rest = thermal_machine.temperature
    stage.play(make_account("cc1", 3.5, **MAKE), lasting=400)
    peak = thermal_machine.temperature
    assert NAME in stage.headlines[-1]
    stage.play(lasting=8)
    verdict = stage.step()
    assert verdict.state == "cooling"
    assert verdict.headline == (f"Fan still running: cooling after {NAME}, which ended at 12:16")
    assert [(cause.category, cause.active) for cause in verdict.causes] == [("development", False)]
    while verdict.state == "cooling":
        assert NAME in verdict.headline
        verdict = stage.step()
    assert verdict.headline == "System load normal"
    assert verdict.causes == ()
    assert thermal_machine.temperature - rest <= 0.25 * (peak - rest)
    states = [event.state for event in stage.events if event.event == "state_changed"]
    assert states == ["busy", "cooling", "quiet"]


@pytest.mark.parametrize("seconds", [60, 120, 240])
def test_the_time_constant_is_learned(
    make_stage: type[Stage],
    make_account: MakeAccount,
    thermal_machine: FirstOrder,
    tmp_path: Path,
    seconds: float,
) -> None:
    thermal_machine.time_constant = seconds
    stage = make_stage(evidence=thermal_machine, state_dir=str(tmp_path))
    stage.play(lasting=600)
    for _ in range(3):
        episode(stage, make_account("cc1", 3.5, **MAKE), thermal_machine)
    stage.step(make_account("cc1", 3.5, **MAKE))
    stage.step()
    learned = time_constant(learned_by(stage))
    # While the fan runs, which is most of the fall, the second machine cools in 0.8 of the time.
    truth = seconds * (0.8 if hasattr(thermal_machine, "sink") else 1.0)
    assert learned == pytest.approx(truth, rel=0.15)


def test_the_estimate_is_good_and_its_error_known(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder, tmp_path: Path
) -> None:
    stage = make_stage(evidence=thermal_machine, state_dir=str(tmp_path))
    stage.play(lasting=600)
    errors, published = [], []
    for round_ in range(6):
        job = make_account("cc1", 2.5 + 0.2 * round_, **MAKE)
        quiet_after, estimates = episode(stage, job, thermal_machine, seconds=300 + 40 * round_)
        errors += [
            abs(guess - (quiet_after - at)) / (quiet_after - at)
            for at, guess in estimates
            if quiet_after - at > 10
        ]
        published.append(len(estimates))
    # Two falls teach it, a third tells how good it is: only then is anything said.
    assert published[:3] == [0, 0, 0]
    assert all(published[3:])
    assert median(errors) <= 0.25
    assert median(learned_by(stage).errors) <= 0.25


@pytest.mark.parametrize("seconds", [30, 120])
def test_a_coarse_sensor_and_unequal_loads_will_do(
    make_stage: type[Stage],
    make_account: MakeAccount,
    thermal_machine: FirstOrder,
    tmp_path: Path,
    seconds: float,
) -> None:
    """Many sensors tell whole degrees, and waver by one."""
    thermal_machine.time_constant, thermal_machine.noise = seconds, 0.5

    def whole(cores: float, window: float) -> Mapping[str, Any]:
        told = dict(thermal_machine(cores, window))
        return told | {"cpu_temperature_celsius": round(told["cpu_temperature_celsius"])}

    stage = make_stage(evidence=whole, state_dir=str(tmp_path))
    stage.play(lasting=600)
    loads, errors, learned = random.Random(11), [], 0.0
    for number in range(6):
        job = make_account("cc1", loads.uniform(1.5, 3.8), **MAKE)
        quiet_after, estimates = episode(
            stage, job, thermal_machine, seconds=loads.uniform(120, 900)
        )
        errors += [
            abs(guess - (quiet_after - at)) / (quiet_after - at)
            for at, guess in estimates
            if quiet_after - at > 10
        ]
        if number == 3:  # what was learned from three
            learned = time_constant(learned_by(stage))
    truth = seconds * (0.8 if hasattr(thermal_machine, "sink") else 1.0)
    assert learned == pytest.approx(truth, rel=0.15)
    assert median(errors) <= 0.25


def test_the_end_is_told_by_the_clock(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder
) -> None:
    stage = make_stage(evidence=thermal_machine)
    stage.play(lasting=600)
    for _ in range(4):
        episode(stage, make_account("cc1", 3.5, **MAKE), thermal_machine)
    said = {line for line in stage.headlines if "quiet at about" in line}
    # Once with the fan and once without it.
    assert 1 <= len(said) <= 2


def test_what_was_learned_survives_a_restart(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder, tmp_path: Path
) -> None:
    stage = make_stage(evidence=thermal_machine, state_dir=str(tmp_path))
    stage.play(lasting=600)
    for _ in range(4):
        episode(stage, make_account("cc1", 3.5, **MAKE), thermal_machine)
    stage.explainer.close()
    again = make_stage(evidence=thermal_machine, state_dir=str(tmp_path), now=5.0)
    again.play(lasting=60)
    # It takes falls before an estimate is told, and this daemon has seen none.
    quiet_after, estimates = episode(again, make_account("cc1", 3.5, **MAKE), thermal_machine)
    assert estimates
    assert (
        median(
            abs(guess - (quiet_after - at)) / (quiet_after - at)
            for at, guess in estimates
            if quiet_after - at > 10
        )
        <= 0.25
    )


def test_a_short_load_does_not_leave_the_machine_cooling(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder
) -> None:
    stage = make_stage(evidence=thermal_machine)
    stage.play(lasting=600)
    stage.play(make_account("cc1", 1.0, **MAKE), lasting=4)
    stage.play(lasting=60)
    assert not any("cooling" in line for line in stage.headlines)


def test_a_small_job_in_the_meantime_takes_no_blame(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder
) -> None:
    stage = make_stage(evidence=thermal_machine)
    stage.play(lasting=600)
    stage.play(make_account("cc1", 3.5, **MAKE), lasting=400)
    stage.play(lasting=10)
    stage.play(make_account("borg", 1.0), lasting=6)
    stage.play(lasting=10)
    verdict = stage.step()
    assert verdict.state == "cooling"
    assert f"after {NAME}," in verdict.headline


def test_a_blip_while_cooling_changes_nothing(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder
) -> None:
    stage = make_stage(evidence=thermal_machine)
    stage.play(lasting=600)
    stage.play(make_account("cc1", 3.5, **MAKE), lasting=400)
    stage.play(lasting=8)
    before = len(stage.headlines)
    stage.step(make_account("ls", 3.0), seconds=0.5)
    stage.play(lasting=10)
    assert len(stage.headlines) == before


def test_without_sensors_there_is_no_cooling(stage: Stage, make_account: MakeAccount) -> None:
    stage.play(make_account("cc1", 3.5, **MAKE), lasting=400)
    stage.play(lasting=60)
    assert not any("cooling" in line for line in stage.headlines)
    assert stage.step().state == "quiet"


def test_a_hot_cpu(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.5, **MAKE)
    verdict = stage.play(make, lasting=20, cpu_temperature_celsius=97.0)
    assert verdict.state == "hot"
    assert verdict.headline == f"CPU hot: CPU usage high due to: {NAME}"
    verdict = stage.play(
        make, lasting=20, cpu_temperature_celsius=90.0, cpu_temperature_limit_celsius=105.0
    )
    assert verdict.state == "busy"


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"cpu_temperature_celsius": 78.0}, "a failing fan"),
        ({"cpu_temperature_celsius": 74.0, "gpu_temperature_celsius": 80.0}, "heat of a GPU"),
        ({"cpu_temperature_celsius": 35.0, "fan_duty_percent": 100.0}, "fixed fan setting"),
        ({"throttling": True}, "cooling may be failing"),
    ],
)
def test_when_it_is_not_load(stage: Stage, evidence: dict[str, Any], words: str) -> None:
    stage.play(lasting=50, **evidence)
    assert stage.headlines == ["System load normal"]
    verdict = stage.play(lasting=100, **evidence)
    assert words in verdict.hint
    assert words in verdict.headline
    assert verdict.state == "quiet"
    assert len(stage.headlines) == 2


def test_a_fan_that_sticks_after_a_load_is_not_cooling_for_ever(
    make_stage: type[Stage], make_account: MakeAccount, thermal_machine: FirstOrder
) -> None:
    stage = make_stage(evidence=thermal_machine)
    stage.play(lasting=600)
    stage.play(make_account("cc1", 3.5, **MAKE), lasting=400)
    thermal_machine.fan.stops = -300.0  # its controller hangs
    stage.play(lasting=4 * thermal_machine.time_constant, fan_duty_percent=100.0)
    said = len(stage.headlines)
    verdict = stage.play(lasting=600, fan_duty_percent=100.0)
    assert verdict.state == "quiet"
    assert verdict.evidence.fan_speed_rpm > 2000
    assert verdict.headline == (
        "System load normal, but the fan runs at full speed: "
        "a fixed fan setting or a stuck sensor would fit"
    )
    assert len(stage.headlines) - said <= 3


def test_a_fan_at_full_speed_for_a_reason_gets_no_hint(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    for _ in range(5):
        stage.play(
            make_account("cc1", 3.5, **MAKE), lasting=300,
            cpu_temperature_celsius=72.0, fan_duty_percent=100.0,
        )  # fmt: skip
        verdict = stage.play(lasting=40, cpu_temperature_celsius=55.0, fan_duty_percent=100.0)
        assert verdict.hint is None


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        ({"cpu_temperature_celsius": 74.0}, "the CPU is warm"),
        ({"fan_duty_percent": 95.0, "cpu_temperature_celsius": 41.0}, "the fan runs at full speed"),
    ],
)
def test_disks_that_check_themselves_are_a_reason(
    stage: Stage, evidence: dict[str, Any], what: str
) -> None:
    signs = Signs(upkeep=("RAID check (md0)",))
    verdict = stage.play(lasting=100, signs=signs, **evidence)
    assert verdict.hint == f"but {what}: a RAID check (md0) is running, which would fit"
    assert verdict.headline == f"System load normal, {verdict.hint}"


def test_a_raid_check_is_a_cause_when_disks_work_hard(
    stage: Stage, make_account: MakeAccount
) -> None:
    resync = make_account(
        "md0_resync", 0.1, kind="kernel", label="md0_resync", disk_read_bytes_per_second=2e8
    )
    disks = {"disk_bytes_per_second": 2.1e8}
    assert (
        stage.play(resync, lasting=10, **disks).headline
        == "High disk I/O from RAID check (md0_resync)"
    )
    stage.play(lasting=20)
    # Nobody but root may see who reads; that an array checks itself everybody may.
    signs = Signs(upkeep=("RAID check (md0)",))
    verdict = stage.play(lasting=10, signs=signs, **disks)
    assert verdict.headline == "High disk I/O during a RAID check (md0)"


def test_a_cool_quiet_machine_gets_no_hint(stage: Stage) -> None:
    verdict = stage.play(lasting=600, cpu_temperature_celsius=42.0, fan_speed_rpm=900)
    assert verdict.hint is None
