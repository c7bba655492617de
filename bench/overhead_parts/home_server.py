"""A home server, made for a while: containers, processes, interfaces, mounts and disks.

The program goes on in a mount and network namespace of its own, so that nothing of it is left;
control groups are the machine's, and are removed. It takes root.

Interfaces are veth pairs, and mounts tmpfs and overlays. Disks need hardware, so that theirs are
plain files laid over ``/sys/block``, which are read as the kernel's are; some of their counters
move.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_INSIDE = "BENCH_HOME_SERVER"

GUESTS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static void work(unsigned seed) {
  volatile unsigned long sum = 0;
  for (;;) {
    seed = seed * 1103515245 + 12345;
    usleep(1000000 + seed / 65536 % 2000 * 1000);
    for (int left = 0; left < 60000; left++) sum += left;
  }
}
int main(int count, char **words) {
  int workers = atoi(words[1]), sleepers = atoi(words[2]);
  for (int left = 0; left < workers; left++)
    if (fork() == 0) work(getpid());
  for (int left = 0; left < sleepers; left++)
    if (fork() == 0) for (;;) pause();
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything there is."""

    containers: int = 100
    workers: int = 300
    sleepers: int = 2000
    interfaces: int = 100
    mounts: int = 80
    disks: int = 12

    def __str__(self) -> str:
        return (
            f"{self.containers} containers, {self.workers} processes that work a little, "
            f"{self.sleepers} that sleep, {self.interfaces} interfaces, {self.mounts} mounts, "
            f"{self.disks} disks"
        )


def go_inside() -> None:
    """Starts this program anew in namespaces of its own, unless it is there already."""
    if os.environ.get(_INSIDE):
        return
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        sys.exit("the home server takes root, and the programs unshare and ip")
    os.execvpe(
        "unshare",
        ["unshare", "--mount", "--net", "--propagation", "private",
         sys.executable, *sys.argv],
        os.environ | {_INSIDE: "1"},
    )  # fmt: skip


@contextlib.contextmanager
def home_server(size: Size, guests: Path, folder: Path) -> Iterator[None]:
    """The machine for as long as this lasts.

    Args:
        size: how much of everything.
        guests: the program made of ``GUESTS``.
        folder: for what the mounts hold.
    """
    _own_sysfs(folder)
    _interfaces(size.interfaces)
    with _mounts(size.mounts, folder), _disks(size.disks), _containers(size, guests):
        yield


def _own_sysfs(folder: Path) -> None:
    """Shows the interfaces of our namespace below ``/sys``, and the control groups as before."""
    kept = folder / "cgroup"
    kept.mkdir()
    _run("mount", "--rbind", "/sys/fs/cgroup", str(kept))
    _run("mount", "-t", "sysfs", "sysfs", "/sys")
    _run("mount", "--rbind", str(kept), "/sys/fs/cgroup")
    _run("umount", "--recursive", str(kept))


def _interfaces(count: int) -> None:
    lines = ["link set lo up"]
    for number in range(count // 2):
        ends = f"veth{number}a", f"veth{number}b"
        lines += [f"link add {ends[0]} type veth peer name {ends[1]}"]
        lines += [f"link set {end} up" for end in ends]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), check=True)


@contextlib.contextmanager
def _mounts(count: int, folder: Path) -> Iterator[None]:
    base = folder / "mounts"
    base.mkdir()
    _run("mount", "-t", "tmpfs", "base", str(base))
    for number in range(count - 1):
        place = base / str(number)
        parts = [place / name for name in ("lower", "upper", "work", "merged")]
        for part in parts:
            part.mkdir(parents=True)
        if number % 2:
            _run("mount", "-t", "tmpfs", "shm", str(parts[3]))
        else:
            lower, upper, work, merged = map(str, parts)
            layers = f"lowerdir={lower},upperdir={upper},workdir={work}"
            _run("mount", "-t", "overlay", "overlay", "-o", layers, merged)
    try:
        yield
    finally:
        _run("umount", "--recursive", str(base))


@contextlib.contextmanager
def _disks(count: int) -> Iterator[None]:
    """Disks whose counters stand in files; every third one does something each second."""
    block = Path("/sys/block")
    there = {path.name: path.resolve() for path in block.iterdir()}
    _run("mount", "-t", "tmpfs", "block", str(block))
    for name, goal in there.items():
        (block / name).symlink_to(goal)
    counters = []
    for number in range(count):
        disk = block / f"sd{chr(ord('b') + number)}"
        for path, content in {
            "size": "3907029168",
            "removable": "0",
            "queue/rotational": "1",
            "device/model": "Bench disk",
            "device/vendor": "ATA",
            "device/wwid": f"naa.5000c500{number:08x}",
        }.items():
            (disk / path).parent.mkdir(parents=True, exist_ok=True)
            (disk / path).write_text(f"{content}\n")
        counters.append(disk / "stat")
    over = threading.Event()

    def count_on() -> None:
        turn = 0
        while True:
            turn += 1
            for number, path in enumerate(counters):
                done = turn if number % 3 == 0 else 1
                line = f"{done} 0 {done * 64} {done * 4} 0 0 0 0 0 {done * 4} {done * 4}\n"
                if turn == 1:
                    path.write_text(line)
                elif number % 3 == 0:
                    with path.open("r+") as file:
                        file.write(line)
            if over.wait(1.0):
                return

    thread = threading.Thread(target=count_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _containers(size: Size, guests: Path) -> Iterator[None]:
    places: list[Path] = []
    children: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(size.containers):
            identity = hashlib.sha256(str(number).encode()).hexdigest()
            made = [root / f"docker-{identity}.scope" for root in _hierarchies()]
            for place in made:
                place.mkdir()
                places.append(place)
            children.append(_inside(made, guests, _part(size.workers, number, size.containers),
                                    _part(size.sleepers, number, size.containers)))  # fmt: skip
        for child in children:
            assert child.stdout
            child.stdout.readline()
        yield
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for place in places:
            _remove(place)


def _inside(
    places: list[Path], guests: Path, workers: int, sleepers: int
) -> subprocess.Popen[bytes]:
    """Starts a container's processes in its control groups."""
    enter = " && ".join(f"echo $$ > '{place}/cgroup.procs'" for place in places)
    return subprocess.Popen(
        ["sh", "-c", f'{enter} && exec "$0" "$@"', guests, str(workers), str(sleepers)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _hierarchies() -> list[Path]:
    """The roots under which a container's group is made: of version 2, and of all of version 1."""
    base = Path("/sys/fs/cgroup")
    if (base / "cgroup.controllers").exists():
        return [base]
    wanted = ("cpu", "cpuacct", "memory", "blkio", "pids", "systemd", "unified")
    return [
        path
        for path in sorted(base.iterdir())
        if path.name in wanted and not path.is_symlink() and (path / "cgroup.procs").exists()
    ]


def _part(whole: int, number: int, parts: int) -> int:
    return whole * (number + 1) // parts - whole * number // parts


def _remove(place: Path) -> None:
    for _ in range(100):  # until init has buried its processes
        with contextlib.suppress(OSError):
            place.rmdir()
            return
        time.sleep(0.05)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
