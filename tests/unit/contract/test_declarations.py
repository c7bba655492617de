"""A walk over everything that is ever published: documented, named, and true to its own schema."""

from __future__ import annotations

import dataclasses
import json
import random
import typing
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from publisher.config.template import first_paragraph
from publisher.contract.metric import Field, Kind, Reading, fields_of, is_list
from publisher.contract.model import json_schema
from publisher.contract.payload import Envelope, encode, to_json
from publisher.contract.topics import readings_of
from publisher.contract.units import Unit
from publisher.subsystems.registry import documented_topics

_CONTENTS = readings_of(documented_topics())
_NUMBERS = (Kind.GAUGE, Kind.COUNTER)


def _walk(cls: type[Reading]) -> Iterator[tuple[type[Reading], Field]]:
    for field in fields_of(cls):
        yield cls, field
        if field.metric.of:
            yield from _walk(field.metric.of)


_FIELDS = {
    f"{cls.__name__}.{field.name}": field for top in _CONTENTS.values() for cls, field in _walk(top)
}
_CLASSES = {cls.__name__: cls for top in _CONTENTS.values() for cls, _ in _walk(top)}


@pytest.fixture(params=list(_FIELDS.values()), ids=list(_FIELDS))
def field(request: pytest.FixtureRequest) -> Field:
    found: Field = request.param
    return found


def test_it_is_explained(field: Field) -> None:
    metric = field.metric
    assert metric.title[:1].isupper() or metric.title.startswith("fanwhy")
    assert len(metric.title) <= 30
    assert metric.description.endswith(".")
    assert metric.description != metric.title


def test_its_name_carries_its_unit(field: Field) -> None:
    suffixes = field.metric.unit.suffixes
    if suffixes:
        assert field.name.endswith(suffixes)
    elif field.metric.kind in _NUMBERS:
        other = [unit for unit in Unit if unit.suffixes and field.name.endswith(unit.suffixes)]
        assert not other, f"named like {other} but declared a plain count"


def test_its_name_is_plain(field: Field) -> None:
    assert field.name == field.name.lower()
    assert field.name.replace("_", "").isalnum()
    assert field.name not in ("host", "time", "schema_version")


def test_a_number_with_a_fraction_says_how_much_of_it_matters(field: Field) -> None:
    if field.metric.kind in _NUMBERS and float in _members(field.type):
        assert field.metric.precision is not None


def test_its_deadband_is_no_smaller_than_what_is_published(field: Field) -> None:
    metric = field.metric
    if metric.deadband and metric.precision is not None:
        assert metric.deadband >= 10**-metric.precision


def test_its_type_is_of_its_kind(field: Field) -> None:
    kind, members = field.metric.kind, _members(field.type)
    match kind:
        case Kind.GAUGE | Kind.COUNTER:
            assert members & {int, float}
        case Kind.FLAG:
            assert bool in members
        case Kind.CHOICE | Kind.TEXT | Kind.TIMESTAMP:
            assert str in members
    assert (kind is Kind.CHOICE) == bool(field.metric.options)
    assert (kind in (Kind.INSTANCES, Kind.RECORDS, Kind.GROUP)) == bool(field.metric.of)


def test_options_are_unique(field: Field) -> None:
    assert len(set(field.metric.options)) == len(field.metric.options)


@pytest.mark.parametrize("cls", _CLASSES.values(), ids=_CLASSES.keys())
def test_every_reading_is_explained(cls: type[Reading]) -> None:
    assert first_paragraph(cls).endswith(".")
    assert dataclasses.is_dataclass(cls)


@pytest.mark.parametrize("leaf", _CONTENTS)
def test_nothing_is_declared_twice_in_a_topic(leaf: str) -> None:
    names = [field.name for field in fields_of(_CONTENTS[leaf])]
    assert len(set(names)) == len(names)


def test_two_readings_of_one_name_would_get_into_each_others_way() -> None:
    by_name: dict[str, set[type[Reading]]] = {}
    for top in _CONTENTS.values():
        for cls, _ in _walk(top):
            by_name.setdefault(cls.__name__, set()).add(cls)
    assert [name for name, found in by_name.items() if len(found) > 1] == []


def test_the_overview_is_short() -> None:
    assert len(fields_of(_CONTENTS["overview"])) <= 30


# --- what is made of it is what its schema says ---------------------------------------------------


_SCHEMA = json_schema(_CONTENTS)
_VALIDATORS = {
    leaf: jsonschema.Draft202012Validator(
        _SCHEMA | {"properties": {}, "$ref": f"#/$defs/{node['$ref'].rpartition('/')[2]}"}
    )
    for leaf, node in _SCHEMA["properties"].items()
}


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)


@pytest.mark.parametrize("leaf", _CONTENTS)
def test_every_payload_is_valid_against_the_schema(leaf: str) -> None:
    chance = random.Random(leaf)
    for _ in range(20):
        reading = _reading(_CONTENTS[leaf], chance)
        payload = encode(Envelope("nas").wrap(to_json(reading), chance.uniform(0, 4e9)))
        _VALIDATORS[leaf].validate(json.loads(payload))


def test_a_payload_that_is_not_as_declared_is_not_valid() -> None:
    payload = Envelope("nas").wrap({"usage_percent": "much"}, 0)
    assert not _VALIDATORS["cpu"].is_valid(payload)


_WORDS = ("", "nginx", "Größe", "a\nb", "\x1b[2J", "\udce9", "\u202e", "x" * 300, "\x00")
_FLOATS = (0.0, -0.0, 1e-9, 0.05, 99.999, 1e15, -273.15)
_WHOLES = (0, 1, -1, 2**31, 2**63)


def _reading(cls: type[Reading], chance: random.Random) -> Reading:
    return cls(**{field.name: _value(field, chance) for field in fields_of(cls)})


def _value(field: Field, chance: random.Random) -> Any:
    """Some value of a field's type, the awkward ones first of all, and often none."""
    metric, members = field.metric, _members(field.type)
    several = range(chance.randrange(3))
    if metric.kind is Kind.INSTANCES and metric.of:
        return {chance.choice(_WORDS): _reading(metric.of, chance) for _ in several}
    if metric.kind is Kind.RECORDS and metric.of:
        return tuple(_reading(metric.of, chance) for _ in several)
    if chance.random() < 0.2:
        return None
    if metric.kind is Kind.GROUP and metric.of:
        return _reading(metric.of, chance)
    match metric.kind:
        case Kind.FLAG:
            return chance.random() < 0.5
        case Kind.CHOICE:
            return chance.choice(metric.options)
        case Kind.TEXT | Kind.TIMESTAMP:
            return chance.choice(_WORDS)
    pool: tuple[float, ...] = _FLOATS if float in members else _WHOLES
    return [chance.choice(pool) for _ in several] if is_list(field.type) else chance.choice(pool)


def _members(annotation: Any) -> set[Any]:
    """The plain types in an annotation, inside unions and lists too."""
    arms = typing.get_args(annotation)
    return set().union(*map(_members, arms)) if arms else {annotation}
