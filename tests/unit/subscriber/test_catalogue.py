from __future__ import annotations

from typing import Any

import pytest

from subscriber_cli.model.catalogue import Catalogue, present


def test_columns_come_from_the_schema(catalogue: dict[str, Any]) -> None:
    usage, cores, load, top = Catalogue.parse(catalogue).topics["cpu"]

    assert (usage.title, usage.unit, usage.precision, usage.headline) == ("Usage", "%", 1, True)
    assert usage.measures
    assert cores.several
    assert not cores.measures
    assert load.unit == ""
    assert [column.name for column in top.of][:3] == ["label", "kind", "cpu_percent"]


def test_devices_and_groups_are_followed(catalogue: dict[str, Any]) -> None:
    parsed = Catalogue.parse(catalogue).topics
    fans = parsed["thermal"][1]
    evidence = next(column for column in parsed["explanation"] if column.name == "evidence")

    assert (fans.kind, fans.of[0].unit) == ("instances", "rpm")
    assert "rpm" in {column.unit for column in evidence.of}


def test_what_the_catalogue_does_not_know_is_shown_without_unit() -> None:
    payload = {
        "host": "nas", "time": "now", "schema_version": 1, "level_percent": 80, "charging": True,
        "cells": [3.1, 3.2], "banks": {"a": {"volts": 3}}, "limits": {"low": 10}, "maker": "X",
        "rows": [{"label": "x"}], "gone": None,
    }  # fmt: skip
    columns = {column.name: column for column in Catalogue().columns("battery", payload)}

    assert {name: column.kind for name, column in columns.items()} == {
        "level_percent": "gauge", "charging": "flag", "cells": "gauge", "banks": "instances",
        "limits": "group", "maker": "text", "rows": "records",
    }  # fmt: skip
    assert columns["level_percent"].title == "Level percent"
    assert columns["level_percent"].unit == ""


def test_absent_fields_are_left_out(catalogue: dict[str, Any]) -> None:
    declared = Catalogue.parse(catalogue).topics["cpu"]

    assert [column.name for column in present(declared, {"usage_percent": 1})] == ["usage_percent"]


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
