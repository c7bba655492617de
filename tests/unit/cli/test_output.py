"""Readings for people."""

from __future__ import annotations

from rich.console import Console

from publisher.cli.output import panel
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
