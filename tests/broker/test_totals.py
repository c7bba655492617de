"""What only grows never falls, for whoever listens: crash, reboot, backup, with a real broker."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from broker.parties import Shipped, Watch, Watcher

from publisher.contract.metric import Kind, fields_of
from publisher.contract.topics import readings_of
from publisher.subsystems.registry import all_topics

pytestmark = pytest.mark.broker

_RAPL = "sys/class/powercap/intel-rapl:0"


class Machine:
    """A machine of files whose processor draws now little and now much."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stopped = threading.Event()
        self.microjoules = 5_000_000
        self.write("proc/stat", "cpu 1 1 1 1 1 1 1 0 0 0\nbtime 1780000000\n")
        self.write("proc/meminfo", "MemTotal: 2048 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n")
        self.boot("first", kills=3)
        self.write(f"{_RAPL}/name", "package-0\n")
        self.write(f"{_RAPL}/max_energy_range_uj", "262143328850\n")
        self.write(f"{_RAPL}/energy_uj", f"{self.microjoules:015}\n")
        self._thread = threading.Thread(target=self._draw)
        self._thread.start()

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name("draft")
        draft.write_text(content)
        draft.replace(path)

    def boot(self, identity: str, *, kills: int) -> None:
        self.write("proc/sys/kernel/random/boot_id", f"{identity}\n")
        self.write("proc/vmstat", f"nr_free_pages 1\noom_kill {kills}\n")

    def _draw(self) -> None:
        tenths = 0
        with (self.root / _RAPL / "energy_uj").open("r+b", buffering=0) as counter:
            while not self.stopped.wait(0.1):
                tenths += 1
                self.microjoules += 1_500_000_000 if tenths // 10 % 2 else 300_000_000
                counter.seek(0)  # of one file whatever it says, as the kernel's is
                counter.write(f"{self.microjoules:015}\n".encode())

    def close(self) -> None:
        self.stopped.set()
        self._thread.join()


class Daemon(servers.Daemon):
    """One that looks at such a machine twice a second, with a folder in memory of its own."""

    def __init__(self, folder: Path, broker: Shipped, machine: Machine) -> None:
        super().__init__(
            folder,
            f"root = '{machine.root}'\n[sampling]\nperiod_seconds = 0.5\n"
            f"rest_period_seconds = 0.5\n[publishing]\nmin_interval_seconds = 0.1\n"
            f"heartbeat_seconds = 5\n"
            f"[broker]\nurl = 'mqtt://fanwhy@127.0.0.1:{broker.port}'\n"
            f"password_file = '{folder}/password'\n",
        )
        (folder / "password").write_text("daemon's own\n")
        (folder / "password").chmod(0o600)
        self.memory = folder / "memory"
        self.memory.mkdir(mode=0o700)
        self.environment["RUNTIME_DIRECTORY"] = str(self.memory)

    def forget_memory(self) -> None:
        """As a boot of the machine does."""
        shutil.rmtree(self.memory)
        self.memory.mkdir(mode=0o700)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "root")
    yield made
    made.close()


@pytest.fixture
def daemon(tmp_path: Path, broker: Shipped, machine: Machine) -> Iterator[Daemon]:
    made = Daemon(tmp_path, broker, machine)
    yield made
    made.kill()


def counters(message: dict[str, Any], cls: Any, before: str) -> Iterator[tuple[str, float]]:
    """Every value in a payload that is declared to grow only."""
    for field in fields_of(cls):
        value = message.get(field.name)
        if field.metric.kind is Kind.COUNTER and value is not None:
            yield f"{before}{field.name}", value
        if field.metric.kind is Kind.INSTANCES and value:
            for name, each in value.items():
                yield from counters(each, field.metric.of, f"{before}{name}/")


def falls(watcher: Watcher) -> list[str]:
    """Whatever was published below what it had been."""
    readings, newest, found = readings_of(all_topics()), dict[str, float](), list[str]()
    for message in list(watcher.messages):
        leaf = message.topic.removeprefix("host/")
        if leaf not in readings or not message.payload:
            continue
        for name, value in counters(json.loads(message.payload), readings[leaf], f"{leaf}/"):
            if value < newest.get(name, value):
                found.append(f"{name}: {newest[name]} → {value}")
            newest[name] = max(value, newest.get(name, value))
    return found


def energy(watcher: Watcher) -> float:
    message = watcher.newest("host/power")
    count = json.loads(message.payload or b"{}") if message else {}
    return float(count.get("cpu_energy_kilowatt_hours", 0))


def grows(watcher: Watcher, beyond: float) -> float:
    watcher.wait(lambda _: energy(watcher) > beyond, timeout=40)
    return energy(watcher)


def begins(watcher: Watcher, start: Callable[[], object]) -> None:
    """Until a new daemon has said what it reads."""
    watcher.wait_for("host/status", b"offline", timeout=20)
    seen = len(watcher.messages)
    start()
    watcher.wait(
        lambda messages: any(each.topic == "host/power" for each in messages[seen:]), timeout=30
    )


def test_nothing_that_grows_falls_through_crash_reboot_and_backup(
    broker: Shipped, watch: Watch, machine: Machine, daemon: Daemon
) -> None:
    watcher = watch(broker)
    daemon.start()
    told = grows(watcher, 0.005)

    daemon.end(signal.SIGKILL)
    begins(watcher, daemon.start)
    assert falls(watcher) == []
    assert energy(watcher) < told + 0.02, "and nothing is invented"
    told = grows(watcher, energy(watcher))

    daemon.end(signal.SIGKILL)
    daemon.forget_memory()
    machine.boot("second", kills=0)
    begins(watcher, daemon.start)
    assert falls(watcher) == []
    told = grows(watcher, energy(watcher))

    daemon.end(signal.SIGTERM)
    backup = daemon.state.with_name("backup")
    shutil.copytree(daemon.state, backup)
    begins(watcher, daemon.start)
    told = grows(watcher, told + 0.01)
    daemon.end(signal.SIGTERM)
    shutil.rmtree(daemon.state)
    backup.rename(daemon.state)
    daemon.forget_memory()
    begins(watcher, daemon.start)
    assert falls(watcher) == []
    assert grows(watcher, energy(watcher)) > told
