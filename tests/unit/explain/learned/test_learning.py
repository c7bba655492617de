"""What is learned from window to window, and what of it outlives a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.explain.stage import MakeAccount, Stage

from publisher.explain.explainer import Explainer


class Machine:
    """A state folder, and one in memory."""

    def __init__(self, folder: Path) -> None:
        self.state, self.memory = folder / "state", folder / "memory"
        self.memory.mkdir()

    def start(self) -> Stage:
        made = Stage(state_dir=str(self.state))
        made.explainer = Explainer(
            made.settings, state_dir=str(self.state), memory=str(self.memory)
        )
        return made


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def joules(stage: Stage, make_account: MakeAccount) -> float:
    reading = stage.step(make_account("make", 1.0), power_watts=50.0)
    return sum(row.today_joules or 0 for row in reading.energy or ())


def test_the_energy_of_the_day_outlives_a_crash(
    machine: Machine, make_account: MakeAccount
) -> None:
    before = machine.start()
    before.play(make_account("make", 3.0), lasting=300, power_watts=50.0)
    told = joules(before, make_account)
    assert joules(machine.start(), make_account) > told - 50 * 12 > 10_000


def test_an_orderly_end_leaves_nothing_in_memory(
    machine: Machine, make_account: MakeAccount
) -> None:
    stage = machine.start()
    stage.play(make_account("make", 3.0), lasting=300, power_watts=50.0)
    assert list(machine.memory.iterdir())
    stage.explainer.close()
    assert list(machine.memory.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}', '{"1": {"a": "b"}}'])
def test_a_damaged_copy_is_passed_over(
    machine: Machine, make_account: MakeAccount, content: str
) -> None:
    stage = machine.start()
    stage.play(make_account("make", 3.0), lasting=300, power_watts=50.0)
    (copy,) = machine.memory.iterdir()
    copy.write_text(content)
    assert joules(machine.start(), make_account) < 1_000
