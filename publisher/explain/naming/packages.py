"""What no rule knows, looked up in public lists of what programs are.

Three tables lie beside this file: ``packages.tsv`` holds the programs and units of Debian,
``applications.tsv`` what containers and units are called after, ``programs.tsv`` programs that
Debian has not. They are made by ``tools/packages_table.py`` and are right for about five names in
six, so what they say is a guess, and only the kind of work: the label stays the name that the thing
has.

They are searched on the disk, in some twenty steps, and nothing of them stays in memory.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classification import GUESS, Classification
from publisher.explain.naming.lookup import base, hides, program_rule
from publisher.explain.naming.place_names import (
    application_of,
    container_names,
    image_names,
    owner_of,
    unit_names,
)
from publisher.explain.naming.places import own_name
from publisher.explain.naming.products import product_names
from publisher.explain.naming.rules import COMM_LENGTH, RuleBook
from publisher.ledger.accounts import Clues, WorkGroup

PACKAGES: Final = Path(__file__).with_name("packages.tsv")
"""Lines of name, letter of the category and, where it is called otherwise, the package; sorted.
The first line tells the letters."""
APPLICATIONS: Final = Path(__file__).with_name("applications.tsv")
"""The same for applications as containers and units are called."""
PROGRAMS: Final = Path(__file__).with_name("programs.tsv")
"""The same for programs that Debian has not."""

_VERSION = re.compile(r"[-_.]v?\d+(?:\.\d+)*$")
_BUILT: Final = (".jar", ".war", ".dll")
"""Endings of what was built from a product's source, and not written for one machine."""
_SYSTEM: Final = ("/usr/", "/bin/", "/sbin/", "/lib/", "/opt/", "/snap/", "/nix/", "/gnu/")
_DECORATED: Final = re.compile(
    r"^(?:docker|alpine|debian|rpi|container|oci)[-_]"
    r"|(?:[-_](?:dedicated|server|app|web|api|core|docker|alpine|container))+$"
)
"""What the names of images say of how something is made into one, and which part of it it is."""
_SHORTEST: Final = 4
_TELLING: Final = 6
"""Letters that a name needs to mean the program of the list wherever its file lies."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table."""

    name: str
    category: str
    package: str


def versionless(name: str) -> str:
    """``llvm-ar`` for ``llvm-ar-19``; empty where there is no version."""
    stripped = _VERSION.sub("", name)
    return stripped if stripped != name else ""


def find(table: Path, name: str) -> Entry | None:
    """The line of a name in small letters.

    One of the length to which the kernel cuts names is found by the whole ones that begin so, where
    these are of one kind.
    """
    with Tables() as tables:
        return tables.find(table, name)


