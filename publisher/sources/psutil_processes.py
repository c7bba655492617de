"""The process table by psutil: for macOS, Windows, and a Linux whose ``/proc`` we cannot read.

The only import of psutil for processes. Slower than the kernel's own files by an order of
magnitude, and blind to cgroups, but the books are kept in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import psutil

from publisher.errors import AbsentError, DeniedError
from publisher.sources.processes import GONE, Stat

_NANOSECONDS = 1_000_000_000
_UNKNOWN = (psutil.Error, OSError)


class PsutilProcesses:
    """As ``LinuxProcesses``, for all that psutil knows."""

    clocked = False

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}

    def pids(self) -> list[int]:
        return psutil.pids()

    def handle(self, pid: int) -> int:
        return pid

    def marks(self, handles: Sequence[int]) -> list[int]:
        return [self._mark(pid) for pid in handles]

    def _mark(self, pid: int) -> int:
        try:
            times = self._process(pid).cpu_times()
        except psutil.NoSuchProcess:
            return GONE
        except _UNKNOWN:
            return 0
        return int(sum(times[:4]) * _NANOSECONDS)

    def _process(self, pid: int) -> psutil.Process:
        process = self._known.get(pid)
        if process is None:
            process = self._known[pid] = psutil.Process(pid)
        return process

    def stat(self, pid: int) -> Stat | None:
        try:
            process = psutil.Process(pid)  # a new one: the number may be another's by now
            with process.oneshot():
                times = _or(process.cpu_times, None)
                memory = _or(process.memory_info, None)
                stat = Stat(
                    pid=pid,
                    comm=process.name().encode("utf-8", "replace"),
                    state=b"Z" if process.status() == psutil.STATUS_ZOMBIE else b"S",
                    parent=process.ppid() or 0,
                    process_group=_number_of("getpgid", pid),
                    session=_number_of("getsid", pid),
                    flags=0,
                    own=int((times.user + times.system) * _NANOSECONDS) if times else 0,
                    reaped=int(sum(times[2:4]) * _NANOSECONDS) if times else 0,
                    threads=_or(process.num_threads, 0),
                    start=int(process.create_time() * 100),
                    rss=memory.rss if memory else 0,
                )
        except _UNKNOWN:
            self._known.pop(pid, None)
            return None
        known = self._known.get(pid)
        if known is not None and known != process:
            self._known[pid] = process
        return stat

    def forget(self, pids: Iterable[int]) -> None:
        for pid in pids:
            self._known.pop(pid, None)

    def ignores_children(self, pid: int) -> bool:
        del pid
        return False

    def command_line(self, pid: int) -> list[str]:
        return [word for word in self._ask(pid, "cmdline", []) if isinstance(word, str)]

    def cgroups(self, pid: int) -> bytes:
        del pid
        return b""

    def executable(self, pid: int) -> str:
        return str(self._ask(pid, "exe", "") or "")

    def working_folder(self, pid: int) -> str:
        return str(self._ask(pid, "cwd", "") or "")

    def user(self, pid: int) -> str:
        return str(self._ask(pid, "username", "") or "")

    def io(self, pid: int) -> tuple[int, int]:
        try:
            counters = self._process(pid).io_counters()
        except psutil.AccessDenied:
            raise DeniedError(
                "the I/O of other users' processes is not for this user",
                remedy="run fanwhy as root or administrator",
            ) from None
        except (psutil.Error, OSError, AttributeError) as error:
            raise AbsentError(f"no disk bytes of processes: {error}") from None
        return counters.read_bytes, counters.write_bytes

    def resident(self, pid: int) -> int | None:
        memory = self._ask(pid, "memory_info", None)
        return memory.rss if memory else None

    def proportional_set_size(self, pid: int) -> int | None:
        del pid
        return None

    def waited(self, pid: int, threads: int) -> None:
        del pid, threads

    def close(self) -> None:
        self._known.clear()

    def _ask(self, pid: int, question: str, otherwise: Any) -> Any:
        with suppress(*_UNKNOWN):
            return getattr(self._process(pid), question)()
        return otherwise


def machine_times() -> tuple[int, int, int, int, int]:
    """Nanoseconds busy, in interrupts, stolen and in guests since boot; logical processors."""
    times = psutil.cpu_times()

    def of(*names: str) -> int:
        return int(sum(getattr(times, name, 0.0) for name in names) * _NANOSECONDS)

    return (
        of("user", "nice", "system"),
        of("irq", "softirq", "interrupt", "dpc"),
        of("steal"),
        of("guest", "guest_nice"),
        psutil.cpu_count() or 1,
    )


def _number_of(call: str, pid: int) -> int:
    """What a call of Unix says of a process: its group or session; 0 where it may not be asked."""
    with suppress(OSError, AttributeError):  # AttributeError: Windows
        return int(getattr(os, call)(pid))
    return 0


def _or(question: Any, otherwise: Any) -> Any:
    with suppress(*_UNKNOWN):
        return question()
    return otherwise
