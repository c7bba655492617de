"""The tables of what rules do not know, made from public lists of what programs are.

    python -m tools.packages_table packages CACHE --date DAY        # and tells how good it is
    python -m tools.packages_table applications FOLDER --date DAY

The first reads Debian's index (``--sources`` names another list of sources than stable and
unstable; ``--packages`` and ``--contents`` name files instead). Section, tags and the line of
description of a package speak for categories as ``packages_table.toml`` beside this file says; a
program is entered only where one category is well ahead of the others and no other package of the
same program says otherwise. How often that is right is told by the names that fanwhy's rules know
as well. The second reads a copy of the list awesome-selfhosted (a folder ``software`` of YAML).

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

import yaml

from publisher.contract.readings import CATEGORIES
from publisher.errors import FanwhyError
from publisher.explain.naming.classification import MINING
from publisher.explain.naming.packages import APPLICATIONS, PACKAGES, versionless
from publisher.explain.naming.rules import shipped
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


# What the tags of awesome-selfhosted are to fanwhy; what is not here is a web application.
_TAGS: Final = {
    "Backup": "backup",
    "Communication - IRC": "",
    "Communication - SIP": "",
    "Database Management": "",
    "DNS": "system",
    "Document Management - E-books": "media",
    "File Transfer - Distributed Filesystems": "file_sharing",
    "File Transfer - Object Storage & File Servers": "file_sharing",
    "File Transfer - Peer-to-peer Filesharing": "downloads",
    "File Transfer - Single-click & Drag-n-drop Upload": "",
    "File Transfer - Web-based File Managers": "file_sharing",
    "File Transfer & Synchronization": "",
    "Games": "gaming",
    "Games - Administrative Utilities & Control Panels": "gaming",
    "Generative Artificial Intelligence (GenAI)": "ai",
    "Internet of Things (IoT)": "smart_home",
    "Manufacturing": "smart_home",
    "Media Management": "media",
    "Media Streaming": "media",
    "Media Streaming - Audio Streaming": "media",
    "Media Streaming - Multimedia Streaming": "media",
    "Media Streaming - Video Streaming": "media",
    "Monitoring & Status Pages": "monitoring",
    "Network Utilities": "",
    "Office Suites": "",
    "Photo Galleries": "media",
    "Remote Access": "remote_access",
    "Search Engines": "",
    "Self-hosting Solutions": "",
    "Software Development": "development",
    "Software Development - Continuous Integration & Deployment": "development",
    "Software Development - FaaS & Serverless": "development",
    "Software Development - Feature Toggle": "development",
    "Software Development - IDE & Tools": "development",
    "Software Development - Localization": "development",
    "Software Development - Testing": "development",
    "Video Surveillance": "media",
    "VPN": "remote_access",
    "Miscellaneous": "",
    "Automation": "",
}


_FORGE = re.compile(r"\b(?:git|mercurial|source code|code review)\b")
_FETCHES = re.compile(r"\b(?:download|torrent|usenet|yt-dlp|youtube-dl|media requests?)")


def applications(folder: Path) -> dict[str, tuple[str, str]]:
    """Self-hosted applications by the names that containers and units have for them."""
    stop = shipped_stop_words()
    said: dict[str, set[str]] = defaultdict(set)
    for path in sorted((folder / "software").glob("*.yml")):
        document = yaml.safe_load(path.read_text("utf-8"))
        found = {_TAGS.get(tag.strip(), "web") for tag in document["tags"]}
        if found == {"media"} and _FETCHES.search(document.get("description", "").lower()):
            found = {"downloads"}
        if found == {"web"} and _FORGE.search(document.get("description", "").lower()):
            found = {"development"}
        for name in _spellings(document):
            if len(name) > 3 and name not in stop and _NAME.fullmatch(name):
                said[name] |= found if len(found) == 1 else {"", *found}
    return {
        name: (found.pop(), "")
        for name, found in said.items()
        if len(found) == 1 and "" not in found
    }


def _spellings(document: Mapping[str, Any]) -> Iterator[str]:
    """Its name run together and with hyphens, and its repository's, if that is alike."""
    words = re.findall(r"[a-z0-9]+", document["name"].lower())
    together = "".join(words)
    yield together
    yield "-".join(words)
    repository = document.get("source_code_url", "").rstrip("/").rpartition("/")[2].lower()
    if together in re.sub(r"[^a-z0-9]", "", repository):
        yield repository


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
        entries, told = _applications(given) if given.what == "applications" else _packages(given)
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


def _applications(given: argparse.Namespace) -> tuple[dict[str, tuple[str, str]], list[str]]:
    return applications(given.folder), [
        "Self-hosted applications and what they are for: names and categories alone, from",
        f"awesome-selfhosted (awesome-selfhosted.net), as of {given.date}.",
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


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.packages_table")
    parser.add_argument("what", choices=("packages", "applications"))
    parser.add_argument("folder", type=Path, help="where apt's lists are kept; or the copy")
    parser.add_argument("--date", required=True, help="of the lists, for the head of the table")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--sources", type=Path, help="a list of sources in apt's form")
    parser.add_argument("--packages", type=Path, nargs="*", default=[])
    parser.add_argument("--contents", type=Path, nargs="*", default=[])
    parser.add_argument("--disagreeing", action="store_true", help="print each name in dispute")
    given = parser.parse_args(arguments)
    given.output = given.output or (PACKAGES if given.what == "packages" else APPLICATIONS)
    return given


if __name__ == "__main__":
    raise SystemExit(main())
