"""When which load begins and ends: drawn from a seed, the same each time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations, permutations


class Size(Enum):
    """How much of the machine a load gets.

    Attributes:
        duty: part of the time in which it may run.
        nice: its session's priority.
    """

    BIG = (1.0, -8)
    MIDDLE = (0.5, -4)
    SMALL = (0.15, 0)

    def __init__(self, duty: float, nice: int) -> None:
        self.duty = duty
        self.nice = nice


@dataclass(frozen=True)
class Run:
    """One load from its beginning to its end, in seconds of the plan."""

    load: str
    began: float
    ended: float
    size: Size = Size.BIG


@dataclass(frozen=True)
class Plan:
    """All runs of a measurement.

    Attributes:
        seconds: how long it is listened.
        blocks: beginning, end and name of each trial in it; none where all is one.
        most_changes: sentences that a block may need; ``None`` where minutes are counted.
        strangers: whoever leads is asked for, not only who was begun here.
    """

    name: str
    runs: tuple[Run, ...]
    seconds: float
    blocks: tuple[tuple[float, float, str], ...] = ()
    most_changes: int | None = None
    strangers: bool = False

    @property
    def loads(self) -> list[str]:
        return sorted({run.load for run in self.runs})


def watch(minutes: float) -> Plan:
    """Nothing is begun: whatever the machine does by itself is judged."""
    return Plan("watch", (), 60 * minutes, strangers=True)


def churn(loads: Sequence[str], seed: int, minutes: float, kinds: int = 10) -> Plan:
    """So many kinds of load with random beginnings, ends and sizes, about three at once."""
    draw = random.Random(seed)
    runs: list[Run] = []
    for load in sorted(draw.sample(sorted(loads), min(kinds, len(loads)))):
        at = draw.uniform(0, 40)
        while at < 60 * minutes - 3:
            lasts = draw.choice((5, 10, 20, 40)) * draw.uniform(0.7, 1.3)
            end = min(at + lasts, 60 * minutes)
            runs.append(Run(load, round(at, 2), round(end, 2), draw.choice(tuple(Size))))
            at += lasts + draw.uniform(10, 75)
    return Plan("churn", tuple(sorted(runs, key=lambda run: run.began)), 60 * minutes)


def three(loads: Sequence[str], seed: int, count: int, seconds: float, gap: float) -> Plan:
    """Three at once, one after another, with rests between."""
    triples = random.Random(seed).sample(list(combinations(sorted(loads), 3)), count)
    runs, blocks, at = [], [], gap
    for triple in triples:
        runs += [Run(load, at, at + seconds) for load in triple]
        blocks.append((at, at + seconds, "+".join(triple)))
        at += seconds + gap
    return Plan("three", tuple(runs), at, tuple(blocks), 2)


def sequences(loads: Sequence[str], seed: int, count: int, seconds: float, gap: float) -> Plan:
    """A second begins 8 s after the first, which ends while the second goes on."""
    pairs = random.Random(seed).sample(list(permutations(sorted(loads), 2)), count)
    runs, blocks, at = [], [], gap
    for first, second in pairs:
        runs += [Run(first, at, at + 8 + seconds / 2), Run(second, at + 8, at + 8 + 1.5 * seconds)]
        blocks.append((at, at + 8 + 1.5 * seconds, f"{first}, {second}"))
        at += 8 + 1.5 * seconds + gap
    return Plan("sequences", tuple(runs), at, tuple(blocks), 3)
