"""Control groups: which one a process is in, and what the kernel counted for each.

Version 2 counts in ``cpu.stat`` (``usage_usec``) even without the cpu controller; version 1 in
``cpuacct.usage``. Both include those who have exited, and all cgroups below (kernel
documentation, admin-guide/cgroup-v2 and cgroup-v1/cpuacct).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

_MOST_UNITS = 512
_DIGITS = 20  # of what is counted in 64 bits
_UNLIMITED_DIGITS = 19  # of version 1's word for no limit, the largest number of pages there is


@dataclass(frozen=True, slots=True)
class Membership:
    """One process's cgroups.

    Attributes:
        name: the path that names it: systemd's, else the deepest of any hierarchy.
        account: the path by which its CPU time is counted; empty when that is the root.
    """

    name: str
    account: str


def own_limits(files: KernelFiles) -> str:
    """What a container that sees its own cgroup as the root may use, for people; empty if all.

    Source: kernel documentation, cgroup-v2 (``cpu.max``, ``memory.max``) and cgroup-v1
    (``cpu.cfs_quota_us``, ``memory.limit_in_bytes``).
    """
    root = "/sys/fs/cgroup"
    quota, _, period = files.hint(f"{root}/cpu.max").partition(" ")
    quota = quota or files.hint(f"{root}/cpu/cpu.cfs_quota_us")
    period = period or files.hint(f"{root}/cpu/cpu.cfs_period_us")
    memory = files.hint(f"{root}/memory.max") or files.hint(f"{root}/memory/memory.limit_in_bytes")
    found = []
    if quota.isdigit() and period.isdigit() and int(period):
        found.append(f"{int(quota) / int(period):.3g} processors")
    if memory.isdigit() and len(memory) < _UNLIMITED_DIGITS:
        found.append(f"{int(memory) >> 20} MiB of memory")
    return " and ".join(found)


class Cgroups:
    """The hierarchies that are mounted below the root of ``files``.

    Attributes:
        unified: directory of version 2; empty if there is none.
        cpuacct: directory of version 1's CPU accounting, likewise.
    """

    def __init__(self, files: KernelFiles) -> None:
        self._files = files
        self.unified = self.cpuacct = ""
        try:
            mounts = files.text("/proc/mounts").split("\n")
        except SourceError:
            mounts = []
        for line in mounts:
            words = line.split(" ")
            if len(words) < 4:
                continue
            _, where, kind, options = words[:4]
            if kind == "cgroup2":
                self.unified = self.unified or where
            elif kind == "cgroup" and "cpuacct" in options.split(","):
                self.cpuacct = self.cpuacct or where

        self._rooted = bool(self.cpuacct) and files.exists(f"{self.cpuacct}/cgroup.sane_behavior")
        self._sorted = self._all_sorted()

    def _all_sorted(self) -> bool:
        """Whether the root of version 2 is the machine's, and init is below it like everybody."""
        if not self.unified or self._files.exists(f"{self.unified}/cgroup.events"):
            return False
        try:
            return bool(self.membership(self._files.read("/proc/1/cgroup")).account)
        except SourceError:
            return False

    def membership(self, lines: bytes) -> Membership:
        """Takes ``/proc/<pid>/cgroup`` apart."""
        unified = named = cpuacct = deepest = ""
        # Not splitlines: a name may hold what Unicode or ASCII calls a separator, too.
        for line in lines.decode("utf-8", "replace").rstrip("\n").split("\n"):
            _, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            path = path.removesuffix(" (deleted)")
            if path == "/":
                continue
            if not controllers:
                unified = path
            elif controllers == "name=systemd":
                named = path
            elif "cpuacct" in controllers.split(","):
                cpuacct = path
            if controllers not in ("cpuset", "freezer") and len(path) > len(deepest):
                deepest = path
        account = (cpuacct if self.cpuacct else "") or (unified if self.unified else "")
        return Membership(unified or named or deepest, account)

    def cpu_usage(self, account: str) -> int | None:
        """Nanoseconds of CPU that a cgroup and all below it ever used; ``None`` if unknown."""
        if self.cpuacct:
            try:
                return self._files.integer(f"{self.cpuacct}{account}/cpuacct.usage")
            except SourceError:
                pass
        if self.unified:
            try:
                words = self._files.read(f"{self.unified}{account}/cpu.stat").split()
                return int(words[words.index(b"usage_usec") + 1]) * 1000
            except (SourceError, ValueError, IndexError):
                pass
        return None

    def number(self, path: str) -> int | None:
        """The number by which the kernel tells a cgroup of version 2 from others."""
        try:
            return os.stat(f"{self._files.root}{self.unified}{path}").st_ino  # noqa: PTH116  # hot
        except OSError:
            return None

    def whole_usage(self) -> int | None:
        """Nanoseconds that everything on this machine ever used, exactly; ``None`` if unknown.

        Only version 1's root tells it; that of version 2 repeats ``/proc/stat``, which guesses
        by ticks. Inside a container the mounted root is not the machine's.
        """
        return self.cpu_usage("") if self._rooted else None

    def top_usage(self) -> dict[str, int] | None:
        """Nanoseconds used by each cgroup right below the root of version 2.

        ``None`` where they do not hold all programs: the mounted root is a container's, or
        processes are not sorted into cgroups. Kernel threads are in the root itself.
        """
        if not self._sorted:
            return None
        found: dict[str, int] = {}
        for name in self._directories(self.unified):
            if (usage := self.cpu_usage(f"/{name}")) is not None:
                found[name] = usage
        return found

    def units(self) -> list[str]:
        """Paths of the cgroups of services and containers, whether we see processes in them."""
        top = self.unified or self.cpuacct
        if not top:
            return []
        paths = [""]
        found: list[str] = []
        while paths and len(found) < _MOST_UNITS:
            path = paths.pop()
            for name in self._directories(top + path):
                if name.endswith(".slice") or name in ("docker", "lxc", "kubepods"):
                    paths.append(f"{path}/{name}")
                else:
                    found.append(f"{path}/{name}")
        return found

    def disk_bytes(self, account: str) -> tuple[int, int] | None:
        """Bytes read and written by a cgroup of version 2, written pages charged to the writer.

        ``None`` where the io controller is off (kernel documentation, cgroup-v2, ``io.stat``).
        """
        try:
            content = self._files.read(f"{self.unified}{account}/io.stat")
        except SourceError:
            return None
        totals = {b"rbytes": 0, b"wbytes": 0}
        for word in content.split():
            name, _, number = word.partition(b"=")
            if name in totals and number.isdigit() and len(number) <= _DIGITS:
                totals[name] += int(number)
        return totals[b"rbytes"], totals[b"wbytes"]

    def cpu_stalled(self, account: str) -> int | None:
        """Nanoseconds in which some task of a cgroup of version 2 waited for a processor.

        ``None`` where the kernel keeps no pressure of cgroups (kernel documentation,
        accounting/psi, "Cgroup2 interface"; ``psi=0``).
        """
        try:
            content = self._files.read(f"{self.unified}{account}/cpu.pressure")
            line = content.partition(b"\n")[0]
            return int(line[line.index(b"total=") + 6 :]) * 1000 if line[:5] == b"some " else None
        except (SourceError, ValueError):
            return None

    def memory_bytes(self, account: str) -> int | None:
        """Memory that processes of a cgroup of version 2 hold, each page once; no page cache."""
        try:
            content = self._files.read(f"{self.unified}{account}/memory.stat")
        except SourceError:
            return None
        facts = dict(line.split(b" ", 1) for line in content.splitlines() if b" " in line)
        try:
            return sum(int(facts[name]) for name in (b"anon", b"shmem", b"file_mapped"))
        except (KeyError, ValueError):
            return None

    def _directories(self, path: str) -> list[str]:
        try:
            with os.scandir(f"{self._files.root}{path}") as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except OSError:
            return []
