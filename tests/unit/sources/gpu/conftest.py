"""A machine with NVIDIA's driver: kernel files, a clock, and a library that follows a script."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.gpu import Gpu

_SOURCE = Path(__file__).parents[3] / "native" / "nvml.c"
LIBRARY = "libnvidia-ml.so.1"
CARD = "0000:01:00.0"


def build(folder: Path, *options: str) -> Path:
    """Compiles the stand-in for NVIDIA's library into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / LIBRARY
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{LIBRARY}",
         *options, "-o", library, _SOURCE],
        check=True,
    )  # fmt: skip
    return library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, loaded: the loader then gives it to whoever asks for the real one's name."""
    path = build(tmp_path_factory.mktemp("nvml"))
    ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return path


@dataclass
class Machine:
    """A root with what the driver leaves in it, the script of its GPUs, and time."""

    root: Path
    script: Path
    calls: Path
    seconds: float = 0.0
    set_back: float = 0.0
    gpus: list[Gpu] = field(default_factory=list)

    def monotonic(self) -> float:
        return 1_000.0 + self.seconds

    def wall(self) -> float:
        return 1_750_000_000.0 + self.seconds - self.set_back

    def microseconds(self) -> int:
        """Now, as the driver dates its samples."""
        return int(self.wall() * 1e6)

    def put(self, path: str, content: object) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{content}\n")

    def card(self, address: str = CARD, *, control: str = "on", status: str = "active") -> None:
        """The kernel's files of one GPU."""
        self.put(f"/sys/bus/pci/devices/{address}/power/control", control)
        self.put(f"/sys/bus/pci/devices/{address}/power/runtime_status", status)
        self.put(f"/sys/bus/pci/drivers/nvidia/{address}/uevent", "")

    def remove(self, address: str = CARD) -> None:
        """Takes a GPU off its bus."""
        (self.root / f"sys/bus/pci/drivers/nvidia/{address}/uevent").unlink()
        (self.root / f"sys/bus/pci/drivers/nvidia/{address}").rmdir()

    def status(self, word: str, address: str = CARD) -> None:
        self.put(f"/sys/bus/pci/devices/{address}/power/runtime_status", word)

    def somebody_opens(self, change: int = 1) -> None:
        """One more, or one less, has the driver open."""
        path = self.root / "sys/module/nvidia/refcnt"
        self.put("/sys/module/nvidia/refcnt", int(path.read_text()) + change)

    def say(self, *lines: str) -> None:
        """Replaces the script of the GPUs."""
        new = self.script.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(self.script)

    def called(self) -> list[str]:
        """The functions called since this was last asked."""
        if not self.calls.exists():
            return []
        names = self.calls.read_text().split()
        self.calls.unlink()
        return names

    def gpu(self) -> Gpu:
        """The subsystem, as it comes up on this machine."""
        sources = Sources(files=KernelFiles(self.root), monotonic=self.monotonic, wall=self.wall)
        self.gpus.append(Gpu(sources))
        return self.gpus[-1]


def machine_in(folder: Path) -> Machine:
    """A machine whose driver is loaded and that has no GPU yet."""
    machine = Machine(folder / "root", folder / "script", folder / "calls")
    machine.put("/proc/2/comm", "kthreadd")
    machine.put("/proc/driver/nvidia/version", "NVRM version")
    machine.put("/sys/module/nvidia/refcnt", 3)
    machine.say("driver 550.54.14")
    return machine


@pytest.fixture
def machine(library: Path, tmp_path: Path) -> Iterator[Machine]:  # loads it
    made = machine_in(tmp_path)
    names = {
        "NVML_STAND_IN_SCRIPT": str(made.script),
        "NVML_STAND_IN_CALLS": str(made.calls),
        "NVML_STAND_IN_OPENS": f"{made.root}/sys/module/nvidia/refcnt",
    }
    os.environ.update(names)
    yield made
    for gpu in made.gpus:
        gpu.close()
    for name in names:
        del os.environ[name]


@pytest.fixture
def stand_in() -> Any:
    """Builds the library into a folder, with the compiler's options given."""
    return build


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    """Runs Python in a process of its own, whose loader looks for the library in a folder."""

    def run(machine: Machine, folder: Path, *lines: str) -> str:
        before = (
            "import json, sys",
            "from publisher.errors import SourceError",
            "from publisher.sources import Sources",
            "from publisher.sources.files import KernelFiles",
            "from publisher.subsystems.gpu import Gpu",
            "from publisher.contract.payload import to_json",
            "seconds = 0.0",
            "clocks = dict(monotonic=lambda: 1e3 + seconds, wall=lambda: 1.75e9 + seconds)",
            "sources = Sources(files=KernelFiles(sys.argv[1]), **clocks)",
            "gpu = Gpu(sources)",
        )
        finished = subprocess.run(
            [sys.executable, "-c", "\n".join([*before, *lines]), machine.root],
            env={
                **os.environ,
                "LD_LIBRARY_PATH": str(folder),
                "PYTHONPATH": str(Path(__file__).parents[4]),
                "NVML_STAND_IN_SCRIPT": str(machine.script),
                "NVML_STAND_IN_CALLS": str(machine.calls),
            },
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return finished.stdout

    return run


@pytest.fixture
def bare_machine(tmp_path: Path) -> Machine:
    """A machine for processes of their own."""
    return machine_in(tmp_path)
