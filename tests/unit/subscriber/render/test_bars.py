from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from subscriber_cli.render.bars import bar, graph, strip


def test_a_bar_shows_that_something_is_there() -> None:
    assert bar(0, 4) == ("", "┄┄┄┄")
    assert bar(0.001, 4) == ("━", "┄┄┄")
    assert bar(0.5, 4) == ("━━", "┄┄")
    assert bar(7, 4) == ("━━━━", "")


def test_a_strip_merges_by_the_largest() -> None:
    assert strip([0, 50, 100], 100, 10) == "▁▅█"
    assert strip([0, 100, 0, 0], 100, 2) == "█▁"
    assert strip([], 100, 5) == ""


def line(points: list[tuple[float, float]], now: float, width: int = 5) -> str:
    (drawn,) = graph(points, now=now, span=100, width=width, top=100)
    return drawn


def test_a_value_holds_until_the_next() -> None:
    # Ten columns of dots, two in a character; what was before the first value is blank.
    assert line([(20.0, 100.0), (60.0, 0.0)], now=99.0) == " ⣿⣿⣇⣀"


def test_a_spike_between_two_columns_shows() -> None:
    assert line([(0.0, 0.0), (51.0, 100.0), (52.0, 0.0)], now=99.0) == "⣀⣀⣸⣀⣀"


def test_what_is_known_stands_on_the_ground() -> None:
    assert line([(0.0, 0.0)], now=99.0) == "⣀⣀⣀⣀⣀"
    assert graph([(0.0, 5.0)], now=99.0, span=100, width=2, top=None) == ["⣿⣿"]


def test_rows_stand_above_each_other() -> None:
    drawn = graph([(0.0, 0.0), (50.0, 100.0)], now=99.0, span=100, width=2, top=100, rows=2)

    assert drawn == [" ⣿", "⣀⣿"]


def test_columns_keep_their_height_while_they_move() -> None:
    points = [(float(t), float(t * 37 % 100)) for t in range(100)]
    before, after = line(points, now=99.0), line(points, now=119.0)

    assert after[:4] == before[1:]


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e6, 1e6)), max_size=30),
    st.floats(0, 2e4),
    st.integers(0, 80),
    st.none() | st.floats(0, 1e6),
    st.integers(1, 5),
)
def test_a_graph_has_its_size(
    points: list[tuple[float, float]], now: float, width: int, top: float | None, rows: int
) -> None:
    drawn = graph(sorted(points), now, 120, width, top, rows=rows)

    assert list(map(len, drawn)) == [width] * rows
    assert all(char == " " or 0x2800 < ord(char) < 0x2900 for char in "".join(drawn))