class Tables:
    """The tables while several names are looked up: each is opened once."""

    def __init__(self) -> None:
        self._open: dict[Path, mmap.mmap | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for lines in self._open.values():
            if lines is not None:
                lines.close()

    def find(self, table: Path, name: str) -> Entry | None:
        """The line of a name in small letters; see the function of that name."""
        key = name.encode("utf-8", "replace")
        if not key or key[0] <= ord("#") or b"\n" in key or b"\t" in key:
            return None
        if table not in self._open:
            self._open[table] = _opened(table)
        lines = self._open[table]
        return None if lines is None else _found(lines, key)


def _opened(table: Path) -> mmap.mmap | None:
    try:
        with table.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # it is not there, or empty
        return None


def _found(lines: mmap.mmap, key: bytes) -> Entry | None:
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        start = max(low, lines.rfind(b"\n", low, middle) + 1)
        end = lines.find(b"\n", middle)
        if lines[start:end].partition(b"\t")[0] < key:
            low = end + 1
        else:
            high = start
    found: Entry | None = None
    lines.seek(low)
    while (line := lines.readline()).startswith(key):
        head = lines[: lines.find(b"\n", 0)].decode()
        letters = dict(pair.split("=") for pair in head.split()[1:])
        name, letter, *package = line.decode().rstrip("\n").split("\t")
        if letter not in letters:
            return None
        entry = Entry(name, letters[letter], package[0] if package else name)
        if line[len(key) : len(key) + 1] == b"\t":
            return entry
        if len(key) != COMM_LENGTH or (found is not None and found.category != entry.category):
            return None
        found = found or entry
    return found


def by_packages(book: RuleBook, group: WorkGroup, clues: Clues) -> Classification | None:
    """What a public list says of a unit, a container, a script or a program that no rule knows."""
    if clues.disguise or hides(clues.executable) or _is_led_by_another(group, clues):
        return None
    with Tables() as tables:
        told = _names(book, group, clues)
        found = ((by, table, name, tables.find(table, name)) for by, table, name in told)
        for by, table, name, entry in found:
            if entry is None:
                continue
            said = f"Debian's package {entry.package!r} has it"
            if table is not PACKAGES:
                said = f"public catalogues have it among {table.stem}"
            label = own_name(group, clues)
            if len(name) == COMM_LENGTH and label.lower() == name:
                label = entry.name  # whole, where the kernel has cut it
            return Classification(entry.category, label, GUESS, "", f"{by} {name!r}: {said}", by)
    return None


def _is_led_by_another(group: WorkGroup, clues: Clues) -> bool:
    """Whether what works is another program than the one that the group is called after."""
    if group.kind is not GroupKind.PROGRAM or clues.script or not clues.command:
        return False
    leader = base(clues.command.partition(" ")[0])
    return leader[:COMM_LENGTH].lower() != base(clues.program)[:COMM_LENGTH].lower()


def _names(book: RuleBook, group: WorkGroup, clues: Clues) -> Iterator[tuple[str, Path, str]]:
    """The names that may be looked up, and where, the most telling first."""
    unit = clues.unit.lower() if group.kind is GroupKind.UNIT else ""
    for name in _unit(unit):
        yield "unit", PACKAGES, f"{name}.service"
        if len(name) > _SHORTEST:
            yield "unit", APPLICATIONS, name
        if application_of(unit) or unit.startswith("snap."):
            yield "unit", PACKAGES, name
        if len(name) >= _TELLING or application_of(unit):
            yield "unit", PROGRAMS, name
    for name in _container(clues):
        yield "container", APPLICATIONS, name
        if len(name) >= _TELLING:
            yield "container", PROGRAMS, name
    for by, name in _programs(book, clues):
        yield by, PACKAGES, name
        if plain := versionless(name):
            yield by, PACKAGES, plain
        yield by, PROGRAMS, plain or name
        yield by, APPLICATIONS, name
    for script in dict.fromkeys((clues.script, clues.worker_script)):
        name, dot, _ = base(script.lower()).rpartition(".")
        if dot and script.lower().endswith(_BUILT):
            yield "script", APPLICATIONS, versionless(name) or name
            yield "script", PROGRAMS, versionless(name) or name
    for name in product_names(clues):
        yield "path", APPLICATIONS, name
        yield "path", PROGRAMS, name


def _unit(unit: str) -> Iterator[str]:
    """What is the unit's name but for engine, version and instance: ``foo`` for ``food`` is not."""
    for name in dict.fromkeys(unit_names(unit) if unit else ()):
        if name in unit and not unit.startswith(f"{name}d."):
            yield name


def _container(clues: Clues) -> Iterator[str]:
    called = (
        name for name in container_names(clues.container_name.lower()) if len(name) > _SHORTEST
    )
    names = dict.fromkeys(
        (
            *image_names(clues.container_image.lower().partition("@")[0]),
            *called,
            owner_of(clues.container_image.lower()),
        )
    )
    for name in filter(None, names):
        yield name
        plain = _DECORATED.sub("", name.rpartition("/")[2]).replace("_", "-")
        if plain != name and len(plain) >= _SHORTEST and plain not in names:
            yield plain


def _programs(book: RuleBook, clues: Clues) -> Iterator[tuple[str, str]]:
    """Scripts as they lie in folders of programs, without an ending, and programs."""
    for script in dict.fromkeys((clues.script, clues.worker_script)):
        name = base(script.lower())
        if name and "." not in name and _may_be(name, script):
            yield "script", name
    for path in dict.fromkeys((clues.program, clues.executable)):
        name = base(path.lower())
        own = bool(clues.container_name or clues.container_image) and not clues.executable
        if own and len(name) < _TELLING:
            continue  # in a container of somebody's own, nobody has packaged it
        if name and program_rule(book, name) is None and _may_be(name, clues.executable):
            yield "program", name


def _may_be(name: str, path: str) -> bool:
    """Whether a program is the one of the list, and not somebody's own of the same name."""
    return len(name) >= _TELLING or "/" not in path or path.startswith(_SYSTEM)
