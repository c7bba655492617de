"""The rules by which work is named: read from TOML, checked, and folded into look-up tables.

A rule file holds one table a category and in it one line a product::

    [backup]
    time-machine = { label = "Time Machine backup", program = ["backupd", "backupd-helper"] }

What may stand in a rule is told in docs/explanation.md. A rule of the user's with the name of a
shipped one is laid over it: words replace words, lists are added to lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from publisher.config.documents import file_text, toml
from publisher.config.paths import expanded
from publisher.contract.readings import CATEGORIES
from publisher.errors import ConfigError

PLACES: Final = ("program", "kernel", "path", "script", "command", "unit", "image", "word")
"""Where a rule may look. Each holds a list of exact names; ``*`` stands for any characters."""

ROLES: Final = ("program", "tool", "interpreter", "host")
"""How a program stands to its job.

A *tool* works for the program that started it, an *interpreter* for its script; a *host* (a
shell, a terminal, cron) lends its name to nothing that it starts; a *program* answers for itself
and for the tools below it.
"""

_WORDS: Final = {"label": str, "role": str, "confidence": float, "disabled": bool}
_KINDS: Final = {str: "words in quotation marks", float: "a number", bool: "true or false"}
# The kernel keeps 15 bytes of a program's name (TASK_COMM_LEN in linux/sched.h is 16).
_LONGEST_LABEL: Final = 100  # characters: more fits no sentence
COMM_LENGTH: Final = 15
_CUT: Final = "cut"

Document = Mapping[str, Mapping[str, Mapping[str, Any]]]
Pattern = tuple[str, str, str, int]
Named = tuple[str, str, Mapping[str, Any]]
"""A rule: category, name and body."""

# A key of an inline table: ``{ label = …, program = …``.
_KEY: Final = re.compile(r"([{,]) ([a-z]+) = ")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a matching rule says.

    Attributes:
        confidence: ``None`` leaves it to how the rule was matched.
    """

    name: str
    category: str
    label: str
    role: str = "program"
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules in little memory: each place's names stand in one string, with their rule's number.

    Thousands of names as a dictionary would cost the daemon a megabyte for a question that it
    asks a few times an hour.

    Attributes:
        rules: each rule as a line of tab-separated words.
        exact: place -> lines of name and number, each between line feeds, by first letter.
        begins: place -> first letter -> where in ``exact`` its lines begin and end.
        patterns: place -> first letter -> (what stands before the first star, what behind
            the last, the pattern, number), the one that counts most first; those of the letter
            ``""`` may begin with any.
    """

    rules: list[str] = field(default_factory=list)
    exact: dict[str, str] = field(default_factory=dict)
    begins: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    patterns: dict[str, dict[str, list[Pattern]]] = field(default_factory=dict)

    def find(self, place: str, name: str) -> Rule | None:
        """The rule for a lower-case name at a place.

        An exact name goes before a pattern, and of patterns the longest, which says most.
        """
        rule = self.find_exact(place, name)
        if rule is not None:
            return rule
        patterns = self.patterns.get(place, {})
        for head, tail, pattern, number in patterns.get(name[:1], patterns.get("", [])):
            if name.startswith(head) and name.endswith(tail) and _matches(pattern, name):
                return self._rule(number)
        return None

    def find_exact(self, place: str, name: str) -> Rule | None:
        """The rule that has this very name at a place."""
        if "\n" in name or "\t" in name:
            return None
        names = self.exact.get(place, "")
        start, end = self.begins.get(place, {}).get(name[:1], (0, 0))
        at = names.find(f"\n{name}\t", start, end)
        if at < 0:
            return None
        at += len(name) + 2
        return self._rule(int(names[at : names.index("\n", at)]))

    def _rule(self, number: int) -> Rule:
        name, category, label, role, confidence = self.rules[number].split("\t")
        return Rule(name, category, label, role, float(confidence) if confidence else None)


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern, in which only stars are special, fits the whole name."""
    head, *middle, tail = pattern.split("*")
    if len(name) < len(head) + len(tail) or not (name.startswith(head) and name.endswith(tail)):
        return False
    at, end = len(head), len(name) - len(tail)
    for part in middle:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def load(rules_file: str | None = None) -> RuleBook:
    """The shipped rules with the user's laid over them.

    Raises:
        ConfigError: the user's file cannot be read or is not a file of rules.
    """
    return _folded(shipped_rules, _user_document(rules_file) if rules_file else {})


