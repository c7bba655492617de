from __future__ import annotations

import pytest

from subscriber_cli.render.units import duration, humanise


@pytest.mark.parametrize(
    ("value", "unit", "precision", "text"),
    [
        (0, "B", 0, "0 B"),
        (1023, "B", 0, "1,023 B"),
        (1536, "B", 0, "1.5 KiB"),
        (24 << 20, "B", 0, "24.0 MiB"),
        (3 << 40, "B", 0, "3.0 TiB"),
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
        (30, "s", None, "30 s"),
        (4000, "s", None, "1 h 6 min"),
        (8.125, "", 2, "8.12"),
        (12, "", None, "12"),
        (3, "\x1bfathom", None, "3 \\x1bfathom"),
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
