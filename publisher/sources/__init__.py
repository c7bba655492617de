"""Driver access: the only code that opens ``/proc`` and ``/sys`` or imports psutil or pynvml."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from publisher.sources.files import KernelFiles


@dataclass(frozen=True, slots=True)
class Sources:
    """What subsystems and the ledger read from; every part can be replaced in a test.

    Attributes:
        files: kernel files below a root.
        monotonic: seconds of a clock that never jumps and stands still in suspend, as
            counters do.
        wall: seconds since the epoch, for what people read.
    """

    files: KernelFiles = field(default_factory=KernelFiles)
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
