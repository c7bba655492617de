"""``fanwhy-pub classify``: which rule names a program, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import print_json
from publisher.contract.printable import printable
from publisher.contract.readings import GroupKind
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.rules import load
from publisher.ledger import open_ledger
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.cgroup_names import unit_label
from publisher.sources import Sources, machine_files

_CLUES = (
    ("program", "program"),
    ("executable", "executable"),
    ("script", "script"),
    ("command", "command"),
    ("unit", "unit"),
    ("container_name", "container"),
    ("container_image", "image"),
    ("ancestors", "started by"),
    ("members", "programs in it"),
)


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|PID",
            help="A program, a command such as 'npm run build', or the number of a process.",
        ),
    ],
    *,
    script: Annotated[str, typer.Option(help="What the interpreter runs.")] = "",
    unit: Annotated[str, typer.Option(help="Its systemd unit.")] = "",
    image: Annotated[str, typer.Option(help="Its container's image.")] = "",
    inside: Annotated[str, typer.Option(help="The program that started it.")] = "",
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Tell what kind of work a program or a process does, which rule says so, and why.

    Examples:
        fanwhy-pub classify backupd
        fanwhy-pub classify gzip --inside duplicity
        fanwhy-pub classify "npm run build"
        fanwhy-pub classify 4711
    """
    settings = settings_of(broker, prefix, config).settings
    if name.isdecimal():
        group, clues = _of_process(int(name), settings)
    else:
        group, clues = _of_name(name, script, unit, image, inside)
    found = Classifier(load(settings.explain.rules_file)).classify(group, clues)
    if as_json:
        print_json(_document(group, clues, found))
    else:
        _show(group, clues, found)
    return 0


def _of_name(name: str, script: str, unit: str, image: str, inside: str) -> tuple[WorkGroup, Clues]:
    words = name.split()
    is_command = len(words) > 1 and not name.istitle()
    kind = GroupKind.UNIT if unit else GroupKind.CONTAINER if image else GroupKind.PROGRAM
    clues = Clues(
        program=name,
        script=script,
        command=name if is_command else "",
        unit=unit,
        container_image=image,
        ancestors=(inside,) if inside else (),
    )
    # As the ledger calls it.
    label = unit_label(unit) if unit else image.rpartition("/")[2] or name
    return WorkGroup(name, kind, label), clues


def _of_process(pid: int, settings: Settings) -> tuple[WorkGroup, Clues]:
    sources = Sources(files=machine_files(settings.root))
    ledger = open_ledger(sources, settings.ledger)
    try:
        ledger.sample()
        account = ledger.account_of(pid)
    finally:
        ledger.close()
        sources.files.close()
    if account is None:
        alive = sources.files.exists(f"/proc/{pid}")
        raise FanwhyError(
            f"process {pid} cannot be seen by this user" if alive else f"there is no process {pid}"
        )
    return account.group, account.clues


def _document(group: WorkGroup, clues: Clues, found: Classification) -> dict[str, object]:
    return {
        "label": found.label,
        "category": found.category,
        "confidence": found.confidence,
        "rule": found.rule,
        "reason": found.reason,
        "group": {"kind": str(group.kind), "label": group.label},
        "clues": {key: value for key, _ in _CLUES if (value := getattr(clues, key))},
    }


def _show(group: WorkGroup, clues: Clues, found: Classification) -> None:
    rule = f"{found.category}.{found.rule}" if found.rule else "none"
    rows = [
        ("label", found.label),
        ("category", found.category),
        ("confidence", f"{found.confidence:g}"),
        ("rule", rule),
        ("because", found.reason),
        ("group", f"{group.kind} {group.label}"),
    ]
    for key, title in _CLUES:
        value = getattr(clues, key)
        if value:
            rows.append((title, ", ".join(value) if isinstance(value, tuple) else value))
    for title, value in rows:
        print(f"{title:<15}{printable(value)}")
