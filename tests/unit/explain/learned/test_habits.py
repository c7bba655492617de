"""Three weeks of nights on a clock of our own: the usual, the surprise and the dust."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from unit.explain.stage import MakeAccount, Stage

from publisher.explain.learned.habits import Habits
from publisher.ledger.accounts import Account

DAY = 86400
TWO_AT_NIGHT = 2 * 3600


def night(
    stage: Stage,
    make_account: MakeAccount,
    *jobs: Account,
    warmer: float = 0.0,
    watts: float = 12.0,
) -> list[str]:
    """A day from noon to noon with jobs at about two in the night; what was said meanwhile."""
    seen = len(stage.headlines)
    noon = stage.wall

    def rest(until: float) -> None:
        while stage.wall < until:
            stage.step(
                seconds=min(300.0, until - stage.wall),
                cpu_temperature_celsius=35.0 + warmer,
                power_watts=watts,
            )

    rest(noon + 14 * 3600)
    for job in jobs:
        for _ in range(20):
            stage.step(job, seconds=30.0, cpu_temperature_celsius=60.0 + warmer, power_watts=70.0)
        rest(stage.wall + 900)
    rest(noon + DAY)
    return stage.headlines[seen:]


def alerts(stage: Stage) -> list[tuple[str, str | None]]:
    return [(event.alert, event.event) for event in stage.events if event.alert]


def test_the_nightly_backup_is_usual_from_the_fourth_night_on(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    backup = make_account("borg", 3.0)
    for number in range(21):
        said = [line for line in night(stage, make_account, backup) if "Borg" in line]
        times = min(number, 7)
        if number < 3:
            assert not any("as on" in line for line in said)
        else:
            assert f"as on {times} of the last {times} nights" in said[0]
    assert alerts(stage) == []


def test_a_new_miner_is_a_surprise_at_once(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    backup, miner = make_account("borg", 3.0), make_account("xmrig", 3.5)
    for _ in range(14):
        night(stage, make_account, backup)
    assert alerts(stage) == []
    said = night(stage, make_account, backup, miner)
    (flagged,) = {line for line in said if "xmrig" in line.lower() and "since" not in line}
    assert flagged.startswith("Suspected cryptomining")
    assert flagged.endswith("not seen before")
    assert ("cryptomining", "alert_raised") in alerts(stage)
    before = len(alerts(stage))
    for _ in range(5):
        night(stage, make_account, backup)
    assert alerts(stage)[before:] == []


def test_an_unknown_program_at_a_quiet_hour_is_unusual(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    for _ in range(9):
        night(stage, make_account)
    said = night(stage, make_account, make_account("frobnicate", 3.0))
    assert "CPU usage high due to: frobnicate, not seen before" in said
    assert ("unusual", "alert_raised") in alerts(stage)


def test_a_night_without_the_backup_is_counted(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    backup = make_account("borg", 3.0)
    for number in range(8):
        night(stage, make_account, *([] if number == 4 else [backup]))
    said = night(stage, make_account, backup)
    assert any("as on 6 of the last 7 nights" in line for line in said)


def test_dust_is_reported_once_and_nothing_else_is(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    backup = make_account("borg", 3.0)
    for _ in range(8):
        night(stage, make_account, backup)
    for number in range(7):
        night(stage, make_account, backup, warmer=6.0 * number / 6)
        assert alerts(stage) == []
    for _ in range(6):
        night(stage, make_account, backup, warmer=6.0)
    assert alerts(stage) == [("dust", "alert_raised")]


def test_slow_dust_is_told_from_weather(make_stage: type[Stage], make_account: MakeAccount) -> None:
    """Six degrees in three weeks, below weather that goes up and down by a degree and a half."""
    weather = random.Random(4)
    backup = make_account("borg", 3.0)
    clean, dusty = make_stage(), make_stage()
    for number in range(28):
        today = weather.uniform(-1.5, 1.5)
        night(clean, make_account, backup, warmer=today)
        night(dusty, make_account, backup, warmer=today + min(6.0, 6.0 * number / 21))
        if number < 14:
            assert alerts(dusty) == []
    assert alerts(clean) == []
    assert alerts(dusty) == [("dust", "alert_raised")]


def test_warmer_at_more_power_is_not_dust(
    make_stage: type[Stage], make_account: MakeAccount
) -> None:
    stage = make_stage()
    for number in range(21):
        night(stage, make_account, warmer=6.0 if number > 9 else 0.0,
              watts=18.0 if number > 9 else 12.0)  # fmt: skip
    assert alerts(stage) == []


def test_three_weeks_with_everything_in_them(
    make_stage: type[Stage], make_account: MakeAccount, tmp_path: Path
) -> None:
    """The backup every night, a restart every day, a miner in the third week, dust in between."""
    backup, miner = make_account("borg", 3.0), make_account("xmrig", 3.5)
    told, wall, now = [], None, 1000.0
    for number in range(24):
        stage = make_stage(state_dir=str(tmp_path), now=now)
        stage.wall = wall or stage.wall
        jobs = [backup, miner] if number == 17 else [backup]
        said = night(stage, make_account, *jobs, warmer=max(0.0, min(6.0, 0.6 * (number - 6))))
        borg = [line for line in said if "Borg" in line and "mining" not in line]
        assert any("as on" in line for line in borg) == (number >= 3)
        assert not any("first time" in line or "not seen" in line for line in borg)
        told += [(number, event.alert) for event in stage.events if event.event == "alert_raised"]
        wall = stage.wall
        stage.explainer.close()
    # Each daemon tells of the dust once; above five degrees for three days it is from the 17th on.
    dust = [(day, "dust") for day in range(17, 24)]
    assert sorted(told) == sorted([(17, "cryptomining"), *dust])


def test_a_hot_day_is_not_dust(make_stage: type[Stage], make_account: MakeAccount) -> None:
    stage = make_stage()
    for number in range(21):
        night(stage, make_account, warmer=7.0 if number in (10, 15) else 0.0)
    assert alerts(stage) == []


@pytest.mark.parametrize("shift", [-40, -20, 0, 20, 40])
def test_about_the_same_hour_is_near_enough(shift: int) -> None:
    habits = Habits()
    for day in range(10):
        wall = DAY * (20_000 + day) + TWO_AT_NIGHT
        habits.watch(wall)
        if day < 9:
            habits.note("Borg backup", wall + 60 * shift)
    assert habits.judge("Borg backup", DAY * 20_009 + TWO_AT_NIGHT).usual


def test_midnight_is_no_border() -> None:
    habits = Habits()
    for day in range(8):
        midnight = DAY * (20_000 + day)
        habits.watch(midnight)
        habits.watch(midnight - 600)
        habits.note("Borg backup", midnight + (300 if day % 2 else -300))
    assert habits.judge("Borg backup", DAY * 20_008 + 60).times == 7


def test_hours_in_which_nobody_watched_are_no_evidence() -> None:
    habits = Habits()
    for day in range(10):
        habits.watch(DAY * (20_000 + day) + 14 * 3600)
    habit = habits.judge("anything", DAY * 20_010 + TWO_AT_NIGHT)
    assert (habit.days, habit.surprise, habit.words()) == (0, False, "")


def test_what_is_kept_is_bounded() -> None:
    habits = Habits()
    for day in range(400):
        wall = DAY * (20_000 + day)
        habits.watch(wall)
        for hour in range(0, 24, 2):
            habits.note("hourly", wall + 3600 * hour)
        habits.note(f"job {day}", wall)
    assert len(habits.came) <= 64
    assert len(habits.came["hourly"]) <= 60
    assert len(habits.watched) <= 22
    again = Habits.from_json(habits.to_json())
    assert again == habits
