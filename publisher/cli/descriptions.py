"""Descriptions of processes: one JSON object each, made into the process tree that it tells of.

What a description leaves out is what is usual: the topmost parent hangs below an init, and who
starts work inside the described process's container or unit is in it, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from publisher.contract.readings import GroupKind
from publisher.ledger.accounts import Account
from publisher.ledger.described import DescribedLedger
from publisher.ledger.groups import SPAWNERS
from publisher.ledger.naming.cgroup_names import place_of
from publisher.sources.cgroups import Cgroups
from publisher.sources.containers import Container, named
from publisher.sources.described import NOWHERE, DescribedProcess
from publisher.sources.files import KernelFiles

_LONGEST = 1 << 25
"""Bytes of a line; a command line alone may have 2 MiB."""
_MOST_PARENTS = 256
_FIRST_PID = 1 << 22  # above all that the kernel gives out (man 5 proc, pid_max)
_INIT, _KTHREADD = 1, 2
_INITS = frozenset({"systemd", "init", "launchd", "procd", "runit", "openrc-init"})
_RUNTIMES = ("containerd", "dockerd", "conmon", "crio", "lxc-start", "lxd", "incusd")
_SUPERVISORS = frozenset({"supervisord", "runsvdir", "runsv", "s6-svscan", "s6-supervise"})
_NOWHERE = "0::/"
_CGROUPS = Cgroups(KernelFiles(NOWHERE))
_LINES = re.compile(r"\d+:")


class DescriptionError(ValueError):
    """It is no description of a process; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One process as it is told; what is not known is empty.

    Attributes:
        cgroups: the lines of ``/proc/<pid>/cgroup``.
    """

    comm: str
    argv: tuple[str, ...] = ()
    exe: str = ""
    cgroups: str = ""

    @property
    def silent(self) -> bool:
        """Nothing but its name is known, as of the kernel's threads."""
        return not (self.argv or self.exe)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A process, its parents, the nearest first, and its container."""

    process: Described
    parents: tuple[Described, ...] = ()
    container: Container | None = None

    @classmethod
    def parse(cls, line: bytes) -> Description:
        """Reads one line.

        Raises:
            DescriptionError: it is no such description.
        """
        if len(line) > _LONGEST:
            raise DescriptionError(f"longer than {_LONGEST >> 20} MiB")
        try:
            facts = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise DescriptionError("not UTF-8 text") from None
        except RecursionError:
            raise DescriptionError("nested too deeply") from None
        except ValueError as error:
            raise DescriptionError(f"not JSON: {error}") from None
        if not isinstance(facts, dict):
            raise DescriptionError('must be an object such as {"comm": "rsync"}')
        parents = facts.get("parents")
        if parents is None:
            parents = []
        if not isinstance(parents, list):
            raise DescriptionError("parents: must be a list of objects")
        if len(parents) > _MOST_PARENTS:
            raise DescriptionError(f"parents: more than {_MOST_PARENTS}")
        return cls(
            process=_process(facts, ""),
            parents=tuple(_process(each, f"parents[{at}]: ") for at, each in enumerate(parents)),
            container=_container(facts.get("container")),
        )

    def account(self, ledger: DescribedLedger) -> Account:
        """The account of its group, in which it works while the others sleep."""
        processes = self._tree(ledger.namer.programs.shells)
        account = ledger.account(processes, processes[-1].pid, self.container)
        if account is None:
            raise DescriptionError("no process can be made of it")
        return account

    def _tree(self, shells: frozenset[str]) -> list[DescribedProcess]:
        """All processes, parents before their children; the described one is the last."""
        chain = (self.process, *self.parents)
        place = self._place()
        stands_outside = _outside_of(place)
        outside = (at for at, one in enumerate(chain) if at and stands_outside(one.comm))
        inside = next(outside, len(chain) - _is_init(chain[-1]))
        found = [
            DescribedProcess(pid=_INIT, parent=0, comm="systemd", argv=("/sbin/init",),
                             cgroups="0::/init.scope", session=_INIT),
        ]  # fmt: skip
        above, session, kernel = found[0], 0, False
        for at in reversed(range(len(chain))):
            one = chain[at]
            first = at == len(chain) - 1
            kernel = one.silent and (kernel or (one.comm == "kthreadd" and first))
            pid, parent = _FIRST_PID + len(chain) - at, above.pid
            if first and kernel:
                pid, parent = _KTHREADD, 0
            elif first and _is_init(one):
                pid, parent = _INIT, 0
                found.clear()
            if not session or _is_prompt(one, above.comm, shells):
                session = pid
            above = DescribedProcess(
                pid=pid,
                parent=parent,
                comm=one.comm,
                argv=one.argv,
                executable=one.exe,
                cgroups=place if not at else one.cgroups or (place if at < inside else _NOWHERE),
                kernel=kernel,
                session=session,
            )
            found.append(above)
            if pid == _INIT:
                session = 0
        return found

    def _place(self) -> str:
        """The cgroup that it is in, or one as docker makes them for the container it is in."""
        own = self.process.cgroups
        if own.strip("/:0123456789") or self.container is None:
            return own or _NOWHERE
        words = f"{self.container.name} {self.container.image}"
        identity = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
        return f"0::/system.slice/docker-{identity}.scope"


def _outside_of(cgroup: str) -> Callable[[str], bool]:
    """Tells of the kernel name of a parent whether it is not in a container or unit itself."""
    place = place_of(_CGROUPS.membership(cgroup.encode("utf-8", "replace")).name)
    if place is not None and place.kind is GroupKind.CONTAINER:
        return lambda comm: comm.startswith(_RUNTIMES)
    return lambda comm: comm in SPAWNERS - _SUPERVISORS or comm.startswith(("tmux: ", *_RUNTIMES))


def _is_init(one: Described) -> bool:
    return one.comm in _INITS and "--user" not in one.argv


def _is_prompt(one: Described, above: str, shells: frozenset[str]) -> bool:
    """Whether it is a shell that a terminal started, which leads a session of its own."""
    if not one.argv or one.comm not in shells or len(one.argv) > 2:
        return False
    bare = len(one.argv) == 1 and above not in shells
    return bare or one.argv[0].startswith("-") or one.argv[-1] in ("-i", "-l", "--login")


# --- from JSON -----------------------------------------------------------------------------------


def _process(facts: Any, where: str) -> Described:
    if not isinstance(facts, dict):
        raise DescriptionError(f'{where}must be an object such as {{"comm": "rsync"}}')
    if facts.get("comm") is None:
        raise DescriptionError(f"{where}comm: missing")
    argv = facts.get("argv")
    if argv is None:
        argv = []
    if not isinstance(argv, list) or not all(isinstance(word, str) for word in argv):
        raise DescriptionError(f"{where}argv: must be a list of words")
    return Described(
        comm=_text(facts, "comm", where),
        argv=tuple(argv),
        exe=_text(facts, "exe", where),
        cgroups=_lines(_text(facts, "cgroup", where)),
    )


def _container(facts: Any) -> Container | None:
    if facts is None:
        return None
    if not isinstance(facts, dict):
        raise DescriptionError("container: must be an object with name and image")
    image = _text(facts, "image", "container.")
    return named(_text(facts, "name", "container."), {}, image)


def _text(facts: Mapping[str, Any], key: str, where: str) -> str:
    value = facts.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DescriptionError(f"{where}{key}: must be a text")
    return value


def _lines(cgroup: str) -> str:
    """The lines of ``/proc/<pid>/cgroup``, of which a path alone is one."""
    return cgroup if not cgroup or _LINES.match(cgroup) else f"0::{cgroup}"


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, each as soon as it is there, and its number.

    Of one longer than ``_LONGEST`` only as much comes as shows that it is too long.
    """
    number, rest = 0, b""
    while piece := stream.readline(_LONGEST + 1):
        if not rest:
            number += 1
            if piece.strip():
                yield number, piece
        rest = b"" if piece.endswith(b"\n") else piece[:1]
