"""What a host says of itself: which machine it is, and which of its subsystems have no values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from subscriber_cli.model.row import Row
from subscriber_cli.model.values import Document, clean, mapping, words

SUBSYSTEMS = "senses"
"""The field of ``info`` that holds the subsystems."""
TOTALS = "totals"
"""The field of ``info`` that holds what only a later run of the daemon wants to know."""

_IDENTITY = ("operating_system", "cpu_model", "virtualization", "kernel", "fanwhy_version")


@dataclass(frozen=True, slots=True)
class SubsystemHealth:
    """Whether one subsystem of a host has values (``ok``), and if not, why."""

    name: str
    state: str
    reason: str


def subsystems(document: Document) -> tuple[SubsystemHealth, ...]:
    """The subsystems in a payload of ``info``."""
    return tuple(
        SubsystemHealth(clean(name), words(item, "state"), words(item, "reason"))
        for name, item in mapping(document, SUBSYSTEMS).items()
        if isinstance(item, dict)
    )


def identity(row: Row) -> Row:
    """The few fields of ``info`` by which people know a machine, the most telling first."""
    cells = (cell for name in _IDENTITY if (cell := row.cell(name)) is not None)
    return replace(row, cells=tuple(cells))
