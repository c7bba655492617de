"""What was said, held against who really worked.

Once a second while the machine is busy the headline is asked for the true leader of the last ten
seconds. Who has at least four fifths of what the leader has may be named in his stead; where the
leader has ended, the one who leads among those at work counts as well; for three seconds after
the lead has changed nothing is asked. Seconds that somebody else on the machine leads are no
fault of anyone and not counted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from why_parts.listening import NORMAL, Said
from why_parts.plans import Plan
from why_parts.truth import Meter, Share

BUSY_CORES = 0.6
"""What the daemon calls busy by default."""
_LIKE_THE_FIRST = 0.8
_GRACE = 3.0
_WORKED = 0.03
"""Cores from which one counts as truly at work."""
_MOST_A_MINUTE = 4
_LEADER_NAMED = 95.0


@dataclass(frozen=True)
class Sentence:
    """A headline that was new, and the truth beside it; ``at`` in seconds of the plan."""

    at: float
    state: str
    text: str
    truth: tuple[str, ...]
    names: tuple[str, ...]
    leader: str
    anonymous: bool


@dataclass(frozen=True)
class Second:
    """One look at the headline: who led, and whether he was named; by his own name, too."""

    at: float
    leader: str
    text: str
    named: bool
    by_own_name: bool | None
    strictly: bool


@dataclass
class Score:
    sentences: list[Sentence] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    foreign_seconds: int = 0
    anonymous_seconds: int = 0
    rows: int = 0
    rows_with_causes: int = 0
    state_changes: int = 0
    most_in_a_minute: int = 0
    minutes: float = 0.0
    late: list[float] = field(default_factory=list)
    """Seconds from a change of the lead to the sentence that names the new leader."""
    block_changes: dict[str, int] = field(default_factory=dict)
    most_changes: int | None = None

    @property
    def a_minute(self) -> float:
        return len(self.sentences) / self.minutes

    @property
    def named_percent(self) -> float:
        return _percent([second.named for second in self.seconds])

    @property
    def strictly_percent(self) -> float:
        return _percent([second.strictly for second in self.seconds])

    @property
    def own_percent(self) -> float | None:
        asked = [second.by_own_name for second in self.seconds if second.by_own_name is not None]
        return _percent(asked) if asked else None

    @property
    def anonymous(self) -> int:
        return sum(sentence.anonymous for sentence in self.sentences)

    @property
    def goals(self) -> list[tuple[str, bool]]:
        """Each goal with its figure, and whether it was met."""
        if self.most_changes is None:
            calm = f"sentences a minute: {self.a_minute:.1f}, in the worst {self.most_in_a_minute}"
            most, allowed = self.most_in_a_minute, _MOST_A_MINUTE
        else:
            most, allowed = max(self.block_changes.values(), default=0), self.most_changes
            calm = f"most headline changes: {most}"
        named = f"true leader named: {self.named_percent:.1f} % of {len(self.seconds)} s"
        return [
            (f"{calm} (at most {allowed})", most <= allowed),
            (
                f"{named} (at least {_LEADER_NAMED:.0f} %)",
                bool(self.seconds) and self.named_percent >= _LEADER_NAMED,
            ),
            (f"anonymous sentences: {self.anonymous} (0)", self.anonymous == 0),
        ]


def _percent(answers: Sequence[bool]) -> float:
    return 100 * sum(answers) / len(answers) if answers else 100.0


def mentions(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words stands in the text; short ones only as a whole word."""
    text = text.lower()
    return any(
        re.search(rf"(?<!\w){re.escape(word)}" + (r"(?!\w)" if len(word) < 5 else ""), text)
        for word in words
    )


