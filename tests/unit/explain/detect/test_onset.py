"""Loads that move between resources: named soon, and in few words."""

from __future__ import annotations

import pytest
from unit.explain.stage import MakeAccount, Stage

from publisher.ledger.accounts import Account

NORMAL = "System load normal"
COMPUTES = "CPU usage high due to: ClamAV virus scan (clamscan)"
MEGABYTE = 1e6


def scan(make_account: MakeAccount, cores: float, megabytes: float) -> Account:
    return make_account("clamscan", cores, disk_read_bytes_per_second=megabytes * MEGABYTE)


def test_a_load_that_reads_and_then_computes_is_named_as_soon_as_one_that_computes(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(lasting=20)
    stage.step(scan(make_account, 0.1, 30), seconds=0.5, pressure_io_percent=90.0)
    verdict = stage.step(scan(make_account, 1.9, 30), seconds=0.6, pressure_io_percent=10.0)
    assert verdict.headline == COMPUTES


def test_between_computing_and_waiting_it_is_still_an_onset(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(lasting=20)
    half = scan(make_account, 0.5, 20)
    for cores, waiting in ((0.5, 30.0), (0.5, 35.0), (0.5, 30.0)):
        verdict = stage.step(
            scan(make_account, cores, 20), seconds=0.5, pressure_io_percent=waiting
        )
        assert verdict.headline == NORMAL
        assert stage.explainer.wants_soon() is not None
    verdict = stage.step(half, seconds=0.5, pressure_io_percent=45.0)
    assert verdict.headline == "High disk I/O from ClamAV virus scan (clamscan)"


def test_half_a_load_of_each_that_goes_on_makes_no_blip_a_load(
    stage: Stage, make_account: MakeAccount
) -> None:
    half = scan(make_account, 0.4, 5)
    stage.play(half, lasting=30, seconds=1, pressure_io_percent=30.0)
    stage.step(scan(make_account, 0.9, 5), seconds=0.5, pressure_io_percent=10.0)
    stage.play(half, lasting=10, seconds=1, pressure_io_percent=30.0)
    assert stage.headlines == [NORMAL]
    assert stage.explainer.wants_soon() is None


def test_a_blip_of_each_with_a_pause_between_says_nothing(
    stage: Stage, make_account: MakeAccount
) -> None:
    for _ in range(5):
        stage.step(scan(make_account, 0.1, 30), seconds=0.5, pressure_io_percent=90.0)
        stage.step(seconds=0.5)
        stage.step(scan(make_account, 0.9, 0), seconds=0.5)
        stage.step(seconds=2)
    assert stage.headlines == [NORMAL]


def test_a_blip_beside_a_load_that_is_told_is_not_told(
    stage: Stage, make_account: MakeAccount
) -> None:
    disk = make_account("dd", 0.1, disk_write_bytes_per_second=200 * MEGABYTE)
    stage.play(disk, lasting=20, disk_bytes_per_second=200e6)
    assert "disk" in stage.headlines[-1]
    stage.step(disk, make_account("ls", 1.2), seconds=0.5, disk_bytes_per_second=200e6)
    stage.play(disk, lasting=10, disk_bytes_per_second=200e6)
    assert len(stage.headlines) == 2


def test_who_waits_for_a_disk_and_moves_nothing_meanwhile_is_named(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(lasting=20)
    stage.step(scan(make_account, 0.1, 3), seconds=0.5, pressure_io_percent=90.0)
    stage.step(seconds=0.6, pressure_io_percent=99.0)
    verdict = stage.step(seconds=0.6, pressure_io_percent=99.0)
    assert verdict.headline == "High disk I/O from ClamAV virus scan (clamscan)"


def test_who_is_stuck_on_a_dying_disk_is_named_though_it_never_moved_a_byte(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(lasting=20)
    stuck = make_account("clamscan", 0.0, blocked_count=1)
    verdict = stage.play(stuck, lasting=10, seconds=1, pressure_io_percent=99.0)
    assert stage.headlines == [NORMAL, "High disk I/O from ClamAV virus scan (clamscan)"]
    assert verdict.causes[0].reason.startswith("waits for a disk; ")


def test_who_makes_others_wait_is_named_before_those_who_wait(
    stage: Stage, make_account: MakeAccount
) -> None:
    copy = make_account("rsync", 0.1, disk_read_bytes_per_second=30 * MEGABYTE)
    waiting = make_account("clamscan", 0.0, blocked_count=2)
    verdict = stage.play(waiting, copy, lasting=10, seconds=1, pressure_io_percent=80.0)
    assert [cause.label for cause in verdict.causes] == ["rsync file copy"]


def test_whoever_used_it_last_is_named_until_the_end_is_told(
    stage: Stage, make_account: MakeAccount
) -> None:
    stage.play(scan(make_account, 0.1, 60), lasting=20, disk_bytes_per_second=60e6)
    stage.step(seconds=1, disk_bytes_per_second=60e6)  # its last bytes are on their way
    while stage.step(seconds=1).headline != NORMAL:
        pass
    assert stage.headlines == [NORMAL, "High disk I/O from ClamAV virus scan (clamscan)", NORMAL]
    (ended,) = (event for event in stage.events if event.event == "cause_ended")
    assert ended.duration_seconds == pytest.approx(20, abs=1)


def test_a_load_that_swings_between_reading_and_computing_is_seldom_retold(
    stage: Stage, make_account: MakeAccount
) -> None:
    for _ in range(20):
        reads, computes = scan(make_account, 0.1, 60), scan(make_account, 1.9, 1)
        stage.play(reads, lasting=8, seconds=1, disk_bytes_per_second=60e6)
        stage.play(computes, lasting=8, seconds=1, disk_bytes_per_second=1e6)
    assert all("ClamAV" in headline for headline in stage.headlines[1:])
    assert len(stage.headlines) <= 4
