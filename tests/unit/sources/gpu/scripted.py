"""A machine with NVIDIA's driver: kernel files, a clock, and a library that follows a script."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

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


class Elsewhere(Protocol):
    """Runs Python in a process of its own, whose loader looks for the library in a folder."""

    def __call__(self, machine: Machine, folder: Path, *lines: str) -> str: ...
