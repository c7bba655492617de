"""Which program it is, where a rule's label fits several: *Scientific computing (gmx)*."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from publisher.contract.printable import printable
from publisher.explain.naming.classification import Classification
from publisher.ledger.accounts import Clues, WorkGroup

_BY_WORKER: Final = ("program", "script", "path", "command", "words")
_CARRIERS: Final = ("interpreter", "host")
_LONGEST: Final = 40


def with_worker(found: Classification, group: WorkGroup, clues: Clues) -> Classification:
    """The finding with the program or script that it is said of, unless it tells that already."""
    if found.by not in _BY_WORKER or not found.rule or found.role in _CARRIERS or found.is_miner:
        return found
    script = clues.worker_script or clues.script
    if found.by == "words" and clues.worker_script not in found.reason:
        return found
    scripted = found.by in ("script", "words") or (found.by == "path" and clues.script_path)
    worker = script if scripted and script else clues.program
    worker = printable(worker.rpartition("/")[2].rpartition("\\")[2])
    known, bare = _bare(f"{found.label} {group.label}"), _bare(worker.partition(".")[0])
    if not bare or bare in known or len(worker) > _LONGEST:
        return found
    return replace(found, worker=worker)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
