"""The tables of what rules do not know, made from public lists of what programs are.

    python -m tools.packages_table packages CACHE --date DAY        # and tells how good it is
    python -m tools.packages_table applications FOLDER --date DAY
    python -m tools.packages_table programs FOLDER --date DAY

The first reads Debian's index (``--sources`` names another list of sources than stable and
unstable; ``--packages`` and ``--contents`` name files instead). Section, tags and the line of
description of a package speak for categories as ``packages_table.toml`` beside this file says; a
program is entered only where one category is well ahead of the others and no other package of the
same program says otherwise. How often that is right is told by the names that fanwhy's rules know
as well. The others read public catalogues, a folder each, as ``catalogues.toml`` names them.

Only names and categories are kept.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from publisher.contract.readings import CATEGORIES
from publisher.errors import FanwhyError
from publisher.explain.naming.classification import MINING
from publisher.explain.naming.packages import APPLICATIONS, PACKAGES, PROGRAMS, versionless
from publisher.explain.naming.rules import shipped
from tools.ballot import Ballot
from tools.catalogues import read as read_catalogues
from tools.debian_index import Index, Package, fetch, read

EVIDENCE: Final = Path(__file__).with_suffix(".toml")
"""What in Debian's words speaks for which category, and which names are never entered."""

SUITES: Final = """\
deb http://deb.debian.org/debian stable main contrib non-free
deb http://deb.debian.org/debian unstable main contrib non-free
"""

CODES: Final = dict(zip("abcdefghijklmnopqrstuvwxyz", CATEGORIES, strict=False))
_CODE: Final = {category: code for code, category in CODES.items()}

_ENOUGH: Final = 5.0
_AHEAD: Final = 2.0
_TOOLBOX: Final = 20
"""A package of more programs than that is a box of small tools."""
_WORDLIKE: Final = 7
"""Up to so many letters a name is likely to be somebody else's as well, unless the package is
called like it."""
_NAME = re.compile(r"[a-z][a-z0-9+._@-]{2,39}")
# Tools of a compiler for another machine: aarch64-linux-gnu-gcc-ar.
_CROSS = re.compile(
    r"[a-z0-9_]+-(?:[a-z0-9]+-)?(?:linux|elf|mingw\w*|gnu|none|hms|rtems|unknown|coff)\b.*-|\w+-elf-"
)
# Programs that are shipped to test others, and so are run nowhere else.
_TESTS = re.compile(r".*-(?:tests?|testsuite|test-suite|examples?|demos?)$|lib.*-dev$")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one category, each with its weight."""

    most: float
    unit: Mapping[str, float]
    sections: Mapping[str, float]
    tags: Mapping[str, float]
    words: Sequence[tuple[re.Pattern[str], float]]
    names: Sequence[tuple[re.Pattern[str], float]]

    def of_package(self, package: Package, *, has_units: bool) -> float:
        """How strongly a package speaks for the category."""
        text = f"{package.name} {package.description}".lower()
        weight = self.sections.get(package.section, 0.0)
        weight += self.unit.get(package.section, 0.0) if has_units else 0.0
        weight += sum(more for tag, more in self.tags.items() if tag in package.tags)
        weight += sum(more for pattern, more in self.words if pattern.search(text))
        return min(weight, self.most)

    def of_name(self, name: str) -> float:
        """How strongly a program's own name does."""
        parts = name.replace("_", "-")
        return sum(more for pattern, more in self.names if pattern.search(parts))


