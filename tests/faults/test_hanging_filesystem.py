"""A file system that hangs takes away its own figures and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.sources import Sources
from publisher.subsystems.disk import Disk, DiskReading
from publisher.subsystems.filesystems import FilesystemReading

pytestmark = pytest.mark.faults

_SERVER = Path(__file__).with_name("hanging.py")
# Reads disks all the time, says so, and ends as the daemon does.
_READER = """
import signal, sys, time
from publisher.sources import Sources
from publisher.subsystems.disk import Disk
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
disk = Disk(Sources())
while True:
    found = [item for item in disk.read().filesystems.values() if item.label == sys.argv[1]]
    print(found[0].state if found else "unseen", flush=True)
    time.sleep(0.1)
"""


@pytest.fixture(params=["keep", "refuse"])
def hanging(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The mount point of a file system that never answers."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    server = subprocess.Popen(
        [sys.executable, _SERVER, folder, request.param],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin
    assert server.stdout
    assert server.stdout.readline() == b"mounted\n"
    yield str(folder)
    server.stdin.close()
    server.wait(10)
    server.stdout.close()


class Watch:
    """The disk subsystem of this machine, by a clock that runs ahead of ours."""

    def __init__(self, point: str) -> None:
        self.now = time.monotonic()
        self.point = point
        self.disk = Disk(Sources(monotonic=lambda: self.now))

    def read(self, *, after: float = 2.0) -> tuple[DiskReading, FilesystemReading]:
        self.now += after
        reading = self.disk.read()
        (hanging,) = (item for item in reading.filesystems.values() if item.label == self.point)
        return reading, hanging


def _children() -> set[int]:
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


def test_it_is_said_and_the_rest_goes_on(hanging: str) -> None:
    watch = Watch(hanging)
    threads, children = threading.active_count(), _children()
    watch.read()
    for _ in range(200):
        reading, item = watch.read()
        assert any(other.state == "ok" for other in reading.filesystems.values())
        assert threading.active_count() == threads
        assert len(_children() - children) <= 1

    assert item.state == "not_answering"
    assert item.used_percent is None
    assert reading.read_bytes_per_second is not None
    assert hanging in str(watch.disk.health["disk.remote_filesystems"])
    watch.disk.close()


def test_it_answers_again_once_it_is_unmounted_and_gone(hanging: str) -> None:
    watch = Watch(hanging)
    watch.read()
    for _ in range(5):
        watch.read()
    subprocess.run(["umount", "--lazy", hanging], check=True)

    watch.now += 60
    reading = watch.disk.read()

    assert all(item.label != hanging for item in reading.filesystems.values())
    watch.disk.read()
    assert watch.disk.health["disk.remote_filesystems"] is None
    watch.disk.close()


def test_nobody_waits_for_it_at_the_end(hanging: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _READER, hanging], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout
        states = iter(reader.stdout.readline, "")
        assert next(state for state in states if state == "not_answering\n")

        reader.send_signal(signal.SIGTERM)

        assert reader.wait(2) == 0
    assert not Path(f"/proc/{reader.pid}").exists()
