"""The table of names held against Debian: what fanwhy and a package say of the same program.

    python -m tools.rules_against_debian CACHE            # contradictions; 1 when there are any
    python -m tools.rules_against_debian CACHE --missing  # units of Debian's that no rule knows

Three things are looked for. A *category* contradicts where section, tags and description of every
package that ships the name speak for other kinds of work. A *label* contradicts where none of its
words is said of the package or stands in the name. A name is *ambiguous* where packages of
different sources ship it and only some of them fit the rule. What is right all the same stands,
with its reason, in ``rules_against_debian.toml`` beside this file.

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


@dataclass(frozen=True, slots=True)
class Words:
    """What is read into Debian's words, and what is defended.

    Attributes:
        sections: section -> categories for which it speaks.
        evidence: pattern of words -> categories for which it speaks.
        labels: rule -> a pattern of words that bear out its label.
        defended: ``kind place name`` -> the reason why it is right.
    """

    sections: Mapping[str, frozenset[str]]
    evidence: Sequence[tuple[re.Pattern[str], frozenset[str]]]
    labels: Mapping[str, re.Pattern[str]]
    defended: Mapping[str, str]

    def speaks_for(self, package: Package) -> frozenset[str]:
        """The categories for which a package speaks; none where it says nothing."""
        found = set(self.sections.get(package.section, ()))
        for pattern, categories in self.evidence:
            if pattern.search(package.words):
                found |= categories
        return frozenset(found)

    def bears_out(self, rule: str, label: str, name: str, package: Package) -> bool:
        """Whether a word of the label, or one that counts for it, is said of the package."""
        said = f"{name} {package.words}"
        also = self.labels.get(rule)
        if also is not None and also.search(said):
            return True
        tokens = [word for word in re.findall(r"[a-z0-9]{2,}", label.lower()) if word not in _EMPTY]
        return not tokens or any(token[:5] in said for token in tokens)


def words(path: Path = DEFENDED) -> Words:
    """Reads the file of words and defences."""
    document = tomllib.loads(path.read_text("utf-8"))
    return Words(
        sections={key: frozenset(value) for key, value in document["sections"].items()},
        evidence=[
            (re.compile(rf"\b(?:{line['words']})"), frozenset(line["categories"]))
            for line in document["evidence"]
        ],
        labels={key: re.compile(rf"\b(?:{value})") for key, value in document["labels"].items()},
        defended=document["defended"],
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """One name of one rule."""

    rule: str
    category: str
    label: str
    place: str
    name: str


def claims(rules: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Claim]:
    """Every name of a table of rules that a package may ship."""
    for category, named in rules.items():
        for rule, body in named.items():
            for place in _HELD:
                value = body.get(place, ())
                for name in [value] if isinstance(value, str) else value:
                    yield Claim(rule, category, body["label"], place, name.lower())


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
            yield Contradiction(kind, **asdict(claim), debian=told, speaks_for=heard)


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
    if not any(said.bears_out(claim.rule, claim.label, claim.name, each) for each in packages):
        yield "label"


def missing_units(index: Index) -> Iterator[str]:
    """Every unit of Debian's that no rule names, with its package and what that is."""
    classifier = Classifier(load())
    for unit in sorted(index.units):
        instance = f"{unit}1" if unit.endswith("@") else unit
        group = WorkGroup(unit, GroupKind.UNIT, unit)
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
    open_ones = [each for each in found if _key(each) not in said.defended]
    shown = found if given.all else open_ones
    print(json.dumps([asdict(each) for each in shown]) if given.json else _table(shown))
    unused = said.defended.keys() - {_key(each) for each in found}
    summary = f"{len(open_ones)} open, {len(found) - len(open_ones)} defended"
    print(f"{summary}, {len(unused)} defences without a contradiction", file=sys.stderr)
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


def _key(found: Contradiction) -> str:
    return f"{found.kind} {found.place} {found.name}"


def _table(found: Sequence[Contradiction]) -> str:
    rows = []
    for each in found:
        heard = f" -> {', '.join(each.speaks_for)}" if each.kind != "label" else ""
        rows.append(f"{_key(each)}: {each.category}.{each.rule} {each.label!r}{heard}")
        rows += [f"    {line}" for line in each.debian]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
