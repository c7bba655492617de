"""SMART: asked rarely, of disks that are at work anyway, by the real program's arguments."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from publisher.errors import DeniedError, SourceError
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.disk.disk import DeviceReading, Disk
from publisher.subsystems.disk.smart import SmartHealth, SmartSettings, diagnosis

_ANSWERS = Path(__file__).parents[2] / "fixtures" / "smart"
_MACHINE = Path(__file__).parents[2] / "fixtures" / "disk" / "nas"
_DISK = "wwn-0x5000c500aa000000"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ata",
            SmartHealth(
                passed=True, reallocated=8, pending=2, media_errors=1,
                power_on_seconds=21000 * 3600,
            ),
        ),
        (
            "ata-failing",
            SmartHealth(
                passed=False,
                reallocated=4000,
                pending=65000,
                power_on_seconds=51000 * 3600,
            ),
        ),
        (
            "nvme",
            SmartHealth(
                passed=True, media_errors=0, life_used_percent=7, spare_percent=100,
                power_on_seconds=4321 * 3600,
            ),
        ),
        ("scsi", SmartHealth(passed=True, reallocated=5, power_on_seconds=360_000)),
        ("no-smart", None),
    ],
)  # fmt: skip
def test_each_kind_of_disk_is_understood(name: str, expected: SmartHealth | None) -> None:
    answer = (_ANSWERS / f"{name}.json").read_bytes()

    assert diagnosis(json.loads(answer)["smartctl"]["exit_status"], answer) == expected


def test_a_user_who_may_not_ask_is_told_what_would_help() -> None:
    with pytest.raises(DeniedError) as caught:
        diagnosis(2, (_ANSWERS / "denied.json").read_bytes())

    assert "CAP_SYS_RAWIO" in caught.value.remedy


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (2, (_ANSWERS / "open-failed.json").read_bytes()),
        (1, b"smartctl: unrecognized option '--json=c'\n"),
        (0, b""),
        (0, b"[]"),
        (0, b'{"json_format_version": [1, 0]}'),
        (-9, b""),
    ],
)
def test_no_usable_answer_is_a_failure(status: int, answer: bytes) -> None:
    with pytest.raises(SourceError):
        diagnosis(status, answer)


def test_numbers_of_the_wrong_kind_are_left_out() -> None:
    told = {
        "smartctl": {"exit_status": 0},
        "smart_status": {"passed": "yes"},
        "ata_smart_attributes": {
            "table": [7, {"id": 5, "raw": {"value": -1}}, {"id": 197, "raw": {"value": 1 << 40}}]
        },
        "power_on_time": {"hours": "many"},
        "nvme_smart_health_information_log": [],
    }

    assert diagnosis(0, json.dumps(told).encode()) == SmartHealth()


class Bench:
    """A machine with a `smartctl` that answers as told and keeps account of what it was asked."""

    def __init__(
        self, folder: Path, *, minutes: float = 30.0, devices: tuple[str, ...] = ()
    ) -> None:
        self.root = folder / "machine"
        self.asked = folder / "asked"
        self.program = folder / "bin" / "smartctl"
        self.program.parent.mkdir()
        shutil.copytree(_MACHINE, self.root, symlinks=True)
        self.now = 100.0
        self._served = 1
        self.disk = Disk(
            Sources(files=KernelFiles(self.root), monotonic=lambda: self.now),
            SmartSettings(smart_minutes=minutes, smart_devices=devices),
        )
        self.serve(0)
        self.disk.read()

    def answer(self, name: str, status: int = 0) -> None:
        self.script(f"cat '{_ANSWERS / name}.json'\nexit {status}")

    def script(self, body: str) -> None:
        self.program.write_text(f'#!/bin/sh\necho "$@" >>"{self.asked}"\n{body}\n')
        self.program.chmod(0o755)

    def serve(self, requests: int) -> None:
        """The disk completes requests of somebody."""
        self._served += requests
        line = f"{self._served} 0 8 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        (self.root / "sys/block/sda/stat").write_text(line)

    def read(self, *, after: float = 2.0) -> DeviceReading:
        self.now += after
        return self.disk.read().devices[_DISK]

    def read_until(self, condition: Callable[[DeviceReading], object]) -> DeviceReading:
        """Samples until something is so; the clock of the machine hardly moves meanwhile."""
        limit = time.monotonic() + 20
        while not condition(reading := self.read(after=0.001)):
            assert time.monotonic() < limit, (reading, self.disk.health)
            time.sleep(0.005)  # the program runs; nobody wakes us when it ends
        return reading

    @property
    def questions(self) -> list[list[str]]:
        lines = self.asked.read_text().splitlines() if self.asked.exists() else []
        return [line.split() for line in lines]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setenv("PATH", f"{made.program.parent}:{os.environ['PATH']}")
    return made


def test_a_busy_disk_is_asked_once_in_half_an_hour(bench: Bench) -> None:
    bench.answer("ata")
    bench.serve(1)
    bench.read()
    reading = bench.read_until(lambda reading: reading.healthy is not None)

    assert (reading.healthy, reading.reallocated_sectors) == (True, 8)
    for _ in range(20):
        bench.serve(1)
        bench.read(after=60)
    assert len(bench.questions) == 1
    bench.answer("ata-failing", 8)
    bench.serve(1)
    bench.read(after=1800)
    assert bench.read_until(lambda reading: reading.healthy is False).pending_sectors == 65000
    assert len(bench.questions) == 2


def test_the_question_lets_sleeping_disks_lie(bench: Bench) -> None:
    bench.answer("ata")
    bench.serve(1)
    bench.read()
    bench.read_until(lambda reading: reading.healthy)

    (question,) = bench.questions
    assert "--nocheck=standby,3" in question
    assert question[-1] == f"{bench.root}/dev/sda"


def test_a_disk_that_does_nothing_is_never_asked(bench: Bench) -> None:
    """Whether it sleeps or only rests: the question would restart its idle timer."""
    bench.answer("ata")
    for _ in range(50):
        bench.read(after=1800)

    assert bench.questions == []


def test_a_disk_that_says_it_sleeps_is_in_standby_until_it_works(bench: Bench) -> None:
    bench.answer("standby", 3)
    bench.serve(1)
    bench.read()
    reading = bench.read_until(lambda reading: reading.power_state == "standby")

    assert reading.healthy is None
    assert bench.disk.health["disk.smart"] is None
    bench.serve(1)
    assert bench.read().power_state == "active"


def test_what_was_known_stays_while_a_disk_sleeps(bench: Bench) -> None:
    bench.answer("ata")
    bench.serve(1)
    bench.read()
    bench.read_until(lambda reading: reading.healthy)
    bench.answer("standby", 3)
    bench.serve(1)
    bench.read(after=1800)
    bench.read_until(lambda _: len(bench.questions) == 2)

    assert bench.read().healthy is True


def test_a_program_that_hangs_is_ended_and_named(bench: Bench) -> None:
    bench.script("exec sleep 1000")
    bench.serve(1)
    bench.read()
    bench.read_until(lambda _: bench.questions)

    reading = bench.read(after=61)

    assert "no answer for 60 s" in str(bench.disk.health["disk.smart"])
    assert reading.read_bytes_per_second is not None
    bench.read_until(lambda _: "no answer" not in str(bench.disk.health["disk.smart"]))  # it died
    bench.answer("ata")
    bench.serve(1)
    bench.read(after=1800)
    assert bench.read_until(lambda reading: reading.healthy).reallocated_sectors == 8


def test_it_ends_without_waiting_for_an_answer(bench: Bench) -> None:
    bench.script("exec sleep 1000")
    bench.serve(1)
    bench.read()
    bench.read_until(lambda _: bench.questions)

    bench.disk.close()

    statuses = []
    with contextlib.suppress(ChildProcessError):  # until none is left; it would run for 1,000 s
        while True:
            statuses.append(os.waitpid(-1, 0)[1])
    assert signal.SIGKILL in map(os.WTERMSIG, statuses)


def test_zero_minutes_never_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, minutes=0)
    bench.answer("ata")
    monkeypatch.setenv("PATH", f"{bench.program.parent}:{os.environ['PATH']}")
    bench.serve(1)
    bench.read()

    assert bench.read(after=3600).healthy is None
    assert bench.questions == []


class Stand:
    """Answers of a `smartctl` by the words in its arguments, the first that fit."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._rows: dict[str, tuple[Path, int]] = {}
        self._folder = bench.program.parent

    def says(self, words: str, told: Mapping[str, object], status: int = 0) -> None:
        path, _ = self._rows.get(words, (self._folder / f"answer{len(self._rows)}", 0))
        path.write_text(json.dumps({"smartctl": {"exit_status": status}, **told}))
        self._rows[words] = path, status
        cases = "\n".join(
            f"*\"{words}\"*) cat '{path}'; exit {status};;"
            for words, (path, status) in self._rows.items()
        )
        self._bench.script(f'case "$*" in\n{cases}\nesac\nexit 2')


