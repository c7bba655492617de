"""What the fields of a payload are, learnt from the JSON Schema in ``host/catalogue``.

A field that the catalogue does not know is still shown, under its own name and without a unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from publisher.contract.metric import Kind
from subscriber_cli.model.values import clean, mapping, number, numbers, words

ENVELOPE = frozenset({"host", "time", "schema_version"})
_DEEPEST = 4  # levels of readings within readings; a schema may refer to itself


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a reading, as far as a reader must know it.

    Attributes:
        several: it holds a list of numbers.
        of: the fields of the readings inside it.
    """

    name: str
    title: str
    kind: str
    unit: str = ""
    precision: int | None = None
    headline: bool = False
    several: bool = False
    of: tuple[Column, ...] = ()

    @property
    def measures(self) -> bool:
        """Whether it holds one number."""
        return self.kind in (Kind.GAUGE, Kind.COUNTER) and not self.several


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The declared fields of every topic of one host."""

    topics: Mapping[str, tuple[Column, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, schema: Mapping[str, Any]) -> Catalogue:
        """Takes a schema as ``publisher.contract.model.json_schema`` makes it.

        What is not as expected is left out: anyone who may publish may have written it.
        """
        definitions = mapping(schema, "$defs")
        return cls(
            {
                clean(leaf): tuple(_columns(node, definitions, 0))
                for leaf, node in mapping(schema, "properties").items()
            }
        )

    def columns(self, leaf: str, payload: Mapping[str, Any]) -> tuple[Column, ...]:
        """The fields of a topic in declared order, then those of the payload that are not."""
        return present(self.topics.get(leaf, ()), payload)


def present(declared: tuple[Column, ...], payload: Mapping[str, Any]) -> tuple[Column, ...]:
    """The declared fields that ``payload`` has, then those it has besides."""
    known = {column.name for column in declared} | ENVELOPE
    return (
        *(column for column in declared if payload.get(column.name) is not None),
        *(
            _guess(name, value)
            for name, value in payload.items()
            if name not in known and value is not None
        ),
    )


def _columns(node: Any, definitions: Mapping[str, Any], depth: int) -> Iterator[Column]:
    if depth > _DEEPEST:
        return
    properties = mapping(_resolved(node, definitions), "properties")
    for name, declared in properties.items():
        if name in ENVELOPE or not isinstance(declared, dict):
            continue
        kind = words(declared, "x-kind") or Kind.TEXT
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
            title=words(declared, "title") or _title(name),
            kind=kind,
            unit=words(declared, "x-unit"),
            precision=None if precision is None else max(int(precision), 0),
            headline=declared.get("x-headline") is True,
            several=several,
            of=tuple(_columns(inner, definitions, depth + 1)) if inner else (),
        )


def _resolved(node: Any, definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(node, dict):
        return {}
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/"):
        return mapping(definitions, reference.removeprefix("#/$defs/"))
    return node


def _guess(name: str, value: Any) -> Column:
    kind: str = Kind.TEXT
    several = False
    if isinstance(value, bool):
        kind = Kind.FLAG
    elif number(value) is not None:
        kind = Kind.GAUGE
    elif numbers(value):
        kind, several = Kind.GAUGE, True
    elif isinstance(value, list):
        kind = Kind.RECORDS
    elif isinstance(value, dict):
        nested = all(isinstance(item, dict) for item in value.values())
        kind = Kind.INSTANCES if nested else Kind.GROUP
    return Column(name=name, title=_title(name), kind=kind, several=several)


def _title(name: str) -> str:
    return clean(name).replace("_", " ").capitalize()
