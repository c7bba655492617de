"""When a headline changes: at once where it matters, and never more often than can be read.

A load shows itself in parts: first the disk it reads from, then the CPU, then the memory that
runs short; and it ends in parts. That there is a load, and who leads, matters within the second;
who else is at work, and which of the parts it is, when that has settled. And a person, and the
history of a home, take a few sentences a minute: the more were told, the longer the next one must
have been true.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf
from typing import Final

from publisher.explain.detect.hysteresis import SOONEST

_SPAN_SECONDS: Final = 60.0
MOST_SENTENCES: Final = 4
"""So many sentences about a load are told in a minute, whatever happens."""
_SETTLE_SECONDS: Final = 3.0
_SLOWER: Final = 4.0
_LONGEST_SECONDS: Final = 60.0
# A sentence that is due later than this waits for the windows that come anyway.
_SOON_SECONDS: Final = 3.0
# Loads that come and go are told as one: the end is believed later the more was told, and so late
# at last that a sentence is left for what begins next.
_REST_SECONDS: Final = (0.0, 0.0, 0.0, 6.0, 15.0)


class Weight(IntEnum):
    """How much of a change it is, from the present sentence to another."""

    NUMBERS = 0
    WORDS = 1
    JOINED = 2
    LEAD = 3
    GONE = 4
    LEADER = 5
    STATE = 6


_WAITS: Final = {
    Weight.NUMBERS: (10.0, 60.0, inf, inf),
    Weight.WORDS: (0.0, 3.0, 20.0, inf),
    Weight.JOINED: (0.0, 2.0, 20.0, inf),
    Weight.LEAD: (4.0, 10.0, inf, inf),
    Weight.GONE: (0.0, 0.0, 4.0, inf),
    Weight.LEADER: (0.0, 0.0, 2.0, 3.0),
    Weight.STATE: (0.0, 0.0, 0.0, 0.0),
}
"""How long a change must have lasted, by how many sentences were told in the last minute."""

_APART: Final = (0.0, 0.0, 6.0, 12.0, 0.0)
"""Seconds between a sentence and one of another leader, by how many were told in the last minute:
so the room lasts for the minute."""


@dataclass(frozen=True, slots=True)
class News:
    """A sentence as it would be now, and what it is about.

    Attributes:
        core: the sentence without soft words and counts.
        state: what the machine is in: a load or rest, hot, suspected mining.
        leader: the key of the most important cause; likewise ``told``: of those in the sentence,
            ``gone``: of those that have fallen to nothing, ``known``: of all causes.
        names: how those in the sentence are called.
        lately: it tells who did most lately, of whom some may well have gone.
        rest: the machine is at rest.
    """

    text: str
    core: str = ""
    state: frozenset[str] = frozenset()
    leader: str = ""
    told: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    lately: bool = False
    rest: bool = False


@dataclass(slots=True)
class HeadlineStability:
    """Holds the headline that was published last."""

    _shown: News = field(default_factory=lambda: News(""))
    _since: dict[Weight, float] = field(default_factory=dict)
    _settle: float = _SETTLE_SECONDS
    _told_at: deque[float] = field(default_factory=deque)
    _rows_at: deque[float] = field(default_factory=deque)
    _due: float | None = None

    def settle(self, news: News, now: float) -> str:
        """The headline to publish now.

        Args:
            news: what it would be without regard to what was published before.
            now: monotonic seconds.
        """
        for times in (self._told_at, self._rows_at):
            while times and times[0] <= now - _SPAN_SECONDS:
                times.popleft()
        self._due = None
        if news.text == self._shown.text:
            self._since.clear()
            self._shown = news
            return news.text
        weight = self._weight(news)
        for each in Weight:
            if each <= weight:
                self._since.setdefault(each, now)
            else:
                self._since.pop(each, None)
        due = self._since[weight] + self._wait(news, weight)
        if weight is Weight.LEADER and self._told_at:
            due = max(due, self._told_at[-1] + _APART[min(len(self._told_at), MOST_SENTENCES)])
        if now >= due:
            self._show(news, weight, now)
        elif due - now <= _SOON_SECONDS:
            self._due = due
        return self._shown.text

    def held(self) -> str:
        """What was published last: nothing new is known."""
        self._due = None
        return self._shown.text

    def wants_soon(self, now: float) -> float | None:
        """Seconds after which one more window could let a waiting sentence be told."""
        return None if self._due is None else max(self._due - now, SOONEST)

    def _weight(self, news: News) -> Weight:
        shown = self._shown
        if news.state != shown.state:
            return Weight.STATE
        left = shown.told & (news.gone | (shown.told - news.known))
        if news.leader and news.leader not in shown.told:
            return Weight.LEADER
        if left and left != shown.told and not shown.lately:
            return Weight.GONE
        if news.core == shown.core:
            return Weight.NUMBERS
        if news.leader != shown.leader:
            return Weight.LEAD
        return Weight.WORDS if news.names <= shown.names else Weight.JOINED

    def _wait(self, news: News, weight: Weight) -> float:
        """Seconds that a change of this weight must have lasted."""
        told = len(self._told_at)
        if news.rest:
            return _REST_SECONDS[min(told, MOST_SENTENCES)] if weight is Weight.STATE else 0.0
        # Where loads churn, a rest between them has taken up room, too.
        if (len(self._rows_at) if news.lately else told) >= MOST_SENTENCES:
            return inf
        wait = _WAITS[weight][told]
        return max(wait, self._settle) if weight is Weight.WORDS else wait

    def _show(self, news: News, weight: Weight, now: float) -> None:
        if weight is Weight.WORDS:
            self._settle = min(self._settle * _SLOWER, _LONGEST_SECONDS)
        elif weight > Weight.WORDS:
            self._settle = _SETTLE_SECONDS
        self._shown = news
        self._since.clear()
        self._rows_at.append(now)
        if not news.rest:
            self._told_at.append(now)