def score(plan: Plan, began: float, said: Sequence[Said], meter: Meter) -> Score:
    """Judges what was said during a plan that began at a moment of the monotonic clock."""
    ended = began + plan.seconds
    before = [one for one in said if one.at < began]
    during = [one for one in said if began <= one.at <= ended]
    told = (before[-1:] or during[:1]) + during
    result = Score(minutes=plan.seconds / 60, most_changes=plan.most_changes)
    result.rows_with_causes = sum(
        (a.headline, a.causes) != (b.headline, b.causes) for a, b in pairwise(told)
    )
    result.state_changes = sum(a.state != b.state for a, b in pairwise(told))
    fresh = [b for a, b in pairwise(told) if a.headline != b.headline]
    result.rows = len(fresh)
    result.sentences = [_sentence(one, plan, began, meter) for one in fresh]
    moments = [one.at for one in fresh]
    result.most_in_a_minute = max(
        (bisect_left(moments, at + 60) - index for index, at in enumerate(moments)), default=0
    )
    for start, end, name in plan.blocks:
        result.block_changes[f"{name} at {start:.0f} s"] = sum(
            start <= at - began <= end for at in moments
        )
    _ask_each_second(result, plan, began, told, meter)
    return result


def _sentence(one: Said, plan: Plan, began: float, meter: Meter) -> Sentence:
    shares = meter.shares(one.at)
    working = [share for share in shares if share.cores >= _WORKED]
    ever = [
        Share(name, 0, words, ours=True)
        for name, words in meter.names.items()
        if any(run.load == name and run.began <= one.at - began for run in plan.runs)
    ]
    after = "cooling" in one.headline.lower()
    names = tuple(
        share.name for share in (ever if after else working) if mentions(one.headline, share.words)
    )
    total = max(meter.busy(one.at), 0.01)
    return Sentence(
        round(one.at - began, 1),
        one.state,
        one.headline,
        tuple(f"{share.name} {100 * share.cores / total:.0f} %" for share in shares[:3]),
        names,
        shares[0].name if shares else "",
        anonymous=not names and not one.headline.startswith(NORMAL),
    )


def _ask_each_second(
    result: Score, plan: Plan, began: float, told: Sequence[Said], meter: Meter
) -> None:
    leader, changed, open_since = "", began, 0.0
    for step in range(1, int(plan.seconds)):
        at = began + step
        shares = meter.shares(at)
        if not shares or meter.busy(at) < BUSY_CORES:
            leader, open_since = "", 0.0
            continue
        if shares[0].name != leader:
            leader, changed, open_since = shares[0].name, at, at
        text = next((one.headline for one in reversed(told) if one.at <= at), "")
        accepted = _accepted(plan, at - began, shares)
        named = any(mentions(text, share.words) for share in accepted)
        if open_since and shares[0].ours and named:
            # Not later than now; at once where it was said before.
            first = next(one.at for one in reversed(told) if one.at <= at)
            result.late.append(max(0.0, first - open_since))
            open_since = 0.0
        strangers = [share.words for share in shares if share.cores >= _WORKED]
        result.anonymous_seconds += not any(mentions(text, words) for words in strangers)
        if not shares[0].ours and not (plan.strangers and shares[0].words):
            result.foreign_seconds += 1
            continue
        if at - changed < _GRACE:
            continue
        mine = meter.own.get(shares[0].name)
        result.seconds.append(
            Second(
                step,
                shares[0].name,
                text,
                named,
                mentions(text, (mine.lower(),)) if mine else None,
                mentions(text, shares[0].words),
            )
        )


def _accepted(plan: Plan, at: float, shares: Sequence[Share]) -> list[Share]:
    """Whoever may be named as the leader."""
    accepted = [one for one in shares if one.cores >= _LIKE_THE_FIRST * shares[0].cores]
    working = {run.load for run in plan.runs if run.began <= at <= run.ended}
    still = [one for one in shares if one.ours and one.name in working]
    if shares[0].ours and shares[0].name not in working and still:
        accepted += [one for one in still if one.cores >= _LIKE_THE_FIRST * still[0].cores]
    return accepted
