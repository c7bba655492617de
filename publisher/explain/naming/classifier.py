"""What kind of work a work group does, how a person would call it, and how sure that is.

The job wins over the tool: who asked for the work says more than what carries it out. So the
order is container, unit, command of the job, script, the program that was started, the program
at work; a tool or an interpreter gives way to the nearest program above it that is neither.

Units and containers have names of their own. Where a shell or a script that no rule knows works
most in them, they go by that name, not by one of the helpers it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from publisher.contract.printable import printable
from publisher.contract.readings import GroupKind
from publisher.explain.naming.rules import Rule, RuleBook
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.programs import shipped

MINING: Final = "cryptomining"
"""The category that goes before all others."""

KNOWN: Final = 0.95
ALIKE: Final = 0.9
"""A name that equals a known one in another place, or once its version is taken off."""
INSIDE: Final = 0.8
"""An unknown program that a known one started."""
GUESS: Final = 0.6
UNKNOWN: Final = 0.3

BY: Final = (
    "own", "kernel", "container", "unit", "command", "script", "job", "program", "path", "above",
    "words",
)  # fmt: skip
"""By what of a group it can be recognised: its place, its command, a program in it, …"""

_VERSION = re.compile(r"[-_.]?v?\d+(?:[._]\d+)*$")
_COMPOSE = re.compile(r"[-_](?:\d+|run-[0-9a-f]+)$")
_WORD = re.compile(r"[a-z]+")
_TYPES = (".service", ".scope", ".slice", ".socket")


@dataclass(frozen=True, slots=True)
class Classification:
    """What a work group does.

    Attributes:
        rule: name of the rule that matched; empty when none did.
        reason: how it was found, in words.
        by: what of the group the rule was found by, one of ``BY``; empty when none did.
        role: how what was found stands to its job, one of ``ROLES``.
    """

    category: str
    label: str
    confidence: float
    rule: str
    reason: str
    by: str = ""
    role: str = "program"

    @property
    def is_miner(self) -> bool:
        """It is suspected cryptomining."""
        return self.category == MINING

    @property
    def specificity(self) -> int:
        """How much the name says of the work, where two are as sure as each other."""
        return 2 if self.is_miner else int(self.category != "shell")


class Classifier:
    """Classifies by the rules and remembers the answers while the clues stay the same."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._known: dict[str, tuple[Clues, Classification]] = {}

    def classify(self, group: WorkGroup, clues: Clues) -> Classification:
        """What the group does; cheap for a group whose clues did not change."""
        remembered = self._known.get(group.key)
        if remembered is not None and (remembered[0] is clues or remembered[0] == clues):
            return remembered[1]
        found = _Search(self._book, group, clues).result()
        if len(self._known) >= 512:
            self._known.pop(next(iter(self._known)))
        self._known[group.key] = (clues, found)
        return found


