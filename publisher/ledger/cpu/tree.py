"""Descent, among processes of which some are dead."""

from __future__ import annotations

from typing import TypeAlias

from publisher.ledger.cpu.process import M, Process

Dead: TypeAlias = dict[Process[M], Process[M] | None]
"""Those found dead, in that order; to each an ancestor such that all between are dead, too."""


def alive_above(process: Process[M], dead: Dead[M]) -> Process[M] | None:
    """The nearest ancestor that is not dead; shortens the way there for the next question."""
    line: list[Process[M]] = []
    above = process.parent
    while above is not None and above in dead:
        line.append(above)
        above = dead[above]
    for one in line:
        dead[one] = above
    return above


def is_below(process: Process[M], other: Process[M]) -> bool:
    """Whether ``process`` is ``other`` or below it; none is above that began later."""
    above: Process[M] | None = process
    while above is not None and above.start >= other.start:
        if above is other:
            return True
        above = above.parent
    return False


def depth(process: Process[M], known: dict[Process[M], int]) -> int:
    """How many ancestors it has; ``known`` spares going up the same line twice, and grows."""
    line: list[Process[M]] = []
    above: Process[M] | None = process
    while above is not None and above not in known:
        line.append(above)
        above = above.parent
    depth = -1 if above is None else known[above]
    for one in reversed(line):
        depth += 1
        known[one] = depth
    return depth
