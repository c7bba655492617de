"""What several senses and the ledger say together: evidence, rankings, the overview."""

from __future__ import annotations

from collections.abc import Mapping

from publisher.contract.metric import Reading
from publisher.contract.readings import (
    headlines,
    overview_key,
    overview_of,
)


class Overview:
    """``host/overview``: every headline number of the senses that this daemon runs."""

    def __init__(self, contents: Mapping[str, type[Reading]]) -> None:
        self.reading = overview_of(contents)
        self._fields = [
            (overview_key(leaf, item), leaf, item.name) for leaf, item in headlines(contents)
        ]

    def make(self, readings: Mapping[str, Reading]) -> Reading:
        values = {
            key: getattr(readings[leaf], name)
            for key, leaf, name in self._fields
            if leaf in readings
        }
        return self.reading(**values)