@dataclass(slots=True)
class _Search:
    book: RuleBook
    group: WorkGroup
    clues: Clues

    def result(self) -> Classification:
        if self.group.own:
            return Classification(
                "monitoring", "fanwhy", 1.0, "fanwhy", "it is fanwhy itself", "own"
            )
        if self.group.kind is GroupKind.KERNEL:
            return self._kernel()
        for step in (
            self._container,
            self._unit,
            self._command,
            self._script,
            self._root,
            self._program,
            self._path,
            self._above,
            self._words,
        ):
            found = step()
            if found is not None:
                return found
        return Classification("unknown", self._own_name(), UNKNOWN, "", "no rule knows it")

    @property
    def _named(self) -> bool:
        """Whether the group has been given a name, which says more than ``Shell job``."""
        return self.group.kind in (GroupKind.UNIT, GroupKind.CONTAINER) and bool(self.group.label)

    def _own_name(self) -> str:
        """The name of the group itself: ``burner service`` for ``burner.service``."""
        names = (self.group.label.strip(), self.clues.program.strip(), "unknown program")
        name = printable(next(filter(None, names)))
        unit = self.clues.unit.lower()
        plain = unit.startswith("app-") or name.lower().endswith("service")
        return f"{name} service" if unit.endswith(".service") and not plain else name

    def _kernel(self) -> Classification:
        name = self.clues.program or self.group.label
        rule = self.book.find("kernel", name.lower()) or self.book.find(
            "kernel", name.lower().split("/")[0]
        )
        if rule is None:
            label = f"kernel ({printable(name)})" if name else "kernel"
            return Classification("system", label, ALIKE, "", "a kernel thread", "kernel")
        return self._said(rule, KNOWN, "kernel", f"kernel thread {name!r}")

    def _container(self) -> Classification | None:
        image = self.clues.container_image.lower().split("@")[0]
        if image:
            for name in _image_names(image):
                rule = self.book.find("image", name)
                if rule is not None:
                    return self._said(rule, KNOWN, "container", f"container image {name!r}")
        container = self.clues.container_name.lower()
        for name in _container_names(container):
            rule = self.book.find("image", name) or self.book.find_exact("program", name)
            if rule is not None and rule.role == "program":
                return self._said(rule, ALIKE, "container", f"container name {container!r}")
        return None

    def _unit(self) -> Classification | None:
        unit = self.clues.unit.lower()
        if not unit:
            return None
        name = _without_type(unit)
        rule = self.book.find("unit", name) or self.book.find("unit", name.split("@")[0])
        if rule is not None:
            if rule.role == "host":
                return None
            return self._said(rule, KNOWN, "unit", f"unit {unit!r}")
        for plain in (name, name.split("@")[0], _app_of(name)):
            rule = self.book.find_exact("program", plain)
            if rule is not None and rule.role == "program":
                return self._said(rule, ALIKE, "unit", f"unit {unit!r}")
        return None

    def _command(self) -> Classification | None:
        words = self.clues.command.lower().split()
        if words:
            words[0] = _base(words[0])
        for count in range(len(words), 0, -1):
            text = " ".join(words[:count])
            rule = self.book.find("command", text)
            if rule is not None:
                return self._said(rule, KNOWN, "command", f"command {text!r}")
        return None

    def _script(self) -> Classification | None:
        script = self.clues.script.lower()
        if not script:
            return None
        for name in _script_names(script):
            rule = self.book.find("script", name)
            if rule is not None:
                return self._said(rule, KNOWN, "script", f"script {script!r}")
        # A file called go.py is not the Go compiler: only a script without an ending is a program.
        rule = self.book.find_exact("program", _base(script))
        if rule is not None and rule.role == "program":
            return self._said(rule, ALIKE, "script", f"script {script!r}")
        return None

    def _root(self) -> Classification | None:
        """The program that a person started, where the job is all that it started."""
        words = self.clues.command.lower().split()
        if self.group.kind is not GroupKind.JOB or not words:
            return None
        name = words[0]
        found = self._lookup(name)
        if found is None or found[0].role != "program":
            return None
        return self._said(found[0], found[1], "job", f"job of {_base(name)!r}")

    def _program(self) -> Classification | None:
        for name in self._own_names():
            found = self._lookup(name)
            if found is None:
                continue
            rule, confidence = found
            better = self._instead(rule, name) if rule.role != "program" else None
            return better or self._said(rule, confidence, "program", f"program {name!r}")
        return None

    def _instead(self, rule: Rule, name: str) -> Classification | None:
        """Who answers for a program that does not answer for itself."""
        # A script that no rule knows may call make: that does not make it a build.
        own_script = rule.role == "interpreter" and self.clues.script
        if rule.role == "host":
            return self._words() or (self._mere(rule, name) if self._named else self._busiest())
        owner = self._owner("" if own_script else rule.category)
        if owner is not None:
            return self._said(owner[0], ALIKE, "above", f"{name!r} works for {owner[1]!r}")
        if rule.category == "shell":
            chief = None if own_script or self._named else self._chief()
            if chief is not None:
                return self._said(chief[0], ALIKE, "program", f"{name!r} works for {chief[1]!r}")
            guess = self._words()
            if guess is not None:
                return guess
        if rule.role == "interpreter" and self._named:
            return self._mere(rule, name)
        if own_script:
            label = printable(f"{rule.label} {_base(self.clues.script)}")
            reason = f"{name!r} runs {self.clues.script!r}, which no rule knows"
            return Classification(
                rule.category, label[:60], GUESS, rule.name, reason, "program", rule.role
            )
        return None

    def _mere(self, rule: Rule, name: str) -> Classification | None:
        """A shell or an interpreter at work in a unit or container, which says little."""
        if rule.category != "shell":
            return None
        reason = f"{name!r} works most in it, and says little"
        return Classification(
            rule.category, self._own_name(), GUESS, rule.name, reason, "program", rule.role
        )

    def _own_names(self) -> Iterator[str]:
        program = self.clues.program.lower()
        if program:
            yield program
        executable = _base(self.clues.executable.lower())
        # The shell that a line was given to is not what the line runs.
        line = self.group.kind is GroupKind.JOB and not self.clues.script
        told = line and bool(program) and executable in shipped().shells
        if executable and executable != program and not told:
            yield executable

    def _path(self) -> Classification | None:
        path = self.clues.executable.lower().replace("\\", "/")
        rule = self.book.find("path", path) if path else None
        return self._said(rule, ALIKE, "path", f"executable {path!r}") if rule else None

    def _above(self) -> Classification | None:
        owner = self._owner("")
        return self._said(owner[0], INSIDE, "above", f"started by {owner[1]!r}") if owner else None

    def _owner(self, category: str) -> tuple[Rule, str] | None:
        """The nearest program above that answers for what it starts.

        Args:
            category: a program in the same group will do if it is of this kind: ``make`` beside
                ``cc1``. What else a script has started says nothing.
        """
        for name in self.clues.ancestors:
            found = self._lookup(name.lower())
            if found is not None and found[0].role == "program":
                return found[0], name
        for name in self.clues.members:
            found = self._lookup(name.lower())
            if found is not None and (found[0].role, found[0].category) == ("program", category):
                return found[0], name
        return None

    def _busiest(self) -> Classification | None:
        """What works most below a shell or another host; who works less names nothing."""
        for name in self.clues.members:
            found = self._lookup(name.lower())
            if found is None:
                return None
            if found[0].role != "host":
                return self._said(found[0], INSIDE, "program", f"{name!r} works most in it")
        return None

    def _chief(self) -> tuple[Rule, str] | None:
        """The uppermost tool that says what the work is for: ``tar`` above ``gzip``."""
        root = self.clues.command.split()[:1] if self.group.kind is GroupKind.JOB else ()
        for name in (*root, *reversed(self.clues.ancestors), *self.clues.members):
            found = self._lookup(name.lower())
            if found is not None and found[0].role == "tool" and found[0].category != "shell":
                return found[0], name
        return None

    def _words(self) -> Classification | None:
        texts = (
            self.clues.script,
            self.clues.unit,
            self.clues.container_name,
            self.clues.container_image.rpartition("/")[2],
            self.group.label.split(" ")[0] if self.group.kind is GroupKind.JOB else "",
        )
        for text in texts:
            for word in _WORD.findall(_base(text.lower())):
                rule = self.book.find_exact("word", word)
                if rule is not None:
                    return self._said(rule, GUESS, "words", f"the word {word!r} in {text!r}")
        return None

    def _lookup(self, name: str) -> tuple[Rule, float] | None:
        name = _base(name)
        rule = self.book.find("program", name)
        if rule is not None:
            return rule, KNOWN
        stripped = _VERSION.sub("", name)
        if stripped != name and stripped:
            rule = self.book.find_exact("program", stripped)
            if rule is not None:
                return rule, ALIKE
        return None

    def _said(self, rule: Rule, confidence: float, by: str, reason: str) -> Classification:
        if rule.confidence is not None:
            confidence = min(confidence, rule.confidence)
        return Classification(
            rule.category, rule.label, confidence, rule.name, reason, by, rule.role
        )