def shipped() -> Document:
    """The rules that come with fanwhy, as one document."""
    return toml(_shipped_file().read_text("utf-8"), "rules.toml")


def shipped_rules() -> Iterator[Named]:
    """The rules that come with fanwhy, one after the other.

    The file holds a rule a line and is read so: as one document it would take four megabytes for
    a moment, which the process does not give back.
    """
    category = ""
    with _shipped_file().open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("["):
                category = line.strip("[]\n")
            elif line.strip() and not line.startswith("#"):
                name, _, body = line.partition(" = ")
                yield category, name, json.loads(_KEY.sub(r'\1 "\2": ', body))


def _shipped_file() -> Traversable:
    return resources.files("publisher.explain.naming").joinpath("rules.toml")


def fold(base: Document, over: Document) -> RuleBook:
    """Folds two documents into one book; ``over`` goes first wherever both claim a name."""
    return _folded(lambda: _rules_of(base), over)


def _folded(base: Callable[[], Iterator[Named]], over: Document) -> RuleBook:
    own = {name: (category, body) for category, name, body in _rules_of(over)}
    if own:
        for _, name, body in base():
            if name in own:
                category, ours = own[name]
                own[name] = (category, _laid_over(body, ours))
    folding = _Folding()
    for name, (category, body) in own.items():
        folding.enter(category, name, body)
    own_rules = len(folding.book.rules)
    for category, name, body in base():
        if name not in own:
            folding.enter(category, name, body)
    return folding.book_of(own_rules)


@dataclass(slots=True)
class _Folding:
    """A book in the making."""

    book: RuleBook = field(default_factory=RuleBook)
    names: dict[str, dict[str, int]] = field(
        default_factory=lambda: {place: {} for place in (*PLACES, _CUT)}
    )
    patterns: dict[str, list[Pattern]] = field(default_factory=dict)

    def enter(self, category: str, name: str, body: Mapping[str, Any]) -> None:
        """Enters a rule; the first one to claim a name keeps it."""
        if body.get("disabled"):
            return
        confidence = body.get("confidence", "")
        words = (name, category, body.get("label", name), body.get("role", "program"), confidence)
        self.book.rules.append("\t".join(" ".join(str(word).split()) for word in words))
        number = len(self.book.rules) - 1
        for place in PLACES:
            for listed in _listed(body.get(place, ())):
                text = " ".join(listed.lower().split())
                if "*" in text:
                    entry = (text.partition("*")[0], text.rpartition("*")[2], text, number)
                    self.patterns.setdefault(place, []).append(entry)
                else:
                    _enter(self.names, place, text, number)

    def book_of(self, own_rules: int) -> RuleBook:
        """The book; the first rules are the user's own."""
        # A whole name goes before one that the kernel has cut to the same letters.
        cut, programs = self.names.pop(_CUT), self.names["program"]
        programs |= {text: number for text, number in cut.items() if text not in programs}
        for place in PLACES:
            _index_names(self.book, place, self.names.pop(place))
        for place, entries in self.patterns.items():
            entries.sort(key=lambda entry: (entry[3] >= own_rules, -len(entry[2])))
            self.book.patterns[place] = {
                letter: [entry for entry in entries if entry[0][:1] in (letter, "")]
                for letter in {"", *(entry[0][:1] for entry in entries)}
            }
        return self.book


