"""The picture of the last 24 hours: what it remembers, when it is sent, that it can be drawn."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from publisher.contract.readings import CauseReading, EvidenceReading, ExplanationReading
from publisher.daemon.timeline import DAY, MEMORY_SECONDS, Timeline
from publisher.daemon.timeline_store import keep, recall
from publisher.daemon.timeline_svg import draw

NOON = 1_700_000_000.0


def verdict(
    label: str | None = None, celsius: float | None = None, rpm: int | None = None
) -> ExplanationReading:
    causes = (CauseReading(category="backup", label=label),) if label else ()
    return ExplanationReading(
        causes=causes,
        evidence=EvidenceReading(cpu_temperature_celsius=celsius, fan_speed_rpm=rpm),
    )


def watched(*moments: tuple[float, str | None], celsius: float | None = None) -> Timeline:
    day = Timeline()
    for moment, label in moments:
        day.look(verdict(label, celsius), NOON + moment)
    return day


def test_a_cause_that_goes_on_is_one_span_and_one_that_comes_again_another() -> None:
    day = watched((0, "rsync"), (10, "rsync"), (20, None), (500, "rsync"))
    assert [(span.began - NOON, span.seconds) for span in day.spans] == [(0, 10), (500, 0)]


def test_what_is_older_than_two_days_is_forgotten() -> None:
    day = watched((0, "rsync"), (MEMORY_SECONDS + 1, None), celsius=50)
    assert day.spans == []
    assert len(day.points.points) == 1


def test_what_is_older_than_a_day_is_not_drawn() -> None:
    day = watched((0, "rsync"), (DAY + 1, None), celsius=50)
    assert len(day.points.points) == 2
    assert "rsync" not in draw(day, NOON + DAY + 1)


def test_a_clock_that_is_set_back_leaves_nothing_in_the_future() -> None:
    hours = [hour * 3600.0 for hour in range(-10, 1)]
    day = watched(*((hour, "rsync") for hour in hours), celsius=40)
    day.look(verdict("borg", 50), NOON - 4.5 * 3600)  # in the midst of what is known
    assert [point.celsius for point in day.points.points] == [40] * 6 + [50]
    assert [(s.label, s.began - NOON) for s in day.spans][-2:] == [
        ("rsync", -5 * 3600.0),
        ("borg", -4.5 * 3600.0),
    ]
    day.look(verdict("make", 60), NOON - 30 * DAY)
    assert [span.label for span in day.spans] == ["make"]
    assert [point.celsius for point in day.points.points] == [60]


def test_a_span_that_is_under_way_ends_no_later_than_now() -> None:
    day = watched((0, "rsync"), (40, "rsync"), (10, "rsync"), (20, "rsync"))
    assert [(span.began - NOON, span.seconds) for span in day.spans] == [(0, 20)]


def test_a_clock_that_is_not_set_yet_draws_nothing_and_costs_nothing() -> None:
    day = watched((0, "rsync"), celsius=40)
    day.look(verdict("borg", 50), 60.0)
    day.look(verdict("borg", 50), NOON + 1)
    assert [span.label for span in day.spans] == ["rsync", "borg"]
    assert len(day.points.points) == 1


def test_a_cause_as_long_as_memory_is_no_more_than_so_many_spans() -> None:
    day = watched(*((moment * 100.0, f"job {moment % 2}") for moment in range(1200)))
    assert len(day.spans) == 300


def test_sent_when_it_changed_and_not_often() -> None:
    day = watched((0, "rsync"))
    assert day.due(0)
    assert not day.due(1000)
    day.look(verdict("borg"), NOON + 100)
    assert not day.due(100)
    assert day.due(1000)
    day.look(verdict(None, 40), NOON + 1000)
    assert day.due(2000)
    day.look(verdict(None, 41), NOON + 1400)
    assert not day.due(3000)


def test_where_it_may_be_gone_it_is_sent_again() -> None:
    day = watched((0, "rsync"))
    assert day.due(0)
    day.again()
    assert day.due(1)
    assert not day.due(2)


def test_a_day_without_anything_is_sent_once() -> None:
    day = Timeline()
    assert day.due(0)
    assert not day.due(5000)


def test_that_nothing_was_to_blame_is_put_right_within_a_minute() -> None:
    day = Timeline()
    assert day.due(0)
    day.look(verdict("borg"), NOON)
    assert not day.due(30)
    assert day.due(60)
    day.look(verdict("make"), NOON + 100)
    assert not day.due(130), "the picture is not empty any more"


@pytest.mark.parametrize(
    "day",
    [
        Timeline(),
        watched((0, "rsync"), (600, "<b>&\x1b[31m"), (1200, "x" * 300), celsius=50),
        watched((0, None), (400, None), celsius=0),
    ],
)
def test_it_is_well_formed_whatever_names_say(day: Timeline) -> None:
    picture = ET.fromstring(draw(day, NOON + 2000))
    assert picture.get("viewBox", "").startswith("0 0 400 ")
    assert len(draw(day, NOON + 2000)) < 4000


def test_it_outlives_the_daemon(tmp_path: Path) -> None:
    day = watched((0, "rsync"), (10, "rsync"), celsius=50)
    keep(day, str(tmp_path))
    assert draw(recall(str(tmp_path)), NOON) == draw(day, NOON)


@pytest.mark.parametrize("content", ["", "{}", '{"version": 2}', '{"version": 1, "spans": [1]}'])
def test_what_cannot_be_read_is_an_empty_day(tmp_path: Path, content: str) -> None:
    (tmp_path / "day.json").write_text(content)
    assert recall(str(tmp_path)) == Timeline()


def test_nothing_is_kept_where_nothing_can_be() -> None:
    keep(Timeline(), None)
    assert recall(None) == Timeline()
