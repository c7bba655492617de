"""Which program it is, where a rule's label fits several: *Scientific computing (gmx)*."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from publisher.contract.printable import bare, printable
from publisher.contract.readings import GroupKind
from publisher.explain.naming.classification import Classification
from publisher.explain.naming.lookup import passing
from publisher.explain.naming.place_names import is_part
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.generic import is_generic
from publisher.ledger.naming.programs import shipped

_CARRIERS: Final = ("interpreter", "host")
_LONGEST: Final = 40


def with_worker(found: Classification, group: WorkGroup, clues: Clues) -> Classification:
    """The finding with the program or script that it is said of, unless it tells that already."""
    if found.role in _CARRIERS or found.is_miner:
        return found
    known = bare(f"{found.label} {group.label}")
    for name in _workers(found, group, clues):
        path, _, last = name.replace("\\", "/").rpartition("/")
        folder = path.rpartition("/")[2] if is_generic(last) else ""
        worker = printable(f"{folder}/{last}" if folder else last)  # index.php says nothing
        plain = bare(folder or last.partition(".")[0])
        if plain and plain not in known and len(worker) <= _LONGEST:
            return replace(found, worker=worker)
    return found


def _workers(found: Classification, group: WorkGroup, clues: Clues) -> Iterator[str]:
    """What the finding may be said of, the most telling first."""
    script = clues.worker_script or clues.script
    image = clues.container_image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    if found.rule and is_part(group.label.lower()) and not is_part(image.lower()):
        yield image  # every other pod has a container ``app``
    if not found.rule:
        if group.kind is GroupKind.UNIT or passing(clues.script_path):
            yield script
        return
    if found.by == "container":
        if image and f"{image.lower()}'" in found.reason:
            yield image
    elif found.by == "words":
        if script and script in found.reason:
            yield script
    elif found.by == "unit":
        if found.category in ("development", "gaming") and clues.unit.startswith("app-"):
            yield from _at_work(script, clues)
    elif found.by == "script" or (found.by == "path" and clues.script_path):
        yield from (script, *_at_work("", clues))
    # A build has another tool at work at each look: who answers for them is named, not they.
    elif found.by in ("program", "path", "command"):
        yield from _at_work(script, clues)
    elif found.by in ("above", "job") and found.category != "development":
        yield clues.worker_script


def _at_work(script: str, clues: Clues) -> Iterator[str]:
    """The program at work; the script, where that is a shell or an interpreter."""
    tables = shipped()
    if clues.program.lower() in tables.shells or clues.program in tables.interpreters:
        yield script
    else:
        yield clues.program
