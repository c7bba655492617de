"""Values that hold until the next one, and rows made of them."""

from __future__ import annotations

import pytest

from subscriber_cli.archive.rollup import (
    HOLD_SECONDS,
    Summary,
    brief,
    held,
    merged,
    summaries,
    within,
    without,
)


def test_a_value_holds_until_the_next_one_and_not_for_ever() -> None:
    spans = list(held([(0.0, 1.0), (60.0, 2.0), (5000.0, None), (6000.0, 3.0)]))

    assert spans == [
        (0.0, 60.0, 1.0),
        (60.0, 60.0 + HOLD_SECONDS, 2.0),
        (6000.0, 6000.0 + HOLD_SECONDS, 3.0),
    ]


def test_what_is_absent_ends_a_value() -> None:
    assert list(held([(0.0, 1.0), (10.0, None)])) == [(0.0, 10.0, 1.0)]


def test_nothing_is_known_after_a_gap() -> None:
    spans = [(0.0, 10.0, 1.0), (10.0, 100.0, 2.0), (100.0, 110.0, 3.0)]

    assert list(without(spans, [(20.0, 50.0)])) == [
        (0.0, 10.0, 1.0),
        (10.0, 20.0, 2.0),
        (100.0, 110.0, 3.0),
    ]


def test_a_mean_is_by_time() -> None:
    rows = summaries([(0.0, 240.0, 10.0), (240.0, 330.0, 60.0)], 300.0)

    assert rows == [
        Summary(0.0, 300.0, 10.0, 20.0, 60.0, 300.0),
        Summary(300.0, 600.0, 60.0, 60.0, 60.0, 30.0),
    ]


def test_of_words_the_last_counts() -> None:
    assert summaries([(0.0, 290.0, 1.0), (290.0, 300.0, 2.0)], 300.0, last=True)[0].mean == 2.0


def test_a_time_without_a_value_has_no_row() -> None:
    rows = summaries([(0.0, 10.0, 1.0), (900.0, 910.0, 2.0)], 300.0)
    assert [row.begin for row in rows] == [0.0, 900.0]


def test_rows_make_longer_rows() -> None:
    rows = [Summary(at, at + 300, at, at, at, 300.0) for at in (0.0, 300.0, 3600.0)]

    assert merged(rows, 3600.0) == [
        Summary(0.0, 3600.0, 0.0, 150.0, 300.0, 600.0),
        Summary(3600.0, 7200.0, 3600.0, 3600.0, 3600.0, 300.0),
    ]
    assert merged(rows, 60.0) == rows


def test_values_are_cut_to_a_time() -> None:
    assert list(within([(0.0, 10.0, 1.0), (20.0, 30.0, 2.0)], 5.0, 20.0)) == [(5.0, 10.0, 1.0)]


@pytest.mark.parametrize(
    ("value", "short"), [(1.23456, 1.235), (123.456, 123.46), (12345.678, 12346.0)]
)
def test_a_mean_has_few_digits(value: float, short: float) -> None:
    assert brief(value) == short