def _enter(names: dict[str, dict[str, int]], place: str, text: str, number: int) -> None:
    """Enters a name for the newest rule; the first rule to claim a name keeps it."""
    names[place].setdefault(text, number)
    if place == "program" and len(text) > COMM_LENGTH:
        names[_CUT].setdefault(text[:COMM_LENGTH].rstrip(), number)


def _index_names(book: RuleBook, place: str, numbers: Mapping[str, int]) -> None:
    """Puts names into one string, and notes where those of each first letter stand in it."""
    letters: dict[str, list[str]] = {}
    for text, number in numbers.items():
        letters.setdefault(text[:1], []).append(f"{text}\t{number}\n")
    lines, begins = "\n", {}
    for letter in sorted(letters):
        start = len(lines) - 1  # the line feed before the first of them
        lines += "".join(letters[letter])
        begins[letter] = (start, len(lines))
    book.exact[place], book.begins[place] = lines, begins


def _laid_over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        if key in PLACES:
            merged[key] = [*_listed(value), *merged.get(key, ())]
        else:
            merged[key] = value
    return merged


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _rules_of(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for category, rules in document.items():
        for name, body in rules.items():
            yield category, name, body


def _user_document(rules_file: str) -> Document:
    path = expanded(Path(rules_file))
    text = file_text(path, f"explain.rules_file: {path}")
    document = toml(text, str(path))
    check(document, str(path))
    return document


def check(document: Mapping[str, Any], source: str) -> None:
    """Whether a parsed document is a file of rules.

    Raises:
        ConfigError: for the first thing wrong: file, rule, what was expected, and the nearest
            known word for an unknown one.
    """
    known_labels = None
    for category, rules in document.items():
        if category not in CATEGORIES:
            raise ConfigError(f"{source}: [{category}]: unknown category{_near(category)}")
        if not isinstance(rules, Mapping):
            raise ConfigError(f"{source}: {category}: must be a table of rules, as in [{category}]")
        for name, body in rules.items():
            where = f"{source}: {category}.{name}"
            if not isinstance(body, Mapping):
                raise ConfigError(f'{where}: must be a rule, as in {name} = {{ label = "…" }}')
            _check_rule(where, body)
            if "label" not in body and not body.get("disabled"):
                if known_labels is None:
                    known_labels = {rule for _, rule, _ in _rules_of(shipped())}
                if source == "rules.toml" or name not in known_labels:
                    raise ConfigError(f"{where}: a new rule needs a label")


def _check_rule(where: str, body: Mapping[str, Any]) -> None:
    for key, value in body.items():
        if key in PLACES:
            _check_names(f"{where}.{key}", value)
        elif key not in _WORDS:
            raise ConfigError(f"{where}: unknown key {key!r}{_near(key, (*PLACES, *_WORDS))}")
        elif not _is_a(value, _WORDS[key]):
            what = _KINDS[_WORDS[key]]
            raise ConfigError(f"{where}.{key}: must be {what}, not {value!r}")
    if body.get("role", "program") not in ROLES:
        near = _near(str(body["role"]), ROLES)
        raise ConfigError(f"{where}.role: must be one of {', '.join(ROLES)}{near}")
    if not 0 < body.get("confidence", 1) <= 1:
        raise ConfigError(f"{where}.confidence: must be above 0 and at most 1")
    for key in ("label", "role"):
        if not 0 < len(str(body.get(key, "x")).strip()) <= _LONGEST_LABEL:
            raise ConfigError(f"{where}.{key}: must not be empty, nor longer than {_LONGEST_LABEL}")


def _is_a(value: object, kind: type) -> bool:
    """Whether TOML's value is of a kind; to Python ``true`` is a number as well."""
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _check_names(where: str, value: Any) -> None:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{where}: must be a name or a list of names")
    for name in names:
        if not name.strip("* "):
            raise ConfigError(f"{where}: {name!r} would match everything")


def _near(word: str, known: tuple[str, ...] = CATEGORIES) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only to word an error

    found = get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; known: {', '.join(known)}"
