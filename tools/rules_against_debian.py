"""The table of names held against Debian: what fanwhy and a package say of the same program.

    python -m tools.rules_against_debian CACHE            # contradictions; 1 when there are any
    python -m tools.rules_against_debian CACHE --missing  # units of Debian's that no rule knows

Three things are looked for. A *category* contradicts where section, tags and description of every
package that ships the name speak for other kinds of work. A *label* contradicts where it names a
product, or something known by its letters (DNS), of which none of the packages says a word. A name
is *ambiguous* where packages of different sources ship it and only some of them fit the rule. What
is right all the same stands, with its reason, in ``rules_against_debian.toml`` beside this file.

What Debian says is coarse: no contradiction is no proof.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from publisher.contract.readings import GroupKind
from publisher.errors import FanwhyError
from publisher.explain.naming.classifier import Classifier
from publisher.explain.naming.rules import load, shipped
from publisher.ledger.accounts import Clues, WorkGroup
from tools.debian_index import Index, Package, fetch, read

DEFENDED: Final = Path(__file__).with_suffix(".toml")
"""What is right though Debian's words speak against it, and the words by which a label counts."""

_HELD: Final = ("program", "unit", "script")
# Words of labels that say nothing of what a program is.
_EMPTY: Final = frozenset({"and", "for", "the", "service", "program", "server", "system"})


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A name of which fanwhy and Debian say different things.

    Attributes:
        kind: ``category``, ``label`` or ``ambiguous``.
        place: where the rule looks: ``program``, ``unit`` or ``script``.
        debian: the packages that ship it, with section and description.
        speaks_for: the categories for which they speak.
    """

    kind: str
    rule: str
    category: str
    label: str
    place: str
    name: str
    debian: tuple[str, ...]
    speaks_for: tuple[str, ...]

    @property
    def key(self) -> str:
        """By what it is defended: ``category backup.borg``."""
        return f"{self.kind} {self.category}.{self.rule}"


@dataclass(frozen=True, slots=True)
class Claim:
    """One name of one rule.

    Attributes:
        named: what the label names, in small letters: a product (*Borg backup*) or something that
            has letters for a name (*DNS server*). Labels that name nothing (*Software build*) are
            for people to read.
    """

    rule: str
    category: str
    label: str
    place: str
    name: str
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What is read into Debian's words, and what is defended.

    Attributes:
        sections: section -> categories for which it speaks.
        broad: sections that hold all kinds of work -> categories that no word speaks against.
        evidence: pattern of words -> categories for which it speaks.
        labels: rule -> a pattern of words that bear out its label.
        defended: kind and rule of a contradiction -> the names that are right all the same.
    """

    sections: Mapping[str, frozenset[str]]
    broad: Mapping[str, frozenset[str]]
    evidence: Sequence[tuple[re.Pattern[str], frozenset[str]]]
    labels: Mapping[str, re.Pattern[str]]
    defended: Mapping[str, frozenset[str]]

    def speaks_for(self, package: Package) -> frozenset[str]:
        """The categories for which a package speaks; none where it says nothing."""
        found = set(self.sections.get(package.section, ()))
        for pattern, categories in self.evidence:
            if pattern.search(package.words):
                found |= categories
        return frozenset(found | self.broad.get(package.section, frozenset()) if found else found)

    def bears_out(self, claim: Claim, package: Package) -> bool:
        """Whether a name in the label, or a word that counts for it, is said of the package."""
        said = f"{claim.name} {package.words} {package.homepage}"
        also = self.labels.get(claim.rule)
        if also is not None and also.search(said):
            return True
        return not claim.named or any(token[:5] in said for token in claim.named)

    def defends(self, found: Contradiction) -> bool:
        """Whether the name is right all the same."""
        return found.name in self.defended.get(found.key, ())


def words(path: Path = DEFENDED) -> Words:
    """Reads the file of words and defences."""
    document = tomllib.loads(path.read_text("utf-8"))
    return Words(
        sections={key: frozenset(value) for key, value in document["sections"].items()},
        broad={key: frozenset(value) for key, value in document["broad"].items()},
        evidence=[
            (re.compile(rf"\b(?:{line['words']})"), frozenset(line["categories"]))
            for line in document["evidence"]
        ],
        labels={key: re.compile(rf"\b(?:{value})") for key, value in document["labels"].items()},
        defended={key: frozenset(line["names"]) for key, line in document["defended"].items()},
    )


def claims(rules: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Claim]:
    """Every name of a table of rules that a package may ship."""
    for category, named in rules.items():
        for rule, body in named.items():
            for place in _HELD:
                for name in _listed(body, place):
                    naming = _named(body)
                    yield Claim(rule, category, body["label"], place, name.lower(), naming)


