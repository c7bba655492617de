"""``host/overview``: the few numbers that say how the machine is, and the sentence."""

from __future__ import annotations

from collections.abc import Mapping

from publisher.contract import topics
from publisher.contract.metric import Reading
from publisher.contract.readings import ExplanationReading, headlines, overview_key, overview_of
from publisher.contract.topics import Topic


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
            (overview_key(leaf, item), leaf, item.name) for leaf, item in headlines(contents)
        ]

    def make(self, readings: Mapping[str, Reading]) -> Reading:
        """The overview of the newest readings."""
        values = {
            key: getattr(readings[leaf], name)
            for key, leaf, name in self._fields
            if leaf in readings
        }
        return self._reading(**values)
