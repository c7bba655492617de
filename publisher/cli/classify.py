"""``fanwhy-pub classify``: which rule names a program, and why."""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated, Any

import typer

from publisher.cli.asking import Surroundings, ask
from publisher.cli.descriptions import Description, DescriptionError, numbered_lines
from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import print_json
from publisher.contract.printable import printable
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.explain.naming.classification import Classification
from publisher.explain.naming.classifier import Classifier
from publisher.explain.naming.rules import load
from publisher.explain.naming.traits import with_traits
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.described import DescribedLedger
from publisher.pipeline import ProcessWatcher
from publisher.sources import machine_files

log = logging.getLogger(__name__)

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
    ("interpreter", "run by"),
    ("worker_script", "which runs"),
    ("disguise", "but"),
)


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|PID",
            help="A program or product, a command line such as 'bash /opt/nightly.sh', or the "
            "number of a process.",
            show_default=False,
        ),
    ] = None,
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

    With --json and no name it reads descriptions of processes, a JSON object a line, and answers
    each with one line: comm, and if known argv (a list), exe, cgroup, container (name, image)
    and parents (a list, the nearest first, of the same without container and parents).

    Examples:
        fanwhy-pub classify backupd
        fanwhy-pub classify gzip --inside duplicity
        fanwhy-pub classify "time machine"
        fanwhy-pub classify "sudo nice bash /opt/nightly.sh"
        fanwhy-pub classify 4711
        echo '{"comm": "python3", "argv": ["python3", "train.py"]}' | fanwhy-pub classify --json
    """
    settings = settings_of(broker, prefix, config).settings
    if name is None and as_json and not sys.stdin.isatty():
        return _describe_all(settings)
    name = (name or "").strip()
    if not name:
        raise ConfigError(
            "name a program, a command or a process, or describe processes on standard input "
            "with --json; see fanwhy-pub classify --help"
        )
    book = load(settings.explain.rules_file)
    around = Surroundings(script=script, unit=unit, image=image, inside=inside)
    group, clues = ask(name, settings, book, around)
    found = Classifier(book).classify(group, clues)
    if name.isdigit():
        watcher = ProcessWatcher(machine_files(settings.root))
        found = with_traits(found, watcher.traits(int(name)))
    if as_json:
        print_json(
            {
                **_answer(group, found),
                "clues": {key: value for key, _ in _CLUES if (value := getattr(clues, key))},
            }
        )
    else:
        _show(group, clues, found)
    return 0


def _describe_all(settings: Settings) -> int:
    """Answers each line of standard input; what is no description is told on standard error."""
    ledger = DescribedLedger(settings.ledger)
    book = load(settings.explain.rules_file)
    code = 0
    for number, line in numbered_lines(sys.stdin.buffer):
        try:
            account = Description.parse(line).account(ledger)
            found = Classifier(book).classify(account.group, account.clues)
        except Exception as error:  # whatever a line holds, the others go on
            log.debug("line %d", number, exc_info=True)
            told = str(error) if isinstance(error, DescriptionError) else f"unexpected {error!r}"
            print(f"fanwhy-pub: line {number}: {printable(told)}", file=sys.stderr)
            code = 1
        else:
            print(json.dumps(_answer(account.group, found)), flush=True)
    return code


def _answer(group: WorkGroup, found: Classification) -> dict[str, Any]:
    return {
        "category": found.category,
        "label": found.told,
        "group": group.label,
        "kind": str(group.kind),
        "confidence": found.confidence,
        "rule": found.rule,
        "reason": found.reason,
    }


def _show(group: WorkGroup, clues: Clues, found: Classification) -> None:
    rule = f"{found.category}.{found.rule}" if found.rule else "none"
    rows = [
        ("label", found.told),
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
