"""Processes that somebody describes, told as the kernel would tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from publisher.sources.files import KernelFiles
from publisher.sources.processes import PF_KTHREAD, LinuxProcesses, Stat

NOWHERE = "/dev/null/described"
"""A root below which there can be no file."""

_COMM = 15  # bytes that the kernel keeps of the name of a program, unless it is its own thread


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedProcess:
    """What is known of one process.

    Attributes:
        comm: its name as the kernel keeps it.
        argv: the words it was started with; none where they cannot be read.
        executable: the path of its program; empty where it cannot be read.
        cgroups: the lines of ``/proc/<pid>/cgroup``.
        kernel: it is a thread of the kernel's.
        session: the process that leads its session and process group.
    """

    pid: int
    parent: int
    comm: str
    argv: tuple[str, ...] = ()
    executable: str = ""
    cgroups: str = ""
    kernel: bool = False
    session: int = 0


class DescribedProcesses(LinuxProcesses):
    """A process table with these in it; each began after those before it."""

    def __init__(self, processes: Iterable[DescribedProcess]) -> None:
        super().__init__(KernelFiles(NOWHERE), clocked=False)
        self._described = {one.pid: one for one in processes}
        self._stats = {one.pid: _stat(one, at) for at, one in enumerate(self._described.values())}

    def pids(self) -> list[int]:
        return list(self._described)

    def stat(self, pid: int) -> Stat | None:
        return self._stats.get(pid)

    def _read(self, pid: int, name: str, limit: int = 1 << 16) -> bytes:
        one = self._described.get(pid)
        if one is None:
            return b""
        if name == "cmdline":
            return b"".join(_bytes(word) + b"\0" for word in one.argv)[:limit]
        return _bytes(one.cgroups)[:limit] if name == "cgroup" else b""

    def _link(self, pid: int, name: str) -> str:
        one = self._described.get(pid)
        return one.executable if one is not None and name == "exe" else ""


def _stat(one: DescribedProcess, start: int) -> Stat:
    comm = _bytes(one.comm)
    return Stat(
        pid=one.pid,
        comm=comm if one.kernel else comm[:_COMM],
        state=b"S",
        parent=one.parent,
        process_group=one.session,
        session=one.session,
        flags=PF_KTHREAD if one.kernel else 0,
        own=0,
        reaped=0,
        threads=1,
        start=start,
        rss=1 << 20,
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
