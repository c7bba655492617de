"""Energy by culprit: the rows add up to what was measured, whatever the work."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.explain.stage import MakeAccount, Stage

from publisher.explain.learned.energy import IDLE, OTHERS, UNATTRIBUTED, Energy, EnergyByKind

amounts = st.floats(0, 1e4, allow_nan=False)
windows = st.lists(
    st.tuples(
        amounts,
        amounts,
        st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.floats(0, 64)), max_size=20),
        st.floats(0, 128),
        st.integers(0, 9),
    ),
    max_size=30,
)


@given(windows)
def test_the_rows_add_up_to_what_was_measured(
    given_windows: list[tuple[float, float, list[tuple[str, float]], float, int]],
) -> None:
    energy = Energy()
    measured: dict[int, float] = {}
    for joules, idle, work, total, day in sorted(given_windows, key=lambda window: window[-1]):
        energy.add(joules, idle, work, total, day)
        measured[day] = measured.get(day, 0.0) + joules
    last = max(measured, default=0)
    week = sum(joules for day, joules in measured.items() if day > last - 7)
    rows: tuple[Any, ...] = energy.readings(last)
    assert sum(row.week_joules for row in rows) == pytest.approx(week, abs=1e-3)
    assert sum(row.today_joules for row in rows) == pytest.approx(measured.get(last, 0.0), abs=1e-3)
    assert all(row.week_joules >= row.today_joules - 1e-6 >= -1e-6 for row in rows)
    assert Energy.from_json(energy.to_json()).days.keys() == energy.days.keys()


def test_what_nobody_did_and_what_rest_takes_are_named() -> None:
    energy = Energy()
    energy.add(100.0, 40.0, [("make", 2.0), ("borg", 1.0)], 4.0, day=1)
    rows = {row.label: row.today_joules for row in energy.readings(1)}
    assert rows == {"make": 30.0, "borg": 15.0, UNATTRIBUTED: 15.0, IDLE: 40.0}


def test_a_day_that_lies_ahead_is_of_no_week_and_goes_when_days_follow_each_other() -> None:
    energy = Energy()
    for day in (20_029, 20_030, 20_000):  # set back by 30 days
        energy.add(1000.0, 0.0, [("make", 1.0)], 1.0, day)
    assert [row.week_joules for row in energy.readings(20_000)] == [1000.0]
    energy.add(1000.0, 0.0, [("make", 1.0)], 1.0, 20_001)
    assert [row.week_joules for row in energy.readings(20_001)] == [2000.0]
    assert sorted(energy.days) == [20_000, 20_001]


def test_a_clock_that_is_not_set_yet_costs_no_week() -> None:
    energy = Energy()
    # A start without a battery, and then the network's time.
    for day in (20_000, 20_001, 0, 20_001):
        energy.add(1000.0, 0.0, [("make", 1.0)], 1.0, day)
    assert [row.week_joules for row in energy.readings(20_001)] == [3000.0]
    energy.add(1000.0, 0.0, [("make", 1.0)], 1.0, 20_002)
    assert sorted(energy.days) == [20_000, 20_001, 20_002]


def test_by_kind_all_is_there_for_ever_and_today_begins_at_midnight() -> None:
    energy = EnergyByKind()
    energy.add(3.6e6, 1.8e6, [("backup", 1.0), ("media", 2.0)], 4.0, day=1)
    energy.add(3.6e6, 0.0, [("backup", 1.0)], 1.0, day=2)
    again = EnergyByKind.from_json(json.loads(json.dumps(energy.to_json())))
    assert again == energy
    rows = again.readings(2)
    total = {kind: row.energy_kilowatt_hours for kind, row in rows.items()}
    assert sum(filter(None, total.values())) == pytest.approx(2.0)
    assert total["backup"] == pytest.approx(0.125 + 1.0)
    assert rows["backup"].today_kilowatt_hours == pytest.approx(1.0)
    assert rows["media"].today_kilowatt_hours == 0.0
    assert [row.label for row in rows.values()] == [
        "Backup", "At rest", "Media", "Nobody named",
    ]  # fmt: skip
    assert again.readings(3)["backup"].today_kilowatt_hours == 0.0


@pytest.mark.parametrize(
    "odd", [{}, {"total": 3, "day": 1, "today": {}}, {"total": {"backup": []}}]
)
def test_what_is_no_energy_by_kind_is_not_taken(odd: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        EnergyByKind.from_json(odd)


def test_many_programs_become_one_row() -> None:
    energy = Energy()
    energy.add(100.0, 0.0, [(f"program {n}", 1.0) for n in range(100)], 100.0, day=1)
    rows: tuple[Any, ...] = energy.readings(1)
    assert len(rows) <= 11
    assert OTHERS in {row.label for row in rows}
    assert sum(row.week_joules for row in rows) == pytest.approx(100.0)


def test_the_verdict_carries_energy_only_where_power_is_measured(
    stage: Stage, make_account: MakeAccount
) -> None:
    borg = make_account("borg", 3.0)
    assert stage.play(borg, lasting=10).energy is None
    stage.play(lasting=200, power_watts=10.0)
    verdict = stage.play(borg, lasting=100, power_watts=60.0)
    rows = {row.label: row.today_joules for row in verdict.energy}
    # Nothing counts as rest before the machine has rested with its power read: 40 windows of the
    # rest that follows the first load are watched for cooling.
    assert sum(rows.values()) == pytest.approx(200 * 10 + 100 * 60, rel=0.01)
    assert rows["Borg backup"] > 2000
    cause = verdict.causes[0]
    assert cause.power_watts == pytest.approx(50.0, rel=0.25)
    stage.play(lasting=20, power_watts=10.0)
    ended = next(
        event for event in stage.events if event.event == "cause_ended" and event.energy_joules
    )
    assert ended.energy_joules > 2000
