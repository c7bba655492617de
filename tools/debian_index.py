"""Debian's package index: what each package is, and which programs and units it holds.

Two files of the archive tell it: *Packages* (section, one line of description, home page, tags) and
*Contents* (each file, and the packages that hold it). apt fetches both into a folder of their own,
from Debian's stable release or from a list of sources that is named.
"""

from __future__ import annotations

import gzip
import lzma
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from publisher.errors import FanwhyError

DEFAULT_SOURCES = "deb http://deb.debian.org/debian stable main contrib non-free\n"
"""The list of sources that is used where none is named: all hold the rules against the same."""

_APT_HELPER = "/usr/lib/apt/apt-helper"
_CONTENTS = "Acquire::IndexTargets::deb::Contents-deb::"
_PROGRAMS = ("bin/", "sbin/", "usr/bin/", "usr/sbin/", "usr/games/")
_UNIT = re.compile(r"(?:usr/)?lib/systemd/system/([^/]+)\.service$")
# Data and modules below /usr/lib that are no programs.
_NO_PROGRAM = re.compile(r"/(?:python[^/]*|ruby|perl5?|node_modules|nodejs|share|doc|locale)/")


@dataclass(frozen=True, slots=True)
class Package:
    """What Debian says of one package.

    Attributes:
        section: its section, without the archive's area: ``admin``, ``games``.
        tags: its debtags: ``network::server``, ``works-with::mail``.
    """

    name: str
    source: str
    section: str
    description: str
    homepage: str
    tags: frozenset[str]

    @property
    def words(self) -> str:
        """All that is said of it in words, in small letters."""
        tags = " ".join(sorted(self.tags)).replace("::", " ")
        said = (self.name, self.source, self.section, self.description, tags)
        return " ".join(said).lower()


@dataclass(slots=True)
class Index:
    """The packages by name, and by the names of their programs and units (in small letters)."""

    packages: dict[str, Package] = field(default_factory=dict)
    programs: dict[str, set[str]] = field(default_factory=dict)
    helpers: dict[str, set[str]] = field(default_factory=dict)
    units: dict[str, set[str]] = field(default_factory=dict)

    def of_program(self, name: str) -> list[Package]:
        """The packages that ship a program; those that have it below /usr/lib count last."""
        return self._known(self.programs.get(name) or self.helpers.get(name, set()))

    def of_unit(self, name: str) -> list[Package]:
        """The packages that ship a unit, named without ``.service``."""
        return self._known(self.units.get(name, set()))

    def _known(self, names: Iterable[str]) -> list[Package]:
        return [self.packages[name] for name in sorted(names) if name in self.packages]


def read(packages: Iterable[Path], contents: Iterable[Path]) -> Index:
    """The index out of files as the archive has them, packed or not."""
    index = Index()
    for path in packages:
        for package in _packages(_lines(path)):
            index.packages.setdefault(package.name, package)
    for path in contents:
        for line in _lines(path):
            _enter(index, line)
    return index


def fetch(folder: Path, sources: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Has apt bring the lists into a folder; the files of packages and those of contents.

    Args:
        folder: where apt keeps them; what is current there is not fetched again.
        sources: a list of sources in apt's form; without one, ``DEFAULT_SOURCES``.

    Raises:
        FanwhyError: apt is not there or has failed.
    """
    if sources is None:
        folder.mkdir(parents=True, exist_ok=True)
        sources = folder / "default.list"
        sources.write_text(DEFAULT_SOURCES, encoding="utf-8")
    options = _apt_options(folder.resolve(), sources.resolve())
    _apt(["apt-get", *options, "update"])
    listed = _apt(["apt-get", *options, "indextargets", "--format", "$(CREATED_BY) $(FILENAME)"])
    found: dict[str, list[Path]] = {"Packages": [], "Contents-deb": []}
    for line in listed.splitlines():
        kind, _, name = line.partition(" ")
        if kind in found and Path(name).exists():
            found[kind].append(Path(name))
    return found["Packages"], found["Contents-deb"]


def _apt_options(folder: Path, sources: Path) -> list[str]:
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    settings = {
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Acquire::Languages": "none",
        f"{_CONTENTS}MetaKey": "$(COMPONENT)/Contents-$(ARCHITECTURE)",
        f"{_CONTENTS}ShortDescription": "Contents-$(ARCHITECTURE)",
        f"{_CONTENTS}Description": "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Contents",
        # What a machine does after an update of its own lists is no business of this one.
        "APT::Update::Post-Invoke-Success::": "",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _apt(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise FanwhyError(f"{command[0]}: not found; give --packages and --contents") from None
    except subprocess.CalledProcessError as error:
        raise FanwhyError(f"{command[0]}: {error.stderr.strip()}") from None
    return done.stdout


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, unpacked by what its name ends with."""
    if path.suffix in (".lz4", ".zst"):
        with subprocess.Popen(
            [_APT_HELPER, "cat-file", str(path)], stdout=subprocess.PIPE, text=True
        ) as helper:
            yield from helper.stdout or ()
        return
    with _opened(path) as file:
        yield from file


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _packages(lines: Iterable[str]) -> Iterator[Package]:
    """The packages of a file of paragraphs (deb-src-control(5))."""
    fields: dict[str, str] = {}
    key = ""
    for line in (*lines, "\n"):
        if not line.strip():
            if fields.get("Package"):
                yield _package(fields)
            fields, key = {}, ""
        elif line[0] in " \t":
            fields[key] += f"\n{line.rstrip()}"
        else:
            key, _, value = line.partition(":")
            fields[key] = value.strip()


def _package(fields: dict[str, str]) -> Package:
    name = fields["Package"]
    return Package(
        name=name,
        source=fields.get("Source", name).split(" ")[0],
        section=fields.get("Section", "").rpartition("/")[2],
        description=fields.get("Description", "").split("\n")[0],
        homepage=fields.get("Homepage", ""),
        tags=frozenset(re.findall(r"[a-z0-9-]+::[a-z0-9:.+-]+", fields.get("Tag", ""))),
    )


def _enter(index: Index, line: str) -> None:
    """Enters a line of Contents: a path, and its packages as ``section/name,section/name``."""
    is_program = line.startswith(_PROGRAMS)
    if not is_program and not line.startswith(("lib/", "usr/lib")):
        return
    path, _, holders = line.rstrip("\n").rpartition(" ")
    path = path.rstrip()
    names = {holder.rpartition("/")[2] for holder in holders.split(",")}
    unit = _UNIT.search(path)
    base = path.rpartition("/")[2].lower()
    if unit:
        index.units.setdefault(unit.group(1).lower(), set()).update(names)
    elif is_program:
        index.programs.setdefault(base, set()).update(names)
    elif "." not in base and path.count("/") <= 4 and not _NO_PROGRAM.search(path):
        index.helpers.setdefault(base, set()).update(names)
