"""The bill, held against what was put into the archive minute by minute."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from publisher.contract.payload import rfc3339
from publisher.contract.readings import CauseReading, EnergyReading, ExplanationReading
from publisher.contract.timeline import (
    PastCauseReading,
    PastStateReading,
    SeriesReading,
    TimelineReading,
)
from subscriber_cli.archive.reader import Archive
from subscriber_cli.bill import Bill, label_of, make_bill
from subscriber_cli.render.bill import bill_lines, bill_parts

Put = Callable[..., None]
Ask = Callable[[], Archive]
NOON = 1_800_014_400.0
"""Of a day in UTC."""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def fan(minute: int) -> float:
    """600 rpm at rest, 1,500 in the backup, 2,400 in the film."""
    return 1500.0 if 60 <= minute < 70 else 2400.0 if 100 <= minute < 103 else 600.0


def hour_by_hour(**changes: Any) -> TimelineReading:
    """Three hours from noon on: a backup of ten minutes, a film of three, quiet else."""
    spans = [("quiet", 0, 60), ("busy", 60, 70), ("quiet", 70, 100), ("hot", 100, 103),
             ("quiet", 103, 180)]  # fmt: skip
    given: dict[str, Any] = {
        "since": rfc3339(NOON),
        "until": rfc3339(NOON + 180 * 60),
        "states": tuple(
            PastStateReading(
                state=state,
                headline=f"It is {state}",
                began=rfc3339(NOON + begin * 60),
                ended=rfc3339(NOON + end * 60),
            )
            for state, begin, end in spans
        ),
        "causes": tuple(
            PastCauseReading(
                label=label,
                group=group,
                resource="cpu",
                share_percent=share,
                began=rfc3339(NOON + begin * 60),
                ended=rfc3339(NOON + end * 60),
            )
            for label, group, share, begin, end in (
                ("Backup", "nightly.sh", 80, 60, 70),
                ("Indexing", "locate", 20, 60, 103),
                ("Film", "ffmpeg", 95, 100, 103),
            )
        ),
        "series": (
            SeriesReading(
                began=rfc3339(NOON),
                step_seconds=60,
                cpu_percent=[50.0] * 180,
                fan_speed_rpm=[fan(minute) for minute in range(180)],
            ),
        ),
        **changes,
    }
    return TimelineReading(**given)


def bill(ask: Ask, begin: float, end: float, price: float = 0.0) -> Bill:
    archive = ask()
    (host,) = archive.hosts()
    return make_bill(archive, host, begin, end, price)


def energy(put: Put, at: float, **rows: float) -> None:
    """The daemon's account, in watt hours."""
    told = tuple(
        EnergyReading(label=label.replace("_", " "), today_joules=hours * 3600, week_joules=9e6)
        for label, hours in rows.items()
    )
    put("explanation", ExplanationReading(state="quiet", energy=told), at=at)


