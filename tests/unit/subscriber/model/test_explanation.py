from __future__ import annotations

from typing import Any

import pytest

from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.explanation import Explanation

PAYLOAD = {
    "state": "busy", "headline": "CPU usage high", "since": "1970-01-01T00:01:00Z",
    "unattributed_percent": 4,
    "causes": [
        {"label": "make", "resource": "cpu", "share_percent": 87, "cpu_percent": 640,
         "process_count": 3, "since": "1970-01-01T00:02:00Z"},
        {"label": "restic", "active": False},
    ],
    "evidence": {"fan_speed_rpm": 2100},
}  # fmt: skip


def test_it_is_typed_and_has_the_catalogues_units(catalogue: dict[str, Any]) -> None:
    told = Explanation.read(PAYLOAD, Catalogue.parse(catalogue))

    assert (told.state, told.headline, told.since) == ("busy", "CPU usage high", 60.0)
    assert told.unattributed_percent == 4
    make, restic = told.causes
    assert (make.label, make.resource, make.share_percent) == ("make", "cpu", 87)
    assert (make.process_count, make.since, make.active) == (3, 120.0, True)
    assert (restic.active, restic.share_percent, restic.since) == (False, None, None)
    used = make.row.cell("cpu_percent")
    assert used
    assert (used.number, used.column.unit) == (640, "%")
    (fan,) = told.evidence.cells
    assert fan.column.unit == "rpm"


def test_it_needs_no_catalogue() -> None:
    told = Explanation.read(PAYLOAD, Catalogue())

    assert [cause.label for cause in told.causes] == ["make", "restic"]
    assert told.causes[0].row.number("cpu_percent") == 640
    assert [cell.column.unit for cell in told.evidence.cells] == [""]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"state": 3, "headline": ["x"], "since": 1, "causes": "x", "evidence": [1]},
        {"causes": [3, None, []], "evidence": None, "unattributed_percent": "many"},
    ],
)
def test_what_is_no_verdict_says_nothing(payload: dict[str, Any]) -> None:
    assert Explanation.read(payload, Catalogue()) == Explanation()


def test_a_cause_of_another_shape_is_empty() -> None:
    (cause,) = Explanation.read({"causes": [{"label": 1, "active": "no"}]}, Catalogue()).causes

    assert (cause.label, cause.category, cause.active) == ("", "", True)


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        ({"label": "Compression", "group": "xz", "name": "nightly.sh (compression: xz)"},
         "nightly.sh (compression: xz)"),
        ({"label": "Compression", "group": "xz"}, "Compression (xz)"),  # of an older daemon
        ({"label": "restic"}, "restic"),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_cause_is_called_as_the_sentence_calls_it(cause: dict[str, Any], name: str) -> None:
    (read,) = Explanation.read({"causes": [cause]}, Catalogue()).causes
    assert read.name == name