def _base(path: str) -> str:
    """The last part of a path, without the ending that Windows gives programs."""
    return path.rpartition("/")[2].rpartition("\\")[2].removesuffix(".exe")


def _without_type(unit: str) -> str:
    for ending in _TYPES:
        unit = unit.removesuffix(ending)
    return unit


def _app_of(unit: str) -> str:
    """The application in a unit named by the desktop: ``app-gnome-org.gimp.GIMP-1234``.

    The scheme is systemd's (Desktop Environment Integration): app[-launcher]-id[-random].
    """
    if not unit.startswith("app-"):
        return ""
    name = re.sub(r"[-@][0-9a-f]+$", "", unit.removeprefix("app-"))
    return name.rpartition("-")[2].replace("\\x2d", "-").rpartition(".")[2]


def _image_names(image: str) -> Iterator[str]:
    """``ghcr.io/a/b-server:v1`` as ``a/b-server`` and ``b-server``."""
    head, _, last = image.rpartition("/")
    last = last.split(":")[0]
    if head:
        yield f"{head.rpartition('/')[2]}/{last}"
    yield last


def _container_names(name: str) -> Iterator[str]:
    """``shop-postgres-1`` as itself, ``shop-postgres`` and the service in it, ``postgres``."""
    if not name:
        return
    yield name
    plain = _COMPOSE.sub("", name)
    if plain != name:
        yield plain
    for separator in "-_":
        if separator in plain:
            yield plain.partition(separator)[2]
            yield plain.rpartition(separator)[2]
            yield plain.partition(separator)[0]


def _script_names(script: str) -> Iterator[str]:
    """``/opt/x/train.py`` as ``train.py`` and ``train``; ``http.server`` also as ``http``."""
    base = _base(script)
    yield base
    stem = re.sub(r"\.(?:py|pyw|js|mjs|cjs|ts|sh|bash|rb|pl|php|jar|lua|r|jl)$", "", base)
    if stem != base:
        yield stem
    first = stem.split(".")[0]
    if first not in (stem, ""):
        yield first
