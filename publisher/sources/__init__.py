"""Driver access: the only code that opens ``/proc`` and ``/sys`` or imports psutil or pynvml."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from publisher.sources import nut
from publisher.sources.files import KernelFiles
from publisher.sources.ipmi import Bmc


def machine_files(root: str | None = None) -> KernelFiles:
    """The files that tell of a machine: the kernel's own, or psutil's answers where it has none.

    Args:
        root: where ``/proc`` and ``/sys`` of the machine are found; empty for our own.
    """
    files = KernelFiles(root or "/")
    if files.root or files.exists("/proc/self/stat"):
        return files
    from publisher.sources.portable import (  # noqa: PLC0415  # psutil takes 8 MB, seldom needed
        PortableFiles,
    )

    return PortableFiles()


@dataclass(frozen=True, slots=True)
class Sources:
    """What subsystems and the ledger read from; every part can be replaced in a test.

    Attributes:
        files: those of the kernel, or what stands for them (``machine_files``).
        monotonic: seconds of a clock that never jumps and stands still in suspend, as
            counters do.
        wall: seconds since the epoch, for what people read.
        state_dir: where counters outlive a restart; ``None`` keeps them in memory only.
        bmc: the server's own supervisor, where there is one; only asked about our own machine.
        nut: where a server for UPSes may listen; ``None`` looks for none.
    """

    files: KernelFiles = field(default_factory=machine_files)
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    state_dir: str | None = None
    bmc: Bmc = field(default_factory=Bmc)
    nut: tuple[str, int] | None = nut.ADDRESS
