"""``zpool status``, in JSON and in words, and whose disks are woken by asking: nobody's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import publisher.subsystems
from publisher.errors import SourceError
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.disk.array_reading import ArrayReading
from publisher.subsystems.disk.disk import Disk
from publisher.subsystems.disk.zpool import PoolStatus, statuses, statuses_of_text

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_CASES = tomllib.loads((_FIXTURES / "zpool" / "status.toml").read_text())["case"]
_HOURS = 3600.0
# Whatever the code starts: what is added one day is counted, too. Only `stat` asks no disk of this
# machine, but servers.
_SOURCE = Path(publisher.subsystems.__file__).parents[1]
_PROGRAMS = {
    name
    for path in _SOURCE.rglob("*.py")
    for name in re.findall(r'(?<![.\w])find\("([\w-]+)"\)', path.read_text())
} - {"stat"}


def _seen(pool: PoolStatus) -> list[object]:
    scan = pool.scan if pool.scan and pool.scan.running else None
    return [
        len(pool.devices),
        sum(state == "ONLINE" for _, state in pool.devices),
        pool.errors,
        scan.activity if scan else "",
        round(100 * scan.issued / scan.total, 1) if scan else 0.0,
    ]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["name"])
def test_the_pools_of_others(case: dict[str, Any]) -> None:
    read = statuses if case["json"] else statuses_of_text

    found = read(case["text"].lstrip("\n").encode())

    assert {name: _seen(pool) for name, pool in found.items()} == case["pools"]
    assert {name: pool.lost for name, pool in found.items() if pool.lost} == case.get("lost", {})
    assert case["source"]


def test_words_of_another_kind_are_refused() -> None:
    with pytest.raises(SourceError, match="not as documented"):
        statuses_of_text(b"no pools available\n")


class Nas:
    """Disks, of which two hold the pool ``tank`` and one the pool ``backup``; stand-ins that count
    how often each program is started that could wake a disk."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "machine"
        shutil.copytree(_FIXTURES / "disk" / "nas", self.root, symlinks=True)
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.asked = folder / "asked"
        self.now = 100.0
        self._served = 10
        for name in _PROGRAMS:
            self.program(name, "exit 1")
        self.pool("tank", "ONLINE", "sdb", "sdc")
        self.pool("backup", "ONLINE", "sdd")
        self.disk = Disk(Sources(files=KernelFiles(self.root), monotonic=lambda: self.now))
        self.sample(*self.names)

    names = ("sda", "sdb", "sdc", "sdd", "sde", "sdf", "nvme0n1")

    def program(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\necho {name} \"$@\" >>'{self.asked}'\n{body}\n")
        path.chmod(0o755)

    def pool(self, name: str, state: str, *disks: str) -> None:
        """Imports a pool, and has udev tell of its partitions."""
        told = self.root / "proc/spl/kstat/zfs" / name / "state"
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(f"{state}\n")
        folder = self.root / "run/udev/data"
        folder.mkdir(parents=True, exist_ok=True)
        links = self.root / "sys/class/block"
        links.mkdir(parents=True, exist_ok=True)
        for disk in disks:
            part = self.root / "sys/block" / disk / f"{disk}1"
            part.mkdir(exist_ok=True)
            (part / "partition").write_text("1\n")
            (part / "dev").write_text(f"259:{ord(disk[-1])}\n")
            link = links / f"{disk}1"
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(part.resolve(), links))
            (folder / f"b259:{ord(disk[-1])}").write_text(
                f"E:ID_FS_LABEL={name}\nE:ID_FS_TYPE=zfs_member\n"
            )

    def sample(self, *busy: str, after: float = 2.0) -> dict[str, ArrayReading]:
        """Samples once, some disks having served a request since the last time."""
        self.now += after
        self._served += 1
        for name in busy:
            line = f"{self._served} 0 {8 * self._served} 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
            (self.root / "sys/block" / name / "stat").write_text(line)
        return self.disk.read().arrays

    def watch(self, *busy: str, hours: float) -> None:
        for _ in range(int(hours * _HOURS / 300)):
            self.sample(*busy, after=300)

    def questions(self, program: str) -> list[str]:
        """What a program was started with so far, once all that were started have ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        lines = self.asked.read_text().splitlines() if self.asked.exists() else []
        return [line for line in lines if line.startswith(program)]

    def forget(self) -> None:
        """Forgets what was asked so far."""
        self.questions("")
        self.asked.unlink(missing_ok=True)

    def wait_for(self, condition: Callable[[], object], *busy: str) -> None:
        limit = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < limit, self.disk.health
            self.sample(*busy, after=0.1)
            time.sleep(0.005)  # the program runs; nobody wakes us when it ends


@pytest.fixture
def nas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nas:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Nas(tmp_path)


def _tell(nas: Nas, name: str, refused: str) -> None:
    """Has ``zpool`` say the words of a case, and refuse options that match."""
    (case,) = [case for case in _CASES if case["name"] == name]
    told = nas.root / "words"
    told.write_text(case["text"].lstrip("\n"))
    nas.program("zpool", f"case \"$*\" in {refused}) exit 2 ;; esac\ncat '{told}'")


def test_a_pool_whose_disks_rest_is_not_asked_after_while_others_work(nas: Nas) -> None:
    nas.sample(after=_HOURS)
    nas.forget()
    nas.watch("sda", "nvme0n1", hours=1)
    assert nas.questions("zpool") == []

    nas.watch("sda", "nvme0n1", "sdd", hours=1)

    assert nas.questions("zpool")
    assert {question.split()[-1] for question in nas.questions("zpool")} == {"backup"}


def test_no_program_is_started_for_disks_that_rest(nas: Nas) -> None:
    assert {"zpool", "smartctl"} <= _PROGRAMS
    nas.watch("sda", hours=1)
    assert nas.questions("smartctl")
    nas.forget()
    nas.watch(hours=48)

    assert [nas.questions(name) for name in _PROGRAMS] == [[]] * len(_PROGRAMS)


def test_smart_is_asked_of_the_disks_at_work_alone(nas: Nas) -> None:
    nas.sample(after=4 * _HOURS)
    nas.forget()
    nas.watch("sde", hours=3)

    assert nas.questions("smartctl")
    assert {question.split()[-1] for question in nas.questions("smartctl")} == {
        f"{nas.root}/dev/sde"
    }


def test_a_pool_is_asked_after_when_all_its_disks_work(nas: Nas) -> None:
    nas.sample(after=_HOURS)
    nas.forget()
    nas.watch("sdb", hours=0.5)
    assert nas.questions("zpool") == []

    nas.watch("sdb", "sdc", hours=0.1)
    assert nas.questions("zpool")


def test_a_pool_that_lost_a_disk_is_asked_after_when_the_rest_works(nas: Nas) -> None:
    nas.pool("tank", "DEGRADED", "sdb", "sdc")
    nas.sample(after=_HOURS)
    nas.forget()
    nas.watch("sdb", hours=0.1)

    assert nas.questions("zpool")


def test_where_nobody_tells_whose_a_disk_is_all_that_spin_must_work(nas: Nas) -> None:
    shutil.rmtree(nas.root / "run/udev")
    nas.sample(after=_HOURS)
    nas.forget()
    nas.watch("sda", "sdb", "nvme0n1", hours=1)
    assert nas.questions("zpool") == []

    nas.watch("sda", "sdb", "sdc", "sdd", "sde", "sdf", hours=0.1)
    assert nas.questions("zpool")


def test_a_zpool_without_json_is_asked_in_words(nas: Nas) -> None:
    _tell(nas, "two-pools-resilver-spares-cache", "*-j*")
    busy = ("sdb", "sdc", "sdd")
    nas.wait_for(lambda: nas.sample(*busy, after=20)["zfs-tank"].errors, *busy)

    tank = nas.sample(*busy)["zfs-tank"]

    assert (tank.activity, tank.progress_percent, tank.errors) == ("recovery", 25, 4)
    assert (tank.devices_total, tank.devices_working) == (4, 3)
    assert nas.disk.health["disk.zfs_scrub"] is None


def test_a_zpool_of_long_ago_is_asked_without_options(nas: Nas) -> None:
    _tell(nas, "special-devices-with-errors", "*-*")
    nas.pool("storage", "ONLINE", "sdb", "sdc")
    busy = ("sdb", "sdc", "sdd")
    nas.wait_for(lambda: nas.sample(*busy, after=20)["zfs-storage"].devices_total, *busy)

    storage = nas.sample(*busy)["zfs-storage"]

    assert (storage.state, storage.caches_lost, storage.specials_lost) == ("ok", 1, 0)
    assert (storage.errors, storage.spares_lost, storage.logs_lost) == (5, None, None)


def test_a_pool_that_calls_itself_online_with_a_failed_disk_is_degraded(nas: Nas) -> None:
    _tell(nas, "scrub-of-2.1", "*-j*")
    nas.pool("rpool", "ONLINE", "sdb", "sdc")
    busy = ("sdb", "sdc", "sdd")
    nas.wait_for(lambda: nas.sample(*busy, after=20)["zfs-rpool"].devices_total, *busy)

    assert nas.sample(*busy)["zfs-rpool"].state == "degraded"


def test_what_a_pool_lacks_is_asked_as_soon_as_it_lacks_something(nas: Nas) -> None:
    nas.sample("sdb", "sdc", "sdd", after=120)
    nas.questions("zpool")
    nas.sample("sdb", "sdc", "sdd", after=10)  # the answer is taken
    nas.forget()
    nas.sample("sdb", "sdc", "sdd", after=10)
    assert nas.questions("zpool") == []

    nas.pool("tank", "DEGRADED")
    nas.sample("sdb", "sdc", "sdd", after=10)

    assert len(nas.questions("zpool")) == 1


def test_a_pool_of_one_disk_with_too_many_errors_has_nothing_to_make_up_for_it(nas: Nas) -> None:
    nas.program(
        "zpool",
        """[ "$2" = -j ] && exit 2