@dataclass(frozen=True)
class Judge:
    """Says of programs what they are, by the packages that ship them."""

    evidence: Mapping[str, Evidence]
    packages: Mapping[str, str]
    stop: frozenset[str]
    daemons: frozenset[str]
    english: frozenset[str]
    _scores: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, index: Index, path: Path = EVIDENCE) -> Judge:
        """The judge that the file of evidence describes, for the packages of an index."""
        document = tomllib.loads(path.read_text("utf-8"))
        return cls(
            {key: _evidence(body) for key, body in document["evidence"].items()},
            document["packages"],
            _stop_words(document),
            frozenset(name for names in index.units.values() for name in names),
            frozenset(document["catalogued"]["words"].split()),
        )

    def category(self, name: str, packages: Sequence[Package]) -> str:
        """What all packages that ship a program make of it; empty where that is not clear."""
        said = [self._of(name, package) for package in packages]
        found = set(filter(None, said))
        silent = said.count("")
        return found.pop() if len(found) == 1 and silent * 2 <= len(said) else ""

    def _of(self, name: str, package: Package) -> str:
        for key in (package.source, package.name):
            if key in self.packages:
                return self.packages[key]
        scores = self._scores.get(package.name)
        if scores is None:
            scores = {
                key: weight
                for key, each in self.evidence.items()
                if (weight := each.of_package(package, has_units=package.name in self.daemons))
            }
            self._scores[package.name] = scores
        named = {key: each.of_name(name) for key, each in self.evidence.items() if each.names}
        total = {key: scores.get(key, 0.0) + named.get(key, 0.0) for key in {*scores, *named}}
        return _ahead(total)

    def of_text(self, names: Sequence[str], text: str, among: Sequence[str] = ()) -> str:
        """What a line of description says; empty where that is not clear.

        Args:
            names: what it is said of.
            text: the line, in small letters.
            among: the categories that come into question; all, where there are none.
        """
        package = Package("".join(names).lower(), "", "", text, "", frozenset())
        scores = {
            key: weight
            for key, each in self.evidence.items()
            if (not among or key in among)
            and (weight := each.of_package(package, has_units=False) + each.of_name(package.name))
        }
        return _ahead(scores)

    def is_name(self, name: str) -> bool:
        """Whether it is a name, and no word that anybody may use."""
        return (
            _NAME.fullmatch(name) is not None
            and "." not in name
            and name not in self.english
            and not self.stop.issuperset(re.split(r"[-_@]", name))
        )

    def may_be_entered(self, name: str, packages: Sequence[Package]) -> bool:
        """Whether a name is somebody's in particular: not a word that anybody may use."""
        if not _NAME.fullmatch(name) or _CROSS.match(name):
            return False
        if self.stop.issuperset(re.split(r"[-_@]", name)):
            return False
        # Names with a dot are scripts, or families of hundreds.
        if versionless(name) in self.stop or "." in (versionless(name) or name):
            return False
        if all(_TESTS.match(package.name) for package in packages):
            return False
        if not name.isalpha() or len(name) > _WORDLIKE:
            return True
        return any(name in _called(each.name) + _called(each.source) for each in packages)


def _called(package: str) -> tuple[str, ...]:
    """The package's name, its first word and its last: ``chilli`` in ``coova-chilli``."""
    words = re.split(r"[-.+_\d]", package)
    return package, words[0], words[-1]


def shipped_stop_words() -> frozenset[str]:
    """The names that are never entered."""
    return _stop_words(tomllib.loads(EVIDENCE.read_text("utf-8")))


