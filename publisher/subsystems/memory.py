"""Memory and swap: what is there, what work could still have, and whether tasks wait for it.

Sources: ``/proc/meminfo`` and ``/proc/vmstat`` (man 5 proc_meminfo, proc_vmstat),
``/proc/pressure/memory``.
"""

from __future__ import annotations

import os

from publisher.contract.metric import (
    Reading,
    bytes_per_second,
    counter,
    percent,
    reading,
    records,
    size,
)
from publisher.contract.readings import ConsumerReading
from publisher.errors import SourceError
from publisher.sources import Sources
from publisher.subsystems.base import Rates, Subsystem
from publisher.subsystems.pressure import Pressure

_DIGITS = 20  # of what is counted in 64 bits
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_COUNTERS = (b"pswpin", b"pswpout", b"oom_kill")


@reading
class MemoryReading(Reading):
    """Main memory and swap."""

    used_percent: float | None = percent(
        "Usage",
        "Memory that new work could not have, of all there is.",
        precision=1,
        deadband=2,
        headline=True,
        enabled=True,
        icon="mdi:memory",
    )
    total_bytes: int | None = size("Total", "Usable memory.", diagnostic=True)
    available_bytes: int | None = size(
        "Available", "Memory that new work could have without swapping, by the kernel's estimate."
    )
    used_bytes: int | None = size("Used", "Total less available.")
    free_bytes: int | None = size("Free", "Memory that nothing uses at all.")
    cached_bytes: int | None = size("Cached", "File contents kept in memory, and reclaimable slab.")
    buffers_bytes: int | None = size("Buffers", "Raw disk blocks kept in memory.")
    shared_bytes: int | None = size("Shared", "Memory in tmpfs and shared segments.")
    slab_bytes: int | None = size("Slab", "The kernel's own data structures.")
    dirty_bytes: int | None = size("Dirty", "Memory that waits to be written to disk.")
    swap_total_bytes: int | None = size("Swap total", "Swap space there is.", diagnostic=True)
    swap_used_bytes: int | None = size(
        "Swap used", "Swap space in use.", deadband=64 << 20, deadband_percent=5
    )
    swap_used_percent: float | None = percent(
        "Swap usage",
        "Swap space in use, of all there is; absent without swap.",
        precision=1,
        deadband=5,
    )
    swap_in_bytes_per_second: float | None = bytes_per_second(
        "Swap in", "Memory read back from swap.", deadband=1 << 20, deadband_percent=25
    )
    swap_out_bytes_per_second: float | None = bytes_per_second(
        "Swap out", "Memory written to swap.", deadband=1 << 20, deadband_percent=25
    )
    oom_kills: int | None = counter(
        "OOM kills", "Processes that the kernel killed for want of memory, since boot.", deadband=1
    )
    pressure_some_percent: float | None = percent(
        "Pressure", "Time in which some task waited for memory.", precision=1, deadband=5
    )
    pressure_full_percent: float | None = percent(
        "Full pressure",
        "Time in which every task that could work waited for memory.",
        precision=1,
        deadband=5,
    )
    top: tuple[ConsumerReading, ...] | None = records(
        ConsumerReading, "Top", "Who holds the most memory.", default=None
    )


class Memory(Subsystem):
    name = "memory"
    reading = MemoryReading
    top_by = "memory_bytes"

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._rates = Rates()
        self._pressure = Pressure(self, "memory")

    def read(self) -> MemoryReading:
        now = self.sources.monotonic()
        facts = self._meminfo()
        counters = self.part("vmstat", self._vmstat) or {}
        total, free = facts[b"MemTotal"], facts[b"MemFree"]
        cached = facts.get(b"Cached", 0) + facts.get(b"SReclaimable", 0)
        # MemAvailable came with Linux 3.14; free and cached are its rough predecessor.
        available = facts.get(b"MemAvailable", free + cached)
        swap_total = facts.get(b"SwapTotal")
        swap_free = facts.get(b"SwapFree")
        swap_used = None if swap_total is None or swap_free is None else swap_total - swap_free
        some, full = self._pressure.read(now)
        return MemoryReading(
            used_percent=100 * (total - available) / total if total else None,
            total_bytes=total,
            available_bytes=available,
            used_bytes=total - available,
            free_bytes=free,
            cached_bytes=cached if b"Cached" in facts else None,
            buffers_bytes=facts.get(b"Buffers"),
            shared_bytes=facts.get(b"Shmem"),
            slab_bytes=facts.get(b"Slab"),
            dirty_bytes=facts.get(b"Dirty"),
            swap_total_bytes=swap_total,
            swap_used_bytes=swap_used,
            swap_used_percent=100 * swap_used / swap_total
            if swap_used is not None and swap_total
            else None,
            swap_in_bytes_per_second=self._rates.per_second(
                "in", _bytes(counters.get(b"pswpin")), now
            ),
            swap_out_bytes_per_second=self._rates.per_second(
                "out", _bytes(counters.get(b"pswpout")), now
            ),
            oom_kills=counters.get(b"oom_kill"),
            pressure_some_percent=some,
            pressure_full_percent=full,
        )

    def _meminfo(self) -> dict[bytes, int]:
        content = self.files.read("/proc/meminfo")
        facts: dict[bytes, int] = {}
        for line in content.splitlines():
            name, _, rest = line.partition(b":")
            number, _, unit = rest.strip().partition(b" ")
            if unit == b"kB" and number.isdigit() and len(number) <= _DIGITS:
                facts[name] = int(number) * 1024
        if b"MemTotal" not in facts or b"MemFree" not in facts:
            raise SourceError("tells neither total nor free memory", path="/proc/meminfo")
        return facts

    def _vmstat(self) -> dict[bytes, int]:
        content = self.files.read("/proc/vmstat")
        found: dict[bytes, int] = {}
        for name in _COUNTERS:
            # Some 200 lines, of which three matter: searched, not split.
            start = content.find(b"\n" + name + b" ")
            if start >= 0:
                start += len(name) + 2
                digits = content[start : content.find(b"\n", start)]
                if digits.isdigit() and len(digits) <= _DIGITS:
                    found[name] = int(digits)
        return found


def _bytes(pages: int | None) -> int | None:
    return None if pages is None else pages * _PAGE
