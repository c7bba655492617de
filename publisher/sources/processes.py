"""The process table of Linux, read as cheaply as the kernel allows.

``clock_gettime`` with the clock id ``(~pid << 3) | 2`` reads the CPU clock of any process: the
whole thread group with its exited threads, zombies and kernel threads too, in nanoseconds, for
any user, even under ``hidepid=2``; one system call, no descriptor, no text (man 3
clock_getcpuclockid; the id's layout is the kernel's, ``include/linux/posix-timers_types.h``).
Some sandboxes lack it, and a fixture tree has no live processes: there ``stat`` is scanned.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.files import KernelFiles, held_at_most
from publisher.sources.memory_locked import MemoryLocked
from publisher.sources.remedies import privilege

GONE = -1
"""What ``marks`` says of a process that is no more."""

PF_KTHREAD = 0x00200000
"""The kernel's flag of its own threads (``include/linux/sched.h``)."""

_TICK = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_HELD = 192  # a read descriptor of /proc keeps a page of buffer: a few hundred at most
_ARGUMENTS = 4096  # bytes of a command line: names stand in front
_LATE = re.compile(rb"[^\0]*(?:java|beam\.smp|electron)\0")  # but for those of these programs


class Stat(NamedTuple):
    """One line of ``/proc/<pid>/stat`` (man 5 proc_pid_stat), times in nanoseconds.

    Attributes:
        comm: as the kernel keeps it: any bytes, at most 15.
        own: user and system time of the process itself, in steps of 10 ms.
        reaped: likewise, of all descendants that it has waited for.
        start: when it began, in clock ticks since boot.
    """

    pid: int
    comm: bytes
    state: bytes
    parent: int
    process_group: int
    session: int
    flags: int
    own: int
    reaped: int
    threads: int
    start: int
    rss: int

    @property
    def kernel(self) -> bool:
        return bool(self.flags & PF_KTHREAD)


def parse_stat(line: bytes) -> Stat:
    """Takes the line apart; the name may hold spaces, parentheses, newlines and any byte.

    Raises:
        ValueError: it is no such line.
    """
    opening, closing = line.index(b"("), line.rindex(b")")
    fields = line[closing + 2 :].split(b" ", 22)
    if len(fields) < 22:
        raise ValueError("too few fields")
    return Stat(
        int(line[:opening]),
        line[opening + 1 : closing],
        fields[0],
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        int(fields[6]),
        (int(fields[11]) + int(fields[12])) * _TICK,
        (int(fields[13]) + int(fields[14])) * _TICK,
        int(fields[17]),
        int(fields[19]),
        int(fields[21]) * _PAGE,
    )


class Census(NamedTuple):
    """Where the kernel's numbering of processes stands.

    Attributes:
        last: the number given out last; ``None`` where what is told of it is not to be trusted.
        forks: processes and threads made since boot, on the whole machine.
        threads: how many there are now, likewise; 0 where that is not known.
    """

    last: int | None
    forks: int
    threads: int = 0


class ProcessSource(Protocol):
    """What the books need to know of processes; simulated in the property tests.

    Attributes:
        clocked: marks are the own CPU time in nanoseconds. Otherwise they only change when
            something of a process did, and ``Stat.own`` holds its time.
    """

    clocked: bool

    def pids(self) -> list[int]:
        """Every process that is visible."""

    def handle(self, pid: int) -> int:
        """What ``marks`` wants to be called with for this process."""

    def marks(self, handles: Sequence[int]) -> list[int]:
        """For each process, something that changes whenever it worked or reaped; or ``GONE``."""

    def stat(self, pid: int) -> Stat | None:
        """What the kernel tells of one process; ``None`` when it is gone."""

    def ignores_children(self, pid: int) -> bool:
        """Whether it lives and ignores SIGCHLD, so that its children are added to nobody."""

    def forget(self, pids: Iterable[int]) -> None:
        """Lets go of what is kept for processes that will not be asked for soon."""


class ProcessDetails(ProcessSource, Protocol):
    """What else groups are told by, and what they use besides CPU."""

    def command_line(self, pid: int) -> list[str]:
        """The words it was started with; empty for kernel threads, zombies and the denied."""

    def cgroups(self, pid: int) -> bytes:
        """The lines of ``/proc/<pid>/cgroup``; empty when there are none."""

    def executable(self, pid: int) -> str:
        """The path of its program; empty where this user may not know.

        The kernel puts `` (deleted)`` behind the path of one that is no more.
        """

    def working_folder(self, pid: int) -> str:
        """The folder that it works in; empty where this user may not know."""

    def user(self, pid: int) -> str:
        """The name of the user whose it is, else the number; empty when it is gone."""

    def io(self, pid: int) -> tuple[int, int]:
        """Bytes it caused to be read from and to be written to disks, since it began."""

    def resident(self, pid: int) -> int | None:
        """Its resident memory; ``None`` when it is gone."""

    def proportional_set_size(self, pid: int) -> int | None:
        """Its memory, shared pages divided among those who share them; ``None`` if unknown."""

    def waited(self, pid: int, threads: int) -> int | None:
        """Nanoseconds its threads stood in a run queue, summed over those alive.

        ``None`` where the system does not tell.
        """

    def close(self) -> None:
        """Lets go of everything held open."""


