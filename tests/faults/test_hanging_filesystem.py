"""A file system that hangs takes away its own figures and nothing else."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from servers import Daemon, Mosquitto, wait_until

from publisher.sources import Sources
from publisher.subsystems.disk.disk import Disk, DiskReading
from publisher.subsystems.disk.filesystems import FilesystemReading

pytestmark = pytest.mark.faults

_SERVER = Path(__file__).with_name("hanging.py")
# Reads disks all the time, says so, and ends as the daemon does.
_READER = """
import signal, sys, time
from publisher.sources import Sources
from publisher.subsystems.disk.disk import Disk
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
    server = _serve(folder, request.param)
    yield str(folder)
    assert server.stdin
    server.stdin.close()
    server.wait(10)


def _serve(folder: Path, *mode: str) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, _SERVER, folder, *mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout
    with server.stdout:
        assert server.stdout.readline() == b"mounted\n"
    return server


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
    reading, item = watch.read()
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

        assert reader.wait(10) == 0  # it would wait for ever
    assert not Path(f"/proc/{reader.pid}").exists()


def test_one_that_names_no_program_is_asked_by_a_child_too(tmp_path: Path) -> None:
    server = _serve(tmp_path, "keep", "plain")
    watch = Watch(str(tmp_path))
    for _ in range(5):
        watch.read()
    reading, item = watch.read()
    assert (item.type, item.source, item.state) == ("fuse", "/dev/fuse", "not_answering")
    assert any(other.state == "ok" for other in reading.filesystems.values())
    watch.disk.close()
    server.communicate(timeout=10)


def test_one_whose_program_died_has_failed(tmp_path: Path) -> None:
    """Every question is answered at once, with an error."""
    server = _serve(tmp_path, "keep")
    watch = Watch(str(tmp_path))
    try:
        watch.read()
        server.kill()
        server.communicate(timeout=10)
        wait_until(lambda: watch.read(after=16)[1].state == "failed", 20, "be told of the error")
        reason = str(watch.disk.health["disk.remote_filesystems"])
        assert "Transport endpoint is not connected" in reason
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
        watch.disk.close()


class Reader:
    """A broker for everybody, and all that it was told, by topic."""

    def __init__(self, folder: Path) -> None:
        self.broker = Mosquitto(folder).start()
        self.payloads: defaultdict[str, list[bytes]] = defaultdict(list)
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("host/#")
        self._client.on_message = lambda *args: self.payloads[args[2].topic].append(args[2].payload)
        self._client.connect("127.0.0.1", self.broker.port)
        self._client.loop_start()

    def wait(self, condition: Callable[[], object]) -> None:
        wait_until(condition, 60, "see the payloads of the reader")

    def newest(self, topic: str) -> dict[str, object]:
        payloads = self.payloads[f"host/{topic}"]
        return json.loads(payloads[-1]) if payloads else {}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self.broker.stop()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.close()


def test_the_daemon_keeps_its_rhythm_and_ends_in_time(
    hanging: str, reader: Reader, tmp_path: Path
) -> None:
    (tmp_path / "daemon").mkdir()
    daemon = Daemon(
        tmp_path / "daemon",
        f"broker.url = '{reader.broker.url}'\npublishing.heartbeat_seconds = 5\n",
    ).start()
    try:
        reader.wait(lambda: "not_answering" in str(reader.newest("disk").get("filesystems")))
        before = {topic: len(payloads) for topic, payloads in reader.payloads.items()}
        regular = ("host/cpu", "host/memory", "host/disk", "host/network", "host/overview")
        reader.wait(
            lambda: all(len(reader.payloads[topic]) >= before[topic] + 2 for topic in regular)
        )
        assert daemon.end(signal.SIGTERM) == 0
    finally:
        daemon.kill()
    reader.wait(lambda: reader.payloads["host/status"][-1:] == [b"offline"])
