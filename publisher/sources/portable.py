"""The kernel's files on a system that has none: psutil's answers, in the words of Linux's kernel.

All that reads the machine asks ``KernelFiles``; a recording of another machine is one kind of them,
and this is another. So a subsystem knows one format only, and macOS, Windows and a Linux without
``/proc`` need no code of their own anywhere else (docs/adr/0010).

What psutil does not tell is no file, or stands as ``-`` in a row of numbers: never as 0. Files
outside ``/proc`` and ``/sys``, such as ``/etc/machine-id``, are read as they are.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import psutil

from publisher.errors import AbsentError
from publisher.sources.files import UNTOLD, KernelFiles, translated

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_SECTOR = 512
_FRESH_SECONDS = 0.1  # all files of a folder are of one moment, and cost one question
_OURS = ("/proc", "/sys")
# What psutil fails with, by its own word and by systems' where it has no word for it.
_FAILURES = (psutil.Error, OSError, RuntimeError, NotImplementedError, AttributeError)

# Numbers of a `cpu` line, as man 5 proc_stat has them.
_CPU_TIMES = (
    "user",
    "nice",
    "system",
    "idle",
    "iowait",
    "irq",
    "softirq",
    "steal",
    "guest",
    "guest_nice",
)
_MEMORY = {
    "MemTotal": "total",
    "MemFree": "free",
    "MemAvailable": "available",
    "Buffers": "buffers",
    "Cached": "cached",
    "Shmem": "shared",
    "Slab": "slab",
}
# What stands for no hardware among disks, and among the interfaces of macOS and Windows.
_NO_DISK = re.compile(r"(loop|ram|zram|dm-|md|sr|fd|cd|pass)\d+")
_NO_CARD = re.compile(
    r"(anpi|ap|awdl|bridge|feth|gif|llw|stf|utun|vmenet)\d"
    r"|vEthernet|Loopback Pseudo|Local Area Connection\*|Bluetooth"
)
_PROCESS = re.compile(r"/proc/(\d+)")
_ETHERNET, _OTHER = b"1", b"772"  # ARPHRD_ETHER, ARPHRD_LOOPBACK
_FULL_PERCENT = 99

# What a file would tell, in the words of the reason why it does not.
_SUBJECTS = {
    "/proc/pressure": "for how long tasks wait",
    "/proc/vmstat": "what is swapped",
    "/proc/net/wireless": "how strong a radio signal is",
    "/proc/net": "how many connections there are",
    "/proc/loadavg": "the load",
    "/proc/cpuinfo": "the speed of the cores",
    "/sys/devices/system/cpu": "whether the processor is held back",
}

_Folder = Mapping[str, Mapping[str, bytes]]
"""The names in a directory to the files below each, by their relative path."""


class Space(NamedTuple):
    """What ``os.statvfs`` would tell of a file system where it is missing, in bytes."""

    f_bsize: int
    f_frsize: int
    f_blocks: int
    f_bfree: int
    f_bavail: int
    f_files: int = 0
    f_ffree: int = 0
    f_favail: int = 0
    f_flag: int = 0
    f_namemax: int = 0


class PortableFiles(KernelFiles):
    """Files that are written when they are read, from what psutil tells.

    Args:
        source: psutil.
        system: what Python calls this system (``sys.platform``).
    """

    def __init__(self, source: ModuleType | Any = psutil, system: str = sys.platform) -> None:
        super().__init__()
        self.foreign = {"darwin": "macOS", "win32": "Windows"}.get(system, platform.system())
        self._ask = source
        self._system = system
        self.untold = self._what_is_untold()
        self._kept: dict[str, tuple[float, _Folder]] = {}
        self._files: dict[str, Callable[[], bytes | None]] = {
            "/proc/stat": self._stat,
            "/proc/loadavg": self._loadavg,
            "/proc/cpuinfo": self._cpuinfo,
            "/proc/meminfo": self._meminfo,
            "/proc/vmstat": self._vmstat,
            "/proc/net/dev": self._net_dev,
            "/proc/self/mountinfo": self._mountinfo,
            "/proc/self/status": self._status,
        }
        self._folders: dict[str, Callable[[], _Folder]] = {
            "/sys/devices/system/cpu": self._processors,
            "/sys/block": self._disks,
            "/sys/class/net": self._interfaces,
            "/sys/class/power_supply": self._supplies,
            "/sys/class/hwmon": self._chips,
        }

    def _what_is_untold(self) -> dict[str, str]:
        """What readings lack although their files are there."""
        found = {
            "cpu.tasks": "how many tasks run, wait or begin",
            "ledger.waiting": "how long programs wait for a processor",
            "ledger.units": "which container or unit a program belongs to",
            "disk.queue": "how many requests wait",
            "disk.size": "how large a disk is",
            "memory.oom_kills": "what was killed for want of memory",
        }
        if not self._system.startswith("linux"):
            found["disk.smart"] = "the health of disks"
        if not hasattr(self._ask.cpu_times(), "iowait"):
            found["cpu.times"] = "the time of I/O wait, interrupts, hypervisor and guests"
        disks = (self._ask.disk_io_counters(perdisk=True) or {}).values()
        if not any(hasattr(disk, "busy_time") for disk in disks):
            found["disk.busy"] = "for how long a disk is busy"
        return {name: self._reason(what) for name, what in found.items()}

    def _reason(self, what: str) -> str:
        return f"on {self.foreign} psutil does not tell {what}"

    def read(self, path: str, *, keep: bool = True) -> bytes:
        del keep
        if not path.startswith(_OURS):
            try:
                return Path(path).read_bytes()
            except OSError as error:
                raise translated(error, path) from error
        content: bytes | None = None
        with suppress(*_FAILURES):
            write = self._files.get(path)
            content = write() if write else self._below(path)
        if content is None:
            raise AbsentError(self._reason(_subject(path)))
        return content

    def names(self, path: str) -> list[str]:
        if not path.startswith(_OURS):
            return super().names(path)
        if path in self._folders:
            return sorted(self._folder(path))
        folder, name = _parted(path, self._folders)
        found = self._folder(folder).get(name, {}) if folder and "/" not in name else {}
        return sorted({leaf.partition("/")[0] for leaf in found})

    def exists(self, path: str) -> bool:
        if not path.startswith(_OURS):
            return super().exists(path)
        if match := _PROCESS.fullmatch(path):
            return bool(self._ask.pid_exists(int(match[1])))
        folder, rest = _parted(path, self._folders)
        if not folder:
            return path in self._files or path in self._folders
        name, _, leaf = rest.partition("/")
        files = self._folder(folder).get(name)
        return files is not None and (not leaf or leaf in files)

    def link(self, path: str) -> str | None:
        if not path.startswith(_OURS):
            return super().link(path)
        return path if self.exists(path) else None

    def statvfs(self, path: str) -> os.statvfs_result:
        if hasattr(os, "statvfs"):
            return super().statvfs(path)
        try:
            usage = self._ask.disk_usage(path)
        except OSError as error:
            raise translated(error, path) from error
        return cast("os.statvfs_result", Space(1, 1, usage.total, usage.free, usage.free))

    def _below(self, path: str) -> bytes | None:
        folder, rest = _parted(path, self._folders)
        name, _, leaf = rest.partition("/")
        return self._folder(folder).get(name, {}).get(leaf) if folder else None

    def _folder(self, path: str) -> _Folder:
        now = time.monotonic()
        kept = self._kept.get(path)
        if kept is None or now - kept[0] >= _FRESH_SECONDS:
            found: _Folder = {}
            with suppress(*_FAILURES):
                found = self._folders[path]()
            kept = self._kept[path] = (now, found)
        return kept[1]

    # -- processors -----------------------------------------------------------------------------

    def _stat(self) -> bytes:
        lines = [b"cpu  " + _times(self._ask.cpu_times())]
        cores = self._ask.cpu_times(percpu=True)
        lines += [b"cpu%d %b" % (number, _times(core)) for number, core in enumerate(cores)]
        with suppress(*_FAILURES):
            counts = self._ask.cpu_stats()
            lines += [b"intr %d" % counts.interrupts, b"ctxt %d" % counts.ctx_switches]
        lines.append(b"btime %d" % self._ask.boot_time())
        return b"\n".join(lines) + b"\n"

    def _loadavg(self) -> bytes | None:
        load = self._ask.getloadavg()
        # On Windows psutil reckons it itself, and says 0 until it has looked for a while.
        if self._system == "win32" and not any(load):
            return None
        return b"%.2f %.2f %.2f\n" % load

    def _cpuinfo(self) -> bytes | None:
        """The speed of all cores as one, where none is told of each."""
        speeds = self._ask.cpu_freq(percpu=True)
        return b"".join(b"cpu MHz : %.3f\n" % speed.current for speed in speeds if speed.current)

    def _processors(self) -> _Folder:
        logical, physical = self._ask.cpu_count(), self._ask.cpu_count(logical=False)
        found: dict[str, dict[str, bytes]] = {f"cpu{number}": {} for number in range(logical or 0)}
        if physical:
            for number, files in enumerate(found.values()):
                files["topology/thread_siblings_list"] = b"%d" % (number % physical)
        with suppress(*_FAILURES):
            speeds = self._ask.cpu_freq(percpu=True)
            if len(speeds) == len(found):
                for name, speed in zip(found, speeds, strict=True):
                    found[name] |= _speed(speed)
        return found

    # -- memory ---------------------------------------------------------------------------------

    def _meminfo(self) -> bytes:
        memory = self._ask.virtual_memory()
        facts = {name: getattr(memory, key, None) for name, key in _MEMORY.items()}
        with suppress(*_FAILURES):
            swap = self._ask.swap_memory()
            facts |= {"SwapTotal": swap.total, "SwapFree": swap.free}
        rows = [f"{name}: {value // 1024} kB" for name, value in facts.items() if value is not None]
        return "\n".join(rows).encode() + b"\n"

    def _vmstat(self) -> bytes | None:
        if self._system in ("darwin", "win32"):
            return None  # all paging counts there, that of programs' own files, too, or nothing
        swap = self._ask.swap_memory()
        return b"\npswpin %d\npswpout %d\n" % (swap.sin // _PAGE, swap.sout // _PAGE)

    def _status(self) -> bytes:
        return b"VmRSS: %d kB\n" % (self._ask.Process().memory_info().rss // 1024)

    # -- disks ----------------------------------------------------------------------------------

    def _disks(self) -> _Folder:
        counters = self._ask.disk_io_counters(perdisk=True) or {}
        return {
            name: {"device": b"", "stat": _activity(counters[name])}
            for name in counters
            if not _NO_DISK.fullmatch(name) and not _is_partition(name, counters)
        }

    def _mountinfo(self) -> bytes:
        rows: list[str] = []
        numbers: dict[str, int] = {}
        for part in self._ask.disk_partitions(all=False):
            options = part.opts.split(",")
            # Of a Mac's system disk people know two volumes, and the firmware's are six.
            if "dontbrowse" in options and part.mountpoint != "/System/Volumes/Data":
                continue
            number = numbers.setdefault(part.device, len(numbers) + 1)
            mode = "ro" if "ro" in options else "rw"
            rows.append(
                f"{number} 0 0:{number} / {_escaped(part.mountpoint)} {mode} - "
                f"{part.fstype.lower() or 'unknown'} {_escaped(part.device)} {mode}\n"
            )
        return "".join(rows).encode("utf-8", "surrogateescape")

    # -- network --------------------------------------------------------------------------------

    def _net_dev(self) -> bytes:
        rows = [b"Inter-| Receive | Transmit", b" face |bytes packets"]
        for name, told in self._ask.net_io_counters(pernic=True).items():
            # Only Linux and Windows count what is thrown away unsent; elsewhere 0 stands for it.
            counted = self._system.startswith(("linux", "win32"))
            numbers = (
                told.bytes_recv,
                told.packets_recv,
                told.errin,
                told.dropin,
                *[None] * 4,
                told.bytes_sent,
                told.packets_sent,
                told.errout,
                told.dropout if counted else None,
                *[None] * 4,
            )
            rows.append(name.encode("utf-8", "replace") + b": " + _row(numbers))
        return b"\n".join(rows) + b"\n"

    def _interfaces(self) -> _Folder:
        hardware = {
            name
            for name, addresses in self._ask.net_if_addrs().items()
            if any(each.family == self._ask.AF_LINK and each.address for each in addresses)
        }
        found: dict[str, dict[str, bytes]] = {}
        for name, told in self._ask.net_if_stats().items():
            loopback = "loopback" in getattr(told, "flags", "").split(",")
            card = name in hardware and not loopback and not _NO_CARD.match(name)
            files = found[name] = {
                "type": _ETHERNET if card else _OTHER,
                "operstate": b"up" if told.isup else b"down",
            }
            if told.speed > 0:
                files["speed"] = b"%d" % told.speed
            duplex = {self._ask.NIC_DUPLEX_FULL: b"full", self._ask.NIC_DUPLEX_HALF: b"half"}
            if told.duplex in duplex:
                files["duplex"] = duplex[told.duplex]
        return found

    # -- power and heat -------------------------------------------------------------------------

    def _supplies(self) -> _Folder:
        battery = self._ask.sensors_battery()
        if battery is None:
            return {}
        plugged = battery.power_plugged
        facts = {"TYPE": "Battery", "CAPACITY": str(round(battery.percent))}
        if plugged is False:
            facts["STATUS"] = "Discharging"
        elif plugged and battery.percent >= _FULL_PERCENT:
            facts["STATUS"] = "Full"
        if battery.secsleft is not None and battery.secsleft >= 0:  # else one of psutil's words
            facts["TIME_TO_EMPTY_NOW"] = str(int(battery.secsleft))
        found = {"battery": {"uevent": _properties(facts)}}
        if plugged is not None:
            mains = {"TYPE": "Mains", "ONLINE": str(int(plugged))}
            found["mains"] = {"uevent": _properties(mains)}
        return found

    def _chips(self) -> _Folder:
        chips: dict[str, dict[str, bytes]] = {}
        for kind, question in (("temp", "sensors_temperatures"), ("fan", "sensors_fans")):
            if hasattr(self._ask, question):
                for name, sensors in getattr(self._ask, question)().items():
                    files = chips.setdefault(name, {"name": name.encode()})
                    for number, sensor in enumerate(sensors, 1):
                        files |= _sensor(kind, number, sensor)
        return {f"hwmon{number}": files for number, files in enumerate(chips.values())}


def _parted(path: str, folders: Iterable[str]) -> tuple[str, str]:
    """The folder that a path is below, and the rest of the path; twice nothing for none."""
    for folder in folders:
        if path.startswith(f"{folder}/"):
            return folder, path[len(folder) + 1 :]
    return "", ""


def _subject(path: str) -> str:
    return next((words for start, words in _SUBJECTS.items() if path.startswith(start)), "it")


def _row(numbers: Iterable[float | None]) -> bytes:
    return b" ".join(UNTOLD if number is None else b"%d" % number for number in numbers)


def _times(told: Any) -> bytes:
    """One processor's times in ticks.

    All ten where the system tells them apart; else the four that every system has, the time of
    interrupts (BSD) with the kernel's.
    """
    seconds = {name: getattr(told, name, 0.0) for name in _CPU_TIMES}
    names: Sequence[str] = _CPU_TIMES
    if not hasattr(told, "iowait"):
        seconds["system"] += seconds["irq"]
        names = _CPU_TIMES[:4]
    return _row(seconds[name] * _TICKS_PER_SECOND for name in names)


def _speed(told: Any) -> dict[str, bytes]:
    """The files of one core's speed; psutil says 0 for a limit that is not known."""
    values = {
        "scaling_cur_freq": told.current,
        "cpuinfo_min_freq": told.min,
        "cpuinfo_max_freq": told.max,
    }
    return {f"cpufreq/{name}": b"%d" % (mhz * 1000) for name, mhz in values.items() if mhz}


