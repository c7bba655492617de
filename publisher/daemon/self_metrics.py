"""What fanwhy itself costs: a monitor that hides its own cost is not to be trusted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from publisher.contract.readings import SelfReading
from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

# CPU time is over this long, and in the first minute over what there is of it.
_WINDOW_SECONDS = 60.0
# Between two marks of that window: a dozen of them make it slide well enough.
_MARK_SECONDS = 5.0
# Reading one's own PSS walks one's own page tables: worth doing now and then.
_MEMORY_SECONDS = 300.0


class SelfMetrics:
    """Measures this process over a window that grows to a minute and then slides.

    Args:
        files: of the machine that the daemon runs on, which need not be the one it looks at.
        cpu_seconds: CPU time of this process until now.
    """

    def __init__(
        self, files: KernelFiles, cpu_seconds: Callable[[], float] = time.process_time
    ) -> None:
        self._cpu_seconds = cpu_seconds
        self._files = files
        self._marks: deque[tuple[float, float]] = deque()  # when, and CPU time until then
        self._cpu_percent: float | None = None
        self._memory_bytes: int | None = None
        self._memory_at = float("-inf")
        self._samples = 0
        self._messages = self._payload_bytes = self._connections = 0
        self._costs: deque[float] = deque(maxlen=31)

    def sampled(self, seconds: float) -> None:
        """Notes the CPU time that one sample took."""
        self._samples += 1
        self._costs.append(seconds)

    def disconnected(self, *, messages: int, payload_bytes: int, connections: int) -> None:
        """Keeps what a session has sent: the next one counts from 0."""
        self._messages += messages
        self._payload_bytes += payload_bytes
        self._connections += connections

    def read(
        self, now: float, *, messages: int, payload_bytes: int, connections: int
    ) -> SelfReading:
        """The newest figures; there is no CPU time in the first seconds.

        Args:
            now: monotonic seconds.
            messages: sent by the session that is open now.
            payload_bytes: likewise.
            connections: likewise made by it.
        """
        if not self._marks or now - self._marks[-1][0] >= _MARK_SECONDS:
            self._mark(now, self._cpu_seconds())
        if now - self._memory_at >= _MEMORY_SECONDS:
            self._memory_at = now
            self._memory_bytes = self._memory()
        return SelfReading(
            cpu_percent=self._cpu_percent,
            memory_bytes=self._memory_bytes,
            samples=self._samples,
            messages_sent=self._messages + messages,
            payload_sent_bytes=self._payload_bytes + payload_bytes,
            connections=self._connections + connections,
            sample_milliseconds=self._typical_milliseconds(),
        )

    def _mark(self, now: float, cpu: float) -> None:
        marks = self._marks
        while len(marks) > 1 and now - marks[1][0] >= _WINDOW_SECONDS:
            marks.popleft()
        if marks:
            since, before = marks[0]
            self._cpu_percent = 100 * (cpu - before) / (now - since)
        marks.append((now, cpu))

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
