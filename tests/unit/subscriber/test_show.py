from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber_cli.model.values import moment, number, numbers, words
from subscriber_cli.render.bars import bar, sparkline, strip


def test_numbers_are_finite_or_none() -> None:
    assert number(3) == 3
    assert [number(x) for x in (True, "3", None, float("nan"), float("inf"), 10**400)] == [None] * 6
    assert numbers([1, 2.5]) == [1, 2.5]
    assert numbers([1, "x"]) == []
    assert numbers("12") == []


def test_words_are_harmless() -> None:
    assert words({"a": "x\x1b]0;y\x07"}, "a") == "x\\x1b]0;y\\x07"
    assert words({"a": 3}, "a") == ""
    assert len(words({"a": "x" * 100_000}, "a")) == 2000


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:10.500Z", 10.5),
        ("1970-01-01T00:00:10", 10.0),
        ("yesterday", None),
        ("9999-12-31T23:59:59-14:00", None),
        (7, None),
    ],
)
def test_moments_are_rfc_3339(text: object, at: float | None) -> None:
    assert moment(text) == at


def test_a_bar_shows_that_something_is_there() -> None:
    assert bar(0, 4) == ("", "┄┄┄┄")
    assert bar(0.001, 4) == ("━", "┄┄┄")
    assert bar(0.5, 4) == ("━━", "┄┄")
    assert bar(7, 4) == ("━━━━", "")


def test_a_strip_merges_by_the_largest() -> None:
    assert strip([0, 50, 100], 100, 10) == "▁▅█"
    assert strip([0, 100, 0, 0], 100, 2) == "█▁"
    assert strip([], 100, 5) == ""


def test_a_value_holds_until_the_next() -> None:
    drawn = sparkline([(20.0, 100.0), (60.0, 0.0)], now=99.0, span=100, width=10, top=100)

    assert drawn == "  █████▁▁▁"


def test_a_spike_between_two_columns_shows() -> None:
    drawn = sparkline(
        [(0.0, 0.0), (51.0, 100.0), (52.0, 0.0)], now=99.0, span=100, width=10, top=100
    )

    assert drawn == "▁▁▁▁▁█▁▁▁▁"


def test_columns_keep_their_height_while_they_move() -> None:
    points = [(float(t), float(t * 37 % 100)) for t in range(100)]
    before = sparkline(points, now=99.0, span=100, width=10, top=100)
    after = sparkline(points, now=109.0, span=100, width=10, top=100)

    assert after[:9] == before[1:]


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e6, 1e6)), max_size=30),
    st.floats(0, 2e4),
    st.integers(0, 80),
    st.none() | st.floats(0, 1e6),
)
def test_a_sparkline_has_its_width(
    points: list[tuple[float, float]], now: float, width: int, top: float | None
) -> None:
    assert len(sparkline(sorted(points), now, 120, width, top)) == width