printf '  pool: backup\n\tNAME STATE READ WRITE CKSUM\n\t  /dev/sdd1  DEGRADED  0 0 9\n'""",
    )
    nas.pool("backup", "DEGRADED")
    busy = ("sdb", "sdc", "sdd")
    nas.wait_for(lambda: nas.sample(*busy, after=20)["zfs-backup"].devices_total, *busy)

    backup = nas.sample(*busy)["zfs-backup"]

    assert (backup.state, backup.devices_working, backup.devices_failing) == ("failing", 0, 1)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("ONLINE", "ok"),
        ("DEGRADED", "degraded"),
        ("OFFLINE", "inactive"),
        ("FAULTED", "failed"),
        ("UNAVAIL", "failed"),
        ("SUSPENDED", "failed"),
        ("REMOVED", "failed"),
        ("", None),
    ],
)
def test_every_state_of_a_pool(nas: Nas, word: str, state: str | None) -> None:
    nas.pool("tank", word)

    assert nas.sample(after=20)["zfs-tank"].state == state


@pytest.mark.parametrize("odd", ["9" * 30, "9" * 5000])
def test_a_count_that_is_none_costs_itself(odd: str) -> None:
    words = f"  pool: tank\n\tNAME STATE READ WRITE CKSUM\n\t  /dev/sda  ONLINE  {odd} 1 2\n"
    assert statuses_of_text(words.encode())["tank"].errors == 3
    vdevs = {"sda": {"state": "ONLINE", "read_errors": odd, "write_errors": 1}}
    answer = json.dumps({"pools": {"tank": {"vdevs": vdevs}}}).encode()
    assert statuses(answer)["tank"].errors == 1


@pytest.mark.parametrize("done", ["1.5.5% done, 2T total", "1.5% done, 1.5.5T total"])
def test_a_share_that_is_none_is_unknown(done: str) -> None:
    words = f"  pool: tank\n  scan: scrub in progress since x\n\t{done}\n"
    scan = statuses_of_text(words.encode())["tank"].scan
    assert scan is not None
    assert (scan.running, scan.issued) == (True, 0)
