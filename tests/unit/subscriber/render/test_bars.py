from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from subscriber_cli.render.bars import bar, sparkline, strip


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