def _activity(told: Any) -> bytes:
    """A block device's ``stat``; merged requests, those under way and their time are untold."""
    return _row(
        (
            told.read_count,
            None,
            told.read_bytes // _SECTOR,
            getattr(told, "read_time", None),
            told.write_count,
            None,
            told.write_bytes // _SECTOR,
            getattr(told, "write_time", None),
            None,
            getattr(told, "busy_time", None),
            None,
        )
    )


def _is_partition(name: str, names: Iterable[str]) -> bool:
    """Whether it is a part of another of these: ``sda1``, ``nvme0n1p1``, ``disk0s1``."""
    return any(
        name != whole
        and name.startswith(whole)
        and re.fullmatch(r"[ps]\d+" if whole[-1].isdigit() else r"\d+", name[len(whole) :])
        for whole in names
    )


def _escaped(path: str) -> str:
    """As the kernel writes a path into the mount table."""
    return re.sub(r"[\\\s]", lambda match: f"\\{ord(match[0]):03o}", path)


def _properties(facts: Mapping[str, str]) -> bytes:
    return "".join(f"POWER_SUPPLY_{key}={value}\n" for key, value in facts.items()).encode()


def _sensor(kind: str, number: int, told: Any) -> dict[str, bytes]:
    """The files of one channel: thousandths of a degree, or turns a minute."""
    base = f"{kind}{number}"
    unit = 1000 if kind == "temp" else 1
    values = {
        "input": told.current,
        "max": getattr(told, "high", None),
        "crit": getattr(told, "critical", None),
    }
    files = {
        f"{base}_{name}": b"%d" % (value * unit)
        for name, value in values.items()
        if value is not None
    }
    return files | ({f"{base}_label": told.label.encode()} if told.label else {})
