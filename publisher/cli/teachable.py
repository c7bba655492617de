"""By what a work group can be told from all others, the most telling first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from publisher.contract.readings import GroupKind
from publisher.explain.naming.rules import RuleBook
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.names import base, program_of
from publisher.ledger.naming.programs import Programs

_MATCHES = {
    "image": "containers called {0}, or of that image",
    "unit": "the unit {0}",
    "script": "what runs the script {0}",
    "command": "jobs that begin with {0}",
    "program": "every program called {0}",
    "path": "the program {0}",
    "kernel": "kernel threads called {0}",
}
_LIKE = " (* stands for any characters)"

# docker's own names for containers that were given none: an adjective and a surname.
_NO_NAME = re.compile(r"[a-z]+_[a-z]+\d?|[a-z-]+ [0-9a-f]{12}|[0-9a-f]{12,64}|.*/.*")
_LAUNCH = re.compile(r"(?<=[-.])(?:\d+|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27})$")
_JOBS = re.compile(r"(?<=\s)-j\d+(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Teachable:
    """A name at a place where rules look.

    Attributes:
        role: what a rule for it must say of its role, if that is not ``program``.
    """

    place: str
    name: str
    role: str = ""

    @property
    def matches(self) -> str:
        """What a rule for it matches, in words."""
        words = _MATCHES[self.place].format(self.name)
        return words + _LIKE if "*" in self.name else words


def teachables(
    group: WorkGroup, clues: Clues, programs: Programs, book: RuleBook
) -> Iterator[Teachable]:
    """All of them that a rule can hold; none where only a shell or an interpreter is known."""
    for one in _all(group, clues, programs, book):
        if one.name.strip() and one.name.isprintable() and "*" not in one.name:
            yield replace(one, name=_lasting(one))


def _lasting(one: Teachable) -> str:
    """Its name without what is another at every start: the number of a launch, of parallel jobs."""
    if one.place == "unit":
        return _LAUNCH.sub("*", one.name)
    return _JOBS.sub("-j*", one.name) if one.place == "command" else one.name


def _all(group: WorkGroup, clues: Clues, programs: Programs, book: RuleBook) -> Iterator[Teachable]:
    if group.kind is GroupKind.KERNEL:
        if group.label != "kernel":
            yield Teachable("kernel", (clues.program or group.label).lower())
        return
    container, image = clues.container_name.lower(), _short(clues.container_image.lower())
    if container and not _NO_NAME.fullmatch(container):
        yield Teachable("image", container)
    if image:
        yield Teachable("image", image)
    if clues.unit:
        unit = clues.unit.lower().removesuffix(".service").removesuffix(".scope")
        yield Teachable("unit", unit)
    if clues.script:
        yield Teachable("script", base(clues.script).lower())
    words = clues.command.lower().split()
    first = words[0] if words else ""
    if len(words) > 1 and not _runs_others(first, programs, book):
        yield Teachable("command", " ".join(words))
    for name in (first if group.kind is GroupKind.JOB else "", clues.program.lower()):
        if name and not _runs_others(name, programs, book):
            rule = book.find("program", name)
            yield Teachable("program", name, "tool" if rule and rule.role == "tool" else "")
    path = clues.executable
    if path and not _runs_others(base(path).lower(), programs, book):
        yield Teachable("path", path.lower())


def _short(image: str) -> str:
    """``ghcr.io/me/thing:2@sha256:…`` as ``me/thing``, as rules have it."""
    above, _, name = image.partition("@")[0].rpartition("/")
    name = name.partition(":")[0]
    return f"{above.rpartition('/')[2]}/{name}" if above else name


def _runs_others(name: str, programs: Programs, book: RuleBook) -> bool:
    """Whether a program's name says nothing of the work: a shell, an interpreter, a wrapper."""
    plain = program_of(name)
    if plain in programs.shells or plain in programs.interpreters or plain in programs.wrappers:
        return True
    rule = book.find("program", name) or book.find("program", plain)
    return rule is not None and rule.role in ("interpreter", "host")
