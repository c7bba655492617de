"""What the timeline remembers besides the picture: gaps, alerts, states, and that it fits."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from publisher.contract.payload import Envelope, encode, rfc3339, to_json
from publisher.contract.readings import (
    CauseReading,
    EventReading,
    EvidenceReading,
    ExplanationReading,
)
from publisher.daemon.timeline import MEMORY_SECONDS, Timeline
from publisher.daemon.timeline_reading import LARGEST, reading_of
from publisher.daemon.timeline_store import keep, recall

NOON = 1_700_000_000.0


def verdict(
    label: str = "",
    *,
    state: str = "quiet",
    headline: str = "",
    active: bool = True,
    share: float = 50.0,
    celsius: float | None = None,
    cpu: float | None = None,
) -> ExplanationReading:
    cause = CauseReading(
        category="backup",
        label=label,
        group=label,
        resource="cpu",
        share_percent=share,
        active=active,
        since=rfc3339(NOON),
    )
    return ExplanationReading(
        state=state,
        headline=headline or f"{state}: {label}",
        causes=(cause,) if label else (),
        evidence=EvidenceReading(cpu_temperature_celsius=celsius, cpu_percent=cpu),
    )


def follow(
    timeline: Timeline, seconds: float, *more: float, step: float = 6.0, **what: Any
) -> None:
    """Looks every ``step`` seconds from ``seconds`` on, until the second time."""
    at = seconds
    while at <= (more[0] if more else seconds):
        timeline.look(verdict(**what), NOON + at, now=at)
        at += step


def test_a_cause_has_begin_end_share_and_how_long_its_heat_was_named() -> None:
    memory = Timeline()
    follow(memory, 6, 60, label="borg", share=40.0)
    follow(memory, 66, 90, label="borg", share=90.0)
    follow(memory, 96, 120, label="borg", active=False, share=0.0)
    memory.note(
        [
            EventReading(
                event="cause_ended",
                resource="cpu",
                label="borg",
                energy_joules=300.0,
                began=rfc3339(NOON),
            )
        ],
        NOON + 121,
    )
    follow(memory, 126, 126)
    (told,) = reading_of(memory, NOON + 126).causes
    assert (told.began, told.ended) == (rfc3339(NOON), rfc3339(NOON + 90))
    assert (told.blamed_until, told.share_percent) == (rfc3339(NOON + 120), 90.0)
    assert (told.energy_joules, told.unwatched) == (300.0, None)


def test_an_end_that_nobody_saw_is_told_as_that() -> None:
    memory = Timeline()
    follow(memory, 6, 60, label="borg")
    ended = EventReading(event="cause_ended", resource="cpu", label="borg", unwatched=True)
    memory.note([ended], NOON + 61)
    (told,) = reading_of(memory, NOON + 61).causes
    assert (told.ended, told.unwatched) == (rfc3339(NOON + 60), True)


def test_what_lasts_has_no_end() -> None:
    memory = Timeline()
    follow(memory, 0, 60, label="borg", state="busy")
    told = reading_of(memory, NOON + 60)
    assert (told.causes[0].ended, told.states[0].ended) == (None, None)
    assert told.until == rfc3339(NOON + 60)


def test_a_sentence_that_settles_is_one_and_a_new_one_later_another() -> None:
    memory = Timeline()
    follow(memory, 0, 0, state="busy", headline="one")
    follow(memory, 6, 300, state="busy", headline="two")
    follow(memory, 306, 600, state="busy", headline="three")
    follow(memory, 606, 606, state="quiet", headline="four")
    found = [(state.headline, state.began - NOON) for state in memory.states]
    assert found == [("two", 0), ("three", 306), ("four", 606)]


def test_alerts_stand_from_when_they_are_raised_until_they_are_cleared() -> None:
    memory = Timeline()
    follow(memory, 0, 0)
    raised = EventReading(
        event="alert_raised", alert="disk_full", label="/", severity="warning", message="Full"
    )
    memory.note([raised], NOON + 6)
    follow(memory, 12, 24)
    memory.note([EventReading(event="alert_cleared", alert="disk_full", label="/")], NOON + 25)
    follow(memory, 30, 30)
    (told,) = reading_of(memory, NOON + 30).alerts
    assert (told.message, told.began, told.ended) == (
        "Full",
        rfc3339(NOON + 6),
        rfc3339(NOON + 24),
    )


# --- gaps ----------------------------------------------------------------------------------------


def gaps(memory: Timeline) -> list[tuple[str, float, float]]:
    return [(gap.reason, gap.began - NOON, gap.ended - NOON) for gap in memory.gaps]


def test_a_machine_that_slept() -> None:
    memory = Timeline()
    follow(memory, 0, 60, label="borg")
    memory.look(verdict("borg"), NOON + 4000, now=66)
    assert gaps(memory) == [("asleep", 60, 4000)]
    assert [(span.began - NOON, span.unwatched) for span in memory.spans] == [
        (0, True),
        (4000, False),
    ]


def test_a_daemon_that_stood_still() -> None:
    memory = Timeline()
    follow(memory, 0, 60)
    follow(memory, 4000, 4000)
    assert gaps(memory) == [("not_running", 60, 4000)]


def test_looks_that_are_rare_by_configuration_are_no_gap() -> None:
    memory = Timeline()
    for at in (0.0, 300.0, 600.0):
        memory.look(verdict(), NOON + at, now=at, patience=900.0)
    assert gaps(memory) == []


@pytest.mark.parametrize("to", [9000.0, 30.0])
def test_a_clock_that_was_set(to: float) -> None:
    memory = Timeline()
    follow(memory, 0, 60, celsius=50)
    memory.look(verdict(), NOON + to, now=66, clock_set=True)
    assert gaps(memory) == [("clock_set", min(60, to), to)]
    assert memory.states[-1].ended == NOON + to


def test_a_run_that_was_killed(tmp_path: Path) -> None:
    memory = Timeline()
    follow(memory, 0, 60, label="borg", celsius=50)
    keep(memory, str(tmp_path))
    follow(memory, 66, 200, label="borg")  # which is lost
    again = recall(str(tmp_path))
    follow(again, 260, 260, label="make")
    assert gaps(again) == [("not_running", 60, 260)]
    told = reading_of(again, NOON + 260)
    assert [(cause.label, cause.unwatched) for cause in told.causes] == [
        ("borg", True),
        ("make", None),
    ]
    assert told.gaps[0].reason == "not_running"


def test_a_restart_of_a_moment_is_no_gap(tmp_path: Path) -> None:
    memory = Timeline()
    follow(memory, 0, 60, label="borg")
    keep(memory, str(tmp_path))
    again = recall(str(tmp_path))
    follow(again, 65, 65, label="borg")
    assert gaps(again) == []
    assert [(span.began, span.ended) for span in again.spans] == [(NOON, NOON + 65)]


def test_a_clock_that_was_set_back_while_nothing_ran(tmp_path: Path) -> None:
    memory = Timeline()
    follow(memory, 0, 600, label="borg", celsius=50)
    keep(memory, str(tmp_path))
    again = recall(str(tmp_path))
    follow(again, 300, 300)
    assert gaps(again) == [("clock_set", 300, 300)]
    assert again.spans[-1].ended == NOON + 300
    assert [point.at <= NOON + 300 for point in again.points.points] == [True] * 2


# --- on disk -------------------------------------------------------------------------------------


def test_all_of_it_outlives_the_daemon(tmp_path: Path) -> None:
    memory = Timeline()
    follow(memory, 0, 600, label="borg", celsius=50, cpu=30.0)
    follow(memory, 4000, 4000, state="busy")
    memory.note([EventReading(event="alert_raised", alert="fan", label="x")], NOON + 4001)
    keep(memory, str(tmp_path))
    wall = NOON + 4001
    assert reading_of(recall(str(tmp_path)), wall) == reading_of(memory, wall)


def spoilt() -> list[str]:
    memory = Timeline()
    follow(memory, 0, 60, label="borg", celsius=50)
    memory.note([EventReading(event="alert_raised", alert="fan")], NOON + 61)
    pieces = []
    for key, value in (
        ("spans", [{}]),
        ("spans", [1]),
        ("spans", None),
        ("states", [{"began": "x"}]),
        ("points", [[1]]),
        ("points", [["x", 1, 1, 1, 1]]),
        ("points", [[1e300, 1, 1, 1, 1]]),
        ("looked", "now"),
        ("looked", 1e300),
        ("forgotten", "x"),
        ("gaps", [{"reason": 1}]),
    ):
        pieces.append(json.dumps({"key": key, "value": value}))
    return pieces


@pytest.mark.parametrize("change", spoilt())
def test_a_file_that_is_spoilt_is_an_empty_memory(tmp_path: Path, change: str) -> None:
    memory = Timeline()
    follow(memory, 0, 60, label="borg", celsius=50)
    keep(memory, str(tmp_path))
    (file,) = tmp_path.iterdir()
    body = json.loads(file.read_text())
    piece = json.loads(change)
    body[piece["key"]] = piece["value"]
    file.write_text(json.dumps(body))
    assert recall(str(tmp_path)) == Timeline()


@pytest.mark.parametrize("kept", [b"", b"\xff\xfe", b"[]", b"[" * 99999, b'{"version": 2}', b"7"])
def test_a_file_that_is_something_else(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "day.json").write_bytes(kept)
    assert recall(str(tmp_path)) == Timeline()


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file")
    memory = Timeline()
    for _ in range(3):
        keep(memory, str(tmp_path / "state"))
    assert len(caplog.records) == 1


# --- how often, and how large --------------------------------------------------------------------


def told_at(memory: Timeline, until: int) -> list[int]:
    return [now for now in range(0, until, 6) if memory.tell_due(now)]


def test_at_rest_it_is_told_twice_an_hour_and_at_work_every_five_minutes() -> None:
    memory = Timeline()
    follow(memory, 0, 0)
    assert told_at(memory, 3700) == [0, 1800, 3600]
    working = Timeline()
    follow(working, 0, 0, label="borg", state="busy")
    assert told_at(working, 700) == [0, 300, 600]


def test_what_happens_is_told_at_once_and_much_of_it_together() -> None:
    memory = Timeline()
    follow(memory, 0, 0)
    assert memory.tell_due(0)
    found = []
    for now in range(6, 200, 6):
        memory.note([EventReading(event="state_changed")], NOON + now)
        if memory.tell_due(now):
            found.append(now)
    assert found == [6, 66, 126, 186]


def test_it_is_kept_every_five_minutes() -> None:
    memory = Timeline()
    found = []
    for now in range(0, 700, 6):
        if memory.save_due(now):
            memory.saved(now)
            found.append(now)
    assert found == [0, 300, 600]


def test_two_days_of_everything_fit_and_what_does_not_is_counted() -> None:
    chance = random.Random(1)
    memory = Timeline()
    at, end = 0.0, MEMORY_SECONDS + 3600
    turn = 0
    while at < end:
        turn = int(at // 180)
        follow(
            memory,
            at,
            label="ж" * 50 + str(turn),
            state=("busy", "hot")[turn % 2],
            headline=f"{turn} " + "漢" * 200,
            celsius=chance.uniform(40, 90),
            cpu=chance.uniform(0, 99),
        )
        if turn % 5 == 0:
            event = ("alert_raised", "alert_cleared")[int(at) % 2]
            memory.note([EventReading(event=event, alert="fan", message="f" * 200)], NOON + at)
        at += 45.0
    told = reading_of(memory, NOON + end)
    body = Envelope("h" * 64).wrap(to_json(told), NOON + end)
    assert len(encode(body)) <= LARGEST
    assert told.left_out
    assert told.left_out > 100
    assert sum(map(len, (s.cpu_percent or () for s in told.series))) > 570
    assert told.causes[-1].label
    assert told.causes[-1].label.endswith(str(turn))


def test_series_are_coarse_and_finer_in_the_last_hour_and_end_where_nothing_was_measured() -> None:
    memory = Timeline()
    follow(memory, 0, 7200, celsius=50, step=30.0)
    follow(memory, 7230, 9000, celsius=60, cpu=10.0, step=30.0)
    told = reading_of(memory, NOON + 9000).series
    assert [series.step_seconds for series in told] == [300.0, 60.0, 60.0]
    assert [bool(series.cpu_percent) for series in told] == [False, False, True]
    assert told[-1].cpu_temperature_celsius == [60.0] * len(told[-1].cpu_percent or ())
    ends = [
        (series.began, len(series.cpu_temperature_celsius or ()) * (series.step_seconds or 0))
        for series in told
    ]
    assert sum(seconds for _, seconds in ends) == pytest.approx(9000, abs=360)