def _stop_words(document: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(word for words in document["stop"].values() for word in words.split())


def _evidence(body: Mapping[str, Any]) -> Evidence:
    def patterns(key: str) -> list[tuple[re.Pattern[str], float]]:
        return [
            (re.compile(rf"\b(?:{each})"), weight) for each, weight in body.get(key, {}).items()
        ]

    return Evidence(
        body.get("most", 99.0),
        body.get("unit", {}),
        body.get("sections", {}),
        body.get("tags", {}),
        patterns("words"),
        patterns("names"),
    )


def _ahead(scores: Mapping[str, float]) -> str:
    """The category that is well ahead of all others; empty where none is."""
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < _ENOUGH:
        return ""
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    return ranked[0][0] if ranked[0][1] - second >= _AHEAD else ""


@dataclass(frozen=True)
class Debian:
    """Debian's programs and units, each with its category and package."""

    index: Index
    judge: Judge

    @cached_property
    def entries(self) -> dict[str, tuple[str, str]]:
        """The lines of the table: name -> category and package; units end in ``.service``."""
        found: dict[str, tuple[str, str]] = {}
        for name in sorted({*self.index.programs, *self.index.helpers}):
            packages = self.index.of_program(name)
            if self._is_program(name, packages):
                _enter(found, name, self.judge.category(name, packages), packages)
        for unit in sorted(self.index.units):
            packages = self.index.of_unit(unit)
            name = unit.partition("@")[0]
            category = self.judge.category(name, packages)
            if self.judge.may_be_entered(name, packages) and found.get(name, [""])[0] != category:
                _enter(found, f"{name}.service", category, packages)
        return _without_toolboxes(found)

    def _is_program(self, name: str, packages: Sequence[Package]) -> bool:
        if not packages or not self.judge.may_be_entered(name, packages):
            return False
        if name in self.index.programs:
            return True
        # What stands below /usr/lib and /usr/libexec must look like somebody's own daemon.
        own = {name.partition("-")[0], name.partition("_")[0]}
        parts = {part for each in packages for part in re.split(r"[-.+_\d]", each.name)}
        return len(name) > 5 and (bool(own & parts) or name[-1] == "d" or name.count("-") > 0)


def _without_toolboxes(found: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Without the hundreds of small tools of some packages, but for those called like these."""
    count = Counter(package or name for name, (_, package) in found.items())
    return {
        name: (category, package)
        for name, (category, package) in found.items()
        if count[package or name] <= _TOOLBOX or name.startswith(_called(package)[1])
    }


def agreement(entries: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Each name that the rules know too: it, what they say, and what the table says."""
    for category, named in shipped().items():
        for body in named.values():
            names: set[str] = set()
            for place in ("program", "image"):
                value = body.get(place, ())
                names.update([value] if isinstance(value, str) else value)
            for name in sorted({name.lower() for name in names} & entries.keys()):
                yield name, category, entries[name][0]


def _enter(
    found: dict[str, tuple[str, str]], name: str, category: str, packages: Sequence[Package]
) -> None:
    if category in ("", MINING):
        return
    # One line for all versions, where they are one: clang-18 and clang-19.
    plain = versionless(name)
    if plain and _NAME.fullmatch(plain) and found.get(plain, (category,))[0] == category:
        name = plain
    package = packages[0].name
    found.setdefault(name, (category, "" if package == name else package))


def written(entries: Mapping[str, tuple[str, str]], told: Sequence[str]) -> str:
    """The file: lines of name, letter of the category, and package where that is called else."""
    codes = " ".join(f"{code}={category}" for code, category in CODES.items())
    lines = [
        "\t".join(filter(None, (name, _CODE[category], package)))
        for name, (category, package) in entries.items()
    ]
    head = [f"# {line}" for line in (codes, *told)]
    return "\n".join([*head, *sorted(lines, key=lambda line: line.split("\t")[0].encode())]) + "\n"


def _report(told: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """How often a list and the rules agree, by the category that the list speaks for."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    wrong: dict[str, Counter[str]] = defaultdict(Counter)
    for _, rules, listed in told:
        total[listed] += 1
        right[listed] += rules == listed
        if rules != listed:
            wrong[listed][rules] += 1
    yield f"{'category':<16}{'names':>6}{'agree':>7}  the rules say"
    for category in sorted(total):
        others = ", ".join(f"{key} {count}" for key, count in wrong[category].most_common(4))
        percent = 100 * right[category] / total[category]
        yield f"{category:<16}{total[category]:>6}{percent:>6.0f}%  {others}"
    yield f"{'all':<16}{total.total():>6}{100 * right.total() / max(1, total.total()):>6.0f}%"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes one of the tables; prints how good it is."""
    given = _arguments(arguments)
    try:
        entries, told = _packages(given) if given.what == "packages" else _catalogued(given)
    except FanwhyError as error:
        print(error, file=sys.stderr)
        return 2
    given.output.write_text(written(entries, told), "utf-8")
    both = sorted(agreement(entries), key=lambda each: each[::-1])
    if given.disagreeing:
        for name, rules, listed in both:
            if rules != listed:
                print(f"{name}: {listed} by the list, {rules} by the rules")
    print(*_report(both), sep="\n")
    print(f"{given.output}: {len(entries)} names, {given.output.stat().st_size} bytes")
    return 0


def _catalogued(given: argparse.Namespace) -> tuple[dict[str, tuple[str, str]], list[str]]:
    programs = given.what == "programs"
    ballot, names = Ballot(Judge.read(Index())), []
    for catalogue in read_catalogues(given.folder):
        if catalogue.programs == programs:
            ballot.count(catalogue)
            names.append(catalogue.name)
    return ballot.entries(programs=programs), [
        f"{given.what.capitalize()} and what they are for: names and categories alone, by what",
        f"public catalogues say together, as of {given.date}: {', '.join(names)}",
        "(addresses: tools/catalogues.toml).",
    ]


def _packages(given: argparse.Namespace) -> tuple[dict[str, tuple[str, str]], list[str]]:
    index = _index(given)
    return Debian(index, Judge.read(index)).entries, [
        "Programs and units of Debian and what they are for: names and categories alone,",
        f"by section, tags and description of their packages, as of {given.date}.",
    ]


def _index(given: argparse.Namespace) -> Index:
    if given.packages or given.contents:
        return read(given.packages, given.contents)
    sources = given.sources
    if sources is None:
        given.folder.mkdir(parents=True, exist_ok=True)
        sources = given.folder / "suites.list"
        sources.write_text(SUITES, "utf-8")
    return read(*fetch(given.folder, sources))


_TABLES: Final = {"packages": PACKAGES, "applications": APPLICATIONS, "programs": PROGRAMS}


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.packages_table")
    parser.add_argument("what", choices=tuple(_TABLES))
    parser.add_argument("folder", type=Path, help="where apt's lists are kept; or the catalogues")
    parser.add_argument("--date", required=True, help="of the lists, for the head of the table")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sources", type=Path, help="a list of sources in apt's form")
    parser.add_argument("--packages", type=Path, nargs="*", default=[])
    parser.add_argument("--contents", type=Path, nargs="*", default=[])
    parser.add_argument("--disagreeing", action="store_true", help="print each name in dispute")
    given = parser.parse_args(arguments)
    given.output = given.output or _TABLES[given.what]
    return given


if __name__ == "__main__":
    raise SystemExit(main())
