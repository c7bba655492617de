"""Columns of numbers as bytes: what goes in comes out."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber_cli.archive.packing import pack, unpack

numbers = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**9), 10**9).map(lambda n: n / 10),
)


@given(st.lists(st.tuples(st.integers(0, 1 << 50), numbers, numbers), max_size=50))
def test_what_goes_in_comes_out(rows: list[tuple[int, float | None, float | None]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    times = [row[0] for row in rows]
    columns = [[row[1] for row in rows], [row[2] for row in rows]]

    assert unpack(pack(times, columns)) == (times, columns)


def test_a_day_of_a_calm_value_takes_little() -> None:
    times = list(range(0, 86_400_000, 10_000))
    values: list[float | None] = [40 + (index // 50 % 7) / 10 for index in range(len(times))]

    assert len(pack(times, [values])) < len(times) / 4


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"nothing",
        zlib.compress(b""),
        zlib.compress(b"\x09" * 20),
        zlib.compress(b"\x01\x01\xff\xff\xff\x7f"),
        pack([1, 2], [[1.0, 2.0]])[:-5],
    ],
)
def test_damaged_bytes_are_told(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="block"):
        unpack(damaged)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match="kind"):
        unpack(zlib.compress(b"\x01" + bytes(65 << 20)))