def _message(words: str) -> dict[str, object]:
    return {"smartctl": {"exit_status": 2, "messages": [{"string": words}]}}


# Both as smartmontools' os_linux.cpp and scsiata.cpp have them.
_MEGARAID = "DELL or MegaRaid controller, please try adding '-d megaraid,N'"
_BRIDGE = "/dev/sda: Unknown USB bridge [0x152d:0x0583 (0x214)]"


def _passes(number: int, *, passed: bool = True) -> dict[str, object]:
    return {
        "smart_status": {"passed": passed},
        "model_name": "ST16000NM000J",
        "wwn": {"naa": 5, "oui": 3152, "id": number},
        "user_capacity": {"bytes": 16_000_900_661_248},
    }


def _behind(bench: Bench) -> dict[str, DeviceReading]:
    return {
        name: device
        for name, device in bench.disk.read().devices.items()
        if name.startswith("wwn-0x5000c5000000")
    }


def test_the_disks_behind_a_megaraid_are_found_and_asked_one_by_one(bench: Bench) -> None:
    stand = Stand(bench)
    listed = [
        {"name": "/dev/sda", "type": "scsi"},
        {"name": "/dev/bus/0", "type": "megaraid,0"},
        {"name": "/dev/bus/0", "type": "sat+megaraid,1"},
    ]
    stand.says("--scan", {"devices": listed})
    stand.says("-d megaraid,0", _passes(1))
    stand.says("-d sat+megaraid,1", _passes(2, passed=False), 8)
    stand.says("dev/sda", _message(_MEGARAID), 2)

    def busy(_: DeviceReading) -> bool:
        bench.serve(1)
        return len(_behind(bench)) == 2

    bench.read_until(busy)

    assert {name: device.healthy for name, device in _behind(bench).items()} == {
        "wwn-0x5000c50000000001": True,
        "wwn-0x5000c50000000002": False,
    }
    first = _behind(bench)["wwn-0x5000c50000000001"]
    assert (first.label, first.device) == ("ST16000NM000J", "/dev/bus/0 megaraid,0")
    assert first.read_bytes_per_second is None
    questions = len(bench.questions)
    for _ in range(20):
        bench.serve(1)
        bench.read(after=60)
    assert len(bench.questions) == questions
    assert all("--nocheck=standby,3" in row for row in bench.questions if "--scan" not in row)


