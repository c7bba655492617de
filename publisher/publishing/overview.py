"""``host/overview``: the few numbers that say how the machine is, and the sentence.

It is for those who write down every change. So a number stays as it was told until it has moved by
its deadband, and who is to blame is told as it was when the sentence was worded: causes take turns
at the top, and their shares move, all the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from publisher.contract import topics
from publisher.contract.metric import Field, Kind, Reading
from publisher.contract.payload import moved
from publisher.contract.readings import (
    CauseReading,
    EvidenceReading,
    ExplanationReading,
    ToldCauseReading,
    headlines,
    overview_key,
    overview_of,
)
from publisher.contract.topics import Topic

# Under one sentence others may come and go: they are told anew after this long.
_PATIENCE_SECONDS: Final = 60.0
_MOST_CAUSES: Final = 3
_NAMED_CAUSES: Final = 2  # by a sentence
# A cause that was told stays until its share is less than this, with the share that was told until
# it has moved by so much.
_MATTERS_PERCENT: Final = 5.0
_MOVED_PERCENT: Final = 25.0
# Where a cause is told by the verdict as a whole, and not for each field by itself.
_TOLD_TOGETHER: Final = ("cause",)


@dataclass(slots=True)
class _Told:
    """The verdict as it was when its sentence was worded."""

    key: tuple[Any, ...] = ()
    at: float = float("-inf")
    causes: tuple[ToldCauseReading, ...] = ()
    cause: str | None = None
    evidence: EvidenceReading | None = None

    def follow(self, verdict: ExplanationReading, now: float) -> None:
        """Takes over what the newest verdict says, where its sentence is another."""
        key = (verdict.headline, verdict.state, verdict.since)
        if key == self.key and now - self.at < _PATIENCE_SECONDS:
            return
        fresh = now - self.at >= _PATIENCE_SECONDS or not self.causes
        chosen = self._chosen(verdict.causes, fresh=fresh)
        causes = tuple(self._again(cause) for cause in chosen)
        if key != self.key or causes != self.causes:
            self.causes = causes
            self.cause, self.evidence = verdict.cause, verdict.evidence
        self.key = key
        if fresh:
            self.at = now

    def _chosen(self, causes: Sequence[CauseReading], *, fresh: bool) -> list[CauseReading]:
        """The first, those that were told before and matter still, and then by rank.

        Args:
            causes: by rank.
            fresh: others may take every place that is free, and not only those that the sentence
                is about.
        """
        found = list(causes[:1])
        present = {cause.name: cause for cause in causes[1:]}
        for held in self.causes:
            cause = present.get(held.name)
            if cause is not None and (cause.share_percent or 0.0) >= _MATTERS_PERCENT:
                found.append(present.pop(held.name))
        places = _MOST_CAUSES if fresh else max(_NAMED_CAUSES, len(found))
        return [*found, *present.values()][: min(places, _MOST_CAUSES)]

    def _again(self, cause: CauseReading) -> ToldCauseReading:
        """As it was told before, where it is much the same."""
        fresh = _told(cause)
        for held in self.causes:
            if (held.name, held.on_behalf_of, held.since) == (
                fresh.name, fresh.on_behalf_of, fresh.since,
            ):  # fmt: skip
                moved_by = abs((held.share_percent or 0.0) - (fresh.share_percent or 0.0))
                return held if moved_by < _MOVED_PERCENT else fresh
        return fresh


class Overview:
    """Every headline number of the subsystems that this daemon runs, and the verdict's sentence.

    Args:
        rows: every topic, by leaf.
    """

    def __init__(self, rows: Mapping[str, Topic]) -> None:
        contents = {row.leaf: row.reading for row in rows.values() if row.subsystem and row.reading}
        contents[topics.EXPLANATION] = ExplanationReading
        self._reading = rows[topics.OVERVIEW].reading or overview_of(contents)
        self._fields = [
            (overview_key(leaf, item), leaf, item)
            for leaf, item in headlines(contents)
            if item.name not in _TOLD_TOGETHER
        ]
        self._held: dict[str, Any] = {}
        self._told = _Told()

    def make(self, readings: Mapping[str, Reading], now: float) -> Reading:
        """The overview of the newest readings.

        Args:
            readings: by topic.
            now: monotonic seconds.
        """
        values = {
            key: self._calm(key, item, getattr(readings[leaf], item.name))
            for key, leaf, item in self._fields
            if leaf in readings
        }
        verdict = readings.get(topics.EXPLANATION)
        if isinstance(verdict, ExplanationReading):
            told = self._told
            told.follow(verdict, now)
            values |= {
                "cause": told.cause,
                "culprit": told.causes[0].name if told.causes else None,
                "since": verdict.since,
                "hint": verdict.hint,
                "causes": told.causes,
                "evidence": told.evidence,
            }
        return self._reading(**values)

    def _calm(self, key: str, item: Field, value: Any) -> Any:
        """A number as it was told last, until it has moved by its deadband."""
        if item.metric.kind is not Kind.GAUGE or item.metric.deadband is None or value is None:
            return value
        held = self._held.get(key)
        if held is None or moved(item.metric, held, value):
            held = self._held[key] = value
        return held


def _told(cause: CauseReading) -> ToldCauseReading:
    return ToldCauseReading(
        name=cause.name,
        told=_in_words(cause) or None,
        label=cause.label,
        category=cause.category,
        kind=cause.kind,
        resource=cause.resource,
        share_percent=cause.share_percent,
        since=cause.since,
        on_behalf_of=cause.on_behalf_of,
        usual=cause.usual,
        reason=cause.reason,
        unit=cause.unit,
        container_id=cause.container_id,
        to_stop=cause.to_stop,
    )


_USE: Final = {
    "cpu": "CPU use",
    "memory": "memory use",
    "disk": "disk use",
    "network": "network use",
    "gpu": "GPU use",
}


def _in_words(cause: CauseReading) -> str:
    """``81 % of CPU use, for nextcloud``; ``over, its heat is left``."""
    if cause.active is False:
        return "over, its heat is left"
    words = []
    if cause.share_percent is not None and cause.resource in _USE:
        words.append(f"{cause.share_percent:.0f} % of {_USE[cause.resource]}")
    if cause.on_behalf_of:
        words.append(f"for {cause.on_behalf_of}")
    return ", ".join(words)
