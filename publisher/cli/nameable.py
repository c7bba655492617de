"""The names that the configuration can use on this machine, as ``doctor`` prints them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from publisher.cli.look import Look
from publisher.config.patterns import Pattern, plain
from publisher.contract.metric import Kind, fields_of
from publisher.contract.printable import printable
from publisher.explain.detect import spared
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.naming.account_classifier import AccountClassifier
from publisher.subsystems.selection import names_of

PROGRAMS = "programs"
Names = Mapping[str, Sequence[tuple[str, ...]]]
"""What each thing of a kind goes by, its identity first."""

# Fields of readings whose devices have a kind of their own, under which they are told.
_TOLD = ("devices", "filesystems", "arrays", "interfaces", "temperatures", "fans", "supplies")


def nameable(seen: Look, settings: ExplainSettings) -> Names:
    """Devices by kind, and under ``programs`` the work that was going on."""
    found = {kind: names for kind, names in seen.devices.items() if names}
    for reading in seen.readings.values():
        for field in fields_of(type(reading)):
            if field.metric.kind is Kind.INSTANCES and field.name not in _TOLD:
                devices = getattr(reading, field.name)
                names = [names_of(identity, device) for identity, device in devices.items()]
                found |= {field.name: names} if names else {}
    if seen.balance is not None:
        classifier = AccountClassifier(settings.rules_file)
        found[PROGRAMS] = [
            spared.names_of(account, classifier.classify(account))
            for account in seen.balance.accounts
            if not account.group.own
        ]
    return found


def unheard(names: Names, settings: ExplainSettings) -> Iterator[tuple[str, str]]:
    """Patterns for programs that fit nothing that is at work now: setting and words."""
    groups = names.get(PROGRAMS, ())
    every = {plain(name): name for group in groups for name in group}
    for key, patterns in (
        ("explain.never_blame", settings.never_blame),
        ("explain.blame_above_percent", settings.blame_above_percent),
    ):
        for text in patterns:
            if any(Pattern(text).fits(group) for group in groups):
                continue
            near = difflib.get_close_matches(plain(text).strip("*"), every, n=1, cutoff=0.7)
            meant = f"; did you mean {every[near[0]]}?" if near else ""
            yield key, printable(f'"{text}" fits nothing that is at work now{meant}')


def table(names: Names) -> Table:
    """A row a kind: the shortest name of each that no other one of its kind has."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    for kind, groups in names.items():
        shared = Counter(plain(name) for group in groups for name in dict.fromkeys(group))
        shown = []
        for identity, *others in groups:
            alone = [name for name in others if shared[plain(name)] == 1]
            shown.append(alone[0] if kind != PROGRAMS and alone else identity)
        rows.add_row(Text(kind), Text(printable(", ".join(dict.fromkeys(shown)))))
    return rows
