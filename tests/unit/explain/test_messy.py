"""A messy machine: many loads that come and go. Always a name, the right one, calmly."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from unit.explain.stage import MakeAccount, Stage

_PROGRAMS = (
    "make", "xz", "stockfish", "borg", "ffmpeg", "postgres", "frobnicate", "clamscan", "python3",
    "node", "mysqld", "wget",
)  # fmt: skip
_CORES = 4
_LATELY = 10.0
_GRACE = 3.0
_NEARLY = 0.8


@dataclass
class Truth:
    """Who used how much in the last ten seconds, as the machine knows it."""

    windows: deque[tuple[float, float, dict[str, float]]] = field(default_factory=deque)
    leaders: frozenset[str] = frozenset()
    workers: frozenset[str] = frozenset()
    since: float = 0.0

    def observe(self, used: dict[str, float], now: float, seconds: float) -> None:
        self.windows.append((now, seconds, used))
        while self.windows[0][0] <= now - _LATELY:
            self.windows.popleft()
        sums: dict[str, float] = {}
        for _, length, by in self.windows:
            for name, cores in by.items():
                sums[name] = sums.get(name, 0.0) + cores * length
        self.workers = frozenset(sums)
        most = max(sums.values(), default=0.0)
        leaders = frozenset(name for name, one in sums.items() if one >= _NEARLY * most > 0)
        if not leaders & self.leaders:
            self.since = now
        self.leaders = leaders


@dataclass
class Score:
    rows: list[tuple[float, str]] = field(default_factory=list)
    judged: int = 0
    right: int = 0
    nameless: int = 0
    stale: int = 0


def loads(
    chance: random.Random, minutes: float, busy: int
) -> list[tuple[str, float, float, float]]:
    """Program, begin, end and cores of each load; about ``busy`` at once."""
    found = []
    for _ in range(busy):
        at = chance.uniform(0, 8)
        while at < 60 * minutes:
            lasts = chance.choice((3, 8, 15, 40, 90)) * chance.uniform(0.6, 1.4)
            cores = chance.choice((0.1, 0.3, 1.0, 1.0, 2.0))
            found.append((chance.choice(_PROGRAMS), at, at + lasts, cores))
            at += lasts + chance.uniform(0, 15)
    return found


def play(
    stage: Stage, make_account: MakeAccount, plan: list[tuple[str, float, float, float]],
    chance: random.Random, minutes: float,
) -> Score:  # fmt: skip
    score, truth, begin = Score(), Truth(), stage.now
    while (past := stage.now - begin) < 60 * minutes:
        asked: dict[str, float] = {}
        for name, begins, ends, cores in plan:
            if begins <= past < ends:
                asked[name] = asked.get(name, 0.0) + cores
        scale = min(1.0, _CORES / max(sum(asked.values()), 0.1))
        wobble = {name: cores * scale * chance.uniform(0.7, 1.0) for name, cores in asked.items()}
        seconds = min(stage.explainer.wants_soon() or 2.0, 2.0)
        verdict = stage.step(
            *(make_account(name, cores) for name, cores in wobble.items()), seconds=seconds
        )
        truth.observe(wobble, stage.now, seconds)
        text = verdict.headline
        if not score.rows or score.rows[-1][1] != text:
            score.rows.append((stage.now, text))
        if sum(wobble.values()) < 1.0 or verdict.state == "quiet":
            continue
        told = {name for name in _PROGRAMS if name in text or WORDS.get(name, name) in text}
        score.nameless += not told
        if stage.now - truth.since > _GRACE:
            score.judged += 1
            score.right += bool(told & truth.leaders)
            score.stale += bool(told - truth.workers) and "lately" not in text
    return score


WORDS = {
    "make": "Software build", "xz": "Compression", "borg": "Borg", "ffmpeg": "ideo transcoding",
    "postgres": "PostgreSQL", "clamscan": "ClamAV", "python3": "Python", "node": "Node.js",
    "mysqld": "MySQL", "wget": "Download",
}  # fmt: skip


@pytest.mark.parametrize("busy", [2, 4, 7])
def test_always_a_name_the_right_one_calmly(
    make_stage: type[Stage], make_account: MakeAccount, busy: int
) -> None:
    total = Score()
    for seed in range(4):
        chance = random.Random(f"{seed}/{busy}")
        stage = make_stage(cores=_CORES)
        score = play(stage, make_account, loads(chance, 10, busy), chance, 10)
        for at, _ in score.rows:
            lately = [text for one, text in score.rows if at <= one < at + 60]
            assert sum(text != "System load normal" for text in lately) <= 4
        total.judged += score.judged
        total.right += score.right
        total.nameless += score.nameless
        total.stale += score.stale
        total.rows += score.rows
    assert total.nameless == 0
    assert total.right >= 0.95 * total.judged
    assert total.stale <= 0.05 * total.judged
