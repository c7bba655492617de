"""What the fields of a payload are, learnt from the JSON Schema in ``host/catalogue``.

A field that the catalogue does not know is still shown, under its own name and without a unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from publisher.contract.metric import Kind
from subscriber_cli.model.budget import CELL_BYTES, ITEM_BYTES
from subscriber_cli.model.row import ENVELOPE, Column, Row, read_row, title_of
from subscriber_cli.model.values import Document, clean, mapping, number, words

_DEEPEST = 4  # levels of readings within readings; a schema may refer to itself
_MOST_TOPICS = 256
_MOST_FIELDS = 512  # of one reading, as its rows are asked for each of them
_MOST_COLUMNS = 10_000  # of one schema, a definition's at each level counted anew
_LONGEST_NAME = 128  # characters of a field's name, title or unit
_REFERENCE = "#/$defs/"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The declared fields of every topic of one host.

    Attributes:
        size: bytes that it takes, about.
    """

    topics: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)
    size: int = 0

    @classmethod
    def parse(cls, schema: Document) -> Catalogue:
        """Takes a schema as ``publisher.contract.model.json_schema`` makes it.

        What is not as expected is left out. However the definitions refer to each other, the
        work grows with the size of the schema alone.
        """
        schema_columns = _SchemaColumns(mapping(schema, "$defs"))
        leaves = islice(mapping(schema, "properties").items(), _MOST_TOPICS)
        topics = {clean(leaf): schema_columns.of(node) for leaf, node in leaves}
        return cls(topics, len(topics) * ITEM_BYTES + schema_columns.count * CELL_BYTES)

    def row(self, leaf: str, document: Document) -> Row:
        """A topic's payload by its declared fields."""
        return read_row(self.topics.get(leaf, ()), document)

    def inner(self, leaf: str, name: str) -> tuple[Column, ...]:
        """The declared fields of the readings inside one field of a topic."""
        for column in self.topics.get(leaf, ()):
            if column.name == name and column.kind in (Kind.RECORDS, Kind.GROUP):
                return column.of
        return ()


class _SchemaColumns:
    """The columns of one schema's nodes; a shared definition's are made once for each depth."""

    def __init__(self, definitions: Document) -> None:
        self._definitions = definitions
        self._made: dict[tuple[str, int], tuple[Column, ...]] = {}
        self.count = 0

    def of(self, node: Any, depth: int = 0) -> tuple[Column, ...]:
        if depth > _DEEPEST or not isinstance(node, dict):
            return ()
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith(_REFERENCE):
            return tuple(self._columns(node, depth))
        # Without this, definitions that refer to each other would multiply from depth to depth.
        key = (reference, depth)
        if key not in self._made:
            definition = mapping(self._definitions, reference.removeprefix(_REFERENCE))
            self._made[key] = tuple(self._columns(definition, depth))
        return self._made[key]

    def _columns(self, node: Document, depth: int) -> Iterator[Column]:
        for name, declared in islice(mapping(node, "properties").items(), _MOST_FIELDS):
            if self.count >= _MOST_COLUMNS:
                return
            if name in ENVELOPE or not isinstance(declared, dict) or len(name) > _LONGEST_NAME:
                continue
            self.count += 1
            kind = words(declared, "x-kind")[:_LONGEST_NAME] or Kind.TEXT
            several = False
            inner: Any = None
            if kind == Kind.INSTANCES:
                inner = declared.get("additionalProperties")
            elif kind == Kind.RECORDS:
                inner = declared.get("items")
            elif kind == Kind.GROUP:
                inner = declared
            else:
                several = declared.get("type") == "array"
            precision = number(declared.get("x-precision"))
            yield Column(
                name=name,
                title=words(declared, "title")[:_LONGEST_NAME] or title_of(name),
                kind=kind,
                unit=words(declared, "x-unit")[:_LONGEST_NAME],
                precision=None if precision is None else max(int(precision), 0),
                headline=declared.get("x-headline") is True,
                several=several,
                of=self.of(inner, depth + 1),
            )
