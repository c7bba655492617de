"""Readings for people."""

from __future__ import annotations

import pytest
from rich.console import Console

from publisher.cli.output import humanise, panel
from publisher.contract.metric import (
    Reading,
    Unit,
    flag,
    gauge,
    group,
    instances,
    reading,
    records,
    text,
)


@pytest.mark.parametrize(
    ("value", "unit", "precision", "shown"),
    [
        (0, Unit.BYTES, 0, "0 B"),
        (1023, Unit.BYTES, 0, "1,023 B"),
        (1536, Unit.BYTES, 0, "1.5 KiB"),
        (2**40, Unit.BYTES, 0, "1.0 TiB"),
        (5e6, Unit.BYTES_PER_SECOND, 0, "4.8 MiB/s"),
        (12.34, Unit.PERCENT, 1, "12.3 %"),
        (1380, Unit.RPM, 0, "1,380 rpm"),
        (61.5, Unit.CELSIUS, 0, "62 °C"),
        (3.0, Unit.PER_SECOND, 1, "3.0/s"),
        (0.5, Unit.COUNT, 2, "0.50"),
        (12, Unit.COUNT, None, "12"),
    ],
)
def test_numbers(value: float, unit: Unit, precision: int | None, shown: str) -> None:
    assert humanise(value, unit, precision) == shown


@reading
class _Part(Reading):
    """One part."""

    name: str | None = text("Name", "What it is called.")
    share_percent: float | None = gauge("Share", "Its part.", unit=Unit.PERCENT, precision=0)


@reading
class _Whole(Reading):
    """All of it."""

    cores: list[float] | None = gauge("Cores", "By core.", unit=Unit.PERCENT, precision=0)
    fine: bool | None = flag("Fine", "All is well.")
    gone: int | None = gauge("Gone", "Not there.")
    parts: dict[str, _Part] = instances(_Part, "Part", "By name.")
    top: tuple[_Part, ...] = records(_Part, "Top", "Ranked.")
    inner: _Part | None = group(_Part, "Inner", "One inside.")


def _shown(whole: _Whole) -> str:
    console = Console(width=60, markup=False, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(panel("whole", whole))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_everything_that_is_there_and_nothing_that_is_not() -> None:
    hostile = "[bold]x[/]\x1b[2J\u202e"
    shown = _shown(
        _Whole(
            cores=[3.4, 99.6],
            fine=True,
            parts={"a\nb": _Part(name=hostile)},
            top=(_Part(name="make", share_percent=61.2), _Part(name="rsync")),
            inner=_Part(share_percent=5.0),
        )
    )
    assert shown == (
        "whole\n"
        "  Cores                     3 100 %\n"
        "  Fine                      yes\n"
        "  Part a\\nb\n"
        "    Name                      [bold]x[/]\\x1b[2J\\u202e\n"
        "  Top\n"
        "    Name   Share\n"
        "    make    61 %\n"
        "    rsync\n"
        "  Inner\n"
        "    Share                     5 %\n"
    )