class LinuxProcesses:
    """``/proc/<pid>`` below the root of ``files``.

    Args:
        clock: reads a CPU clock by id, in nanoseconds.
        clocked: use CPU clocks; ``None`` finds out whether they work here.
    """

    def __init__(
        self,
        files: KernelFiles,
        *,
        clock: Callable[[int], int] | None = None,
        clocked: bool | None = None,
    ) -> None:
        self._root = files.root
        self._proc = f"{files.root}/proc"
        self._clock = clock or _clock_of_this_system()
        self._held: dict[int, int] = {}
        self._most = held_at_most(_HELD)
        self._once: set[int] = set()
        self._memory_locked = MemoryLocked()
        self.clocked = self._works() if clocked is None else clocked

    def _works(self) -> bool:
        """Whether clocks answer for those whom ``/proc`` shows, and agree with it.

        Clocks are asked for by our numbers of processes. Another root may show other numbers or
        another machine's processes; it shows ours, as in a container that shares its host's, if
        the one with our number began when we did.
        """
        stat = self.stat(os.getpid())
        if stat is None or stat.start != _own_start():
            return False
        try:
            others = self._clock(clock_id(1))
            own = self._clock(clock_id(os.getpid()))
        except (OSError, OverflowError):
            return False
        return others >= 0 and own + 2 * _TICK >= stat.own

    def pids(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(self._proc) if name.isdecimal()]
        except FileNotFoundError:
            raise AbsentError("no process table", path=self._proc) from None

    def handle(self, pid: int) -> int:
        return clock_id(pid) if self.clocked else pid

    def marks(self, handles: Sequence[int]) -> list[int]:
        if not self.clocked:
            return [self._mark(pid) for pid in handles]
        found: list[int] = []
        readings = map(self._clock, handles)
        while True:
            # The list keeps what came before a failure, and the iterator goes on behind it.
            try:
                found.extend(readings)
            except OSError:
                found.append(GONE)
            else:
                return found

    def _mark(self, pid: int) -> int:
        stat = self.stat(pid)
        return GONE if stat is None else stat.own + stat.reaped

    def stat(self, pid: int) -> Stat | None:
        """As the protocol says; descriptors of those asked for again and again stay open."""
        descriptor = self._held.get(pid)
        if descriptor is not None:
            try:
                return parse_stat(os.pread(descriptor, 1024, 0))
            except (OSError, ValueError):  # this process is gone; its number may live on
                os.close(self._held.pop(pid))
        try:
            descriptor = os.open(f"{self._proc}/{pid}/stat", os.O_RDONLY)
        except OSError:
            return None
        try:
            stat = parse_stat(os.pread(descriptor, 1024, 0))
        except (OSError, ValueError):
            os.close(descriptor)
            return None
        if pid in self._once and len(self._held) < self._most:
            self._once.discard(pid)
            self._held[pid] = descriptor
        else:
            self._once.add(pid)
            os.close(descriptor)
        return stat

    def forget(self, pids: Iterable[int]) -> None:
        """Closes what is held open of processes that nobody asks for any more."""
        for pid in pids:
            self._once.discard(pid)
            if (descriptor := self._held.pop(pid, None)) is not None:
                os.close(descriptor)
        if not self._once:
            self._once.clear()  # which gives back the memory of the thousands it once held

    def ignores_children(self, pid: int) -> bool:
        status = self._read(pid, "status")
        start = status.find(b"\nSigIgn:")
        # Of a zombie the kernel still tells the signals, but its children have another parent.
        if start < 0 or b"\nState:\tZ" in status:
            return False
        # Bit 16 stands for signal 17, SIGCHLD (man 7 signal; another number only on MIPS,
        # Alpha, SPARC and PA-RISC).
        return bool(int(status[start + 8 : status.index(b"\n", start + 1)], 16) >> 16 & 1)

    def command_line(self, pid: int) -> list[str]:
        """The words it was started with; empty for kernel threads, zombies and the denied."""
        content = self._read_locked(pid, "cmdline", _ARGUMENTS)
        if len(content) == _ARGUMENTS and _LATE.match(content):
            content = self._read_locked(pid, "cmdline")
        content = content.rstrip(b"\0")
        return content.decode("utf-8", "replace").split("\0") if content else []

    def cgroups(self, pid: int) -> bytes:
        """The lines of ``/proc/<pid>/cgroup``; empty when it is gone."""
        return self._read(pid, "cgroup")

    def executable(self, pid: int) -> str:
        """As the protocol says."""
        return self._link(pid, "exe")

    def working_folder(self, pid: int) -> str:
        """The folder that it works in; empty where this user may not know."""
        return self._link(pid, "cwd")

    def user(self, pid: int) -> str:
        """As the protocol says, by ``/etc/passwd`` alone: a directory service may hang."""
        with suppress(OSError):
            number = Path(f"{self._proc}/{pid}").stat().st_uid
            return self._users.get(number, f"user {number}")
        return ""

    @cached_property
    def _users(self) -> dict[int, str]:
        users: dict[int, str] = {}
        with suppress(OSError):
            for line in Path(f"{self._root}/etc/passwd").read_text("utf-8", "replace").splitlines():
                name, _, rest = line.partition(":")
                number = rest.partition(":")[2].partition(":")[0]
                if number.isdecimal():
                    users.setdefault(int(number), name)
        return users

    def io(self, pid: int) -> tuple[int, int]:
        """Bytes it caused to be read from and to be written to disks, since it began.

        Writes count when pages are dirtied, less those that were truncated before they were
        written (man 5 proc_pid_io).

        Raises:
            AbsentError: it is gone.
            DeniedError: others' I/O takes the right to trace them.
        """
        path = f"{self._proc}/{pid}/io"
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                content = os.pread(descriptor, 512, 0)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _translated(error, path) from None
        facts = dict(line.split(b": ") for line in content.splitlines())
        try:
            return int(facts[b"read_bytes"]), max(
                int(facts[b"write_bytes"]) - int(facts[b"cancelled_write_bytes"]), 0
            )
        except (KeyError, ValueError):
            raise SourceError("not as man 5 proc_pid_io has it", path=path) from None

    def resident(self, pid: int) -> int | None:
        """Its resident memory; ``None`` when it is gone."""
        words = self._read(pid, "statm", 128).split()
        return int(words[1]) * _PAGE if len(words) > 1 else None

    def proportional_set_size(self, pid: int) -> int | None:
        """Its memory, shared pages divided among those who share them; ``None`` if unknown."""
        content = self._read_locked(pid, "smaps_rollup")
        start = content.find(b"\nPss:")
        if start < 0:
            return None
        with suppress(ValueError):
            return int(content[start + 5 : content.index(b"kB", start)]) * 1024
        return None

    def waited(self, pid: int, threads: int) -> int:
        """As the protocol says (kernel documentation, scheduler/sched-stats)."""
        total = 0
        with suppress(OSError):
            names = ["schedstat"]  # of the first thread alone
            if threads > 1:
                tasks = os.listdir(f"{self._proc}/{pid}/task")
                names = [f"task/{thread}/schedstat" for thread in tasks]
            for name in names:
                words = self._read(pid, name, 128).split()
                if len(words) == 3:
                    total += int(words[1])
        return total

    def close(self) -> None:
        self.forget(list(self._held))
        self._memory_locked.close()

    def _read_locked(self, pid: int, name: str, limit: int = 1 << 16) -> bytes:
        """What the kernel reads from the memory of a process, which a stuck thread may lock."""
        line = self._read(pid, "stat", 1024)  # by itself: ``stat`` would keep it open
        with suppress(ValueError):
            stat = parse_stat(line)
            if stat.threads == 1 and stat.state != b"D":
                return self._read(pid, name, limit)  # nobody holds the lock for long
        return self._memory_locked.read(pid, lambda: self._read(pid, name, limit), b"")

    def _read(self, pid: int, name: str, limit: int = 1 << 16) -> bytes:
        try:
            descriptor = os.open(f"{self._proc}/{pid}/{name}", os.O_RDONLY)
        except OSError:
            return b""
        try:
            return os.pread(descriptor, limit, 0)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def _link(self, pid: int, name: str) -> str:
        try:
            return str(Path(f"{self._proc}/{pid}/{name}").readlink())
        except OSError:
            return ""


def _own_start() -> int | None:
    try:
        return parse_stat(Path("/proc/self/stat").read_bytes()).start
    except (OSError, ValueError):
        return None


def clock_id(pid: int) -> int:
    """The kernel's number for the CPU clock of a whole process."""
    return (~pid << 3) | 2


def _clock_of_this_system() -> Callable[[int], int]:
    if hasattr(time, "clock_gettime_ns"):
        return time.clock_gettime_ns
    return _no_clock  # Windows


def _no_clock(_: int) -> int:
    raise OSError(errno.ENOSYS, "no CPU clocks here")


def _translated(error: OSError, path: str) -> SourceError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return DeniedError(
            "the I/O of other users' processes needs CAP_SYS_PTRACE",
            path="/proc/<pid>/io",
            remedy=privilege("CAP_SYS_PTRACE"),
        )
    return AbsentError("the process is gone", path=path)
