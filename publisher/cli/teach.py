"""``fanwhy-pub teach``: a rule of your own, written and put into force."""

from __future__ import annotations

import os
import re
import signal
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import chain, count
from typing import Annotated, Any

import typer

from publisher.cli.asking import ask, running_daemon
from publisher.cli.options import Broker, Config, Prefix, settings_of
from publisher.cli.rules_file import RulesFile
from publisher.cli.teachable import Teachable, teachables
from publisher.cli.writing import alone, rewrite
from publisher.config.template import toml
from publisher.config.walk import nearest
from publisher.contract.printable import printable
from publisher.contract.readings import CATEGORIES, GroupKind
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError, FanwhyError
from publisher.explain.naming import rules
from publisher.explain.naming.classification import ALIKE, Classification
from publisher.explain.naming.classifier import Classifier
from publisher.explain.naming.rules import RuleBook
from publisher.ledger.ledger import namer_of

_LONGEST = 60
_shipped = cache(rules.shipped)
_VAGUE = ("shell", "unknown")


def _categories() -> list[str]:
    return list(CATEGORIES)


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="PID|NAME",
            help="The number of a process, a command line such as 'bash /opt/nightly.sh', or a "
            "program.",
            show_default=False,
        ),
    ],
    label: Annotated[
        str, typer.Argument(metavar="LABEL", help="What you call it.", show_default=False)
    ],
    *,
    category: Annotated[
        str,
        typer.Option(
            help="The kind of work, such as backup or media; told from the label or from what is "
            "known, if it is left out.",
            autocompletion=_categories,
            show_default=False,
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")
    ] = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Give a process a name of your own: writes a rule, and has the running fanwhy read it.

    The rule goes by the most telling thing that is known of the process: its container, its unit,
    its script, its command or its program, never by a shell or an interpreter alone. It stands in
    the file that explain.rules_file names, which is made if there is none; whatever else is in it
    stays as it is. Said again with another label, it replaces the rule.

    Examples:
        fanwhy-pub teach 4711 "Nightly copy to the NAS"
        fanwhy-pub teach 4711 "Nightly copy to the NAS" --category backup --dry-run
        fanwhy-pub teach "bash /opt/nightly.sh" "Nightly copy to the NAS"
        fanwhy-pub teach my-encoder "My encoder" --category media
    """
    label = _checked(label)
    if category and category not in CATEGORIES:
        hint = nearest(category, CATEGORIES) or f"; there are {', '.join(CATEGORIES)}"
        raise ConfigError(f"--category: no category {printable(category)}{hint}")
    loaded = settings_of(broker, prefix, config)
    with alone(RulesFile.of(loaded).path):
        file = RulesFile.of(loaded)
        lesson = _lesson(what.strip(), label, category, file, loaded.settings)
        changed = lesson.text != file.text
        if changed and not dry_run:
            rewrite(file.path, lesson.text)
    told = "would write" if dry_run else "wrote"
    print(f"{told} {file.path}" if changed else f"{file.path} has it already")
    _show(lesson)
    if not dry_run:
        _put_into_force(file, changed=changed)
    return 0


def _checked(label: str) -> str:
    label = label.strip(" ")
    if not label:
        raise ConfigError("LABEL: must not be empty")
    if not label.isprintable():
        raise ConfigError(f"LABEL: {printable(label)}: must not hold control characters")
    if len(label) > _LONGEST:
        raise ConfigError(f"LABEL: must have at most {_LONGEST} characters")
    return label


# --- from a process to a rule ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Lesson:
    """A rule that names a work group as it was told.

    Attributes:
        by: what the group is told by.
        text: the file with the rule in it.
        before: what the group was taken for; ``after``: likewise, by the rule.
    """

    category: str
    name: str
    body: dict[str, Any]
    by: Teachable
    text: str
    before: Classification
    after: Classification


def _lesson(what: str, label: str, category: str, file: RulesFile, settings: Settings) -> _Lesson:
    """The rule by the most telling thing that is known, among those that make a difference.

    Raises:
        FanwhyError: there is none.
    """
    book = rules.fold(_shipped(), file.document)
    group, clues = ask(what, settings, book)
    if group.own:
        raise FanwhyError("that is fanwhy itself, which always goes by its own name")
    before = Classifier(book).classify(group, clues)
    refused: tuple[Teachable, Classification] | None = None
    for by in teachables(group, clues, namer_of(settings.ledger).programs, book):
        known = _rule_for(by, file)
        old, name, body = known or ("", _free_name(label, file, book), {by.place: by.name})
        kind = category or old or _category_of(label, before, book)
        if by.role and known is None:
            body = {"role": by.role, **body}
        body = {"label": label, **{key: value for key, value in body.items() if key != "label"}}
        text = file.with_rule(kind, name, body, over=old)
        document = tomllib.loads(text)
        rules.check(document, str(file.path))
        after = Classifier(rules.fold(_shipped(), document)).classify(group, clues)
        if (after.rule, after.label) == (name, label):
            return _Lesson(kind, name, body, by, text, before, after)
        refused = refused or (by, after)
    shown = f"{group.kind} {printable(group.label)}"
    if refused is None and group.kind is GroupKind.KERNEL:
        raise FanwhyError("a kernel thread without a name cannot be told from others")
    if refused is None:
        raise FanwhyError(
            f"{shown}: only a shell or an interpreter is known of it, and a rule for that would "
            "name everything that it runs"
        )
    by, after = refused
    raise FanwhyError(
        f"{shown}: a rule for {printable(by.matches)} would change nothing, since "
        f"{after.category}.{after.rule} goes before it: {printable(after.reason)}"
    )


def _rule_for(by: Teachable, file: RulesFile) -> tuple[str, str, dict[str, Any]] | None:
    """Category, name and body of the user's rule that is for this alone."""
    for category, entries in file.document.items():
        for name, body in entries.items():
            places = [key for key in body if key in rules.PLACES]
            if places == [by.place] and body[by.place] in (by.name, [by.name]):
                return category, name, dict(body)
    return None


def _free_name(label: str, file: RulesFile, book: RuleBook) -> str:
    """A name that no rule has: one laid over another would take on what that one matches."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "taught"
    taken = {row.partition("\t")[0] for row in book.rules}
    taken.update(name for entries in file.document.values() for name in entries)
    taken.update(name for entries in _shipped().values() for name in entries)
    others = (f"{stem}-{number}" for number in count(2))
    return next(name for name in chain((stem,), others) if name not in taken)


def _category_of(label: str, before: Classification, book: RuleBook) -> str:
    """What is known for sure, else what a word of the label says, else what was guessed."""
    if before.confidence >= ALIKE and before.category not in _VAGUE:
        return before.category
    for word in re.findall(r"\w+", label.lower()):
        rule = book.find_exact("word", word)
        if rule is not None:
            return rule.category
    return before.category


# --- what is said and done ------------------------------------------------------------------------


def _show(lesson: _Lesson) -> None:
    print(f"  [{lesson.category}]")
    print(f"  {lesson.name} = {toml(lesson.body)}")
    rows = [
        ("matches", lesson.by.matches),
        ("before", _said(lesson.before)),
        ("now", _said(lesson.after)),
    ]
    if lesson.category in _VAGUE:
        rows.append(("hint", "--category says what kind of work it is, such as --category backup"))
    for title, value in rows:
        print(f"{title:<10}{printable(value)}")


def _said(found: Classification) -> str:
    return f"{found.label} ({found.category}, {found.confidence:g}): {found.reason}"


def _put_into_force(file: RulesFile, *, changed: bool) -> None:
    """Has the configuration name the file and the running daemon read it, or says how."""
    if file.unnamed_in is not None:
        setting = f"[explain] rules_file = {toml(str(file.path))}"
        if not file.name_it():
            print(f"it has no effect yet: add to {file.unnamed_in}: {setting}")
            return
        print(f"{file.unnamed_in} names it now: {setting}")
    elif not changed:
        return
    daemon = running_daemon()
    if daemon is None or not hasattr(signal, "SIGHUP"):
        print("a fanwhy that is running reads it after: systemctl reload fanwhy-pub (or SIGHUP)")
        return
    try:
        os.kill(daemon, signal.SIGHUP)
    except OSError:
        print(f"the running fanwhy reads it after: sudo kill -HUP {daemon}")
    else:
        print(f"the running fanwhy (process {daemon}) reads it now")
