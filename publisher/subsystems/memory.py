"""Memory and swap: what is there, what work could still have, and whether tasks wait for it.

Sources: ``/proc/meminfo`` and ``/proc/vmstat`` (man 5 proc_meminfo, proc_vmstat),
``/proc/pressure/memory``, and ZFS, whose cache the kernel takes for used memory
(``publisher.sources.zfs_cache``).
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
from publisher.sources.zfs_cache import ZfsCache
from publisher.subsystems.base import Rates, Subsystem
from publisher.subsystems.pressure import Pressure

_DIGITS = 20  # of what is counted in 64 bits
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_COUNTERS = (b"pswpin", b"pswpout", b"oom_kill")
_HUGE_PAGES = b"HugePages_Total"


@reading
class MemoryReading(Reading):
    """Main memory and swap."""

    used_percent: float | None = percent(
        "Usage",
        "Memory that new work could not have, of all that is not set aside as huge pages.",
        precision=1,
        deadband=2,
        headline=True,
        enabled=True,
        icon="mdi:memory",
    )
    total_bytes: int | None = size("Total", "Usable memory.", diagnostic=True)
    available_bytes: int | None = size(
        "Available",
        "Memory that new work could have without swapping, by the kernel's estimate and with what "
        "the cache of ZFS would give back.",
    )
    used_bytes: int | None = size("Used", "Total less available and less huge pages.")
    huge_pages_bytes: int | None = size(
        "Huge pages",
        "Memory set aside for programs that ask for huge pages, such as virtual machines and "
        "databases, whether they use it or not; absent where there is none.",
    )
    free_bytes: int | None = size("Free", "Memory that nothing uses at all.")
    cached_bytes: int | None = size(
        "Cached", "File contents kept in memory, by ZFS too, and reclaimable slab."
    )
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
        headline=True,
        enabled=True,
        icon="mdi:swap-horizontal",
    )
    swap_in_bytes_per_second: float | None = bytes_per_second(
        "Swap in", "Memory read back from swap.", deadband=1 << 20, deadband_percent=25
    )
    swap_out_bytes_per_second: float | None = bytes_per_second(
        "Swap out", "Memory written to swap.", deadband=1 << 20, deadband_percent=25
    )
    oom_kills: int | None = counter(
        "OOM kills", "Processes that the kernel killed for want of memory.", deadband=1
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
        self._zfs = ZfsCache(self.files)
        self._pressure = Pressure(self, "memory")

    def read(self) -> MemoryReading:
        now = self.sources.monotonic()
        facts = self._meminfo()
        counters = self.part("vmstat", self._vmstat) or {}
        total = facts[b"MemTotal"]
        huge = _huge_pages(facts)
        pool = total - huge
        available = min(_available(facts), pool)
        given_back = self._zfs.given_back(now, at_most=pool - available)
        available += given_back
        cached = facts.get(b"Cached", 0) + facts.get(b"SReclaimable", 0) + given_back
        swap_total, swap_used = _swap(facts)
        some, full = self._pressure.read(now)
        return MemoryReading(
            used_percent=100 * (pool - available) / pool if pool else None,
            total_bytes=total,
            available_bytes=available,
            used_bytes=pool - available,
            huge_pages_bytes=huge or None,
            free_bytes=facts[b"MemFree"],
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
        """Bytes by name, and for huge pages how many there are."""
        content = self.files.read("/proc/meminfo")
        facts: dict[bytes, int] = {}
        for line in content.splitlines():
            name, _, rest = line.partition(b":")
            number, _, unit = rest.strip().partition(b" ")
            known = unit == b"kB" or name == _HUGE_PAGES
            if known and number.isdigit() and len(number) <= _DIGITS:
                facts[name] = int(number) * 1024 if unit else int(number)
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


def _available(facts: dict[bytes, int]) -> int:
    """What new work could have; the kernel tells it since Linux 3.14.

    Before, it is what is free and what files take; what tmpfs takes is counted among the files,
    but can only be swapped.
    """
    told = facts.get(b"MemAvailable")
    if told is not None:
        return told
    pages = [facts[name] for name in (b"Active(file)", b"Inactive(file)") if name in facts]
    files = facts.get(b"Cached", 0) + facts.get(b"Buffers", 0) - facts.get(b"Shmem", 0)
    kept = sum(pages) if pages else max(files, 0)
    return facts[b"MemFree"] + kept + facts.get(b"SReclaimable", 0)


def _huge_pages(facts: dict[bytes, int]) -> int:
    """Bytes set aside, in pages of every size; before Linux 4.15 of the usual size alone."""
    huge = facts.get(b"Hugetlb", facts.get(_HUGE_PAGES, 0) * facts.get(b"Hugepagesize", 0))
    return huge if 0 <= huge < facts[b"MemTotal"] else 0


def _swap(facts: dict[bytes, int]) -> tuple[int | None, int | None]:
    """Bytes in all and in use; containers have been told of more that is free than there is."""
    whole, free = facts.get(b"SwapTotal"), facts.get(b"SwapFree")
    return whole, None if whole is None or free is None or free > whole else whole - free
