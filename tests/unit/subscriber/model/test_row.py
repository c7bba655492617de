from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.fleet import Fleet
from subscriber_cli.model.row import (
    Column,
    Instances,
    Instant,
    Numbers,
    RankedRows,
    Row,
    lead,
    read_row,
)


def values(row: Row) -> dict[str, Any]:
    return {cell.column.name: cell.value for cell in row.cells}


def test_what_the_catalogue_does_not_know_is_shown_without_unit() -> None:
    payload = {
        "host": "nas", "time": "now", "schema_version": 1, "level_percent": 80, "charging": True,
        "cells": [3.1, 3.2], "banks": {"a": {"volts": 3}}, "limits": {"low": 10}, "maker": "X",
        "rows": [{"label": "x"}], "gone": None,
    }  # fmt: skip
    row = Catalogue().row("battery", payload)

    assert {cell.column.name: cell.column.kind for cell in row.cells} == {
        "level_percent": "gauge", "charging": "flag", "cells": "gauge", "banks": "instances",
        "limits": "group", "maker": "text", "rows": "records",
    }  # fmt: skip
    level = row.cell("level_percent")
    assert level
    assert (level.column.title, level.column.unit) == ("Level percent", "")


def test_absent_fields_have_no_cell(catalogue: dict[str, Any]) -> None:
    row = Catalogue.parse(catalogue).row("cpu", {"usage_percent": 1, "load_average": None})

    assert values(row) == {"usage_percent": 1}
    assert row.number("load_average") is None


def test_declared_fields_come_first(catalogue: dict[str, Any]) -> None:
    row = Catalogue.parse(catalogue).row("cpu", {"new": 2, "load_average": [1], "usage_percent": 1})

    assert list(values(row)) == ["usage_percent", "load_average", "new"]


@pytest.mark.parametrize(
    ("kind", "several", "raw", "value"),
    [
        ("gauge", False, 3, 3),
        ("gauge", False, True, None),
        ("gauge", False, float("inf"), None),
        ("gauge", False, [1], None),
        ("gauge", False, "\x1b[2J", "\\x1b[2J"),
        ("gauge", True, [1, 2.5], Numbers((1, 2.5))),
        ("gauge", True, [1, "x"], Numbers(())),
        ("flag", False, False, False),
        ("flag", False, 1, None),
        ("timestamp", False, "1970-01-01T00:00:10Z", Instant(10.0)),
        ("timestamp", False, "yesterday", None),
        ("choice", False, "busy", "busy"),
        ("a kind of tomorrow", False, 3, 3),
        ("a kind of tomorrow", False, {"a": 1}, None),
        ("group", False, [1], None),
        ("group", False, "x", None),
        ("group", False, {}, Row()),
        ("records", False, {"a": 1}, None),
        ("records", False, [{}, 3], RankedRows((Row(),))),
        ("instances", False, {"\x07": {}, "b": 3}, Instances((("\\x07", Row()),))),
        ("instances", False, [1], None),
    ],
)
def test_a_value_is_of_its_field_or_none(
    *, kind: str, several: bool, raw: object, value: object
) -> None:
    column = Column("x", "X", kind, several=several)

    (cell,) = read_row((column,), {"x": raw}).cells
    assert cell.value == value
    assert type(cell.value) is type(value)


@pytest.mark.parametrize(
    ("document", "label"),
    [
        ({"label": "make", "name": "x"}, "make"),
        ({"label": "", "name": "x\n"}, "x\\n"),
        ({"label": 3, "id": "y"}, "y"),
        ({}, ""),
    ],
)
def test_a_reading_may_say_what_it_is_of(document: dict[str, Any], label: str) -> None:
    assert read_row((), document).label == label


def test_headlines_lead(fleet: Fleet) -> None:
    (host,) = fleet
    cells = host.row("cpu").cells
    first = lead(cells)
    assert first
    assert first.column.name == "usage_percent"

    plain = [
        dataclasses.replace(cell, column=dataclasses.replace(cell.column, headline=False, unit=""))
        for cell in cells
    ]
    assert lead(plain) is plain[0]
    assert lead(()) is None


def test_depth_and_breadth_have_an_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep, "b": 1}
    read_row((), deep)

    wide = read_row((), {f"f{index}": index for index in range(5000)})
    long = read_row(
        (), {"rows": [{"label": "x"}] * 5000, "devices": {str(n): {} for n in range(5000)}}
    )
    assert len(wide.cells) == 1000
    rows, devices = values(long).values()
    assert isinstance(rows, RankedRows)
    assert isinstance(devices, Instances)
    assert (len(rows.rows), len(devices.rows)) == (1000, 1000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["usage_percent", "top", "load_average", "x"]), JSON))
def test_nothing_trips_it(document: dict[str, Any]) -> None:
    top = Column("top", "Top", "records", of=(Column("label", "Label", "text"),))
    declared = (Column("usage_percent", "Usage", "gauge", unit="%"), top)

    row = read_row(declared, json.loads(json.dumps(document)))
    assert len(row.cells) <= len(document)


@pytest.mark.parametrize(
    ("label", "group", "name"),
    [
        ("Software build", "make -j2", "Software build (make -j2)"),
        ("Compression (gzip)", "nightly.sh", "Compression (gzip, nightly.sh)"),
        ("Borg backup", "borg", "Borg backup"),
        ("", "borg", "borg"),
    ],
)
def test_a_group_is_called_by_its_label_and_its_name(label: str, group: str, name: str) -> None:
    column = Column("group", "Group", "text")
    assert read_row((column,), {"label": label, "group": group}).name == name
