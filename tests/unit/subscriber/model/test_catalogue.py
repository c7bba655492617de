from __future__ import annotations

from typing import Any

import pytest

from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.row import Column


def test_columns_come_from_the_schema(catalogue: dict[str, Any]) -> None:
    usage, cores, load, top = Catalogue.parse(catalogue).topics["cpu"]

    assert (usage.title, usage.unit, usage.precision, usage.headline) == ("Usage", "%", 1, True)
    assert usage.measures
    assert cores.several
    assert not cores.measures
    assert load.unit == ""
    assert [column.name for column in top.of][:3] == ["label", "group", "category"]


def test_devices_and_groups_are_followed(catalogue: dict[str, Any]) -> None:
    parsed = Catalogue.parse(catalogue).topics
    fans = parsed["thermal"][1]
    evidence = next(column for column in parsed["explanation"] if column.name == "evidence")

    assert (fans.kind, fans.of[0].unit) == ("instances", "rpm")
    assert "rpm" in {column.unit for column in evidence.of}


def test_the_fields_inside_a_field_are_found(catalogue: dict[str, Any]) -> None:
    parsed = Catalogue.parse(catalogue)

    assert "share_percent" in {column.name for column in parsed.inner("explanation", "causes")}
    assert "fan_speed_rpm" in {column.name for column in parsed.inner("explanation", "evidence")}
    assert parsed.inner("explanation", "headline") == ()
    assert parsed.inner("weather", "causes") == ()


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": 3},
        {"properties": {"cpu": 3, "gpu": {"$ref": "#/$defs/No"}, "x": {"$ref": "http://x/"}}},
        {"properties": {"cpu": {"properties": {"a": 1, "b": {"x-kind": 7, "x-precision": "1"}}}}},
        {"properties": {"cpu": {"properties": {"a": {"x-kind": "records", "items": []}}}}},
        {
            "$defs": {"A": {"properties": {"a": {"$ref": "#/$defs/A", "x-kind": "group"}}}},
            "properties": {"cpu": {"$ref": "#/$defs/A"}},
        },
    ],
)
def test_a_schema_that_is_none_gives_what_it_can(schema: dict[str, Any]) -> None:
    Catalogue.parse(schema)


def test_definitions_that_refer_to_each_other_end_soon() -> None:
    """Followed one by one, these would be 200 to the fifth."""
    kinds = ({"x-kind": "group", "$ref": "#/$defs/A"}, {"x-kind": "records", "items": ITEM})
    fields = {f"f{index}": kinds[index % 2] for index in range(200)}
    schema = {"$defs": {"A": {"properties": fields}}, "properties": {"cpu": ITEM, "gpu": ITEM}}

    parsed = Catalogue.parse(schema).topics

    assert [len(columns) for columns in parsed.values()] == [200, 200]
    assert depth(parsed["cpu"]) == 5


ITEM = {"$ref": "#/$defs/A"}


def depth(columns: tuple[Column, ...]) -> int:
    return 1 + depth(columns[0].of) if columns else 0
