"""A closer look at single processes: those that work most in a group that is asked for.

Most members of a group are never read: they are its workers by descent, known by the kernel's name
alone. Only who works most in a group that did more than a little has its command line and
executable read, once, and again ever more seldom, since a process may take a title later.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property

from publisher.ledger.naming.disguises import DELETED, disguise_of
from publisher.ledger.naming.mining_signs import mines
from publisher.ledger.naming.names import Name, Namer, in_folder
from publisher.ledger.naming.words import base, clean
from publisher.ledger.open_accounts import Look, Member
from publisher.sources.processes import ProcessDetails

_A_WINDOW = 6  # looks that are taken at most; groups that worked most are asked for first
_AGAIN = 8  # windows after which a look is taken again, each time twice as many
_MOST = 256
_COPY = "exe"  # how a program calls another of itself that it starts by ``/proc/self/exe``


@dataclass(slots=True)
class _Seen:
    comm: bytes
    look: Look
    again: int
    wait: int


class Looks:
    """Looks at processes, and remembers what it saw.

    Attributes:
        window: the number of this window.
    """

    def __init__(self, processes: ProcessDetails, namer: Namer) -> None:
        self.window = 0
        self._processes = processes
        self._namer = namer
        self._left = _A_WINDOW
        self._seen: dict[Member, _Seen] = {}

    @cached_property
    def _interpreters(self) -> AbstractSet[str]:
        """Programs that run scripts, shells among them."""
        return self._namer.programs.interpreters.keys() | self._namer.programs.shells

    def at(self, process: Member) -> Look | None:
        """What is seen of a process.

        Returns:
            ``None`` of one that is gone or is a kernel thread, or if it is not its turn.
        """
        if not process.alive or process.kernel:
            return None
        seen = self._seen.get(process)
        if seen is not None and seen.comm == process.comm and self.window < seen.again:
            return seen.look
        if not self._left:
            return self.known(process)
        self._left -= 1
        wait = 2 * seen.wait if seen is not None and seen.comm == process.comm else _AGAIN
        look = self._look(process)
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[process] = _Seen(process.comm, look, self.window + wait, wait)
        return look

    def turn_page(self, window: int) -> None:
        """Forgets, at the end of a window, now and then, those that are gone."""
        self.window = window
        self._left = _A_WINDOW
        if window % _AGAIN == 0 and self._seen:
            self._seen = {one: what for one, what in self._seen.items() if one.alive}

    def known(self, process: Member) -> Look | None:
        """What was seen of a process before."""
        seen = self._seen.get(process)
        return seen.look if seen is not None and seen.comm == process.comm else None

    def _look(self, process: Member) -> Look:
        words = self._processes.command_line(process.pid)
        comm = process.comm.decode("utf-8", "replace")
        link = self._processes.executable(process.pid)
        name = self.describe(words, comm, process.pid, link)
        disguise = ""
        if words or link or process.rss:  # of a zombie nothing is left that could pose
            disguise = disguise_of(words, comm, link, self._interpreters, titled=name.titled)
        return Look(
            name,
            self.program(name, words, comm, link),
            link.removesuffix(DELETED),
            disguise,
            mines(words),
        )

    def describe(self, words: list[str], comm: str, pid: int, link: str) -> Name:
        """What a process is called, with what its executable and its folder say of it.

        Args:
            words: its command line.
            comm: the kernel's name of it.
            pid: its number.
            link: its executable.
        """
        name = self._namer.describe(words, comm)
        if name.vague:
            return in_folder(name, self._processes.working_folder(pid))
        if name.program == _COPY and link:
            program = clean(base(link.removesuffix(DELETED)))
            return replace(name, program=program, command=program, label=program)
        return name

    def program(self, name: Name, words: list[str], comm: str, link: str) -> str:
        """The name of what a process runs itself, wrapper or not."""
        program = self._namer.running(name, words, comm)
        return clean(base(link.removesuffix(DELETED)) if program == _COPY and link else program)
