"""What LVM and others make with the device mapper: raids, thin pools, snapshots, caches."""

from __future__ import annotations

import os
import shutil
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.explain.inputs import signs
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.disk import Disk, DiskReading
from publisher.subsystems.disk.volumes import Volumes, label_of, volumes

_FIXTURE = Path(__file__).parents[2] / "fixtures" / "dmsetup" / "status.toml"
_CASES = tomllib.loads(_FIXTURE.read_text())["case"]


def _told(value: float | None) -> float:
    return -1 if value is None else round(value, 1)


def _seen(volume: ArrayReading) -> list[object]:
    return [
        volume.label,
        volume.level,
        volume.state,
        _told(volume.devices_total),
        _told(volume.devices_working),
        _told(volume.used_percent),
        _told(volume.metadata_used_percent),
        bool(volume.read_only),
        volume.activity or "",
    ]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_the_volumes_of_others(case: dict[str, Any]) -> None:
    found = volumes(case["text"].lstrip("\n").encode())

    assert {name: _seen(volume) for name, volume in found.items()} == case["volumes"]
    assert case["source"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("pve-data", "pve/data"),
        ("pve-vm--100--disk--0", "pve/vm-100-disk-0"),
        ("my--group-lv", "my-group/lv"),
        ("docker-8:1-123141-pool", "docker-8:1-123141-pool"),
        ("plain", "plain"),
        ("-", "-"),
    ],
)
def test_names_are_read_as_lvm_writes_them(name: str, label: str) -> None:
    assert label_of(name) == label


def test_no_answer_is_too_long_to_be_read() -> None:
    line = "vg-{}: 0 10 raid raid1 2 AA 1/1 idle 0\n"
    answer = "".join(line.format(number) for number in range(9999)) + "x" * 99999

    assert len(volumes(answer.encode())) == 256


