"""``fanwhy-pub replay``: a captured machine, and nothing that only looks like one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from unit.cli.program import Program

from publisher.cli.replay import command, replay
from publisher.errors import ConfigError

_MEMORY = next((Path(__file__).parents[2] / "fixtures/memory").iterdir())


def test_it_prints_what_is_read_there_and_keeps_it_when_asked(
    fanwhy: Program, tmp_path: Path
) -> None:
    case = shutil.copytree(_MEMORY, tmp_path / "memory" / "case", symlinks=True)
    (case / "expected.json").unlink()
    found = fanwhy("replay", str(case), "--write")
    assert (found.code, found.err) == (0, "")
    expected = json.loads((_MEMORY / "expected.json").read_text())
    assert json.loads(found.out) == json.loads((case / "expected.json").read_text()) == expected


def test_one_of_several_subsystems(tmp_path: Path) -> None:
    case = shutil.copytree(_MEMORY, tmp_path / "case", symlinks=True)
    assert replay(case, ["memory"]) == json.loads((_MEMORY / "expected.json").read_text())
    with pytest.raises(ConfigError, match="memroy"):
        command(case, ["memroy"])


@pytest.mark.parametrize("folder", ["/", "/nowhere", "{empty}"])
def test_what_is_no_captured_machine(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as caught:
        command(Path(folder.format(empty=tmp_path / "empty")))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("make", ["file", "above"])
def test_what_is_no_captured_machine_but_nearly_one(make: str, tmp_path: Path) -> None:
    shutil.copytree(_MEMORY, tmp_path / "above" / "machine", symlinks=True)
    (tmp_path / "file").write_bytes(b"\x1f\x8b")
    meant = {"file": "unpack it", "above": "did you mean .*above/machine"}[make]
    with pytest.raises(ConfigError, match=meant):
        command(tmp_path / make)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two cores, one of which is offline, a disk, an array that lacks a disk: two steps."""
    root = tmp_path / "machine"
    for step in (1, 2):
        _write(root / f"{step}/proc/stat", f"cpu {9000 * step} 0 0 {1000 * step} 0 0 0 0 0 0\n"
               f"cpu0 {9000 * step} 0 0 {1000 * step} 0 0 0 0 0 0\n")  # fmt: skip
        _write(root / f"{step}/proc/mdstat", _MDSTAT)
        cpu = root / f"{step}/sys/devices/system/cpu"
        _write(cpu / "cpu0/cpufreq/scaling_cur_freq", "2400000\n")
        disk = root / f"{step}/sys/devices/virtual/disk/sda"
        _write(disk / "stat", f"{10 * step} 0 {2048 * step} 5 0 0 0 0 0 5 5\n")
        _write(disk / "size", "2048000\n")
        _write(disk / "device/model", "Model\n")
        (root / f"{step}/sys/block").mkdir(parents=True)
        (root / f"{step}/sys/block/sda").symlink_to("../devices/virtual/disk/sda")
    return root


_MDSTAT = """Personalities : [raid1]
md0 : active raid1 sda1[0]
      1046528 blocks super 1.2 [2/1] [U_]

unused devices: <none>
"""


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_readings_and_the_verdict_for_people(fanwhy: Program, machine: Path) -> None:
    found = fanwhy("replay", str(machine))
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert {"cpu", "disk"} <= set(lines)
    assert "memory: absent: /proc/meminfo: not on this machine" in lines
    assert "Alert: RAID array md0 lacks a disk" in lines


def test_the_same_for_programs_with_rates_from_the_second_step(
    fanwhy: Program, machine: Path
) -> None:
    document = json.loads(fanwhy("replay", str(machine), "--json").out)
    assert document["disk"]["read_bytes_per_second"] == 2048 * 512 / 2
    assert document["explanation"]["state"] == "busy"
    assert document["explanation"]["causes"] == []
    assert document["alerts"] == ["RAID array md0 lacks a disk"]
    assert document["senses"]["memory"] == "absent: /proc/meminfo: not on this machine"


def test_of_one_step_there_are_no_rates_and_still_a_verdict(fanwhy: Program, machine: Path) -> None:
    document = json.loads(fanwhy("replay", str(machine / "1"), "--json").out)
    assert "read_bytes_per_second" not in document["disk"]
    assert document["explanation"]["state"] == "quiet"


def test_steps_come_in_the_order_of_their_numbers(machine: Path) -> None:
    (machine / "1").rename(machine / "9")
    (machine / "2").rename(machine / "10")
    assert replay(machine, ["disk"])["disk"]["read_bytes_per_second"] == 2048 * 512 / 2


def test_what_failed_there_fails_here(machine: Path) -> None:
    for step in ("1", "2"):
        _write(machine / step / "proc/mdstat", "!EIO\n")
    senses = replay(machine, ["disk"])["senses"]
    assert senses["disk.arrays"].startswith("failing: /proc/mdstat: reading failed: Input/output")


def test_links_that_a_zip_archive_left_as_files_are_links_again(machine: Path) -> None:
    for step in ("1", "2"):
        link = machine / step / "sys/block/sda"
        link.unlink()
        link.write_text("../devices/virtual/disk/sda")
    assert replay(machine, ["disk"])["disk"]["read_bytes_per_second"] == 2048 * 512 / 2


@pytest.mark.parametrize("goal", ["/etc/hostname", "../../../../../../../../../etc/hostname"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_no_link_leads_to_a_file_of_our_own(
    machine: Path, goal: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = machine / "1/sys/devices/virtual/disk/sda/device/model"
    model.unlink()
    if kind == "link":
        model.symlink_to(goal)
    else:
        model.write_text(goal)
    monkeypatch.chdir(machine)
    (device,) = replay(Path("1"), ["disk"])["disk"]["devices"].values()
    assert device.get("label") in (None, "sda", goal if kind == "file" else None)


def test_no_step_is_a_folder_of_our_own(machine: Path, tmp_path: Path) -> None:
    _write(tmp_path / "own/sys/devices/virtual/disk/sda/device/model", "Secret\n")
    os.mkfifo(machine / "1/pipe")
    (machine / "3").symlink_to(tmp_path / "own")
    (machine / "second").symlink_to(tmp_path / "own")
    result = replay(machine, ["disk"])
    assert "Secret" not in json.dumps(result)
    assert result["disk"]["read_bytes_per_second"] == 2048 * 512 / 2


def test_what_is_kept_is_kept_in_the_folder(fanwhy: Program, machine: Path, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("mine")
    (machine / "expected.json").symlink_to(tmp_path / "own")
    assert fanwhy("replay", str(machine), "--write").code == 0
    assert (tmp_path / "own").read_text() == "mine"
    assert json.loads((machine / "expected.json").read_text())["disk"]


def test_a_pipe_in_the_tree_is_passed_over(tmp_path: Path) -> None:
    """It would be read for ever."""
    case = shutil.copytree(_MEMORY, tmp_path / "memory" / "case", symlinks=True)
    (case / "sys").mkdir(exist_ok=True)
    os.mkfifo(case / "sys/kmsg")
    assert replay(case, ["memory"])["memory"]