def test_each_minute_counts_for_who_was_to_blame_most(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    made = bill(ask, NOON, NOON + 180 * 60)

    assert (made.quiet_rpm, made.quiet_is_guess) == (600.0, False)
    assert (made.known_minutes, made.loud_minutes, made.hot_minutes, made.busy_minutes) == (
        180, 13, 3, 13,
    )  # fmt: skip
    assert [
        (each.label, each.loud_minutes, each.hot_minutes, each.busy_minutes, each.named_minutes)
        for each in made.culprits
    ] == [
        ("Backup (nightly.sh)", 10, 0, 10, 10.0),
        ("Film (ffmpeg)", 3, 3, 3, 3.0),
        ("Indexing (locate)", 0, 0, 0, 43.0),
    ]


def test_the_loudest_minutes_have_their_sentences(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    made = bill(ask, NOON, NOON + 180 * 60)

    assert [(each.minutes, each.value, each.sentence) for each in made.loudest] == [
        (3, 2400.0, "It is hot"),
        (7, 1500.0, "It is busy"),
    ]
    assert made.loudest[0].begin == NOON + 100 * 60


def test_what_a_verdict_told_of_a_minute_goes_before_the_most_of_the_whole_time(
    put: Put, ask: Ask
) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    for minute, share in ((60, 10.0), (65, 60.0)):
        causes = (
            CauseReading(label="Backup", group="nightly.sh", share_percent=40.0),
            CauseReading(label="Indexing", group="locate", share_percent=share),
        )
        at = NOON + minute * 60
        put("explanation", ExplanationReading(state="busy", causes=causes), at=at)
    put("explanation", ExplanationReading(state="quiet"), at=NOON + 70 * 60)
    made = bill(ask, NOON, NOON + 180 * 60)

    assert {each.label: each.loud_minutes for each in made.culprits} == {
        "Backup (nightly.sh)": 5, "Indexing (locate)": 5, "Film (ffmpeg)": 3,
    }  # fmt: skip


def test_nobody_named_is_a_row(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(causes=()), at=NOON + 180 * 60)
    made = bill(ask, NOON, NOON + 180 * 60)

    assert (made.culprits, made.unnamed.loud_minutes, made.unnamed.busy_minutes) == ([], 13, 13)


def test_what_is_not_known_is_not_counted(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    made = bill(ask, NOON - 3600, NOON + 180 * 60)

    assert made.known_minutes == 180
    lines = [line.plain for line in bill_lines(made, NOON + 180 * 60, "€")]
    assert "Nothing is known of 60 minutes." in lines


def test_without_a_fan_the_busiest_minutes_are_told(put: Put, ask: Ask) -> None:
    series = SeriesReading(began=rfc3339(NOON), step_seconds=60, cpu_percent=[5.0] * 90 + [99.0])
    put("timeline", hour_by_hour(series=(series,)), at=NOON + 180 * 60)
    made = bill(ask, NOON, NOON + 180 * 60)

    assert (made.quiet_rpm, made.loud_minutes, made.loudness) == (None, 0, "cpu_percent")
    assert made.loudest[0].begin == NOON + 90 * 60


def test_a_machine_that_was_never_quiet_is_judged_by_its_slowest_minutes(
    put: Put, ask: Ask
) -> None:
    busy = PastStateReading(state="busy", headline="It is busy", began=rfc3339(NOON))
    put("timeline", hour_by_hour(states=(busy,)), at=NOON + 180 * 60)
    made = bill(ask, NOON, NOON + 180 * 60)

    assert (made.quiet_rpm, made.quiet_is_guess) == (600.0, True)


def test_energy_adds_up_to_what_was_measured(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    energy(put, NOON - 60, Backup=10.0, Film=1.0, other_programs=2.0, unattributed=1.0, idle=20.0)
    energy(put, NOON + 5, Backup=10.0, Film=1.0, other_programs=2.0, unattributed=1.0, idle=20.0)
    energy(put, NOON + 7200, Backup=40.0, Film=6.0, other_programs=3.0, unattributed=2.0, idle=50.0)
    made = bill(ask, NOON, NOON + 7200 + 60, price=0.3)

    assert {row.label: round(row.kilowatt_hours, 6) for row in made.energy} == {
        "Backup": 0.03, "Film": 0.005, "other programs": 0.001, "unattributed": 0.001, "idle": 0.03,
    }  # fmt: skip
    assert made.measured_kilowatt_hours == pytest.approx((101 - 34) / 1000)
    assert [row.label for row in made.energy][-3:] == ["other programs", "unattributed", "idle"]
    assert sum(row.money or 0 for row in made.energy) == pytest.approx(0.067 * 0.3)


def test_energy_of_several_days_is_their_sum(put: Put, ask: Ask) -> None:
    midnight = NOON + 12 * 3600
    energy(put, midnight - 120, Backup=10.0, idle=100.0)
    energy(put, midnight + 120, idle=0.5)
    energy(put, midnight + 3600, Film=4.0, idle=5.0)
    made = bill(ask, midnight - 12 * 3600, midnight + 3700)

    assert {row.label: round(row.kilowatt_hours, 6) for row in made.energy} == {
        "Backup": 0.01, "Film": 0.004, "idle": 0.105,
    }  # fmt: skip
    assert all(row.money is None for row in made.energy)


def test_who_falls_behind_stands_with_the_others(put: Put, ask: Ask) -> None:
    energy(put, NOON - 60, Backup=10.0, other_programs=5.0)
    energy(put, NOON + 60, Film=30.0, other_programs=17.0)
    made = bill(ask, NOON, NOON + 120)

    assert {row.label: round(row.kilowatt_hours, 6) for row in made.energy} == {
        "Film": 0.03, "other programs": 0.002,
    }  # fmt: skip
    assert made.measured_kilowatt_hours == pytest.approx(0.032)


def test_what_is_new_what_grew_and_what_is_as_ever(put: Put, ask: Ask) -> None:
    day = 86400.0

    def named(label: str, began: float, minutes: float) -> PastCauseReading:
        return PastCauseReading(
            label=label, resource="cpu", began=rfc3339(began), ended=rfc3339(began + minutes * 60)
        )

    for number, causes in enumerate(
        [
            [("Backup", 10.0), ("Film", 10.0)],
            [("Backup", 12.0), ("Film", 12.0)],
            [("Backup", 11.0), ("Film", 90.0), ("Miner", 30.0)],
        ]
    ):
        at = NOON + number * day
        told = tuple(named(label, at + 60, minutes) for label, minutes in causes)
        reading = TimelineReading(since=rfc3339(at), until=rfc3339(at + day - 60), causes=told)
        put("timeline", reading, at=at + day - 60)
    made = bill(ask, NOON + 2 * day, NOON + 3 * day)

    assert made.compared
    assert made.new == ["Miner"]
    assert made.grew == [("Film", "90 minutes, 11 before")]
    assert made.usual == [("Backup", "11 minutes, 11 before")]
    assert not bill(ask, NOON, NOON + day).compared


def test_it_is_told_in_lines_as_json_and_on_a_page(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    energy(put, NOON + 7200, Backup=40.0, idle=50.0)
    made = bill(ask, NOON, NOON + 180 * 60, price=0.3)
    now = NOON + 180 * 60

    text = "\n".join(line.plain for line in bill_lines(made, now, "€"))
    assert "louder than at rest (600 rpm) for 13 minutes, hot for 3 minutes" in text
    assert "measured" in text
    assert "0.0120 €" in text
    html = "".join(bill_parts(made, now, "€"))
    assert "Backup (nightly.sh)" in html
    told = json.loads(json.dumps(made.json("€")))
    assert told["culprits"][0]["label"] == "Backup (nightly.sh)"
    assert sum(row["kilowatt_hours"] for row in told["energy"]) == pytest.approx(
        told["measured_kilowatt_hours"], abs=1e-5
    )


def test_an_archive_that_knows_nothing_of_a_time_says_so(put: Put, ask: Ask) -> None:
    put("timeline", hour_by_hour(), at=NOON + 180 * 60)
    made = bill(ask, NOON - 9 * 86400, NOON - 8 * 86400)

    assert [line.plain for line in bill_lines(made, NOON, "€")][1:] == [
        "Nothing is known of that time."
    ]


@pytest.mark.parametrize(
    ("label", "group", "told"),
    [
        ("Backup", "nightly.sh", "Backup (nightly.sh)"),
        ("restic", "restic", "restic"),
        ("fanwhy (daemon)", "python", "fanwhy (daemon, python)"),
        (None, "restic", "restic"),
        (None, None, "?"),
    ],
)
def test_a_cause_has_the_name_that_rankings_give_it(
    label: str | None, group: str | None, told: str
) -> None:
    assert label_of({"label": label, "group": group}) == told


def test_a_loud_minute_is_of_who_made_heat_and_a_busy_one_of_who_had_the_most(
    put: Put, ask: Ask
) -> None:
    put("timeline", hour_by_hour(causes=()), at=NOON + 180 * 60)
    causes = (
        CauseReading(label="Copy", resource="disk", share_percent=97.0, cpu_percent=5.0),
        CauseReading(label="Film", resource="cpu", share_percent=60.0, cpu_percent=390.0),
    )
    for minute in (60, 65):
        at = NOON + minute * 60
        put("explanation", ExplanationReading(state="busy", causes=causes), at=at)
    put("explanation", ExplanationReading(state="quiet"), at=NOON + 70 * 60)
    made = bill(ask, NOON, NOON + 90 * 60)

    assert {each.label: (each.loud_minutes, each.busy_minutes) for each in made.culprits} == {
        "Film": (10, 0), "Copy": (0, 10),
    }  # fmt: skip
