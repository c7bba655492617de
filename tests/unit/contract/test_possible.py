"""What a number can be is declared with it, and a reading holds nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.contract.metric import (
    Reading,
    Unit,
    celsius,
    counter,
    fields_of,
    gauge,
    metric_of,
    percent,
    reading,
    rpm,
    watts,
)
from publisher.contract.model import json_schema
from publisher.contract.possible import POSSIBLE, noticing
from publisher.contract.topics import readings_of
from publisher.subsystems.registry import documented_topics


@reading
class Box(Reading):
    """A box of numbers."""

    warmth_celsius: float | None = celsius("Warmth", "Inside.")
    speed_rpm: int | None = rpm("Speed", "Of its fan.")
    usage_percent: float | None = percent("Usage", "Of it.")
    core_percent: float | None = percent("Cores", "Of one core.", highest=None)
    load_percent: float | None = percent("Load", "Of a supply.", highest=200)
    each_percent: list[float] | None = percent("Each", "Of each core.")
    power_watts: float | None = watts("Power", "Of it.")
    left_seconds: float | None = gauge(
        "Left", "Of its charge.", unit=Unit.SECONDS, highest=30 * 86_400
    )
    errors: int | None = counter("Errors", "Since it began.")
    offset: float | None = gauge("Offset", "May be anything.", precision=1)
    signal_dbm: float | None = gauge(
        "Signal", "Of its radio.", unit=Unit.DECIBEL_MILLIWATTS, precision=0
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        # What drivers say of what is not there, not awake, or beyond them.
        *(("warmth_celsius", v) for v in (-273.15, -128, -62, -55, 126, 127, 127.5, 255, 511, 4e6)),
        *(("speed_rpm", v) for v in (-1, 65_535, 65_536, 1_350_000, 2**32 - 1)),
        *(("usage_percent", v) for v in (-1, 127, 255, 65_535, 2**32 - 1, float("nan"))),
        *(("core_percent", v) for v in (-1, float("nan"))),
        *(("power_watts", v) for v in (-4.25, 31_071.0, 4_294_967.295, 2**63, float("inf"))),
        ("errors", -1),
        ("signal_dbm", -256),
    ],
)
def test_what_cannot_be_is_absent_and_said(field: str, value: Any) -> None:
    with noticing() as told:
        made = Box(**{field: value})

    assert getattr(made, field) is None
    assert [(each.reading, each.field) for each in told] == [(made, field)]
    assert "cannot be" in told[0].reason


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("warmth_celsius", v) for v in (-40, 0, 27.8, 125)),
        *(("speed_rpm", v) for v in (0, 38_000)),
        *(("usage_percent", v) for v in (0, 100)),
        ("core_percent", 12_800),
        ("load_percent", 180),
        ("power_watts", 11_000),
        ("offset", -1e12),
    ],
)
def test_what_can_be_stays_as_it_is(field: str, value: Any) -> None:
    with noticing() as told:
        assert getattr(Box(**{field: value}), field) == value
    assert told == []


def test_a_quotient_that_came_out_a_little_high_is_the_most_there_is() -> None:
    with noticing() as told:
        made = Box(usage_percent=100.4, load_percent=205.0, each_percent=[99.0, 103.0])
    assert (made.usage_percent, made.load_percent) == (100, 200)
    assert made.each_percent == [99, 100]
    assert told == []


def test_a_list_with_a_number_that_cannot_be_is_absent() -> None:
    assert Box(each_percent=[3.0, 255.0]).each_percent is None
    assert Box(each_percent=[]).each_percent == []


def test_nobody_need_listen() -> None:
    assert Box(warmth_celsius=511).warmth_celsius is None


def test_a_range_in_words() -> None:
    assert metric_of(Box, "warmth_celsius").range == "-40 to 125 °C"
    assert metric_of(Box, "left_seconds").range == "0 to 2,592,000 s"
    assert metric_of(Box, "core_percent").range == "0 % and more"
    assert metric_of(Box, "offset").range == ""
    assert metric_of(Box, "speed_rpm").doubt(65_535) == "65,535 rpm cannot be: 0 to 45,000 rpm"


def test_every_number_with_a_unit_has_a_range() -> None:
    for topic, cls in readings_of(documented_topics()).items():
        for field in _numbers(cls):
            assert field.metric.bounded, f"{topic}: {field.name}"
    assert {unit for unit in Unit if unit} == POSSIBLE.keys()


def _numbers(cls: type[Reading]) -> list[Any]:
    found = []
    for field in fields_of(cls):
        if field.metric.of:
            found += _numbers(field.metric.of)
        elif field.metric.unit:
            found.append(field)
    return found


def test_the_range_stands_in_the_schema() -> None:
    schema = json_schema({"box": Box})
    fields = schema["$defs"]["BoxMessage"]["properties"]

    assert (fields["warmth_celsius"]["minimum"], fields["warmth_celsius"]["maximum"]) == (-40, 125)
    assert fields["core_percent"]["minimum"] == 0
    assert "maximum" not in fields["core_percent"]
    assert fields["each_percent"]["items"]["maximum"] == 100
    assert "minimum" not in fields["offset"]