class Machine:
    """A machine with some device-mapper devices, and a stand-in for ``dmsetup``."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        (self.root / "sys/block").mkdir(parents=True)
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.asked = folder / "asked"
        self.now = 100.0
        self.disk = Disk(Sources(files=KernelFiles(self.root), monotonic=lambda: self.now))
        self.volumes = Volumes(self.disk)

    def device(self, number: int, name: str) -> None:
        folder = self.root / f"sys/block/dm-{number}/dm"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")

    def dmsetup(self, body: str) -> None:
        path = self.programs / "dmsetup"
        path.write_text(f"#!/bin/sh\necho \"$@\" >>'{self.asked}'\n{body}\n")
        path.chmod(0o755)

    def read(self, after: float = 10.0) -> dict[str, ArrayReading]:
        self.now += after
        return dict(self.volumes.read(self.now))

    def until(self, condition: Callable[[], object]) -> None:
        """Reads again while the program runs, however long that takes on this machine."""
        for _ in range(2000):
            if condition():
                return
            time.sleep(0.01)
            self.read(after=0.001)
        raise AssertionError("it never came")

    def questions(self) -> int:
        return len(self.asked.read_text().splitlines()) if self.asked.exists() else 0

    def health(self) -> SourceError | None:
        return self.disk.health["disk.volumes"]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{machine.programs}{os.pathsep}{os.environ['PATH']}")
    return machine


_POOL = "pve-data-tpool: 0 9 thin-pool 1 1/4 97/100 - rw discard_passdown queue_if_no_space - 1\n"


def test_a_pool_is_asked_after_once_a_minute(machine: Machine) -> None:
    machine.device(0, "pve-data_tdata")
    machine.dmsetup(f"printf '{_POOL}'")

    machine.read()
    machine.until(lambda: machine.read(0.001))
    asked = machine.questions()
    for _ in range(5):
        machine.read(10)
    assert machine.questions() == asked == 1
    assert machine.asked.read_text() == "status --noflush\n"

    machine.read(20)
    machine.until(lambda: machine.questions() == 2)


def test_nobody_is_asked_where_there_are_plain_volumes_alone(machine: Machine) -> None:
    for number, name in enumerate(("vg-root", "vg-swap", "luks-home", "mpatha", "vg-home")):
        machine.device(number, name)
    machine.dmsetup("exit 1")

    for _ in range(20):
        assert machine.read(60) == {}

    assert machine.questions() == 0
    assert "disk.volumes" not in machine.disk.health


def test_what_is_gone_is_forgotten(machine: Machine) -> None:
    machine.device(0, "pve-data_tdata")
    machine.dmsetup(f"printf '{_POOL}'")
    machine.read()
    machine.until(lambda: machine.read(0.001))

    shutil.rmtree(machine.root / "sys/block/dm-0")

    assert machine.read() == {}
    assert "disk.volumes" not in machine.disk.health


def test_a_volume_that_is_converted_is_seen_within_a_minute(machine: Machine) -> None:
    machine.device(0, "pve-data")
    machine.dmsetup(f"printf '{_POOL}'")
    machine.read()

    (machine.root / "sys/block/dm-0/dm/name").write_text("pve-data_tdata\n")
    machine.read(30)
    assert machine.questions() == 0

    machine.read(30)
    machine.until(lambda: machine.read(0.001))


def test_who_may_not_ask_says_so_and_asks_seldom(machine: Machine) -> None:
    machine.device(0, "pve-data-tpool")
    machine.dmsetup(
        "echo '/dev/mapper/control: open failed: Permission denied' >&2\n"
        "echo 'Failure to communicate with kernel device-mapper driver.' >&2; exit 1"
    )

    machine.read()
    machine.until(lambda: isinstance(machine.health(), DeniedError))
    for _ in range(28):
        machine.read(60)

    assert machine.questions() == 1


def test_a_failure_costs_its_part_alone(machine: Machine) -> None:
    machine.device(0, "pve-data-tpool")
    machine.dmsetup("exit 3")

    machine.read()
    machine.until(lambda: machine.health() is not None)

    assert str(machine.health()) == "dmsetup status: ended with status 3"


def test_one_that_hangs_is_ended(machine: Machine) -> None:
    machine.device(0, "pve-data-tpool")
    machine.dmsetup("exec sleep 600")

    machine.read()
    machine.read(31)
    machine.until(lambda: machine.health() is not None)

    assert machine.read() == {}


def test_without_the_program_that_is_said(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.device(0, "pve-data-tpool")
    monkeypatch.setattr("publisher.subsystems.disk.volumes.find", lambda _: None)

    machine.read()

    found = machine.health()
    assert isinstance(found, AbsentError)
    assert found.remedy == "install dmsetup"


def test_what_fills_up_or_fails_is_told() -> None:
    text = "".join(case["text"] for case in _CASES if case["name"] in (
        "proxmox-pool-nearly-full", "snapshots-caches-vdo"
    )).encode()  # fmt: skip

    found = signs({"disk": DiskReading(arrays=volumes(text))})

    assert {name: round(used, 1) for name, used in found.volumes_used_percent.items()} == {
        "Thin pool pve/data": 97.3,
        "The metadata of thin pool pve/data": 3.7,
        "Snapshot vg/before-upgrade": 96.0,
        "The metadata of cached volume vg/cached": 9.0,
        "The metadata of cached volume vg/checked": 9.0,
        "VDO volume vg/pool": 95.4,
        "VDO volume vg/sick": 4.6,
    }
    assert [(fault.severity, fault.words) for fault in found.faults] == [
        ("warning", "Snapshot vg/old has failed: it overflowed, and holds nothing any more"),
        ("warning", "Snapshot vg/over has failed: it overflowed, and holds nothing any more"),
        ("critical", "Cached volume vg/broken has failed: its cache does not answer"),
        (
            "critical",
            "Cached volume vg/checked takes nothing new any more: it has become read-only",
        ),
        ("critical", "VDO volume vg/sick takes nothing new any more: it has become read-only"),
    ]


def test_a_pool_that_gets_worse_keeps_its_milder_alert() -> None:
    def faults(words: str) -> list[tuple[str, tuple[str, ...]]]:
        line = f"pve-data-tpool: 0 9 thin-pool {words}\n"
        found = signs({"disk": DiskReading(arrays=volumes(line.encode()))}).faults
        return [(fault.subject, fault.milder) for fault in found]

    doubtful = faults("1 1/4 97/100 - rw discard_passdown queue_if_no_space needs_check 1")
    limited = faults("1 4/4 97/100 - ro discard_passdown queue_if_no_space needs_check 1")
    failed = faults("Fail")

    assert doubtful == [("pve/data doubtful", ())]
    assert limited == [("pve/data read-only", ("pve/data doubtful",))]
    assert failed == [("pve/data failed", ("pve/data read-only", "pve/data doubtful"))]
