"""Whether the archive has every event, once, and none that never was."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass

from hour_parts.household import Household


@dataclass(frozen=True)
class EventCount:
    """Events by what became of them.

    Attributes:
        lost: heard by the witness and not kept; ``invented``: kept and never heard.
        holes: numbers that neither has: each run of the daemon counts its own without a hole.
    """

    kept: int
    heard: int
    lost: int
    invented: int
    holes: int

    @property
    def met(self) -> bool:
        return self.kept > 0 and not (self.lost or self.invented or self.holes)

    @property
    def lines(self) -> list[str]:
        kept = f"events: {self.kept} kept, {self.heard} heard by the witness"
        return [f"{kept}, {self.lost} lost, {self.invented} invented, {self.holes} holes in them"]


def count_events(house: Household) -> EventCount:
    with closing(sqlite3.connect(house.database)) as connection:
        kept = {name for (name,) in connection.execute("SELECT id FROM event")}
    heard = set(house.heard)
    numbers: dict[str, set[int]] = defaultdict(set)
    for name in kept | heard:
        run, _, number = name.removesuffix("-end").rpartition("-")
        if number.isdigit() and not name.endswith("-end"):
            numbers[run].add(int(number))
    holes = sum(max(found) - len(found) for found in numbers.values())
    return EventCount(len(kept), len(heard), len(heard - kept), len(kept - heard), holes)
