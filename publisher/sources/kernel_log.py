"""The kernel's log of processes that it killed for want of memory.

Source: ``/dev/kmsg`` (kernel documentation, ABI/testing/dev-kmsg); the lines are those of
``mm/oom_kill.c`` and ``mm/memcontrol.c`` since Linux 3. Reading it takes CAP_SYSLOG where
``kernel.dmesg_restrict`` is set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from publisher.sources.files import KernelFiles

_RECORD: Final = 8192
_MOST_RECORDS: Final = 20_000  # a microsecond each
# ``oom-kill:constraint=…,oom_memcg=/a,task_memcg=/a/b,task=x,pid=1,uid=0``; since Linux 5.0.
_SUMMARY: Final = re.compile(
    r"^oom-kill:constraint=(?P<constraint>\w+).*?(?:,oom_memcg=(?P<limit>.*?))?"
    r",task_memcg=(?P<cgroup>.*),task=.*,pid=(?P<pid>\d{1,19}),uid=\d{1,19}$"
)
_LIMIT: Final = re.compile(r"^memory: usage \d{1,19}kB, limit (\d{1,19})kB, failcnt \d{1,19}$")
# Names are of at most 15 bytes, and may hold anything.
_KILLED: Final = re.compile(
    r"^(?P<why>[^:(]*)(?:: )?Killed process (?P<pid>\d{1,19}) \((?P<comm>.{0,60})\).{0,40}?"
    r"total-vm:\d{1,19}kB, anon-rss:(?P<anon>\d{1,19})kB, file-rss:\d{1,19}kB"
    r"(?:, shmem-rss:(?P<shmem>\d{1,19})kB)?"
)
_BY_LIMIT: Final = ("Memory cgroup out of memory", "killed as a result of limit of")
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OomKill:
    """A process that the kernel killed for want of memory, as it says itself.

    Attributes:
        comm: the name that the kernel knows it by, of at most 15 bytes.
        held_bytes: what it held of its own.
        limited: the memory of a control group had run out, not the machine's.
        cgroup: where it was, in the hierarchy that counts memory; may be empty.
        limit_cgroup: the control group whose limit was reached; likewise.
        limit_bytes: that limit.
    """

    pid: int
    comm: str
    held_bytes: int
    limited: bool
    cgroup: str = ""
    limit_cgroup: str = ""
    limit_bytes: int | None = None


class KernelLog:
    """What the kernel has logged, as far as this user may read it."""

    def __init__(self, files: KernelFiles) -> None:
        self._path = f"{files.root}/dev/kmsg"
        self._told = -1

    @property
    def readable(self) -> bool:
        """Whether this user may read it."""
        try:
            os.close(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    def oom_kills(self, most: int) -> list[OomKill]:
        """The latest that were not asked for before, at most so many, in the order of time.

        Empty where the log cannot be read.
        """
        found: list[tuple[int, OomKill]] = []
        facts = _Facts()
        for number, line in self._lines():
            if (kill := facts.take(line)) is not None and number > self._told:
                found.append((number, kill))
        found = found[-most:] if most > 0 else []
        if found:
            self._told = found[-1][0]
        return [kill for _, kill in found]

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Number and text of each record that is the kernel's own."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return
        try:
            yield from _records(descriptor)
        finally:
            os.close(descriptor)


def _records(descriptor: int) -> Iterator[tuple[int, str]]:
    for _ in range(_MOST_RECORDS):
        try:
            content = os.read(descriptor, _RECORD)
        except BrokenPipeError:
            continue  # what was about to be read has been overwritten meanwhile
        except OSError:
            return
        if not content:
            return
        for line in content.decode("utf-8", "replace").split("\n"):
            head, _, text = line.partition(";")
            words = head.split(",")
            # Lines of a record's properties begin with a space; facilities other than 0 are
            # programs that write here.
            if (
                len(words) >= 2
                and words[0].isdecimal()
                and words[1].isdecimal()
                and int(words[0]) < 8
            ):
                yield int(words[1]), text


class _Facts:
    """What the lines before have said of the kill that is about to be told.

    In a storm of kills the kernel leaves out all but the line of the kill itself.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._limited = False
        self._limit: int | None = None
        self._summary: re.Match[str] | None = None

    def take(self, line: str) -> OomKill | None:
        """The kill that a line tells of."""
        if " invoked oom-killer: " in line:
            self._forget()
        elif match := _LIMIT.match(line):
            limit = int(match[1]) * 1024
            self._limit = limit if limit < _UNLIMITED else None
        elif match := _SUMMARY.match(line):
            self._summary = match
            self._limited = match["constraint"] == "CONSTRAINT_MEMCG"
        elif match := _KILLED.match(line):
            return self._kill(match)
        if any(words in line for words in _BY_LIMIT):
            self._limited = True
        return None

    def _kill(self, match: re.Match[str]) -> OomKill:
        limited = match["why"].startswith(_BY_LIMIT[0]) if match["why"] else self._limited
        summary = self._summary
        if summary is not None and summary["pid"] != match["pid"] and not limited:
            summary = None  # of another one; a limit's group may be killed as a whole
        return OomKill(
            pid=int(match["pid"]),
            comm=match["comm"],
            held_bytes=1024 * (int(match["anon"]) + int(match["shmem"] or 0)),
            limited=limited,
            cgroup=summary["cgroup"] if summary else "",
            limit_cgroup=(summary["limit"] or "") if summary and limited else "",
            limit_bytes=self._limit if limited else None,
        )
