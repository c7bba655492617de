"""Driver access: the only code that opens ``/proc`` and ``/sys`` or imports psutil or pynvml."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from publisher.sources import nut
from publisher.sources.files import KernelFiles


@dataclass(frozen=True, slots=True)
class Sources:
    """What subsystems and the ledger read from; every part can be replaced in a test.

    Attributes:
        files: kernel files below a root.
        monotonic: seconds of a clock that never jumps and stands still in suspend, as
            counters do.
        wall: seconds since the epoch, for what people read.
        state_dir: where counters outlive a restart; ``None`` keeps them in memory only.
        nut: where a server for UPSes may listen; ``None`` looks for none.
    """

    files: KernelFiles = field(default_factory=KernelFiles)
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    state_dir: str | None = None
    nut: tuple[str, int] | None = nut.ADDRESS
