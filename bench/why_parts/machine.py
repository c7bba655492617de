"""Processes, ports and cgroups of this machine, and what its kernel counts."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(condition)
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all that it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def remove_cgroup(place: Path) -> None:
    for _ in range(50):
        with contextlib.suppress(OSError):
            place.rmdir()
            return
        time.sleep(0.1)


def cgroup_of(name: str) -> tuple[str, Callable[[], None]]:
    """Makes a cgroup in every hierarchy that counts, named as one of systemd's or Docker's.

    Gives the shell's line that enters it, and the way to undo it.
    """
    roots = [
        root
        for root in (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup/cpu"),
                     Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup"))
        if (root / "cgroup.procs").exists()
    ]  # fmt: skip
    places = [root / name for root in roots]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    boxes = " ".join(f"{place}/cgroup.procs" for place in places)

    def undo() -> None:
        for place in places:
            remove_cgroup(place)

    return f"for box in {boxes}; do echo $$ > $box; done", undo


def busy_cores(seconds: float) -> float:
    def busy() -> float:
        user, nice, system = map(int, Path("/proc/stat").read_text().split(None, 4)[1:4])
        return (user + nice + system) / os.sysconf("SC_CLK_TCK")

    before = busy()
    time.sleep(seconds)
    return (busy() - before) / seconds


@dataclass
class Watch:
    """What the kernel counts while a workload runs, four times a second."""

    seen: list[tuple[float, float, float]] = field(default_factory=list)
    """Seconds since the start; cores busy and cores waiting for a disk since the row before."""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self, over: threading.Event) -> None:
        began = at = time.monotonic()
        busy, waiting = self._counters()
        while not over.wait(0.25):
            then, at = at, time.monotonic()
            was, waited = busy, waiting
            busy, waiting = self._counters()
            self.seen.append(
                (at - began, (busy - was) / (at - then), (waiting - waited) / (at - then))
            )

    @staticmethod
    def _counters() -> tuple[float, float]:
        user, nice, system, _idle, waiting = map(
            int, Path("/proc/stat").read_text().split(None, 6)[1:6]
        )
        tick = os.sysconf("SC_CLK_TCK")
        return (user + nice + system) / tick, waiting / tick


@contextlib.contextmanager
def slow_disk(folder: Path, megabytes: float) -> Iterator[str]:
    """A cgroup whose reads are limited; a shell's line that enters it."""
    number = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    if (device / "partition").exists():
        device = device.parent  # partitions cannot be limited
    name = (device / "dev").read_text().strip()
    first = Path("/sys/fs/cgroup/blkio/fanwhy-slow")
    second = Path("/sys/fs/cgroup/fanwhy-slow")
    place, limit, words = (
        (first, "blkio.throttle.read_bps_device", "{} {}")
        if first.parent.is_dir()
        else (second, "io.max", "{} rbps={}")
    )
    place.mkdir(exist_ok=True)
    (place / limit).write_text(words.format(name, round(megabytes * 1e6)))
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    try:
        yield f"echo $$ > {place}/cgroup.procs; "
    finally:
        remove_cgroup(place)
