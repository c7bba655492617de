"""What is asked at a time of day, on days of 23, 24 and 25 hours too."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from unit.subscriber.notify.stage import NOON, MakeStage, Stage, memory

from publisher.config.companions import NotifyRule
from publisher.contract.payload import rfc3339
from publisher.contract.readings import CauseReading
from publisher.contract.timeline import PastStateReading, SeriesReading, TimelineReading

BERLIN = ZoneInfo("Europe/Berlin")
BACKUP = CauseReading(name="Restic backup (restic)", label="Restic backup", category="backup")
MISSING = NotifyRule(category=("backup",), missing_by="06:00")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def until(it: Stage, text: str) -> None:
    """Time passes, looked at every few minutes, and at the end exactly."""
    it.pass_seconds(at(text) - it.now, step=240)


def test_a_backup_that_ran_is_not_missed_and_one_that_did_not_is(stage: MakeStage) -> None:
    it = stage(backup=MISSING)
    it.status("online")
    until(it, "2026-06-16 03:00")
    it.verdict("busy", BACKUP)
    it.verdict("quiet")
    until(it, "2026-06-17 05:59")
    assert it.told() == []
    until(it, "2026-06-17 06:10")
    assert it.told() == ["nas: backup did not run"]
    assert it.last_body() == "Not since Tue 06:00. It ran last Tue 03:00."
    until(it, "2026-06-17 07:00")
    it.verdict("busy", BACKUP)
    assert it.told() == ["nas: backup ran after all"]
    assert it.last_body() == "At 07:00."
    until(it, "2026-06-18 05:00")
    assert it.told() == []


def test_it_is_told_anew_each_day(stage: MakeStage) -> None:
    it = stage(backup=MISSING)
    it.status("online")
    until(it, "2026-06-18 07:00")
    assert it.told() == ["nas: backup did not run"] * 3


def test_what_ran_while_nobody_listened_is_known_from_the_hosts_memory(stage: MakeStage) -> None:
    it = stage(backup=MISSING)
    it.status("online")
    it.kill()
    it.now = at("2026-06-16 05:30")
    it.start()
    ran = ("Restic backup", "backup", at("2026-06-16 03:00"), at("2026-06-16 03:20"))
    it.status("online", retained=True)
    it.hear("timeline", memory(it.now, causes=(ran,)), retained=True)
    until(it, "2026-06-16 06:30")
    assert it.told() == []


def test_who_starts_late_asks_late(stage: MakeStage) -> None:
    it = stage(backup=MISSING)
    it.status("online")
    until(it, "2026-06-15 12:10")
    it.kill()
    it.now = at("2026-06-16 09:00")
    it.start()
    it.status("online")
    it.pass_seconds(120)
    assert it.told() == ["nas: backup did not run"]
    until(it, "2026-06-16 10:00")
    assert it.told() == []


def test_of_several_machines_those_are_meant_on_which_it_has_run(stage: MakeStage) -> None:
    it = stage(backup=MISSING)
    for host in ("nas", "pve"):
        it.status("online", f"host/{host}")
    it.verdict("busy", BACKUP)
    it.verdict("quiet")
    until(it, "2026-06-16 06:30")
    assert it.told() == []
    until(it, "2026-06-17 06:30")
    assert [title for title in it.told() if "backup" in title] == ["nas: backup did not run"]


@pytest.mark.parametrize(
    ("day", "next_day"), [("2026-03-28", "2026-03-29"), ("2026-10-24", "2026-10-25")]
)
def test_on_days_on_which_clocks_are_put_it_is_asked_once(
    stage: MakeStage, day: str, next_day: str
) -> None:
    it = stage(now=at(f"{day} 12:00"), backup=NotifyRule(category=("backup",), missing_by="02:30"))
    it.status("online")
    until(it, f"{next_day} 12:00")  # 02:30 is not there in March, and twice in October
    assert it.told() == ["nas: backup did not run"]


def whole(until_at: float) -> TimelineReading:
    """A day with three hours of work."""
    return TimelineReading(
        since=rfc3339(until_at - 2 * 86400),
        until=rfc3339(until_at),
        states=(
            PastStateReading(
                state="quiet", began=rfc3339(until_at - 86400), ended=rfc3339(until_at - 10800)
            ),
            PastStateReading(state="busy", began=rfc3339(until_at - 10800)),
        ),
        series=(
            SeriesReading(
                began=rfc3339(until_at - 7200), step_seconds=3600,
                cpu_temperature_celsius=[70, 81], fan_speed_rpm=[1200, 2100],
                power_watts=[50, 150],
            ),
        ),
        causes=memory(
            until_at, causes=(("Restic backup", "backup", until_at - 7200, until_at - 3600),)
        ).causes,
    )  # fmt: skip


def test_a_summary_of_the_day(stage: MakeStage) -> None:
    it = stage(day=NotifyRule(summary="daily", at="08:00"))
    it.status("online")
    until(it, "2026-06-16 07:59")
    it.hear("timeline", whole(it.now))
    until(it, "2026-06-16 08:00")
    assert it.told() == ["The last 24 hours"]
    assert it.last_body() == (
        "nas\nBusy 3 h 1 min.\nTo blame: Restic backup 1 h.\n"
        "CPU up to 81 °C, fan up to 2,100 rpm, 0.20 kWh measured."
    )
    until(it, "2026-06-16 23:00")
    assert it.told() == []


def test_a_summary_of_the_week_needs_no_archive(stage: MakeStage) -> None:
    it = stage(now=at("2026-06-15 12:00"), week=NotifyRule(summary="weekly", at="08:00"))
    it.status("online")
    for day in range(16, 22):
        until(it, f"2026-06-{day} 00:00")
        it.hear("timeline", whole(it.now))
    until(it, "2026-06-22 00:30")
    it.hear("timeline", whole(at("2026-06-22 00:00")))
    until(it, "2026-06-22 08:10")
    assert it.told() == ["The week of your machines"]
    assert "Busy 21 h." in it.last_body()
    assert "Restic backup 7 h" in it.last_body()
    until(it, "2026-06-23 12:00")
    assert it.told() == []


def test_the_stage_is_where_it_says(stage: MakeStage) -> None:
    assert stage().local(NOON).strftime("%a %H:%M") == "Mon 12:00"
