"""Messages as typed values, made when somebody looks and kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from publisher.contract import topics
from subscriber_cli.model.budget import CELL_BYTES, READ_BYTES
from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.explanation import Explanation
from subscriber_cli.model.info import SubsystemHealth, subsystems
from subscriber_cli.model.row import Row, cells_in
from subscriber_cli.model.values import Document

_CHARACTER_BYTES = 4  # of a text that was read, at most: title and value may both have it


@dataclass(frozen=True, slots=True)
class Readings:
    """What one message says, by the catalogue of its host.

    Attributes:
        explanation: of a verdict, without a word of anything else.
        subsystems: of ``info``, none of anything else.
    """

    row: Row = field(default_factory=Row)
    explanation: Explanation = field(default_factory=Explanation)
    subsystems: tuple[SubsystemHealth, ...] = ()

    @classmethod
    def read(cls, leaf: str, document: Document, catalogue: Catalogue) -> Readings:
        """The values in the payload of a topic."""
        return cls(
            catalogue.row(leaf, document),
            Explanation.read(document, catalogue) if leaf == topics.EXPLANATION else Explanation(),
            subsystems(document) if leaf == topics.INFO else (),
        )


class Recent:
    """The readings looked at last, by host and topic, of ``READ_BYTES`` in all."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Readings, int]] = OrderedDict()
        self._size = 0

    def get(self, prefix: str, leaf: str) -> Readings | None:
        """The readings of a topic, if they are still there."""
        found = self._kept.get((prefix, leaf))
        if found is None:
            return None
        self._kept.move_to_end((prefix, leaf))
        return found[0]

    def put(self, prefix: str, leaf: str, readings: Readings, text_bytes: int) -> None:
        """Keeps what was read from so many bytes, and lets go of what was looked at before."""
        self.drop(prefix, leaf)
        cells = cells_in(readings.row)
        if leaf == topics.EXPLANATION:
            cells *= 2  # the causes are there once more
        size = cells * CELL_BYTES + text_bytes * _CHARACTER_BYTES
        self._kept[prefix, leaf] = readings, size
        self._size += size
        while self._size > READ_BYTES and len(self._kept) > 1:
            self._size -= self._kept.popitem(last=False)[1][1]

    def drop(self, prefix: str, leaf: str) -> None:
        """Forgets what was read of a topic."""
        _, size = self._kept.pop((prefix, leaf), (None, 0))
        self._size -= size