def _listed(body: Mapping[str, Any], place: str) -> list[str]:
    value = body.get(place, ())
    return [value] if isinstance(value, str) else list(value)


def _named(body: Mapping[str, Any]) -> tuple[str, ...]:
    own = {*_listed(body, "program"), *_listed(body, "image"), *_listed(body, "script")}
    tokens = re.findall(r"[A-Za-z0-9]{2,}", body["label"])
    return tuple(
        token.lower()
        for token in tokens
        if token.lower() not in _EMPTY
        and (any(letter.isupper() for letter in token[1:]) or token.lower() in own)
    )


def contradictions(claimed: Iterable[Claim], index: Index, said: Words) -> Iterator[Contradiction]:
    """Every contradiction between names and the index, defended or not."""
    for claim in claimed:
        packages = (index.of_unit if claim.place == "unit" else index.of_program)(claim.name)
        if not packages:
            continue
        speaks = {package.name: said.speaks_for(package) for package in packages}
        told = tuple(f"{each.name} ({each.section}): {each.description}" for each in packages[:4])
        heard = tuple(sorted({word for found in speaks.values() for word in found}))
        for kind in _kinds(claim, packages, speaks, said):
            words = (claim.rule, claim.category, claim.label, claim.place, claim.name)
            yield Contradiction(kind, *words, told, heard)


def _kinds(
    claim: Claim, packages: Sequence[Package], speaks: Mapping[str, frozenset[str]], said: Words
) -> Iterator[str]:
    fitting = {each.source for each in packages if claim.category in speaks[each.name]}
    silent = any(not speaks[each.name] for each in packages)
    others = {
        each.source
        for each in packages
        if speaks[each.name] and claim.category not in speaks[each.name]
    }
    if not fitting and not silent:
        yield "category"
    elif fitting and others - fitting:
        yield "ambiguous"
    if not any(said.bears_out(claim, each) for each in packages):
        yield "label"


def missing_units(index: Index) -> Iterator[str]:
    """Every unit of Debian's that no rule names, with its package and what that is."""
    book = load()
    classifier = Classifier(book)
    for unit in sorted(index.units):
        instance = f"{unit}1" if unit.endswith("@") else unit
        group = WorkGroup(unit, GroupKind.UNIT, unit)
        hosting = book.find("unit", unit) or book.find("program", unit.rstrip("@"))
        if hosting is not None and hosting.role == "host":
            continue  # what runs in it has a name of its own
        if classifier.classify(group, Clues(unit=f"{instance}.service")).category == "unknown":
            for package in index.of_unit(unit)[:1]:
                yield f"{unit}\t{package.name} ({package.section})\t{package.description}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what contradicts; the exit code is 1 where something does and is not defended."""
    given = _arguments(arguments)
    try:
        if given.packages or given.contents:
            index = read(given.packages, given.contents)
        else:
            index = read(*fetch(given.cache, given.sources))
    except (FanwhyError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.missing:
        for line in missing_units(index):
            print(line)
        return 0
    said = words()
    found = list(contradictions(claims(shipped()), index, said))
    open_ones = [each for each in found if not said.defends(each)]
    shown = found if given.all else open_ones
    print(json.dumps([asdict(each) for each in shown]) if given.json else _table(shown))
    met = {(each.key, each.name) for each in found}
    kept = {(key, name) for key, names in said.defended.items() for name in names}
    summary = f"{len(open_ones)} open, {len(found) - len(open_ones)} defended"
    print(f"{summary}, {len(kept - met)} defences without a contradiction", file=sys.stderr)
    return 1 if open_ones else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("cache", metavar="CACHE", type=Path, help="folder for apt's lists")
    parser.add_argument("--sources", metavar="LIST", type=Path, help="a list of sources for apt")
    for name in ("packages", "contents"):
        parser.add_argument(
            f"--{name}", metavar="FILE", type=Path, nargs="+", default=[],
            help=f"{name.capitalize()} of an archive, instead of fetching",
        )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="defended ones, too")
    parser.add_argument("--json", action="store_true", help="a list of objects")
    parser.add_argument("--missing", action="store_true", help="units that no rule knows")
    return parser.parse_args(arguments)


def _table(found: Sequence[Contradiction]) -> str:
    rows = []
    for each in found:
        heard = f" -> {', '.join(each.speaks_for)}" if each.kind != "label" else ""
        rows.append(f"{each.key}: {each.place} {each.name} is {each.label!r}{heard}")
        rows += [f"    {line}" for line in each.debian]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
