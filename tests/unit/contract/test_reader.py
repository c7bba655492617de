"""Readings back from JSON that anybody may have written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from publisher.contract.payload import encode, to_json
from publisher.contract.reader import read
from publisher.contract.readings import CauseReading, EvidenceReading, ExplanationReading
from publisher.contract.timeline import SeriesReading, TimelineReading


def test_what_was_written_is_read() -> None:
    told = ExplanationReading(
        state="busy",
        causes=(CauseReading(label="make", share_percent=50, active=True),),
        evidence=EvidenceReading(cpu_percent=12),
    )
    assert read(ExplanationReading, json.loads(encode(to_json(told)))) == told


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"series": None, "causes": {}, "since": 7, "left_out": "3"},
        {"series": [1, None, []], "causes": "x", "left_out": True},
        {"series": [{"cpu_percent": [1, None]}], "left_out": float("nan")},
        {"series": [{"cpu_percent": 3, "step_seconds": -1}]},
        {"left_out": 10**400},
    ],
)
def test_what_is_not_as_declared_is_left_out(document: dict[str, Any]) -> None:
    found = read(TimelineReading, document)
    assert (found.since, found.left_out, found.causes) == (None, None, ())
    assert set(found.series) <= {SeriesReading()}


def test_texts_are_safe_to_show_and_not_endless() -> None:
    found = read(CauseReading, {"label": "a\x1b[2J\u202e" + "x" * 9999})
    assert found.label
    assert found.label.isprintable()
    assert len(found.label) < 1100
