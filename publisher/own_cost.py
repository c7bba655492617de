"""What fanwhy itself costs: a monitor that hides its own cost is not to be trusted."""

from __future__ import annotations

import time
from collections import deque

from publisher.errors import SourceError
from publisher.schema.messages import SelfReading
from publisher.sources.files import KernelFiles

# Reading one's own PSS walks one's own page tables: worth doing now and then.
_WINDOW_SECONDS = 60.0
_MEMORY_SECONDS = 300.0


class OwnCost:
    """Measures this process between looks that are at least a minute apart."""

    def __init__(self, files: KernelFiles) -> None:
        # Our own files are where we run, not under the root of the machine we look at.
        self._files = files if not files.root else KernelFiles()
        self._since: tuple[float, float] | None = None
        self._cpu_percent: float | None = None
        self._memory_bytes: int | None = None
        self._memory_at = float("-inf")
        self._samples = 0
        self._costs: deque[float] = deque(maxlen=31)

    def sampled(self, seconds: float) -> None:
        """Notes the CPU time that one sample took."""
        self._samples += 1
        self._costs.append(seconds)

    def read(
        self, now: float, *, messages: int, payload_bytes: int, connections: int
    ) -> SelfReading:
        """The newest figures; CPU time is over the last full minute, absent before that."""
        cpu = time.process_time()
        if self._since is None:
            self._since = (now, cpu)
        elapsed = now - self._since[0]
        if elapsed >= _WINDOW_SECONDS:
            self._cpu_percent = 100 * (cpu - self._since[1]) / elapsed
            self._since = (now, cpu)
        if now - self._memory_at >= _MEMORY_SECONDS:
            self._memory_at = now
            self._memory_bytes = self._memory()
        return SelfReading(
            cpu_percent=self._cpu_percent,
            memory_bytes=self._memory_bytes,
            samples=self._samples,
            messages_sent=messages,
            payload_sent_bytes=payload_bytes,
            connections=connections,
            sample_milliseconds=self._typical_milliseconds(),
        )

    def _typical_milliseconds(self) -> float | None:
        """The median; the statistics module would cost 2 MB for it."""
        if not self._costs:
            return None
        return sorted(self._costs)[len(self._costs) // 2] * 1000

    def _memory(self) -> int | None:
        for path, name in (("/proc/self/smaps_rollup", b"Pss:"), ("/proc/self/status", b"VmRSS:")):
            try:
                content = self._files.read(path)
            except SourceError:
                continue
            for line in content.splitlines():
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
        return None