def test_a_disk_that_a_controller_has_no_more_goes(bench: Bench) -> None:
    stand = Stand(bench)
    scan = {"devices": [{"name": "/dev/bus/0", "type": "megaraid,0"}]}
    stand.says("--scan", scan)
    stand.says("megaraid,0", _passes(1))
    stand.says("dev/sda", _message(_MEGARAID), 2)

    def until(count: int) -> None:
        def busy(_: DeviceReading) -> bool:
            bench.serve(1)
            return len(_behind(bench)) == count

        bench.read_until(busy)

    until(1)
    stand.says("--scan", {"devices": []})
    bench.read(after=1800)
    until(0)


def test_an_unknown_usb_bridge_is_asked_as_most_may_be(bench: Bench) -> None:
    stand = Stand(bench)
    stand.says("-d sat", _passes(7))
    stand.says("dev/sda", _message(_BRIDGE), 1)

    def busy(reading: DeviceReading) -> bool:
        bench.serve(1)
        return bool(reading.healthy)

    bench.read_until(busy)
    bench.serve(1)
    bench.read(after=1800)
    bench.read_until(lambda _: len(bench.questions) == 3)

    assert [("-d" in row) for row in bench.questions] == [False, True, True]


def test_a_bridge_that_passes_nothing_on_is_no_failure(bench: Bench) -> None:
    stand = Stand(bench)
    stand.says("dev/sda", _message(_BRIDGE), 1)

    def busy(_: DeviceReading) -> bool:
        bench.serve(1)
        return len(bench.questions) == 2

    bench.read_until(busy)
    bench.read_until(lambda _: bench.disk.health["disk.smart"] is None)

    assert bench.read().healthy is None


def test_disks_are_asked_as_their_owner_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ("/dev/sda -d cciss,0", "/dev/sda -d usbjmicron", "/dev/sg2   -d areca,1/2")
    bench = Bench(tmp_path, devices=named)
    monkeypatch.setenv("PATH", f"{bench.program.parent}:{os.environ['PATH']}")
    stand = Stand(bench)
    stand.says("-d cciss,0", _passes(1))
    stand.says("-d areca,1/2", _passes(2))
    stand.says("-d usbjmicron", _passes(3))

    def busy(_: DeviceReading) -> bool:
        bench.serve(1)
        return len(_behind(bench)) == 2

    bench.read_until(busy)

    assert {" ".join(row[row.index("-d") :]) for row in bench.questions} >= {
        f"-d cciss,0 {bench.root}/dev/sda",
        f"-d areca,1/2 {bench.root}/dev/sg2",
    }


def test_a_device_that_nobody_can_ask_so_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, devices=("sda",))

    problem = bench.disk.health["disk.smart_devices"]
    assert problem
    assert "'sda'" in problem.what
