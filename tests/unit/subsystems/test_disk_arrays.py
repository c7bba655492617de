"""Arrays: whole or not, and how far their repair is."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from publisher.errors import SourceError
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.disk.arrays import ArrayReading, mdstat, scans
from publisher.subsystems.disk.disk import Disk

_HEAD = b"Personalities : [raid1] [raid6] [raid5] [raid4] [raid0] [linear]\n"
_TAIL = b"\nunused devices: <none>\n"


def _one(body: bytes) -> ArrayReading:
    ((_, array),) = mdstat(_HEAD + body + _TAIL)
    return array


def test_a_resync_tells_progress_and_speed() -> None:
    array = _one(
        b"md0 : active raid1 sdb1[1] sda1[0]\n"
        b"      1047552 blocks super 1.2 [2/2] [UU]\n"
        b"      [=>...........]  resync =  8.5% (89600/1047552) finish=0.9min speed=17920K/sec\n"
    )

    assert (array.state, array.activity, array.progress_percent) == ("ok", "resync", 8.5)
    assert array.speed_bytes_per_second == 17920 * 1024
    assert array.remaining_seconds == 54
    assert array.level == "raid1"


@pytest.mark.parametrize(
    ("body", "state", "activity", "level", "working"),
    [
        (
            (b"md1 : active raid5 sdd1[4] sdc1[1] sdb1[0](F)\n"
            b"      209 blocks level 5, 512k chunk, algorithm 2 [3/2] [_UU]\n"
            b"      [>....]  recovery =  0.1% (1/209) finish=9.9min speed=100K/sec\n"),
            "degraded", "recovery", "raid5", 2,
        ),
        (
            (b"md2 : active (auto-read-only) raid1 sdb2[1] sda2[0]\n"
            b"      9 blocks super 1.2 [2/2] [UU]\n        resync=PENDING\n"),
            "ok", "waiting", "raid1", 2,
        ),
        (
            (b"md3 : active (read-only) raid6 sdb3[1] sda3[0]\n"
            b"      9 blocks super 1.2 [4/4] [UUUU]\n        check=DELAYED\n"),
            "ok", "waiting", "raid6", 4,
        ),
        (b"md4 : inactive sdc1[0](S)\n      9 blocks super 1.2\n", "inactive", "idle", None, None),
        (b"md5 : active raid0 sdb5[1] sda5[0]\n      9 blocks 512k chunks\n",
         "ok", "idle", "raid0", None),
        (b"md6 : active raid1 sda6[0](F)\n      9 blocks [2/0] [__]\n",
         "failed", "idle", "raid1", 0),
        (b"md_d7 : active linear sda7[0]\n      9 blocks 32k rounding\n",
         "ok", "idle", "linear", None),
    ],
    ids=["recovery", "pending", "delayed", "inactive", "raid0", "failed", "partitionable"],
)  # fmt: skip
def test_every_shape_of_an_array(
    body: bytes, state: str, activity: str, level: str | None, working: int | None
) -> None:
    array = _one(body)

    assert (array.state, array.activity, array.level) == (state, activity, level)
    assert array.devices_working == working


def test_several_arrays_are_told_apart() -> None:
    content = (
        _HEAD
        + b"md0 : active raid1 sdb1[1] sda1[0]\n      9 blocks [2/2] [UU]\n\n"
        + b"md1 : active raid1 sdb2[1]\n      9 blocks [2/1] [_U]\n"
        + _TAIL
    )

    assert {name: array.state for name, array in mdstat(content)} == {
        "md0": "ok",
        "md1": "degraded",
    }


def test_no_arrays() -> None:
    assert list(mdstat(_HEAD + b"unused devices: <none>\n")) == []


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"md0 : active raid1\n"])
def test_another_file_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError, match="Personalities"):
        list(mdstat(content))


@pytest.mark.parametrize("line", [b"md0", b"md0 : \n", b"md0 : exploded raid1\n"])
def test_a_line_cut_short_is_passed_over(line: bytes) -> None:
    assert list(mdstat(_HEAD + line + _TAIL)) == []


def _pool(**scan: object) -> bytes:
    told = {"output_version": {"command": "zpool status"}, "pools": {"tank": {"scan_stats": scan}}}
    return json.dumps(told).encode()


def test_a_zfs_scrub_in_the_words_of_zpool() -> None:
    scan = scans(_pool(function="SCRUB", state="SCANNING", to_examine=1000, issued=250, errors=3))[
        "tank"
    ]

    assert (scan.running, scan.activity, scan.total, scan.issued, scan.errors) == (
        True, "scrub", 1000, 250, 3,
    )  # fmt: skip


def test_a_resilver_is_a_recovery_and_a_finished_scan_runs_no_more() -> None:
    scan = scans(_pool(function="RESILVER", state="FINISHED", to_examine=-1, issued="many"))["tank"]

    assert (scan.running, scan.activity, scan.total, scan.issued) == (False, "recovery", 0, 0)


def test_a_pool_that_was_never_scanned() -> None:
    assert scans(b'{"pools": {"tank": {"state": "ONLINE"}}}') == {}


@pytest.mark.parametrize("answer", [b"", b"invalid option 'j'", b"[]", b"{}", b'{"pools": 3}'])
def test_an_answer_of_another_shape_is_refused(answer: bytes) -> None:
    with pytest.raises(SourceError, match="not as documented"):
        scans(answer)


def test_zpool_is_asked_while_disks_are_at_work_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixtures = Path(__file__).parents[2] / "fixtures" / "disk"
    root = tmp_path / "machine"
    shutil.copytree(fixtures / "virtual-machine", root, symlinks=True)
    shutil.copytree(fixtures / "zfs" / "proc" / "spl", root / "proc" / "spl")
    asked, program = tmp_path / "asked", tmp_path / "bin" / "zpool"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def answer(issued: int) -> None:
        told = tmp_path / "answer"
        told.write_bytes(_pool(function="SCRUB", state="SCANNING", to_examine=800, issued=issued))
        program.write_text(f"#!/bin/sh\necho $@ >>'{asked}'\ncat '{told}'\n")
        program.chmod(0o755)

    now = 100.0
    disk = Disk(Sources(files=KernelFiles(root), monotonic=lambda: now))

    def sample(seconds: float, reads: int = 0) -> ArrayReading:
        nonlocal now
        now += seconds
        if reads:
            (root / "sys/block/sda/stat").write_text(f"{reads} 0 8 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
        return disk.read().arrays["zfs-tank"]

    answer(200)
    for _ in range(20):
        assert sample(30).progress_percent is None
    assert not asked.exists()

    sample(30, reads=1000)
    limit = time.monotonic() + 20
    while (array := sample(0.5)).progress_percent is None:
        assert time.monotonic() < limit
        time.sleep(0.005)  # the program runs; nobody wakes us when it ends
    assert (array.activity, array.progress_percent, array.state) == ("scrub", 25, "degraded")
    assert asked.read_text().split() == ["status", "-j", "--json-int"]
    disk.close()


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (b"resync=1.5.5% (1/2) finish=0.9min speed=10K/sec", (None, 54, 10240)),
        (b"resync = 8.5% (1/2) finish=1.2.3min speed=10K/sec", (8.5, None, 10240)),
        (b"resync = 8.5% (1/2) finish=0.9min speed=" + b"9" * 5000 + b"K/sec", (8.5, 54, None)),
    ],
    ids=["percent", "minutes", "speed"],
)
def test_an_odd_number_costs_itself_and_not_the_array(
    progress: bytes, told: tuple[float | None, ...]
) -> None:
    array = _one(b"md0 : active raid1 sda1[0]\n   9 blocks [2/2] [UU]\n   " + progress + b"\n")

    assert array.state == "ok"
    numbers = (array.progress_percent, array.remaining_seconds, array.speed_bytes_per_second)
    assert numbers == told


@pytest.mark.parametrize("answer", [b"[" * 200_000, b'{"pools": {"a": {"scan_stats": 7}}}'])
def test_an_answer_that_nobody_expects_is_refused(answer: bytes) -> None:
    with pytest.raises(SourceError):
        scans(answer)
