"""Numbers as people read them, the same wherever they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.contract.units import Unit, duration, humanise


@pytest.mark.parametrize(
    ("value", "unit", "precision", "text"),
    [
        (0, "B", 0, "0 B"),
        (1023, "B", 0, "1,023 B"),
        (1536, "B", 0, "1.5 KiB"),
        (24 << 20, "B", 0, "24 MiB"),
        (24.03 * 2**20, "B", 0, "24.0 MiB"),
        (1024 * 1024 - 1, "B", 0, "1.0 MiB"),  # not 1,024.0 KiB
        (2**30 - 1, "B", 0, "1.0 GiB"),
        (99.97 * 2**20, "B", 0, "100 MiB"),
        (-1536, "B", 0, "-1.5 KiB"),
        (3 << 40, "B", 0, "3 TiB"),
        (5 << 60, "B", 0, "5 EiB"),
        (2000 << 60, "B", 0, "2,000 EiB"),
        (150 << 30, "B", 0, "150 GiB"),
        (1.2e7, "B/s", 0, "11.4 MiB/s"),
        (87.4, "%", 1, "87 %"),
        (0.25, "%", 1, "0.2 %"),
        (78, "°C", 0, "78 °C"),
        (2100, "rpm", 0, "2,100 rpm"),
        (64.6, "W", 1, "65 W"),
        (3400, "MHz", 0, "3.4 GHz"),
        (800, "MHz", 0, "800 MHz"),
        (1234.5, "1/s", 0, "1,234/s"),
        (1.5, "1/s", 1, "1.5/s"),
        (3.0, "1/s", 1, "3.0/s"),
        (5e6, "B/s", 0, "4.8 MiB/s"),
        (12.34, "%", 1, "12 %"),
        (0.5, "%", None, "0.5 %"),
        (61.5, "°C", 0, "62 °C"),
        (0.5, "", 2, "0.50"),
        (0.01, "kWh", None, "0.01 kWh"),
        (30, "s", None, "30 s"),
        (4000, "s", None, "1 h 6 min"),
        (8.125, "", 2, "8.12"),
        (12, "", None, "12"),
        (3, "\x1bfathom", None, "3 \\x1bfathom"),
        (3, "fathoms of rope", None, "3 fathoms of r"),
    ],
)
def test_numbers_read_as_people_write_them(
    value: float, unit: str, precision: int | None, text: str
) -> None:
    assert humanise(value, unit, precision) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"),
        (12_000, "3 h 20 min"), (187_200, "2 d 4 h"), (86_400 * 200, "200 d"),
    ],
)  # fmt: skip
def test_spans_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e18))
def test_no_amount_reads_as_1_024_of_its_unit(value: float) -> None:
    number, _ = humanise(value, Unit.BYTES).split(" ")
    assert float(number.replace(",", "")) < 1024
    assert len(number) <= 5
